from __future__ import annotations

import hashlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from packaging.version import Version

from manypython.compile import debian, sources
from manypython.compile.building import SourceOptions, build
from manypython.compile.method import Method
from manypython.compile.sources import fetch
from manypython.compile.toolchains.base import Toolchain
from manypython.compile.toolchains.zig import Zig
from manypython.model.errors import OutputError, SourceError
from manypython.model.target import DEFAULT_TARGET
from manypython.progress import Reporter
from manypython.recipes.model import DebianSource, Recipe, Source
from manypython.run import Run

DATA = b"the source " * 10_000
SHA256 = hashlib.sha256(DATA).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """Good bytes, or one of the ways they can be bad."""

    asked: list[str] = []  # noqa: RUF012  (one server, one list)

    def do_GET(self) -> None:
        self.asked.append(self.path)
        name = self.path.strip("/").split("/")[0]
        if name == "missing":
            self.send_error(404)
            return
        body = {"truncated": DATA[:5000], "tampered": b"X" + DATA[1:]}.get(name, DATA)
        self.send_response(200)
        self.send_header("Content-Length", str(len(DATA if name == "cut" else body)))
        self.end_headers()
        self.wfile.write(DATA[:5000] if name == "cut" else body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[str]:
    Handler.asked.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def no_mirror(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debian, "mirrors", tuple)
    monkeypatch.setattr(sources, "_unreachable", set())


def recipe(url: str, debian_source: DebianSource | None = None) -> Recipe:
    return Recipe(
        "x",
        Version("1.0"),
        Source(url, SHA256, len(DATA), debian_source),
        ("MIT",),
        ("LICENSE",),
        "autotools",
    )


QUIET = Reporter(quiet=True)


def test_a_good_download_is_kept_and_not_asked_for_again(server: str, tmp_path: Path) -> None:
    wanted = recipe(f"{server}/good/x-1.0.tar.gz")
    first = fetch(wanted, tmp_path, reporter=QUIET)
    again = fetch(wanted, tmp_path, reporter=QUIET)
    assert (first.origin, again.origin) == ("upstream", "cache")
    assert first.path.read_bytes() == DATA
    assert Handler.asked == ["/good/x-1.0.tar.gz"]


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("missing", "answered 404"),
        ("truncated", f"truncated: 5000 of {len(DATA)} bytes"),
        ("tampered", f"expected {SHA256}"),
        ("cut", "bytes read"),
    ],
)
def test_bad_bytes_are_refused_and_nothing_is_left(
    server: str, tmp_path: Path, kind: str, reason: str
) -> None:
    with pytest.raises(SourceError) as caught:
        fetch(recipe(f"{server}/{kind}/x-1.0.tar.gz"), tmp_path, reporter=QUIET)
    assert reason in caught.value.message
    assert f"{server}/{kind}/x-1.0.tar.gz" in caught.value.message
    assert "debian" not in caught.value.message
    assert SHA256 in caught.value.remedy
    assert [path for path in (tmp_path / "sources").rglob("*") if path.is_file()] == []


def test_every_origin_that_was_tried_is_named(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(debian, "mirrors", lambda: (f"{server}/missing",))
    wanted = recipe(f"{server}/tampered/x-1.0.tar.gz", DebianSource("x", "x.orig.tar.gz", SHA256, len(DATA)))
    with pytest.raises(SourceError) as caught:
        fetch(wanted, tmp_path / "cache", reporter=QUIET, source_dir=tmp_path)
    for word in (
        "cache: not there",
        "source-dir",
        "upstream",
        "debian",
        "/pool/main/x/x/x.orig.tar.gz",
    ):
        assert word in caught.value.message
    assert caught.value.exit_code == 5


def test_debian_stands_in_for_upstream(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debian, "mirrors", lambda: (f"{server}/good",))
    wanted = recipe(f"{server}/missing/x-1.0.tar.gz", DebianSource("libx", "x.orig.tar.gz", SHA256, 0))
    assert fetch(wanted, tmp_path, reporter=QUIET).origin == "debian"
    assert Handler.asked[-1] == "/good/pool/main/libx/libx/x.orig.tar.gz"


def test_a_tampered_cache_is_noticed_and_mended(server: str, tmp_path: Path) -> None:
    wanted = recipe(f"{server}/good/x-1.0.tar.gz")
    path = fetch(wanted, tmp_path, reporter=QUIET).path
    path.write_bytes(b"X" + DATA[1:])
    assert fetch(wanted, tmp_path, reporter=QUIET).origin == "upstream"
    assert path.read_bytes() == DATA


def test_a_folder_of_sources_comes_before_the_network(server: str, tmp_path: Path) -> None:
    (tmp_path / "x-1.0.tar.gz").write_bytes(DATA)
    found = fetch(recipe(f"{server}/good/x-1.0.tar.gz"), tmp_path / "c", reporter=QUIET, source_dir=tmp_path)
    assert found.origin == "source-dir"
    assert Handler.asked == []


def test_offline_asks_nobody(server: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="not asked"):
        fetch(recipe(f"{server}/good/x-1.0.tar.gz"), tmp_path, reporter=QUIET, offline=True)
    assert Handler.asked == []


def test_every_source_is_fetched_before_anything_is_built(server: str, tmp_path: Path) -> None:
    class NotYet(Zig):
        def toolchain(self, *_: Any, **__: Any) -> AbstractContextManager[Toolchain]:  # type: ignore[override]
            raise AssertionError("something is built")

    good, lacking = recipe(f"{server}/good/thing.tar.gz"), recipe(f"{server}/missing/thing.tar.gz")
    other = replace(lacking.source, sha256="0" * 64)
    recipes = (good, replace(lacking, name="lacking", source=other))
    run = Run(tmp_path / "cache", Reporter(quiet=True), 1)
    with pytest.raises(SourceError, match="lacking"):
        build(recipes, DEFAULT_TARGET, Method(NotYet()), run, sources=SourceOptions(), epoch=0)
    assert fetch(good, tmp_path / "cache", reporter=Reporter(quiet=True), offline=True).origin == "cache"


def test_a_host_that_refuses_is_asked_once(tmp_path: Path) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as unused:
        url = f"http://127.0.0.1:{unused.server_port}/x-1.0.tar.gz"
    for _ in range(2):
        with pytest.raises(SourceError, match="upstream"):
            fetch(recipe(url), tmp_path, reporter=QUIET)
    assert sources._unreachable == {"127.0.0.1"}


def test_a_cache_that_cannot_be_written_is_named(server: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file"):
        fetch(recipe(f"{server}/good/x-1.0.tar.gz"), tmp_path / "file", reporter=QUIET)


PROGRAM = """
import sys
from pathlib import Path
from packaging.version import Version
from manypython.compile.building import SourceOptions, build
from manypython.compile.method import Method
from manypython.compile.sources import fetch
from manypython.compile.toolchains.base import Toolchain
from manypython.compile.toolchains.zig import Zig
from manypython.model.target import DEFAULT_TARGET
from manypython.progress import Reporter
from manypython.recipes.model import Recipe, Source
url, sha256, size, cache = sys.argv[1:]
source = Source(url, sha256, int(size))
recipe = Recipe("x", Version("1.0"), source, ("MIT",), ("LICENSE",), "autotools")
print(fetch(recipe, Path(cache), reporter=Reporter(quiet=True)).origin)
"""


def test_two_processes_at_once_fetch_it_once(server: str, tmp_path: Path) -> None:
    argv = (
        sys.executable,
        "-c",
        PROGRAM,
        f"{server}/good/x-1.0.tar.gz",
        SHA256,
        str(len(DATA)),
        str(tmp_path),
    )
    running = [subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert sorted(process.communicate(timeout=60)[0].strip() for process in running) == ["cache", "upstream"]
    assert len(Handler.asked) == 1


def test_mirrors_are_read_from_both_formats_of_apt() -> None:
    text = (
        "# deb http://old.example/debian sid main\n"
        "deb [signed-by=/x.gpg] http://one.example/debian bookworm main\n"
        "deb https://other.example/apt stable main\n"
        "Types: deb\nURIs: http://two.example/debian http://two.example/debian-security\n"
    )
    assert debian.read_mirrors(text) == (
        "http://one.example/debian",
        "http://two.example/debian",
        "http://two.example/debian-security",
    )


def test_the_pool_keeps_lib_packages_by_four_letters() -> None:
    source = DebianSource("libffi", "libffi_1.tar.gz", SHA256, 0)
    assert debian.pool_url("http://m", source) == "http://m/pool/main/libf/libffi/libffi_1.tar.gz"
    assert "/pool/main/p/python3.13/" in debian.pool_url("m", replace(source, package="python3.13"))
