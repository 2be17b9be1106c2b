"""certwatch: remember TLS certificates and show when they expire, the soonest first."""

from __future__ import annotations

import argparse
import platform
import socket
import sqlite3
import ssl
import sys
from pathlib import Path

import truststore
from cryptography import x509


def main() -> int:
    """Look at each place that is named, then print everything that is known."""
    parser = argparse.ArgumentParser(prog="certwatch", description=__doc__)
    parser.add_argument("places", nargs="*", metavar="HOST[:PORT]|FILE.pem", help="look at these first")
    parser.add_argument("--database", default="certwatch.sqlite", help="what is remembered (%(default)s)")
    parser.add_argument("--version", action="version", version=versions())
    given = parser.parse_args()
    with sqlite3.connect(given.database) as known:
        known.execute("create table if not exists certificates (place primary key, expires)")
        for place in given.places:
            try:
                expires = certificate(place).not_valid_after_utc
            except (OSError, ValueError) as error:
                sys.stderr.write(f"certwatch: {place}: {error}\n")
                return 1
            known.execute("insert or replace into certificates values (?, ?)", (place, expires.isoformat()))
        for place, expires in known.execute("select place, expires from certificates order by expires"):
            sys.stdout.write(f"{expires[:10]}  {place}\n")
    return 0


def certificate(place: str) -> x509.Certificate:
    """The certificate in a file, or the one that a server proves to have."""
    if place.endswith(".pem"):
        return x509.load_pem_x509_certificate(Path(place).read_bytes())
    host, _, port = place.partition(":")
    context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with (
        socket.create_connection((host, int(port or 443)), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname=host) as secured,
    ):
        return x509.load_der_x509_certificate(secured.getpeercert(binary_form=True) or b"")


def versions() -> str:
    """Of what is inside, and the C library that is not."""
    inside = f"Python {platform.python_version()}, {ssl.OPENSSL_VERSION}, SQLite {sqlite3.sqlite_version}"
    return f"{inside}; {' '.join(platform.libc_ver())}"


if __name__ == "__main__":
    sys.exit(main())
