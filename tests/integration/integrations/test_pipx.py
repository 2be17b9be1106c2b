"""Applications by pipx on an interpreter of the site."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from driving import Page, Served, attempt, clean, run

pytestmark = pytest.mark.slow
PAGE = Page.of("pipx")
PIPX = "pipx>=1.18,<2"


def base(home: Path, application: str) -> str:
    """The folder of the interpreter that an application was installed with."""
    told = (home / f".local/share/pipx/venvs/{application}/pyvenv.cfg").read_text()
    return next(line.removeprefix("home = ") for line in told.splitlines() if line.startswith("home = "))


@pytest.mark.parametrize("place", ["url", "folder"])
def test_an_application_on_a_fetched_interpreter(
    place: str, served: Served, tool: Callable[..., Path], tmp_path: Path
) -> None:
    home = tmp_path / "home"
    env = clean(home, tool(PIPX, "manypython"))
    PAGE.run(env, tmp_path, replace(served, url=str(getattr(served, place))), only="manypython fetch")
    assert base(home, "cowsay").startswith(f"{home}/.local/share/manypython/pythons/cpython-3.13.")
    assert "| hello |" in run(env, home / ".local/bin/cowsay", "-t", "hello")


def test_pipx_downloads_what_the_sites_list_says(
    served: Served, tool: Callable[..., Path], tmp_path: Path
) -> None:
    home = tmp_path / "home"
    env = clean(home, tool(PIPX))
    assert "(standalone)" in PAGE.run(env, tmp_path, served, only="pipx/index.json")
    assert base(home, "pycowsay") == f"{home}/.local/share/pipx/py/3.13/bin"
    assert "< hello >" in run(env, home / ".local/bin/pycowsay", "hello")


def test_a_version_that_the_site_has_not(served: Served, tool: Callable[..., Path], tmp_path: Path) -> None:
    """pipx is not even started, for it would take another interpreter."""
    env = clean(tmp_path / "home", tool(PIPX, "manypython"))
    command = next(each for each in PAGE.commands() if "manypython fetch" in each)
    done = attempt(env, "bash", "-c", served.here(command).replace("3.13", "3.9"))
    assert done.returncode != 0
    assert "error: the index has no 3.9; on offer: 3.13." in done.stderr
    assert "remedy: " in done.stderr
    assert not (tmp_path / "home/.local/share/pipx").exists()
