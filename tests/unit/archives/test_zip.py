"""A zip is what its directory says, byte for byte, or it is refused before anything is written."""

from __future__ import annotations

import io
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import pytest

from manypython.archives import place
from manypython.archives.read import members, unpack
from manypython.model.errors import ArchiveError, OutputError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

DATA = b"some bytes that deflate " * 40


def packed(data: bytes) -> bytes:
    stream = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return stream.compress(data) + stream.flush()


class Fields(TypedDict, total=False):
    """What the headers of a member say, and what stands behind the local one."""

    name: bytes
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    extra: bytes
    content: bytes
    behind: bytes


def zip_of(
    path: Path,
    *rows: tuple[str, bytes, int],
    local: Fields | None = None,
    listed: Fields | None = None,
) -> Path:
    """A zip of members (name, data, mode), all deflated; `local` and `listed` replace fields of the last one."""
    body, directory = b"", b""
    for number, (name, data, mode) in enumerate(rows):
        fields: Fields = {
            "name": name.encode(), "flags": 0x800, "method": 8, "crc": zlib.crc32(data),
            "size": len(data), "extra": b"", "content": packed(data), "behind": b"",
        }  # fmt: skip
        last = number == len(rows) - 1
        here: Fields = {**fields, **(local or {})} if last else fields
        there: Fields = {**fields, "content": here["content"], **(listed or {})} if last else fields
        offset = len(body)
        for f, is_local in ((here, True), (there, False)):
            common = struct.pack(
                "<5H3L2H", 20, f["flags"], f["method"], 0, 0x21, f["crc"],
                f.get("packed", len(f["content"])), f["size"], len(f["name"]), len(f["extra"]),
            )  # fmt: skip
            if is_local:
                body += b"PK\x03\x04" + common + f["name"] + f["extra"] + f["content"] + f["behind"]
            else:
                outer = struct.pack("<3H2L", 0, 0, 0, mode << 16, offset)
                directory += b"PK\x01\x02" + struct.pack("<H", 0x314) + common + outer
                directory += f["name"] + f["extra"]
    end = struct.pack("<4H2LH", 0, 0, len(rows), len(rows), len(directory), len(body), 0)
    path.write_bytes(body + directory + b"PK\x05\x06" + end)
    return path


def file(name: str = "a", data: bytes = DATA) -> tuple[str, bytes, int]:
    return name, data, stat.S_IFREG | 0o644


def link(name: str, target: str) -> tuple[str, bytes, int]:
    return name, target.encode(), stat.S_IFLNK | 0o777


@pytest.fixture
def refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path, str], None]:
    """Expect a refusal in which no file was opened for writing."""

    def expect(archive: Path, fact: str) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(place.Destination, "file", None)
            patch.setattr(place.Destination, "folder", None)
            with pytest.raises(ArchiveError, match=fact):
                unpack(archive, tmp_path / "out/here")
        assert list((tmp_path / "out").iterdir()) == []
        with pytest.raises(ArchiveError, match=fact):
            list(members(archive))

    return expect


def test_the_hand_made_zip_is_a_zip(tmp_path: Path) -> None:
    archive = zip_of(tmp_path / "x.zip", file("d/a"), file("b", b""), link("c", "d/a"))
    assert zipfile.ZipFile(archive).testzip() is None
    assert unpack(archive, tmp_path / "out") == ("b", "c", "d/a")
    assert (tmp_path / "out/c").read_bytes() == DATA


@pytest.mark.parametrize(
    ("local", "listed", "fact"),
    [
        ({"name": b"b"}, {}, "has two names"),
        ({"method": 0}, {}, "packed in two ways"),
        ({"flags": 0}, {}, "packed in two ways"),
        ({"crc": 1}, {}, "two sizes or CRCs"),
        ({"size": 1}, {}, "two sizes or CRCs"),
        ({"packed": 1}, {}, "two sizes or CRCs"),
        ({"packed": 0xFFFFFFFF, "size": 0xFFFFFFFF}, {}, "two sizes or CRCs"),
        ({"method": 12}, {"method": 12}, "a: is packed by method 12"),
        ({"method": 0}, {"method": 0}, "a: has two sizes"),
        ({"flags": 0x801}, {"flags": 0x801}, "a: is encrypted"),
        ({"flags": 0x820}, {"flags": 0x820}, "a: is packed by method 8, flags 0x820"),
        ({"behind": b"?"}, {}, "stands before its directory"),
        ({"flags": 0x808}, {"flags": 0x808}, "two sizes or CRCs"),
        ({"name": b"a\0b"}, {"name": b"a\0b"}, "systems read differently"),
        ({"name": b"\xff"}, {"name": b"\xff"}, "truncated or damaged"),
    ],
)
def test_two_views_and_unknown_ways_are_refused(
    tmp_path: Path,
    refused: Callable[[Path, str], None],
    local: Fields,
    listed: Fields,
    fact: str,
) -> None:
    refused(zip_of(tmp_path / "x.zip", file("first"), file("a"), local=local, listed=listed), fact)


@pytest.mark.parametrize(
    ("rows", "fact"),
    [
        ((file("a"), file("a")), "a: is there twice"),
        ((file("a"), ("a/", b"", 0)), "a: is there twice"),
        ((("a/", b"", 0), file("a")), "a: is there twice"),
        ((file("a/b"), file("a")), "a: is there twice"),
        ((file("a"), file("a/b")), "a/b: lies below a, which is no folder"),
        ((file("z/b"), link("z", "y")), "z: is there twice"),
        ((link("a", ""),), "a: a link that systems read differently"),
        ((link("a", "b\0c"),), "a: a link that systems read differently"),
        ((link("a", "b" * 4097),), "a: a link with 4097 bytes"),
        ((("a", b"\xff", stat.S_IFLNK),), "truncated or damaged"),
        ((("a/", b"x", 0),), "a/: a folder with 1 bytes"),
        ((("a/", b"", stat.S_IFLNK),), "a/: neither file"),
        ((("a", b"", stat.S_IFDIR),), "a: neither file"),
        ((("a", b"", stat.S_IFCHR),), "a: neither file"),
        ((("a", b"", stat.S_IFREG | 0o4755),), "a: has a set-user"),
        ((file("d/" * 101 + "a"),), "a name that is too long"),
        ((file("d" * 1025),), "a name that is too long"),
        ((link("a", "b/../x"), link("b", "c")), "a: a link through another link"),
    ],
)
def test_hostile_members_are_refused_before_the_first_byte(
    tmp_path: Path,
    refused: Callable[[Path, str], None],
    rows: tuple[tuple[str, bytes, int], ...],
    fact: str,
) -> None:
    refused(zip_of(tmp_path / "x.zip", file("first"), *rows), fact)


@pytest.mark.parametrize("alone", [True, False])
@pytest.mark.parametrize(
    ("local", "both", "fact"),
    [
        ({"content": packed(DATA) + b"more"}, {}, "a: truncated or damaged: something follows its data"),
        ({"content": packed(DATA)[:-4]}, {}, "a: truncated or damaged"),
        ({"content": b"\xff\xff"}, {}, "a: truncated or damaged: Error -3"),
        ({}, {"size": 100}, "a: unpacks to more than it says"),
        ({"content": packed(bytes(20 << 20))}, {"size": 100}, "a: unpacks to more than it says"),
        ({"content": packed(bytes(3 << 20))}, {"size": 3 << 20}, "a: truncated or damaged: its CRC"),
        ({}, {"size": 10_000}, "a: truncated or damaged: unpacks to less"),
        ({}, {"crc": 7}, "a: truncated or damaged: its CRC differs"),
        ({"content": b""}, {"size": 0, "crc": 0}, "a: truncated or damaged: its data ends too early"),
        ({"content": packed(b"")}, {"size": 0, "crc": 1}, "a: truncated or damaged"),
    ],
)
def test_data_that_is_not_what_the_directory_says_is_refused_and_nothing_is_left(
    tmp_path: Path, alone: bool, local: Fields, both: Fields, fact: str
) -> None:
    rows = (*(file(f"d/{n}") for n in range(20)), file("a"))
    archive = zip_of(tmp_path / "x.zip", *rows, local={**local, **both}, listed=both)
    with pytest.raises(ArchiveError, match=fact):
        unpack(archive, tmp_path / "out/here", alone=alone)
    assert list((tmp_path / "out").iterdir()) == []
    with pytest.raises(ArchiveError, match=fact):
        list(members(archive))


def test_a_folder_has_no_data_to_hide(tmp_path: Path, refused: Callable[[Path, str], None]) -> None:
    empty = Fields(content=packed(b""))
    assert unpack(zip_of(tmp_path / "x.zip", ("a/", b"", 0), local=empty), tmp_path / "good") == ()
    assert (tmp_path / "good/a").is_dir()
    hidden = Fields(content=packed(b"") + b"hidden")
    refused(zip_of(tmp_path / "x.zip", ("a/", b"", 0), local=hidden), "something follows its data")


def test_sizes_may_stand_behind_the_data_and_in_64_bits(tmp_path: Path) -> None:
    class Pipe(io.RawIOBase):
        """Cannot seek, as the standard output cannot."""

        def __init__(self) -> None:
            self.data = b""

        def writable(self) -> bool:
            return True

        def write(self, data: ReadableBuffer) -> int:
            self.data += bytes(data)
            return len(bytes(data))

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as written:
        written.writestr("a", DATA)
        written.writestr("b", b"")
    (tmp_path / "x.zip").write_bytes(pipe.data)
    assert unpack(tmp_path / "x.zip", tmp_path / "pipe") == ("a", "b")
    (tmp_path / "x.zip").write_bytes(
        pipe.data.replace(b"PK\x07\x08" + pipe.data.split(b"PK\x07\x08")[1][:4], b"PK\x07\x08none", 1)
    )
    with pytest.raises(ArchiveError, match="two sizes or CRCs"):
        unpack(tmp_path / "x.zip", tmp_path / "out")
    with (
        zipfile.ZipFile(tmp_path / "wide.zip", "w") as written,
        written.open("a", "w", force_zip64=True) as wide,
    ):
        wide.write(DATA)
    assert unpack(tmp_path / "wide.zip", tmp_path / "wide") == ("a",)


@pytest.mark.parametrize("position", [0, 4, 8, 10, 12, 16, 20])
def test_every_field_of_the_end_counts(
    tmp_path: Path, refused: Callable[[Path, str], None], position: int
) -> None:
    archive = zip_of(tmp_path / "x.zip", file())
    data = bytearray(archive.read_bytes())
    data[len(data) - 22 + position] ^= 1
    archive.write_bytes(data)
    refused(archive, r"truncated or damaged|not listed")


def test_a_directory_with_more_than_the_end_says_is_refused(
    tmp_path: Path, refused: Callable[[Path, str], None]
) -> None:
    archive = zip_of(tmp_path / "x.zip", file("a"), file("b"))
    data = bytearray(archive.read_bytes())
    data[-14:-10] = struct.pack("<2H", 1, 1)
    archive.write_bytes(data)
    refused(archive, "in its directory that is not listed")
    data[-14:-10] = struct.pack("<2H", 3, 3)
    archive.write_bytes(data)
    refused(archive, "less than 3 members")


def test_links_are_made_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    before = {name: getattr(place.Destination, name) for name in ("folder", "file", "link")}

    def noted(name: str) -> Callable[..., None]:
        def effect(root: place.Destination, *words: object) -> None:
            made.append(name)
            before[name](root, *words)

        return effect

    for name in before:
        monkeypatch.setattr(place.Destination, name, noted(name))
    archive = zip_of(tmp_path / "x.zip", link("0", "z/a"), file("z/a"), link("1", "z"), file("y/b"))
    assert unpack(archive, tmp_path / "out", alone=True) == ("0", "1", "y/b", "z/a")
    effects = [name for name in made if name != "folder"]
    assert effects == ["file", "file", "link", "link"]


@pytest.mark.parametrize("alone", [True, False])
def test_a_full_disk_names_the_member_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, alone: bool
) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    archive = zip_of(tmp_path / "x.zip", *(file(f"d/{n}") for n in range(50)))
    open_before = len(list(Path("/proc/self/fd").iterdir()))
    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OutputError, match=r"here: cannot be written: d/\d+: No space left"):
        unpack(archive, tmp_path / "out/here", alone=alone)
    assert list((tmp_path / "out").iterdir()) == []
    assert len(list(Path("/proc/self/fd").iterdir())) == open_before


def test_short_writes_are_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda number, data: write(number, bytes(data[:7])))
    unpack(zip_of(tmp_path / "x.zip", file()), tmp_path / "out")
    monkeypatch.undo()
    assert (tmp_path / "out/a").read_bytes() == DATA
