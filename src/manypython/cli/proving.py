"""Commands that prove: verify, and the roots it runs in."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from rich.console import Console

from manypython import files, pipeline
from manypython.cli import arguments as a
from manypython.cli.arguments import STDOUT
from manypython.cli.options import as_json, cache, reporter, run_of
from manypython.model.errors import UsageError, VerifyError
from manypython.verify import roots
from manypython.verify.page import page
from manypython.verify.report import as_text, show, title


def verify(arguments: argparse.Namespace) -> int:
    """Prove a tree or an archive portable."""
    run = run_of(arguments)
    chosen = roots.select(arguments.root)
    tests = _tests(arguments)
    with pipeline.opened_tree(arguments.tree, run) as tree:
        report, repaired = pipeline.verify(tree, arguments.target, run, chosen, tests)
    heading = title(repaired.tree, repaired.target)
    for path, text in ((arguments.html, page(heading, report)), (arguments.json, as_text(report))):
        if path == STDOUT:
            print(text)
        elif path:
            _write(Path(path), text)
    if arguments.json != STDOUT:
        show(heading, report, _Output(highlight=False))
    if report.failures:
        raise VerifyError(
            f"{arguments.tree}: {len(report.failures)} of {len(report.checks)} checks failed",
            log=pipeline.write_report(report, repaired, run),
        )
    return 0


class _Output(Console):
    """Standard output; rich itself would end the program with 1 where nobody reads it any more."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def _tests(arguments: argparse.Namespace) -> Path | None:
    """The archive of CPython's tests for ``--full``: the one given, or the one beside the archive."""
    if not arguments.full:
        return None
    beside = arguments.tree.with_name(re.sub(r"-install_only\..*", "-tests.tar.gz", arguments.tree.name))
    found: Path = arguments.tests or beside
    if not found.is_file() or found == arguments.tree:
        raise UsageError(
            f"{found}: no archive of CPython's tests",
            remedy="make leaves one named -tests.tar.gz beside the others; name it with --tests",
        )
    return found


def _write(path: Path, text: str) -> None:
    """Write a report: beside its place first, so that half of one is never seen."""
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write_text(path, text + "\n")


def roots_list(arguments: argparse.Namespace) -> int:
    """List the foreign roots."""
    there = roots.existing(cache(arguments))
    rows = []
    for root in roots.ROOTS.values():
        name = roots.place(root, arguments.arch, cache(arguments)).name
        rows.append({"name": root.name, "architecture": str(arguments.arch), "bytes": there.get(name)})
    if arguments.json:
        print(as_json(rows))
        return 0
    for row in rows:
        size = f"{row['bytes'] / 1e6:.0f} MB" if isinstance(row["bytes"], int) else "not made"
        print(f"{row['name']:<12} {row['architecture']:<8} {size:>9}")
    return 0


def roots_create(arguments: argparse.Namespace) -> int:
    """Make foreign roots."""
    for root in roots.select(arguments.names):
        folder = roots.create(
            root,
            arguments.arch,
            cache(arguments),
            reporter(arguments),
            install=arguments.install_host_tools,
        )
        print(folder)
    return 0


def roots_remove(arguments: argparse.Namespace) -> int:
    """Remove foreign roots."""
    for root in roots.select(arguments.names):
        there = roots.place(root, arguments.arch, cache(arguments))
        if arguments.dry_run:
            print(f"remove {there}" if there.is_dir() else f"{root.name}: not there")
        else:
            removed = roots.remove(root, arguments.arch, cache(arguments))
            print(f"{root.name}: {'removed' if removed else 'was not there'}")
    return 0


COMMANDS = {
    "verify": (
        verify,
        "manypython verify ./python", "manypython verify dist/cpython-*-install_only.tar.gz --root all",
        "manypython verify ./python --root debian-12 --root glibc-2.17 --html report.html --json report.json",
        a.TREE_OR_ARCHIVE, a.TARGET_FOUND, *a.REPORTS, a.HOST_TOOLS, *a.CACHE,
    ),
    "roots": {
        "create": (
            "make roots that are not there yet (Debian's need debootstrap, and root to run it)",
            roots_create,
            "manypython roots create all", "manypython roots create glibc-2.17",
            a.ROOT_NAMES, a.ARCH, a.HOST_TOOLS, *a.CACHE,
        ),
        "list": (
            "list the roots and their size on disk",
            roots_list,
            "manypython roots list", "manypython roots list --json", a.ARCH, *a.CACHE, a.JSON,
        ),
        "remove": (
            "remove roots from the cache folder",
            roots_remove,
            "manypython roots remove debian-sid", a.ROOT_NAMES, a.ARCH, a.DRY_RUN, *a.CACHE,
        ),
    },
}  # fmt: skip
