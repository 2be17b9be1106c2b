"""Ours against the same CPython built natively with this machine's GCC: every difference has a reason."""

from __future__ import annotations

import json
import subprocess
import tomllib
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from manypython.archives.read import unpack

pytestmark = pytest.mark.slow
DESCRIBE = Path(__file__).parents[1] / "in_target/describe.py"
ROWS = tomllib.loads(Path(__file__).with_name("native_differences.toml").read_text())["difference"]


def described(cli: Callable[..., Any], folder: Path, *words: str) -> dict[str, str]:
    run = cli("make", "3.13.5", *words, "--dist", folder, "--json", "--fast")
    assert run.code == 0, run.err
    archive = next(a["path"] for a in run.data["artifacts"] if a["path"].endswith("install_only.tar.gz"))
    unpack(Path(archive), folder / "unpacked")
    argv = (folder / "unpacked/python/bin/python3", "-I", "-B", DESCRIBE)
    env = {"PATH": "/usr/bin:/bin"}
    said = subprocess.run(argv, capture_output=True, text=True, check=True, env=env, cwd="/").stdout
    data: dict[str, str] = json.loads(said)
    return data


def test_each_difference_from_a_native_build_has_a_reason(
    cli: Callable[..., Any], tmp_path: Path, host_packages: Callable[..., None]
) -> None:
    host_packages("gcc", "g++", "libc6-dev", "make")
    ours = described(cli, tmp_path / "ours")
    native = described(cli, tmp_path / "native", "--toolchain", "gcc")
    missing = "(not there)"
    differences = {
        key: f"{native.get(key, missing)} -> {ours.get(key, missing)}"
        for key in sorted({*ours, *native})
        if native.get(key) != ours.get(key)
    }
    assert len(ours) > 10_000
    patterns = {pattern: row["reason"] for row in ROWS for pattern in row["keys"]}
    assert all(patterns.values())
    new = {
        key: change
        for key, change in differences.items()
        if not any(fnmatchcase(key, pattern) for pattern in patterns)
    }
    assert not new, json.dumps(new, indent=1)
    stale = [p for p in patterns if not any(fnmatchcase(key, p) for key in differences)]
    assert not stale, f"no difference any more: {stale}"
