"""The user's folders: with no home, with a relative one, with XDG variables that the specification rejects."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from sites import MadeSite
from strangers import UID, shut, stranger, without_home

from manypython import fetch, folders
from manypython.archives.read import unpack
from manypython.cli import main
from manypython.model import errors
from manypython.store import settings
from manypython.store.writing import writing

NULL = '"/a\\u0000b"'
XDG = ("XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")


def run(env: dict[str, str], cwd: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """What a command of ours did for a user that nobody knows."""
    argv = (*stranger(), sys.executable, "-m", "manypython", *map(str, words))
    return subprocess.run(argv, env=env, cwd=cwd, capture_output=True, text=True, check=False)


@pytest.fixture
def cwd(tmp_path: Path) -> Path:
    folder = tmp_path / "cwd"
    folder.mkdir()
    return folder


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (("fetch", "3.13", "--index", "{site}", "--trust", "{trust}"), "MANYPYTHON_STORE_DIR"),
        (("list",), "MANYPYTHON_STORE_DIR"),
        (("find", "3.13"), "MANYPYTHON_STORE_DIR"),
        (("prune",), "MANYPYTHON_STORE_DIR"),
        (("integrate", "tox", "--index", "{site}", "--trust", "{trust}"), "XDG_DATA_HOME"),
        (("list", "--available", "--index", "{site}", "--trust", "{trust}"), "XDG_DATA_HOME"),
        (("keys", "create"), "--keys"),
        (("publish", "--to", "new"), "--keys"),
        (("roots", "list"), "MANYPYTHON_CACHE_DIR"),
        (("make", "3.13"), "MANYPYTHON_CACHE_DIR"),
        (("pyenv-shim", "run", "pyenv", "root"), "PYENV_ROOT"),
        (("pyenv-shim", "install", "--to", "bin"), "PYENV_ROOT"),
        (("pyenv-shim", "install"), "--to"),
    ],
    ids=" ".join,
)
def test_without_a_home_what_needs_one_names_the_settings(
    words: tuple[str, ...], names: str, site: MadeSite, cwd: Path
) -> None:
    done = run(without_home(), cwd, *(word.format(site=site.folder, trust=site.trust) for word in words))
    assert done.returncode == errors.OutputError.exit_code, done.stderr
    error, remedy = done.stderr.splitlines()
    assert f"there is no home folder: HOME is not set, and nobody knows user {UID}" in error
    assert remedy.startswith("remedy: set HOME, or ")
    assert names in remedy
    assert done.stdout == ""
    assert list(cwd.iterdir()) == [], "no folder is called ~"


@pytest.mark.parametrize("home", ["", "here", "~", "./x"])
def test_a_home_that_is_no_absolute_path_is_none(home: str, cwd: Path) -> None:
    done = run(without_home(HOME=home), cwd, "list")
    assert done.returncode == errors.OutputError.exit_code
    assert ("HOME is not an absolute path" if home else "HOME is not set") in done.stderr
    assert list(cwd.iterdir()) == []


def test_without_home_it_is_the_one_of_the_password_file() -> None:
    for told in ({}, {"HOME": ""}, {"HOME": "relative"}):
        code = "from manypython.folders import home; print(home())"
        argv = (sys.executable, "-c", code)
        done = subprocess.run(argv, env=without_home(**told), capture_output=True, text=True, check=True)
        assert done.stdout.strip() == pwd.getpwuid(os.getuid()).pw_dir


def test_without_a_home_what_needs_none_works(site: MadeSite, tmp_path: Path, cwd: Path) -> None:
    store = tmp_path / "store"
    kept = {"MANYPYTHON_STORE_DIR": str(store), "XDG_DATA_HOME": str(tmp_path / "data")}
    cached = {**kept, "MANYPYTHON_CACHE_DIR": str(tmp_path / "cache")}
    done = run(without_home(**cached), cwd, "fetch", "3.13", "--index", site.folder, "--trust", site.trust)
    assert done.stdout == f"{store}/{site.builds[0].key}/bin/python3.13\n", done.stderr
    alone = without_home(MANYPYTHON_STORE_DIR=str(store))
    again = run(alone, cwd, "fetch", "3.13")
    assert again.stdout == done.stdout, f"what is here needs nothing but the store: {again.stderr}"
    for words in (("list",), ("find", "3.13"), ("files", "3.13"), ("config",), ("doctor",), ("recipes",)):
        assert run(alone, cwd, *words).returncode == 0, words
    assert run(alone, cwd, "remove", "3.13").returncode == 0
    assert run(alone, cwd, "prune").returncode == 0
    assert run(without_home(), cwd, "keys", "show", "--to", site.folder).returncode == 0
    assert list(cwd.iterdir()) == []


def test_each_folder_that_is_missing_is_named(site: MadeSite, tmp_path: Path, cwd: Path) -> None:
    """One variable after the other, until it works."""
    env, named = without_home(), []
    for _ in range(4):
        done = run(env, cwd, "fetch", "3.13", "--index", site.folder, "--trust", site.trust)
        if done.returncode == 0:
            break
        names = next(
            name
            for name in ("MANYPYTHON_STORE_DIR", "MANYPYTHON_CACHE_DIR", "XDG_DATA_HOME")
            if name in done.stderr
        )
        named.append(names)
        env[names] = str(tmp_path / names)
    assert done.returncode == 0, done.stderr
    assert named == ["MANYPYTHON_STORE_DIR", "XDG_DATA_HOME", "MANYPYTHON_CACHE_DIR"]


def test_config_and_doctor_say_that_there_is_no_home(cwd: Path) -> None:
    shown = run(without_home(), cwd, "config")
    assert shown.returncode == 0
    assert "note: store-dir: ~/.local/share: there is no home folder" in shown.stderr
    assert next(line for line in shown.stdout.splitlines() if line.startswith("store-dir")).split()[1] == "-"
    (cwd / ".python-version").write_text("3.13\n")
    looked = run(without_home(), cwd, "doctor")
    assert looked.returncode == errors.TROUBLE
    assert "~/.local/share: there is no home folder" in looked.stdout
    assert "MANYPYTHON_STORE_DIR" in looked.stdout


@pytest.mark.parametrize("path", ["~", "~/x", "~nobody-is-called-so/x"])
def test_a_tilde_that_means_nobody_is_no_folder(path: str, cwd: Path) -> None:
    for words in (("list", "--store-dir", path), ("fetch", "3.13", "--index", path)):
        done = run(without_home(), cwd, *words)
        assert done.returncode == errors.UsageError.exit_code
        assert f"{words[-2]}: {path}: there is no home folder {path.partition('/')[0]}" in done.stderr
    done = run(without_home(PYENV_ROOT=path), cwd, "pyenv-shim", "run", "pyenv", "root")
    assert done.returncode == errors.UsageError.exit_code
    assert f"PYENV_ROOT: {path}: there is no home folder" in done.stderr
    assert list(cwd.iterdir()) == []


def test_a_tilde_that_means_somebody_is_that_home(home: Path) -> None:
    assert folders.expanded("~/x", "") == f"{home}/x"
    assert folders.expanded("~root/x", "") == f"{pwd.getpwnam('root').pw_dir}/x"
    assert folders.expanded("a/~/x", "") == "a/~/x"
    assert settings.read({"store-dir": "~/x"}).store_dir == f"{home}/x"


@pytest.mark.parametrize("named", ["relative", "./relative", "~/x", ""])
def test_xdg_variables_that_are_not_absolute_are_ignored(
    named: str,
    site: MadeSite,
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """XDG Base Directory Specification: "all paths must be absolute", others are to be ignored."""
    folder = tmp_path / "project"
    (folder / "relative/manypython").mkdir(parents=True)
    (folder / "relative/manypython/config.toml").write_text("nonsense = 1\n")
    monkeypatch.chdir(folder)
    for name in XDG:
        monkeypatch.setenv(name, named)
    assert main(["fetch", "3.13", "--index", str(site.folder), "--trust", site.trust, "--store", "uv"]) == 0
    printed = Path(capfd.readouterr().out.strip())
    assert printed.is_absolute()
    assert printed.is_relative_to(home / ".local/share/manypython/pythons")
    assert (home / ".cache/manypython/downloads").is_dir()
    assert (home / ".local/share/uv/python").is_dir()
    assert [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()] == [
        "relative/manypython/config.toml"
    ]


def test_xdg_variables_that_are_absolute_are_obeyed(
    site: MadeSite, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in XDG:
        monkeypatch.setenv(name, str(tmp_path / name))
    (tmp_path / "XDG_CONFIG_HOME/manypython").mkdir(parents=True)
    text = f'index = "{site.folder}"\ntrust = "{site.trust}"\n'
    (tmp_path / "XDG_CONFIG_HOME/manypython/config.toml").write_text(text)
    assert fetch("3.13").folder.startswith(f"{tmp_path}/XDG_DATA_HOME/manypython/pythons/")
    assert (tmp_path / "XDG_CACHE_HOME/manypython/downloads").is_dir()
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("how", ["store-dir", "variable", "home"])
def test_the_printed_path_is_absolute_however_the_folder_is_named(
    how: str,
    site: MadeSite,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["fetch", "3.13", "--index", "site", "--trust", site.trust]
    if how == "store-dir":
        words += ["--store-dir", "st"]
    elif how == "variable":
        monkeypatch.setenv("MANYPYTHON_STORE_DIR", "st")
    else:
        monkeypatch.setenv("MANYPYTHON_CACHE_DIR", str(tmp_path / "cache"))
        monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
        monkeypatch.setenv("HOME", "a home")
    assert main(words) == 0
    printed = capfd.readouterr().out.strip()
    assert printed.startswith(f"{tmp_path}/")
    assert os.access(printed, os.X_OK)


@pytest.mark.parametrize(
    ("blocked", "names"),
    [
        ("data/manypython/pythons", "MANYPYTHON_STORE_DIR"),
        ("data/manypython/trust", "XDG_DATA_HOME"),
        ("cache/manypython", "MANYPYTHON_CACHE_DIR"),
        ("data/uv", "UV_PYTHON_INSTALL_DIR"),
    ],
)
def test_a_folder_that_cannot_be_written_is_told_with_what_names_it(
    blocked: str, names: str, site: MadeSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / blocked).parent.mkdir(parents=True)
    (tmp_path / blocked).write_text("no folder")
    with pytest.raises(errors.OutputError, match=blocked) as caught:
        fetch("3.13", index=str(site.folder), trust=site.trust, store="uv")
    assert names in caught.value.remedy


@pytest.mark.parametrize(
    ("closed", "told"),
    [
        ("site", "cannot be read: Permission denied (--index takes"),
        ("downloads", "Permission denied (free some room or name another folder with MANYPYTHON_CACHE_DIR)"),
        ("config.toml", "cannot be read: Permission denied"),
        ("root_history", "cannot be written: Permission denied (free some room"),
    ],
)
def test_what_is_closed_is_an_error_of_ours_for_other_programs_too(
    closed: str, told: str, site: MadeSite, home: Path, cwd: Path
) -> None:
    """nox, for one, would show a traceback of any other."""
    env = without_home(HOME=str(home))
    site.folder = site.folder.rename(cwd / "site")
    ask = f"fetch('3.13', index={str(site.folder)!r}, trust={site.trust!r}, upgrade=True)"
    script = (
        f"from manypython import fetch\ntry: {ask}\nexcept Exception as e: print(type(e).__name__, e.line)\n"
    )
    words = [*stranger(), sys.executable, "-c", script]
    config = home / ".config/manypython/config.toml"
    config.parent.mkdir(parents=True)
    config.write_text("offline = false\n")
    assert subprocess.run(words, env=env, capture_output=True, text=True, check=False).stdout == ""
    shutil.rmtree(home / ".local/share/manypython/pythons")
    closing = {
        "site": site.folder.parent,
        "downloads": next((home / ".cache/manypython/downloads").glob("*.zip")),
        "config.toml": config,
        "root_history": next((home / ".local/share/manypython/trust").glob("*/root_history/*")),
    }[closed]
    with shut(closing):
        done = subprocess.run(words, env=env, capture_output=True, text=True, check=False)
    assert done.stdout.split()[0].endswith("Error")
    assert told in done.stdout
    assert "[(" not in done.stdout


def test_a_current_folder_that_is_gone_is_said_to_be(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    for words in (["find", "3.13"], ["make", "3.13", "--dist", "x"]):
        assert main(words) in (errors.UsageError.exit_code, errors.OutputError.exit_code)
        assert capfd.readouterr().err.splitlines() == [
            "error: the current folder: No such file or directory",
            "remedy: cd to one that is there",
        ]


def test_folders_may_have_names_in_no_encoding(
    site: MadeSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trust = site.trust
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/\xff \xfe")
    (tmp_path / "site").rename(f"{odd} site")
    monkeypatch.setenv("XDG_DATA_HOME", odd)
    env = {**os.environ, "PYTHONUTF8": "1"}
    argv = (sys.executable, "-m", "manypython")
    words = ("fetch", "3.13", "--index", f"{odd} site", "--trust", trust)
    done = subprocess.run((*argv, *words), env=env, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(os.fsencode(odd) + b"/manypython/pythons/")
    assert subprocess.run([done.stdout.strip()], capture_output=True, check=True).stdout == b"3.13.15\n"
    bin_ = f"{odd} bin"
    shim = (*argv, "pyenv-shim", "install", "--force", "--to", bin_)
    env["PYENV_ROOT"] = f"{odd} pyenv"
    assert subprocess.run(shim, env=env, capture_output=True, check=False).returncode == 0
    rooted = subprocess.run((f"{bin_}/pyenv", "root"), env=env, capture_output=True, check=True)
    assert rooted.stdout == os.fsencode(f"{odd} pyenv\n")


@pytest.mark.parametrize("name", ["index", "mirrors", "trust", "store-dir", "ca-bundle"])
def test_a_null_character_is_no_fault_of_ours(name: str, home: Path) -> None:
    config = home / ".config/manypython/config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(f"{name} = {f'[{NULL}]' if name == 'mirrors' else NULL}\n")
    with pytest.raises(errors.UsageError, match=f"config.toml: {name}: .* has a null character"):
        fetch("3.13")


def test_what_knows_no_settings_is_told_with_what_names_the_folder(tmp_path: Path) -> None:
    with pytest.raises(errors.OutputError) as caught, writing(tmp_path):
        unpack(tmp_path / "no archive", tmp_path, limit=1)
    assert caught.value.remedy == "name a folder that does not exist yet", "which is another remedy"
    with pytest.raises(errors.OutputError) as caught, writing(tmp_path):
        raise errors.OutputError(f"{tmp_path}: No space left on device", remedy=errors.ROOM)
    assert caught.value.remedy == f"{errors.ROOM} with MANYPYTHON_STORE_DIR"


def test_a_link_that_cannot_be_made_is_named_and_not_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "link").touch()
    with pytest.raises(errors.OutputError, match=rf"^{tmp_path}/link: "), writing(tmp_path):
        (tmp_path / "link").symlink_to("/a/tree")
