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
from manypython.compile.building import Built, Origins, build
from manypython.compile.method import Method, buildable
from manypython.elf.policies import Policies
from manypython.elf.reading import is_elf
from manypython.model.errors import OutputError, VerifyError
from manypython.model.identifier import BuildNumber, Spec
from manypython.model.target import DEFAULT_TARGET, LibcFamily, Target
from manypython.model.tree import Tree
from manypython.pack import Artifact, pack, tests_members, unproved
from manypython.pack.facts import Facts, told_origin
from manypython.pack.provenance import collect
from manypython.recipes.catalogue import catalogue, required_modules
from manypython.recipes.model import Recipe
from manypython.repair import portable
from manypython.repair.audit import Stranger
from manypython.repair.copy import surveyed
from manypython.repair.portable import Repaired
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
class Made:
    """What a whole run leaves behind."""

    artifacts: tuple[Artifact, ...]
    report: VerifyReport
    oddities: tuple[Oddity, ...] = ()
    """Files of a prefix that the archives do not have as they are there."""
    strangers: tuple[Stranger, ...] = ()
    """ELF files of packages that were left alone."""


def make(  # noqa: PLR0913  (what, for what, how, and where to)
    spec: Spec, target: Target | None, method: Method, run: Run, *, origins: Origins, output: Output
) -> Made:
    """The main job: one CPython release becomes portable archives in ``output.dist``."""
    recipes, wanted = _prepared(spec, target, method, run, output)
    built = build(recipes, wanted, method, run, origins=origins, epoch=output.number.epoch)
    with run.scratch() as folder:
        audited = portable.audit(
            built.prefix,
            folder / "python",
            run,
            search=built.search,
            build_paths=built.build_paths(run.cache),
        )
        promised = wanted if method.compiler.promises else target
        repaired = portable.repair(audited, promised, run, compiling=built.compiling)
        modules = _shipped_modules(recipes[-1].version)
        return _verified_and_packed(repaired, run, output, modules, built)


def repair(
    prefix: Path, target: Target | None, run: Run, output: Output, search: tuple[Path, ...] = ()
) -> Made:
    """Make archives of a prefix that somebody else built. It is copied, never touched."""
    insist_writable(output.dist, "--dist")
    found = Tree.open(prefix)
    insist_young(found)
    oddities = surveyed(found)
    insist_takeable(found, oddities)
    _look_up(target or DEFAULT_TARGET, run)
    with run.scratch() as folder:
        audited = portable.audit(found, folder / "python", run, search=search, oddities=oddities)
        repaired = portable.repair(audited, target, run)
        made = _verified_and_packed(repaired, run, output)
        return replace(made, oddities=oddities, strangers=repaired.report.strangers)


def verify(
    tree: Tree,
    target: Target | None,
    run: Run,
    roots: tuple[Root, ...] = (),
    tests: Path | None = None,
) -> tuple[VerifyReport, Repaired]:
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
    repaired = Repaired.of(tree, target)
    for stranger in repaired.report.strangers:
        run.reporter.note(str(stranger))
    _look_up(repaired.target, run, roots, suite=tests is not None)
    subject = _subject(repaired, run, _shipped_modules(tree.version) if told_origin(tree) == "make" else ())
    report = examine(subject, roots)
    if tests is not None:
        report = VerifyReport((*report.checks, *suite.examine(subject, tests)))
    return report, repaired


def pack_tree(tree: Tree, target: Target | None, run: Run, output: Output) -> Made:
    """Verify a tree and write its archives."""
    insist_writable(output.dist, "--dist")
    insist_young(tree)
    insist_plain(tree, survey(tree))
    report, repaired = verify(tree, target, run)
    try:
        verified = VerifiedTree(tree, repaired.target, report)
    except VerifyError as error:
        error.log = written(report, repaired, run)
        raise
    artifacts = _packed(verified, _facts(repaired, output), run, output)
    return Made(artifacts, report, strangers=repaired.report.strangers)


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
        with portable.named(place, root):
            yield Tree.open(root)


def written(report: VerifyReport, repaired: Repaired, run: Run) -> Path:
    """Write the report of a tree that is somebody's own, beside those that are kept; returns its page."""
    tree = repaired.tree
    folder = run.cache / "unproved" / f"{tree.python_tag}-{tree.version}-report"
    return unproved.write_report(report, title(tree, repaired.target), folder)


def _prepared(
    spec: Spec, target: Target | None, method: Method, run: Run, output: Output
) -> tuple[tuple[Recipe, ...], Target]:
    """What is to be built, and for what: all that can be refused or is missing is told now."""
    recipes = catalogue().closure(catalogue().select(spec))
    policies = Policies(LibcFamily.GLIBC, (target or DEFAULT_TARGET).architecture).names()
    wanted = buildable(target, method, policies)
    insist_writable(output.dist, "--dist")
    insist_writable(run.cache, "--cache-dir")
    host_tools.require_clock(catalogue().build.epoch)
    tools = method.compiler.host_tools({tool for recipe in recipes for tool in recipe.host_tools})
    host_tools.require(tools, install=run.install_host_tools, reporter=run.reporter)
    _look_up(wanted, run)
    return recipes, wanted


def _look_up(target: Target, run: Run, roots: tuple[Root, ...] = (), *, suite: bool = False) -> None:
    """Look up what the proof wants of this machine before there is anything to prove."""
    machine, install = target.architecture, run.install_host_tools
    host_tools.require_proc()
    emulation.require(machine, install=install, reporter=run.reporter)
    needs.prepare(roots, machine, run.cache, suite=suite, install=install, reporter=run.reporter)


def _verified_and_packed(
    repaired: Repaired,
    run: Run,
    output: Output,
    modules: frozenset[str] = frozenset(),
    built: Built | None = None,
) -> Made:
    """Prove a tree and write its archives; where either fails the tree is kept, and the error says where."""
    facts = _facts(repaired, output, built)
    report = examine(_subject(repaired, run, modules))
    try:
        verified = VerifiedTree(repaired.tree, repaired.target, report)
        tests = tests_members(built.prefix) if built else ()
        made = Made(_packed(verified, facts, run, output, tests), report)
    except (VerifyError, OutputError) as error:
        kept = unproved.keep(repaired.tree, facts, report, run.cache)
        again = (
            f"the tree is kept: manypython verify {kept / 'python'} tries it again, "
            "manypython pack too, and then writes its archives"
        )
        error.remedy, error.log = "; ".join(filter(None, (error.remedy, again))), kept / "report.html"
        raise
    unproved.forget(run.cache, facts)
    return made


def _subject(repaired: Repaired, run: Run, modules: frozenset[str] | tuple[()]) -> Subject:
    """What is proved. ``modules`` must be there; empty: those that are."""
    probing = ("full" if modules else "foreign", *sorted(modules or repaired.tree.extension_modules()))
    return Subject(repaired, probing, bool(modules), run)


def _shipped_modules(version: Version) -> frozenset[str]:
    """The extension modules that an archive of ours must have."""
    return frozenset(name for name in required_modules(version) if not is_test_module(name))


def _facts(repaired: Repaired, output: Output, built: Built | None = None) -> Facts:
    return collect(repaired, output.number, built)


def _packed(
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
