"""The line as a whole, on a prefix that has everything but an interpreter: nothing of it is a stub."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from packaging.version import Version

from manypython import pipeline, process
from manypython.archives.members import below, complete, of_folder
from manypython.archives.write import FAST, WRITERS
from manypython.compile.building import SourceOptions
from manypython.compile.method import Method
from manypython.folders import cache_home
from manypython.model.errors import OutputError, TreeError, VerifyError
from manypython.model.identifier import Spec
from manypython.model.tree import Tree
from manypython.pipeline import Output
from manypython.progress import Reporter
from manypython.recipes.catalogue import catalogue
from manypython.run import Run

PROGRAM = '#include <stdio.h>\nint main(void) { puts("I am no Python"); return 0; }\n'
SPEC = Spec.parse("3.13")
EPOCH = catalogue().build.epoch


@pytest.fixture
def tree(tmp_path: Path, cc: str) -> Tree:
    """Its program runs and does nothing that is asked of it."""
    root, stdlib = tmp_path / "prefix", "lib/python3.13"
    for folder in ("bin", f"{stdlib}/lib-dynload", f"{stdlib}/site-packages", "include/python3.13"):
        (root / folder).mkdir(parents=True)
    (root / "bin/python3").symlink_to("python3.13")
    (root / stdlib / "os.py").write_text("")
    (root / stdlib / "_sysconfigdata__linux_.py").write_text("build_time_vars = {'prefix': '/install'}\n")
    (root / "include/python3.13/patchlevel.h").write_text('#define PY_VERSION "3.13.15"')
    (tmp_path / "main.c").write_text(PROGRAM)
    process.run((cc, "-o", "prefix/bin/python3.13", "main.c"), cwd=tmp_path)
    return Tree.open(root)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A cache of its own, but for the roots: they take long to make, and are everybody's."""
    roots = Path(cache_home(), "manypython/roots")
    roots.mkdir(parents=True, exist_ok=True)
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache/roots").symlink_to(roots)
    return Run(tmp_path / "cache", Reporter(quiet=True), 2)


@pytest.fixture
def output(tmp_path: Path) -> Output:
    return Output(tmp_path / "dist", catalogue().build, FAST)


def contents(root: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_what_does_not_prove_is_kept_and_can_be_tried_again(tree: Tree, run: Run, output: Output) -> None:
    before = contents(tree.root)
    with pytest.raises(VerifyError, match=r"did not prove portable") as caught:
        pipeline.repair(tree.root, None, run, output)
    error = caught.value
    assert error.log is not None
    kept = error.log.parent / "python"
    assert f"the tree is kept: manypython verify {kept} tries it again" in error.remedy
    assert json.loads(error.log.with_suffix(".json").read_text())["ok"] is False
    assert contents(tree.root) == before, "a prefix is only read"
    assert not any(output.dist.iterdir())
    assert not any((run.cache / "work").iterdir())

    again = Tree.open(kept)
    report, repaired = pipeline.verify(again, None, run)
    assert report.failures
    assert repaired.tree == again
    assert {check.root for check in report.checks} >= {"this machine", "glibc-2.17"}
    held = contents(kept)
    with pytest.raises(VerifyError) as caught:
        pipeline.pack_tree(again, None, run, output)
    assert caught.value.log is not None
    assert caught.value.log.parent != error.log.parent, "the older report stays"
    assert contents(kept) == held
    assert not any(output.dist.iterdir())


@pytest.mark.parametrize("command", ["make", "repair", "pack"])
def test_a_folder_that_cannot_be_written_is_told_before_any_work(
    command: str, run: Run, output: Output, tmp_path: Path
) -> None:
    output.dist.write_text("no folder")
    nothing = Tree(tmp_path / "not there", Version("3.13.15"), "")
    work: Callable[[], object] = {
        "make": lambda: pipeline.make(SPEC, None, Method(), run, sources=SourceOptions(), output=output),
        "repair": lambda: pipeline.repair(nothing.root, None, run, output),
        "pack": lambda: pipeline.pack_tree(nothing, None, run, output),
    }[command]
    with pytest.raises(OutputError, match="dist: cannot be written") as caught:
        work()
    assert "--dist" in caught.value.remedy
    assert [path.name for path in run.cache.iterdir()] == ["roots"]


def test_a_cache_that_cannot_be_written_is_told_before_any_work(output: Output, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("no folder")
    run = Run(tmp_path / "cache", Reporter(quiet=True), 2)
    with pytest.raises(OutputError, match="cache: cannot be written") as caught:
        pipeline.make(SPEC, None, Method(), run, sources=SourceOptions(), output=output)
    assert "--cache-dir" in caught.value.remedy


def test_a_tree_is_opened_by_its_folder_or_its_program(tree: Tree, run: Run) -> None:
    for place in (tree.root, tree.executable):
        with pipeline.opened_tree(place, run) as opened:
            assert opened == tree
    assert not (run.cache / "work").exists(), "nothing is copied"


@pytest.mark.parametrize("suffix", WRITERS)
@pytest.mark.parametrize("inner", ["python", ""])
def test_a_tree_in_an_archive_is_there_for_as_long_as_it_is_used(
    tree: Tree, run: Run, tmp_path: Path, suffix: str, inner: str
) -> None:
    archive = tmp_path / f"archive{suffix}"
    members = complete(tuple(of_folder(tree.root)))
    WRITERS[suffix](archive, below(inner, members) if inner else members, EPOCH, FAST)
    with pipeline.opened_tree(archive, run) as opened:
        assert (opened.name, opened.version) == (tree.name, tree.version)
        assert opened.root.is_relative_to(run.cache / "work")
        assert opened.executable.read_bytes() == tree.executable.read_bytes()
    assert not opened.root.exists()
    assert not any((run.cache / "work").iterdir())


def test_an_archive_without_a_tree_is_named_and_not_its_copy(tree: Tree, run: Run, tmp_path: Path) -> None:
    archive = tmp_path / "x.tar.gz"
    WRITERS[".tar.gz"](archive, complete(tuple(of_folder(tree.root / "include"))), EPOCH, FAST)
    with pytest.raises(TreeError, match="no Python prefix") as caught, pipeline.opened_tree(archive, run):
        pass
    assert caught.value.message.startswith(f"{archive}: ")
    assert str(run.cache) not in caught.value.line
    assert not any((run.cache / "work").iterdir())
