"""Commands that make and change trees and archives: make, repair, pack, audit, graft, relocate, recipes."""

from __future__ import annotations

import argparse
import os

from manypython import pipeline
from manypython.cli import arguments as a
from manypython.cli.arguments import COMPILERS
from manypython.cli.options import as_json, output_of, run_of
from manypython.compile.building import SourceOptions
from manypython.compile.engine import Engine
from manypython.compile.images import images
from manypython.compile.method import Method, usual
from manypython.compile.toolchains.base import PROFILES, QUICK, RELEASE
from manypython.compile.toolchains.gcc import ImageGcc
from manypython.model.errors import TreeError, UsageError
from manypython.model.identifier import BuildNumber, Spec
from manypython.model.target import DEFAULT_TARGET, Target
from manypython.model.tree import Tree
from manypython.progress import Reporter
from manypython.recipes.catalogue import catalogue
from manypython.repair.apply import apply
from manypython.repair.audit import AuditReport, require
from manypython.repair.audit import audit as audited
from manypython.repair.edits import Plan, plan_as_json
from manypython.repair.graft import plan_graft
from manypython.repair.relocate import origins, plan_relocate
from manypython.repair.symbols import plan_symbols


def make(arguments: argparse.Namespace) -> int:
    """Build a CPython release."""
    method, output = _method(arguments), output_of(arguments)
    _insist_made(arguments.spec, arguments.target or DEFAULT_TARGET, output.number)
    sources = SourceOptions(arguments.source_dir, arguments.offline)
    run = run_of(arguments)
    _say_method(method, run.reporter)
    made = pipeline.make(arguments.spec, arguments.target, method, run, sources=sources, output=output)
    return _show_made(arguments, made)


def _insist_made(spec: Spec, target: Target, number: BuildNumber) -> None:
    """See that what a request says besides the version is what is made.

    Raises:
        UsageError: it is another build, or one for another machine.
    """
    asked = spec.request
    if asked.key or asked.level > 1:
        raise UsageError(f"{spec}: is one build; make takes a version", remedy="give it as 3.13 or 3.13.5")
    if asked.build not in (0, number.value):
        raise UsageError(
            f"{spec}: what is made now is build {number}",
            remedy=f"manypython fetch {spec} if a site has it; --build-number gives a new one another number",
        )
    if asked.machine not in ("", target.architecture) or asked.abi not in ("", target.libc.abi):
        raise UsageError(f"{spec}: is not for {target}", remedy="name what it must run on with --target")


def _method(arguments: argparse.Namespace) -> Method:
    image, named = arguments.image or "", arguments.toolchain
    for option in ("engine", "base"):
        if getattr(arguments, option) and not image:
            raise UsageError(f"--{option} goes with --in", remedy=f"add --in, one of {', '.join(images())}")
    if image and named not in (None, ImageGcc.name):
        raise UsageError("--in builds with the image's own GCC", remedy="leave out --toolchain")
    profile = PROFILES[arguments.profile] if arguments.profile else None
    if image:
        engine = Engine(arguments.engine) if arguments.engine else None
        return Method(ImageGcc(images()[image], engine, arguments.base), profile or RELEASE)
    if named is None:
        return usual(arguments.target, profile, install=arguments.install_host_tools)
    compiler = COMPILERS[named]()
    return Method(compiler, profile or (RELEASE if compiler.pgo else QUICK))


def _say_method(method: Method, reporter: Reporter) -> None:
    """Say what is made, and what else could be."""
    if method.profile.pgo:
        reporter.note(
            f"compiled by {method.compiler.title}, trained and compiled again ({method.profile.name}); "
            "--profile quick is made in a third of the time and is slower"
        )
    else:
        reporter.note(
            f"compiled by {method.compiler.title}, once ({method.profile.name}); --profile release is "
            "trained, a quarter faster, and takes this machine's GCC and half an hour"
        )


def repair(arguments: argparse.Namespace) -> int:
    """Make archives of a prefix that somebody else built."""
    search = tuple(arguments.search)
    made = pipeline.repair(
        arguments.prefix, arguments.target, run_of(arguments), output_of(arguments), search
    )
    return _show_made(arguments, made)


def pack(arguments: argparse.Namespace) -> int:
    """Make archives of a tree."""
    tree = Tree.open(arguments.tree)
    return _show_made(
        arguments, pipeline.pack_tree(tree, arguments.target, run_of(arguments), output_of(arguments))
    )


def _show_made(arguments: argparse.Namespace, made: pipeline.RunResult) -> int:
    if arguments.json:
        rows = [{"path": str(a.path), "sha256": a.sha256, "size": a.size} for a in made.artifacts]
        result = {
            "artifacts": rows,
            "verify": made.report.as_json(),
            "odd_files": [oddity.as_json() for oddity in made.oddities],
            "left_as_they_are": [stranger.as_json() for stranger in made.strangers],
        }
        print(as_json(result))
        return 0
    for artifact in made.artifacts:
        print(f"{artifact.path}  {artifact.size / 1e6:.1f} MB  sha256 {artifact.sha256}")
    for line in made.report.untried():
        print(line)
    print(f"{made.report.passed} checks passed")
    return 0


def recipes(arguments: argparse.Namespace) -> int:
    """List the recipes."""
    known = (*catalogue().pythons(), *catalogue().libraries())
    rows = [
        {
            "name": recipe.name,
            "version": str(recipe.version),
            "licenses": list(recipe.licenses),
            "upstream": recipe.source.url,
            "debian": recipe.source.debian.package if recipe.source.debian else "",
            "sha256": recipe.source.sha256,
        }
        for recipe in known
    ]
    if arguments.json:
        print(as_json({"build": catalogue().build.value, "recipes": rows}))
        return 0
    for row in rows:
        origins = f"upstream, Debian source package {row['debian']}" if row["debian"] else "upstream"
        print(f"{row['name']:<18} {row['version']:<14} {origins}")
    return 0


def audit(arguments: argparse.Namespace) -> int:
    """Say which policy each file meets."""
    report = _audited(arguments, Tree.open(arguments.tree), arguments.target)
    if arguments.json:
        print(as_json(report.as_json()))
    else:
        for file in report.files:
            reasons = [f"needs {name} from outside" for name in file.external]
            print(f"{file.path}: {file.policy}{''.join(f', {reason}' for reason in reasons)}")
        for stranger in report.strangers:
            print(stranger)
        print(f"lowest policy: {report.policy}")
    if arguments.target is not None:
        require(report, arguments.target)
    return 0


def graft(arguments: argparse.Namespace) -> int:
    """Copy external libraries in."""
    tree = Tree.open(arguments.tree)
    report = _audited(arguments, tree)
    for stranger in report.strangers:
        Reporter(quiet=arguments.json).note(str(stranger))
    return _carry_out(arguments, tree, (*plan_graft(report), *plan_symbols(report)))


def _audited(arguments: argparse.Namespace, tree: Tree, target: Target | None = None) -> AuditReport:
    """A tree's audit; a tree without sysconfig data stood nowhere else."""
    try:
        stood = origins(tree)
    except TreeError:
        stood = ()
    return audited(tree, target=target, search=tuple(arguments.search), origins=stood)


def relocate(arguments: argparse.Namespace) -> int:
    """Make the texts independent of the place."""
    tree = Tree.open(arguments.tree)
    return _carry_out(arguments, tree, plan_relocate(tree, origins=(str(tree.root),)))


def _carry_out(arguments: argparse.Namespace, tree: Tree, plan: Plan) -> int:
    """Print a plan, or do it and say how much it was."""
    if not arguments.dry_run:
        reporter = Reporter(quiet=arguments.json)
        apply(tree, plan, reporter=reporter, jobs=os.cpu_count() or 1)
    rows = plan_as_json(plan)
    if arguments.json:
        print(as_json(rows))
    elif arguments.dry_run:
        for row in rows:
            facts = ", ".join(f"{k} {v}" for k, v in row.items() if k not in ("edit", "path"))
            print(f"{row['edit']} {row.get('path', '')}{': ' + facts if facts else ''}")
    else:
        print(f"{len(plan)} edits done" if plan else "nothing to do")
    return 0


COMMANDS = {
    "make": (
        make,
        "manypython make 3.13", "manypython make cp313 --dist out --json",
        "manypython make 3.13 --in manylinux_2_28 --profile release",
        "manypython make 3.13 --target aarch64-manylinux_2_17",
        a.SPEC,
        a.TARGET, *a.METHOD, *a.SOURCES, *a.OUTPUT,
    ),
    "repair": (
        repair,
        "manypython repair ~/.pyenv/versions/3.13.0 -o dist", "manypython repair /opt/python --fast",
        "manypython repair ./python --search ~/lib",
        a.PREFIX, a.TARGET_FOUND, a.SEARCH, a.HOST_TOOLS, *a.OUTPUT,
    ),
    "recipes": (recipes, "manypython recipes", "manypython recipes --json", a.JSON),
    "audit": (
        audit,
        "manypython audit ./python", "manypython audit ./python --target x86_64-manylinux_2_17 --json",
        a.TREE, a.TARGET_FOUND, a.SEARCH, a.JSON,
    ),
    "graft": (
        graft,
        "manypython graft ./python --dry-run", "manypython graft ./python --search ~/lib",
        a.TREE, a.SEARCH, a.DRY_RUN, a.JSON,
    ),
    "relocate": (relocate, "manypython relocate ./python --dry-run", a.TREE, a.DRY_RUN, a.JSON),
    "pack": (pack, "manypython pack ./python --dist dist", a.TREE, a.TARGET_FOUND, a.HOST_TOOLS, *a.OUTPUT),
}  # fmt: skip
