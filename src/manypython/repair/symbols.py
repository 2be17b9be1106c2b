"""Plan names that nobody else uses for the symbols of grafted libraries.

A soname of its own does not keep another library out: a symbol is looked up in the program, its
libraries and ``LD_PRELOAD`` first, then in what a file itself needs (ld.so(8)). So a host's
libcrypto, loaded by Apache or by an embedding program, would answer for ours. Every symbol that the
grafts export gets the same ending, in them and in all their users: among themselves nothing changes.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from manypython.elf.policies import everywhere
from manypython.elf.reading import LINKER_SYMBOLS, Symbol, dynamic_symbols
from manypython.repair.audit import AuditReport
from manypython.repair.edits import Plan, RenameSymbols
from manypython.repair.graft import places_of
from manypython.repair.libraries import reached

ENDING = re.compile(r"_[0-9a-f]{8}\Z")
"""What is put behind names."""


def plan_symbols(report: AuditReport) -> Plan:
    """Rename what the libraries to be brought in export, in them and in every file that loads one.

    A name stays where somebody else has a say in it:

    - another file that is loaded together with the library defines it too (it overrides the library's, or
      a linker copied the library's variable into the program);
    - a file asks a system's library for it (the library's ``malloc`` replaces libc's);
    - it is unique in the process on purpose (``STB_GNU_UNIQUE``).

    What is looked up by its name with dlsym(3) is not found any more in the default scope. Who looks
    in a library opened it by a soname, and that changes already when it is grafted.

    Raises:
        AuditError: a file is broken.
    """
    if not report.libraries:
        return ()
    files = (*report.libraries, *(Path(report.layout.root, file.path) for file in report.files))
    symbols = {path: dynamic_symbols(path) for path in files}
    users = _users(report, files)
    names, places = _names(report, symbols, users), places_of(report)
    digests = sorted(library.sha256 for library in report.libraries.values())
    ending = f"_{hashlib.sha256(''.join(digests).encode()).hexdigest()[:8]}"
    edits: dict[PurePosixPath, RenameSymbols] = {}
    for path in users:
        place = places.get(path) or report.layout.inside(path)
        used = tuple(sorted(names & {symbol.name for symbol in symbols[path]}))
        if place is not None and used:
            edits[place] = RenameSymbols(place, used, ending)
    return tuple(edits.values())


def _names(
    report: AuditReport, symbols: Mapping[Path, tuple[Symbol, ...]], users: Mapping[Path, frozenset[Path]]
) -> frozenset[str]:
    """The names of symbols that are nobody else's concern.

    Args:
        report: of the tree.
        symbols: of every file of the tree, and of what is brought in.
        users: what ``_users`` returned.
    """
    libc = report.layout.libc
    kept = {
        symbol.name
        for own in symbols.values()
        for symbol in own
        if not symbol.defined and symbol.library and everywhere(libc, symbol.library)
    }
    scope = frozenset(users).union(*users.values())
    exports: set[str] = set()
    for path in scope & symbols.keys():
        for symbol in symbols[path]:
            if symbol.defined:
                (exports if path in report.libraries and not symbol.unique else kept).add(symbol.name)
    return frozenset(exports - kept - LINKER_SYMBOLS)


def _users(report: AuditReport, files: Iterable[Path]) -> dict[Path, frozenset[Path]]:
    """The files that are brought in, or load one that is; each with everything that is loaded with it."""
    loaded = {path: frozenset(f.path for f in reached(report.finds, path) if f.path) for path in files}
    libraries = report.libraries.keys()
    return {path: paths for path, paths in loaded.items() if path in libraries or paths & libraries}
