"""What a portable archive leaves out of a prefix: data, each entry with its reason."""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

from manypython.model.tree import Tree
from manypython.repair.edits import Remove

_TESTS = "tests of the standard library"
_STDLIB = (
    ("test", _TESTS),
    ("idlelib/idle_test", _TESTS),
    ("lib2to3/tests", _TESTS),
    ("ctypes/test", _TESTS),
    ("distutils/tests", _TESTS),
    ("sqlite3/test", _TESTS),
    ("tkinter/test", _TESTS),
    ("unittest/test", _TESTS),
    ("lib-dynload/_test*.so", _TESTS),
    ("lib-dynload/_ctypes_test.*.so", _TESTS),
    ("lib-dynload/_xxtestfuzz.*.so", _TESTS),
    ("lib-dynload/xxlimited*.so", "examples for authors of extension modules"),
    ("lib-dynload/xxsubtype*.so", "examples for authors of extension modules"),
    ("config-*/libpython*.a", "static library: the archive has the interpreter itself"),
    ("config-*/python.o", "object file of the interpreter's main()"),
    ("_distutils_system_mod.py", "Debian's own places for what distutils installs"),
    ("EXTERNALLY-MANAGED", "installers write their own; in a scratch interpreter pip may install"),
)
_ROOT = (
    ("lib/libpython*.a", "static library: the archive has the interpreter itself"),
    ("share/manypython/*.json", "what another archive says of itself"),
    ("**/__pycache__", "bytecode is compiled again, hash-based, from the final text"),
    ("lib/**/*.la", "libtool archives name the build machine"),
)
_TK = (("bin/idle*", "it needs Tk, which is not there"),)


def plan_prune(tree: Tree) -> tuple[Remove, ...]:
    """Everything in a prefix that its portable copy leaves out."""
    reasons: dict[PurePosixPath, str] = {}
    without_tk = () if "_tkinter" in tree.extension_modules() else _TK
    for base, patterns in ((tree.stdlib, _STDLIB), (tree.root, (*_ROOT, *without_tk))):
        for pattern, reason in patterns:
            for path in base.glob(pattern):
                reasons[PurePosixPath(path.relative_to(tree.root))] = reason
    return tuple(
        Remove(path, reason)
        for path, reason in sorted(reasons.items())
        if not any(parent in reasons for parent in path.parents)
    )


def tests_of(tree: Tree) -> tuple[Path, ...]:
    """The files in a prefix that are the standard library's tests."""
    roots = [tree.root / edit.path for edit in plan_prune(tree) if edit.reason == _TESTS]
    return tuple(
        path
        for root in roots
        for path in ((root,) if root.is_file() else sorted(root.rglob("*")))
        if path.is_file() and path.suffix != ".pyc"
    )


def is_test_module(name: str) -> bool:
    """Whether an extension module belongs to the tests and is left out."""
    patterns = (pattern for pattern, _ in _STDLIB if pattern.startswith("lib-dynload/"))
    return any(fnmatch(f"lib-dynload/{name}.x.so", pattern) for pattern in patterns)
