"""Serve a site on the loopback interface as a good static host would: for trials, not for production."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sys
import threading
from collections.abc import Callable
from email.message import Message
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote, unquote, urlsplit

from manypython.index.model import POOL
from manypython.model.errors import OutputError, UsageError

_FOR_EVER = (f"{POOL}/", "gha/")
_BUILD = re.compile(r"heroku/[^/]+/|simple/cpython/[^/]+\.pybi$|metadata/\d+\.")
"""More names that keep their bytes: they have a build number or a version in them."""
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".json": "application/json",
    ".gz": "application/gzip",
    ".zst": "application/zstd",
    ".zip": "application/zip",
    ".pybi": "application/octet-stream",
    ".env": "text/plain; charset=utf-8",
    ".sample": "text/plain; charset=utf-8",
}
_SIMPLE_JSON = "application/vnd.pypi.simple.v1+json"
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_PIECE = 1 << 18


class Server(ThreadingHTTPServer):
    """One thread for each connection; ends without waiting for them."""

    daemon_threads = True

    def handle_error(self, _request: object, client_address: object) -> None:
        """Say nothing about a client that went away; print any other error."""
        error = sys.exception()
        if not isinstance(error, ConnectionError | TimeoutError):
            print(f"error: {client_address}: {error!r}", file=sys.stderr)  # noqa: T201  (a server's only voice)


def server(site: Path, port: int, bind: str = "127.0.0.1", *, verbose: bool = False) -> Server:
    """A server that listens already; ``serve_forever`` answers.

    Args:
        site: its folder.
        port: 0 picks a free one, see ``server_port``.
        bind: the address it listens on.
        verbose: print a line for each request on standard error.

    Raises:
        UsageError: there is no such folder.
        OutputError: the port is not available.
    """
    if not site.is_dir():
        raise UsageError(
            f"{site}: no such folder", remedy="manypython publish ARCHIVE... --to SITE makes one"
        )
    try:
        return Server((bind, port), partial(_Handler, site.resolve(), verbose))
    except (OSError, OverflowError) as error:
        raise OutputError(
            f"{bind}:{port}: cannot listen: {error}", remedy="name another port; --port 0 picks a free one"
        ) from None


def serve(
    site: Path,
    port: int,
    bind: str = "127.0.0.1",
    *,
    ready: Callable[[str], None],
    verbose: bool = False,
) -> None:
    """Serve until Ctrl-C or SIGTERM.

    Args:
        site: its folder.
        port: 0 picks a free one.
        bind: the address to listen on.
        ready: called with the URL as soon as it answers.
        verbose: print a line for each request on standard error.

    Raises:
        UsageError: there is no such folder.
        OutputError: the port is not available.
    """
    with server(site, port, bind, verbose=verbose) as listening:
        stopping = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stopping.set())
        threading.Thread(target=listening.serve_forever, args=(0.05,), daemon=True).start()
        ready(f"http://{bind}:{listening.server_port}/")
        stopping.wait()
        listening.shutdown()


class _Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD with files of the site and nothing else."""

    disable_nagle_algorithm = True  # or each small answer waits 40 ms for the client's ACK

    protocol_version = "HTTP/1.1"
    server_version = "manypython"
    sys_version = ""
    timeout = 60
    """Seconds that a connection may be idle."""

    def __init__(self, site: Path, verbose: bool, *rest: Any) -> None:  # noqa: ANN401  (socketserver's own)
        self.site, self.verbose = site, verbose
        super().__init__(*rest)

    def do_GET(self) -> None:
        """Answer with a file, or a part of it."""
        path = _path_of(self.path)
        place = None if path is None else _inside(self.site, path)
        if path is None or place is None:
            self._plain(HTTPStatus.NOT_FOUND, "no such file\n")
        elif place.is_dir():
            self._folder(path, place)
        else:
            self._file(path, place)

    do_HEAD = do_GET  # noqa: N815  (the library looks for this name)

    def _folder(self, path: str, place: Path) -> None:
        if path and not path.endswith("/"):
            self._plain(HTTPStatus.MOVED_PERMANENTLY, "a folder\n", Location=f"/{quote(path)}/")
        elif (place / "index.html").is_file():
            self._file(f"{path}index.html", place / "index.html")
        else:
            self._plain(HTTPStatus.NOT_FOUND, "no such file\n")

    def _file(self, path: str, place: Path) -> None:
        with contextlib.ExitStack() as stack:
            try:
                stream = stack.enter_context(place.open("rb"))
            except OSError:
                self._plain(HTTPStatus.NOT_FOUND, "no such file\n")
                return
            facts = os.fstat(stream.fileno())
            # of the very file that is open: it may be replaced while it is sent
            tag = f'"{facts.st_ino:x}-{facts.st_size:x}-{facts.st_mtime_ns:x}"'
            if _knows(self.headers.get("If-None-Match", ""), tag):
                self._head(HTTPStatus.NOT_MODIFIED, path, tag)
                return
            part = _part(self.headers, tag, facts.st_size) if self.command == "GET" else _ALL
            if part is None:
                headers = {"Content-Range": f"bytes */{facts.st_size}"}
                self._plain(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, "no such range\n", **headers)
                return
            headers = {"Content-Type": _type(path)}
            if part != _ALL:
                headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{facts.st_size}"
            length = facts.st_size if part == _ALL else len(part)
            headers["Content-Length"] = str(length)
            self._head(HTTPStatus.OK if part == _ALL else HTTPStatus.PARTIAL_CONTENT, path, tag, **headers)
            if self.command == "GET":
                stream.seek(part.start)
                self._send(stream, length)

    def _head(self, status: HTTPStatus, path: str, tag: str, **headers: str) -> None:
        immutable = path.startswith(_FOR_EVER) or _BUILD.match(path)
        self.send_response(status)
        self.send_header("ETag", tag)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header(
            "Cache-Control",
            "public, max-age=31536000, immutable" if immutable else "max-age=0, must-revalidate",
        )
        self.send_header("X-Content-Type-Options", "nosniff")
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _send(self, stream: IO[bytes], length: int) -> None:
        while length > 0 and (piece := stream.read(min(_PIECE, length))):
            self.wfile.write(piece)
            length -= len(piece)
        if length > 0:  # it was cut short in place; the client must see that
            self.close_connection = True

    def _plain(self, status: HTTPStatus, text: str, **headers: str) -> None:
        body = text.encode()
        self.send_response(status)
        for name, value in {
            "Content-Type": "text/plain",
            "Content-Length": str(len(body)),
            **headers,
        }.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_request(self, code: object = "-", size: object = "-") -> None:  # noqa: ARG002  (the library's)
        """Print a line for each request, if that is wanted."""
        if self.verbose:
            request = self.requestline.encode("unicode_escape").decode()
            status = code.value if isinstance(code, HTTPStatus) else code
            print(f"{status} {request}", file=sys.stderr, flush=True)  # noqa: T201

    def log_message(self, *_: object) -> None:
        """Print nothing else: a client learns its mistakes from the answer."""


_ALL = range(0)
"""Instead of a part: the whole file."""


def _path_of(target: str) -> str | None:
    """The path that a request asks for, from the top of the site; None: it is not valid."""
    try:
        path = unquote(urlsplit(target).path, errors="strict")
    except ValueError:
        return None
    if not path.startswith("/") or not path.isprintable() or "\\" in path:
        return None
    *folders, last = path[1:].split("/")
    if any(part.startswith(".") or not part for part in folders) or last.startswith("."):
        return None
    return path[1:]


def _inside(site: Path, path: str) -> Path | None:
    """The file or folder there, unless it leads out of the site, be it through a symbolic link."""
    try:
        place = (site / path).resolve(strict=True)
        inner = place.relative_to(site).parts
    except (OSError, RuntimeError, ValueError):
        return None
    hidden = any(part.startswith(".") for part in inner)
    kind = place.is_dir() if path.endswith("/") else place.is_file() or place.is_dir()
    return place if kind and not hidden else None


def _knows(header: str, tag: str) -> bool:
    """Whether a client has this very file already (RFC 9110, 13.1.2)."""
    return header.strip() == "*" or tag in [
        tag_given.strip().removeprefix("W/") for tag_given in header.split(",")
    ]


def _part(headers: Message, tag: str, size: int) -> range | None:
    """The one range asked for (RFC 9110, 14.2); the whole file for a kind we do not serve; None: outside."""
    match = _RANGE.fullmatch(headers.get("Range", "").strip())
    if match is None or match[0] == "bytes=-" or headers.get("If-Range", tag) != tag:
        return _ALL
    first, last = match[1], match[2]
    if not first:
        start, stop = max(0, size - int(last)), size
    else:
        start, stop = int(first), min(int(last) + 1 if last else size, size)
        if last and int(last) < start:
            return _ALL
    return range(start, stop) if start < size else None


def _type(path: str) -> str:
    if path.startswith("simple/") and path.endswith(".json"):
        return _SIMPLE_JSON
    if path.startswith("python-build/") or path == "SHA256SUMS":
        return "text/plain; charset=utf-8"
    return _TYPES.get(Path(path).suffix, "application/octet-stream")
