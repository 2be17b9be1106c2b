"""Exit codes: one meaning each, and all of them documented."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from manypython.cli import arguments
from manypython.compile.images import images
from manypython.model import errors
from manypython.model.target import LibcFamily

DOCUMENT = Path(__file__).parents[3] / "docs/exit-codes.md"


def codes() -> dict[str, int]:
    """Every exit code of ours, by what has it; subclasses share their parent's."""
    found = {"INTERRUPTED": errors.INTERRUPTED, "TROUBLE": errors.TROUBLE}
    for name, kind in vars(errors).items():
        if isinstance(kind, type) and issubclass(kind, errors.ManypythonError) and "exit_code" in vars(kind):
            found[name] = kind.exit_code
    return found


def test_each_exit_code_means_one_thing() -> None:
    assert len(codes()) > 15
    assert len(set(codes().values())) == len(codes())


def test_each_exit_code_is_documented() -> None:
    documented = {int(code) for code in re.findall(r"^\| (\d+) \|", DOCUMENT.read_text(), re.MULTILINE)}
    assert documented == {0, *codes().values()}
    shown = subprocess.run(
        [sys.executable, "-m", "manypython", "--help"], check=True, capture_output=True, text=True
    ).stdout
    listed = {
        int(code)
        for code in re.findall(r"(?:^|[;:]) ?(\d+) ", shown.partition("exit codes")[2], re.MULTILINE)
    }
    assert listed | {1} == documented


@pytest.mark.parametrize("content", [None, "folder"])
def test_what_cannot_be_read_is_no_fault_of_the_output(tmp_path: Path, content: str | None) -> None:
    place = tmp_path / "tox.ini"
    if content:
        place.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "manypython", "fetch", "--from", place, "--index", tmp_path],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    assert str(place) in done.stderr
    assert done.returncode in (errors.UsageError.exit_code, errors.UnreadableError.exit_code)


def test_only_images_that_can_be_built_in_are_offered() -> None:
    offered = dict(arguments.METHOD)["--in"]["choices"]
    assert "manylinux_2_28" in offered
    assert {images()[name].libc for name in offered} == {LibcFamily.GLIBC}
