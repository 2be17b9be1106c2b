"""What every stage knows about the run that it is part of."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from manypython.model.errors import OutputError, reason
from manypython.progress import Reporter


@dataclass(frozen=True)
class Run:
    """One call of a command, or of the pipeline."""

    cache: Path
    """Folder of sources, builds, roots and logs."""
    reporter: Reporter
    jobs: int
    """How many processes at once."""
    install_host_tools: bool = False
    """Whether programs that are missing may be installed (as root)."""

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A folder in the cache that is gone when the block ends.

        Raises:
            OutputError: the cache cannot be written.
        """
        try:
            (self.cache / "work").mkdir(parents=True, exist_ok=True)
            folder = Path(tempfile.mkdtemp(prefix="tree-", dir=self.cache / "work"))
        except OSError as error:
            raise OutputError(
                f"{self.cache}: cannot be written: {reason(error)}",
                remedy="name another folder with --cache-dir",
            ) from None
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def insist_writable(folder: Path, option: str) -> None:
    """Insist, before the work and not after it, that an output folder can be written.

    Args:
        folder: made where it is not there.
        option: of the command line, for the remedy: ``--dist``.

    Raises:
        OutputError: it cannot.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OutputError(
            f"{folder}: cannot be written: {reason(error)}",
            remedy=f"name another folder with {option}",
        ) from None
