"""Interpreters against each other in one run: pyperformance, our own small programs, and start-up.

    nox -s bench -- compare dist/release.tar.gz --against dist/quick.tar.gz --against /usr/bin/python3
    nox -s bench -- compare dist/release.tar.gz --root debian-13 --against /usr/bin/python3.13 --all

Every program is run by each interpreter in turn, A B C A B C, round after round, and in the same root, so that the C
library is the same and whatever the machine does meets all of them. The ratio is the other's least time by ours: above
1, ours is faster. Nothing else should run meanwhile; the load before and after stands in the result.
"""

from __future__ import annotations

import argparse
import html
import json
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import tomllib
from dataclasses import dataclass, field
from importlib import util
from pathlib import Path

HERE = Path(__file__).resolve().parent
QUICK = (
    "chaos", "comprehensions", "deltablue", "fannkuch", "float", "go", "hexiom", "json_dumps", "json_loads", "logging_format",
    "nbody", "nqueens", "pathlib", "pickle", "pickle_dict", "pickle_pure_python", "pidigits", "pyflate", "raytrace",
    "regex_compile", "regex_v8", "richards", "scimark", "spectral_norm", "sqlite_synth", "telco", "unpack_sequence",
    "unpickle", "unpickle_list", "xml_etree",
)  # fmt: skip
SMALL = (
    "struct", "binascii", "hex", "datetime", "decimal", "sqlite", "zlib", "bz2", "lzma", "sha256", "blake2", "md5", "random",
    "csv", "tls_handshake", "aes_gcm",
)  # fmt: skip
STARTS = {
    "start -c pass": ("-c", "pass"),
    "start -S -c pass": ("-S", "-c", "pass"),
    "start -I -c pass": ("-I", "-c", "pass"),
    "start imports": ("-c", "import json, re, asyncio, typing"),
}
_VALUES = ("-p", "1", "-w", "1", "-n", "3", "--min-time", "0.05")
_STARTS_A_ROUND = 20


@dataclass(frozen=True)
class Program:
    """One thing that is timed."""

    name: str
    words: tuple[str, ...]
    """What follows the interpreter."""


def pyperformance() -> dict[str, Program]:
    """The benchmarks of pyperformance that need nothing but pyperf, each with its options."""
    spec = util.find_spec("pyperformance")
    if spec is None or spec.origin is None:
        sys.exit("pyperformance is not installed")
    found: dict[str, Program] = {}
    for folder in sorted(Path(spec.origin).parent.glob("data-files/benchmarks/bm_*")):
        common = tomllib.loads((folder / "pyproject.toml").read_text())
        needed = {word.lower() for word in common["project"].get("dependencies", [])}
        if needed - {"pyperf"} or not (folder / "run_benchmark.py").exists():
            continue
        tables = [common, *(tomllib.loads(path.read_text()) for path in sorted(folder.glob("bm_*.toml")))]
        for table in tables:
            settings = table.get("tool", {}).get("pyperformance", {})
            name = settings.get("name", folder.name.removeprefix("bm_"))
            words = (str(folder / "run_benchmark.py"), *settings.get("extra_opts", ()))
            found.setdefault(name, Program(name, words))
    return found


@dataclass(frozen=True)
class Contest:
    """The interpreters, and the way to run them."""

    pythons: dict[str, Path]
    """By the name in the result, ours first."""
    prefix: tuple[str, ...]
    """Words before each command: the way into a root."""
    library: Path
    """Folder with pyperf."""
    scratch: Path
    lame: set[str] = field(default_factory=set, init=False)
    """Programs that an interpreter does not run; each is told once."""
    loops: dict[str, int] = field(default_factory=dict, init=False)
    """How often a program repeats itself for one value: found once and then the same for all, which is quicker."""

    def environment(self) -> dict[str, str]:
        """The same for all: no setting of the user's."""
        return {
            "PATH": "/usr/bin:/bin", "HOME": str(self.scratch), "LC_ALL": "C.UTF-8", "PYTHONPATH": str(self.library),
            "PYTHONDONTWRITEBYTECODE": "1",
        }  # fmt: skip

    def run(self, label: str, program: Program) -> dict[str, list[float]]:
        """Seconds of each loop of a program, or of its parts by their names; nothing where it does not run."""
        output = self.scratch / "values.json"
        output.unlink(missing_ok=True)
        loops = ("-l", str(self.loops[program.name])) if program.name in self.loops else ()
        options = (*_VALUES, *loops, "-q", "-o", str(output), "--copy-env")
        done = subprocess.run(
            (*self.prefix, str(self.pythons[label]), *program.words, *options),
            env=self.environment(), cwd=self.scratch, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode != 0 or not output.exists():
            sys.stderr.write(f"{label}: {program.name} does not run: {done.stderr.strip()[-300:]}\n")
            self.lame.add(program.name)
            return {}
        found = json.loads(output.read_text())
        names = [bench.get("metadata", {}).get("name", program.name) for bench in found["benchmarks"]]
        if len(names) == 1:
            names = [program.name]
            if "loops" in found["metadata"]:
                self.loops[program.name] = found["metadata"]["loops"]
        return {
            name: [value for run in bench["runs"] for value in run.get("values", ())]
            for name, bench in zip(names, found["benchmarks"], strict=True)
        }

    def start(self, label: str, words: tuple[str, ...]) -> list[float]:
        """Seconds of processor time that a process takes, several times."""
        environment = {name: value for name, value in self.environment().items() if name != "PYTHONPATH"}
        loop = f'i=0; while [ $i -lt {_STARTS_A_ROUND} ]; do "$@"; i=$((i+1)); done'
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            (*self.prefix, "/bin/sh", "-c", loop, "sh", str(self.pythons[label]), *words),
            env=environment,
            check=True,
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return [(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / _STARTS_A_ROUND]


Times = dict[str, dict[str, list[float]]]
"""Program, interpreter, seconds."""


def measured(
    contest: Contest, programs: list[Program], starts: dict[str, tuple[str, ...]], rounds: int
) -> Times:
    """Run everything, in turn."""
    times: Times = {}
    for number in range(rounds):
        begun = time.perf_counter()
        for name, words in starts.items():
            for label in contest.pythons:
                times.setdefault(name, {}).setdefault(label, []).extend(contest.start(label, words))
        for program in programs:
            for label in contest.pythons:
                values = contest.run(label, program) if program.name not in contest.lame else {}
                for name, seconds in values.items():
                    times.setdefault(name, {}).setdefault(label, []).extend(seconds)
        say(f"round {number + 1} of {rounds}: {time.perf_counter() - begun:.0f} s")
    return {name: row for name, row in times.items() if all(row.get(label) for label in contest.pythons)}


def ratios(times: Times, ours: str, other: str) -> dict[str, float]:
    """The other's least time by ours."""
    return {name: min(row[other]) / min(row[ours]) for name, row in times.items()}


def spread(values: list[float]) -> float:
    """How far the median lies above the least, as a part of it."""
    return statistics.median(values) / min(values) - 1


def say(line: str) -> None:
    """One line of the result, at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def report(times: Times, labels: list[str], sets: dict[str, list[str]]) -> list[str]:
    """The table as lines."""
    ours, *others = labels
    lines = []
    for title, names in sets.items():
        present = [name for name in names if name in times]
        if not present:
            continue
        lines.append(f"{title + ': speed of ' + ours:<42}" + "".join(f"{other[:24]:>26}" for other in others))
        for name in present:
            cells = "".join(
                f"{min(times[name][other]) / min(times[name][ours]):>20.3f} ±{100 * max(spread(times[name][other]), spread(times[name][ours])):3.0f}%"
                for other in others
            )
            lines.append(f"  {name:<26} {min(times[name][ours]) * 1e3:10.3f} ms {cells}")
        means = "".join(
            f"{statistics.geometric_mean(ratios(times, ours, other)[name] for name in present):>20.3f}      "
            for other in others
        )
        lines.append(f"  {f'geometric mean of {len(present)}':<26}               {means}")
    return lines


_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>
<style>body{{font:14px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem}}td,th{{padding:0 .6rem;text-align:right}}
td:first-child,th:first-child{{text-align:left}}.bar{{height:.7rem;background:#2a7}}.slow{{background:#c53}}
.axis{{position:relative;width:16rem;background:#eee}}.axis::after{{content:"";position:absolute;left:50%;top:0;bottom:0;
border-left:1px solid #555}}pre{{background:#f4f4f4;padding:1rem;overflow:auto}}</style>
<h1>{title}</h1><p>{about}</p>{tables}<h2>Figures</h2><pre>{lines}</pre></html>"""


def page(times: Times, labels: list[str], about: str, lines: list[str]) -> str:
    """One file that shows each ratio as a bar around 1."""
    ours, *others = labels
    tables = []
    for other in others:
        rows = []
        for name, ratio in sorted(ratios(times, ours, other).items(), key=lambda item: -item[1]):
            width = min(abs(ratio - 1), 0.5) * 100
            left = 50 if ratio >= 1 else 50 - width
            kind = "bar" if ratio >= 1 else "bar slow"
            rows.append(
                f"<tr><td>{html.escape(name)}</td><td>{ratio:.3f}</td><td><div class='axis'>"
                f"<div class='{kind}' style='margin-left:{left:.1f}%;width:{width:.1f}%'></div></div></td></tr>"
            )
        mean = statistics.geometric_mean(ratios(times, ours, other).values())
        head = f"<h2>{html.escape(ours)} against {html.escape(other)}: {mean:.3f}</h2>"
        tables.append(f"{head}<table><tr><th>program</th><th>speed</th><th></th></tr>{''.join(rows)}</table>")
    text = html.escape("\n".join(lines))
    return _PAGE.format(
        title="Speed of interpreters", about=html.escape(about), tables="".join(tables), lines=text
    )


def interpreter(word: str, folder: Path) -> Path:
    """The interpreter of an archive (unpacked), of a prefix, or a program itself."""
    path = Path(word)
    if path.is_file() and not os.access(path, os.X_OK):
        from manypython.archives.read import unpack  # noqa: PLC0415  (a root has no manypython)

        unpack(path.absolute(), folder)
        path = folder / "python" if (folder / "python").is_dir() else folder
    if path.is_dir():
        return path.absolute() / "bin/python3"
    return path.absolute()


def way_into(root: str, folders: list[Path]) -> tuple[str, ...]:
    """Words that run a command in a root of the cache, with these folders where they are."""
    from manypython.folders import cache_home  # noqa: PLC0415

    place = Path(cache_home(), "manypython/roots", f"{root}-{platform.machine()}")
    if not place.is_dir():
        sys.exit(f"{place} is not there: manypython roots create {root}")
    bound = [word for folder in folders for word in ("--bind", str(folder), str(folder))]
    return (
        "bwrap", "--die-with-parent", "--bind", str(place), "/", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", *bound,
    )  # fmt: skip


def arguments() -> argparse.Namespace:
    """What is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("ours", help="an archive, a prefix or an interpreter")
    parser.add_argument("--against", action="append", default=[], help="another one (again for more)")
    parser.add_argument("--root", default="", help="run all in this root of the cache, e.g. debian-13")
    parser.add_argument(
        "--all", action="store_true", help="every benchmark of pyperformance that needs no package"
    )
    parser.add_argument("--only", default="", help="names, with commas")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--json", type=Path, help="keep every value here")
    parser.add_argument("--html", type=Path, help="write a page of plots here")
    return parser.parse_args()


def main() -> None:
    """Compare, and print the table."""
    asked = arguments()
    known = pyperformance()
    names = list(known) if asked.all else [name for name in QUICK if name in known]
    small = {name: Program(name, (str(HERE / "small.py"), name)) for name in SMALL}
    starts = STARTS
    if asked.only:
        only = asked.only.split(",")
        names = [name for name in known if name in only]
        small = {name: program for name, program in small.items() if name in only}
        starts = {name: words for name, words in STARTS.items() if name in only}
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # one core, the same for all
    load, begun = os.getloadavg()[0], time.perf_counter()
    with tempfile.TemporaryDirectory(dir="/var/tmp") as place:
        scratch = Path(place)
        library = scratch / "library"
        pyperf = util.find_spec("pyperf")
        if pyperf is None or pyperf.origin is None:
            sys.exit("pyperf is not installed")
        shutil.copytree(Path(pyperf.origin).parent, library / "pyperf")
        shutil.copytree(HERE, scratch / "programs")
        pythons = {}
        for number, word in enumerate((asked.ours, *asked.against)):
            label = Path(word).name if Path(word).name not in pythons else f"{Path(word).name} {number}"
            pythons[label] = (
                Path(word)
                if asked.root and word.startswith("/usr/")
                else interpreter(word, scratch / str(number))
            )
        folders = [
            scratch,
            HERE,
            *(path.parent.parent for path in pythons.values() if not str(path).startswith("/usr/")),
        ]
        if known:
            folders.append(Path(next(iter(known.values())).words[0]).parent.parent)
        prefix = way_into(asked.root, folders) if asked.root else ()
        contest = Contest(pythons, prefix, library, scratch)
        programs = [*(known[name] for name in names), *small.values()]
        times = measured(contest, programs, starts, asked.rounds)
    labels = list(pythons)
    about = (
        f"{platform.machine()}, {os.cpu_count()} cores, {asked.root or 'this machine'}, {asked.rounds} rounds, "
        f"{(time.perf_counter() - begun) / 60:.1f} minutes, load {load:.2f} before and {os.getloadavg()[0]:.2f} after"
    )
    lines = report(
        times, labels, {"pyperformance": names, "small programs": list(small), "start-up": list(starts)}
    )
    say("\n".join((about, *lines)))
    if asked.json:
        asked.json.write_text(
            json.dumps({"about": about, "interpreters": labels, "seconds": times}, indent=1) + "\n"
        )
    if asked.html:
        asked.html.write_text(page(times, labels, about, lines), encoding="utf-8")


if __name__ == "__main__":
    main()
