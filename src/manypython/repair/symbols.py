"""Plan names that nobody else uses for the symbols of grafted libraries.

A soname of its own does not keep another library out: a symbol is looked up in the program, its
libraries and ``LD_PRELOAD`` first, then in what a file itself needs (ld.so(8)). So a host's
libcrypto, loaded by Apache or by an embedding program, would answer for ours. Every symbol that the
grafts export gets the same ending, in them and in all their users: among themselves nothing changes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath

from manypython.elf.policies import everywhere
from manypython.elf.reading import LINKER_SYMBOLS, Symbol, dynamic_symbols
from manypython.repair.audit import AuditReport
from manypython.repair.edits import Plan, RenameSymbols
from manypython.repair.graft import places_of


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
    names, places = _names(report, symbols), places_of(report)
    digests = sorted(library.sha256 for library in report.libraries.values())
    ending = f"_{hashlib.sha256(''.join(digests).encode()).hexdigest()[:8]}"
    edits: dict[PurePosixPath, RenameSymbols] = {}
    for path in _users(report, files):
        place = places.get(path) or report.layout.inside(path)
        used = tuple(sorted(names & {symbol.name for symbol in symbols[path]}))
        if place is not None and used:
            edits[place] = RenameSymbols(place, used, ending)
    return tuple(edits.values())


def _names(report: AuditReport, symbols: Mapping[Path, tuple[Symbol, ...]]) -> frozenset[str]:
    """The names of symbols that are nobody else's concern.

    Args:
        report: of the tree.
        symbols: of every file of the tree, and of what is brought in.
    """
    libc = report.layout.libc
    kept = {
        symbol.name
        for own in symbols.values()
        for symbol in own
        if not symbol.defined and symbol.library and everywhere(libc, symbol.library)
    }
    scope = {path for user in _users(report, tuple(symbols)) for path in (user, *_loaded(report, user))}
    exports: set[str] = set()
    for path in scope & symbols.keys():
        for symbol in symbols[path]:
            if symbol.defined:
                (exports if path in report.libraries and not symbol.unique else kept).add(symbol.name)
    return frozenset(exports - kept - LINKER_SYMBOLS)


def _users(report: AuditReport, files: Iterable[Path]) -> Iterator[Path]:
    """The files that are brought in, or load one that is, directly or through others."""
    for path in files:
        if path in report.libraries or _loaded(report, path) & report.libraries.keys():
            yield path


def _loaded(report: AuditReport, path: Path) -> set[Path]:
    """Everything that is loaded with a file, but the system's own libraries."""
    visited: set[Path] = set()
    queue = [path]
    while queue:
        for find in report.finds_of(queue.pop()):
            if find.path and find.path not in visited:
                visited.add(find.path)
                queue.append(find.path)
    return visited
