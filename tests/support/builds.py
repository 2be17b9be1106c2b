"""Real builds, made once in a run by whichever of its processes (``-n 2``) is first."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from calls import cli
from filelock import FileLock

from manypython.archives.read import unpack


@dataclass(frozen=True)
class Made:
    """The archives of one real build, and the tree in them."""

    dist: Path
    data: Any
    tree: Path

    def archive(self, suffix: str) -> Path:
        return next(Path(a["path"]) for a in self.data["artifacts"] if a["path"].endswith(suffix))


@contextlib.contextmanager
def common(factory: pytest.TempPathFactory, name: str) -> Iterator[Path]:
    """A folder of this run's that all its processes (``-n 2``) have in common; its block is one's at a time."""
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / f"common-{name}"
    with FileLock(f"{folder}.lock"):
        folder.mkdir(exist_ok=True)
        yield folder


def make(factory: pytest.TempPathFactory, *words: str) -> Made:
    """``make`` with these words (from the cache where it can be), once in a run, and its archive unpacked."""
    with common(factory, "-".join(("made", *words))) as folder:
        said = folder / "said.json"
        if not said.exists():
            host = ["--install-host-tools"] if os.geteuid() == 0 else []
            run = cli(
                "make", "--profile", "quick", *words, "--dist", folder / "dist", "--json", "--fast", *host
            )
            assert run.code == 0, run.err
            archive = next(a["path"] for a in run.data["artifacts"] if a["path"].endswith(".tar.gz"))
            shutil.rmtree(folder / "unpacked", ignore_errors=True)
            unpack(Path(archive), folder / "unpacked")
            said.write_text(run.out)
        return Made(folder / "dist", json.loads(said.read_text()), folder / "unpacked" / "python")
