"""Fetching in figures: ours, uv's and pbs-installer's, in pairs in one run, from one loopback server.

Each round takes turns and begins in a home that nobody has used. Every tool gets what it can
take of the same build: uv and pbs-installer the ``.tar.gz``, we the ``.zip``.
"""

from __future__ import annotations

import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from run import say

from manypython.index import host, reading
from manypython.index.model import Index
from manypython.index.reading import parse
from manypython.index.select import select
from manypython.model.identifier import Spec
from manypython.site import keys

_ROUNDS = 9
_MANYPYTHON = str(Path(sys.executable).with_name("manypython"))
_PBS = """
import sys
from pathlib import Path
from pbs_installer import _install
_, url, sha, destination = sys.argv
archive = Path(destination, "archive.tar.gz")
archive.parent.mkdir(parents=True)
name = _install.download((url, sha), archive)
_install.install_file(archive, Path(destination, "python"), name)
"""


@contextmanager
def served(folder: Path, dist: Path) -> Iterator[tuple[str, str, Index]]:
    """A published site on the loopback interface: its URL, what to trust, its index."""
    site, own = folder / "site", folder / "keys"
    archives = sorted(
        str(path) for path in dist.glob("*-install_only.*") if path.suffix in (".gz", ".zst", ".zip")
    )
    publish = [_MANYPYTHON, "publish", "--to", str(site), "--keys", str(own), "--fast"]
    subprocess.run([*publish, *archives], check=True, capture_output=True)
    argv = [_MANYPYTHON, "serve", str(site), "--port", "0"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as serving:
        assert serving.stdout is not None
        url = serving.stdout.readline().split()[1]
        subprocess.run([*publish, "--base-url", url], check=True, capture_output=True)
        try:
            yield url, keys.fingerprint(site), parse((site / "index.json").read_bytes(), "index.json")
        finally:
            serving.terminate()


def cold(scratch: Path, url: str, trust: str, index: Index) -> None:
    """Nothing there, to the end of ``python -c pass``."""
    packed = index.builds[0].file(".tar.gz")
    assert packed is not None
    path = os.environ["PATH"]

    def ours(home: Path) -> Path:
        argv = [_MANYPYTHON, "fetch", "3.13", "--index", url, "--trust", trust]
        env = {"PATH": path, "HOME": str(home)}
        return Path(subprocess.run(argv, env=env, check=True, capture_output=True, text=True).stdout.strip())

    def uv(home: Path) -> Path:
        env = {
            "PATH": path, "HOME": str(home), "UV_NO_CACHE": "1",
            "UV_PYTHON_DOWNLOADS_JSON_URL": f"{url}uv/downloads.json",
        }  # fmt: skip
        subprocess.run(["uv", "python", "install", "-q", "--no-bin", "3.13"], env=env, check=True)
        return next((home / ".local/share/uv/python").glob("cpython-3.13.*/bin/python3.13"))

    def pbs(home: Path) -> Path:
        argv = [sys.executable, "-c", _PBS, url + packed.url, packed.sha256, str(home / "pbs")]
        subprocess.run(argv, check=True, capture_output=True)
        return home / "pbs/python/bin/python3.13"

    times: dict[str, list[float]] = {}
    for number in range(_ROUNDS):
        for tool in (ours, uv, pbs):
            home = scratch / f"{tool.__name__} {number}"
            home.mkdir(parents=True)
            begun = time.perf_counter()
            python = tool(home)
            subprocess.run([python, "-c", "pass"], check=True)
            times.setdefault(tool.__name__, []).append(time.perf_counter() - begun)
    shutil.rmtree(scratch)
    for name, taken in times.items():
        ratios = statistics.median(a / b for a, b in zip(times["ours"], taken, strict=True))
        say(
            f"  {name:<6} median {statistics.median(taken):.2f} s, least {min(taken):.2f} s, ours/{name} {ratios:.2f}"
        )


def warm(home: Path, url: str, trust: str) -> None:
    """What is there already is found again, and a hundred at once."""
    env = {"PATH": os.environ["PATH"], "HOME": str(home)}
    argv = [_MANYPYTHON, "fetch", "3.13", "--index", url, "--trust", trust]
    home.mkdir()
    begun = time.perf_counter()
    subprocess.run(argv, env=env, check=True, capture_output=True)
    one = time.perf_counter() - begun
    short = [_MANYPYTHON, "fetch", "3.13"]
    taken: dict[str, list[float]] = {"fetch": [], "configured": [], "pass": []}
    for _ in range(40):
        for name, words in (("fetch", short), ("configured", argv), ("pass", [sys.executable, "-c", "pass"])):
            begun = time.perf_counter()
            subprocess.run(words, env=env, check=True, capture_output=True)
            taken[name].append(time.perf_counter() - begun)
    for name in ("fetch", "configured"):
        ratio = statistics.median(a / b for a, b in zip(taken[name], taken["pass"], strict=True))
        label = "manypython fetch 3.13" if name == "fetch" else "the same with --index and --trust"
        say(f"  {label}: {statistics.median(taken[name]) * 1000:.0f} ms, {ratio:.2f} x `python -c pass`")
    for state, argv_of in (("warm", short), ("cold", argv)):
        if state == "cold":
            shutil.rmtree(home)
            home.mkdir()
        begun = time.perf_counter()
        running = [subprocess.Popen(argv_of, env=env, stdout=subprocess.DEVNULL) for _ in range(100)]
        assert {each.wait() for each in running} == {0}
        all_of_them = time.perf_counter() - begun
        say(
            f"  100 at once, {state}: {all_of_them:.2f} s, {all_of_them / one:.2f} x one cold fetch of {one:.2f} s"
        )


def unpacking(folder: Path, dist: Path) -> None:
    """Each wrapping: seconds and memory."""
    program = (
        "import sys, time; from pathlib import Path; from manypython.archives.read import unpack;"
        "b = time.perf_counter(); unpack(Path(sys.argv[1]), Path(sys.argv[2]), alone=sys.argv[3] == 'alone');"
        "taken = time.perf_counter() - b; status = Path('/proc/self/status').read_text();"
        "print(taken, status.split('VmHWM:')[1].split()[0])"
    )
    for suffix, how in ((".zip", "in two"), (".zip", "alone"), (".tar.zst", "alone"), (".tar.gz", "alone")):
        archive = next(dist.glob(f"*-install_only{suffix}"))
        told = []
        for number in range(_ROUNDS):
            into = folder / f"{suffix} {how} {number}"
            argv = [sys.executable, "-c", program, str(archive), str(into), how]
            told.append(subprocess.run(argv, check=True, capture_output=True, text=True).stdout.split())
            shutil.rmtree(into)
        seconds = statistics.median(float(row[0]) for row in told)
        peak = max(int(row[1]) for row in told) / 1024
        say(
            f"  {suffix:<8} {how}: {seconds:.2f} s, {peak:.0f} MB, {archive.stat().st_size / 1e6:.1f} MB packed"
        )


def large_index(index: Index) -> None:
    """5,000 builds: read, and one of them selected."""
    (line,) = [line for line in index.as_bytes().decode().splitlines() if line.startswith('{"build"')]
    build = index.builds[0]
    lines = []
    for number in range(5000):
        version, day = f"3.{11 + number % 5}.{number // 5 % 40}", 20260101 + number // 200 % 28
        text = line.replace(str(build.version), version).replace(str(build.number), str(day))
        lines.append(re.sub(r'"build":\d+', f'"build":{day}', text))
    data = (
        '{"base_url":"https://example.org/","schema_version":1,"builds":[' + ",".join(lines) + "]}"
    ).encode()
    spec, tags, taken = Spec.parse("3.13"), host.platform_tags(), []
    for _ in range(_ROUNDS):
        begun = time.perf_counter()
        select(reading.read(data, "index")[1], spec, tags, 1, "index")
        taken.append(time.perf_counter() - begun)
    say(f"  {len(data) / 1e6:.1f} MB read and one selected: {statistics.median(taken) * 1000:.0f} ms")


def main() -> None:
    """All of it, on this machine's disk and in memory."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        dist = Path(sys.argv[1]) if len(sys.argv) > 1 else folder / "dist"
        if len(sys.argv) == 1:
            subprocess.run(
                [_MANYPYTHON, "make", "3.13", "--profile", "quick", "--dist", str(dist)],
                check=True,
                capture_output=True,
            )
        with served(folder, dist) as (url, trust, index):
            parts: list[tuple[str, Callable[[], None]]] = [
                (
                    "cold fetch to first `python -c pass`, on disk",
                    lambda: cold(folder / "cold", url, trust, index),
                ),
                ("warm", lambda: warm(folder / "warm", url, trust)),
                ("unpack, on disk", lambda: unpacking(folder, dist)),
                ("an index of 5,000 builds", lambda: large_index(index)),
            ]
            if (memory := Path("/dev/shm")).is_dir():
                place = Path(tempfile.mkdtemp(dir=memory))
                parts += [
                    ("cold fetch, in memory", lambda: cold(place / "cold", url, trust, index)),
                    ("unpack, in memory", lambda: unpacking(place, dist)),
                ]
            for title, part in parts:
                say(title)
                part()
            if memory.is_dir():
                shutil.rmtree(place)


if __name__ == "__main__":
    main()
