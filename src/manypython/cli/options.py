"""What commands share: the cache folder, the reporter, the pipeline's options, JSON."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

from manypython.archives.write import BEST, FAST
from manypython.cli.arguments import STDOUT
from manypython.folders import CACHE, cache_home
from manypython.pipeline import Output
from manypython.progress import Reporter
from manypython.recipes.catalogue import catalogue
from manypython.run import Run


def cache(arguments: argparse.Namespace) -> Path:
    """The folder for sources, builds and roots.

    Raises:
        OutputError: none is set, and there is no home folder.
    """
    named = _given(arguments, "cache_dir") or os.environ.get(CACHE)
    return Path(named or Path(cache_home(f"--cache-dir or {CACHE}"), "manypython")).absolute()


def reporter(arguments: argparse.Namespace) -> Reporter:
    """Where progress goes; nowhere where standard output is for machines."""
    return Reporter(cache(arguments) / "timings.json", quiet=_given(arguments, "json") in (True, STDOUT))


def run_of(arguments: argparse.Namespace) -> Run:
    """What every stage is told."""
    return Run(
        cache(arguments),
        reporter(arguments),
        max(1, _given(arguments, "jobs") or os.cpu_count() or 1),
        install_host_tools=bool(_given(arguments, "install_host_tools")),
    )


def output_of(arguments: argparse.Namespace) -> Output:
    """Which archives are written, and where."""
    return Output(
        arguments.dist.absolute(),
        _given(arguments, "build_number") or catalogue().build,
        FAST if _given(arguments, "fast") else BEST,
    )


def _given(arguments: argparse.Namespace, name: str) -> Any:  # noqa: ANN401  (as argparse has it)
    """An option's value; None where the command has no such option."""
    return getattr(arguments, name, None)


def as_json(data: object) -> str:
    """Text for machines."""
    return json.dumps(data, indent=1)
