"""The buildpack's own decisions: the real scripts, a site in a folder, and interpreters that are three lines of sh."""

from __future__ import annotations

import hashlib
import io
import os
import platform
import re
import shutil
import subprocess
import tarfile
import tomllib
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from strangers import shut, stranger

from manypython import __version__

BUILDPACK = Path(__file__).parents[3] / "buildpacks/python"
POOL = "python-build-standalone/releases/download"
MACHINE = platform.machine()
GLIBC = tuple(map(int, re.findall(r"\d+", os.confstr("CS_GNU_LIBC_VERSION") or "")[:2]))
HERE = f"{MACHINE} with glibc {'.'.join(map(str, GLIBC))}" if GLIBC else MACHINE
PYTHON = '#!/bin/sh\ncase "$*" in *django*) exit 1 ;; esac\n'
"""What stands for an interpreter: it runs, and has no Django."""


def name(version: str, build: str, *, machine: str = MACHINE, policy: str = "", variant: str = "") -> str:
    middle = "".join(f"-{part}" for part in (policy, variant) if part)
    return f"{POOL}/{build}/cpython-{version}+{build}-{machine}-unknown-linux-gnu{middle}-install_only.tar.gz"


class Classic:
    """An app that is built the classic way; the buildpack and the site are in folders beside it."""

    def __init__(self, folder: Path) -> None:
        self.app, self.site, self.cache = folder / "app", folder / "site", folder / "cache"
        self.config = folder / "env"
        for each in (self.app, self.site, self.cache, self.config):
            each.mkdir()
        self.buildpack = folder / "buildpack"
        shutil.copytree(BUILDPACK, self.buildpack)
        self.set("MANYPYTHON_INDEX", f"file://{self.site}")

    def set(self, name: str, value: str) -> None:
        (self.config / name).write_text(value)

    def publish(self, *paths: str, python: str = PYTHON) -> list[str]:
        """Put archives into the site; their SHA-256s."""
        sums = []
        for path in paths:
            archive = self.site / path
            archive.parent.mkdir(parents=True, exist_ok=True)
            with tarfile.open(archive, "w:gz") as tar:
                for each in ("python", "python3"):
                    member = tarfile.TarInfo(f"python/bin/{each}")
                    member.mode, member.size = 0o755, len(python)
                    tar.addfile(member, io.BytesIO(python.encode()))
                member = tarfile.TarInfo("python/lib/python3.13/site-packages")
                member.type, member.mode = tarfile.DIRTYPE, 0o755
                tar.addfile(member)
            sums.append(hashlib.sha256(archive.read_bytes()).hexdigest())
        with (self.site / "SHA256SUMS").open("a") as file:
            file.writelines(f"{digest}  {path}\n" for digest, path in zip(sums, paths, strict=True))
        return sums

    def compile(self, **env: str) -> subprocess.CompletedProcess[str]:
        shutil.rmtree(self.app / ".heroku", ignore_errors=True)
        return self.run(self.buildpack / "bin/compile", self.app, self.cache, self.config, cwd=None, **env)

    def run(
        self, *words: str | Path, cwd: Path | None = None, **env: str
    ) -> subprocess.CompletedProcess[str]:
        whole = {"PATH": "/usr/bin:/bin", "HOME": str(self.app), "STACK": "heroku-24", **env}
        return subprocess.run(
            words, env=whole, cwd=cwd, capture_output=True, text=True, check=False, timeout=60
        )

    def built(self, **env: str) -> str:
        done = self.compile(**env)
        assert done.returncode == 0, done.stdout + done.stderr
        assert (self.app / ".heroku/python/bin/python3").is_file()
        return done.stdout

    def refused(self, **env: str) -> str:
        """What is said where nothing is built; nothing of it is left."""
        done = self.compile(**env)
        assert done.returncode == 1, done.stdout
        assert not (self.app / ".heroku/python").exists()
        assert all(line.startswith((" !     ", "cat: ")) for line in done.stderr.splitlines()), done.stderr
        return done.stderr


@pytest.fixture
def classic(tmp_path: Path) -> Classic:
    return Classic(tmp_path)


@pytest.mark.parametrize("file", ["requirements.txt", ".python-version", "uv.lock", "manage.py"])
def test_an_app_is_detected_both_ways(classic: Classic, file: str) -> None:
    detect, plan = classic.buildpack / "bin/detect", classic.app.parent / "plan.toml"
    assert classic.run(detect, classic.app).returncode == 1
    assert classic.run(detect, cwd=classic.app, CNB_BUILD_PLAN_PATH=str(plan)).returncode == 100
    assert not plan.exists()
    (classic.app / file).touch()
    done = classic.run(detect, classic.app)
    assert (done.returncode, done.stdout) == (0, "Python (manypython)\n")
    assert classic.run(detect, cwd=classic.app, CNB_BUILD_PLAN_PATH=str(plan)).returncode == 0
    assert tomllib.loads(plan.read_text()) == {
        "provides": [{"name": "python"}],
        "requires": [{"name": "python"}],
    }


@pytest.mark.parametrize(
    ("file", "text", "version"),
    [
        (".python-version", "3.13\n", "3.13.15"),
        (".python-version", "# ours\n\n  3.13.5  ", "3.13.5"),
        (".python-version", "3.13.5 # as in production\n", "3.13.5"),
        ("runtime.txt", "python-3.13.5\n", "3.13.5"),
        ("runtime.txt", "python-3.1", "3.1.2"),
        ("no-version", "", "3.14.0"),
    ],
)
def test_the_version_that_is_asked_for(classic: Classic, file: str, text: str, version: str) -> None:
    versions = ("3.13.5", "3.13.15", "3.13.9", "3.14.0", "3.15.0rc1", "3.1.2")
    classic.publish(*(name(each, "20261101") for each in versions))
    (classic.app / file).write_text(text)
    said = classic.built()
    assert f"-----> Python {version}, build 20261101, " in said
    assert (f"as {file} says" in said) == (file != "no-version")


@pytest.mark.parametrize(
    ("file", "text", "lines"),
    [
        (
            ".python-version",
            "3.13\r\n",
            "has Windows line ends (CRLF).\n !     Save it with Unix ones: sed -i",
        ),
        (".python-version", "3.13\n3.12\n", "names several versions: 3.13 and 3.12."),
        (".python-version", "# 3.13\n", "names no version.\n !     Write one into it, for instance: 3.13"),
        (".python-version", "3.13t", "says 3.13t, which is no version."),
        (
            ".python-version",
            "\ufeff3.13",
            "begins with a byte order mark (BOM).\n !     Save it without one: sed -i '1s/",
        ),
        (".python-version", "3.13\u200b", r"says $'3.13\342\200\213', which is no version."),
        ("runtime.txt", "3.13", "says 3.13, which is no version.\n !     Write for instance python-3.13 or"),
    ],
)
def test_a_file_that_does_not_say_which(classic: Classic, file: str, text: str, lines: str) -> None:
    classic.publish(name("3.13.5", "20261101"))
    (classic.app / file).write_text(text, newline="")
    assert f" !     {file} {lines}" in classic.refused()
    assert f" !     {file} {lines}" in classic.refused(LC_ALL="C.UTF-8"), "what nobody can see is shown"


def test_a_file_that_is_closed_is_named(classic: Classic) -> None:
    classic.publish(name("3.13.5", "20261101"))
    (classic.app / ".python-version").write_text("3.13")
    folders = (classic.app, classic.cache, classic.config)
    words: tuple[str | Path, ...] = (*stranger(), classic.buildpack / "bin/compile", *folders)
    with shut(classic.app / ".python-version"):
        done = classic.run(*words)
    assert done.stderr.startswith(" !     .python-version cannot be read.\n")


def test_what_the_site_has_not(classic: Classic) -> None:
    classic.publish(
        name("3.13.5", "20261101"), name("3.12.1", "20261101"), name("3.14.0", "20261101", machine="sparc")
    )
    (classic.app / ".python-version").write_text("3.14")
    assert classic.refused() == (
        f" !     file://{classic.site}/ has no Python 3.14 (.python-version) for {HERE}.\n"
        " !     It has: 3.12.1 3.13.5\n"
    )


def test_a_pin_chooses(classic: Classic) -> None:
    (pin,) = classic.publish(name("3.13.5", "20261101"))
    classic.publish(name("3.13.15", "20261101"), python=f"{PYTHON}# another\n")
    classic.set("MANYPYTHON_SHA256", pin)
    assert "Python 3.13.5" in classic.built()
    classic.set("MANYPYTHON_SHA256", "0" * 64)
    assert f"has no Python for {HERE} that MANYPYTHON_SHA256 is of." in classic.refused()


@pytest.mark.parametrize(
    "index",
    [
        "http://example.org/", "ftp://127.0.0.1/", "http://127.0.0.1:80@example.org/", "http://localhost.example.org",
        "example.org", "http://example.org?@127.0.0.1/", "http://example.org#@localhost/", "http://example.org\\@[::1]/",
    ],
)  # fmt: skip
def test_an_index_that_nothing_protects(classic: Classic, index: str) -> None:
    classic.set("MANYPYTHON_INDEX", index)
    assert "which nothing protects.\n !     Take an https:// or file:/// address." in classic.refused()


@pytest.mark.parametrize("index", ["http://me:secret@127.0.0.1:1/", "http://me:secret@localhost:1"])
def test_this_machine_needs_no_protection_with_a_password_either(classic: Classic, index: str) -> None:
    script = f"source {BUILDPACK}/lib/common.sh; source {BUILDPACK}/lib/interpreter.sh; site"
    done = classic.run("bash", "-c", script, MANYPYTHON_INDEX=index)
    assert (done.stdout, done.stderr) == (f"{index.rstrip('/')}/\n", "")


@pytest.mark.parametrize("login", ["me:se@cret", "me:se/cret", "me:se@c/ret", "secret"])
def test_no_password_is_shown(classic: Classic, login: str) -> None:
    classic.set("MANYPYTHON_INDEX", f"ftp://{login}@example.org/a")
    said = classic.refused()
    assert "example.org/a/, which nothing protects" in said.replace("/a,", "/a/,")
    assert not any(part in said for part in ("me:", "se@", "se/", "cret", "c/ret"))


def test_no_index_and_no_site(classic: Classic) -> None:
    (classic.config / "MANYPYTHON_INDEX").unlink()
    assert "heroku config:set MANYPYTHON_INDEX=https://…" in classic.refused()
    classic.set("MANYPYTHON_INDEX", f"{classic.site}/nothing")
    assert f" !     file://{classic.site}/nothing/SHA256SUMS could not be fetched.\n" in classic.refused()


@pytest.mark.parametrize("form", ["{}", "file://{}", "file://{}/", "file://{}/index.json"])
@pytest.mark.parametrize("folder", ["site", "a %73ite", "a\\nsite"])
def test_a_site_in_a_folder(classic: Classic, form: str, folder: str) -> None:
    """Which needs no curl."""
    classic.publish(name("3.13.5", "20261101"))
    classic.site = classic.site.rename(classic.site.with_name(folder.replace("%73", "s")))
    classic.set("MANYPYTHON_INDEX", form.format(classic.site.with_name(folder)))
    classic.set("MANYPYTHON_INDEX", form.format(classic.site))
    assert "Python 3.13.5" in classic.built()


def test_an_archive_that_is_another(classic: Classic) -> None:
    classic.publish(name("3.13.5", "20261101"))
    with (classic.site / name("3.13.5", "20261101")).open("ab") as file:
        file.write(b"\0")
    assert "is not what SHA256SUMS says: its SHA-256 is not " in classic.refused()


def test_an_archive_that_cannot_be_unpacked_is_said_so_in_few_lines(classic: Classic) -> None:
    """As tar has it where no space is left: a line for each of four thousand files."""
    classic.publish(name("3.13.5", "20261101"))
    (classic.buildpack / "tar").write_text("#!/bin/sh\nseq -f 'tar: %g: no space' 1000\nexit 2\n")
    (classic.buildpack / "tar").chmod(0o755)
    done = classic.run(
        classic.buildpack / "bin/compile", classic.app, classic.cache, classic.config,
        PATH=f"{classic.buildpack}:/usr/bin:/bin",
    )  # fmt: skip
    assert done.returncode == 1
    assert f"could not be unpacked into {classic.app}/.heroku.\n !     " in done.stderr
    assert done.stdout.count("no space") == 5
    assert not any((classic.app / ".heroku").iterdir())


def test_an_interpreter_that_does_not_run(classic: Classic) -> None:
    classic.publish(name("3.13.5", "20261101"), python="#!/bin/sh\nexit 127\n")
    assert "install_only.tar.gz does not run here." in classic.refused()


def test_files_that_contradict_each_other(classic: Classic) -> None:
    classic.publish(name("3.13.5", "20261101"))
    (classic.app / "Pipfile").touch()
    assert "There is a Pipfile without its Pipfile.lock." in classic.refused()
    (classic.app / "uv.lock").touch()
    (classic.app / "requirements.txt").touch()
    assert "Several files say what to install: requirements.txt uv.lock" in classic.refused()


def test_collectstatic_that_fails_ends_the_build_unless_it_is_not_wanted(classic: Classic) -> None:
    classic.publish(
        name("3.13.5", "20261101"), python='#!/bin/sh\ncase "$*" in site*) echo no; exit 1 ;; esac\n'
    )
    assert "collectstatic" not in classic.built(), "there is no manage.py"
    (classic.app / "site").mkdir()
    (classic.app / "site/manage.py").touch()
    done = classic.compile()
    assert done.returncode == 1
    assert done.stdout.endswith("-----> python site/manage.py collectstatic --noinput\n       no\n")
    assert "set DISABLE_COLLECTSTATIC=1" in done.stderr
    classic.set("DISABLE_COLLECTSTATIC", "1")
    assert "DISABLE_COLLECTSTATIC is set" in classic.built()


def test_another_python_is_there(classic: Classic) -> None:
    (classic.app / ".heroku/python").mkdir(parents=True)
    done = classic.run(classic.buildpack / "bin/compile", classic.app, classic.cache, classic.config)
    assert done.returncode == 1
    assert ".heroku/python is there already." in done.stderr


def test_the_cache_holds_what_is_used(classic: Classic) -> None:
    classic.publish(name("3.13.5", "20261101"))
    assert "-----> Fetching cpython-3.13.5+" in classic.built()
    kept = classic.cache / "manypython/downloads/kept"
    kept.touch()
    assert "-----> Using cached cpython-3.13.5+" in classic.built()
    assert kept.exists()
    assert "cached packages are dropped" in classic.built(STACK="heroku-26")
    assert not kept.exists()
    classic.publish(name("3.13.9", "20261101"), python=f"{PYTHON}# another\n")
    said = classic.built(STACK="heroku-26")
    assert "cached packages are dropped" in said
    assert "-----> Fetching cpython-3.13.9+" in said
    assert [each.name[:15] for each in (classic.cache / "manypython").glob("cpython-*")] == [
        "cpython-3.13.9+"
    ]


def test_config_vars_do_not_change_the_buildpack(classic: Classic) -> None:
    classic.publish(name("3.13.5", "20261101"))
    for each in ("PATH", "LD_PRELOAD", "BASH_ENV", "UID", "HERE", "SHELLOPTS", "not-a-name", "app", "prefix"):
        classic.set(each, "/nowhere")
    assert "Python 3.13.5" in classic.built()


def test_the_slug_and_later_buildpacks_find_it(classic: Classic) -> None:
    classic.publish(name("3.13.5", "20261101"))
    classic.built()
    told = 'set -eu; . "{}"; command -v python3; echo "$PYTHONUNBUFFERED ${{WEB_CONCURRENCY:-}} ${{FORWARDED_ALLOW_IPS:-}}"'
    done = classic.run("bash", "-c", told.format(classic.buildpack / "export"))
    assert done.stdout.startswith(f"{classic.app}/.heroku/python/bin/python3\n1 ")
    moved = classic.app.rename(classic.app.parent / "moved")
    sourced = told.format(moved / ".profile.d/manypython.sh")
    done = classic.run("bash", "-c", sourced, HOME=str(moved), WEB_CONCURRENCY="7", DYNO="web.1")
    assert done.stdout == f"{moved}/.heroku/python/bin/python3\n1 7 *\n"
    assert classic.run(classic.buildpack / "bin/release", moved).stdout == "--- {}\n"


@pytest.mark.parametrize(
    "head",
    ["#!{}/bin/python3.13\n", "#!/bin/sh\n'''exec' {}/bin/python \"$0\" \"$@\"\n' '''\n"],
)
def test_scripts_find_the_interpreter_beside_them(tmp_path: Path, head: str) -> None:
    place = tmp_path / "place"
    folder = place / "bin"
    folder.mkdir(parents=True)
    script, other = folder / "tool", folder / "other"
    script.write_text(head.format(place) + "print(1)\n")
    script.chmod(0o755)
    other.write_bytes(b"\x7fELF\0\0\n")
    python = folder / "python3"
    python.write_text('#!/bin/sh\ntail -n 1 "$1"\nshift\necho "$@"\n')
    python.chmod(0o755)
    call = f'. "{BUILDPACK}/lib/move.sh"; make_movable "$0" "$0"'
    (place / "lib/python3.13/site-packages").mkdir(parents=True)
    subprocess.run(("bash", "-euo", "pipefail", "-c", call, place), check=True)
    assert other.read_bytes() == b"\x7fELF\0\0\n"
    assert not list(folder.glob("*.partial"))
    moved = place.rename(tmp_path / "mo ved")
    link = moved / "link"
    link.symlink_to("bin/tool")
    assert subprocess.check_output((link, "a b", "c"), text=True) == "print(1)\na b c\n"


BUILDS = st.tuples(
    st.tuples(st.just(3), st.integers(9, 11), st.integers(0, 11)),
    st.sampled_from(["20260101", "20261101"]),
    st.sampled_from([(2, 17), (2, 28), (2, 5), (2, 99)]),
    st.sampled_from([MACHINE, f"{MACHINE}_v3", "riscv64"]),
    st.sampled_from(["", "", "freethreaded"]),
)


@settings(max_examples=25)
@given(st.lists(BUILDS, max_size=8, unique=True), st.sampled_from(["", "3.1", "3.10", "3.10.1", "3.9"]))
@example(
    [((3, 10, 1), "20261101", (2, 28), MACHINE, ""), ((3, 10, 1), "20261101", (2, 17), MACHINE, "")], "3.10"
)
@example(
    [((3, 10, 5), "20261101", (2, 99), MACHINE, ""), ((3, 10, 1), "20261101", (2, 17), MACHINE, "")], "3.10"
)
def test_the_newest_for_the_oldest_glibc_is_chosen(
    tmp_path_factory: pytest.TempPathFactory,
    builds: list[tuple[tuple[int, int, int], str, tuple[int, int], str, str]],
    asked: str,
) -> None:
    folder = tmp_path_factory.mktemp("choice")
    wanted, lines = [], []
    for version, build, glibc, machine, variant in builds:
        text = ".".join(map(str, version))
        policy = "" if glibc == (2, 17) else "manylinux_{}_{}".format(*glibc)
        path = name(text, build, machine=machine, policy=policy, variant=variant)
        lines.append(f"{hashlib.sha256(path.encode()).hexdigest()}  {path}\n")
        runs = machine == MACHINE and not variant and (not GLIBC or glibc <= GLIBC)
        if runs and f"{text}.".startswith(f"{asked}." if asked else ""):
            wanted.append((version, (-glibc[0], -glibc[1]), int(build), path))
    (folder / "SHA256SUMS").write_text("".join(lines))
    if asked:
        (folder / ".python-version").write_text(asked)
    call = 'cd "$0"; . lib/common.sh; . lib/interpreter.sh; choose "$1"'
    env = {**os.environ, "MANYPYTHON_INDEX": str(folder)}
    argv = ("bash", "-euo", "pipefail", "-c", call, BUILDPACK, folder)
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
    if wanted:
        assert done.stdout.split()[4] == f"file://{folder}/{max(wanted)[-1]}", done.stderr
    else:
        assert f"for {HERE}.\n" in done.stderr


def test_the_version_is_ours() -> None:
    assert tomllib.loads((BUILDPACK / "buildpack.toml").read_text())["buildpack"]["version"] == __version__
