"""What commands share: the cache folder, the reporter, the pipeline's options, JSON."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

import platformdirs

from manypython import pipeline
from manypython.archives.write import BEST, FAST
from manypython.cli.arguments import STDOUT
from manypython.progress import Reporter
from manypython.recipes.catalogue import catalogue


def cache(arguments: argparse.Namespace) -> Path:
    """The folder for sources, builds and roots."""
    named = arguments.cache_dir or os.environ.get("MANYPYTHON_CACHE_DIR")
    return Path(named or platformdirs.user_cache_path("manypython")).absolute()


def reporter(arguments: argparse.Namespace) -> Reporter:
    """Where progress goes; nowhere where standard output is for machines."""
    return Reporter(cache(arguments) / "timings.json", quiet=arguments.json in (True, STDOUT))


def options(arguments: argparse.Namespace, dist: Path | None = None) -> pipeline.Options:
    """The pipeline's options.

    Args:
        arguments: as parsed.
        dist: where archives go, for commands without ``--dist``.
    """
    return pipeline.Options(
        cache=cache(arguments),
        dist=(dist or arguments.dist).absolute(),
        reporter=reporter(arguments),
        jobs=max(1, arguments.jobs),
        number=arguments.build_number or catalogue().build,
        source_dir=arguments.source_dir,
        offline=arguments.offline,
        install_host_tools=arguments.install_host_tools,
        effort=FAST if arguments.fast else BEST,
    )


def as_json(data: object) -> str:
    """Text for machines."""
    return json.dumps(data, indent=1)
