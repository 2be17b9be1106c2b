"""The line: sources, build, audit, graft, relocate, verify, pack."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from packaging.version import Version

from manypython import host_tools
from manypython.archives.members import Member
from manypython.archives.read import unpack
from manypython.archives.write import BEST, Effort
from manypython.compile.building import Compilation, SourceOptions, build
from manypython.compile.method import Method, buildable
from manypython.elf.policies import Policies
from manypython.elf.reading import is_elf
from manypython.model.errors import OutputError, VerifyError
from manypython.model.identifier import BuildNumber, Spec
from manypython.model.target import DEFAULT_TARGET, LibcFamily, Target
from manypython.model.tree import Tree
from manypython.pack import Artifact, pack, tests_members, unproved
from manypython.pack.facts import Facts, origin_of
from manypython.pack.provenance import collect
from manypython.recipes.catalogue import catalogue, required_modules
from manypython.recipes.model import Recipe
from manypython.repair import portable
from manypython.repair.audit import Stranger
from manypython.repair.copy import oddities_of
from manypython.repair.portable import PortableTree
from manypython.repair.prune import is_test_module
from manypython.repair.survey import (
    Oddity,
    insist_copied,
    insist_plain,
    insist_takeable,
    insist_young,
    survey,
)
from manypython.run import Run, insist_writable
from manypython.verify import emulation, needs, suite
from manypython.verify.checks import examine
from manypython.verify.foreign import Subject
from manypython.verify.report import VerifyReport, title
from manypython.verify.roots import Root
from manypython.verify.verified import VerifiedTree


@dataclass(frozen=True)
class Output:
    """Which archives are written, and where."""

    dist: Path
    number: BuildNumber
    effort: Effort = BEST


@dataclass(frozen=True)
class RunResult:
    """What a whole run leaves behind."""

    artifacts: tuple[Artifact, ...]
    report: VerifyReport
    oddities: tuple[Oddity, ...] = ()
    """Files of a prefix that the archives do not have as they are there."""
    strangers: tuple[Stranger, ...] = ()
    """ELF files of packages that were left alone."""


def make(  # noqa: PLR0913  (what, for what, how, and where to)
    spec: Spec, target: Target | None, method: Method, run: Run, *, sources: SourceOptions, output: Output
) -> RunResult:
    """The main job: one CPython release becomes portable archives in ``output.dist``."""
    recipes, compile_target = _prepare(spec, target, method, run, output)
    compilation = build(recipes, compile_target, method, run, sources=sources, epoch=output.number.epoch)
    with run.scratch() as folder:
        audited_tree = portable.audit(
            compilation.prefix,
            folder / "python",
            run,
            search=compilation.search,
            build_paths=compilation.build_paths(run.cache),
        )
        promised = compile_target if method.compiler.promises else target
        portable_tree = portable.repair(audited_tree, promised, run, compiling=compilation.compiling)
        modules = _shipped_modules(recipes[-1].version)
        return _verify_and_pack(portable_tree, run, output, modules, compilation)


def repair(
    prefix: Path, target: Target | None, run: Run, output: Output, search: tuple[Path, ...] = ()
) -> RunResult:
    """Make archives of a prefix that somebody else built. It is copied, never touched."""
    insist_writable(output.dist, "--dist")
    tree = Tree.open(prefix)
    insist_young(tree)
    oddities = oddities_of(tree)
    insist_takeable(tree, oddities)
    _look_up(target or DEFAULT_TARGET, run)
    with run.scratch() as folder:
        audited_tree = portable.audit(tree, folder / "python", run, search=search, oddities=oddities)
        portable_tree = portable.repair(audited_tree, target, run)
        result = _verify_and_pack(portable_tree, run, output)
        return replace(result, oddities=oddities, strangers=portable_tree.report.strangers)


def verify(
    tree: Tree,
    target: Target | None,
    run: Run,
    roots: tuple[Root, ...] = (),
    tests: Path | None = None,
) -> tuple[VerifyReport, PortableTree]:
    """Try everything on a tree that is already repaired.

    Args:
        tree: what is tried.
        target: what it must run on; None: the lowest policy it meets.
        run: cache, progress, jobs.
        roots: foreign ones to try it in.
        tests: archive of CPython's own test suite, to be run in foreign roots.

    Raises:
        TreeError: it is too old, or no copy has all of its files.
    """
    insist_young(tree)
    insist_copied(tree, survey(tree))
    return _prove(tree, target, run, roots, tests)


def _prove(
    tree: Tree, target: Target | None, run: Run, roots: tuple[Root, ...] = (), tests: Path | None = None
) -> tuple[VerifyReport, PortableTree]:
    """``verify`` of a tree whose files were looked at."""
    portable_tree = PortableTree.of(tree, target)
    for stranger in portable_tree.report.strangers:
        run.reporter.note(str(stranger))
    _look_up(portable_tree.target, run, roots, suite=tests is not None)
    subject = _subject(
        portable_tree, run, _shipped_modules(tree.version) if origin_of(tree) == "make" else ()
    )
    report = examine(subject, roots)
    if tests is not None:
        report = VerifyReport((*report.checks, *suite.examine(subject, tests)))
    return report, portable_tree


def pack_tree(tree: Tree, target: Target | None, run: Run, output: Output) -> RunResult:
    """Verify a tree and write its archives."""
    insist_writable(output.dist, "--dist")
    insist_young(tree)
    insist_plain(tree, survey(tree))
    report, portable_tree = _prove(tree, target, run)
    try:
        verified = VerifiedTree(tree, portable_tree.target, report)
    except VerifyError as error:
        error.log = write_report(report, portable_tree, run)
        raise
    artifacts = _pack(verified, collect(portable_tree, output.number), run, output)
    return RunResult(artifacts, report, strangers=portable_tree.report.strangers)


@contextmanager
def opened_tree(place: Path, run: Run) -> Iterator[Tree]:
    """The tree in a folder, or in an archive: then unpacked for as long as the block runs."""
    if not place.is_file() or is_elf(place):
        yield Tree.open(place)
        return
    with run.scratch() as folder:
        with run.reporter.step("unpack", place.name):
            unpack(place, folder / "unpacked")
        inner = folder / "unpacked" / "python"
        root = inner if inner.is_dir() else folder / "unpacked"
        with portable.telling_of(place, root):
            yield Tree.open(root)


def write_report(report: VerifyReport, portable_tree: PortableTree, run: Run) -> Path:
    """Write the report of a tree that is somebody's own, beside those that are kept; returns its page."""
    tree = portable_tree.tree
    folder = run.cache / "unproved" / f"{tree.python_tag}-{tree.version}-report"
    return unproved.write_report(report, title(tree, portable_tree.target), folder)


def _prepare(
    spec: Spec, target: Target | None, method: Method, run: Run, output: Output
) -> tuple[tuple[Recipe, ...], Target]:
    """What is to be built, and for what: whatever is refused or missing is reported now."""
    recipes = catalogue().closure(catalogue().select(spec))
    policies = Policies(LibcFamily.GLIBC, (target or DEFAULT_TARGET).architecture).names()
    compile_target = buildable(target, method, policies)
    insist_writable(output.dist, "--dist")
    insist_writable(run.cache, "--cache-dir")
    host_tools.require_clock(catalogue().build.epoch)
    tools = method.compiler.host_tools({tool for recipe in recipes for tool in recipe.host_tools})
    host_tools.require(tools, install=run.install_host_tools, reporter=run.reporter)
    _look_up(compile_target, run)
    return recipes, compile_target


def _look_up(target: Target, run: Run, roots: tuple[Root, ...] = (), *, suite: bool = False) -> None:
    """Look up what the proof wants of this machine before there is anything to prove."""
    machine, install = target.architecture, run.install_host_tools
    host_tools.require_proc()
    emulation.require(machine, install=install, reporter=run.reporter)
    needs.prepare(roots, machine, run.cache, suite=suite, install=install, reporter=run.reporter)


def _verify_and_pack(
    portable_tree: PortableTree,
    run: Run,
    output: Output,
    modules: frozenset[str] = frozenset(),
    compilation: Compilation | None = None,
) -> RunResult:
    """Prove a tree and write its archives; where either fails the tree is kept, and the error says where."""
    facts = collect(portable_tree, output.number, compilation)
    report = examine(_subject(portable_tree, run, modules))
    try:
        verified = VerifiedTree(portable_tree.tree, portable_tree.target, report)
        tests = tests_members(compilation.prefix) if compilation else ()
        result = RunResult(_pack(verified, facts, run, output, tests), report)
    except (VerifyError, OutputError) as error:
        folder = unproved.keep(portable_tree.tree, facts, report, run.cache)
        again = (
            f"the tree is kept: manypython verify {folder / 'python'} tries it again, "
            "manypython pack too, and then writes its archives"
        )
        error.remedy, error.log = "; ".join(filter(None, (error.remedy, again))), folder / "report.html"
        raise
    unproved.forget(run.cache, facts)
    return result


def _subject(portable_tree: PortableTree, run: Run, modules: frozenset[str] | tuple[()]) -> Subject:
    """What is proved. ``modules`` must be there; empty: those that are."""
    probing = ("full" if modules else "foreign", *sorted(modules or portable_tree.tree.extension_modules()))
    return Subject(portable_tree, probing, bool(modules), run)


def _shipped_modules(version: Version) -> frozenset[str]:
    """The extension modules that an archive of ours must have."""
    return frozenset(name for name in required_modules(version) if not is_test_module(name))


def _pack(
    verified: VerifiedTree, facts: Facts, run: Run, output: Output, tests: tuple[Member, ...] = ()
) -> tuple[Artifact, ...]:
    return pack(
        verified,
        facts,
        tests=tests,
        dist=output.dist,
        reporter=run.reporter,
        jobs=run.jobs,
        effort=output.effort,
    )
