"""One trial of a tree: where it happens, and how a check becomes a row of the report."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from manypython import process
from manypython.model.errors import ManypythonError, VerifyError
from manypython.repair.audit import AuditReport
from manypython.verify import impostors, roots
from manypython.verify.foreign import Subject
from manypython.verify.report import HERE, Check, skipped
from manypython.verify.scratch import Scratch
from manypython.verify.verified import first

Checks = tuple[Check, ...]


@dataclass(frozen=True)
class Trial:
    """What the checks work on."""

    subject: Subject
    scratch: Scratch
    chosen: tuple[roots.Root, ...]
    """Foreign roots that come afterwards."""

    @property
    def report(self) -> AuditReport:
        """The tree's audit against its target, as it stands now."""
        return self.subject.portable_tree.report

    @functools.cached_property
    def exported(self) -> impostors.Libraries:
        """What the grafted libraries export; read once."""
        return impostors.exported(self.subject.tree)

    @property
    def folder(self) -> Path:
        """Where it happens."""
        return self.scratch.folder

    @property
    def strangers(self) -> frozenset[PurePosixPath]:
        """ELF files that are left as they are."""
        return frozenset(stranger.path for stranger in self.report.strangers)

    @property
    def programs(self) -> Path:
        """A copy of the programs that run inside, in a place that anybody can read."""
        return self.folder / "inside"


def insist_none(findings: tuple[str, ...]) -> None:
    """Insist that there are no findings.

    Raises:
        VerifyError: names the first findings.
    """
    if findings:
        raise VerifyError("; ".join(first(findings)))


def run(trial: Trial, argv: tuple[str, ...], env: Mapping[str, str]) -> str:
    """What a program says, run as the user of the trial."""
    return process.run(argv, env=env, cwd=Path("/"), user=trial.scratch.user).output


class NotTriedError(Exception):
    """A check that does not apply, with the reason."""


def timed(where: str, name: str, work: Callable[[], str]) -> Checks:
    """Make a check; its row, with the time it took."""
    begun = time.monotonic()
    try:
        ok, detail = True, work()
    except NotTriedError as reason:
        return (skipped(where, name, str(reason)),)
    except ManypythonError as error:
        ok, detail = False, error.message
    except process.ProgramError as error:
        ok, detail = False, f"{' '.join(error.result.argv[:6])}: {error.result.output[-2000:]}"
    return (Check(HERE, where, name, ok, detail, round(time.monotonic() - begun, 3)),)
