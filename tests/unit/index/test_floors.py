"""Builds of several C libraries on one site: nobody gets one that does not run on the machine."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version
from samples_of_index import BASE, make_archives, make_build, name_of

from manypython.archives.write import FAST
from manypython.cli import main
from manypython.index.choice import everywhere, left_out, newest, on_glibc, widest
from manypython.index.model import Build, Index
from manypython.model.build_id import ArtifactName
from manypython.model.identifier import BuildNumber, Spec
from manypython.progress import Reporter
from manypython.site import repack
from manypython.site.publish import publish
from manypython.site.render import render
from manypython.site.render.commands import commands

TWO = Index.of(
    BASE,
    (
        make_build("3.13.5", extra=("gha/20261121/python-3.13.5-linux-x64.tar.gz",)),
        make_build(
            "3.13.15",
            "manylinux_2_38_x86_64",
            extra=("gha/20261121-manylinux_2_38/python-3.13.15-linux-x64.tar.gz",),
        ),
    ),
)
"""The newer version wants the newer glibc."""
BUILDS = st.lists(
    st.builds(
        make_build,
        st.sampled_from(["3.12.1", "3.13.5", "3.13.15", "3.14.0", "3.15.0rc1"]),
        st.sampled_from(
            [
                *(f"manylinux_2_{minor}_x86_64" for minor in (5, 17, 28, 38)),
                "manylinux_2_28_aarch64",
                "manylinux_2_38_aarch64",
                "musllinux_1_1_x86_64",
                "musllinux_1_2_x86_64",
                "musllinux_1_3_x86_64",
            ]
        ),
        number=st.sampled_from([BuildNumber(20261001), BuildNumber(20261121)]),
        variant=st.sampled_from(["", "", "freethreaded"]),
        level=st.sampled_from([1, 1, 3]),
    ),
    max_size=12,
)


def names_in(text: str) -> list[ArtifactName]:
    """The archives that a list names."""
    found = re.findall(r"cpython-[^\s/\"']+?\.tar\.gz", unquote(text))
    return [ArtifactName.parse(each) for each in dict.fromkeys(found)]


def lists(files: dict[str, bytes]) -> dict[str, str]:
    """The texts that readers take the newest of, who know no floors."""
    found = {
        path: files[path].decode()
        for path in ("uv/downloads.json", "pipx/index.json", "hatch.env", "mise.lock.sample")
        if path in files
    }
    packed = {path: content for path, content in files.items() if path.startswith("tools/")}
    return found | {path: gzip.decompress(content).decode() for path, content in packed.items()}


@given(BUILDS)
def test_the_newest_of_each_list_runs_wherever_any_of_it_does(builds: list[Build]) -> None:
    index = Index.of(BASE, builds)
    floors = {f"{build.key}-install_only.tar.gz": build.target for build in index.builds}
    kinds: dict[tuple[object, ...], set[tuple[int, int]]] = {}
    for build in index.builds:
        target = build.target
        kind = (target.architecture, target.libc, build.target.level, build.variant)
        kinds.setdefault(kind, set()).add(target.floor)
    for path, text in lists(render(index)).items():
        for name in names_in(text):
            target = name.build.target
            kind = (target.architecture, target.libc, target.level, name.build.variant.interpreter)
            assert floors[str(name)].floor == min(kinds[kind]), path
    assert {
        (b.version, b.variant, b.target.level, b.target.architecture, b.target.libc) for b in index.builds
    } == {
        (b.version, b.variant, b.target.level, b.target.architecture, b.target.libc)
        for b in (*everywhere(index.builds), *left_out(index.builds))
    }, "whatever is left out is known to be"


@given(BUILDS)
def test_a_list_of_one_floor_has_what_runs_there_and_nothing_else(builds: list[Build]) -> None:
    index = Index.of(BASE, builds)
    targets = {f"{build.key}-install_only.tar.gz": build.target for build in index.builds}
    files = render(index)
    for there in targets.values():
        listed = names_in(files[f"uv/downloads-{there.policy}.json"].decode())
        assert all(targets[str(name)].libc is there.libc for name in listed)
        assert all(targets[str(name)].floor <= there.floor for name in listed)
        runs = [b for b in index.builds if b.target.libc is there.libc and b.target.floor <= there.floor]
        assert {name.build.version for name in listed} == {
            build.version for build in runs if build.target.level == 1
        }


@given(BUILDS)
def test_uv_sees_none_for_a_newer_processor_without_a_plain_one_of_the_same_version(
    builds: list[Build],
) -> None:
    """uv 0.13 takes x86_64_v4 on a processor of level 3 if that is the newest."""
    for path, content in render(Index.of(BASE, builds)).items():
        if path.startswith("uv/"):
            keys = set(json.loads(content))
            assert {re.sub(r"_v[234]-", "-", key) for key in keys} <= keys


def test_the_newest_that_runs_everywhere_is_what_readers_see() -> None:
    files = render(TWO)
    for path, text in lists(files).items():
        assert {str(name.build.version) for name in names_in(text)} == {"3.13.5"}, path
    assert [each["version"] for each in json.loads(files["versions-manifest.json"])] == ["3.13.5"]
    newer = json.loads(files["uv/downloads-manylinux_2_38.json"])
    assert list(newer) == ["cpython-3.13.15-linux-x86_64-gnu", "cpython-3.13.5-linux-x86_64-gnu"]
    assert list(json.loads(files["uv/downloads-manylinux_2_17.json"])) == ["cpython-3.13.5-linux-x86_64-gnu"]
    assert left_out(TWO.builds) == (TWO.builds[0],)


def test_what_wants_a_newer_one_is_all_there_is_and_seen() -> None:
    """A series, a variant, a machine of its own is no reason to hide the others of the same floor."""
    index = Index.of(
        BASE,
        (
            make_build("3.13.15", "manylinux_2_38_x86_64"),
            make_build("3.14.0", "manylinux_2_38_x86_64"),
            make_build("3.13.5", variant="freethreaded"),
            make_build("3.13.5", "manylinux_2_17_aarch64"),
        ),
    )
    assert everywhere(index.builds) == index.builds
    assert left_out(index.builds) == ()


@pytest.mark.parametrize(
    ("said", "chosen"),
    {
        "glibc 2.36": "3.13.5+20261121-x86_64-unknown-linux-gnu-install_only",
        "glibc 2.38": "20261122-x86_64-unknown-linux-gnu-manylinux_2_38",
        "glibc 2.41.9000": "20261122-x86_64-unknown-linux-gnu-manylinux_2_38",
        "glibc 3.1": "20261122-x86_64-unknown-linux-gnu-manylinux_2_38",
        "": "3.13.5+20261121-x86_64-unknown-linux-gnu-install_only",
        "glibc 2.12": "3.13.5: wants glibc 2.17 or newer, and this is glibc 2.12",
    }.items(),
)
def test_a_definition_of_pyenv_picks_by_glibc(said: str, chosen: str, tmp_path: Path) -> None:
    index = Index.of(
        BASE,
        (
            make_build("3.13.5"),
            make_build("3.13.5", "manylinux_2_28_x86_64", number=BuildNumber(20261001)),
            make_build("3.13.5", "manylinux_2_38_x86_64", number=BuildNumber(20261122)),
        ),
    )
    definition = tmp_path / "3.13.5"
    definition.write_bytes(render(index)["python-build/3.13.5"])
    script = (
        f'uname() {{ [ "$1" = -s ] && echo Linux || echo x86_64; }}\ngetconf() {{ echo "{said}"; }}\n'
        f'install_package() {{ printf "%s\\n" "$2"; }}\n. {definition}\n'
    )
    done = subprocess.run(["bash", "-euc", script], capture_output=True, text=True, check=False)
    assert chosen in unquote(done.stdout) + done.stderr
    assert (done.returncode == 0) is bool(done.stdout)
    assert len(done.stdout.splitlines()) < 2


def test_herokus_stack_gets_what_runs_on_it() -> None:
    """The name that its buildpack asks for says which system it is, so what that runs will do."""
    index = Index.of(
        BASE,
        (
            *TWO.builds,
            make_build("3.13.15", "manylinux_2_40_x86_64"),
            make_build("3.14.2", "manylinux_2_40_x86_64"),
        ),
    )
    made = {
        str(each.build.version): each.path
        for each in repack.missing(index)
        if each.path.startswith("heroku/")
    }
    assert made == {
        "3.13.5": "heroku/20261121/python-3.13.5-ubuntu-24.04-amd64.tar.zst",
        "3.13.15": "heroku/20261121-manylinux_2_38/python-3.13.15-ubuntu-24.04-amd64.tar.zst",
    }
    assert [str(slot[0]) for slot in on_glibc(index.builds, (2, 39))] == ["3.13.15", "3.13.5"]


def test_a_simple_repository_says_it_in_the_names() -> None:
    paths = {each.path for each in repack.missing(TWO) if each.is_link}
    assert {path[-len("manylinux_2_17_x86_64.pybi") :] for path in paths} == {
        "manylinux_2_17_x86_64.pybi",
        "manylinux_2_38_x86_64.pybi",
    }


def test_floors_of_two_c_libraries_are_not_compared() -> None:
    """musl's 1.2 is not older than glibc's 2.17."""
    mixed = [make_build("3.13.5"), make_build("3.13.5", "musllinux_1_2_x86_64")]
    for choose in (widest, newest):
        with pytest.raises(ValueError, match="several C libraries"):
            choose(mixed)
    assert everywhere(mixed) == tuple(mixed)
    assert str(name_of("3.13.5", "musllinux_1_3_x86_64")).endswith("-musl-musllinux_1_3-install_only")
    assert (
        name_of("3.13.5", "musllinux_1_2_x86_64").build.target.mark
        == name_of("3.13.5").build.target.mark
        == ""
    )


def test_a_version_that_wants_a_newer_glibc_comes_with_the_list_that_has_it() -> None:
    tools = {each.tool: each.text for each in commands(TWO, "", Spec.parse("3.13"))}
    assert "/uv/downloads.json\n" in tools["uv"]
    assert "pyenv install 3.13.5" in tools["pyenv"]
    assert "setup-python" in tools
    newer = {each.tool: each.text for each in commands(TWO, "", Spec.parse("3.13.15"))}
    assert "/uv/downloads-manylinux_2_38.json\n" in newer["uv"]
    assert "/uv/downloads-manylinux_2_38.json\n" in newer["tox-uv"]
    assert "pyenv install 3.13.15" in newer["pyenv"]
    assert "setup-python" not in newer, "its list has no word for a C library"


def test_publish_says_what_lists_leave_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tag = "manylinux_2_38_x86_64"
    given_ = (
        *make_archives(tmp_path / "dist", name_of("3.13.5")),
        *make_archives(tmp_path / "dist", name_of("3.13.15", tag), tag=tag),
    )
    assert main(["publish", *map(str, given_), "--to", str(tmp_path / "site"), "--unsigned", "--fast"]) == 0
    key = "cpython-3.13.15+20261121-x86_64-unknown-linux-gnu-manylinux_2_38"
    assert f"note: {key}: of a newer C library than other builds of this site; " in capsys.readouterr().err
    done = publish((), tmp_path / "site", reporter=Reporter(quiet=True), effort=FAST)
    assert done.left_out == (key,)
    assert Version("3.13.15") not in {
        Version(each["version"])
        for each in json.loads((tmp_path / "site/versions-manifest.json").read_text())
    }
