"""What does not prove portable is kept, and the work goes on from there."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

from builds import Made
from calls import cli

BROKEN = '\nraise ImportError("broken on purpose")\n'


def test_a_tree_that_is_not_proved_is_kept_and_packed_once_it_is_mended(
    made: Made, own_cache: Path, tmp_path: Path
) -> None:
    """In a cache of its own, for any other `make` that works removes what was kept under this name."""
    prefix, cache = tmp_path / "prefix", ("--cache-dir", own_cache)
    shutil.copytree(made.tree, prefix, symlinks=True)
    module = prefix / "lib/python3.13/colorsys.py"
    good = module.read_text()
    module.write_text(good + BROKEN)

    run = cli("repair", prefix, "--dist", tmp_path / "dist", "--fast", *cache)
    assert run.code == 9, run.err
    assert "Traceback" not in run.err
    assert re.search(r"^  .*: moved: stdlib: AssertionError: colorsys: ImportError", run.err, re.MULTILINE)
    assert not list((tmp_path / "dist").iterdir())
    found = re.search(r"^log: (.*)/report.html$", run.err, re.MULTILINE)
    assert found is not None, run.err
    kept = Path(found[1])
    assert kept.is_relative_to(own_cache)
    assert f"manypython verify {kept}/python" in run.err
    report = json.loads((kept / "report.json").read_text())
    assert "stdlib" in {row["name"] for row in report["checks"] if not row["ok"]}

    (kept / "python/lib/python3.13/colorsys.py").write_text(good)
    (kept / "python/lib/python3.13/__pycache__/colorsys.cpython-313.pyc").unlink()
    run = cli("pack", kept / "python", "--dist", tmp_path / "dist", "--fast", "--json", *cache)
    assert run.code == 0, run.err
    assert len(run.data["artifacts"]) == 3
