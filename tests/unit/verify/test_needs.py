from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from manypython import host_tools
from manypython.model.errors import HostToolError
from manypython.model.target import Architecture
from manypython.progress import Lines
from manypython.verify import needs, surroundings
from manypython.verify.roots import ROOTS

LACKS = {"bwrap", "cc", "debootstrap", "busybox"}


@pytest.fixture
def prepare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """``prepare`` on a machine that lacks every program it asks for; what it says."""
    monkeypatch.setattr(host_tools, "_works", lambda tool: tool.program not in LACKS)
    monkeypatch.setattr(surroundings, "works", lambda: "")

    def call(*names: str, user: int = 0, suite: bool = False) -> list[str]:
        monkeypatch.setattr(os, "geteuid", lambda: user)
        said: list[str] = []
        roots = [ROOTS[name] for name in names]
        needs.prepare(
            roots, Architecture.X86_64, tmp_path, suite=suite, install=False, reporter=Lines(said.append)
        )
        return said

    return call


def test_a_line_for_each_thing_that_will_not_be_tried(prepare: Callable[..., list[str]]) -> None:
    assert [line.partition(":")[0] for line in prepare()] == [
        "will not be tried for want of bubblewrap",
        "will not be tried for want of a C compiler",
    ]


def test_a_root_that_was_asked_for_is_an_error_before_the_work(prepare: Callable[..., list[str]]) -> None:
    with pytest.raises(HostToolError, match="lacks: bwrap, debootstrap"):
        prepare("debian-12")
    with pytest.raises(HostToolError, match="debian-12 can only be made by root"):
        prepare("debian-12", user=1000)


def test_a_root_that_is_there_wants_no_debootstrap(prepare: Callable[..., list[str]], tmp_path: Path) -> None:
    (tmp_path / "roots/debian-12-x86_64").mkdir(parents=True)
    with pytest.raises(HostToolError, match=r"lacks: bwrap$"):
        prepare("debian-12", user=1000)


def test_the_suite_wants_a_shell_for_roots_without_one(prepare: Callable[..., list[str]]) -> None:
    with pytest.raises(HostToolError, match="busybox"):
        prepare(suite=True)


def test_user_namespaces_that_are_forbidden_are_told(
    prepare: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host_tools, "_works", lambda _: True)
    monkeypatch.setattr(surroundings, "works", lambda: "bubblewrap does not work here: EPERM")
    assert prepare() == [
        (
            "will not be tried as a root of its own, only by its loader: glibc 2.17 "
            "(bubblewrap does not work here: EPERM)"
        )
    ]


def test_a_root_that_was_asked_for_where_no_sandbox_works_is_an_error_too(
    prepare: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bubblewrap is there, and a chroot forbids it to do anything: said before, not by 17 failed checks."""
    monkeypatch.setattr(host_tools, "_works", lambda _: True)
    monkeypatch.setattr(surroundings, "works", lambda: "bubblewrap does not work here: no permissions")
    with pytest.raises(
        HostToolError, match="no foreign root can be entered on this machine: bubblewrap does not"
    ):
        prepare("glibc-2.17")
    (line,) = prepare()
    assert line.startswith(
        "will not be tried as a root of its own, only by its loader: glibc 2.17 (bubblewrap"
    )
