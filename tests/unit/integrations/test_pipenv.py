"""The small pyenv: what is written where, and what is left alone."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from manypython.cli import main
from manypython.integrations import pipenv
from manypython.model.errors import NoBuildError, OutputError, UsageError
from manypython.store.installed import RECEIPT


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A new user without a pyenv; nothing of this machine's settings."""
    for name in [name for name in os.environ if name.startswith(("MANYPYTHON_", "XDG_", "PYENV_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


def stored(home: Path, version: str, variant: str = "") -> Path:
    """An interpreter in the store, as far as finding it goes."""
    key = f"cpython-{version}+20261121-{os.uname().machine}-unknown-linux-gnu{variant}"
    folder = home / ".local/share/manypython/pythons" / key
    (folder / RECEIPT).parent.mkdir(parents=True)
    (folder / RECEIPT).write_text("{}")
    (folder / "bin").mkdir()
    (folder / "bin" / f"python{version[:4]}{'t' if variant else ''}").touch(0o755)
    return folder


def shim(folder: Path) -> Path:
    return pipenv.install(folder, force=False, dry_run=False)


def test_the_script_runs_this_python(home: Path, tmp_path: Path) -> None:
    strange = tmp_path / "it's a folder"
    script = shim(strange)
    done = subprocess.run([script, "--version"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == pipenv.answer(["--version"]) + "\n"
    assert shlex.quote(sys.executable) in script.read_text()


def test_a_link_that_cannot_be_written_is_told_with_what_names_its_folder(home: Path, tmp_path: Path) -> None:
    shim(tmp_path)
    stored(home, "3.13.5")
    (home / ".pyenv/versions").touch()
    with pytest.raises(OutputError, match=rf"^{home}/.pyenv/versions: ") as caught:
        pipenv.answer(["install", "3.13"])
    assert "PYENV_ROOT" in caught.value.remedy


def test_what_is_not_ours_stays(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = tmp_path / "bin/pyenv"
    taken.parent.mkdir()
    taken.write_text("#!/bin/sh\n")
    taken.chmod(0o755)
    with pytest.raises(UsageError, match="is there already, and not ours"):
        shim(taken.parent)
    (tmp_path / "pyenv").symlink_to("nowhere")
    with pytest.raises(UsageError, match="is there already, and not ours"):
        shim(tmp_path)
    monkeypatch.setenv("PATH", f"{taken.parent}:/bin")
    with pytest.raises(UsageError, match="a pyenv is on PATH"):
        shim(home / "bin")
    assert not home.exists()
    (home / ".pyenv/versions/3.12.1").mkdir(parents=True)
    with pytest.raises(UsageError, match="belongs to a pyenv"):
        pipenv.install(home / "bin", force=True, dry_run=False)
    with pytest.raises(UsageError, match="is not the shim's"):
        pipenv.remove()
    with pytest.raises(UsageError, match="is not the shim's"):
        pipenv.answer(["install", "-s", "3.13"])
    monkeypatch.setenv("PYENV_ROOT", "$HOME/another")
    pipenv.install(home / "bin", force=True, dry_run=False)
    with pytest.raises(UsageError, match="the shim stands there"):
        pipenv.install(home / "elsewhere", force=True, dry_run=False)
    assert pipenv.remove() == [home / "bin/pyenv", home / "another/manypython-shim"]
    assert taken.read_text() == "#!/bin/sh\n"


def test_links_are_exchanged_and_removed_and_nothing_else(home: Path) -> None:
    first = stored(home, "3.13.4")
    shim(home / "bin")
    pipenv.answer(["install", "3.13"])
    link = home / ".pyenv/versions/3.13.4"
    assert link.resolve() == first
    newer = first.rename(first.with_name(first.name.replace("20261121", "20261122")))
    pipenv.answer(["install", "-s", "3.13.4"])
    assert link.resolve() == newer
    (home / ".pyenv/versions/3.12.9").mkdir()
    stored(home, "3.12.9")
    with pytest.raises(UsageError, match=r"3\.12\.9: is there already, and not ours"):
        pipenv.answer(["install", "3.12.9"])
    assert pipenv.answer(["versions", "--bare"]) == "3.12.9\n3.13.4"
    assert link in pipenv.remove()
    assert list(link.parent.iterdir()) == [link.with_name("3.12.9")]
    assert newer.is_dir()


def test_the_shim_takes_every_spelling_of_a_request(home: Path) -> None:
    usual, threaded = stored(home, "3.13.4"), stored(home, "3.13.4", "-freethreaded")
    older = stored(home, "3.12.9")
    shim(home / "bin")
    for asked, name, folder in (
        ("python3.13", "3.13.4", usual),
        ("3.13+freethreaded", "3.13.4t", threaded),
        (">= 3.12, < 3.13", "3.12.9", older),
        ("cpython@3.13.4+20261121", "3.13.4", usual),
    ):
        pipenv.answer(["install", "-s", asked])
        assert (home / ".pyenv/versions" / name).resolve() == folder
        assert pipenv.answer(["prefix", asked]) == str(home / ".pyenv/versions" / name)
    assert pipenv.answer(["prefix", "3"]) == str(home / ".pyenv/versions/3.13.4")
    with pytest.raises(UsageError, match=r"pypy3\.11': not CPython"):
        pipenv.answer(["install", "pypy3.11"])
    with pytest.raises(UsageError, match="for another machine"):
        pipenv.answer(["install", "3.13-linux-musl"])
    assert len(pipenv.remove()) == 5, "script, record and three links"


@pytest.mark.parametrize("words", [("install", "-s", "pypy3.10"), ("prefix", "graalpy-24")])
def test_what_is_none_of_ours_is_told_in_pyenvs_name(
    words: tuple[str, ...], home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    shim(home / "bin")
    assert main(["pyenv-shim", "run", "pyenv", *words]) == 2
    assert capfd.readouterr().err.startswith(f"error: pyenv: '{words[-1]}': not CPython")


def test_offline_the_list_is_what_is_here(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for version in ("3.13.10", "3.13.9", "3.12.1"):
        stored(home, version)
    stored(home, "3.14.0rc1")
    stored(home, "3.13.11", "-freethreaded")
    monkeypatch.setenv("MANYPYTHON_OFFLINE", "1")
    assert pipenv.answer(["install", "--list"]).split() == [
        "Available", "versions:", "3.12.1", "3.13.9", "3.13.10",
    ]  # fmt: skip
    monkeypatch.delenv("MANYPYTHON_OFFLINE")
    with pytest.raises(UsageError, match="no index is set"):
        pipenv.answer(["install", "--list"])


def test_errors_are_two_lines(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(NoBuildError, match=r"pyenv: 3\.13 is not installed"):
        pipenv.answer(["prefix", "3.13"])
    assert main(["pyenv-shim", "run", "pyenv", "--nonsense"]) == 1
    told = capfd.readouterr().err.splitlines()
    assert [line.partition(":")[0] for line in told] == ["error", "remedy"]
    home.write_text("a file")
    with pytest.raises(OutputError, match="cannot be written"):
        shim(home / "bin")


def test_the_command_says_what_is_missing(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    argv = ["pyenv-shim", "install", "--to", str(home / "bin")]
    assert main([*argv, "--dry-run"]) == 0
    assert not home.exists()
    assert main(argv) == 0
    out, err = capfd.readouterr()
    assert out.splitlines()[1] == f"wrote {home}/bin/pyenv, for interpreters in {home}/.pyenv"
    assert f'export PATH="{home}/bin:$PATH"' in err
    assert main(["pyenv-shim", "remove"]) == 0
    assert not (home / ".pyenv").exists()
