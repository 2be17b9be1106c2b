"""What the ELF files of a tree contain, read with parts of auditwheel and pyelftools."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from auditwheel.elfutils import elf_find_versioned_symbols
from auditwheel.lddtree import DynamicExecutable, ldd, load_ld_paths
from auditwheel.libc import Libc
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection, GNUVerSymSection
from elftools.elf.sections import SymbolTableSection

from manypython.elf.policies import Policies
from manypython.model.errors import AuditError, UsageError
from manypython.model.target import LibcFamily

_MAGIC = b"\x7fELF"
_KINDS = (b"\x02\x00", b"\x03\x00", b"\x00\x02", b"\x00\x03")
"""ET_EXEC and ET_DYN, in the byte order of x86 and in that of s390x (elf(5))."""


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
    """One ELF file of a tree, and what it needs from the system."""

    path: PurePosixPath
    versions: tuple[tuple[str, str], ...]
    """Symbol versions it needs: (library, ``GLIBC_2.17``)."""
    policy: str
    """The lowest platform tag its symbol versions allow."""
    strippable: bool
    """Whether it has sections that no running program needs."""
    external: tuple[str, ...] = ()
    """Names of what it needs, directly or through others, from outside the tree."""


@dataclass(frozen=True)
class Symbol:
    """An entry of a file's ``.dynsym`` that other files see, or that it asks them for."""

    name: str
    defined: bool
    unique: bool = False
    """Whether there is only one in the process (``STB_GNU_UNIQUE``)."""
    function: bool = True
    """Whether it is code, not data."""
    version: str = ""
    """Of an undefined one: the version it asks for."""
    library: str = ""
    """Of an undefined one: whose version that is."""


LINKER_SYMBOLS = frozenset(
    ("_init", "_fini", "_start", "_edata", "_end", "__bss_start", "data_start", "__data_start")
)
"""What linkers define in every file."""


def is_elf(path: Path) -> bool:
    """Whether a file is an ELF executable or shared library (not an object file)."""
    with contextlib.suppress(OSError), path.open("rb") as file:
        header = file.read(18)
        return header[:4] == _MAGIC and header[16:18] in _KINDS
    return False


def elf_paths(root: Path) -> Iterator[Path]:
    """Every regular ELF file below a folder, in a fixed order."""
    for folder, folders, files in os.walk(root):
        folders.sort()
        for name in sorted(files):
            path = Path(folder, name)
            if _is_regular(path) and is_elf(path):  # a FIFO would not come back
                yield path


def _is_regular(path: Path) -> bool:
    """Whether it is a plain file, and still there: bytecode is compiled beside the reading, and renamed."""
    with contextlib.suppress(FileNotFoundError):
        return stat.S_ISREG(path.lstat().st_mode)
    return False


@contextlib.contextmanager
def elf_file(path: Path) -> Iterator[ELFFile]:
    """One ELF file, for as long as the block reads it.

    Raises:
        AuditError: it is broken; pyelftools raises all kinds of errors for a damaged file.
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
        """Read one file; ``loading`` finds out what is loaded for its needs.

        Raises:
            AuditError: the file is broken.
            CompanionError: it holds only debug information.
        """
        with elf_file(path) as elf:
            if _is_companion(elf):
                raise CompanionError(f"{path}: is debug information, apart from its program")
            versions = tuple(sorted(set(elf_find_versioned_symbols(elf))))
            strippable = any(
                not section["sh_flags"] & 2 and section.name not in ("", ".shstrtab")
                for section in elf.iter_sections()
            )
            linked = _linkage(path)
        versions_by_library: dict[str, set[str]] = {}
        for library, version in versions:
            versions_by_library.setdefault(library, set()).add(version)
        return ElfFile(
            **vars(linked),
            path=PurePosixPath(path.relative_to(self.root)),
            versions=versions,
            policy=self.policies.policies.versioned_symbols_policy(versions_by_library).name,
            strippable=strippable,
        )


def _is_companion(elf: ELFFile) -> bool:
    """Whether the section that the dynamic linker would read is in the file's table but has no bytes."""
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
        machine = str(elf["e_machine"]).removeprefix("EM_")
    alone = ldd(path, ldpaths={"conf": [], "env": [], "interp": []}, exclude=frozenset("*"))
    return Linkage(_machine(alone) or machine, soname, needed, rpath, runpath, alone.interpreter is not None)


def system_folders(libc: LibcFamily) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Where libraries are looked for besides rpaths: the environment's folders, then the system's.

    The environment is ``AUDITWHEEL_LD_LIBRARY_PATH`` and ``LD_LIBRARY_PATH``, as auditwheel has it.

    Raises:
        UsageError: the environment's folders are relative to a file.
    """
    try:
        paths = load_ld_paths.__wrapped__(Libc.GLIBC if libc is LibcFamily.GLIBC else Libc.MUSL)
    except ValueError as error:
        raise UsageError(f"LD_LIBRARY_PATH: {error}", remedy="name folders, or use --search DIR") from None
    return tuple(paths["env"]), tuple(paths["conf"])


def dynamic_symbols(path: Path) -> tuple[Symbol, ...]:
    """The global symbols of a file: what it offers, and what it asks for. Names of versions are left out.

    Raises:
        AuditError: the file is broken.
    """
    with elf_file(path) as elf:
        needs: dict[int, tuple[str, str]] = {}
        table, versions, nothing = None, None, ("", "")
        for section in elf.iter_sections():
            if isinstance(section, GNUVerNeedSection):
                for need, entries in section.iter_versions():
                    needs.update({entry["vna_other"]: (entry.name, need.name) for entry in entries})
            elif isinstance(section, GNUVerSymSection):
                versions = section
            elif isinstance(section, SymbolTableSection) and section.name == ".dynsym":
                table = section
        symbols = []
        for index, symbol in enumerate(table.iter_symbols() if table else ()):
            binding, kind = symbol["st_info"]["bind"], symbol["st_info"]["type"]
            if binding == "STB_LOCAL" or symbol["st_shndx"] == "SHN_ABS":
                continue
            defined = symbol["st_shndx"] != "SHN_UNDEF"
            number = 0 if versions is None or defined else versions.get_symbol(index)["ndx"]
            version, library = needs.get(number, nothing)
            unique, function = binding == "STB_LOOS", kind in ("STT_FUNC", "STT_LOOS")
            symbols.append(Symbol(symbol.name, defined, unique, function, version, library))
        return tuple(symbols)


def _machine(tree: DynamicExecutable) -> str:
    """An architecture as platform tags have it; empty where it is none of theirs."""
    try:
        return str(tree.platform.baseline_architecture.value)
    except ValueError:
        return ""


def _tags(elf: ELFFile, tag: str) -> Iterator[str]:
    attribute = tag.removeprefix("DT_").lower()
    for segment in elf.iter_segments("PT_DYNAMIC"):
        for entry in segment.iter_tags(tag):  # type: ignore[attr-defined]
            yield str(getattr(entry, attribute))
