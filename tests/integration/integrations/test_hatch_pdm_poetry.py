"""hatch, pdm and poetry find what ``--store uv`` made: each page as it stands, from a server and from a folder."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from driving import Page, Served, attempt, clean, run

pytestmark = pytest.mark.slow
HERE = "import cowsay, sys; print('base is', sys.base_prefix)"
CLOSED = {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
"""Nobody listens there: no tool gets an interpreter of its own."""


@dataclass(frozen=True)
class Tool:
    """One of the three, and its real job."""

    name: str
    requirement: str
    job: tuple[str, ...]
    """Makes the project's environment."""
    python: tuple[str, ...]
    """Runs the environment's interpreter."""
    missing: str
    """What is said where there is no 3.13."""


TOOLS = [
    Tool("hatch", "hatch>=1.16,<2", ("hatch", "env", "create"), ("hatch", "run", "python"), "ConnectError"),
    Tool(
        "pdm",
        "pdm[locked]>=2.29,<3",
        ("pdm", "install"),
        ("pdm", "run", "python"),
        "Can't resolve python interpreter",
    ),
    Tool(
        "poetry",
        "poetry>=2.5,<3",
        ("poetry", "install"),
        ("poetry", "run", "python"),
        "Poetry was unable to find a compatible version",
    ),
]
each_tool = pytest.mark.parametrize("it", TOOLS, ids=[each.name for each in TOOLS])


@pytest.fixture(scope="module")
def dependency(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of what the projects depend on."""
    folder = tmp_path_factory.mktemp("dependency")
    argv = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, "cowsay")
    subprocess.run(argv, check=True)
    return next(folder.glob("*.whl"))


@pytest.fixture
def project(it: Tool, served: Served, dependency: Path, tmp_path: Path) -> Path:
    """The page's project."""
    folder = tmp_path / "project"
    Page.of(it.name).write(folder, served)
    if it.name == "poetry":  # it asks for PyPI's own JSON, which a mirror of PyPI may not have
        path = folder / "pyproject.toml"
        path.write_text(path.read_text().replace('"cowsay"', f'"cowsay @ {dependency.as_uri()}"'))
    return folder


def bases(home: Path) -> tuple[str, ...]:
    """Where the environment's interpreter may come from: uv's folder, and what its links lead to."""
    return tuple(f"base is {home}/.local/share/{each}/" for each in ("uv/python", "manypython/pythons"))


@each_tool
def test_the_page(it: Tool, project: Path, served: Served, tool: Callable[..., Path], tmp_path: Path) -> None:
    env = clean(tmp_path / "home", tool(it.requirement, "manypython"))
    assert "| hello |" in Page.of(it.name).run(env, project, served)
    assert run(env, *it.python, "-c", HERE, cwd=project).startswith(bases(tmp_path / "home"))


@each_tool
def test_from_a_folder(
    it: Tool, project: Path, served: Served, tool: Callable[..., Path], tmp_path: Path
) -> None:
    env = clean(tmp_path / "home", tool(it.requirement, "manypython"))
    run(
        env, "manypython", "fetch", "3.13", "--store", "uv", "--index", served.folder, "--trust", served.trust
    )
    run(env, *it.job, cwd=project)
    assert run(env, *it.python, "-c", HERE, cwd=project).startswith(bases(tmp_path / "home"))


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="these tests run on a Python that would be found")
@each_tool
def test_nothing_is_found_without_it(
    it: Tool, project: Path, tool: Callable[..., Path], tmp_path: Path
) -> None:
    done = attempt(clean(tmp_path / "home", tool(it.requirement), **CLOSED), *it.job, cwd=project)
    assert done.returncode != 0
    assert it.missing in done.stdout + done.stderr
    assert it.missing in Page.of(it.name).path.read_text()


def test_hatch_downloads_what_the_sites_variables_say(
    served: Served, tool: Callable[..., Path], tmp_path: Path
) -> None:
    page = Page.of("hatch")
    page.write(tmp_path, served)
    env = clean(tmp_path / "home", tool("hatch>=1.16,<2"))
    assert "| hello |" in page.run(env, tmp_path, served, only="hatch.env")
    said = run(env, "hatch", "run", "python", "-c", HERE, cwd=tmp_path)
    assert said.startswith(f"base is {tmp_path}/home/.local/share/hatch/env/virtual/.pythons/3.13/")
