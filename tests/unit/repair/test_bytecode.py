from __future__ import annotations

import shutil
import sys
import sysconfig
from pathlib import Path

import pytest

from manypython.model.tree import Tree
from manypython.progress import Reporter
from manypython.repair.apply import apply
from manypython.repair.bytecode import plan_bytecode
from manypython.repair.edits import CompileBytecode
from manypython.repair.prune import is_test_module, plan_prune

QUIET = Reporter(quiet=True)
NAME = f"python3.{sys.version_info.minor}"


def make_tree(root: Path, packages: tuple[str, ...] = ("json", "email", "asyncio")) -> Tree:
    """A prefix with a part of this interpreter's own standard library."""
    stdlib = root / "lib" / NAME
    source = Path(sysconfig.get_path("stdlib"))
    for package in packages:
        shutil.copytree(source / package, stdlib / package, ignore=shutil.ignore_patterns("__pycache__"))
    for module in ("os.py", "site.py", "argparse.py"):
        shutil.copy(source / module, stdlib / module)
    (root / "bin").mkdir()
    (root / "bin" / NAME).symlink_to(Path(sys.executable).resolve())
    include = root / "include" / NAME
    include.mkdir(parents=True)
    (include / "patchlevel.h").write_text(f'#define PY_VERSION "{sys.version.split()[0].rstrip("+")}"\n')
    return Tree.open(root)


def compiled(tree: Tree) -> dict[str, bytes]:
    return {str(p.relative_to(tree.root)): p.read_bytes() for p in tree.root.rglob("*.pyc")}


def test_bytecode_is_the_same_in_any_folder_with_any_number_of_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = []
    for folder, jobs, seed in (("one", 1, "1"), ("another place", 4, "random")):
        (tmp_path / folder).mkdir()
        tree = make_tree(tmp_path / folder / "x")
        monkeypatch.setenv("PYTHONHASHSEED", seed)
        apply(tree, plan_bytecode(tree), reporter=QUIET, jobs=jobs)
        results.append(compiled(tree))
        assert plan_bytecode(tree) == ()
    assert results[0] == results[1]
    assert len(results[0]) > 30


def test_bytecode_is_hash_based_and_checked_only_where_installers_edit(tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "x", ("json",))
    plan = plan_bytecode(tree)
    assert {str(e.path): e.checked for e in plan if isinstance(e, CompileBytecode)} == {
        **{f"lib/{NAME}/json/{path.name}": False for path in tree.root.glob(f"lib/{NAME}/json/*.py")},
        f"lib/{NAME}/argparse.py": False,
        f"lib/{NAME}/os.py": False,
        f"lib/{NAME}/site.py": True,
    }
    apply(tree, plan, reporter=QUIET, jobs=2)
    flags = {path: data[4] for path, data in compiled(tree).items()}
    assert sorted(set(flags.values())) == [1, 3]
    assert str(tmp_path).encode() not in b"".join(compiled(tree).values())


def test_what_is_pruned_has_a_reason_and_is_pruned_once(tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "x", ("json",))
    for name in ("test/x.py", "idlelib/idle_test/y.py", f"config-3/lib{NAME}.a", "lib-dynload/_testcapi.cpython.so",
                 "lib-dynload/_ssl.cpython.so", "EXTERNALLY-MANAGED", "json/__pycache__/old.pyc"):  # fmt: skip
        (tree.stdlib / name).parent.mkdir(parents=True, exist_ok=True)
        (tree.stdlib / name).write_bytes(bytes(16))
    plan = plan_prune(tree)
    names = {str(edit.path).removeprefix(f"lib/{NAME}/") for edit in plan}
    assert names == {"test", "idlelib/idle_test", f"config-3/lib{NAME}.a", "lib-dynload/_testcapi.cpython.so",
                     "EXTERNALLY-MANAGED", "json/__pycache__"}  # fmt: skip
    apply(tree, plan, reporter=QUIET, jobs=1)
    assert plan_prune(tree) == ()


def test_modules_of_the_tests_are_told_apart() -> None:
    assert is_test_module("_testcapi")
    assert is_test_module("xxlimited_35")
    assert not is_test_module("_ssl")
