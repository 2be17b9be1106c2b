"""Two builds of the same CPython, described and compared with a list of the differences that are known."""

from __future__ import annotations

import json
import subprocess
import tomllib
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

DESCRIBE = Path(__file__).parents[1] / "in_target/describe.py"
_MISSING = "(not there)"


def described(argv: Sequence[str | Path]) -> dict[str, str]:
    """What ``in_target/describe.py`` says of an interpreter.

    Args:
        argv: how it is run there.
    """
    env = {"PATH": "/usr/bin:/bin"}
    said = subprocess.run(argv, capture_output=True, text=True, check=True, env=env, cwd="/").stdout
    data: dict[str, str] = json.loads(said)
    assert len(data) > 10_000
    return data


def check(ours: dict[str, str], other: dict[str, str], listed: str) -> None:
    """See that each difference is listed with a reason, and each listed one is there.

    Args:
        ours: the build that is looked at.
        other: the build it is compared with.
        listed: TOML file beside the tests; keys may have ``*``.
    """
    rows = tomllib.loads(Path(__file__).with_name(listed).read_text())["difference"]
    patterns = {pattern: row["reason"] for row in rows for pattern in row["keys"]}
    assert all(patterns.values())
    differences = {
        key: f"{other.get(key, _MISSING)} -> {ours.get(key, _MISSING)}"
        for key in sorted({*ours, *other})
        if other.get(key) != ours.get(key)
    }
    new = {
        key: change
        for key, change in differences.items()
        if not any(fnmatchcase(key, pattern) for pattern in patterns)
    }
    assert not new, json.dumps(new, indent=1)
    stale = [pattern for pattern in patterns if not any(fnmatchcase(key, pattern) for key in differences)]
    assert not stale, f"no difference any more: {stale}"
