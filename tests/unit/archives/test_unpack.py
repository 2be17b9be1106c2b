"""What holds for every wrapping: what goes in comes out, in little memory, and nonsense is refused."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from manypython.archives.members import Member, complete, of_folder
from manypython.archives.read import members, unpack
from manypython.archives.write import FAST, WRITERS
from manypython.model.errors import ArchiveError

EPOCH = 1_700_000_000
PROPERTY = settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)

parts = st.text("abcdefgh -_.\u00e9\u4e16", min_size=1, max_size=6).filter(
    lambda part: part not in (".", "..")
)
names = st.lists(parts, min_size=1, max_size=3).map("/".join)
contents = st.one_of(st.binary(max_size=40), st.integers(0, 3_000_000).map(bytes))


@st.composite
def trees(draw: st.DrawFn) -> tuple[Member, ...]:
    """Files, folders and links, none of them below a file, links to names that are there."""
    found: dict[PurePosixPath, Member] = {}
    for name in draw(st.lists(names, max_size=8, unique=True)):
        path = PurePosixPath(name)
        taken = any(p in found and not found[p].is_folder for p in path.parents)
        if path in found or taken:
            continue
        found |= {p: Member(p) for p in path.parents[:-1]}
        kind = draw(st.sampled_from(["file", "file", "folder", "link"]))
        files = [str(member.name) for member in found.values() if member.content is not None]
        if kind == "folder":
            found[path] = Member(path)
        elif kind == "link" and files:
            found[path] = Member(path, link=os.path.relpath(draw(st.sampled_from(files)), path.parent))
        else:
            found[path] = Member(path, draw(contents), executable=draw(st.booleans()))
    return complete(found.values())


def facts(found: tuple[Member, ...]) -> list[tuple[PurePosixPath, bytes, str, int]]:
    return [(m.name, m.read() if not m.link else b"", m.link, m.mode) for m in found]


@pytest.mark.parametrize("suffix", WRITERS)
@PROPERTY
@given(chosen=trees())
def test_what_goes_in_comes_out(tmp_path: Path, suffix: str, chosen: tuple[Member, ...]) -> None:
    archive, into = tmp_path / f"x{suffix}", tmp_path / "out"
    shutil.rmtree(into, ignore_errors=True)
    WRITERS[suffix](archive, chosen, EPOCH, FAST)
    names = unpack(archive, into)
    assert names == tuple(sorted(str(member.name) for member in chosen if not member.is_folder))
    assert facts(complete(of_folder(into))) == facts(chosen)
    assert facts(tuple(members(archive))) == facts(chosen)


@settings(PROPERTY, max_examples=300)
@given(data=st.binary(max_size=2000), suffix=st.sampled_from([".tar.gz", ".tar.zst", ".zip", "gzip", "zstd"]))
def test_arbitrary_bytes_are_refused_as_archives(tmp_path: Path, data: bytes, suffix: str) -> None:
    packed: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "zstd": zstandard.compress}
    ending = {"gzip": ".tar.gz", "zstd": ".tar.zst"}.get(suffix, suffix)
    archive = tmp_path / f"x{ending}"
    archive.write_bytes(packed.get(suffix, bytes)(data))
    shutil.rmtree(tmp_path / "out", ignore_errors=True)
    with pytest.raises(ArchiveError):
        unpack(archive, tmp_path / "out/here")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("suffix", WRITERS)
@settings(PROPERTY, max_examples=150)
@given(data=st.data())
def test_an_archive_with_other_bytes_in_it_is_refused_or_harmless(
    tmp_path: Path, suffix: str, data: st.DataObject
) -> None:
    archive = tmp_path / f"x{suffix}"
    chosen = (Member(PurePosixPath("d/a"), b"one"), Member(PurePosixPath("d/l"), link="a"))
    WRITERS[suffix](archive, complete(chosen), EPOCH, FAST)
    content = bytearray(archive.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    archive.write_bytes(content)
    shutil.rmtree(tmp_path / "out", ignore_errors=True)
    try:
        unpack(archive, tmp_path / "out/here")
    except ArchiveError:
        assert list((tmp_path / "out").iterdir()) == []
    else:
        assert [path.name for path in (tmp_path / "out").iterdir()] == ["here"]


@pytest.mark.parametrize("suffix", WRITERS)
def test_modes_do_not_depend_on_the_umask(tmp_path: Path, suffix: str) -> None:
    chosen = complete(
        [Member(PurePosixPath("d/a"), b"x"), Member(PurePosixPath("d/run"), b"", executable=True)]
    )
    WRITERS[suffix](tmp_path / f"x{suffix}", chosen, EPOCH, FAST)
    before = os.umask(0o077)
    try:
        unpack(tmp_path / f"x{suffix}", tmp_path / "out")
    finally:
        os.umask(before)
    modes = {name: (tmp_path / "out" / name).stat().st_mode & 0o7777 for name in (".", "d", "d/a", "d/run")}
    assert modes == {".": 0o755, "d": 0o755, "d/a": 0o644, "d/run": 0o755}


@pytest.mark.parametrize("suffix", WRITERS)
def test_an_archive_that_is_not_there_is_the_archive_s_error(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(ArchiveError, match="cannot be read: No such file"):
        unpack(tmp_path / f"x{suffix}", tmp_path / "out")
    with pytest.raises(ArchiveError, match="cannot be read: No such file"):
        list(members(tmp_path / f"x{suffix}"))


PROGRAM = """
import resource, sys
from pathlib import Path
from manypython.archives.read import unpack
unpack(Path(sys.argv[1]), Path(sys.argv[2]))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


@pytest.mark.parametrize("suffix", WRITERS)
def test_memory_does_not_grow_with_the_archive(tmp_path: Path, suffix: str) -> None:
    noise = os.urandom(30 << 20)
    chosen = (
        *(Member(PurePosixPath(f"noise/{n}"), noise[n << 20 : n + 10 << 20]) for n in range(3)),
        Member(PurePosixPath("large"), noise + bytes(60 << 20) + noise),
        *(Member(PurePosixPath(f"small/{n}"), b"x" * n) for n in range(2000)),
    )
    WRITERS[suffix](tmp_path / f"x{suffix}", chosen, EPOCH, FAST)
    # ru_maxrss is inherited over fork and exec (getrusage(2)): a small shell stands between
    run = subprocess.run(
        ["sh", "-c", '"$@" && :', "sh", sys.executable, "-c", PROGRAM, tmp_path / f"x{suffix}", tmp_path / "out"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert (tmp_path / "out/large").stat().st_size == 120 << 20
    assert int(run.stdout) < 100


@pytest.mark.parametrize("suffix", WRITERS)
def test_a_link_to_a_name_that_begins_with_dots_stays_inside(tmp_path: Path, suffix: str) -> None:
    """Found by the property above."""
    archive = tmp_path / f"x{suffix}"
    packed = (Member(PurePosixPath("..a"), b"here"), Member(PurePosixPath("b"), link="..a"))
    WRITERS[suffix](archive, packed, 1_000_000_000, FAST)
    unpack(archive, tmp_path / "out")
    assert (tmp_path / "out/b").read_bytes() == b"here"
