"""nox: sessions that name an interpreter of ours, and sessions that do not."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from builds import Made
from driving import Page, Served, attempt, clean

OURS = ".local/share/manypython/pythons"


@dataclass(frozen=True)
class Project:
    """The page's noxfile, and a user who has nox and us."""

    folder: Path
    env: dict[str, str]
    home: Path

    def nox(self, *words: str, fails: bool = False, **more: str) -> str:
        """What nox said and its sessions printed."""
        done = attempt({**self.env, **more}, "nox", *words, cwd=self.folder)
        assert bool(done.returncode) == fails, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr

    @property
    def store(self) -> Path:
        return self.home / OURS


@pytest.fixture
def bin_with_nox(tool: Callable[..., Path]) -> Path:
    return tool("nox>=2025.5", "virtualenv>=20.35", "uv>=0.9,<1", "manypython")


@pytest.fixture
def project(served: Served, bin_with_nox: Path, tmp_path: Path) -> Project:
    folder, home = tmp_path / "project", tmp_path / "home"
    folder.mkdir()
    Page.of("nox").write(folder, served)
    told = {"MANYPYTHON_INDEX": served.url, "MANYPYTHON_TRUST": served.trust}
    return Project(folder, clean(home, bin_with_nox, **told), home)


def test_the_page(served: Served, bin_with_nox: Path, wheel: Path, tmp_path: Path) -> None:
    page, home = Page.of("nox"), tmp_path / "home"
    page.write(tmp_path, served)
    said = page.run(clean(home, bin_with_nox, PIP_FIND_LINKS=str(wheel)), tmp_path, served)
    bases = [line for line in said.splitlines() if line.startswith("base is ")]
    assert [line.removeprefix(f"base is {home}/.local/share/").split("/")[0] for line in bases] == [
        "manypython",
        "uv",
        "uv",
    ]


def test_an_interpreter_is_fetched_when_a_session_runs(project: Project) -> None:
    assert "* tests-3.13\n" in project.nox("-l")
    listed = project.nox("--list", "--json").splitlines()[0]
    assert [each["python"] for each in json.loads(listed)] == ["3.13", "3.13", None]
    project.nox("-s", "lint")
    assert not project.store.exists()
    begun = time.monotonic()
    cold = project.nox("-s", "tests-3.13")
    print(f"cold {time.monotonic() - begun:.1f} s")
    assert f"base is {project.store}/cpython-3.13" in cold
    begun = time.monotonic()
    warm = project.nox("-p", "3.13", "-k", "tests")
    print(f"warm {time.monotonic() - begun:.1f} s")
    assert f"base is {project.store}/cpython-3.13" in warm


def test_what_is_here_is_used_and_reused(project: Project, served: Served) -> None:
    project.nox("-s", "tests", MANYPYTHON_INDEX=str(served.folder))
    off = {"MANYPYTHON_INDEX": str(served.folder), "NOX_DOWNLOAD_PYTHON": "never"}
    assert f"base is {project.store}/" in project.nox("-s", "tests", fails=False, **off)
    shutil.rmtree(project.store / ".locks")
    reused = project.nox("-r", "-s", "tests-3.13", MANYPYTHON_INDEX="http://127.0.0.1:9/")
    assert "Reusing existing virtual environment" in reused
    assert f"base is {project.store}/" in reused
    assert not (project.store / ".locks").exists(), "nothing was asked for"


@pytest.mark.parametrize(
    "words", [("-fb", "venv"), ("-fb", "uv", "--download-python", "always"), ("-j2", "--allow-parallel")]
)
def test_every_backend_takes_ours(project: Project, words: tuple[str, ...]) -> None:
    said = project.nox(*words, "-s", "tests-3.13")
    assert f"base is {project.store}/" in said


def test_another_interpreter_on_the_path_is_not_taken(project: Project, made: Made, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(made.tree, other, symlinks=True)
    path = {"PATH": f"{other}/bin:{project.env['PATH']}"}
    path["PATH"] = f"{project.env['PATH'].split(':')[0]}:{path['PATH']}"
    said = project.nox("-s", "plain", "tests", fails=False, **path)
    bases = [line for line in said.splitlines() if line.startswith("base is ")]
    assert bases[0] == f"base is {other}"
    assert bases[1].startswith(f"base is {project.store}/")


def test_what_cannot_be_had_fails_its_session_alone(project: Project) -> None:
    (project.folder / "noxfile.py").write_text(
        "import nox\nfrom manypython.integrations.nox import interpreter\n"
        "@nox.session(python=[interpreter('3.9'), interpreter('3.13')])\n"
        "def here(session):\n    pass\n"
    )
    said = project.nox("-s", "here", fails=True)
    assert "nox > the index has no 3.9; on offer: 3.13" in said
    assert "(manypython list --available shows all)" in said
    assert "nox > * here-3.9: failed" in said
    assert "nox > * here-3.13: success" in said
    new = {"HOME": str(project.home.with_name("new"))}
    assert "MANYPYTHON_TRUST sha256:HEX" in project.nox(
        "-s", "here-3.13", fails=True, MANYPYTHON_TRUST="", **new
    )
    assert "MANYPYTHON_OFFLINE is set" in project.nox(
        "-s", "here-3.13", "--download-python", "never", fails=True, **new
    )
    gone = project.nox("-s", "here-3.13", fails=True, MANYPYTHON_INDEX="http://127.0.0.1:9/", **new)
    assert "nox > http://127.0.0.1:9/metadata/1.root.json: Failed to establish a new connection" in gone


def test_settings_of_the_noxfile(project: Project, served: Served) -> None:
    (project.folder / "noxfile.py").write_text(
        "import nox\nfrom manypython.integrations.nox import interpreter\n"
        f"@nox.session(py=interpreter('cp313', index={str(served.folder)!r}, trust={served.trust!r}))\n"
        "def here(session):\n    session.run('python', '-c', 'import sys; print(sys.base_prefix)')\n"
    )
    said = project.nox("-s", "here-cp313", MANYPYTHON_INDEX="", MANYPYTHON_TRUST="")
    assert f"\n{project.store}/" in f"\n{said}"


@pytest.mark.slow
def test_nox_installs_what_the_noxfile_needs(
    project: Project, tool: Callable[..., Path], wheel: Path
) -> None:
    """nox alone, as pipx has it: the noxfile's first lines bring us."""
    alone = tool("nox>=2025.5", "virtualenv>=20.35")
    path = ":".join((str(alone), *project.env["PATH"].split(":")[1:]))
    said = project.nox("-f", "script/noxfile.py", PATH=path, PIP_FIND_LINKS=str(wheel))
    assert f"base is {project.store}/" in said


def test_without_us_nox_finds_nothing(project: Project) -> None:
    """The tests before this one can fail."""
    if sys.version_info[:2] == (3, 13):
        pytest.skip("these tests run on Python 3.13, which nox finds")
    said = project.nox("-s", "plain", fails=True, NOX_DOWNLOAD_PYTHON="never", CI="1")
    assert "Python interpreter 3.13 not found" in said


def test_a_mistake_is_told_where_it_is_made(project: Project) -> None:
    told = "from manypython.integrations.nox import interpreter; interpreter('3.13', idnex='x')"
    done = attempt(project.env, "python", "-c", told)
    assert done.stderr.splitlines()[-1] == "TypeError: got an unexpected keyword argument 'idnex'"
    told = "import nox.virtualenv as v; del v.VirtualEnv._resolved_interpreter; import manypython.integrations.nox"
    done = attempt(project.env, "python", "-c", told)
    assert done.stderr.splitlines()[-1].startswith("ImportError: this nox is not known to manypython; use ")
