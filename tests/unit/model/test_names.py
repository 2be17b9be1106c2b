from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from manypython.model.build_id import ArtifactName, BuildId, Variant
from manypython.model.errors import UsageError
from manypython.model.identifier import BuildNumber, Spec
from manypython.model.request import read
from manypython.model.target import Architecture, LibcFamily, Linkage, Target
from manypython.store import installed

targets = st.builds(
    Target,
    st.sampled_from(Architecture),
    st.sampled_from(LibcFamily),
    st.tuples(st.integers(1, 9), st.integers(0, 99)),
    st.integers(1, 4),
    st.sampled_from(Linkage),
)
days = st.dates().filter(lambda day: day.year >= 1000).map(lambda day: int(day.strftime("%Y%m%d")))


@given(targets)
def test_a_target_prints_back_exactly(target: Target) -> None:
    assert Target.parse(str(target)) == target


def test_a_target_knows_its_other_names() -> None:
    target = Target.parse("x86_64-manylinux_2_17")
    assert target.platform_tag == "manylinux_2_17_x86_64"
    assert target.triple == "x86_64-unknown-linux-gnu"
    assert Target.parse("aarch64-musllinux_1_2").triple == "aarch64-unknown-linux-musl"


@pytest.mark.parametrize(
    "text", ["", "x86_64", "x86_64-manylinux2014", "sparc-manylinux_2_17", "x86_64-manylinux_2_17 "]
)
def test_an_unknown_target_is_refused_with_the_known_ones(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        Target.parse(text)
    assert "x86_64-manylinux_2_17" in caught.value.remedy
    assert caught.value.exit_code == 2


versions = st.builds(
    lambda minor, micro, pre: Version(f"3.{minor}.{micro}{pre}"),
    st.integers(9, 20),
    st.integers(0, 30),
    st.sampled_from(["", "a1", "b12", "rc2"]),
)
builds = st.builds(
    BuildId,
    st.sampled_from(["cpython", "pypy"]),
    versions,
    days.map(BuildNumber),
    targets,
    st.builds(
        Variant,
        st.sampled_from(["", "freethreaded"]),
        st.sampled_from(["", "debug"]),
        st.sampled_from(["", "gcc", "clang"]),
        st.sampled_from(["", "release"]),
    ),
)


@given(builds)
def test_a_build_prints_back_exactly(build: BuildId) -> None:
    assert BuildId.parse(str(build)) == build


@given(builds, st.sampled_from(["install_only", "tests"]), st.sampled_from([".tar.gz", ".tar.zst", ".zip"]))
def test_an_archive_name_prints_back_exactly(build: BuildId, content: str, suffix: str) -> None:
    name = ArtifactName(build, suffix, content)
    assert ArtifactName.parse(str(name)) == name


@given(builds)
def test_the_fast_readers_read_a_name_as_the_grammar_does(build: BuildId) -> None:
    match = installed._FOLDER.fullmatch(str(build))
    assert match is not None
    found = installed.Installed("/store/x", match)
    assert (found.key, found.version, found.build) == (str(build), str(build.version), build.number.value)
    assert (found.architecture, found.level, found.floor) == (
        build.target.architecture, build.target.level, build.target.floor,
    )  # fmt: skip
    assert found.variant == build.variant.interpreter
    if build.implementation == "cpython":
        made = read(str(build))
        assert (made.key, made.build, made.variant) == (found.key, found.build, found.variant)
        assert f"{'.'.join(map(str, made.release))}{made.pre}" == str(build.version)
        assert made.release == found.release


@given(builds, builds)
def test_two_builds_never_have_one_name(one: BuildId, other: BuildId) -> None:
    assert (str(one) == str(other)) is (one == other)
    if one.target.linkage is other.target.linkage is Linkage.SYSTEM:
        assert one.pybi != other.pybi or replace(one.target, level=1) == replace(other.target, level=1)


def test_a_build_says_what_it_was_made_with() -> None:
    plain = BuildId(
        "cpython", Version("3.13.15"), BuildNumber(20261121), Target.parse("x86_64-manylinux_2_31")
    )
    assert str(plain) == "cpython-3.13.15+20261121-x86_64-unknown-linux-gnu-manylinux_2_31"
    trained = replace(plain, variant=Variant.of((), "gcc 10.2.1, manylinux_2_31, release"))
    assert str(trained) == f"{plain}-gcc-release"
    assert Variant.of((), "gcc 10.2.1, manylinux_2_31, quick") == Variant(toolchain="gcc")
    assert Variant.of((), "zig 0.16.0, quick") == Variant.of((), "") == Variant()
    threaded = replace(plain, variant=Variant("freethreaded", "", "gcc", "release"))
    assert (threaded.python_tag, plain.python_tag) == ("cp313t", "cp313")
    assert threaded.uv_key == "cpython-3.13.15+freethreaded-linux-x86_64-gnu"
    assert threaded.pybi == "cpython-3.13.15-20261121t.gcc.release-manylinux_2_31_x86_64.pybi"


@given(st.text())
def test_any_other_text_is_no_archive_name(text: str) -> None:
    with pytest.raises(UsageError):
        ArtifactName.parse(text)


@pytest.mark.parametrize(
    ("text", "version", "answer"),
    [
        ("3.13", "3.13.15", True),
        ("3.13", "3.12.1", False),
        ("3.13.5", "3.13.5", True),
        ("3.13.5", "3.13.15", False),
        ("cp313", "3.13.0", True),
        ("cp311", "3.13.0", False),
        ("3.13t", "3.13.0", True),
        ("3.1", "3.13.0", False),
        ("3", "3.13.0", True),
        (">=3.12,<3.14", "3.13.15", True),
        (">=3.12,<3.14", "3.14.0", False),
        ("~=3.12", "3.15.0rc1", True),
        ("3.15.0rc1", "3.15.0", False),
        ("3.15rc1", "3.15.0rc1", True),
        ("3.x", "3.13.0", True),
        (">=3.14t", "3.14.0", True),
    ],
)
def test_a_request_matches_versions(text: str, version: str, answer: bool) -> None:
    assert Spec.parse(text).matches(Version(version)) is answer


def test_a_release_comes_before_a_newer_pre_release() -> None:
    known = [Version(text) for text in ("3.14.1", "3.15.0rc1", "3.13.15", "3.15.0b2")]
    assert [str(version) for version in Spec.parse(">=3.13").among(known)] == ["3.14.1", "3.13.15"]
    assert str(Spec.parse("3.15").among(known)[0]) == "3.15.0rc1"


def test_a_build_number_is_a_day() -> None:
    assert BuildNumber(19700102).epoch == 86400
    with pytest.raises(UsageError, match="is no date"):
        BuildNumber(20261345)
