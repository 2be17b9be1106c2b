"""What happens to a store and to a site when everything goes wrong: kill -9, full disks, odd filesystems."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from builds import Made
from calls import cli
from foreign import host_packages

import manypython
from manypython.index.reading import parse
from manypython.site import keys
from manypython.store import installed
from manypython.store import trees as store

pytestmark = pytest.mark.slow
COMMAND = (sys.executable, "-m", "manypython")
SEED = 20261121
FETCHES, PUBLISHES = 200, 50


@dataclass(frozen=True)
class Home:
    """A user with a store of their own."""

    folder: Path
    site: Path

    @property
    def env(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("MANYPYTHON_", "XDG_"))}
        return {**kept, "HOME": str(self.folder)}

    @property
    def store(self) -> Path:
        return self.folder / ".local/share/manypython/pythons"

    @property
    def argv(self) -> tuple[str, ...]:
        return (*COMMAND, "fetch", "3.13", "--index", str(self.site), "--trust", keys.fingerprint(self.site))

    def start(self, *words: str) -> subprocess.Popen[str]:
        self.folder.mkdir(parents=True, exist_ok=True)
        return subprocess.Popen(
            (*self.argv, *words), env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def fetch(self, *words: str) -> tuple[int, str, str]:
        running = self.start(*words)
        out, err = running.communicate()
        return running.returncode, out.strip(), err

    def whole(self) -> int:
        """See that whatever can be seen is whole; how many interpreters that is."""
        there = installed.installed(str(self.store))
        for each in there:
            for name in store.files(each):
                assert os.path.lexists(Path(each.folder, name)), name
            assert subprocess.run([each.python, "-I", "-c", "import ssl"], check=False).returncode == 0
        return len(there)

    def reset(self) -> None:
        shutil.rmtree(self.folder / ".local/share/manypython/pythons", ignore_errors=True)
        shutil.rmtree(self.folder / ".cache", ignore_errors=True)


@pytest.fixture(scope="module")
def archives(made: Made) -> list[Path]:
    return [made.archive(suffix) for suffix in (".tar.gz", ".zip")]


@pytest.fixture(scope="module")
def site(archives: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("faults")
    done = cli("publish", *archives, "--to", folder / "site", "--keys", folder / "keys", "--fast")
    assert done.code == 0, done.err
    return folder / "site"


@pytest.fixture
def home(site: Path, tmp_path: Path) -> Home:
    return Home(tmp_path / "home", site)


def killed(running: subprocess.Popen[str], after: float) -> bool:
    """Kill it after so many seconds; whether that was before its end."""
    try:
        running.communicate(timeout=after)
    except subprocess.TimeoutExpired:
        running.send_signal(signal.SIGKILL)
        running.communicate()
        return True
    return False


def test_a_fetch_that_is_killed_leaves_a_whole_store(home: Home, capfd: pytest.CaptureFixture[str]) -> None:
    chance = random.Random(SEED)
    begun = time.monotonic()
    assert home.fetch()[0] == 0
    took = time.monotonic() - begun
    early = visible = 0
    for _ in range(FETCHES):
        home.reset()
        early += killed(home.start(), chance.uniform(0, took * 1.05))
        visible += home.whole()
        begun = time.monotonic()
        code, python, err = home.fetch()
        assert code == 0, err
        took = time.monotonic() - begun  # of late: the machine has other work, too
        assert home.whole() == 1
        assert Path(python).exists()
        leavings = [
            path.name for path in home.store.iterdir() if path.name[0] == "." and path.name != ".locks"
        ]
        assert leavings == [], "the next run clears what the killed one left"
    with capfd.disabled():
        print(
            f"\n{FETCHES} fetches of {took:.1f} s: {early} killed before their end, {visible} already visible"
        )


def check_site(site: Path) -> bool:
    """See that whatever a site names is there with the right bytes; whether it names anything."""
    if not (site / "index.json").exists():
        return False
    index = parse((site / "index.json").read_bytes(), "index")
    for build in index.builds:
        for file in build.files:
            data = (site / file.path).read_bytes()
            assert (len(data), hashlib.sha256(data).hexdigest()) == (file.size, file.sha256), file.path
    for listed in site.glob("uv/*.json"):
        for entry in json.loads(listed.read_bytes()).values():
            assert (site / entry["url"][entry["url"].index("python-build-") :].replace("%2B", "+")).is_file()
    if (site / "SHA256SUMS").exists():
        subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=site, check=True)
    return True


@dataclass
class Publishing:
    """A site, and ``publish`` to it."""

    folder: Path
    keys: Path

    def start(self, *words: str) -> subprocess.Popen[str]:
        argv = (*COMMAND, "publish", *words, "--to", str(self.folder), "--keys", str(self.keys), "--fast")
        return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def finish(self, *words: str) -> float:
        """Publish; seconds it took. The site is whole then, and nothing half-written is left."""
        begun = time.monotonic()
        running = self.start(*words)
        _, err = running.communicate()
        took = time.monotonic() - begun
        assert running.returncode == 0, err
        assert check_site(self.folder)
        hidden = [path.name for path in self.folder.rglob(".*")]
        assert hidden == [".publish.lock"], "nothing half-written"
        return took


def test_a_first_publish_that_is_killed_leaves_a_whole_site(
    archives: list[Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    chance = random.Random(SEED)
    made = Publishing(tmp_path / "site", tmp_path / "keys")
    words = tuple(map(str, archives))
    took = made.finish(*words)
    early = 0
    for _ in range(PUBLISHES // 2):
        shutil.rmtree(made.folder)
        early += killed(made.start(*words), chance.uniform(0, took * 1.02))
        check_site(made.folder)
        took = max(took * 0.8, made.finish(*words))  # less where the killed one had done a part
    with capfd.disabled():
        print(f"\n{PUBLISHES // 2} first publishes of {took:.1f} s: {early} killed before their end")


def test_a_site_that_is_written_anew_is_whole_at_every_moment(
    site: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """With another base URL every list, the index and its signatures change; a client succeeds at any time."""
    chance = random.Random(SEED)
    folder = tmp_path / "site"
    shutil.copytree(site, folder)
    made = Publishing(folder, site.parent / "keys")
    took = made.finish("--base-url", "https://example.org/begin/")
    early = 0
    for number in range(PUBLISHES // 2):
        words = ("--base-url", f"https://example.org/{number}/")
        early += killed(made.start(*words), chance.uniform(took * 0.3, took * 1.02))  # it starts for so long
        assert check_site(folder)
        home = Home(tmp_path / f"home{number}", folder)
        home.folder.mkdir()
        code, _, err = home.fetch()
        assert code == 0, err
        took = made.finish(*words, "--base-url", f"https://example.org/{number}/again/")
        shutil.rmtree(home.folder)
    with capfd.disabled():
        print(f"\n{PUBLISHES // 2} publishes of {took:.1f} s: {early} killed before their end")


@contextmanager
def mounted(folder: Path, *words: str) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", *words, str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_gets_full_at_each_tenth_of_the_way(site: Path, tmp_path: Path) -> None:
    (build,) = parse((site / "index.json").read_bytes(), "index").builds
    packed = build.file(".zip")
    assert packed is not None
    needed = packed.size + packed.unpacked
    with mounted(tmp_path / "disk", "-t", "tmpfs", "tmpfs") as disk:
        home = Home(disk / "home", site)
        said = []
        for tenth in range(1, 10):
            size = needed * tenth // 10
            subprocess.run(["mount", "-o", f"remount,size={size}", str(disk)], check=True)
            code, out, err = home.fetch()
            assert (code, out) == (10, ""), err
            assert "No space left on device" in err
            assert [line.split(":")[0] for line in err.splitlines()] == ["error", "remedy"]
            assert home.whole() == 0
            said.append(err.split(":")[1])
            home.reset()
        assert len(set(said)) > 1, "both the download and the unpacking were hit"
        subprocess.run(["mount", "-o", f"remount,size={2 * needed}", str(disk)], check=True)
        code, _, err = home.fetch()
        assert code == 0, err
        assert home.whole() == 1


def test_a_site_on_a_disk_that_gets_full(archives: list[Path], tmp_path: Path) -> None:
    needed = sum(path.stat().st_size for path in archives) * 2
    with mounted(tmp_path / "disk", "-t", "tmpfs", "tmpfs") as disk:
        argv = (
            *COMMAND,
            "publish",
            *map(str, archives),
            "--to",
            str(disk / "site"),
            "--keys",
            str(tmp_path / "keys"),
            "--fast",
        )
        for tenth in range(1, 9):
            subprocess.run(["mount", "-o", f"remount,size={needed * tenth // 10}", str(disk)], check=True)
            done = subprocess.run(argv, capture_output=True, text=True, check=False)
            assert done.returncode == 10, done.stderr
            assert "No space left on device" in done.stderr
            check_site(disk / "site")
        subprocess.run(["mount", "-o", f"remount,size={2 * needed}", str(disk)], check=True)
        assert subprocess.run(argv, capture_output=True, check=False).returncode == 0
        assert check_site(disk / "site")


def test_a_read_only_store_gives_what_it_has(home: Home, tmp_path: Path) -> None:
    python = home.fetch()[1]
    with mounted(home.store, "--bind", "-o", "ro", str(home.store)):
        assert home.fetch()[:2] == (0, python)
        code, out, err = home.fetch("--upgrade")
        assert (code, out) == (10, "")
        assert "Read-only file system" in err


def test_a_store_where_upper_and_lower_case_are_one(site: Path, tmp_path: Path) -> None:
    host_packages("ntfs-3g")
    image = tmp_path / "image"
    with image.open("wb") as file:
        file.truncate(320 << 20)
    subprocess.run(["mkfs.ntfs", "-q", "-F", str(image)], check=True, capture_output=True)
    options = ("-t", "lowntfs-3g", "-o", "loop,ignore_case,permissions", str(image))
    with mounted(tmp_path / "disk", *options) as disk:
        (disk / "A").touch()
        assert (disk / "a").exists(), "it does fold"
        home = Home(disk / "home", site)
        code, _, err = home.fetch()
        assert code == 0, err
        assert home.whole() == 1


def test_a_filesystem_without_hard_links(home: Home) -> None:
    host_packages("strace")
    refuse = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "inject=link,linkat:error=EPERM"]
    home.folder.mkdir()
    done = subprocess.run([*refuse, *home.argv], env=home.env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert home.whole() == 1


def test_a_hundred_processes_download_once(home: Home) -> None:
    home.folder.mkdir()
    running = [home.start() for _ in range(100)]
    told = {each.communicate()[0] for each in running}
    assert {each.returncode for each in running} == {0}
    assert len(told) == 1
    assert home.whole() == 1


def test_two_versions_of_the_client_share_a_store(home: Home, site: Path, tmp_path: Path) -> None:
    """The other one is newer: its receipts have another schema and say more."""
    package = Path(manypython.__file__).parent
    newer = tmp_path / "newer/manypython"
    shutil.copytree(package, newer, ignore=shutil.ignore_patterns("__pycache__"))
    code = newer / "index/store.py"
    text = code.read_text()
    assert '"schema_version": 1' in text
    code.write_text(text.replace('"schema_version": 1', '"schema_version": 2, "news": [1, 2]'))
    home.folder.mkdir()
    env = {**home.env, "PYTHONPATH": str(newer.parent)}
    running = [
        subprocess.Popen(home.argv, env=each, stdout=subprocess.PIPE, text=True)
        for each in (home.env, env) * 5
    ]
    assert len({each.communicate()[0] for each in running}) == 1
    assert {each.returncode for each in running} == {0}
    found = installed.installed(str(home.store))[0]
    Path(found.folder, installed.RECEIPT).write_text(json.dumps({**found.receipt(), "schema_version": 2}))
    assert home.fetch()[0] == 0
    assert subprocess.run((*COMMAND, "remove", "3.13"), env=home.env, check=False).returncode == 0
    assert home.whole() == 0


def test_a_fetch_takes_less_than_100_megabytes(home: Home, capfd: pytest.CaptureFixture[str]) -> None:
    home.folder.mkdir()
    measure = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, stdout=2);"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    done = subprocess.run(
        [sys.executable, "-c", measure, *home.argv], env=home.env, capture_output=True, text=True, check=True
    )
    peak = int(done.stdout) / 1024
    with capfd.disabled():
        print(f"\nfetch: {peak:.0f} MB at most")
    assert peak < 100
