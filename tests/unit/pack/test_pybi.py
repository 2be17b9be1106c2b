from __future__ import annotations

from pathlib import Path

import pytest
from packaging.tags import cpython_tags
from packaging.version import Version

from manypython.model.tree import Tree
from manypython.pack.pybi import wheel_tags


@pytest.mark.parametrize("threaded", ["", "t"])
def test_an_interpreter_takes_no_wheel_that_packaging_would_not(threaded: str) -> None:
    tags = wheel_tags(Tree(Path("/x"), Version("3.13.5"), threaded))
    known = {str(tag) for tag in cpython_tags((3, 13), [f"cp313{threaded}"], ["platform"])}
    native = [tag.lower() for tag in tags if tag.endswith("PLATFORM")]
    assert native[0] == f"cp313-cp313{threaded}-platform"
    assert set(native) <= known


def test_only_an_interpreter_with_a_lock_takes_abi3() -> None:
    assert "cp313-abi3-PLATFORM" in wheel_tags(Tree(Path("/x"), Version("3.13.5"), ""))
    assert not [tag for tag in wheel_tags(Tree(Path("/x"), Version("3.13.5"), "t")) if "abi3" in tag]


def test_pypy_has_its_own_tag() -> None:
    tags = wheel_tags(Tree(Path("/x"), Version("3.9.19"), "", implementation="pypy"))
    assert tags[:2] == ["pp39-none-PLATFORM", "py39-none-any"]
