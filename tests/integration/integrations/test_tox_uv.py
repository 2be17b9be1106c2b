"""tox with tox-uv, both of PyPI, with our list."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from driving import Page, Served, attempt, clean, run

pytestmark = pytest.mark.skipif(
    sys.version_info[:2] == (3, 13), reason="these tests run on Python 3.13, which tox-uv finds"
)
PAGE = Page.of("tox-uv")
TOX = ("tox", "run", "-e", "py313")


@pytest.fixture
def tox(tool: Callable[..., Path]) -> Path:
    return tool("tox>=4.30,<5", "tox-uv>=1.28,<2")


def written(served: Served, folder: Path) -> Path:
    """The page's ``tox.ini``; its last line is the one that names the site."""
    PAGE.write(folder, served)
    return folder / "tox.ini"


def test_the_page(served: Served, tox: Path, tmp_path: Path) -> None:
    written(served, tmp_path)
    base = f"base is {tmp_path}/home/.local/share/uv/python/cpython-3.13-linux-"
    env = clean(tmp_path / "home", tox)
    assert base in run(env, *TOX, cwd=tmp_path), "tox.ini alone"
    assert base in PAGE.run({**env, "UV_OFFLINE": "1"}, tmp_path, served)


def test_pyproject_says_where_from_and_without_it_there_is_none(
    served: Served, tox: Path, tmp_path: Path
) -> None:
    config = written(served, tmp_path)
    config.write_text(
        "".join(line for line in config.read_text().splitlines(keepends=True) if "UV_" not in line)
    )
    env = clean(tmp_path / "home", tox)
    done = attempt({**env, "UV_OFFLINE": "1"}, *TOX, cwd=tmp_path)
    assert done.returncode != 0
    (tmp_path / "pyproject.toml").write_text(
        f'[tool.uv]\npython-downloads-json-url = "{served.url}uv/downloads.json"\n'
    )
    assert f"base is {tmp_path}/home/.local/share/uv/python/cpython-3.13-linux-" in run(
        env, *TOX, cwd=tmp_path
    )
    done = attempt(env, "tox", "run", "-e", "py310", cwd=tmp_path)
    assert done.returncode != 0
    assert "No interpreter found for CPython 3.10" in done.stdout + done.stderr
