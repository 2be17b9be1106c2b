"""virtualenv finds interpreters of a site, by the commands of docs/integrations/virtualenv.md."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from driving import Page, Served, attempt, clean, run

VIRTUALENV = "virtualenv>=21,<22"
BASE = "import sys; print(sys.base_prefix, *sys.version_info[:2])"
pytestmark = pytest.mark.skipif(
    sys.version_info[:2] == (3, 13), reason="virtualenv finds the Python of the tests"
)


def failed(done: subprocess.CompletedProcess[str]) -> str:
    """The one line of ours in what a tool said that failed."""
    told = done.stdout + done.stderr
    (line,) = [line for line in told.splitlines() if "manypython: " in line]
    assert done.returncode != 0, told
    assert "Traceback" not in told, told
    assert "Retrying" not in told, told
    return line.partition("manypython: ")[2]


def test_the_page(served: Served, tool: Callable[..., Path], tmp_path: Path) -> None:
    env = clean(tmp_path / "home", tool(VIRTUALENV, "manypython"))
    page = Page.of("virtualenv")
    page.write(tmp_path, served)
    store = tmp_path / "home/.local/share/manypython/pythons"
    assert f"{store}/cpython-3.13." in page.run(env, tmp_path, served)
    for folder in (".venv", ".venv-by-file", ".venv-offline"):
        assert run(env, tmp_path / folder / "bin/python", "-c", BASE).endswith(" 3 13\n")


def test_without_us_it_finds_nothing(tool: Callable[..., Path], tmp_path: Path) -> None:
    env = clean(tmp_path / "home", tool(VIRTUALENV, "manypython"))
    done = attempt(env, "virtualenv", "-p", "3.13", tmp_path / "v")
    assert done.returncode != 0
    assert "failed to find interpreter" in done.stdout + done.stderr


def test_from_a_folder_of_the_index(served: Served, tool: Callable[..., Path], tmp_path: Path) -> None:
    env = clean(tmp_path / "home", tool(VIRTUALENV, "manypython"), VIRTUALENV_DISCOVERY="manypython")
    ours = ("--manypython-index", str(served.folder), "--manypython-trust", served.trust)
    run(env, "virtualenv", *ours, "-p", ">=3.12,<3.14", tmp_path / "v")
    assert run(env, tmp_path / "v/bin/python", "-c", BASE).endswith(" 3 13\n")


def test_what_the_machine_has_answers_and_nothing_is_fetched(
    tool: Callable[..., Path], tmp_path: Path
) -> None:
    """There is no index, and nobody complains."""
    env = clean(tmp_path / "home", tool(VIRTUALENV, "manypython"), VIRTUALENV_DISCOVERY="manypython")
    here = f"{sys.version_info[0]}.{sys.version_info[1]}"
    for number, words in enumerate([(), ("-p", here), ("-p", sys.executable)]):
        assert "manypython" not in run(env, "virtualenv", *words, tmp_path / f"{number}")
    done = attempt(env, "virtualenv", "-p", "pypy3.99", tmp_path / "v")
    assert "manypython: " not in done.stdout + done.stderr
    assert not (tmp_path / "home/.local/share/manypython").exists()
    assert "no index is set" in failed(attempt(env, "virtualenv", "-p", "3.13", tmp_path / "v"))
    preferring = attempt(env, "virtualenv", "--manypython-prefer", "-p", here, tmp_path / "v")
    assert preferring.returncode == 0, "what the machine has is better than nothing"
    assert "manypython: no index is set" in preferring.stdout


def test_ours_first(served: Served, tool: Callable[..., Path], tmp_path: Path) -> None:
    """Another store's 3.13 is on PATH, as it might be the machine's."""
    bin_ = tool(VIRTUALENV, "manypython")
    first = clean(tmp_path / "other", bin_, MANYPYTHON_INDEX=served.url, MANYPYTHON_TRUST=served.trust)
    python = Path(run(first, "manypython", "fetch", "3.13").strip())
    env = clean(
        tmp_path / "home", bin_, python.parent,
        VIRTUALENV_DISCOVERY="manypython", VIRTUALENV_MANYPYTHON_INDEX=served.url, MANYPYTHON_TRUST=served.trust,
    )  # fmt: skip
    for words, home in (((), "other"), (("--manypython-prefer",), "home")):
        run(env, "virtualenv", "-p", "3.13", *words, tmp_path / f"v-{home}")
        base = run(env, tmp_path / f"v-{home}/bin/python", "-c", BASE)
        assert base.startswith(f"{tmp_path / home}/.local/share/manypython/pythons/"), words


@pytest.mark.slow
def test_the_oldest_virtualenv(served: Served, tool: Callable[..., Path], tmp_path: Path) -> None:
    env = clean(
        tmp_path / "home", tool("virtualenv==20.24.7", "manypython"), VIRTUALENV_MANYPYTHON_INDEX=served.url
    )
    ours = ("--discovery", "manypython", "--manypython-trust", served.trust)
    run(env, "virtualenv", *ours, "-p", "3.13", tmp_path / "v")
    assert run(env, tmp_path / "v/bin/python", "-c", BASE).endswith(" 3 13\n")
