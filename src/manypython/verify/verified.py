"""A tree that proved portable: nothing else can be packed."""

from __future__ import annotations

from dataclasses import dataclass

from manypython.model.errors import VerifyError
from manypython.model.target import Target
from manypython.model.tree import Tree
from manypython.verify.report import VerifyReport

_SHOWN = 20
"""Failures that the error names."""


@dataclass(frozen=True)
class VerifiedTree:
    """A tree with its proof; it cannot be made of a tree that did not prove portable."""

    tree: Tree
    target: Target
    report: VerifyReport

    def __post_init__(self) -> None:
        """Insist on the proof.

        Raises:
            VerifyError: something did not hold; each is named with its fact.
        """
        failures = self.report.failures
        if failures:
            count = f"{len(failures)} of {len(self.report.checks)} checks failed"
            facts = [f"  {fact}" for fact in first(tuple(check.headline for check in failures))]
            title = f"{self.tree.name} {self.tree.version} did not prove portable, {count}:"
            raise VerifyError("\n".join((title, *facts)))


def first(facts: tuple[str, ...]) -> tuple[str, ...]:
    """The first findings, and how many more there are."""
    more = len(facts) - _SHOWN
    return (*facts[:_SHOWN], f"{more} more") if more > 0 else facts
