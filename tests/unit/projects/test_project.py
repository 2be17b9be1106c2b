from __future__ import annotations

import contextlib
import json
import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manypython.model.errors import UsageError
from manypython.model.identifier import Spec
from manypython.model.request import NOT_CPYTHON
from manypython.projects import KNOWN, Wish, project, tox_requires, wishes
from manypython.projects.factors import MOST, expand
from manypython.projects.wish import NOT_UNDERSTOOD, UNKNOWN, understood

MACHINE = os.uname().machine
OTHER = "aarch64" if MACHINE == "x86_64" else "x86_64"


def read(folder: Path, name: str, text: str) -> list[tuple[int, str, str]]:
    """Line, place, and the request or why there is none."""
    (folder / name).write_text(text)
    return [(each.line, each.where, each.request or each.note) for each in wishes(folder / name)]


@pytest.mark.parametrize(
    ("said", "request_"),
    {
        "3.13": "3.13", "313": "3.13", "3": "3", "3.13.5": "3.13.5", "3.15.0rc1": "3.15.0rc1",
        "py313": "3.13", "py3.13": "3.13", "python3.13": "3.13", "python-3.13.5": "3.13.5", "cp313": "3.13",
        "cpython-3.13.2": "3.13.2", "cpython@3.13": "3.13", "3.13t": "3.13t", "313t": "3.13t",
        "py313t": "3.13t", "3.13+freethreaded": "3.13t", "3.13-64": "3.13", " 3.13 ": "3.13",
        f"cpython-3.13.2-linux-{MACHINE}-gnu": "3.13.2", f"cpython3.13-64-{MACHINE}": "3.13",
        ">=3.12,<3.14": ">=3.12,<3.14", "cpython>=3.12": ">=3.12", "~=3.12": "~=3.12", "==3.13.*": "==3.13.*",
        "": "", "python": "", "py27": "", "2.7": "", "py3.130": "", "pypy3.11": "", "graalpy-24": "",
        "/usr/bin/python3": "", "../python": "", "system": "", "3.13d": "", "3.14-dev": "", "3.13-32": "",
        f"3.13-{OTHER}": "", f"cpython-3.13-linux-{OTHER}-gnu": "", "3.13-musl": "", "ruby3.13": "",
        "myenv": "", ">=nonsense": "", "{posargs}": "", "${PYTHON}": "", "3.13\n3.12": "", "٣.١٣": "",
    }.items(),
)  # fmt: skip
def test_what_is_said_is_a_request_or_has_a_reason(said: str, request_: str) -> None:
    found, why = understood(said)
    assert found == request_
    assert bool(why) is not bool(found)
    if found:
        Spec.parse(found)


@given(st.text(max_size=40) | st.from_regex(r"[a-z]{0,8}[-@]?[0-9.]{1,8}[td]?(-[a-z0-9_]+)?", fullmatch=True))
def test_every_request_is_one_that_fetch_takes(said: str) -> None:
    found, why = understood(said)
    assert bool(why) is not bool(found)
    if found:
        Spec.parse(found)


def test_lines_that_name_versions(tmp_path: Path) -> None:
    text = "# ours\n\n3.13.5 # exact\ncpython-3.12\npypy3.10-7.3.12\nsystem\n3.13t\n"
    assert read(tmp_path, ".python-version", text) == [
        (3, "", "3.13.5"),
        (4, "", "3.12"),
        (5, "", NOT_CPYTHON),
        (6, "", "this machine's own: not ours"),
        (7, "", "3.13t"),
    ]
    assert read(tmp_path, "runtime.txt", "python-3.13.5\n") == [(1, "", "3.13.5")]
    text = "nodejs 22\npython 3.13.5 3.12 latest latest:3.11 # x\n"
    assert read(tmp_path, ".tool-versions", text) == [
        (2, "python", request) for request in ("3.13.5", "3.12", "3", "3.11")
    ]


@pytest.mark.parametrize("name", [".python-version", ".python-versions", "runtime.txt"])
def test_a_line_that_begins_with_an_operator_is_one_request(name: str, tmp_path: Path) -> None:
    text = ">=3.11, <3.13\n>= 3.13  # newer\npython >= 3.12\n>=3.11 <3.13\n>=3.11, soon\n3.12 3.13\npython 3.13\n"
    assert read(tmp_path, name, text) == [
        (1, "", ">=3.11,<3.13"),
        (2, "", ">=3.13"),
        (3, "", ">=3.12"),
        (4, "", ">=3.11,<3.13"),
        (5, "", NOT_UNDERSTOOD),
        (6, "", "3.12"),
        (7, "", "3.13"),
    ]


def test_specifiers_are_one_request_in_every_file(tmp_path: Path) -> None:
    """Each of these was cut at a blank or a comma once, and asked for something else."""
    wanted = ">=3.11,<3.13"
    for name, text in {
        ".tool-versions": "python >= 3.11, < 3.13\n",
        "mise.toml": "[tools]\npython = '>= 3.11, < 3.13'\n",
        "hatch.toml": "[envs.x]\npython = '>=3.11, <3.13'\n",
        "setup.cfg": "[options]\npython_requires =\n  >=3.11,\n  <3.13\n",
        "tox.ini": "[tox]\nenv_list = a, b\n[testenv]\nbase_python =\n  >=3.11, <3.13\n  python3.10\n",
        "tox.toml": "env_list = ['a']\n[env_run_base]\nbase_python = '>=3.11, <3.13'\n",
        "Pipfile": "[requires]\npython_version = '>=3.11, <3.13'\n",
        ".pre-commit-config.yaml": "default_language_version:\n  python: '>=3.11, <3.13' # x\n",
        "noxfile.py": "@nox.session(python='>=3.11, <3.13')\ndef x(session): ...\n",
        "pyproject.toml": "[project]\nrequires-python = '>= 3.11, < 3.13'\n",
    }.items():
        assert [each[2] for each in read(tmp_path, name, text)] == [wanted], name


def test_a_number_without_quotes_keeps_its_last_zero(tmp_path: Path) -> None:
    assert read(tmp_path, "mise.toml", "[tools]\npython = 3.10\n") == [(2, "tools.python", "3.10")]
    assert read(tmp_path, "Pipfile", "[requires]\npython_version = 3.10\n") == [(2, "python_version", "3.10")]


def test_what_tox_has_in_one_line_of_an_ini_file_it_separates_at_commas(tmp_path: Path) -> None:
    text = "[tox]\nenv_list = a\n[testenv]\nbase_python =\n  a: python3.12, python3.13\n  b: python3.10\n"
    assert [each[2] for each in read(tmp_path, "tox.ini", text)] == ["3.12"]


def test_the_hooks_of_pre_commit(tmp_path: Path) -> None:
    text = """\
default_language_version:
  node: 22.1.0
  python: python3.13  # all
repos:
- repo: local
  hooks:
  - id: a
    language_version: 'python3.12'
  - language_version: 3.11
    python: python3.9
  - language_version: python3
  - language_version: pypy3
"""
    assert read(tmp_path, ".pre-commit-config.yaml", text) == [
        (3, "default_language_version.python", "3.13"),
        (8, "language_version", "3.12"),
        (11, "language_version", "3"),
        (12, "language_version", NOT_CPYTHON),
    ]


def test_tables_of_tools(tmp_path: Path) -> None:
    text = '[packages]\n[requires]\npython_version = "3.13"\n'
    assert read(tmp_path, "Pipfile", text) == [(3, "python_version", "3.13")]
    text += 'python_full_version = "3.13.5"\n'
    assert read(tmp_path, "Pipfile", text) == [(4, "python_full_version", "3.13.5")]
    assert read(tmp_path, "Pipfile", "[packages]\n") == []
    text = '[tools]\nnode = "22"\npython = ["3.13", {version = "prefix:3.12"}, "latest"]\n'
    assert read(tmp_path, "mise.toml", text) == [(3, "tools.python", each) for each in ("3.13", "3.12", "3")]
    assert read(tmp_path, ".mise.toml", '[tools]\npython = "3.11"\n') == [(2, "tools.python", "3.11")]
    text = '[envs.test]\npython = "3.13"\n[[envs.test.matrix]]\npython = ["3.12", "pypy3.10"]\nx = ["1"]\n'
    assert read(tmp_path, "hatch.toml", text) == [
        (2, "envs.test.python", "3.13"),
        (4, "envs.test.matrix.python", "3.12"),
        (4, "envs.test.matrix.python", NOT_CPYTHON),
    ]


def test_pyproject(tmp_path: Path) -> None:
    text = """\
[project]
requires-python = ">= 3.11"
[tool.poetry.dependencies]
python = "^3.12"
[tool.hatch.envs.lint]
python = "3.13"
[tool.tox]
env_list = ["3.13t"]
"""
    assert read(tmp_path, "pyproject.toml", text) == [
        (2, "requires-python", ">=3.11"),
        (4, "tool.poetry.dependencies.python", ">=3.12,<4"),
        (6, "tool.hatch.envs.lint.python", "3.13"),
        (8, "env_list: 3.13t", "3.13t"),
    ]
    text = '[tool.tox]\nlegacy_tox_ini = """\n[tox]\nenvlist = py{312,313}\n"""\n'
    assert [each[1:] for each in read(tmp_path, "pyproject.toml", text)] == [
        ("env_list: py312", "3.12"),
        ("env_list: py313", "3.13"),
    ]


@pytest.mark.parametrize(
    ("said", "request_"),
    {
        "^3.12": ">=3.12,<4", "^3.12.1": ">=3.12.1,<4", "^3": ">=3,<4", "~3.12": ">=3.12,<3.13",
        "~3.12.4": ">=3.12.4,<3.13", "~3": ">=3,<4", "3.12": "==3.12.*", "3.12.*": "==3.12.*",
        "3.12.4": "==3.12.4", "*": ">=3", ">=3.9,<3.13": ">=3.9,<3.13", ">=3.9 <3.13": ">=3.9,<3.13",
        ">= 3.9, !=3.9.1": ">=3.9,!=3.9.1", "^2.7 || ^3.6": ">=3.6,<4", "~=3.12": "~=3.12",
        "nonsense": NOT_UNDERSTOOD, "^x": NOT_UNDERSTOOD, "": NOT_UNDERSTOOD,
    }.items(),
)  # fmt: skip
def test_constraints_of_poetry(said: str, request_: str, tmp_path: Path) -> None:
    text = f'[tool.poetry.dependencies]\npython = "{said}"\n'
    assert read(tmp_path, "pyproject.toml", text) == [(2, "tool.poetry.dependencies.python", request_)]


def test_tox_says_where(tmp_path: Path) -> None:
    text = """\
[tox]
# first
env_list = py313-{a,b,c,d}, lint
[testenv]
[testenv:lint]
base_python = python3.12
[testenv:py311-docs]
commands = true
"""
    assert read(tmp_path, "tox.ini", text) == [
        (3, "env_list: py313-a, py313-b, py313-c and 1 more", "3.13"),
        (6, "[testenv:lint] base_python: lint", "3.12"),
        (7, "[testenv:py311-docs]: py311-docs", "3.11"),
    ]


def test_conditions_references_and_bases_of_tox(tmp_path: Path) -> None:
    text = """\
[tox]
env_list = py{311-312}-{a,b}, lint, types, docs
[testenv]
base_python =
    b: python3.12.5
    lint,types: python3.13
    !lint-!types: python3.11
[testenv:docs]
base = none
base_python = {[testenv:news]base_python}  # the same
[testenv:news]
base_python = python3.14
"""
    assert read(tmp_path, "tox.ini", text) == [
        (4, "[testenv] base_python: py311-a", "3.11"),
        (2, "env_list: py311-b", "3.11"),
        (2, "env_list: py312-a", "3.12"),
        (4, "[testenv] base_python: py312-b", "3.12.5"),
        (4, "[testenv] base_python: lint, types", "3.13"),
        (10, "[testenv:docs] base_python: docs", "3.14"),
        (12, "[testenv:news] base_python: news", "3.14"),
    ]


def test_what_tox_alone_knows_is_said_to_be_so(tmp_path: Path) -> None:
    text = "[tox]\nenv_list = {env:TOXENVS}\n  py313\n[testenv:x]\nbase_python = {env:PYTHON}\n"
    assert read(tmp_path, "tox.ini", text) == [
        (2, "env_list: py313", "3.13"),
        (5, "[testenv:x] base_python: x", UNKNOWN),
        (2, "env_list", UNKNOWN),
    ]
    text = 'env_list = [{product = [["py313"], ["a"]], exclude = 1}, {product = 5}, 7, ["py312"]]\nenv_base.x.y = 1\n'
    assert [each[1:] for each in read(tmp_path, "tox.toml", text)] == [
        ("env_list: py313-a", "3.13"),
        ("env_list: py312", "3.12"),
        *[("env_list", UNKNOWN)] * 3,
    ]
    text = 'env_list = [{replace = "env", name = "X"}]\n[env.a]\nbase_python = [{replace = "env"}]\n'
    assert read(tmp_path, "tox.toml", text) == [
        (3, "[env.a] base_python: a", UNKNOWN),
        (1, "env_list", UNKNOWN),
    ]


def test_setup_cfg_is_of_setuptools_and_tox(tmp_path: Path) -> None:
    text = "[options]\npython_requires = >=3.11\n[tox]\nenvlist = py311\n"
    assert read(tmp_path, "setup.cfg", text) == [(2, "python_requires", ">=3.11")]
    text += "[tox:tox]\nenvlist = py312\n"
    assert read(tmp_path, "setup.cfg", text)[1:] == [(6, "env_list: py312", "3.12")]


def test_a_noxfile_is_read_and_not_run(tmp_path: Path) -> None:
    text = """\
import nox
raise SystemExit("was run")
PYTHONS: list[str] = ["3.12"]
CHANGED = ["3.9"]
CHANGED.append("3.10")
PATTERN = "\\d"

@nox.session(python=[*PYTHONS, interpreter("3.13")])
def tests(session): ...

@nox.session(python=CHANGED)
def changed(session): ...

@nox.session(python=nox.project.python_versions(nox.project.load_toml("../x.toml")))
def later(session): ...

@nox.session(python=f"3.{13}")
def text(session): ...

@nox.session(python=PYTHONS[7])
def missing(session): ...

@other.thing(python="3.1")
@nox.session(python=None)
def none(session): ...
"""
    assert read(tmp_path, "noxfile.py", text) == [
        (8, "session tests", "3.12"),
        (8, "session tests", "3.13"),
        (11, "session changed", UNKNOWN),
        (14, "session later", UNKNOWN),
        (17, "session text", UNKNOWN),
        (20, "session missing", UNKNOWN),
    ]


def test_versions_of_the_project_are_what_nox_makes_of_them(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nrequires-python = ">=3.12"\nclassifiers = ["Programming Language :: Python :: 3.14", '
        '"Programming Language :: Python :: 3.9", "Programming Language :: Python :: Free Threading"]\n'
    )
    text = "TOLD = load_toml()\n"
    for words in (
        "",
        ", sort=False",
        ", max_version='3.13'",
        ", max_version='3.11'",
        ", x=1",
        ", max_version=3",
    ):
        text += f"@session(python=python_versions(TOLD{words}))\ndef tests(session): ...\n"
    assert [each[2] for each in read(tmp_path, "noxfile.py", text)] == [
        *("3.9", "3.14", "3.14t"), *("3.14", "3.9", "3.14t"), *("3.12", "3.13"), *[UNKNOWN] * 3
    ]  # fmt: skip
    (tmp_path / "pyproject.toml").write_text("[project\n")
    assert {each[2] for each in read(tmp_path, "noxfile.py", text)} == {UNKNOWN}


def test_what_grows_without_end_is_not_followed(tmp_path: Path) -> None:
    text = "A = ['3.13']\n" + "\n".join(
        f"{new} = [*{old}, *{old}]" for old, new in zip("ABCDEFGHIJKLMN", "BCDEFGHIJKLMNO", strict=True)
    )
    text += "\nS = 'x'\n@session(python=O)\ndef tests(session): ...\n@session(python=" + "[" * 9 + "v"
    text += " for v in E]" * 9 + ")\ndef more(session): ...\n"
    assert [each[2] for each in read(tmp_path, "noxfile.py", text)] == [UNKNOWN] * 2
    with pytest.raises(ValueError, match="more than"):
        expand("{a,b}" * 60)
    with pytest.raises(ValueError, match="more than"):
        expand("py," * 100_000)
    text = "[tox]\nenv_list =\n" + "".join(f"  x{number}\n" for number in range(3 * MOST))
    assert read(tmp_path, "tox.ini", text)[-1] == (2, "env_list", UNKNOWN)


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("tox.ini", b"[tox]\nenv_list\n", "tox.ini: line 2: no INI: no key and no section"),
        ("tox.ini", b"a = b\n", "tox.ini: line 1: no INI: no key and no section"),
        ("setup.cfg", b"[a]\nb=1\nb=2\n", "setup.cfg: line 3: no INI: something stands there twice"),
        ("tox.ini", b"[tox]\nenv_list = \xff\n", "tox.ini: line 2: is not UTF-8"),
        ("pyproject.toml", b"[project\n", "pyproject.toml: no TOML: .* line 1"),
        ("Pipfile", b"x = " + b"[" * 90_000, "Pipfile: no TOML"),
        ("noxfile.py", b"import nox\ndef x(:\n", "noxfile.py: line 2: no Python"),
        ("noxfile.py", b"x = \0\n", "noxfile.py: line 0: no Python"),
        ("noxfile.py", b"x = " + b"-" * 90_000 + b"1", "noxfile.py: "),
        (".python-version", b"3.13\n" * 400_000, "larger than 1 MiB"),
        ("requirements.txt", b"", "what it wants is not known .there are pyproject.toml, tox.ini"),
    ],
)  # fmt: skip
def test_a_broken_file_is_named_with_its_line(name: str, data: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UsageError) as caught:
        wishes(tmp_path / name)
    assert re.search(message, caught.value.line)


def test_what_is_no_file_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "tox.ini").mkdir()
    os.mkfifo(tmp_path / "Pipfile")
    (tmp_path / "noxfile.py").symlink_to("nowhere")
    (tmp_path / ".python-version").write_text("3.13\n")
    looked = {each.path.name: each for each in project(tmp_path)}
    assert looked[".python-version"].wishes == (
        Wish(tmp_path / ".python-version", "", "3.13", "3.13", "", 1),
    )
    assert {name: each.error.message for name, each in looked.items() if each.error} == {
        "tox.ini": f"{tmp_path}/tox.ini: cannot be read: Is a directory",
        "Pipfile": f"{tmp_path}/Pipfile: is no file",
        "noxfile.py": f"{tmp_path}/noxfile.py: cannot be read: No such file or directory",
    }
    with pytest.raises(UsageError, match="no such folder"):
        project(tmp_path / "none")


WORDS = (
    b"[tox]\n", b"env_list = ", b"py{311-313}", b"-{a,b}", b"\n  ", b"[testenv:x]\n", b"base_python=", b"{[tox]env_list}",
    b"=", b"[", b"]", b"{", b"}", b'"', b"3.13", b",", b"\n", b"\xff", b"\0", b"#", b"\\", b":", b"[tool.tox]\n",
    b"[project]\nrequires-python", b"[tool.poetry.dependencies]\npython", b"[tool.hatch.envs.x]\nmatrix", b"[env_base.x]\nfactors",
    b'{product = [["py313"], ', b"exclude = 1", b"prefix", b"start = 1", b"legacy_tox_ini", b"[tools]\npython", b"[requires]\npython_version", b"1", b"true",
    b"@nox.session(python=", b"@nox.parametrize('python', ", b")\ndef x(s): ...\n", b"A", b"*", b"for v in", b"nox.param(", b"- language_version: python3",
    b"default_language_version:\n", b" python: ", b"\xc2\x85", b"\r", b"1979-05-27", b"-", b"%(x)s",
)  # fmt: skip


@pytest.mark.parametrize("name", KNOWN)
@given(data=st.binary(max_size=200) | st.lists(st.sampled_from(WORDS), max_size=25).map(b"".join))
def test_whatever_a_file_holds_it_is_read_or_refused(
    name: str, data: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(data)
    try:
        found = wishes(path)
    except UsageError as error:
        assert error.message.startswith(f"{path}: ")  # noqa: PT017  (some bytes are read well)
        return
    for each in found:
        assert bool(each.request) is not bool(each.note)
        if each.request:
            Spec.parse(each.request)


KEYS = (
    "tool", "tool.tox", "tool.tox.env_list", "tool.tox.env", "tool.tox.env.x.base_python", "tool.tox.env_base",
    "tool.tox.env_base.x.factors", "tool.tox.legacy_tox_ini", "tool.tox.requires", "tool.tox.env_run_base.base",
    "tool.hatch.envs", "tool.hatch.envs.x.matrix", "tool.poetry.dependencies.python", "project.requires-python",
    "env_list", "env", "env_base.x", "env_run_base.base_python", "envs.x.python", "requires.python_version", "requires",
    "tools", "tools.python",
)  # fmt: skip
INNER = (
    "product",
    "exclude",
    "prefix",
    "start",
    "stop",
    "values",
    "factors",
    "python",
    "version",
    "x",
    "base",
)
WRITTEN = (
    st.booleans() | st.integers(-5, 5000) | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["3.13", "py{311,312}", "py313-a", "{[x]y}", "[tox]\nenv_list = py313", ">=3", "^3", ""])
)  # fmt: skip
TOLD = st.recursive(
    WRITTEN,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(INNER), inner, max_size=3),
    max_leaves=8,
)


def as_toml(told: object) -> str:
    if isinstance(told, dict):
        return "{" + ", ".join(f"{key} = {as_toml(value)}" for key, value in told.items()) + "}"
    if isinstance(told, list):
        return "[" + ", ".join(map(as_toml, told)) + "]"
    return json.dumps(told)


@given(key=st.sampled_from(KEYS), told=TOLD)
def test_whatever_stands_under_a_key_it_is_read(
    key: str, told: object, tmp_path_factory: pytest.TempPathFactory
) -> None:
    for name in ("pyproject.toml", "tox.toml", "hatch.toml", "Pipfile", "mise.toml"):
        path = tmp_path_factory.getbasetemp() / name
        path.write_text(f"{key} = {as_toml(told)}\n")
        with contextlib.suppress(UsageError):  # what stands in legacy_tox_ini may be none
            assert all(bool(each.request) is not bool(each.note) for each in wishes(path))
            tox_requires(path)
