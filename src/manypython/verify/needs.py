"""What the proof needs of this machine, looked up before the work that is to be proved."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from manypython import host_tools
from manypython.model.errors import HostToolError
from manypython.model.target import Architecture
from manypython.progress import Reporter
from manypython.verify import roots, surroundings
from manypython.verify.roots import Root

OPTIONAL = {
    "bwrap": "bubblewrap: glibc 2.17 is tried by its loader only, not as a root of its own",
    "cc": "a C compiler: no C extension is built in a virtual environment",
}
"""Programs that verify can do without, and what it then does not try."""


def prepare(  # noqa: PLR0913  (what is to be tried, where, and what reports it)
    chosen: Iterable[Root],
    architecture: Architecture,
    cache: Path,
    *,
    suite: bool = False,
    install: bool,
    reporter: Reporter,
) -> None:
    """Provide what verify needs, or say what will not be tried without it.

    Args:
        chosen: foreign roots that were asked for.
        architecture: of the interpreter.
        cache: where roots are kept.
        suite: whether CPython's own tests are to be run.
        install: install what is missing (as root).
        reporter: shows what is installed and what will not be tried.

    Raises:
        HostToolError: a root that was asked for, or the suite, cannot do without what is missing.
    """
    chosen = tuple(chosen)
    missing = [root for root in chosen if root.suite and not roots.place(root, architecture, cache).is_dir()]
    if missing and os.geteuid() != 0:
        raise roots.only_root(missing[0])
    programs = {"debootstrap"} if missing else set()
    programs |= {"bwrap"} if chosen or suite else set()
    programs |= {"busybox"} if suite else set()
    host_tools.require(programs, install=install, reporter=reporter)
    if "bwrap" in programs and (why := surroundings.works()):
        raise HostToolError(
            f"no foreign root can be entered on this machine: {why}",
            remedy="go where user namespaces are allowed (no chroot), or leave out --root and --tests",
        )
    lacking = {tool.program for tool in host_tools.missing(OPTIONAL)}
    if lacking and install and os.geteuid() == 0:
        try:
            host_tools.require(lacking, install=True, reporter=reporter)
            lacking = set()
        except HostToolError as error:
            reporter.warn(error.message)
    for program in sorted(lacking):
        reporter.note(f"will not be tried for want of {OPTIONAL[program]}")
    if "bwrap" not in lacking and (why := surroundings.works()):
        reporter.note(f"will not be tried as a root of its own, only by its loader: glibc 2.17 ({why})")
