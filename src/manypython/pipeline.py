"""The line: sources, build, audit, graft, relocate, verify, pack."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from packaging.version import Version

from manypython import host_tools
from manypython.archives.members import Member
from manypython.archives.read import unpack
from manypython.archives.write import BEST, Effort
from manypython.compile import builder
from manypython.compile.method import Method, buildable
from manypython.compile.sources import FetchedSource, fetch
from manypython.compile.toolchains.zig import zig_folder
from manypython.elf.policies import Policies
from manypython.elf.reading import is_elf
from manypython.model.errors import AuditError, OutputError, TreeError, VerifyError
from manypython.model.identifier import BuildNumber, Spec
from manypython.model.target import DEFAULT_TARGET, LibcFamily, Target
from manypython.model.tree import GRAFTS, Tree, VerifiedTree
from manypython.pack import Artifact, pack, unproved
from manypython.pack.facts import Facts, told_origin
from manypython.pack.provenance import collect
from manypython.progress import Reporter
from manypython.recipes.catalogue import catalogue, required_modules
from manypython.recipes.cross import crossed
from manypython.recipes.model import Recipe
from manypython.repair.apply import apply
from manypython.repair.audit import AuditReport, Stranger, audit, require
from manypython.repair.bytecode import plan_bytecode
from manypython.repair.copy import copy, surveyed
from manypython.repair.edits import Plan, joined
from manypython.repair.graft import Graft, grafts, plan_graft
from manypython.repair.prune import is_test_module, plan_prune, tests_of
from manypython.repair.relocate import origins, plan_relocate
from manypython.repair.survey import Oddity, insist_plain, insist_takeable, survey
from manypython.verify import emulation, needs, suite
from manypython.verify.checks import examine, proved
from manypython.verify.foreign import Subject
from manypython.verify.report import VerifyReport, title
from manypython.verify.roots import Root


@dataclass(frozen=True)
class Options:
    """What all commands share."""

    cache: Path
    dist: Path
    reporter: Reporter
    jobs: int
    number: BuildNumber
    source_dir: Path | None = None
    offline: bool = False
    install_host_tools: bool = False
    effort: Effort = BEST


@dataclass(frozen=True)
class Built:
    """What building leaves: every library and the interpreter, and what built them."""

    builds: dict[str, builder.Built]
    toolchain: str
    native: dict[str, builder.Built]
    """The same for this machine, where it cannot run the others without an emulator."""


@dataclass(frozen=True)
class Made:
    """What a whole run leaves behind."""

    artifacts: tuple[Artifact, ...]
    report: VerifyReport
    oddities: tuple[Oddity, ...] = ()
    """Files of a prefix that the archives do not have as they are there."""
    strangers: tuple[Stranger, ...] = ()
    """ELF files of packages that were left alone."""


@dataclass(frozen=True)
class Repaired:
    """A tree that has been through audit, graft and relocate, and its audit afterwards."""

    tree: Tree
    target: Target
    report: AuditReport
    grafts: tuple[Graft, ...]
    plan: Plan
    forbidden: tuple[str, ...]
    """Folders no file of it may name."""


def make(spec: Spec, target: Target | None, method: Method, options: Options) -> Made:
    """The main job: one CPython release becomes portable archives in ``options.dist``."""
    recipe = catalogue().select(spec)
    recipes = catalogue().closure(recipe)
    policies = Policies(LibcFamily.GLIBC, (target or DEFAULT_TARGET).architecture).names()
    wanted = buildable(target, method, policies)
    writable(options.dist, "--dist")
    writable(options.cache, "--cache-dir")
    host_tools.require_clock(catalogue().build.epoch)
    tools = method.compiler.host_tools({tool for each in recipes for tool in each.host_tools})
    host_tools.require(tools, install=options.install_host_tools, reporter=options.reporter)
    _prepare(wanted, options)
    built = build(recipes, wanted, method, options)
    prefix = Tree.open(built.builds[recipe.name].prefix)
    search = tuple(each.prefix / "lib" for each in built.builds.values())
    promised = wanted if method.compiler.promises else target
    compiling = Tree.open(built.native[recipe.name].prefix) if built.native else None
    with repaired(
        prefix,
        promised,
        options,
        search=search,
        build_paths=_build_paths(options, built),
        compiling=compiling,
    ) as done:
        facts = _facts(done, options, built)
        return _proved_and_packed(done, facts, options, _shipped_modules(recipe.version), _tests(prefix))


def repair(prefix: Path, target: Target | None, options: Options, search: tuple[Path, ...] = ()) -> Made:
    """Make archives of a prefix that somebody else built. It is copied, never touched."""
    writable(options.dist, "--dist")
    found = Tree.open(prefix)
    oddities = surveyed(found)
    insist_takeable(found, oddities)
    _prepare(target or DEFAULT_TARGET, options)
    with repaired(found, target, options, search=search, oddities=oddities) as done:
        made = _proved_and_packed(done, _facts(done, options), options, frozenset())
        return replace(made, oddities=oddities, strangers=done.report.strangers)


def build(recipes: tuple[Recipe, ...], target: Target, method: Method, options: Options) -> Built:
    """Fetch and build recipes, or take them from the cache."""

    def get(recipe: Recipe) -> FetchedSource:
        return fetch(
            recipe,
            options.cache,
            reporter=options.reporter,
            source_dir=options.source_dir,
            offline=options.offline,
        )

    with method.compiler.opened(
        target, cache=options.cache, offline=options.offline, reporter=options.reporter
    ) as toolchain:
        epoch = options.number.epoch
        site = builder.Site(toolchain, options.cache, epoch, options.reporter, options.jobs, method.profile)
        native: dict[str, builder.Built] = {}
        if toolchain.native is not None:
            native = builder.build_all(recipes, get, replace(site, toolchain=toolchain.native))
            site = replace(site, native=native)
            recipes = tuple(crossed(each, target) for each in recipes)
        return Built(
            builder.build_all(recipes, get, site), f"{toolchain.title}, {method.profile.name}", native
        )


@contextmanager
def repaired(  # noqa: PLR0913  (what, for what, and what it was built with)
    prefix: Tree,
    target: Target | None,
    options: Options,
    *,
    search: tuple[Path, ...] = (),
    build_paths: tuple[str, ...] = (),
    compiling: Tree | None = None,
    oddities: tuple[Oddity, ...] = (),
) -> Iterator[Repaired]:
    """A portable copy of a prefix, for as long as the block runs.

    Args:
        prefix: what is copied.
        target: what it must run on; None: the lowest policy it meets.
        options: of the run.
        search: folders to look for external libraries in.
        build_paths: folders of the build machine that no file may name.
        compiling: an interpreter of the same version, where this machine cannot run the prefix's own.
        oddities: what a survey of the prefix found.
    """
    reporter = options.reporter
    scratch = _scratch(options.cache)
    try:
        with reporter.step("copy", str(prefix.root)):
            tree = copy(prefix, scratch / "python", oddities)
        for oddity in oddities:
            reporter.note(str(oddity))
        with reporter.step("audit"):
            stood = origins(prefix)
            with _named_as_in(prefix, tree):
                found = audit(tree, search=search, origins=stood)
        for stranger in found.strangers:
            reporter.note(str(stranger))
        with _named_as_in(prefix, tree):
            if build_paths:
                _insist_built(found, search)
            plan = joined(plan_graft(found), plan_relocate(tree, build_paths=build_paths, stood=stood))
        forbidden = (*build_paths, *stood)
        with reporter.step("graft and relocate", f"{len(plan)} edits"):
            apply(tree, plan, reporter=reporter, jobs=options.jobs)
        bytecode = plan_bytecode(tree)
        with ThreadPoolExecutor(1) as beside:  # bytecode is written while the ELF files are read
            written = beside.submit(
                apply, tree, bytecode, reporter=reporter, jobs=options.jobs, compiler=compiling
            )
            after, meets = _audited(tree, target)
            written.result()
        with _named_as_in(prefix, tree):
            require(after, meets)
        edits = (*plan_prune(prefix), *plan, *bytecode)
        yield Repaired(tree, meets, after, grafts(found), edits, forbidden)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


@contextmanager
def _named_as_in(prefix: Tree, tree: Tree) -> Iterator[None]:
    """What is wrong with a copy is told of the prefix: the copy is gone when the error is read."""
    try:
        yield
    except (AuditError, TreeError) as error:
        error.message = error.message.replace(str(tree.root), str(prefix.root))
        error.remedy = error.remedy.replace(str(tree.root), str(prefix.root))
        raise


@contextmanager
def opened_tree(place: Path, options: Options) -> Iterator[Tree]:
    """The tree in a folder, or in an archive: then unpacked for as long as the block runs."""
    if not place.is_file() or is_elf(place):
        yield Tree.open(place)
        return
    scratch = _scratch(options.cache)
    try:
        with options.reporter.step("unpack", place.name):
            unpack(place, scratch / "unpacked")
        inner = scratch / "unpacked" / "python"
        yield Tree.open(inner if inner.is_dir() else scratch / "unpacked")
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def examined(
    tree: Tree,
    target: Target | None,
    options: Options,
    chosen: tuple[Root, ...] = (),
    tests: Path | None = None,
) -> tuple[VerifyReport, Repaired]:
    """Try everything on a tree that is already repaired.

    Args:
        tree: what is tried.
        target: what it must run on; None: the lowest policy it meets.
        options: of the run.
        chosen: foreign roots to try it in.
        tests: archive of CPython's own test suite, to be run in foreign roots.
    """
    report, meets = _audited(tree, target)
    _prepare(meets, options, chosen, suite=tests is not None)
    done = Repaired(tree, meets, report, _present_grafts(tree), (), ())
    modules = _shipped_modules(tree.version) if told_origin(tree) == "make" else frozenset()
    proof = _examine(done, options, modules, chosen)
    if tests is not None:
        subject = _subject(done, options, modules)
        proof = VerifyReport((*proof.checks, *suite.examine(subject, tests)))
    return proof, done


def pack_tree(tree: Tree, target: Target | None, options: Options) -> Made:
    """Verify a tree and write its archives."""
    writable(options.dist, "--dist")
    insist_plain(tree, survey(tree))
    report, done = examined(tree, target, options)
    facts = _facts(done, options)
    try:
        verified = proved(tree, report)
    except VerifyError as error:
        error.log = written(report, done, options)
        raise
    return Made(_pack(verified, report, facts, options), report)


def written(report: VerifyReport, done: Repaired, options: Options) -> Path:
    """Write the report of a tree that is somebody's own, beside those that are kept; returns its page."""
    folder = options.cache / "unproved" / f"{done.tree.python_tag}-{done.tree.version}-report"
    return unproved.write_report(report, title(done.tree, done.target), folder)


def _audited(tree: Tree, target: Target | None) -> tuple[AuditReport, Target]:
    """A tree's audit, and the target it is for: the one given, or the lowest it meets."""
    report = audit(tree, target=target)
    meets = target or report.target
    if meets is None:
        raise AuditError(f"{tree.root}: meets no policy, only {report.policy}")
    return report, meets


def writable(folder: Path, option: str) -> None:
    """See before the work, not after it, that the output folder can be written.

    Raises:
        OutputError: it cannot.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OutputError(
            f"{folder}: cannot be written: {error.strerror or error}",
            remedy=f"name another folder with {option}",
        ) from None


def _prepare(target: Target, options: Options, chosen: tuple[Root, ...] = (), *, suite: bool = False) -> None:
    """Look up what the proof wants of this machine before there is anything to prove."""
    host_tools.require_proc()
    emulation.require(target.architecture, install=options.install_host_tools, reporter=options.reporter)
    needs.prepare(
        chosen,
        target.architecture,
        options.cache,
        suite=suite,
        install=options.install_host_tools,
        reporter=options.reporter,
    )


def _proved_and_packed(
    done: Repaired,
    facts: Facts,
    options: Options,
    modules: frozenset[str],
    tests: tuple[Member, ...] = (),
) -> Made:
    """Prove a tree and write its archives; where either fails the tree is kept, and the error says where."""
    report = _examine(done, options, modules)
    try:
        made = Made(_pack(proved(done.tree, report), report, facts, options, tests), report)
    except (VerifyError, OutputError) as error:
        kept = unproved.keep(done.tree, facts, report, options.cache)
        again = (
            f"the tree is kept: manypython verify {kept / 'python'} tries it again, "
            "manypython pack too, and then writes its archives"
        )
        error.remedy, error.log = "; ".join(filter(None, (error.remedy, again))), kept / "report.html"
        raise
    unproved.forget(options.cache, facts)
    return made


def _examine(
    done: Repaired, options: Options, modules: frozenset[str], chosen: tuple[Root, ...] = ()
) -> VerifyReport:
    """Everything that is tried. ``modules`` must be there; empty: those that are."""
    subject = _subject(done, options, modules)
    return examine(subject, done.report, done.forbidden, chosen, install=options.install_host_tools)


def _subject(done: Repaired, options: Options, modules: frozenset[str]) -> Subject:
    probing = ("full" if modules else "foreign", *sorted(modules or done.tree.extension_modules()))
    return Subject(
        done.tree, done.target, probing, bool(modules), options.cache, options.reporter, options.jobs
    )


def _shipped_modules(version: Version) -> frozenset[str]:
    """The extension modules that an archive of ours must have."""
    return frozenset(name for name in required_modules(version) if not is_test_module(name))


def _pack(
    tree: VerifiedTree,
    report: VerifyReport,
    facts: Facts,
    options: Options,
    tests: tuple[Member, ...] = (),
) -> tuple[Artifact, ...]:
    return pack(
        tree,
        facts,
        report=report,
        tests=tests,
        dist=options.dist,
        reporter=options.reporter,
        jobs=options.jobs,
        effort=options.effort,
    )


def _tests(prefix: Tree) -> tuple[Member, ...]:
    """The standard library's tests of a prefix that we built, as they are."""
    return tuple(
        Member(PurePosixPath(path.relative_to(prefix.root)), path, executable=os.access(path, os.X_OK))
        for path in tests_of(prefix)
    )


def _facts(done: Repaired, options: Options, built: Built | None = None) -> Facts:
    return collect(
        done.tree,
        done.target,
        done.report.policy,
        build=options.number,
        grafts=done.grafts,
        plan=done.plan,
        built=built.builds if built else {},
        toolchain=built.toolchain if built else "",
    )


def _present_grafts(tree: Tree) -> tuple[Graft, ...]:
    names = sorted(path.name for path in tree.grafts.glob("*.so*"))
    return tuple(Graft(name, PurePosixPath(GRAFTS, name), "") for name in names)


def _insist_built(found: AuditReport, search: tuple[Path, ...]) -> None:
    """Refuse a library of this machine in an interpreter that we build ourselves.

    Raises:
        AuditError: names the library and who needs it.
    """
    places = [folder.resolve() for folder in search]
    strange = [
        f"  {file.path}: needs {find.name}, found as {find.path}"
        for file in found.files
        for find in found.beyond(file)
        if find.path is not None and find.path.parent not in places
    ]
    if strange:
        raise AuditError(
            "libraries that no recipe built:\n" + "\n".join(strange),
            remedy="add a recipe for each, or let configure leave the module out",
        )


def _build_paths(options: Options, built: Built) -> tuple[str, ...]:
    """Folders that no file may name: this machine's, and those of the machine that built a part."""
    there = (path for each in built.builds.values() for path in each.build_paths)
    return tuple(dict.fromkeys((str(options.cache), str(zig_folder()), *there)))


def _scratch(cache: Path) -> Path:
    try:
        (cache / "work").mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix="tree-", dir=cache / "work"))
    except OSError as error:
        raise OutputError(
            f"{cache}: cannot be written: {error.strerror or error}",
            remedy="name another folder with --cache-dir",
        ) from None
