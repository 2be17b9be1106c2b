from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3

from manypython.model.errors import OutputError, UsageError
from manypython.site.serve import server

POOL = "python-build-standalone/releases/download/20261121/a%2Bb.tar.gz"
DATA = bytes(range(256)) * 40


@contextlib.contextmanager
def serving(site: Path) -> Iterator[str]:
    with server(site, 0) as opened:
        thread = threading.Thread(target=opened.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{opened.server_port}/"
        opened.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("outer") / "site"
    for name, content in {
        "index.html": b"<p>here</p>",
        "index.json": b"{}",
        "python-build-standalone/releases/download/20261121/a+b.tar.gz": DATA,
        "simple/cpython/index.json": b"{}",
        "simple/cpython/index.html": b"x",
        "simple/cpython/x.pybi": b"x",
        "heroku/x.tar.zst": b"x",
        "heroku/20261121/x.tar.zst": b"x",
        "python-build/3.13.5": b"case\n",
        "uv/downloads.json": b"{}",
        "empty": b"",
        ".hidden": b"secret",
        ".git/config": b"secret",
        "sub folder/ü.txt": b"x",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    (root.parent / "outside.txt").write_text("secret")
    (root / "out").symlink_to("../outside.txt")
    (root / "away").symlink_to("/etc")
    (root / "hid").symlink_to(".hidden")
    (root / "in.json").symlink_to("index.json")
    (root / "loop").symlink_to("loop")
    os.mkfifo(root / "pipe")
    return root


@pytest.fixture(scope="module")
def base(site: Path) -> Iterator[str]:
    with serving(site) as url:
        yield url


@pytest.fixture(scope="module")
def http() -> urllib3.PoolManager:
    return urllib3.PoolManager(retries=False, timeout=10)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("", "text/html; charset=utf-8"),
        ("index.json", "application/json"),
        (POOL, "application/gzip"),
        ("simple/cpython/index.json", "application/vnd.pypi.simple.v1+json"),
        ("simple/cpython/", "text/html; charset=utf-8"),
        ("simple/cpython/x.pybi", "application/octet-stream"),
        ("heroku/x.tar.zst", "application/zstd"),
        ("python-build/3.13.5", "text/plain; charset=utf-8"),
        ("empty", "application/octet-stream"),
        ("in.json", "application/json"),
    ],
)
def test_what_a_file_is(base: str, http: urllib3.PoolManager, path: str, kind: str) -> None:
    got = http.request("GET", base + path)
    head = http.request("HEAD", base + path)
    assert (got.status, head.status, head.data) == (200, 200, b"")
    assert {k: v for k, v in got.headers.items() if k != "Date"} == {
        k: v for k, v in head.headers.items() if k != "Date"
    }
    assert got.headers["Content-Type"] == kind
    assert "Content-Encoding" not in got.headers
    assert got.headers["Accept-Ranges"] == "bytes"
    assert int(got.headers["Content-Length"]) == len(got.data)


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        (POOL, True),
        ("heroku/20261121/x.tar.zst", True),
        ("heroku/x.tar.zst", False),
        ("simple/cpython/x.pybi", True),
        ("simple/cpython/index.json", False),
        ("index.json", False),
        ("uv/downloads.json", False),
    ],
)
def test_how_long_a_file_may_be_kept(base: str, http: urllib3.PoolManager, path: str, kept: bool) -> None:
    said = http.request("HEAD", base + path).headers["Cache-Control"]
    assert said == ("public, max-age=31536000, immutable" if kept else "max-age=0, must-revalidate")


def test_a_file_that_is_known_is_not_sent_again(base: str, http: urllib3.PoolManager, site: Path) -> None:
    tag = http.request("GET", base + "index.json").headers["ETag"]
    assert tag.startswith('"')
    for told in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        again = http.request("GET", base + "index.json", headers={"If-None-Match": told})
        assert (again.status, again.data, again.headers["ETag"]) == (304, b"", tag)
    assert http.request("GET", base + "index.json", headers={"If-None-Match": '"x"'}).status == 200
    scratch = site / "new"
    scratch.write_bytes(b"[]")  # as many bytes as before
    scratch.replace(site / "index.json")
    changed = http.request("GET", base + "index.json", headers={"If-None-Match": tag})
    assert (changed.status, changed.data) == (200, b"[]")


@pytest.mark.parametrize(
    ("asked", "status", "part"),
    [
        ("bytes=0-0", 206, DATA[:1]),
        ("bytes=10-19", 206, DATA[10:20]),
        ("bytes=10000-", 206, DATA[10000:]),
        ("bytes=10000-99999", 206, DATA[10000:]),
        ("bytes=-5", 206, DATA[-5:]),
        ("bytes=-99999", 206, DATA),
        (f"bytes={len(DATA)}-", 416, b""),
        ("bytes=-0", 416, b""),
        ("bytes=5-2", 200, DATA),
        ("bytes=0-1,5-6", 200, DATA),
        ("lines=0-1", 200, DATA),
        ("bytes=-", 200, DATA),
        ("bytes=x", 200, DATA),
    ],
)
def test_a_part_of_a_file(base: str, http: urllib3.PoolManager, asked: str, status: int, part: bytes) -> None:
    got = http.request("GET", base + POOL, headers={"Range": asked})
    assert got.status == status
    if status == 416:
        assert got.headers["Content-Range"] == f"bytes */{len(DATA)}"
        return
    assert got.data == part
    if status == 206:
        start = (
            DATA.index(part)
            if len(part) > 256 or part == DATA
            else int(got.headers["Content-Range"][6:].split("-")[0])
        )
        assert got.headers["Content-Range"] == f"bytes {start}-{start + len(part) - 1}/{len(DATA)}"


def test_a_download_goes_on_only_with_the_same_file(base: str, http: urllib3.PoolManager) -> None:
    tag = http.request("HEAD", base + POOL).headers["ETag"]
    for condition, status in ((tag, 206), ('"other"', 200), ("Sat, 21 Nov 2026 00:00:00 GMT", 200)):
        headers = {"Range": "bytes=5-", "If-Range": condition}
        assert http.request("GET", base + POOL, headers=headers).status == status
    assert http.request("GET", base + "empty", headers={"Range": "bytes=0-"}).status == 416
    assert http.request("HEAD", base + POOL, headers={"Range": "bytes=5-"}).status == 200


@pytest.mark.parametrize(
    "target",
    [
        "/../outside.txt", "/%2e%2e/outside.txt", "/uv/../../outside.txt", "/uv/%2e%2e%2f%2e%2e%2foutside.txt",
        "/..%5coutside.txt", "/out", "/away/passwd", "/away/", "/hid", "/.hidden", "/%2ehidden", "/.git/config", "/.git/",
        "/loop", "/pipe", "//etc/passwd", "/etc/passwd", "/index.json/", "/index.json%00", "/nothing", "/uv/", "/%ff",
        "/sub folder/.", "/./index.json",
    ],
)  # fmt: skip
def test_nothing_but_the_site(base: str, target: str) -> None:
    """By hand: a client would tidy the path up."""
    host, port = base.removeprefix("http://").rstrip("/").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as line:
        line.sendall(
            f"GET {target.replace(' ', '%20')} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
        )
        answer = b"".join(iter(lambda: line.recv(4096), b""))
    assert answer.split()[1] == b"404", target
    assert b"secret" not in answer
    assert b"root:" not in answer


def test_a_folder_gets_its_slash(base: str, http: urllib3.PoolManager) -> None:
    got = http.request("GET", base + "simple/cpython", redirect=False)
    assert (got.status, got.headers["Location"]) == (301, "/simple/cpython/")
    assert http.request("GET", base + "sub%20folder/%C3%BC.txt").data == b"x"
    assert http.request("POST", base, body=b"x").status == 501


def test_one_connection_many_answers(base: str) -> None:
    host, port = base.removeprefix("http://").rstrip("/").split(":")
    pool = urllib3.HTTPConnectionPool(host, int(port), maxsize=1)
    for path in ("/", "/nothing", f"/{POOL}", "/index.json"):
        pool.request("GET", path, retries=False)
    assert pool.num_connections == 1
    pool.close()


def test_a_site_that_is_not_there_and_a_port_that_is_taken(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such folder"):
        server(tmp_path / "x", 0)
    with server(tmp_path, 0) as first, pytest.raises(OutputError, match="cannot listen"):
        server(tmp_path, first.server_port)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("verbose", [False, True])
def test_the_command_line(
    site: Path, http: urllib3.PoolManager, number: signal.Signals, verbose: bool
) -> None:
    argv = [
        sys.executable,
        "-m",
        "manypython",
        "serve",
        str(site),
        "--port",
        "0",
        *(["--verbose"] if verbose else []),
    ]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        url = running.stdout.readline().split()[1]
        assert f"--index {url}" in running.stdout.readline()
        assert http.request("GET", url + "index.json").status == 200
        running.send_signal(number)
        err = running.communicate(timeout=60)[1]
    assert running.returncode == 0
    assert err == ("200 GET /index.json HTTP/1.1\n" if verbose else "")
