"""The whole line twice, from the sources: minutes, so only `nox -s integration` runs it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from builds import Made
from calls import cli

from manypython.folders import cache_home

CACHE = Path(cache_home(), "manypython")


@pytest.mark.slow
def test_everything_built_again_elsewhere_gives_the_same_bytes(
    made: Made, tmp_path: Path, sources: Path
) -> None:
    """Every library and CPython itself, compiled again in another folder, umask and time zone."""
    before = os.umask(0o077)
    try:
        run = cli(
            "make", "3.13", "--profile", "quick", "--dist", tmp_path / "dist", "--json", "--fast", "--offline",
            "--cache-dir", tmp_path / "another cache".replace(" ", "_"), "--source-dir", sources,
            env={"TZ": "Asia/Kathmandu", "LC_ALL": "C"},
        )  # fmt: skip
    finally:
        os.umask(before)
    assert run.code == 0, run.err
    first = {Path(a["path"]).name: a["sha256"] for a in made.data["artifacts"]}
    assert {Path(a["path"]).name: a["sha256"] for a in run.data["artifacts"]} == first


@pytest.mark.slow
def test_a_cache_from_another_place_gives_the_same_bytes(made: Made, tmp_path: Path) -> None:
    """What was built there names folders of that place, and no archive may."""
    for name in ("builds", "sources"):
        shutil.copytree(CACHE / name, tmp_path / "moved" / name, symlinks=True)
    run = cli(
        "make", "3.13", "--profile", "quick", "--dist", tmp_path / "dist", "--json", "--fast", "--offline",
        "--cache-dir", tmp_path / "moved",
    )  # fmt: skip
    assert run.code == 0, run.err
    assert "build cpython" not in run.err
    first = {Path(a["path"]).name: a["sha256"] for a in made.data["artifacts"]}
    assert {Path(a["path"]).name: a["sha256"] for a in run.data["artifacts"]} == first
