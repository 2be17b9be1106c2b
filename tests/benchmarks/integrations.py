"""What a plug-in of ours costs the tool it is in: the whole command with it and without, in turns in one run.

Two virtual environments, one with the tool, one with the tool and manypython. The plain tool has the
interpreter on PATH; ours finds the same one, fetched before, in its store. Wall clock, and the
processor's seconds, which neighbours on the machine disturb less.
"""

from __future__ import annotations

import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from fetching import served
from run import say

_ROUNDS = 15
_SOURCE = Path(__file__).parents[2]
_TOX_INI = "[tox]\nno_package = true\nenv_list = py313\n"


@dataclass(frozen=True)
class Way:
    """One way to run a command."""

    name: str
    argv: list[str]
    path: str
    home: Path
    folder: Path
    anew: bool = False
    """Whether ``.tox`` is deleted before each run."""

    def run(self) -> tuple[float, float]:
        """Seconds on the clock, and of the processor."""
        if self.anew:
            shutil.rmtree(self.folder / ".tox", ignore_errors=True)
        env = {"PATH": self.path, "HOME": str(self.home), "LANG": "C.UTF-8"}
        before, begun = _processor(), time.perf_counter()
        subprocess.run(self.argv, env=env, cwd=self.folder, check=True, capture_output=True)
        return time.perf_counter() - begun, _processor() - before


def _processor() -> float:
    """Seconds of the processor that commands have taken so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def compare(title: str, plain: Way, *others: Way) -> None:
    """Run each way in turns, and say what the others take beside the plain one."""
    taken: dict[str, list[tuple[float, float]]] = {way.name: [] for way in (plain, *others)}
    for way in (plain, *others):
        way.run()
    for number in range(_ROUNDS):
        for way in (plain, *others) if number % 2 else (*others, plain):
            taken[way.name].append(way.run())
    say(f"{title:<40} {'wall':>8} {'ratio':>6} {'more':>8} {'cpu':>8} {'ratio':>6} {'more':>8}")
    for name, times in taken.items():
        cells = ""
        for which in (0, 1):
            pairs = [
                (ours[which], theirs[which]) for ours, theirs in zip(times, taken[plain.name], strict=True)
            ]
            ratio = statistics.median(ours / theirs for ours, theirs in pairs)
            more = statistics.median(ours - theirs for ours, theirs in pairs)
            middle = statistics.median(ours for ours, _ in pairs)
            cells += f" {middle * 1000:>5.0f} ms {ratio:>6.2f} {more * 1000:>+5.0f} ms"
        say(f"  {name:<38}{cells}")


def _tools(folder: Path, *requirements: str) -> str:
    """``bin`` of a new virtual environment with these in it."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    subprocess.run([folder / "bin/pip", "install", "--quiet", *requirements], check=True)
    return str(folder / "bin")


def _project(folder: Path) -> Path:
    """A project of tox."""
    folder.mkdir(exist_ok=True)
    (folder / "tox.ini").write_text(_TOX_INI)
    return folder


def _tox(scratch: Path, url: str, trust: str) -> None:
    """``tox -e py313 --notest``, and what our modules add to the imports of tox."""
    plain, ours = (
        _tools(scratch / "plain", "tox>=4.30,<5"),
        _tools(scratch / "ours", "tox>=4.30,<5", str(_SOURCE)),
    )
    home = scratch / "home"
    home.mkdir()
    fetch = [f"{ours}/manypython", "fetch", "3.13", "--index", url, "--trust", trust]
    env = {"PATH": "/usr/bin:/bin", "HOME": str(home)}
    python = subprocess.run(fetch, env=env, check=True, capture_output=True, text=True).stdout.strip()
    there = f"{Path(python).parent}:/usr/bin:/bin"
    ways = (
        ("plain tox, python on PATH", plain, there),
        ("with the plug-in, python on PATH", ours, there),
        ("with the plug-in, python in the store", ours, "/usr/bin:/bin"),
    )
    # where a folder lies decides how fast a disk is, and the pip of an environment has 700 files
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as projects:
        for anew in (False, True):
            compare(
                f"tox -e py313 --notest, {'new' if anew else 'old'} environment",
                *(
                    Way(name, [f"{tools}/tox", "-e", "py313", "--notest"], path, home, project, anew)
                    for name, tools, path in ways
                    for project in [_project(Path(projects, "new" if anew else name))]
                ),
            )
    imports = "import tox.run, tox.plugin.manager, virtualenv.run, virtualenv.discovery.builtin"
    more = "import manypython.integrations.tox, manypython.integrations.virtualenv"
    compare(
        "imports",
        Way("tox and virtualenv", [f"{ours}/python", "-c", imports], there, home, scratch),
        Way("and our modules", [f"{ours}/python", "-c", f"{imports}; {more}"], there, home, scratch),
    )


def main() -> None:
    """Every tool, with one interpreter that is made, or from a folder of archives that is named."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        dist = Path(sys.argv[1]) if len(sys.argv) > 1 else folder / "dist"
        if len(sys.argv) == 1:
            argv = [
                sys.executable,
                "-m",
                "manypython",
                "make",
                "3.13",
                "--profile",
                "quick",
                "--dist",
                str(dist),
            ]
            subprocess.run(argv, check=True, capture_output=True)
        with served(folder, dist) as (url, trust, _):
            _tox(folder / "tox", url, trust)


if __name__ == "__main__":
    main()
