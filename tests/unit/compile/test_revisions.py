"""A step whose text changes must say whether what it builds does.

``python tests/unit/compile/test_revisions.py`` writes the present texts' digests into ``revisions.json``: after a
revision was raised in ``steps.REVISIONS``, or after a change that alters no byte of a build.
"""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from manypython.compile import builder, cpython, steps, training, workload

RECORD = Path(__file__).with_name("revisions.json")
Part = Callable[..., object] | ModuleType | type
PARTS: dict[str, tuple[Part, ...]] = {
    "every build": (
        steps.Workshop,
        builder._build,
        builder._source_folder,
        builder._patch,
        builder._tidy,
        builder.stage,
        builder.unpack_source,
    ),
    "cpython": (cpython,),
    "training": (training, workload),
    **{name: (step,) for name, step in steps.STEPS.items()},
}


def now() -> dict[str, dict[str, int | str]]:
    """Each step's revision, and the digest of its text as it stands in the file."""
    return {
        name: {
            "revision": steps.REVISIONS[name],
            "text": hashlib.sha256("\n".join(map(inspect.getsource, parts)).encode()).hexdigest()[:16],
        }
        for name, parts in PARTS.items()
    }


def test_every_step_has_a_revision() -> None:
    assert steps.REVISIONS.keys() == PARTS.keys() == {"every build", "cpython", "training", *steps.STEPS}


@pytest.mark.parametrize("name", PARTS)
def test_a_step_whose_text_changed_has_a_new_revision(name: str) -> None:
    recorded, found = json.loads(RECORD.read_text())[name], now()[name]
    advice = f"if it alters what is built, raise REVISIONS[{name!r}]; then run python {Path(__file__).name}"
    assert found["revision"] >= recorded["revision"], "a revision never goes back: the cache has it already"
    assert found == recorded, advice


if __name__ == "__main__":
    RECORD.write_text(json.dumps(now(), indent=1) + "\n")
