"""What was tried, and how it went."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from manypython import process
from manypython.model.target import Target
from manypython.model.tree import Tree

HERE = "this machine"
_UNTRIED = "not tried: "
_LINE = 300
"""Characters of the line that is shown of one check."""


@dataclass(frozen=True)
class Check:
    """One thing that was tried."""

    root: str
    """``this machine``, or a foreign root: ``debian-12``."""
    where: str
    """The surrounding: ``moved``, ``no /proc``."""
    name: str
    ok: bool
    detail: str
    seconds: float
    skipped: bool = False
    cause: str = ""
    """What the system refused, e.g. ``PermissionError EACCES``, where that is why it failed."""

    @property
    def line(self) -> str:
        """The one line of the details that matters: of a traceback, or of a program's output, the last."""
        lines = [line.strip() for line in self.detail.splitlines() if line.strip()]
        return lines[-1][:_LINE] if lines else ""

    @property
    def headline(self) -> str:
        """Where, what, and the line that matters."""
        return f"{self.root}: {self.where}: {self.name}: {self.line}"


@dataclass(frozen=True)
class VerifyReport:
    """All that was tried."""

    checks: tuple[Check, ...]

    @property
    def failures(self) -> tuple[Check, ...]:
        """What did not hold."""
        return tuple(check for check in self.checks if not check.ok)

    @property
    def skipped(self) -> tuple[Check, ...]:
        """What could not be tried here, with the reason."""
        return tuple(check for check in self.checks if check.skipped)

    @property
    def passed(self) -> int:
        """How many held."""
        return len(self.checks) - len(self.failures) - len(self.skipped)

    def as_json(self) -> dict[str, Any]:
        """The report for machines."""
        return {"ok": not self.failures, "checks": [asdict(check) for check in self.checks]}

    def proof(self) -> dict[str, Any]:
        """The short form of the report, for the file beside the archives and for an index."""
        return {
            "passed": self.passed,
            "roots": list(dict.fromkeys(check.root for check in self.checks if not check.skipped)),
            "not_tried": [line.removeprefix(_UNTRIED) for line in self.untried()],
        }

    def untried(self) -> Iterator[str]:
        """A line for each thing that was not tried, with the reason."""
        alike = Counter(replace(check, where="", seconds=0.0) for check in self.skipped)
        for check, number in alike.items():
            places = f" ({number} surroundings)" if number > 1 else ""
            yield f"{_UNTRIED}{check.root}: {check.name}: {check.detail}{places}"

    def table(self) -> tuple[tuple[str, ...], dict[str, dict[str, tuple[Check, ...]]]]:
        """Roots in the order they were tried, and by surrounding and root the checks made there."""
        roots = tuple(dict.fromkeys(check.root for check in self.checks))
        rows: dict[str, dict[str, tuple[Check, ...]]] = {}
        for check in self.checks:
            row = rows.setdefault(check.where, {})
            row[check.root] = (*row.get(check.root, ()), check)
        return roots, rows


def title(tree: Tree, target: Target) -> str:
    """What a report is about: ``python3.13 3.13.5 for x86_64-manylinux_2_17``."""
    return f"{tree.name} {tree.version} for {target}"


def as_text(report: VerifyReport) -> str:
    """The report for machines."""
    return json.dumps(report.as_json(), indent=1)


def summary(checks: tuple[Check, ...]) -> str:
    """One cell of the table: ``17``, or ``16 of 17`` where one failed."""
    tried = [check for check in checks if not check.skipped]
    if not tried:
        return "not tried" if checks else ""
    good = sum(check.ok for check in tried)
    return str(good) if good == len(tried) else f"{good} of {len(tried)}"


def show(heading: str, report: VerifyReport, console: Console) -> None:
    """Print the table, then what failed and what was not tried."""
    columns, rows = report.table()
    console.print(heading, style="bold", markup=False)
    # narrow enough for five roots on 80 columns
    table = Table(box=box.SIMPLE_HEAD, show_footer=True, pad_edge=False, collapse_padding=True)
    table.add_column("checks that held", footer="seconds", no_wrap=True)
    for name in columns:
        took = sum(check.seconds for check in report.checks if check.root == name)
        table.add_column(name.replace("-", "\n").replace(" ", "\n"), footer=f"{took:.0f}", justify="right")
    for where, row in rows.items():
        good = {name: all(check.ok for check in row.get(name, ())) for name in columns}
        cells = [Text(summary(row.get(name, ())), "green" if good[name] else "bold red") for name in columns]
        table.add_row(Text(where), *cells)
    console.print(table)
    for line in report.untried():
        console.print(line, markup=False, soft_wrap=True)
    for check in report.failures:
        console.print(f"failed: {check.headline}", markup=False, soft_wrap=True)
    wrong, untried = len(report.failures), len(report.skipped)
    console.print(f"{report.passed} checks passed, {wrong} failed, {untried} not tried")


def skipped(where: str, name: str, fact: str, root: str = HERE) -> Check:
    """A check that could not be tried here: it is counted and reported."""
    return Check(root, where, name, ok=True, detail=fact, seconds=0.0, skipped=True)


def failed(where: str, name: str, fact: str, root: str = HERE) -> Check:
    """A check that did not hold."""
    return Check(root, where, name, ok=False, detail=fact, seconds=0.0)


def run_probe(
    argv: tuple[str, ...],
    env: Mapping[str, str] | None,
    where: str,
    *,
    root: str = HERE,
    user: int | None = None,
) -> tuple[Check, ...]:
    """Run ``inside/probe.py``; its rows are the checks.

    Args:
        argv: how it is run.
        env: the whole environment; None: ours (bubblewrap clears it).
        where: the surrounding.
        root: the root it runs in.
        user: uid to run as, see ``process.run``.
    """
    try:
        result = process.run(argv, env=env, cwd=Path("/"), user=user).output
        rows = json.loads(result.splitlines()[-1])
    except (process.ProgramError, ValueError, IndexError) as error:
        output = error.result.output[-2000:] if isinstance(error, process.ProgramError) else str(error)
        return (failed(where, "start", output, root),)
    return tuple(Check(root, where, **row) for row in rows)
