#!/usr/bin/env python
"""Coverage-guided fuzzing of ``unpack``: whatever the bytes, it refuses them or stays in its folder.

``nox -s fuzz -- -max_total_time=3600`` (options are libFuzzer's). The first byte says what the rest is,
see ``SHAPES``; checksums are made right or left out, or nothing would be found behind them.
``python tests/fuzz/archives.py --seeds FOLDER`` writes the first inputs; with
``-merge=1 SMALL LARGE`` it keeps a corpus small (libFuzzer calls this file anew, hence its first line).
"""

from __future__ import annotations

import io
import os
import shutil
import stat
import struct
import sys
import tempfile
import types
import zipfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path, PurePosixPath

import atheris
import zstandard

with atheris.instrument_imports(include=["manypython.archives", "tarfile", "gzip"]):
    import gzip
    import tarfile

    from manypython.archives import unzip
    from manypython.archives.members import Member, complete
    from manypython.archives.read import members, unpack
    from manypython.archives.write import FAST, WRITERS
from manypython.model.errors import ArchiveError, OutputError

LIMIT = 1 << 20
LARGE = 255
WORDS = ("a", "b", "A", "d", ".", "..", "", "\u00e9", "e\u0301", "\\", "\n", "x" * 40)
KINDS = (stat.S_IFREG, stat.S_IFLNK, stat.S_IFDIR, 0, stat.S_IFCHR, stat.S_IFIFO)


def right_sums(tar: bytes) -> bytes:
    """A tar whose headers all have the checksum that they should have (ustar, POSIX.1-2008)."""
    blocks = bytearray(tar)
    for start in range(0, len(blocks) - 511, 512):
        if blocks[start + 257 : start + 262] == b"ustar":
            blocks[start + 148 : start + 156] = b" " * 8
            blocks[start + 148 : start + 156] = b"%06o\0 " % sum(blocks[start : start + 512])
    return bytes(blocks)


def drawn(data: bytes) -> list[tuple[str, int, int, int, bytes]]:
    """Name, kind, mode, way of packing and content of a few members that are well formed, if hostile."""
    source = atheris.FuzzedDataProvider(data)
    found: list[tuple[str, int, int, int, bytes]] = []
    while source.remaining_bytes() and len(found) < 12:
        count = source.ConsumeIntInRange(1, 4)
        name = "/".join(WORDS[source.ConsumeIntInRange(0, len(WORDS) - 1)] for _ in range(count))
        kind = KINDS[source.ConsumeIntInRange(0, len(KINDS) - 1)]
        mode = (0o644, 0o755, 0o4755, 0o1777)[source.ConsumeIntInRange(0, 3)]
        count = source.ConsumeIntInRange(0, 4)
        goal = "/".join(WORDS[source.ConsumeIntInRange(0, len(WORDS) - 1)] for _ in range(count))
        how = source.ConsumeIntInRange(0, 255)
        found.append((name, kind, mode, how, goal.encode() * (100_000 if how == LARGE else 1)))
    return found


def drawn_tar(data: bytes) -> bytes:
    stream = io.BytesIO()
    types_ = {stat.S_IFLNK: tarfile.SYMTYPE, stat.S_IFDIR: tarfile.DIRTYPE, 0: tarfile.LNKTYPE,
              stat.S_IFCHR: tarfile.CHRTYPE, stat.S_IFIFO: tarfile.FIFOTYPE}  # fmt: skip
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, kind, mode, _, content in drawn(data):
            info = tarfile.TarInfo(name)
            info.type, info.mode = types_.get(kind, tarfile.REGTYPE), mode
            if kind == stat.S_IFREG:
                info.size = len(content)
            else:
                info.linkname = content.decode()
            tar.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def drawn_zip(data: bytes) -> bytes:
    body, directory, count = b"", b"", 0
    for name, kind, mode, how, content in drawn(data):
        encoded = name.encode() + (b"/" if kind == stat.S_IFDIR else b"")
        content = b"" if kind == stat.S_IFDIR else content  # noqa: PLW2901
        packed = (zlib.compress(content, 1, -15) if how & 1 else content) + (b"x" if how & 14 == 14 else b"")
        method = 12 if how & 0x70 == 0x70 else 8 * (how & 1)
        flags = 0x800 | (how & 0x80) >> 4 | (how & 0x71 == 0x21)
        sums = (zlib.crc32(content) ^ (how & 0x74 == 0x14), len(packed), len(content) + (how & 0x7C == 8))
        common = struct.pack("<5H3L2H", 20, flags, method, 0, 0x21, *sums, len(encoded), 0)
        outer = struct.pack("<3H2L", 0, 0, 0, (kind | mode) << 16, len(body))
        directory += b"PK\x01\x02\x14\x03" + common + outer + encoded
        behind = struct.pack("<3L", *sums) if flags & 8 else b""
        body += (
            b"PK\x03\x04"
            + common
            + encoded
            + packed
            + (b"PK\x07\x08" if how & 2 and behind else b"")
            + behind
        )
        count += 1
    end = struct.pack("<4H2LH", 0, 0, count, count, len(directory), len(body), 0)
    return body + directory + b"PK\x05\x06" + end


SHAPES: tuple[tuple[str, Callable[[bytes], bytes]], ...] = (
    (".zip", bytes),
    (".zip", bytes),  # checksums left out
    (".zip", drawn_zip),
    (".tar.gz", lambda data: gzip.compress(right_sums(data), 1)),
    (".tar.gz", lambda data: gzip.compress(drawn_tar(data), 1)),
    (".tar.zst", lambda data: zstandard.compress(right_sums(data), 1)),
    (".tar.zst", bytes),
    (".tar.gz", bytes),
)
NO_SUMS = 1


def check_tree(into: Path, names: tuple[str, ...]) -> None:
    """Files, folders and links, nothing special, no link that leads out, not too much, all of it named."""
    total, found = 0, []
    top = os.path.realpath(into)
    for folder, folders, files in os.walk(into):
        for name in (*folders, *files):
            path = os.path.join(folder, name)
            facts = os.lstat(path)
            if not stat.S_ISDIR(facts.st_mode):
                found.append(os.path.relpath(path, into))
            if stat.S_ISLNK(facts.st_mode):
                goal = os.path.realpath(path)
                assert goal == top or goal.startswith(f"{top}/"), f"{path} leads to {goal}"
                continue
            assert stat.S_ISREG(facts.st_mode) or stat.S_ISDIR(facts.st_mode), path
            assert stat.S_IMODE(facts.st_mode) in (0o644, 0o755), path
            total += facts.st_size if stat.S_ISREG(facts.st_mode) else 0
    assert total <= LIMIT, total
    assert tuple(sorted(found)) == names, (found, names)


def try_one(place: Path, data: bytes) -> None:
    if not data:
        return
    shape = data[0] % len(SHAPES)
    suffix, wrap = SHAPES[shape]
    sums = types.SimpleNamespace(**vars(zlib))
    if shape == NO_SUMS:
        sums.crc32 = lambda *_: 0
    vars(unzip)["zlib"] = sums
    with suppress(ValueError):  # of tarfile, where it cannot write such a name
        try_archive(place, suffix, wrap(data[1:]))


def try_archive(place: Path, suffix: str, content: bytes) -> None:
    archive, parent = place / f"x{suffix}", place / "parent"
    archive.write_bytes(content)
    parent.mkdir()
    try:
        try:
            names = unpack(archive, parent / "into", limit=LIMIT, alone=True)
        except (ArchiveError, OutputError) as error:
            assert not list(parent.iterdir()), "something is left"
            refused: Exception | None = error
        else:
            assert [path.name for path in parent.iterdir()] == ["into"]
            check_tree(parent / "into", names)
            refused = None
        assert {path.name for path in place.iterdir()} == {archive.name, "parent"}
        try:
            read = sorted({str(m.name) for m in members(archive, limit=LIMIT) if not m.is_folder})
        except ArchiveError:
            assert refused, "members() refuses what unpack() takes"
        else:
            assert isinstance(refused, OutputError) or (not refused and tuple(read) == names)
    except ValueError as error:
        raise AssertionError("not an error of ours") from error
    finally:
        shutil.rmtree(parent)
        archive.unlink()


def write_seeds(folder: Path) -> None:
    """The first inputs: one small archive of each shape, and long headers of each kind."""
    folder.mkdir(parents=True, exist_ok=True)
    chosen = complete(
        [
            Member(PurePosixPath("d/a"), b"print()\n" * 20),
            Member(PurePosixPath("d/run"), b"#!", executable=True),
            Member(PurePosixPath("d/l"), link="a"),
        ]
    )
    wrapped = {}
    for suffix, writer in WRITERS.items():
        writer(folder / "x", chosen, 1_700_000_000, FAST)
        wrapped[suffix] = (folder / "x").read_bytes()
    (folder / "x").unlink()
    zipped = bytearray(wrapped[".zip"])
    position = -1
    for mark, offset in ((b"PK\x03\x04", 14), (b"PK\x01\x02", 16)):
        while (position := zipped.find(mark, position + 1)) >= 0:
            zipped[position + offset : position + offset + 4] = bytes(4)
    tar = gzip.decompress(wrapped[".tar.gz"])[:6144]
    long = io.BytesIO()
    info = tarfile.TarInfo("n" * 120)
    info.type, info.linkname = tarfile.SYMTYPE, "t" * 120
    with tarfile.open(fileobj=long, mode="w", format=tarfile.GNU_FORMAT) as written:
        written.addfile(info)
    sparse = tarfile.TarInfo("s")
    sparse.pax_headers = {
        "GNU.sparse.major": "1",
        "GNU.sparse.minor": "0",
        "GNU.sparse.realsize": "5",
        "size": "9",
    }
    holes = sparse.tobuf(tarfile.PAX_FORMAT) + bytes(1024)
    skipped = b"\x50\x2a\x4d\x18\3\0\0\0abc" + wrapped[".tar.zst"]
    wide = io.BytesIO()
    with zipfile.ZipFile(wide, "w") as zipped_wide, zipped_wide.open("a", "w", force_zip64=True) as content:
        content.write(b"wide")
    seeds = {
        "zip-wide": b"\0" + wide.getvalue(), "zstd-skipped": b"\6" + skipped,
        "zip": b"\0" + wrapped[".zip"], "zip-no-sums": b"\1" + zipped,
        "drawn-zip": b"\2" + bytes(range(60)), "drawn-tar": b"\4" + bytes(range(60)),
        "tar": b"\3" + tar, "tar-in-zstd": b"\5" + tar, "zstd": b"\6" + wrapped[".tar.zst"],
        "gzip": b"\7" + wrapped[".tar.gz"], "tar-gnu": b"\3" + long.getvalue()[:4096], "tar-sparse": b"\3" + holes,
    }  # fmt: skip
    for name, seed in seeds.items():
        (folder / name).write_bytes(seed)


def main() -> None:
    """Fuzz, with libFuzzer's options."""
    if sys.argv[1:2] == ["--seeds"]:
        write_seeds(Path(sys.argv[2]))
        return
    place = Path(tempfile.mkdtemp())  # libFuzzer ends without a farewell: who starts it clears TMPDIR
    atheris.Setup(sys.argv, lambda data: try_one(place, data))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
