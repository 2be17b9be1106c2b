"""The one place that changes a tree: plans in, files out."""

from __future__ import annotations

import os
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import assert_never

from manypython.model.errors import OutputError, TreeError
from manypython.model.tree import Tree
from manypython.progress import Reporter
from manypython.repair import bytecode, elf
from manypython.repair.edits import (
    CompileBytecode,
    CopyIn,
    Edit,
    Plan,
    Remove,
    ReplaceBytes,
    ReplaceNeeded,
    SetMode,
    SetRpath,
    SetSoname,
    Strip,
    Symlink,
    WriteText,
)
from manypython.repair.strip import strip

_ELF_EDITS = (CopyIn, Strip, SetSoname, ReplaceNeeded, SetRpath, ReplaceBytes)


def check(plan: Plan) -> None:
    """Refuse a plan that contradicts itself, before a byte is written.

    Raises:
        TreeError: a path leaves the tree, or two edits want different things of one file.
    """
    seen: dict[tuple[str, object], Edit] = {}
    removed = {edit.path for edit in plan if isinstance(edit, Remove)}
    for edit in plan:
        if edit.path.is_absolute() or ".." in edit.path.parts:
            raise TreeError(f"{edit.path}: lies outside the tree")
        if not isinstance(edit, Remove) and {edit.path, *edit.path.parents} & removed:
            raise TreeError(f"{edit.path}: is both removed and edited")
        key = (type(edit).__name__, (edit.path, getattr(edit, "old", None)))
        if seen.setdefault(key, edit) != edit:
            raise TreeError(f"{edit.path}: two different edits: {seen[key]} and {edit}")


def apply(tree: Tree, plan: Plan, *, reporter: Reporter, jobs: int, compiler: Tree | None = None) -> None:
    """Do what a plan says.

    ELF files are copied in, stripped, then patched with one patchelf call each, on all
    cores. Every file is replaced by a new one, never written in place: it may be a hard
    link to something that is not ours.

    Args:
        tree: what is changed.
        plan: how.
        reporter: told what takes long.
        jobs: files side by side.
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
        for edit in plan:
            if isinstance(edit, Remove):
                _remove(tree.root / edit.path)
        with ThreadPoolExecutor(jobs) as pool:
            list(pool.map(lambda item: _elf(tree.root, *item), by_file.items()))
        for edit in plan:
            _text_or_link(tree.root, edit)
    except OSError as error:
        raise OutputError(f"{error.filename or tree.root}: cannot be changed: {error.strerror}") from None
    wanted = tuple(edit for edit in plan if isinstance(edit, CompileBytecode))
    if wanted:
        bytecode.compile_all(tree, wanted, compiler=compiler or tree, jobs=jobs, reporter=reporter)


def _text_or_link(root: Path, edit: Edit) -> None:
    if isinstance(edit, WriteText):
        _write(root / edit.path, edit.text.encode("utf-8", "surrogateescape"))
    elif isinstance(edit, Symlink):
        _remove(root / edit.path)
        (root / edit.path).symlink_to(edit.target)
    elif isinstance(edit, SetMode):
        (root / edit.path).chmod(edit.mode)


def _elf(root: Path, path: PurePosixPath, edits: list[Edit]) -> None:
    """All edits of one binary: bytes first, then one call of patchelf."""
    place = root / path
    place.parent.mkdir(parents=True, exist_ok=True)
    source = next((edit.source for edit in edits if isinstance(edit, CopyIn)), place)
    mode = 0o755 if source is not place else place.stat().st_mode & 0o777
    data = source.read_bytes()
    soname: str | None = None
    rpath: str | None = None
    needed: list[tuple[str, str]] = []
    for edit in edits:
        match edit:
            case CopyIn():
                pass
            case Strip():
                data = strip(data)
            case ReplaceBytes(old=old, new=new):
                data = replace_strings(data, old, new)
            case SetSoname(soname=name):
                soname = name
            case ReplaceNeeded(old=old_name, new=new_name):
                needed.append((old_name, new_name))
            case SetRpath(rpath=path_list):
                rpath = path_list
            case Remove() | Symlink() | WriteText() | SetMode() | CompileBytecode():
                raise AssertionError(edit)
            case _:
                assert_never(edit)
    scratch = place.with_name(f".{place.name}.{os.getpid()}.tmp")
    try:
        scratch.write_bytes(data)
        if soname is not None or needed or rpath is not None:
            elf.patch(scratch, soname=soname, needed=needed, rpath=rpath)
        scratch.chmod(mode)
        scratch.replace(place)
    finally:
        scratch.unlink(missing_ok=True)


def replace_strings(data: bytes, old: bytes, new: bytes) -> bytes:
    """Replace ``old`` by ``new`` of the same length wherever a path ends with it or goes on below it."""
    boundary = re.compile(re.escape(old) + rb"(?=[/\0: \"']|$)")
    return boundary.sub(lambda _: new, data)


def _write(path: Path, data: bytes) -> None:
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
    if path.suffix == ".py":
        for stale in (path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"):
            stale.unlink()
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        scratch.write_bytes(data)
        scratch.chmod(mode)
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
