from __future__ import annotations

import sysconfig
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manypython import process
from manypython.elf.patching import patch
from manypython.elf.strip import strip


@pytest.mark.parametrize("name", ["main", "libouter.so.1", "libinner.so.2"])
def test_stripping_makes_smaller_and_twice_is_once(binaries: Path, name: str) -> None:
    data = (binaries / name).read_bytes()
    stripped = strip(data)
    assert len(stripped) < len(data)
    assert b".debug_info" not in stripped
    assert strip(stripped) == stripped


def test_a_stripped_program_still_runs_and_can_be_patched(binaries: Path, tmp_path: Path) -> None:
    for name in ("main", "libouter.so.1", "libinner.so.2"):
        (tmp_path / name).write_bytes(strip((binaries / name).read_bytes()))
        (tmp_path / name).chmod(0o755)
        patch(tmp_path / name, rpath="$ORIGIN")
    assert process.run((tmp_path / "main",), env={}).output == "42\n"


def test_real_extension_modules_lose_nothing_that_is_loaded() -> None:
    folder = Path(sysconfig.get_path("stdlib"), "lib-dynload")
    modules = sorted(folder.glob("*.so"))[:10]
    assert modules
    for path in modules:
        data = path.read_bytes()
        stripped = strip(data)
        # everything up to the section headers of the new file stands in the old one
        assert stripped[64:4096] == data[64:4096]


@given(st.binary(max_size=200))
def test_what_is_no_elf_file_comes_back_unchanged(data: bytes) -> None:
    assert strip(data) == data


@pytest.mark.parametrize("place", ["e_phoff", "e_shoff", "sh_name"])
def test_a_file_whose_tables_lead_nowhere_comes_back_unchanged(binaries: Path, place: str) -> None:
    data = bytearray((binaries / "libinner.so.2").read_bytes())
    first = int.from_bytes(data[40:48], "little") + 64
    start, length = {"e_phoff": (32, 8), "e_shoff": (40, 8), "sh_name": (first, 4)}[place]
    data[start : start + length] = (0x7FFFFF00).to_bytes(length, "little")
    assert strip(bytes(data)) == bytes(data)
