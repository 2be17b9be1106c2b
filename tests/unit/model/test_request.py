"""What people write when they mean an interpreter: one grammar, behind every door."""

from __future__ import annotations

import argparse
import os
import re
import string
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manypython.cli.arguments import spec
from manypython.integrations import virtualenv
from manypython.model import request
from manypython.model.errors import RequestError
from manypython.model.identifier import Spec
from manypython.model.request import Request, read
from manypython.projects.wish import understood
from manypython.store.installed import answering

MACHINE = os.uname().machine
OTHER = "aarch64" if MACHINE == "x86_64" else "x86_64"
FETCH_PAGE = Path(__file__).parents[3] / "docs/fetch.md"


def all_of(made: Request) -> dict[str, Any]:
    return {name: getattr(made, name) for name in Request.__slots__}


@pytest.mark.parametrize(
    ("text", "meant"),
    {
        "3": "3", "3.13": "3.13", "3.13.5": "3.13.5", "313": "3.13", " 3.13 ": "3.13", "3.13\n": "3.13",
        "python3.13": "3.13", "py313": "3.13", "cp313": "3.13", "py3.13": "3.13", "python-3.13.5": "3.13.5",
        "cpython@3.13": "3.13", "python@3.13": "3.13", "Python 3.13.5": "3.13.5", "CPython3.13": "3.13", "cp3": "3",
        "3.x": "3", "3.13.x": "3.13", "3.13.*": "3.13",
        "3.15.0rc1": "3.15.0rc1", "3.15rc1": "3.15.0rc1", "3.15.0-rc.1": "3.15.0rc1", "3.15.0-alpha.2": "3.15.0a2",
        "3.13t": "3.13t", "py313t": "3.13t", "3.13+freethreaded": "3.13t", "3.13.5-freethreaded": "3.13.5t",
        "3.13.15+20261121": "3.13.15+20261121", "3.13t+20261121": "3.13t+20261121",
        "3.13-64": "3.13", "cpython3.13-64-arm64": "3.13-linux-aarch64", "3.13-linux-musl": "3.13-linux-musl",
        "cpython-3.13.15-linux-x86_64-gnu": "3.13.15-linux-x86_64-gnu",
        "cpython-3.13.15-x86_64-unknown-linux-gnu": "3.13.15-linux-x86_64-gnu",
        "cpython-3.13.15+freethreaded-linux-x86_64_v3-gnu": "3.13.15t-linux-x86_64_v3-gnu",
        "cpython-3.13.5+20261121-x86_64_v3-unknown-linux-gnu-manylinux_2_31-freethreaded":
            "cpython-3.13.5+20261121-x86_64_v3-unknown-linux-gnu-manylinux_2_31-freethreaded",
        ">=3.12,<3.14": ">=3.12,<3.14", ">= 3.12, < 3.14": ">=3.12,<3.14", ">=3.12 <3.14": ">=3.12,<3.14",
        ">=3.12,\n<3.14": ">=3.12,<3.14", ">= 3.13": ">=3.13", "python >= 3.13": ">=3.13", "cpython~=3.12": "~=3.12",
        ">=3.13t": ">=3.13t", "==3.13.*+freethreaded": "==3.13.*t", "==3.13.5,": "==3.13.5",
    }.items(),
)  # fmt: skip
def test_every_spelling_has_one_meaning(text: str, meant: str) -> None:
    assert str(read(text)) == meant


@pytest.mark.parametrize(
    ("text", "why"),
    {
        "": "", "3.": "", "4": "", "4.1": "", "3130": "", "3.13.5.1": "", "3.13.5.x": "", "313.x": "", "3rc1": "",
        "3.13+local": "", "3.13+2026": "", "3.13+20261121+20261122": "", "3.13.5-1": "", "3.13-gnu-musl": "",
        "3.13-x86_64-arm64": "", "3.13-x86_64_v9": "", "3.13\n3.12": "", "3.13 3.12": "", "3.13,3.12": "",
        ">=x": "", ">=": "", "> =3.13": "", ">=3. 13": "", "=3.13": "", "^3.12": "", "~3.12": "", "3.13>=3.12": "",
        "٣.١٣": "", "ruby3.13": "", "v3.13": "", "latest": "", "x" * 2000: "",
        "cpython-3.13.5+20261121-x86_64-unknown-linux-gnu-install_only.tar.gz": "",
        "python": request.ANY, "cp": request.ANY, "2": request.PYTHON_2, "2.7": request.PYTHON_2, "py27": request.PYTHON_2,
        "pypy3.11": request.NOT_CPYTHON, "graalpy-24": request.NOT_CPYTHON, "PyPy3.11": request.NOT_CPYTHON,
        "/usr/bin/python3": request.PATH, "./3.13": request.PATH, "system": request.SYSTEM,
        "3.13d": request.DEBUG, "3.13td": request.DEBUG, "3.13+debug": request.DEBUG, "3.14-dev": request.BRANCH,
        "3.13-32": request.ELSEWHERE, "3.13-riscv64": request.ELSEWHERE, "cpython-3.13.1-macos-aarch64-none": request.ELSEWHERE,
    }.items(),
)  # fmt: skip
def test_what_is_no_request_says_why(text: str, why: str) -> None:
    with pytest.raises(RequestError, match=re.escape(why or "is no Python version")) as caught:
        read(text)
    assert caught.value.why == why
    assert "3.13" in caught.value.remedy
    assert caught.value.exit_code == 2


NAMES = st.sampled_from(["", "py", "python", "cp", "cpython", "Python", "CPython", "PYTHON"])
VERSIONS = st.one_of(
    st.tuples(st.just(3), st.integers(0, 99)), st.tuples(st.just(3), st.integers(0, 99), st.integers(0, 99))
)
PRE = st.sampled_from([("a", 1), ("b", 3), ("rc", 12)])
DAYS = st.dates().filter(lambda day: day.year >= 1000).map(lambda day: int(day.strftime("%Y%m%d")))


@st.composite
def spellings(draw: st.DrawFn) -> tuple[str, Request]:
    """One way to write a request, and what it is."""
    release = draw(VERSIONS)
    made = Request(release, draw(st.sampled_from(["", "freethreaded"])))
    text = ".".join(map(str, release))
    if len(release) == 2 and draw(st.booleans()):
        text = text.replace(".", "")
    elif draw(st.booleans()):
        stage, number = draw(PRE)
        made.release, made.pre = (release if len(release) == 3 else (*release, 0)), f"{stage}{number}"
        longer = {"a": "alpha", "b": "beta", "rc": "c"}[stage]
        text += f"{draw(st.sampled_from(['', '-', '.']))}{draw(st.sampled_from([stage, longer]))}{draw(st.sampled_from(['', '.']))}{number}"
    elif len(release) == 2 and draw(st.booleans()):
        text += draw(st.sampled_from([".x", ".*"]))
    late = made.variant and draw(st.booleans())
    text += "t" if made.variant and not late else ""
    if draw(st.booleans()):
        made.build = draw(DAYS)
        text += f"+{made.build}"
    text += draw(st.sampled_from(["+freethreaded", "-freethreaded"])) if late else ""
    text += draw(st.sampled_from(["", "-64"]))
    if draw(st.booleans()):
        written, made.machine = draw(
            st.sampled_from(
                [("x86_64", "x86_64"), ("amd64", "x86_64"), ("arm64", "aarch64"), ("aarch64", "aarch64")]
            )
        )
        made.level = draw(st.sampled_from([0, 0, 2, 4]))
        machine = f"-{written}{f'_v{made.level}' if made.level else ''}"
        made.abi = draw(st.sampled_from(["", "gnu", "musl"]))
        system = draw(st.sampled_from(["-linux", "-unknown-linux"]))
        first = draw(st.booleans())
        text += (
            f"{system if first else ''}{machine}{'' if first else system}{f'-{made.abi}' if made.abi else ''}"
        )
    name = draw(NAMES)
    between = draw(st.sampled_from(["", "-", "@", " "])) if name else ""
    blank = st.text(" \t\n", max_size=2)
    return f"{draw(blank)}{name}{between}{text}{draw(blank)}", made


@given(spellings())
def test_every_way_to_write_a_request_is_read_as_it_is_meant(written: tuple[str, Request]) -> None:
    text, made = written
    assert all_of(read(text)) == all_of(made)


@given(spellings())
def test_the_one_spelling_is_the_same_request(written: tuple[str, Request]) -> None:
    made = read(written[0])
    assert all_of(read(str(made))) == all_of(made)
    assert str(read(str(made))) == str(made)
    if made.runs_here:
        assert str(read(made.here)) in (made.here, str(made))


OPERATORS = st.sampled_from([">=", "<", "<=", ">", "!=", "~=", "=="])
PARTS = st.lists(
    st.tuples(OPERATORS, st.sampled_from(["3.9", "3.12", "3.14.1", "4.0"])), min_size=1, max_size=4
)
BLANKS = st.text(" \t", max_size=2)


@given(PARTS, st.data())
def test_blanks_in_specifiers_separate_nothing(parts: list[tuple[str, str]], data: st.DataObject) -> None:
    written = data.draw(st.sampled_from(["", "python", "CPython "]))
    for number, (operator, version) in enumerate(parts):
        comma = data.draw(st.sampled_from([",", " ,", ", ", " "])) if number else ""
        written += f"{comma}{operator}{data.draw(BLANKS)}{version}"
    assert str(read(written)) == ",".join(f"{operator}{version}" for operator, version in parts)


ANYTHING = (
    st.text(max_size=30)
    | st.text(string.ascii_lowercase + string.digits + ".-+@_<>=!~, *", max_size=25)
    | st.from_regex(r"[a-z]{0,8}[-@]?[0-9.]{1,8}[td]?([-+][a-z0-9_]+){0,3}", fullmatch=True)
    | spellings().map(lambda written: written[0])
)


@given(ANYTHING)
def test_all_doors_have_one_grammar(text: str) -> None:
    """Command lines, files, plug-ins and the store take the same, and mean the same."""
    try:
        made = read(text)
    except RequestError:
        request_, why = understood(text)
        assert request_ == ""
        assert why
        assert virtualenv.requested(text) == ""
        for door, refusal in (
            (spec, argparse.ArgumentTypeError),
            (Spec.parse, RequestError),
            (answering, RequestError),
        ):
            with pytest.raises(refusal):
                door(text)
        return
    assert all_of(spec(text).request) == all_of(Spec.parse(text).request) == all_of(made)
    answering(text)
    here = made.here if made.runs_here else ""
    assert understood(text)[0] == here
    assert virtualenv.requested(text) == ("" if text == "<0" else here)


def test_a_request_that_says_the_machine_is_for_that_machine() -> None:
    assert read(f"cpython-3.13-linux-{MACHINE}").runs_here
    assert not read(f"cpython-3.13-linux-{OTHER}").runs_here
    assert read("3.13-gnu").runs_here is not read("3.13-musl").runs_here


def test_the_page_has_a_table_of_what_can_be_written() -> None:
    """Each spelling of the table means what the first of its line does."""
    table = re.findall(
        r"^\| (`.+`) \|", FETCH_PAGE.read_text().partition("## What can be asked for")[2], re.MULTILINE
    )
    rows = [[each.strip("'") for each in re.findall(r"`([^`]+)`", row)] for row in table]
    rows = [row for row in rows if row[0][0] in "3>"]
    assert len(rows) >= 7
    for first, *others in rows:
        for each in others:
            assert read(each).here.replace(MACHINE, "x86_64") == read(first).here, each
    assert sum(map(len, rows)) >= 22
