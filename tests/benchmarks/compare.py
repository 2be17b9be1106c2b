"""Two archives' interpreters against each other: pyperformance, benchmark by benchmark in turn.

    nox -s bench -- compare dist/quick.tar.gz dist/release.tar.gz

The ratio is the first one's time by the second one's: above 1, the second is faster.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from manypython.archives.read import unpack

BENCHMARKS = (
    "chaos", "deltablue", "fannkuch", "float", "go", "json_dumps", "json_loads", "nbody", "nqueens",
    "pickle_pure_python", "pyflate", "raytrace", "regex_compile", "richards", "spectral_norm", "telco",
    "unpack_sequence",
)  # fmt: skip


def measured(python: Path, name: str, folder: Path) -> float:
    """Seconds of one benchmark: the least of all runs, for whatever else a machine does only adds."""
    output = folder / f"{name}.json"
    output.unlink(missing_ok=True)
    argv = ("pyperformance", "run", "--fast", "--python", python, "-b", name, "-o", output)
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(done.stdout[-3000:] + done.stderr[-3000:])
    runs = json.loads(output.read_text())["benchmarks"][0]["runs"]
    return float(min(value for run in runs for value in run.get("values", ())))


def say(line: str) -> None:
    """One line of the result, at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(archives: list[Path]) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        pythons = []
        for number, archive in enumerate(archives):
            place = Path(scratch, str(number))
            unpack(archive, place)
            pythons.append((place / "python/bin/python3", place))
        ratios = []
        for name in BENCHMARKS:
            first, second = (measured(python, name, folder) for python, folder in pythons)
            ratios.append(first / second)
            say(f"{name:<20} {first * 1e3:9.2f} ms {second * 1e3:9.2f} ms  ratio {ratios[-1]:.2f}")
        say(f"geometric mean of {len(ratios)}: {statistics.geometric_mean(ratios):.3f}")


if __name__ == "__main__":
    main([Path(word).absolute() for word in sys.argv[1:]])
