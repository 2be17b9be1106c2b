from __future__ import annotations

import gzip
import io
import os
import random
import shutil
import stat
import subprocess
import tarfile
import time
import zipfile
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from manypython.archives.members import Member, below, complete, of_folder
from manypython.archives.read import members as members_of
from manypython.archives.read import unpack
from manypython.archives.write import BEST, FAST, WRITERS, Effort
from manypython.files import write_text
from manypython.model.errors import ArchiveError, OutputError

EPOCH = 1_700_000_000
NAMES = {"a/x.py": b"print()", "a/b/run": b"#!/bin/sh\n", "z": b""}


def make_folder(root: Path, seed: int = 0) -> Path:
    """The same content, written in another order each time."""
    names = list(NAMES)
    random.Random(seed).shuffle(names)
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(NAMES[name])
    (root / "a/b/run").chmod((root / "a/b/run").stat().st_mode | 0o100)
    (root / "link").symlink_to("a/b/run")
    return root


@pytest.mark.parametrize("suffix", WRITERS)
def test_same_members_same_bytes_whatever_umask_zone_and_order(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []
    for number, (umask, zone) in enumerate([(0o022, "UTC"), (0o077, "Asia/Kathmandu")]):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        before = os.umask(umask)
        try:
            folder = make_folder(tmp_path / f"folder {number}", number)
            path = tmp_path / f"{number}{suffix}"
            WRITERS[suffix](path, complete(of_folder(folder)), EPOCH, FAST)
        finally:
            os.umask(before)
        written.append(path.read_bytes())
    monkeypatch.undo()
    time.tzset()
    assert written[0] == written[1]


members = st.dictionaries(
    st.text("abcé -_.", min_size=1, max_size=8).filter(lambda name: name not in (".", "..")),
    st.tuples(st.binary(max_size=50), st.booleans()),
    max_size=8,
).map(
    lambda d: complete(
        Member(PurePosixPath("d", name), data, executable=run) for name, (data, run) in d.items()
    )
)


@pytest.mark.parametrize("suffix", WRITERS)
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(chosen=members)
def test_what_is_written_is_read_back(tmp_path: Path, suffix: str, chosen: tuple[Member, ...]) -> None:
    archive, into = tmp_path / f"x{suffix}", tmp_path / "out"
    shutil.rmtree(into, ignore_errors=True)
    WRITERS[suffix](archive, chosen, EPOCH, FAST)
    unpack(archive, into)
    found = complete(of_folder(into))
    assert [(m.name, m.read(), m.mode) for m in found] == [(m.name, m.read(), m.mode) for m in chosen]


@pytest.mark.parametrize("suffix", WRITERS)
def test_links_and_modes_come_back(tmp_path: Path, suffix: str) -> None:
    archive = tmp_path / f"x{suffix}"
    WRITERS[suffix](archive, below("python", of_folder(make_folder(tmp_path / "in"))), EPOCH, FAST)
    unpack(archive, tmp_path / "out")
    assert os.readlink(tmp_path / "out/python/link") == "a/b/run"
    assert os.access(tmp_path / "out/python/link", os.X_OK)
    assert stat.S_IMODE((tmp_path / "out/python/a/x.py").stat().st_mode) == 0o644


def test_nothing_of_this_machine_is_in_a_tar(tmp_path: Path) -> None:
    WRITERS[".tar.gz"](tmp_path / "x.tar.gz", complete(of_folder(make_folder(tmp_path / "in"))), EPOCH, FAST)
    with tarfile.open(tmp_path / "x.tar.gz") as tar:
        assert all((m.uid, m.gid, m.uname, m.mtime) == (0, 0, "", EPOCH) for m in tar)


@pytest.mark.parametrize("effort", [FAST, BEST])
def test_a_tar_gz_has_the_bytes_of_pythons_own_gzip(tmp_path: Path, effort: Effort) -> None:
    folder = make_folder(tmp_path / "in")
    (folder / "big").write_bytes(random.Random(1).randbytes(3_000_000) + bytes(3_000_000))
    WRITERS[".tar.gz"](tmp_path / "x.tar.gz", complete(of_folder(folder)), EPOCH, effort)
    data = (tmp_path / "x.tar.gz").read_bytes()
    buffer = io.BytesIO()
    with gzip.GzipFile("", "wb", effort.deflate, buffer, mtime=EPOCH) as packed:
        packed.write(gzip.decompress(data))
    assert buffer.getvalue() == data


def hostile_tar(path: Path, *entries: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for entry in entries:
            tar.addfile(entry, io.BytesIO(b"x" * entry.size))
    return path


def entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", mode: int = 0o644) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.mode = mode
    info.type, info.linkname, info.size = kind, link, 1 if kind == tarfile.REGTYPE else 0
    return info


@pytest.mark.parametrize(
    ("entries", "fact"),
    [
        ([entry("../out")], "leads out"),
        ([entry("/etc/x")], "leads out"),
        ([entry("a", tarfile.SYMTYPE, "/etc")], "a link that leads out"),
        ([entry("d/a", tarfile.SYMTYPE, "../../x")], "a link that leads out"),
        ([entry("d/a", tarfile.SYMTYPE, "../..")], "a link that leads out"),
        ([entry("a", tarfile.SYMTYPE, "..")], "a link that leads out"),
        ([entry("a", tarfile.SYMTYPE, "b"), entry("a/x")], "lies below a"),
        ([entry("a"), entry("a")], "is there twice"),
        ([entry("a", tarfile.LNKTYPE, "b")], "neither file"),
        ([entry("a", tarfile.CHRTYPE)], "neither file"),
        ([entry("a", tarfile.FIFOTYPE)], "neither file"),
        ([entry("a"), entry("a", tarfile.DIRTYPE)], "is there twice"),
        ([entry("a/b"), entry("a", tarfile.SYMTYPE, "c")], "is there twice"),
        ([entry("a/b"), entry("A/b")], "is a where upper and lower case are one"),
        ([entry("\u00fc"), entry("u\u0308")], "where upper and lower case are one"),
        (
            [entry("here", tarfile.SYMTYPE, "."), entry("out", tarfile.SYMTYPE, "here/../x")],
            "through another link",
        ),
        (
            [entry("out", tarfile.SYMTYPE, "d/../x"), entry("d", tarfile.SYMTYPE, "e/f")],
            "through another link",
        ),
        ([entry("a", mode=0o4755)], "set-user"),
        ([entry("a", mode=0o2755)], "set-user"),
        ([entry("a\nb")], "systems read differently"),
        ([entry("a\\b")], "systems read differently"),
        ([entry("."), entry("a")], "leads out"),
    ],
)
def test_hostile_members_are_refused_and_nothing_is_left(
    tmp_path: Path, entries: list[tarfile.TarInfo], fact: str
) -> None:
    archive = hostile_tar(tmp_path / "x.tar.gz", *entries)
    with pytest.raises(ArchiveError, match=fact):
        unpack(archive, tmp_path / "out" / "here")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_hostile_zip_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as file:
        file.writestr("../x", "")
    with pytest.raises(ArchiveError, match="leads out"):
        unpack(tmp_path / "x.zip", tmp_path / "out")


def small(path: Path) -> Path:
    suffix = next(suffix for suffix in WRITERS if path.name.endswith(suffix))
    members = (Member(PurePosixPath("a"), b"one"), Member(PurePosixPath("b"), b"two"))
    WRITERS[suffix](path, members, EPOCH, FAST)
    return path


@pytest.mark.parametrize("suffix", WRITERS)
def test_an_archive_that_unpacks_to_too_much_is_refused(tmp_path: Path, suffix: str) -> None:
    archive = tmp_path / f"x{suffix}"
    WRITERS[suffix](
        archive,
        (Member(PurePosixPath("a"), bytes(5000)), Member(PurePosixPath("b"), bytes(5000))),
        EPOCH,
        FAST,
    )
    unpack(archive, tmp_path / "enough", limit=10_000)
    for limit, fact in ((9_999, "b: unpacks to more"), (4_999, "a: says it has 5000 bytes")):
        with pytest.raises(ArchiveError, match=fact):
            unpack(archive, tmp_path / "out", limit=limit)


@pytest.mark.parametrize("suffix", WRITERS)
@pytest.mark.parametrize("where", ["before", "behind"])
def test_data_around_an_archive_is_refused(tmp_path: Path, suffix: str, where: str) -> None:
    archive = small(tmp_path / f"x{suffix}")
    data, more = archive.read_bytes(), b"PK\x03\x04 something else"
    archive.write_bytes(more + data if where == "before" else data + more)
    with pytest.raises(ArchiveError, match=r"truncated or damaged|not listed|follows its end"):
        unpack(archive, tmp_path / "out")


def test_a_second_archive_behind_the_first_is_refused(tmp_path: Path) -> None:
    for suffix in (".tar.gz", ".tar.zst"):
        archive = small(tmp_path / f"x{suffix}")
        archive.write_bytes(archive.read_bytes() * 2)
        with pytest.raises(ArchiveError, match="something follows its end"):
            unpack(archive, tmp_path / "out")


def test_a_sparse_file_is_refused(tmp_path: Path) -> None:
    info = tarfile.TarInfo("a")
    info.pax_headers = {
        "GNU.sparse.major": "1",
        "GNU.sparse.minor": "0",
        "GNU.sparse.realsize": "99999999999",
    }
    with tarfile.open(tmp_path / "x.tar.gz", "w:gz", format=tarfile.PAX_FORMAT) as tar:
        info.size = 512
        tar.addfile(info, io.BytesIO(b"1\n0\n512\n".ljust(512, b"\0")))
    with pytest.raises(ArchiveError, match=r"says it has 99999999999 bytes|neither file"):
        unpack(tmp_path / "x.tar.gz", tmp_path / "out")


def test_a_zip_whose_start_and_directory_differ_is_refused(tmp_path: Path) -> None:
    data = small(tmp_path / "x.zip").read_bytes()
    start = data.rindex(b"PK\x01\x02")
    first = data.index(b"PK\x01\x02")
    assert start != first
    views = {
        "another name": data[:30] + b"z" + data[31:],
        "another size": data[:22] + b"\x02" + data[23:],
        "a member that is not listed": data.replace(data[start : data.index(b"PK\x05\x06")], b""),
    }
    for view, text_ in views.items():
        (tmp_path / "x.zip").write_bytes(text_)
        with pytest.raises(ArchiveError, match=r"truncated or damaged|two sizes|not listed"):
            unpack(tmp_path / "x.zip", tmp_path / "out")
        assert not (tmp_path / "out").exists(), view


@pytest.mark.parametrize("suffix", WRITERS)
@pytest.mark.parametrize("keep", [0.3, 0.9])
def test_a_truncated_archive_is_refused(tmp_path: Path, suffix: str, keep: float) -> None:
    archive = tmp_path / f"x{suffix}"
    noise = random.Random(1).randbytes(200_000)
    WRITERS[suffix](archive, (Member(PurePosixPath("a"), noise),), EPOCH, FAST)
    archive.write_bytes(archive.read_bytes()[: int(archive.stat().st_size * keep)])
    with pytest.raises(ArchiveError, match="truncated or damaged"):
        unpack(archive, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_exists_is_not_written_into(tmp_path: Path) -> None:
    write_text(tmp_path / "x.tar.gz", "")
    with pytest.raises(OutputError, match="exists already"):
        unpack(tmp_path / "x.tar.gz", tmp_path)


@pytest.mark.parametrize("suffix", WRITERS)
def test_an_output_folder_that_cannot_be_written_is_named(tmp_path: Path, suffix: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file"):
        WRITERS[suffix](tmp_path / "file" / f"x{suffix}", (), EPOCH, FAST)


@pytest.mark.parametrize("suffix", WRITERS)
def test_a_full_disk_leaves_no_half_archive(tmp_path: Path, suffix: str) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "none", small], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("cannot mount a small tmpfs (needs root)")
    try:
        noise = random.Random(1).randbytes(300_000)
        with pytest.raises(OutputError, match="No space left"):
            WRITERS[suffix](small / f"x{suffix}", (Member(PurePosixPath("a"), noise),), EPOCH, FAST)
        assert list(small.iterdir()) == []
    finally:
        subprocess.run(["umount", small], check=True)


def test_the_bytes_do_not_depend_on_the_number_of_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = b"".join(str(number).encode() for number in range(4_000_000))
    written = []
    for cores in (1, 2, 5):
        monkeypatch.setattr(os, "cpu_count", lambda cores=cores: cores)
        WRITERS[".tar.zst"](tmp_path / "x.tar.zst", (Member(PurePosixPath("a"), data),), EPOCH, FAST)
        written.append((tmp_path / "x.tar.zst").read_bytes())
    assert len(data) > 20_000_000
    assert written[0] == written[1] == written[2]


def test_more_effort_makes_smaller(tmp_path: Path) -> None:
    members = tuple(Member(PurePosixPath(str(n)), str(range(n)).encode() * 500) for n in range(50))
    for suffix, writer in WRITERS.items():
        writer(tmp_path / f"best{suffix}", members, EPOCH, BEST)
        writer(tmp_path / f"fast{suffix}", members, EPOCH, FAST)
        assert (tmp_path / f"best{suffix}").stat().st_size <= (tmp_path / f"fast{suffix}").stat().st_size


@pytest.mark.parametrize("suffix", WRITERS)
def test_members_are_read_without_a_folder_and_under_the_same_rules(tmp_path: Path, suffix: str) -> None:
    archive = tmp_path / f"x{suffix}"
    content = complete(of_folder(make_folder(tmp_path / "in")))
    WRITERS[suffix](archive, content, EPOCH, FAST)
    found = [(m.name, m.read(), m.link, m.mode) for m in members_of(archive)]
    assert found == [(m.name, m.read(), m.link, m.mode) for m in content]
    through = (
        Member(PurePosixPath("a"), link="b"),
        Member(PurePosixPath("b"), link="c"),
        Member(PurePosixPath("d"), link="a/x"),
    )
    WRITERS[suffix](archive, through, EPOCH, FAST)
    with pytest.raises(ArchiveError, match="through another link"):
        list(members_of(archive))
    WRITERS[suffix](archive, (Member(PurePosixPath("a"), link="/etc"),), EPOCH, FAST)
    with pytest.raises(ArchiveError, match="a link that leads out"):
        list(members_of(archive))
