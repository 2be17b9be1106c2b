"""The real pyenv, and pipenv through it, with the definitions of a site."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from driving import Page, Served, attempt, clean, run

VERSION = "3.13.15"
"""The page's."""
BASE = "import ssl, sys; print(sys.base_prefix)"


@pytest.fixture
def pyenv() -> Path:
    """``bin`` of the pyenv of this machine; its folder of versions is not touched."""
    root = os.environ.get("PYENV_ROOT", "~/.pyenv")
    found = shutil.which("pyenv") or shutil.which("pyenv", path=Path(root, "bin").expanduser())
    if found is None:
        pytest.skip("there is no pyenv on PATH or in ~/.pyenv, and no package registry has it")
    return Path(found).parent


@pytest.fixture
def definition(served: Served) -> Path:
    path = served.folder / "python-build" / VERSION
    assert path.is_file(), "the newest 3.13 is another one: put it into docs/integrations/pyenv.md"
    return path


def test_the_page(
    served: Served, definition: Path, pyenv: Path, tool: Callable[..., Path], tmp_path: Path
) -> None:
    """pyenv downloads instead of compiling, and pipenv makes an environment of it."""
    home = tmp_path / "home"
    env = clean(home, pyenv, tool("pipenv>=2025"))
    (tmp_path / "Pipfile").write_text("[packages]\n")
    begun = time.monotonic()
    said = Page.of("pyenv").run(env, tmp_path, served)
    print(f"the page took {time.monotonic() - begun:.1f} s")
    assert said.count("Downloading python.tar.gz") == 1
    assert said.split("Available versions:")[1].split("+")[0].split() == [VERSION]
    base = f"{home}/.pyenv/versions/{VERSION}"
    assert run(env, f"{base}/bin/python", "-c", BASE) == f"{base}\n"
    assert run(env, "pipenv", "run", "python", "-c", BASE, cwd=tmp_path) == f"{base}\n"


@pytest.mark.slow
def test_pipenv_has_pyenv_install_it(
    definition: Path, pyenv: Path, tool: Callable[..., Path], tmp_path: Path
) -> None:
    env = clean(tmp_path / "home", pyenv, tool("pipenv>=2025"), PIPENV_YES="1")
    env["PYTHON_BUILD_DEFINITIONS"] = str(definition.parent)
    (tmp_path / "Pipfile").write_text("[packages]\n")
    begun = time.monotonic()
    run(env, "pipenv", "--python", "3.13", cwd=tmp_path)
    print(f"cold {time.monotonic() - begun:.1f} s")
    base = f"{tmp_path}/home/.pyenv/versions/{VERSION}"
    assert run(env, "pipenv", "run", "python", "-c", BASE, cwd=tmp_path) == f"{base}\n"


def test_a_site_may_be_a_folder(served: Served, definition: Path, pyenv: Path, tmp_path: Path) -> None:
    """Its definitions name the archives by ``file:`` URLs, as ``publish --base-url file:///`` writes them."""
    definitions = tmp_path / "definitions"
    definitions.mkdir()
    text = definition.read_text().replace(served.url, f"file://{served.folder}/")
    (definitions / VERSION).write_text(text)
    env = clean(tmp_path / "home", pyenv, PYTHON_BUILD_DEFINITIONS=str(definitions))
    run(env, "pyenv", "install", VERSION)
    done = attempt(env, "pyenv", "install", "-s", VERSION)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_a_changed_archive_is_refused(definition: Path, pyenv: Path, tmp_path: Path) -> None:
    definitions = tmp_path / "definitions"
    definitions.mkdir()
    (definitions / VERSION).write_text(definition.read_text().replace('" copy', '0" copy'))
    env = clean(tmp_path / "home", pyenv, PYTHON_BUILD_DEFINITIONS=str(definitions))
    done = attempt(env, "pyenv", "install", VERSION)
    assert done.returncode
    assert "checksum" in done.stderr
    assert not (tmp_path / "home/.pyenv/versions" / VERSION).exists()
