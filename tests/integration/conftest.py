from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from manypython.archives.read import unpack


@dataclass(frozen=True)
class Run:
    """What one call of the command line did."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        return json.loads(self.out)


def manypython(*words: str | Path, env: dict[str, str] | None = None, cwd: Path | None = None) -> Run:
    argv = (sys.executable, "-m", "manypython", *(str(word) for word in words))
    done = subprocess.run(
        argv, capture_output=True, text=True, check=False, cwd=cwd, env={**os.environ, **(env or {})}
    )
    return Run(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="session")
def cli() -> Callable[..., Run]:
    return manypython


@dataclass(frozen=True)
class Made:
    """The archives of one real build, and the tree in them."""

    dist: Path
    data: Any
    tree: Path

    def archive(self, suffix: str) -> Path:
        return next(Path(a["path"]) for a in self.data["artifacts"] if a["path"].endswith(suffix))


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """One real CPython 3.13 through the whole line (from the cache where it can be)."""
    folder = tmp_path_factory.mktemp("made")
    host = ["--install-host-tools"] if os.geteuid() == 0 else []
    run = manypython("make", "3.13", "--dist", folder / "dist", "--json", "--fast", *host)
    assert run.code == 0, run.err
    archive = next(a["path"] for a in run.data["artifacts"] if a["path"].endswith(".tar.gz"))
    unpack(Path(archive), folder / "unpacked")
    return Made(folder / "dist", run.data, folder / "unpacked" / "python")
