"""A tar is one stream with one end, and its headers are bounded."""

from __future__ import annotations

import gzip
import io
import random
import tarfile
from pathlib import Path

import pytest
import zstandard

from manypython.archives.read import members, unpack
from manypython.model.errors import ArchiveError

NOISE = random.Random(1).randbytes(300_000)


def tar_of(*entries: tuple[tarfile.TarInfo, bytes], kind: int = tarfile.PAX_FORMAT) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=kind) as tar:
        for info, data in entries:
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return stream.getvalue()


def file(name: str = "a", data: bytes = b"data") -> tuple[tarfile.TarInfo, bytes]:
    return tarfile.TarInfo(name), data


def link(name: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = tarfile.SYMTYPE, target
    return info, b""


def header(kind: bytes, size: int) -> bytes:
    info = tarfile.TarInfo("a")
    info.type, info.size = kind, size
    return info.tobuf(tarfile.GNU_FORMAT)


def gz(path: Path, data: bytes) -> Path:
    path.write_bytes(gzip.compress(data))
    return path


def refused(archive: Path, fact: str) -> None:
    out = archive.parent / "out"
    with pytest.raises(ArchiveError, match=fact):
        unpack(archive, out / "here")
    assert list(out.iterdir()) == []
    with pytest.raises(ArchiveError, match=fact):
        list(members(archive))


@pytest.mark.parametrize("kind", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_long_names_and_links_come_back(tmp_path: Path, kind: int) -> None:
    name, target = "d/" * 90 + "n" * 200, "t" * 250
    archive = gz(tmp_path / "x.tar.gz", tar_of(file(name), link("l", target), kind=kind))
    assert unpack(archive, tmp_path / "out") == (name, "l")
    assert (tmp_path / "out/l").readlink().name == target


@pytest.mark.parametrize(
    ("data", "fact"),
    [
        (b"", "truncated or damaged: empty"),
        (tar_of(file())[:1024], "has no end"),
        (tar_of(file())[:1500], "has no end"),
        (tar_of(file())[:700], "truncated or damaged"),
        (tar_of(file())[:1024] + b"x" * 512, "something follows its end"),
        (tar_of(file())[:1024] + b"\0" * 512 + b"x", "something follows its end"),
        (tar_of(file()) * 2, "something follows its end"),
        (tar_of(file()) + bytes(2 << 20), "something follows its end"),
        (b"x" * 2000, "truncated or damaged"),
        (tar_of(link("a", "")), "a: a link that systems read differently"),
        (tar_of(link("a", "b\nc")), "a: a link that systems read differently"),
        (tar_of(file("d/" * 101 + "a")), "a name that is too long"),
        (header(tarfile.XHDTYPE, 1 << 30) + bytes(2048), "a header of more than"),
        (header(tarfile.GNUTYPE_LONGNAME, 1 << 30) + bytes(2048), "a header of more than"),
        (header(tarfile.GNUTYPE_SPARSE, 0) + bytes(2048), "a: neither file"),
        (header(tarfile.XHDTYPE, -512) + bytes(2048), r"a header of more than|truncated or damaged"),
        (
            header(tarfile.REGTYPE, -512) + bytes(2048),
            r"a: says it has -512 bytes|truncated or damaged: invalid offset",
        ),
        ((header(tarfile.XGLTYPE, 512) + b"9 a=bcde\n".ljust(512, b"\0")) * 20, "header of more than 16384"),
    ],
)
def test_damaged_tars_are_refused(tmp_path: Path, data: bytes, fact: str) -> None:
    refused(gz(tmp_path / "x.tar.gz", data), fact)


def test_a_sparse_map_without_end_is_not_read_into_memory(tmp_path: Path) -> None:
    info, data = file("a", b"9" * 4000 + b"\n" + b"1" * (1 << 20))
    info.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "5"}
    refused(gz(tmp_path / "x.tar.gz", tar_of((info, data))), "header of more than 16384|truncated or damaged")


@pytest.mark.parametrize("cut", [1, 3, 4, 5, 7, 200_000])
def test_a_zstd_frame_that_is_cut_off_is_refused(tmp_path: Path, cut: int) -> None:
    data = zstandard.ZstdCompressor(write_checksum=True).compress(tar_of(file("a", NOISE)))
    (tmp_path / "x.tar.zst").write_bytes(data[:-cut])
    refused(tmp_path / "x.tar.zst", "truncated or damaged")


def test_frames_of_every_shape_are_passed(tmp_path: Path) -> None:
    data = tar_of(file("a", NOISE + bytes(300_000)))
    path = tmp_path / "x.tar.zst"
    streamed = zstandard.ZstdCompressor(write_content_size=False).compressobj()
    shapes = {
        "several": b"".join(
            zstandard.compress(part) for part in (data[:100], data[100:70_000], data[70_000:])
        ),
        "skipped": b"\x50\x2a\x4d\x18\x03\0\0\0abc" + zstandard.compress(data),
        "streamed": streamed.compress(data) + streamed.flush(),
    }
    for shape, content in shapes.items():
        path.write_bytes(content)
        assert unpack(path, tmp_path / shape) == ("a",)
        path.write_bytes(content + b"x")
        refused(path, "truncated or damaged")
    for content in (b"", b"\x50\x2a\x4d\x18\xff\xff\xff\xff", b"\x28\xb5\x2f\xfd\0\0\7\0\0"):
        path.write_bytes(content)
        refused(path, "truncated or damaged")


def test_a_checksum_that_differs_is_refused(tmp_path: Path) -> None:
    data = bytearray(zstandard.ZstdCompressor(write_checksum=True).compress(tar_of(file())))
    data[-1] ^= 1
    (tmp_path / "x.tar.zst").write_bytes(data)
    refused(tmp_path / "x.tar.zst", "truncated or damaged")
    packed = bytearray(gzip.compress(tar_of(file())))
    packed[-5] ^= 1
    (tmp_path / "x.tar.gz").write_bytes(packed)
    refused(tmp_path / "x.tar.gz", "truncated or damaged")
