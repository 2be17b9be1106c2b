from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from manypython.model.errors import UsageError
from manypython.model.identifier import ArtifactName, BuildNumber, Spec
from manypython.model.target import Architecture, LibcFamily, Target

targets = st.builds(
    Target,
    st.sampled_from(Architecture),
    st.sampled_from(LibcFamily),
    st.tuples(st.integers(1, 9), st.integers(0, 99)),
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


@given(
    st.builds(
        ArtifactName,
        st.builds(
            lambda minor, micro: Version(f"3.{minor}.{micro}"),
            st.integers(11, 20),
            st.integers(0, 30),
        ),
        days.map(BuildNumber),
        st.sampled_from(Architecture),
        st.sampled_from(LibcFamily),
        st.sampled_from([".tar.gz", ".tar.zst", ".zip"]),
        st.sampled_from(["", "freethreaded", "debug"]),
        st.sampled_from(["", "manylinux_2_31"]),
        st.sampled_from(["cpython", "pypy"]),
        st.sampled_from(["install_only", "tests"]),
        st.integers(1, 4),
    )
)
def test_an_archive_name_prints_back_exactly(name: ArtifactName) -> None:
    assert ArtifactName.parse(str(name)) == name


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
