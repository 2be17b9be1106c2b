"""Whom the README's commands have to work for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

SUITES = {"debian-12": "bookworm", "debian-13": "trixie", "debian-sid": "sid"}


@dataclass(frozen=True)
class Row:
    """A newcomer on a machine."""

    system: str
    user: str
    """``root``, or an ordinary one."""
    sandbox: bool = False
    """Entered by chroot, where an ordinary user gets no namespaces, with a ``/dev/pts`` without ``gid=5``.

    Otherwise as a machine or a container engine has it: by pivot_root, with ``gid=5``.
    """
    cold: bool = False
    """Nothing is in the cache folder."""

    @property
    def name(self) -> str:
        parts = ("cold" * self.cold, self.system, self.user, "sandbox" * self.sandbox)
        return "-".join(filter(None, parts))

    @property
    def home(self) -> str:
        return "/root" if self.user == "root" else f"/home/{self.user}"


ROWS = (
    *(
        Row(system, user, sandbox)
        for system in SUITES
        for user in ("root", "newcomer")
        for sandbox in (False, True)
    ),
    Row("debian-13", "root", sandbox=True, cold=True),
)


def select(words: Sequence[str]) -> tuple[Row, ...]:
    """The rows of these names, or whose names begin with them; without a word each.

    Raises:
        ValueError: a word means no row.
    """
    chosen: dict[Row, None] = {}
    for word in words:
        exact = [row for row in ROWS if row.name == word]
        begun = [row for row in ROWS if row.name.startswith(f"{word}-")]
        if not exact and not begun:
            raise ValueError(f"no row {word!r}: there are {', '.join(row.name for row in ROWS)}")
        chosen.update(dict.fromkeys(exact or begun))
    return tuple(chosen) if words else ROWS
