"""The one place that changes a tree: plans in, files out."""

from __future__ import annotations

import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import assert_never

from manypython.elf.patching import patch
from manypython.elf.strip import strip
from manypython.model.errors import OutputError, TreeError
from manypython.model.tree import Tree
from manypython.progress import Reporter
from manypython.repair import bytecode
from manypython.repair.edits import (
    CompileBytecode,
    CopyIn,
    Edit,
    Move,
    Plan,
    Remove,
    RenameSymbols,
    ReplaceBytes,
    ReplaceNeeded,
    SetRpath,
    SetSoname,
    Strip,
    Symlink,
    WriteText,
)
from manypython.repair.swap import Swap

_ELF_EDITS = (CopyIn, Move, Strip, SetSoname, ReplaceNeeded, SetRpath, RenameSymbols, ReplaceBytes)


def check(plan: Plan) -> None:
    """Refuse a plan that contradicts itself, before a byte is written.

    Raises:
        TreeError: a path leaves the tree, or two edits want different things of one file.
    """
    edits_by_key: dict[tuple[str, object], Edit] = {}
    removed = {edit.path for edit in plan if isinstance(edit, Remove)}
    removed |= {edit.source for edit in plan if isinstance(edit, Move)}
    for edit in plan:
        if edit.path.is_absolute() or ".." in edit.path.parts:
            raise TreeError(f"{edit.path}: lies outside the tree")
        if not isinstance(edit, Remove) and {edit.path, *edit.path.parents} & removed:
            raise TreeError(f"{edit.path}: is both removed and edited")
        key = (type(edit).__name__, (edit.path, getattr(edit, "old", None)))
        if edits_by_key.setdefault(key, edit) != edit:
            raise TreeError(f"{edit.path}: two different edits: {edits_by_key[key]} and {edit}")


def apply(tree: Tree, plan: Plan, *, reporter: Reporter, jobs: int, compiler: Tree | None = None) -> None:
    """Carry a plan out.

    ELF files are copied in, stripped, then patched with one patchelf call each, on all
    cores. What fails on the way leaves the tree as it was: all new files are written
    before the first takes its place. Bytecode comes last, and a tree without it is whole.

    Args:
        tree: what is changed.
        plan: how.
        reporter: shows what takes long.
        jobs: how many files at once.
        compiler: the interpreter that compiles bytecode; None: the tree's own.

    Raises:
        TreeError: the plan contradicts itself.
        OutputError: the tree cannot be written.
    """
    check(plan)
    by_file: dict[PurePosixPath, list[Edit]] = {}
    for edit in plan:
        if isinstance(edit, _ELF_EDITS):
            by_file.setdefault(edit.path, []).append(edit)
    try:
        with Swap() as swap:
            with ThreadPoolExecutor(jobs) as pool:
                list(pool.map(lambda item: _elf(tree.root, swap, *item), by_file.items()))
            for edit in plan:
                _other(tree.root, swap, edit)
            swap.commit()
    except OSError as error:
        raise OutputError(f"{error.filename or tree.root}: cannot be changed: {error.strerror}") from None
    compilations = tuple(edit for edit in plan if isinstance(edit, CompileBytecode))
    if compilations:
        bytecode.compile_all(tree, compilations, compiler=compiler or tree, jobs=jobs, reporter=reporter)


def _other(root: Path, swap: Swap, edit: Edit) -> None:
    """The edits that need no patchelf."""
    place = root / edit.path
    match edit:
        case Remove():
            swap.remove(place)
        case Move():
            swap.remove(root / edit.source)
        case WriteText():
            _write(swap, place, edit.text.encode("utf-8", "surrogateescape"))
        case Symlink():
            swap.new(place).symlink_to(edit.target)
        case (
            CopyIn() | Strip() | SetSoname() | ReplaceNeeded() | SetRpath() | RenameSymbols() | ReplaceBytes()
        ):
            pass  # with all others of its file, in `_elf`
        case CompileBytecode():
            pass  # last, by `bytecode.compile_all`
        case _:
            assert_never(edit)


def _elf(root: Path, swap: Swap, path: PurePosixPath, edits: list[Edit]) -> None:
    """All edits of one binary: bytes first, then one call of patchelf."""
    place = root / path
    source = next((root / edit.source for edit in edits if isinstance(edit, CopyIn | Move)), place)
    mode = 0o755 if source is not place else place.stat().st_mode & 0o777
    data = source.read_bytes()
    needed = {edit.old: edit.new for edit in edits if isinstance(edit, ReplaceNeeded)}
    for edit in edits:
        if isinstance(edit, Strip):
            data = strip(data)
        elif isinstance(edit, ReplaceBytes):
            data = replace_strings(data, edit.old, edit.new)
            needed = {_renamed(name, edit): new for name, new in needed.items()}
    soname = next((edit.soname for edit in edits if isinstance(edit, SetSoname)), None)
    rpath = next((edit.rpath for edit in edits if isinstance(edit, SetRpath)), None)
    symbols = {
        name: f"{name}{edit.ending}"
        for edit in edits
        if isinstance(edit, RenameSymbols)
        for name in edit.names
    }
    scratch = swap.new(place)
    scratch.write_bytes(data)
    patch(scratch, soname=soname, needed=needed.items(), rpath=rpath, symbols=symbols)
    scratch.chmod(mode)


def _renamed(name: str, edit: ReplaceBytes) -> str:
    """The name by which a library is needed, where it is a path that was just replaced."""
    return os.fsdecode(replace_strings(os.fsencode(name), edit.old, edit.new))


def replace_strings(data: bytes, old: bytes, new: bytes) -> bytes:
    """Replace ``old`` by ``new`` of the same length wherever a path ends with it or goes on below it."""
    boundary = re.compile(re.escape(old) + rb"(?=[/\0: \"']|$)")
    return boundary.sub(lambda _: new, data)


def _write(swap: Swap, path: Path, data: bytes) -> None:
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
    if path.suffix == ".py":
        for stale in (path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"):
            swap.remove(stale)
    scratch = swap.new(path)
    scratch.write_bytes(data)
    scratch.chmod(mode)
