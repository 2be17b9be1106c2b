"""A small signed site on disk, and a server that answers as badly as it is told to."""

from __future__ import annotations

import hashlib
import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote

from packaging.version import Version

from manypython import files
from manypython.archives import write
from manypython.archives.members import Member
from manypython.index.model import POOL, Build, File, Index
from manypython.model.build_id import ArtifactName, BuildId, Variant
from manypython.model.identifier import BuildNumber
from manypython.model.target import Target
from manypython.site import keys


def days(number: float) -> datetime:
    """The moment so many days from now."""
    return datetime.now(UTC) + timedelta(days=number)


def interpreter(version: str, said: str = "", body: str = "") -> tuple[Member, ...]:
    """A tree whose ``python3.13`` is a shell script that says its version."""
    name = f"python{'.'.join(version.split('.')[:2])}"
    script = f"#!/bin/sh\n{body}echo {said or version}\n"
    return (
        Member(PurePosixPath("bin", name), script.encode(), executable=True),
        Member(PurePosixPath("bin/python3"), link=name),
        Member(PurePosixPath("bin/python"), link=name),
        Member(PurePosixPath("lib", name, "os.py"), b"# " + random.Random(0).randbytes(1 << 20)),
        Member(PurePosixPath("share/manypython/manypython.json"), b"{}\n"),
    )


@dataclass
class MadeSite:
    """A site of small archives."""

    folder: Path
    keys: Path
    builds: list[Build] = field(default_factory=list)

    def add(
        self,
        version: str = "3.13.15",
        number: int = 20261121,
        tag: str = "",
        *,
        members: tuple[Member, ...] | None = None,
        variant: str = "",
        level: int = 1,
    ) -> Build:
        """One more build, not yet published."""
        target = replace(Target.of_tag(tag or TAG), level=level)
        made = Variant.of((variant,), "zig")
        name = ArtifactName(BuildId("cpython", Version(version), BuildNumber(number), target, made), ".zip")
        packed = members or interpreter(version)
        path = f"{POOL}/{number}/{name}"
        write.zip_file(
            self.folder / path,
            tuple(sorted(packed, key=lambda m: m.name)),
            name.build.number.epoch,
            write.FAST,
        )
        data = (self.folder / path).read_bytes()
        file = File(
            path,
            hashlib.sha256(data).hexdigest(),
            len(data),
            sum(len(m.read()) + len(m.link) for m in packed),
        )
        build = Build(name.build, "make", "zig", (), None, (file,))
        self.builds.append(build)
        return build

    def index(self) -> bytes:
        return Index.of("https://example.org/", self.builds).as_bytes()

    def publish(self, now: datetime | None = None) -> None:
        """Write and sign the index."""
        files.write_bytes(self.folder / "index.json", self.index())
        for path, data in keys.sign(self.folder, self.keys, self.index(), now or datetime.now(UTC)).items():
            files.write_bytes(self.folder / path, data)

    @property
    def trust(self) -> str:
        return keys.fingerprint(self.folder)


TAG = f"manylinux_2_17_{os.uname().machine}"


class Server(ThreadingHTTPServer):
    """Serves a folder; ``faults`` says what to do wrong, by a part of the path, one per request."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder = folder
        self.faults: dict[str, list[Fault]] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/"

    def requests(self, part: str) -> int:
        return sum(part in path for path, _ in self.asked)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is expected here."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        path = unquote(self.path.lstrip("/"))
        self.server.asked.append((path, dict(self.headers)))
        place = self.server.folder / path
        data = place.read_bytes() if place.is_file() else None
        for part, faults in self.server.faults.items():
            if part in path and faults and faults.pop(0)(self, data or b""):
                return
        if data is None:
            self.answer(404, b"not here")
        elif begin := self.headers.get("Range", "").removeprefix("bytes=").rstrip("-"):
            rest = data[int(begin) :]
            self.answer(206, rest, {"Content-Range": f"bytes {begin}-{len(data) - 1}/{len(data)}"})
        else:
            self.answer(200, data)

    def answer(
        self, status: int, data: bytes, headers: dict[str, str] | None = None, length: int = -1
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(data) if length < 0 else length))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Quiet."""


Fault = Callable[[Handler, bytes], bool]
"""What a server does wrong with a request for these bytes; whether it gave an answer."""


def stall(handler: Handler, data: bytes) -> bool:
    """Half of it, then nothing more."""
    handler.answer(200, data[: len(data) // 2], length=len(data))
    handler.wfile.flush()
    time.sleep(3)
    handler.close_connection = True
    return True


def cut(handler: Handler, data: bytes) -> bool:
    """Half of it, then the connection is closed."""
    handler.answer(200, data[: len(data) // 2], length=len(data))
    handler.close_connection = True
    return True


def shorter(handler: Handler, data: bytes) -> bool:
    """Half of it, and says that this is all."""
    handler.answer(200, data[: len(data) // 2])
    return True


def longer(handler: Handler, data: bytes) -> bool:
    """Goes on after its end."""
    handler.answer(200, data + b"more" * 100_000)
    return True


def failing(handler: Handler, data: bytes) -> bool:
    """HTTP 500."""
    handler.answer(500, b"no")
    return True


def looping(handler: Handler, data: bytes) -> bool:
    """To itself."""
    handler.answer(302, b"", {"Location": handler.path})
    return True


def other(handler: Handler, data: bytes) -> bool:
    """As many bytes of something else."""
    handler.answer(200, bytes(len(data)))
    return True


def rangeless(handler: Handler, data: bytes) -> bool:
    """All of it, whatever was asked for."""
    handler.answer(200, data)
    return True


FAULTS: dict[str, Fault] = {
    f.__name__: f for f in (stall, cut, shorter, longer, failing, looping, other, rangeless)
}
