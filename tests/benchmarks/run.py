"""Times and sizes of the pipeline and of the interpreter it makes: ``nox -s bench``.

Whole commands, in pairs within one run, with the median of a few runs. The pairs are
ours against the Python that runs this file, on the same machine in the same minute.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from manypython.archives.read import unpack
from manypython.model.tree import Tree

_RUNS = 5
_STARTUP = 20
_PROGRAMS = {
    "start-up (-I -c pass, 20 times)": "",
    "json, 200 000 numbers": "import json; json.loads(json.dumps(list(range(200000))))",
    "sqlite, 50 000 rows": (
        "import sqlite3; d = sqlite3.connect(':memory:'); d.execute('create table t(a, b)');"
        "d.executemany('insert into t values (?, ?)', ((i, str(i)) for i in range(50000)));"
        "d.execute('select sum(a), max(b) from t').fetchall()"
    ),
    "sha256, 64 MB": "import hashlib; hashlib.sha256(bytes(64 << 20)).hexdigest()",
    "zlib, 16 MB": "import zlib; zlib.compress(bytes(range(256)) * (16 << 12), 6)",
    "lzma, 2 MB": "import lzma; lzma.compress(bytes(range(256)) * (2 << 12))",
    "fib(25), pure Python": "f = lambda n: n if n < 2 else f(n - 1) + f(n - 2); f(25)",
}


def timed(argv: list[str]) -> float:
    """Seconds a command takes."""
    begun = time.perf_counter()
    subprocess.run(argv, check=True, capture_output=True)
    return time.perf_counter() - begun


def pair(ours: list[str], theirs: list[str]) -> tuple[float, float]:
    """Median seconds of two commands, run in turns."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(_RUNS):
        times[0].append(timed(ours))
        times[1].append(timed(theirs))
    return statistics.median(times[0]), statistics.median(times[1])


def say(text: str) -> None:
    """One line of the result."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> None:
    """Make an interpreter from the cache, time each command, compare the result."""
    command = [sys.executable, "-m", "manypython"]
    with tempfile.TemporaryDirectory() as folder:
        dist, tree = Path(folder, "dist"), Path(folder, "tree")
        begun = time.perf_counter()
        made = subprocess.run(
            [*command, "make", "3.13", "--dist", str(dist), "--json"], check=True, capture_output=True
        )
        say(f"make 3.13, warm cache: {time.perf_counter() - begun:.1f} s")
        for artifact in json.loads(made.stdout)["artifacts"]:
            say(f"  {Path(artifact['path']).name}: {artifact['size'] / 1e6:.1f} MB")
        unpack(next(dist.glob("*.tar.zst")), tree)
        python = Tree.open(tree / "python").executable
        say(f"audit: {timed([*command, 'audit', str(tree / 'python')]):.1f} s")
        seconds = timed([*command, "repair", str(tree / "python"), "-o", str(dist / "r"), "--fast"])
        say(f"repair --fast: {seconds:.1f} s")
        say(f"{'program':<34} {'ours':>8} {'host':>8} {'ratio':>6}   host: {sys.version.split()[0]}")
        for name, program in _PROGRAMS.items():
            if program:
                ours, theirs = ([str(p), "-I", "-c", program] for p in (python, sys.executable))
            else:
                loop = f"i=0; while [ $i -lt {_STARTUP} ]; do '{{}}' -I -c pass; i=$((i+1)); done"
                ours, theirs = (["sh", "-c", loop.format(p)] for p in (python, sys.executable))
            a, b = pair(ours, theirs)
            say(f"{name:<34} {a:>7.3f}s {b:>7.3f}s {a / b:>6.2f}")


if __name__ == "__main__":
    main()
