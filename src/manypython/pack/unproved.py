"""A tree that did not prove portable, or could not be packed: kept, so that minutes of work are not lost."""

from __future__ import annotations

from pathlib import Path

from manypython import files
from manypython.model.errors import OutputError, reason
from manypython.model.tree import Tree
from manypython.pack import own_files
from manypython.pack.facts import Facts
from manypython.verify.page import page
from manypython.verify.report import VerifyReport, as_text, title


def place(cache: Path, facts: Facts) -> Path:
    """The folder that a tree with these facts is kept in."""
    return cache / "unproved" / f"{facts.python_tag}-{facts.version}+{facts.build.value}-{facts.target}"


def keep(tree: Tree, facts: Facts, report: VerifyReport, cache: Path) -> Path:
    """Move a tree out of its scratch folder, with its facts in it and its report beside it.

    ``pack`` of what is kept makes the archives that would have been made. An older tree of the same name
    goes. The folder appears whole or not at all.

    Args:
        tree: below ``cache`` itself, so that moving it copies nothing.
        facts: of its archives.
        report: what was tried, and failed.
        cache: the folder for all that takes long to make.

    Returns:
        The folder that holds ``python/``, ``report.json`` and ``report.html``.

    Raises:
        OutputError: there is no room.
    """
    folder = place(cache, facts)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with files.whole_folder(folder) as scratch:
            for member in own_files(facts):
                path = tree.root / member.name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(member.read())
            write_report(report, title(tree, facts.target), scratch)
            tree.root.rename(scratch / "python")
    except OSError as error:
        raise OutputError(
            f"{error.filename or folder}: the tree cannot be kept: {reason(error)}",
            remedy="free some room or name another folder with --cache-dir",
        ) from None
    return folder


def forget(cache: Path, facts: Facts) -> None:
    """Remove what was kept of an earlier attempt."""
    files.remove_folder(place(cache, facts))


def write_report(report: VerifyReport, heading: str, folder: Path) -> Path:
    """Write ``report.json`` and ``report.html`` into a folder; returns the latter."""
    files.write_text(folder / "report.json", as_text(report) + "\n")
    files.write_text(folder / "report.html", page(heading, report) + "\n")
    return folder / "report.html"
