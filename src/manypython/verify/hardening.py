"""What protects each ELF file that we ship, and what clashes between them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from pathlib import Path, PurePosixPath

from manypython.elf.hardening import Hardening, hardening
from manypython.elf.reading import LINKER_SYMBOLS, elf_paths
from manypython.model.tree import GRAFTS, Tree

_SMALL = 16_384
"""Bytes of code below which a file may have no frame to guard."""
_PLAIN = frozenset(
    f"{prefix}{name}" for prefix in ("", "v") for name in ("printf", "fprintf", "dprintf", "asprintf")
)
"""With ``_FORTIFY_SOURCE`` each call of these becomes one of its checked twin (``__printf_chk``).

Not ``snprintf`` and its like: GCC calls them plainly where it cannot know the buffer's size.
"""


def weaknesses(tree: Tree, strangers: frozenset[PurePosixPath] = frozenset()) -> tuple[str, ...]:
    """Everything that leaves a file of a tree less protected than it could be.

    Args:
        tree: what to look at.
        strangers: ELF files of packages that were left as they are.

    Returns:
        One fact per finding, with the file's path.

    Raises:
        AuditError: a file is broken.
    """
    weak_points: list[str] = []
    exporting: dict[str, frozenset[str]] = {}
    for path in elf_paths(tree.root):
        relative = PurePosixPath(path.relative_to(tree.root))
        if relative in strangers:
            continue
        name, facts = str(relative), hardening(path)
        weak_points += [f"{name}: {fact}" for fact in _facts(facts)]
        if path == tree.executable or name.startswith(f"{GRAFTS}/"):
            exporting[name] = facts.exported - LINKER_SYMBOLS
    for (one, symbols), (other, others) in combinations(exporting.items(), 2):
        if clash := sorted(symbols & others):
            weak_points.append(f"{one} and {Path(other).name}: both export {', '.join(clash[:5])}")
    return tuple(weak_points)


def _facts(facts: Hardening) -> Iterator[str]:
    if not facts.relro:
        yield "no RELRO segment (-z relro)"
    if not facts.bind_now:
        yield "symbols are bound late (-z now)"
    if facts.executable_stack:
        yield "executable stack"
    if facts.text_relocations:
        yield "text relocations"
    if facts.writable_code:
        yield "a segment that is writable and executable"
    if not facts.canary and facts.code > _SMALL:
        yield "no stack protector"
    if plain := sorted(facts.undefined & _PLAIN):
        yield f"not fortified: calls {', '.join(plain)}"
