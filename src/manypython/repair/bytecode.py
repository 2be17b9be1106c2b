"""Hash-based bytecode (PEP 552) for a whole tree, written by an interpreter of the very same version.

It stays valid whatever an unpacker does to time stamps, is never written again on a
read-only tree, and has the same bytes each time: a fixed number of fresh processes
compile a fixed list each, because marshal's output depends on what else a process has
interned.
"""

from __future__ import annotations

import json
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

from manypython import process
from manypython.model.errors import BuildError
from manypython.model.tree import Tree
from manypython.progress import Reporter
from manypython.repair.edits import CompileBytecode, Plan

_PARTS = 4
"""Independent of the machine's cores: the partition decides the bytes."""

_PROGRAM = """
import importlib.util, json, marshal, os, sys
from importlib._bootstrap_external import _code_to_hash_pyc
for name, checked in json.load(open(sys.argv[1])):
    with open(name, "rb") as file:
        source = file.read()
    try:
        code = compile(source, name, "exec", dont_inherit=True, optimize=0)
    except (SyntaxError, ValueError):
        continue  # templates and samples that are no Python of this version
    data = _code_to_hash_pyc(code, importlib.util.source_hash(source), checked)
    target = importlib.util.cache_from_source(name)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with open(target + ".tmp", "wb") as file:
        file.write(data)
    os.replace(target + ".tmp", target)
"""


def plan_bytecode(tree: Tree) -> Plan:
    """Every module that has no hash-based bytecode yet."""
    edits = []
    for path in sorted(tree.stdlib.rglob("*.py")):
        cached = path.parent / "__pycache__" / f"{path.stem}.{tree.cache_tag}.pyc"
        relative = PurePosixPath(path.relative_to(tree.root))
        if not cached.is_file() and not _no_module(relative):
            edits.append(CompileBytecode(relative, checked=_may_change(relative)))
    return tuple(edits)


def compile_all(
    tree: Tree, edits: tuple[CompileBytecode, ...], *, compiler: Tree, jobs: int, reporter: Reporter
) -> None:
    """Write the bytecode of these files.

    Args:
        tree: where they are.
        edits: which.
        compiler: the interpreter that does it: the tree's own, or one of the very same version.
        jobs: how many processes at once.
        reporter: shows the progress.

    Raises:
        BuildError: the interpreter does not run here.
    """
    parts = [edits[index::_PARTS] for index in range(_PARTS)]
    with (
        reporter.step("compile bytecode", f"{len(edits)} modules"),
        ThreadPoolExecutor(jobs) as pool,
    ):
        list(pool.map(lambda part: _compile(tree, compiler, part), parts))


def _compile(tree: Tree, compiler: Tree, edits: tuple[CompileBytecode, ...]) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump([(str(edit.path), edit.checked) for edit in edits], file)
        file.flush()
        try:
            process.run(
                (compiler.executable, "-I", "-S", "-B", "-c", _PROGRAM, Path(file.name)),
                cwd=tree.root,  # names are relative: importlib fills in the real path at import
                env={"PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8"},
            )
        except process.ProgramError as error:
            raise BuildError(
                f"{compiler.executable}: cannot compile the standard library:\n{error.result.output}",
                remedy="the interpreter must run on this machine",
            ) from None


def _may_change(path: PurePosixPath) -> bool:
    """What installers edit after unpacking: then the source's hash must be looked at."""
    return path.name.startswith("_sysconfigdata") or path.name == "site.py" or "site-packages" in path.parts


def _no_module(path: PurePosixPath) -> bool:
    return "." in path.stem or (path.name.startswith("bad") and "lib2to3" in path.parts)
