"""The pages that are made of the code say all of it; the README stays short."""

from __future__ import annotations

import re
from pathlib import Path

import generated

from manypython.cli import COMMANDS
from manypython.store.settings import DEFAULTS, NOT_FOR_PROJECTS

ROOT = Path(__file__).parents[2]


def test_each_command_has_its_part_with_arguments_and_examples() -> None:
    parts = dict(
        re.findall(
            r"^##+ `manypython ([a-z -]+)`\n(.*?)(?=^##|\Z)", generated.commands(), re.MULTILINE | re.DOTALL
        )
    )
    assert set(COMMANDS) | {"keys rotate", "roots create"} <= set(parts)
    for name, part in parts.items():
        if not any(other.startswith(f"{name} ") for other in parts):  # it has no actions
            assert f"\n$ manypython {name}" in part
            assert "| argument | is |" in part
    assert "| `--dist DIR, -o DIR` |" in parts["make"]
    assert "| `--json [FILE]` |" in parts["verify"]
    assert "manypython publish [ARCHIVE ...] --to SITE [OPTION ...]" in parts["publish"]


def test_each_setting_has_a_row_that_says_who_may_make_it() -> None:
    rows = re.findall(
        r"^\| `(\S+)` \| `(\S+)` \| `(\S+)` \|.*\| (project, user|user) \|",
        generated.settings(),
        re.MULTILINE,
    )
    assert [row[0] for row in rows] == list(DEFAULTS)
    assert {row[0] for row in rows if row[3] == "user"} == set(NOT_FOR_PROJECTS)
    assert ("mirrors", "--mirror", "MANYPYTHON_MIRRORS", "project, user") in rows


def test_what_means_something_to_markdown_is_said_as_it_is() -> None:
    assert r"e.g. aarch64-manylinux\_2\_17" in generated.settings()
    assert r"'\>=3.12,\<3.14'" in generated.commands()


def test_the_readme_is_read_in_two_minutes() -> None:
    assert 250 <= len((ROOT / "README.md").read_text().split()) <= 450
