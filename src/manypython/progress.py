"""What a user sees while it runs: stage, elapsed and expected time, last line of a log.

On a terminal one live line per running step (rich); elsewhere plain lines, one
when a step begins, one a minute while it lasts, one when it ends. Expected
times come from the last run, kept in the cache folder.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

_PLAIN_INTERVAL = 60.0
"""Seconds between two signs of life of one step in a plain log."""
_TRANSFER_INTERVAL, _LIVE_INTERVAL = 5.0, 0.2
"""The same for a transfer, in a plain log and on a terminal."""
_PATIENCE = 2.0
"""Seconds that a transfer may take before it is shown."""


class Step(Protocol):
    """One running step."""

    def line(self, text: str) -> None:
        """Show the newest line of output."""


class Reporter:
    """Reports what happens. All output goes to standard error: standard output is for results."""

    def __init__(self, timings: Path | None = None, *, quiet: bool = False) -> None:
        """Make a reporter.

        Args:
            timings: JSON file with seconds per step of the last run; read and updated.
            quiet: say nothing but warnings (``--json``).
        """
        # a program that fetches may have none
        self._live = bool(sys.stderr and sys.stderr.isatty()) and not quiet and "CI" not in os.environ
        self._quiet = quiet
        self._timings_path = timings
        self._timings: dict[str, float] = _read_timings(timings)
        self._lock = threading.Lock()
        self._progress: Progress | None = None
        self._depth = 0

    def note(self, text: str) -> None:
        """Report one fact."""
        if not self._quiet:
            self._print(text)

    def warn(self, text: str) -> None:
        """Report something that should not be missed, also under ``--json``."""
        self._print(f"warning: {text}")

    @contextlib.contextmanager
    def step(self, name: str, detail: str = "") -> Iterator[Step]:
        """Show a step while the block runs, and afterwards how long it took.

        Args:
            name: what it is, also the key its time is remembered under, e.g. ``build openssl 3.5.7``.
            detail: what else is worth saying at its beginning.
        """
        expected = self._timings.get(name)
        begun = time.monotonic()
        hint = f", about {duration(expected)}" if expected and expected > 2 else ""  # noqa: PLR2004
        shown = f"{name}{': ' + detail if detail else ''}"
        with self._live_line(shown, hint) as live:
            if not self._live:
                self.note(f"{shown} ...{hint}")
            yield _PlainStep(self, name, begun) if live is None else live
        took = time.monotonic() - begun
        self.note(f"{name}: done in {duration(took)}")
        self._remember(name, took)

    @contextlib.contextmanager
    def transfer(self, name: str, size: int) -> Iterator[Callable[[int], None]]:
        """Show how many bytes have arrived, once it takes longer than two seconds.

        Args:
            name: what is transferred.
            size: bytes there will be.
        """
        begun = time.monotonic()
        shown = begun - _TRANSFER_INTERVAL
        with contextlib.ExitStack() as stack:
            live: _LiveStep | None = None

            def advance(arrived: int) -> None:
                nonlocal live, shown
                now = time.monotonic()
                if now - begun < _PATIENCE or now - shown < (_LIVE_INTERVAL if live else _TRANSFER_INTERVAL):
                    return
                if live is None and self._live:
                    live = stack.enter_context(self._live_line(name, ""))
                shown = now
                remaining = duration((now - begun) * (size - arrived) / max(1, arrived))
                amount = f"{arrived / 1e6:.1f} of {size / 1e6:.1f} MB"
                text = f"{amount}, {duration(now - begun)}, about {remaining} more"
                if live is not None:
                    live.line(text)
                else:
                    self.note(f"{name}: {text}")

            yield advance

    @functools.cached_property
    def _console(self) -> Console:
        """Rich's console; only a live display needs it, and a quick fetch has none."""
        from rich.console import Console  # noqa: PLC0415  (40 ms)

        return Console(stderr=True, highlight=False, soft_wrap=True)

    def _print(self, text: str) -> None:
        with self._lock:
            if self._progress is None:
                print(text, file=sys.stderr, flush=True)
            else:
                self._console.print(text, markup=False)

    @contextlib.contextmanager
    def _live_line(self, text: str, hint: str) -> Iterator[_LiveStep | None]:
        if not self._live:
            yield None
            return
        from rich.markup import escape  # noqa: PLC0415
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415

        with self._lock:
            if self._progress is None:
                self._progress = Progress(
                    SpinnerColumn(),
                    TimeElapsedColumn(),
                    TextColumn("{task.description}"),
                    console=self._console,
                    transient=True,
                )
                self._progress.start()
            self._depth += 1
            task = self._progress.add_task(escape(text + hint))
        try:
            yield _LiveStep(self._progress, task, text + hint)
        finally:
            with self._lock:
                self._progress.remove_task(task)
                self._depth -= 1
                if self._depth == 0:
                    self._progress.stop()
                    self._progress = None

    def _remember(self, name: str, took: float) -> None:
        with self._lock:
            self._timings[name] = round(took, 1)
            if self._timings_path is None:
                return
            with contextlib.suppress(OSError):  # a hint for next time, nothing to fail for
                self._timings_path.parent.mkdir(parents=True, exist_ok=True)
                scratch = self._timings_path.with_suffix(f".{os.getpid()}.tmp")
                scratch.write_text(json.dumps(self._timings, indent=1, sort_keys=True) + "\n")
                scratch.replace(self._timings_path)


class Silent(Reporter):
    """For a program that fetches: nothing is printed, warnings are Python's."""

    def __init__(self) -> None:
        super().__init__(quiet=True)

    def warn(self, text: str) -> None:
        """Warn as a library does."""
        warnings.warn(text, UserWarning, stacklevel=6)


class Lines(Reporter):
    """For a tool with its own way of reporting."""

    def __init__(self, say: Callable[[str], None]) -> None:
        """Make a reporter.

        Args:
            say: takes each line.
        """
        super().__init__()
        self._live = False
        self._say = say

    def _print(self, text: str) -> None:
        self._say(text)


class _LiveStep:
    """A line of the live display."""

    def __init__(self, progress: Progress, task: int, text: str) -> None:
        self._progress, self._task, self._text = progress, task, text

    def line(self, text: str) -> None:
        from rich.markup import escape  # noqa: PLC0415

        room = max(20, self._progress.console.width - len(self._text) - 16)
        self._progress.update(
            self._task,  # type: ignore[arg-type]
            description=f"{escape(self._text)} [dim]{escape(text.strip()[:room])}[/dim]",
        )


class _PlainStep:
    """A sign of life now and then, for logs."""

    def __init__(self, reporter: Reporter, name: str, begun: float) -> None:
        self._reporter, self._name, self._begun = reporter, name, begun
        self._last = begun

    def line(self, text: str) -> None:
        now = time.monotonic()
        if now - self._last >= _PLAIN_INTERVAL:
            self._last = now
            self._reporter.note(f"{self._name}: {duration(now - self._begun)}: {text.strip()[:100]}")


def duration(seconds: float) -> str:
    """Seconds for people: ``0.4 s``, ``12 s``, ``3 min 05 s``."""
    if seconds < 10:  # noqa: PLR2004
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def _read_timings(path: Path | None) -> dict[str, float]:
    if path is None:
        return {}
    try:
        data = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return (
        {k: float(v) for k, v in data.items() if isinstance(v, int | float)} if isinstance(data, dict) else {}
    )
