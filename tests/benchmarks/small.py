"""One thing of the standard library, over and over: ``python small.py NAME`` (pyperf does the timing)."""

from __future__ import annotations

import base64
import binascii
import bz2
import csv
import datetime as dt
import decimal
import hashlib
import io
import lzma
import random
import sqlite3
import ssl
import struct
import subprocess
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pyperf

BLOCK = bytes(range(256)) * 256
TEXT = b"".join(b"%d: a line of a file, more or less\n" % number for number in range(3000))


def _struct() -> None:
    record, record_of_floats = struct.Struct("<IHHqd"), struct.Struct(">4f2d")
    for number in range(400):
        record.unpack(record.pack(number, 1, 2, -number, 0.5))
        record_of_floats.unpack(record_of_floats.pack(1, 2, 3, 4, number, 6))
        struct.unpack("!IHB", struct.pack("!IHB", number, 3, 4))


def _datetime() -> None:
    start = dt.datetime(2026, 11, 26, 10, 30)  # noqa: DTZ001
    for number in range(300):
        when = start + dt.timedelta(minutes=number)
        dt.datetime.fromisoformat(when.isoformat())
        when.strftime("%Y-%m-%d")


def _decimal() -> None:
    total = decimal.Decimal("1.00")
    for number in range(1, 400):
        total = (total * decimal.Decimal("1.0007") + number).quantize(decimal.Decimal("0.01"))


def _sqlite() -> None:
    base = sqlite3.connect(":memory:")
    base.execute("create table t (a integer, b text)")
    base.executemany("insert into t values (?, ?)", ((number, str(number)) for number in range(1500)))
    base.execute("select b, sum(a) from t group by a % 10").fetchall()
    base.execute("select * from t order by b").fetchall()
    base.close()


def _csv() -> None:
    stream = io.StringIO()
    csv.writer(stream).writerows([number, "a b", 1.5] for number in range(800))
    list(csv.reader(io.StringIO(stream.getvalue())))


def _random() -> None:
    source = random.Random(1)
    for _ in range(1000):
        source.random(), source.randint(0, 99), source.gauss(0, 1)


def _tls() -> tuple[Callable[[], object], Callable[[], object]]:
    """A handshake, and a megabyte by AES-GCM, both in memory."""
    folder = Path(tempfile.mkdtemp())
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    paths = ("-keyout", str(folder / "key"), "-out", str(folder / "cert"))
    subprocess.run(("openssl", *words.split(), *paths), check=True, capture_output=True)
    of_server, of_client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    of_server.load_cert_chain(folder / "cert", folder / "key")
    of_client.load_verify_locations(folder / "cert")

    def pair() -> tuple[ssl.SSLObject, ssl.SSLObject]:
        there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = of_client.wrap_bio(back, there, server_hostname="localhost")
        server = of_server.wrap_bio(there, back, server_side=True)
        done: set[ssl.SSLObject] = set()
        while len(done) < 2:
            for side in (client, server):
                try:
                    side.do_handshake()
                    done.add(side)
                except ssl.SSLWantReadError:
                    pass
        return client, server

    client, server = pair()

    def transfer() -> None:
        for _ in range(16):
            client.write(BLOCK[:16384])
            server.read(16384)

    return (lambda: [pair() for _ in range(5)]), transfer


def programs(name: str) -> Callable[[], object]:
    """What is done once in each loop."""
    packed = {"zlib": zlib.compress(TEXT), "bz2": bz2.compress(TEXT), "lzma": lzma.compress(TEXT, preset=1)}
    if name in ("tls_handshake", "aes_gcm"):
        return _tls()[name == "aes_gcm"]
    return {
        "struct": _struct, "datetime": _datetime, "decimal": _decimal, "sqlite": _sqlite, "csv": _csv, "random": _random,
        "binascii": lambda: base64.b64decode(base64.b64encode(BLOCK)),
        "hex": lambda: binascii.unhexlify(binascii.hexlify(BLOCK)),
        "zlib": lambda: (zlib.decompress(packed["zlib"]), zlib.compress(TEXT), zlib.crc32(TEXT)),
        "bz2": lambda: (bz2.decompress(packed["bz2"]), bz2.compress(TEXT)),
        "lzma": lambda: (lzma.decompress(packed["lzma"]), lzma.compress(TEXT, preset=0)),
        "sha256": lambda: [hashlib.sha256(BLOCK[:size]).digest() for size in (64, 1000, 65536)],
        "blake2": lambda: [hashlib.blake2b(BLOCK[:size]).digest() for size in (64, 1000, 65536)],
        "md5": lambda: [hashlib.md5(BLOCK[:size]).digest() for size in (64, 1000, 65536)],  # noqa: S324
    }[name]  # fmt: skip


def main() -> None:
    """Time the one named last on the command line."""
    runner = pyperf.Runner(add_cmdline_args=lambda words, known: words.append(known.program))
    runner.argparser.add_argument("program")
    name = runner.parse_args().program
    runner.bench_func(name, programs(name))


if __name__ == "__main__":
    main()
