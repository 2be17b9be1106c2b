"""``manypython doctor`` on the project of its page, against a real site."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from driving import DOCS, Page, Served, attempt, clean, run

PAGE = Page(DOCS / "doctor.md")


@pytest.fixture
def env(tool: Callable[..., Path], tmp_path: Path) -> dict[str, str]:
    """A new user, who has manypython from its wheel and nothing that only making needs."""
    return clean(tmp_path / "home", tool("manypython"))


def states(told: Any) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for each in told["wishes"]:
        found.setdefault(each["state"], set()).add(f"{each['file']}:{each['line']}")
    return found


def test_its_page(served: Served, env: dict[str, str], tmp_path: Path) -> None:
    folder = tmp_path / "project"
    PAGE.write(folder, served)
    told = run(env, "manypython", "doctor", cwd=folder)
    shown = PAGE.path.read_text().partition("$ manypython doctor\npyproject")[2].partition("\n\n")[0]
    assert told.partition("\n\n")[0] == f"pyproject{shown}"
    cold = json.loads(run(env, "manypython", "doctor", "--json", cwd=folder))
    wanted = {"pyproject.toml:4", "tox.ini:3", "tox.ini:5", "noxfile.py:4", "Pipfile:2", ".python-version:1"}
    assert states(cold) == {"fetched": wanted, "not ours": {"tox.ini:3"}}
    python = run(env, "manypython", "fetch", "3.13", cwd=folder).strip()
    PAGE.run(env, folder, served)
    warm = json.loads(run(env, "manypython", "doctor", "--json", cwd=folder))
    assert states(warm) == {"here": wanted, "not ours": {"tox.ini:3"}}
    assert {each["python"] for each in warm["wishes"]} == {python, None}


def test_what_is_in_the_way_is_said(served: Served, env: dict[str, str], tmp_path: Path) -> None:
    folder = tmp_path / "project"
    PAGE.write(folder, served)
    down = attempt(
        env, "manypython", "doctor", "--index", "http://127.0.0.1:1/", "--allow-unsigned", cwd=folder
    )
    assert down.returncode == 17
    assert "3.13    not here, and what the index has is not known" in down.stdout
    line = next(line for line in down.stdout.splitlines() if line.startswith("index "))
    assert line.startswith("index    http://127.0.0.1:1/")
    assert "Connection refused" in line
    (folder / "noxfile.py").write_text("import nox\ndef tests(:\n")
    broken = attempt(env, "manypython", "doctor", cwd=folder)
    assert broken.returncode == 17
    assert "noxfile.py: line 2: no Python: invalid syntax" in broken.stdout
    assert "tox.ini:3          env_list: py313-unit, py313-slow  3.13     would be fetched" in broken.stdout
    assert (broken.stderr, down.stderr) == ("", "")
