from __future__ import annotations

import inspect
from pathlib import Path

import pytest
from auditwheel import elfutils, lddtree
from auditwheel.architecture import Architecture as AuditwheelArchitecture
from auditwheel.libc import Libc
from auditwheel.patcher import ElfPatcher
from auditwheel.policy import Policy, WheelPolicies

from manypython.model.errors import AuditError
from manypython.model.target import Architecture, LibcFamily
from manypython.repair import elf


def test_the_parts_of_auditwheel_that_we_use_are_where_they_were() -> None:
    """auditwheel promises no API: this fails when one of its parts has moved."""
    assert {"path", "ldpaths", "exclude"} <= inspect.signature(lddtree.ldd).parameters.keys()
    assert {"interpreter", "platform"} <= inspect.signature(lddtree.DynamicExecutable).parameters.keys()
    assert {"conf", "env"} <= lddtree.load_ld_paths.__wrapped__(Libc.GLIBC).keys()
    assert "whitelist" in inspect.signature(Policy).parameters
    for name in ("set_soname", "replace_needed", "set_rpath", "clear_rpath", "apply_updates"):
        assert callable(getattr(ElfPatcher, name))
    policies = WheelPolicies(libc=Libc.GLIBC, arch=AuditwheelArchitecture.x86_64)
    assert list(policies._policies) == list(policies)
    assert callable(elfutils.elf_find_versioned_symbols)


def test_only_the_libc_family_is_allowed() -> None:
    ours = elf.Policies(LibcFamily.GLIBC, Architecture.X86_64)
    for policy in ours.policies:
        if policy.name.startswith("manylinux"):
            assert "libc.so.6" in policy.whitelist
            assert not {"libz.so.1", "libX11.so.6", "libexpat.so.1", "libGL.so.1"} & policy.whitelist


def test_an_elf_file_is_read(binaries: Path) -> None:
    reader = elf.Reader(binaries, elf.Policies(LibcFamily.GLIBC, Architecture.X86_64))
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
    reader = elf.Reader(tmp_path, elf.Policies(LibcFamily.GLIBC, Architecture.X86_64))
    with pytest.raises(AuditError, match=r"broken\.so"):
        reader.read(path)


def test_wanted_symbols_have_names_versions_and_libraries(binaries: Path) -> None:
    wanted = elf.wanted_symbols(binaries / "main")
    assert "printf" in {symbol.name for symbol in wanted}
    assert {symbol.library for symbol in wanted} == {"libc.so.6"}


def test_patching_sets_rpath_and_not_runpath(binaries: Path, tmp_path: Path) -> None:
    path = tmp_path / "libouter.so.1"
    path.write_bytes((binaries / "libouter.so.1").read_bytes())
    elf.patch(path, soname="new.so", needed=[("libinner.so.2", "other.so")], rpath="$ORIGIN/x")
    file = elf.Reader(tmp_path, elf.Policies(LibcFamily.GLIBC, Architecture.X86_64)).read(path)
    assert (file.soname, file.needed[0], file.rpath, file.runpath) == (
        "new.so",
        "other.so",
        "$ORIGIN/x",
        "",
    )
    elf.patch(path, rpath="")
    again = elf.Reader(tmp_path, elf.Policies(LibcFamily.GLIBC, Architecture.X86_64)).read(path)
    assert again.rpath == ""
