"""Libraries with the symbols that ours have elsewhere, and a trap behind each: whoever calls one ends.

An interpreter of ours must not notice when they are loaded before its own libraries. A host's real
ones would say less: what they do differs from what ours do only now and then.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from manypython.elf.reading import LINKER_SYMBOLS, Symbol, dynamic_symbols
from manypython.model.errors import AuditError
from manypython.model.target import Architecture
from manypython.model.tree import Tree
from manypython.repair.symbols import ENDING
from manypython.verify.programs import compile_c

_BYTES = 4096
"""As large as any variable of a library is."""


Libraries = Mapping[Path, tuple[Symbol, ...]]
"""What each offers to other files."""


def exported(tree: Tree) -> Libraries:
    """What the grafted libraries of a tree offer to other files, linkers' own symbols apart."""
    return {
        path: tuple(
            symbol for symbol in dynamic_symbols(path) if symbol.defined and symbol.name not in LINKER_SYMBOLS
        )
        for path in sorted(tree.grafts.glob("*.so*"))
    }


def common(libraries: Libraries) -> tuple[str, ...]:
    """Each symbol that has the name it has elsewhere: ``libssl-1a2b3c4d.so.3: SSL_new``."""
    return tuple(
        f"{path.name}: {symbol.name}"
        for path, symbols in libraries.items()
        for symbol in symbols
        if not ENDING.search(symbol.name)
    )


def build(libraries: Libraries, architecture: Architecture, folder: Path, cache: Path) -> Path:
    """Compile the impostors of libraries, as one library; returns it.

    Raises:
        HostToolError: there is no compiler.
        AuditError: no symbol has a name of its own.
    """
    names: dict[str, bool] = {}
    for symbols in libraries.values():
        for symbol in symbols:
            if ENDING.search(symbol.name):
                names[ENDING.sub("", symbol.name)] = symbol.function
    if not names:
        raise AuditError("no library has symbols of its own names")
    source, library = folder / "impostors.c", folder / "impostors.so"
    source.write_text(text(names), encoding="utf-8")
    compile_c(architecture, cache, library, source, "-shared", "-fPIC", "-nostdlib")
    return library


def text(names: dict[str, bool]) -> str:
    """A C program of symbols.

    Args:
        names: of the symbols; whether each is a function, or else a variable.
    """
    lines = ["void trap(void) { __builtin_trap(); }", f"char space[{_BYTES}];"]
    for name, function in names.items():
        kind, goal = ("function", "trap") if function else ("object", "space")
        size = "" if function else f"\\n.size {name},{_BYTES}"
        lines.append(f'__asm__(".globl {name}\\n.type {name},%{kind}\\n.set {name},{goal}{size}");')
    return "\n".join((*lines, ""))
