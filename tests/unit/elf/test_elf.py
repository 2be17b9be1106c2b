from __future__ import annotations

import inspect
import os
from pathlib import Path

import pytest
from auditwheel import elfutils, lddtree
from auditwheel.architecture import Architecture as AuditwheelArchitecture
from auditwheel.libc import Libc
from auditwheel.policy import WheelPolicies

from manypython.elf.patching import patch
from manypython.elf.policies import Policies, everywhere
from manypython.elf.reading import Reader, dynamic_symbols, elf_paths, linkage
from manypython.model.errors import AuditError
from manypython.model.target import Architecture, LibcFamily


def test_the_parts_of_auditwheel_that_we_use_are_where_they_were() -> None:
    """auditwheel promises no API: this fails when one of its parts has moved."""
    assert {"path", "ldpaths", "exclude"} <= inspect.signature(lddtree.ldd).parameters.keys()
    assert {"interpreter", "platform"} <= inspect.signature(lddtree.DynamicExecutable).parameters.keys()
    assert {"conf", "env"} <= lddtree.load_ld_paths.__wrapped__(Libc.GLIBC).keys()
    policies = WheelPolicies(libc=Libc.GLIBC, arch=AuditwheelArchitecture.x86_64)
    assert policies.get_policy_by_name(policies.highest.name) == policies.highest
    assert callable(elfutils.elf_find_versioned_symbols)


def test_only_the_libc_family_is_everywhere() -> None:
    assert everywhere(LibcFamily.GLIBC, "libc.so.6")
    assert everywhere(LibcFamily.GLIBC, "ld-linux-x86-64.so.2")
    for soname in ("libz.so.1", "libX11.so.6", "libexpat.so.1", "libGL.so.1"):
        assert not everywhere(LibcFamily.GLIBC, soname)


def test_a_file_that_is_renamed_while_the_folder_is_read_is_passed_over(tmp_path: Path) -> None:
    """Bytecode is compiled beside the reading; its files have another name for a moment."""
    header = b"\x7fELF" + bytes(12) + b"\x03\x00"
    for name in ("a.so", "b.pyc.tmp", "c.so"):
        (tmp_path / name).write_bytes(header)
    paths = elf_paths(tmp_path)
    assert next(paths) == tmp_path / "a.so"
    (tmp_path / "b.pyc.tmp").rename(tmp_path / "b.pyc")
    assert list(paths) == [tmp_path / "c.so"]


def test_two_policies_in_one_process_do_not_meet() -> None:
    plain = list(WheelPolicies(libc=Libc.GLIBC, arch=AuditwheelArchitecture.x86_64))
    one = Policies(LibcFamily.GLIBC, Architecture.X86_64)
    other = Policies(LibcFamily.GLIBC, Architecture.AARCH64)
    assert (
        list(one.policies)
        == plain
        == list(WheelPolicies(libc=Libc.GLIBC, arch=AuditwheelArchitecture.x86_64))
    )
    assert not set(one.names()) & set(other.names())


def test_patching_leaves_the_environment_alone(
    binaries: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    path = tmp_path / "libouter.so.1"
    path.write_bytes((binaries / "libouter.so.1").read_bytes())
    patch(path, soname="new.so")
    assert os.environ["PATH"] == "/usr/bin:/bin"
    assert linkage(path).soname == "new.so"  # type: ignore[union-attr]


def test_an_elf_file_is_read(binaries: Path) -> None:
    reader = Reader(binaries, Policies(LibcFamily.GLIBC, Architecture.X86_64))
    file = reader.read(binaries / "libouter.so.1")
    assert file.soname == "libouter.so.1"
    assert file.needed[0] == "libinner.so.2"
    assert file.architecture == __import__("os").uname().machine
    assert file.strippable
    assert not file.program
    assert reader.read(binaries / "main").program


def test_a_broken_file_is_named(tmp_path: Path, binaries: Path) -> None:
    path = tmp_path / "broken.so"
    path.write_bytes((binaries / "main").read_bytes()[:100])
    reader = Reader(tmp_path, Policies(LibcFamily.GLIBC, Architecture.X86_64))
    with pytest.raises(AuditError, match=r"broken\.so"):
        reader.read(path)


def test_wanted_symbols_have_names_versions_and_libraries(binaries: Path) -> None:
    wanted = [symbol for symbol in dynamic_symbols(binaries / "main") if symbol.version]
    assert "printf" in {symbol.name for symbol in wanted}
    assert {symbol.library for symbol in wanted} == {"libc.so.6"}
    assert not any(symbol.defined for symbol in wanted)


def test_patching_sets_rpath_and_not_runpath(binaries: Path, tmp_path: Path) -> None:
    path = tmp_path / "libouter.so.1"
    path.write_bytes((binaries / "libouter.so.1").read_bytes())
    patch(path, soname="new.so", needed=[("libinner.so.2", "other.so")], rpath="$ORIGIN/x")
    file = Reader(tmp_path, Policies(LibcFamily.GLIBC, Architecture.X86_64)).read(path)
    assert (file.soname, file.needed[0], file.rpath, file.runpath) == (
        "new.so",
        "other.so",
        "$ORIGIN/x",
        "",
    )
    patch(path, rpath="")
    again = Reader(tmp_path, Policies(LibcFamily.GLIBC, Architecture.X86_64)).read(path)
    assert again.rpath == ""
