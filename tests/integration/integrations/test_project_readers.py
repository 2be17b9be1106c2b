"""Our readers against the tools themselves: what they make of the same files."""

from __future__ import annotations

import configparser
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from driving import clean, run

from manypython.projects import tox, wishes
from manypython.projects.wish import understood

INI = {
    "groups and ranges": """
[tox]
env_list =
    py{311-313}-{a,b}, lint
    py3{9,10}-django{41,42}{,-lts}
    py{39,310,311}-{x,y}, {py,pypy}310-z
    3.12, py3.13, 313t, py313t, 3.13t-x, python3.11, cpython-3.12-z, pypy-3.10-q, py31
    py-{a,b}, py3{13-11}
""",
    "open ranges": """
[tox]
envlist = py3{13-}, py3{-12}-old, py3{20-}-far, py3{-8}-far2, 3.{12-13}, py-django-4-2
""",
    "comments and continuations": """
[tox]
env_list =
    # py38
    py311,\\
    py312  # py39
    py313-a# x
    ; not py310
""",
    "conditions": """
[tox]
env_list = py311,py312-{a,b},lint,docs,types-x,none
[testenv]
basepython =
    lint: python3.12
    docs,types: python3.13
    py312-b: python3.12.5
    none: /usr/bin/python3
deps =
    a: x
    lint,docs: y
""",
    "negation": """
[tox]
env_list = one, two, three-four
[testenv]
base_python =
    !one-!three: python3.12
    {one,three}-!four: python3.13
    four: python3.11
""",
    "inheritance": """
[tox]
env_list = one, two, three, four
[base]
base_python = python3.12
[testenv]
base_python = python3.13
[testenv:one]
base = base
[testenv:two]
base = testenv:one
[testenv:three]
base_python = {[testenv:four]base_python}
[testenv:four]
base_python = {[base]base_python}
""",
    "sections": """
[tox]
env_list = py311
[testenv:py{312,313}-{x,y}]
commands = true
[testenv:docs]
basepython = python3.12, python3.11
[testenv:plain]
description = none
""",
    "conflicts": """
[tox]
env_list = py311, py312, 3.13-a, py313t
ignore_base_python_conflict = true
[testenv]
base_python = python3.12.4
""",
    "defaults": """
[tox]
env_list = py311, a, b
[testenv]
default_base_python = python3.13
[testenv:b]
base_python = pypy3.10
""",
    "older names": """
[DEFAULT]
x = 1
[tox]
envlist = {py311,py312}-{a,b}
ignore_basepython_conflict = 1
[testenv]
basepython = python3.12
[testenv:c]
""",
    "specifiers": """
[tox]
env_list = a, b, c
[testenv:a]
base_python = >=3.12
[testenv:b]
base_python = cpython3.13-64
[testenv:c]
base_python =
    python3.13t
    python3.13
""",
}
TOML = {
    "list": """
env_list = ["3.12", "py313-a", "lint", "pypy3.10"]
[env_run_base]
default_base_python = ["3.11"]
[env.lint]
base_python = ["python3.13", "python3.12"]
[env.docs]
base_python = "3.14"
[env."3.15"]
""",
    "products": """
ignore_base_python_conflict = true
env_list = [
  "lint",
  {product = [["py311", "py312"], ["a", "b"]], exclude = ["py311-b"]},
  {product = [{prefix = "py3", start = 12, stop = 13}, ["c"]]},
  {prefix = "3.", start = 14},
  {old = {prefix = "py3", stop = 11}},
  {named = ["py310-n", "m"]},
]
[env_run_base]
base_python = "3.13"
""",
    "bases": """
env_list = ["one", "two"]
[env_base.test]
factors = [["py312", "py313"], ["x", "y"]]
[env_base.lint]
factors = ["a", "b"]
base_python = "3.12"
[env.one]
base = ["two"]
[env.two]
base_python = "3.11"
""",
}
NOXFILE = """
import nox
from nox import parametrize, session

OLD = ["3.11"]
PYTHONS = [*OLD, "3.12", "3.13"]
NEWEST = PYTHONS[-1]
ALL = PYTHONS + ["3.14t", "pypy3.10"]

@nox.session(python=PYTHONS)
def listed(session): pass

@nox.session(py=NEWEST, reuse_venv=True)
def named(session): pass

@nox.session(python=False)
def here(session): pass

@nox.session
@nox.parametrize("python", ["3.12", nox.param("3.13.5", id="x")])
def parametrized(session): pass

@session
@parametrize("python,django", [("3.10", "4"), (NEWEST, "5")])
def paired(session, django): pass

@session(python=[each for each in ALL])
def again(session): pass

@session(python=("3.8", "python3.9"))
def old(session): pass

PROJECT = nox.project.load_toml("pyproject.toml")

@session(python=nox.project.python_versions(PROJECT))
def classified(session): pass

@session(python=nox.project.python_versions(nox.project.load_toml(), max_version="3.14", free_threaded=False))
def required(session): pass

@session(python=nox.project.python_versions(PROJECT, sort=False)[0])
def first(session): pass

@session(python=PROJECT["tool"]["own"]["python"])
def own(session): pass
"""
PYPROJECT = """
[project]
requires-python = ">=3.12"
classifiers = [
  "Programming Language :: Python :: 3",
  "Programming Language :: Python :: 3.14",
  "Programming Language :: Python :: 3.9",
  "Programming Language :: Python :: Free Threading :: 2 - Beta",
]
[tool.own]
python = "3.15"
"""


@pytest.fixture(scope="module")
def there(tool: Callable[..., Path]) -> Path:
    return tool("tox>=4.30,<5", "nox>=2025.5")


def of_tox(there: Path, folder: Path) -> dict[str, tuple[str, str]]:
    """Each environment that tox knows, and what it wants; one that takes tox's own has no wish."""
    parser = configparser.ConfigParser(interpolation=None)
    env = clean(folder / "home", there)
    parser.read_string(run(env, "tox", "config", "-q", "-e", "ALL", "-k", "base_python", cwd=folder))
    said = {
        section.removeprefix("testenv:"): parser[section]["base_python"].split()[0]
        for section in parser.sections()
        if section.startswith("testenv:")
    }
    return {name: understood(python) for name, python in said.items() if str(there) not in python}


def of_ours(path: Path) -> dict[str, tuple[str, str]]:
    return {
        name: (wish.request, wish.note)
        for wish in wishes(path)
        for name in wish.where.rpartition(": ")[2].split(", ")
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", [*INI, *TOML])
def test_tox_makes_the_same_of_it(
    name: str, there: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tox, "_NAMED", 10_000)
    path = tmp_path / ("tox.ini" if name in INI else "tox.toml")
    path.write_text((INI | TOML)[name])
    assert of_ours(path) == of_tox(there, tmp_path)


@pytest.mark.slow
def test_nox_makes_the_same_of_it(there: Path, tmp_path: Path) -> None:
    path = tmp_path / "noxfile.py"
    path.write_text(NOXFILE)
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    told = json.loads(run(clean(tmp_path / "home", there), "nox", "--list", "--json", cwd=tmp_path))
    real = {(f"session {each['name']}", *understood(each["python"])) for each in told if each["python"]}
    assert {(wish.where, wish.request, wish.note) for wish in wishes(path)} == real
