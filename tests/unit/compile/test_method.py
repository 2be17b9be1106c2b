from __future__ import annotations

import os

import pytest

from manypython import host_tools
from manypython.compile import method
from manypython.compile.images import images
from manypython.compile.method import Method, buildable, usual
from manypython.compile.toolchains.base import QUICK, RELEASE, Profile
from manypython.compile.toolchains.gcc import HostGcc, ImageGcc
from manypython.model.errors import UsageError
from manypython.model.target import DEFAULT_TARGET, Architecture, Target

POLICIES = (
    "manylinux_2_17_aarch64",
    "manylinux_2_17_x86_64",
    "manylinux_2_28_x86_64",
    "manylinux_2_31_x86_64",
)
X86 = Architecture.X86_64


def inside(image: str) -> Method:
    return Method(ImageGcc(images()[image]))


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """This test's machine is x86_64 with glibc 2.36, whatever it runs on."""
    monkeypatch.setattr(method, "native_architecture", lambda: X86)
    monkeypatch.setattr(os, "confstr", lambda _: "glibc 2.36")


def test_zig_promises_and_gcc_finds_out() -> None:
    if DEFAULT_TARGET.architecture is X86:
        assert buildable(None, Method(), POLICIES) == DEFAULT_TARGET
        with pytest.raises(UsageError, match="aarch64-manylinux_2_17 cannot be built"):
            buildable(Target.parse("aarch64-manylinux_2_17"), Method(HostGcc()), POLICIES)
    assert (
        str(buildable(Target.parse("aarch64-manylinux_2_17"), Method(), POLICIES)) == "aarch64-manylinux_2_17"
    )
    assert buildable(None, Method(HostGcc()), POLICIES) == DEFAULT_TARGET
    image = inside("manylinux_2_31")
    assert str(buildable(None, image, POLICIES)) == "x86_64-manylinux_2_31"
    newer = Target.parse("x86_64-manylinux_2_34")
    assert str(buildable(newer, image, POLICIES)) == "x86_64-manylinux_2_31", "the target is for the audit"


@pytest.mark.parametrize(
    ("target", "chosen", "fact", "remedy"),
    [
        (None, Method(profile=RELEASE), "zig has no profile runtime", "--in"),
        ("x86_64-manylinux_2_17", inside("manylinux_2_28"), "manylinux_2_28 builds for glibc 2.28", "older image"),
        ("aarch64-manylinux_2_28", inside("manylinux_2_28"), "cannot be built on this machine", "own architecture"),
        ("x86_64-manylinux_2_99", Method(HostGcc()), "cannot be built on this machine", "from 2_17 on"),
        ("x86_64-musllinux_1_2", Method(), "cannot be built on this machine", "manylinux policy"),
        (None, inside("musllinux_1_2"), "cannot be proved on this machine", "newer machine"),
    ],
)  # fmt: skip
def test_what_cannot_be_built_is_refused_before_anything_is(
    target: str | None, chosen: Method, fact: str, remedy: str
) -> None:
    with pytest.raises(UsageError) as caught:
        buildable(Target.parse(target) if target else None, chosen, POLICIES)
    assert fact in caught.value.message
    assert remedy in caught.value.remedy


def test_an_image_newer_than_this_machine_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "confstr", lambda _: "glibc 2.31")
    with pytest.raises(UsageError, match=r"manylinux_2_34 makes cannot be proved .* glibc 2.31"):
        buildable(None, inside("manylinux_2_34"), POLICIES)


@pytest.mark.parametrize(
    ("target", "profile", "gcc", "install", "expected"),
    [
        (None, None, True, False, "gcc release"),
        (None, None, False, True, "gcc release"),
        (None, None, False, False, "zig quick"),
        (None, QUICK, True, True, "zig quick"),
        (None, RELEASE, False, False, "gcc release"),  # and the missing compiler is named
        ("aarch64-manylinux_2_17", None, True, True, "zig quick"),
        ("x86_64-manylinux_2_28", None, True, False, "gcc release"),
    ],
)
def test_without_a_word_it_is_trained_where_that_can_be_done(
    target: str | None,
    profile: Profile | None,
    gcc: bool,
    install: bool,
    expected: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(host_tools, "_works", lambda _: gcc)
    monkeypatch.setattr(host_tools, "installable", lambda *_: True)
    chosen = usual(Target.parse(target) if target else None, profile, install=install)
    assert f"{chosen.compiler.name} {chosen.profile.name}" == expected
