"""The line: sources, build, audit, graft, relocate, verify, pack."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import util
from pathlib import Path

from manypython.build import builder, cpython, host_tools, toolchain
from manypython.build.sources import fetch
from manypython.model.errors import OutputError, TreeError
from manypython.model.identifier import BuildNumber, Spec
from manypython.model.target import Target
from manypython.model.tree import Tree
from manypython.pack.facts import Facts
from manypython.pack.pack import Artifact, pack
from manypython.progress import Reporter
from manypython.recipes.catalogue import catalogue
from manypython.recipes.model import Recipe
from manypython.repair.apply import apply
from manypython.repair.audit import AuditReport, audit, require
from manypython.repair.bytecode import plan_bytecode
from manypython.repair.edits import Plan, Remove
from manypython.repair.graft import plan_graft
from manypython.repair.prune import plan_prune
from manypython.repair.relocate.plan import plan_relocate
from manypython.verify.checks import verify


@dataclass(frozen=True)
class Options:
    """What all commands share."""

    cache: Path
    dist: Path
    reporter: Reporter
    jobs: int
    source_dir: Path | None = None
    offline: bool = False
    install_host_tools: bool = False
    build_number: BuildNumber | None = None

    @property
    def number(self) -> BuildNumber:
        """The build number given, or the recipe set's own."""
        return self.build_number or catalogue().build


def make(spec: Spec, target: Target, options: Options) -> tuple[Artifact, ...]:
    """The main job: one CPython release becomes portable archives in ``options.dist``."""
    recipe = catalogue().select(spec)
    recipes = catalogue().closure(recipe)
    writable(options.dist)
    host_tools.require(
        (tool for r in recipes for tool in r.host_tools),
        install=options.install_host_tools,
        reporter=options.reporter,
    )
    built = build(recipes, target, options)
    prefix = Tree.open(built[recipe.name].prefix)
    with portable(prefix, target, options, search=_libraries(built)) as (tree, plan, report):
        verified, _ = verify(
            tree,
            target=target,
            build_paths=build_paths(options),
            expected_modules=cpython.required_modules(tree.version),
            cache=options.cache,
            reporter=options.reporter,
        )
        facts = _facts(verified, target, options, plan, report, built)
        return pack(verified, facts, dist=options.dist, reporter=options.reporter)
