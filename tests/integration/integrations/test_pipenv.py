"""pipenv: the small pyenv, asked by pipenv itself."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from driving import Page, Served, attempt, clean, run

BASE = "import sys; print(sys.base_prefix)"


@dataclass(frozen=True)
class User:
    """A user who has pipenv and us, and the shim on PATH."""

    home: Path
    env: dict[str, str]
    folder: Path

    def pipenv(self, *words: str, fails: bool = False, **more: str) -> str:
        """What pipenv printed."""
        done = attempt({**self.env, **more}, "pipenv", *words, cwd=self.folder)
        assert bool(done.returncode) == fails, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return " ".join((done.stdout + done.stderr).split())

    def tree(self) -> list[str]:
        return sorted(str(path.relative_to(self.home)) for path in self.home.rglob("*"))


@pytest.fixture
def bin_with_pipenv(tool: Callable[..., Path]) -> Path:
    return tool("pipenv>=2025", "virtualenv-pyenv>=0.7,<1", "manypython")


@pytest.fixture
def user(served: Served, bin_with_pipenv: Path, tmp_path: Path) -> User:
    home, folder = tmp_path / "a home", tmp_path / "project"
    folder.mkdir()
    (folder / "Pipfile").write_text("[packages]\n")
    env = clean(
        home,
        home / ".local/bin",
        bin_with_pipenv,
        MANYPYTHON_INDEX=str(served.folder),
        MANYPYTHON_TRUST=served.trust,
        PIPENV_YES="1",
    )
    return User(home, env, folder)


def test_the_page(served: Served, bin_with_pipenv: Path, wheel: Path, tmp_path: Path) -> None:
    """It installs a package, runs it with our interpreter, and removes the shim again."""
    home = tmp_path / "home"
    page = Page.of("pipenv")
    page.write(tmp_path, served)
    said = page.run(clean(home, bin_with_pipenv, PIP_FIND_LINKS=str(wheel)), tmp_path, served)
    assert f"\nbase is {home}/.pyenv/versions/3.13." in said
    assert f"removed {home}/.local/bin/pyenv" in said
    assert not (home / ".pyenv").exists()


def test_an_interpreter_is_fetched_once(user: User, served: Served) -> None:
    run(user.env, "manypython", "pyenv-shim", "install")
    begun = time.monotonic()
    said = user.pipenv("--python", "3.13")
    print(f"cold {time.monotonic() - begun:.1f} s")
    assert "Installing CPython 3.13." in said
    assert f"is in {user.home}/.pyenv/versions/3.13." in said.replace("\n", "")
    base = Path(user.pipenv("run", "python", "-c", BASE))
    assert base.parent == user.home / ".pyenv/versions"
    assert base.resolve().parent == user.home / ".local/share/manypython/pythons"
    user.pipenv("--rm")
    begun = time.monotonic()
    again = user.pipenv("--python", "3.13", MANYPYTHON_INDEX="http://127.0.0.1:9/")
    print(f"warm {time.monotonic() - begun:.1f} s")
    assert "Installing" not in again
    run(user.env, "virtualenv", "--discovery", "pyenv", "-p", "3.13", user.home / "by virtualenv-pyenv")
    found = run(user.env, user.home / "by virtualenv-pyenv/bin/python", "-c", BASE).strip()
    assert Path(found).resolve() == base.resolve()
    base.unlink()
    user.pipenv("--rm")
    off = {"MANYPYTHON_OFFLINE": "1", "MANYPYTHON_INDEX": ""}
    assert "Installing CPython 3.13." in user.pipenv("--python", "3.13", fails=False, **off), (
        "the store's, with no index"
    )


def test_what_the_shim_answers(user: User) -> None:
    run(user.env, "manypython", "pyenv-shim", "install")
    listed = run(user.env, "pyenv", "install", "--list").split()
    version = listed[-1]
    assert listed[:2] == ["Available", "versions:"]
    assert version.startswith("3.13.")
    assert run(user.env, "pyenv", "install", "-l").split() == listed
    assert run(user.env, "pyenv", "versions", "--bare") == ""
    for request in (version, "3.13"):
        assert f"Python {version} is in " in run(user.env, "pyenv", "install", "-s", request)
    link = f"{user.home}/.pyenv/versions/{version}"
    assert run(user.env, "pyenv", "versions") == f"  {version}\n"
    assert run(user.env, "pyenv", "versions", "--bare") == f"{version}\n"
    assert run(user.env, "pyenv", "prefix", version) == f"{link}\n"
    assert run(user.env, "pyenv", "root") == f"{user.home}/.pyenv\n"
    assert run(user.env, "pyenv", "--version").startswith("pyenv ")
    assert run(user.env, f"{link}/bin/python", "-c", BASE) == f"{link}\n"
    for words in (("which", "python"), ("prefix", "3.1.0"), ("install", "-s", "pypy3.10"), ("install",), ()):
        done = attempt(user.env, "pyenv", *words)
        assert done.returncode, words
        assert done.stderr.startswith("error: pyenv: "), done.stderr


def test_it_is_removed_without_a_trace(user: User) -> None:
    run(user.env, "manypython", "fetch", "3.13")
    before = user.tree()
    assert "would write" in run(user.env, "manypython", "pyenv-shim", "install", "--dry-run")
    assert user.tree() == before
    for _ in range(2):
        run(user.env, "manypython", "pyenv-shim", "install")
    run(user.env, "pyenv", "install", "3.13")
    run(user.env, "manypython", "pyenv-shim", "remove")
    assert set(user.tree()) - set(before) <= {".local/bin"}
    done = attempt(user.env, "manypython", "pyenv-shim", "remove")
    assert done.returncode == 2
    assert "is not the shim's" in done.stderr


def test_what_fails_says_why_in_pipenv(user: User) -> None:
    run(user.env, "manypython", "pyenv-shim", "install")
    said = user.pipenv("--python", "3.13.99", fails=True)
    assert "Something went wrong... error: the index has no 3.13.99; on offer: 3.13." in said
    said = user.pipenv("--python", "3.13", fails=True, MANYPYTHON_INDEX="", MANYPYTHON_TRUST="")
    assert "error: no index is set remedy: name a site with MANYPYTHON_INDEX URL" in said
    said = user.pipenv("--python", "3.13", fails=True, MANYPYTHON_INDEX="http://127.0.0.1:9/")
    assert "error: http://127.0.0.1:9/" in said
    script = user.home / ".local/bin/pyenv"
    script.write_text(script.read_text().replace("python=", "python=/gone"))
    said = user.pipenv("--python", "3.13", fails=True)
    assert "is gone; run again: manypython pyenv-shim install" in said


def test_without_the_shim_pipenv_gives_up(user: User) -> None:
    """The tests before this one can fail."""
    if sys.version_info[:2] == (3, 13):
        pytest.skip("these tests run on Python 3.13, which pipenv finds")
    assert "Neither 'pyenv' nor 'asdf' could be found" in user.pipenv("--python", "3.13", fails=True)
