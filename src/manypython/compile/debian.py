"""Debian's source packages as an origin: for most projects its orig archive is upstream's.

Files are asked for by their place in the pool of the mirror that the host itself is
configured with, so that the mirror's address is read at run time.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from manypython.recipes.model import DebianSource

ENVIRONMENT = "MANYPYTHON_DEBIAN_MIRROR"
NO_MIRROR = f"this host has no Debian mirror configured; name one in {ENVIRONMENT}"
_APT = Path("/etc/apt")
_ONE_LINE = re.compile(r"^\s*deb(?:-src)?\s+(?:\[[^\]]*\]\s+)?(https?://\S+)", re.MULTILINE)
_DEB822 = re.compile(r"^URIs:\s*(.+)$", re.MULTILINE | re.IGNORECASE)


def mirrors(apt: Path = _APT) -> tuple[str, ...]:
    """The Debian mirrors to ask, from the environment or the host's apt configuration."""
    if address := os.environ.get(ENVIRONMENT):
        return (address.rstrip("/"),)
    files = [apt / "sources.list", *sorted((apt / "sources.list.d").glob("*"))]
    urls: dict[str, None] = {}
    for file in files:
        if file.suffix in (".list", ".sources") and file.is_file():
            for url in read_mirrors(file.read_text(errors="replace")):
                urls.setdefault(url)
    return tuple(urls)


def read_mirrors(text: str) -> tuple[str, ...]:
    """Mirror addresses in one apt configuration file of either format (sources.list(5))."""
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    urls = _ONE_LINE.findall(lines)
    for value in _DEB822.findall(lines):
        urls += value.split()
    return tuple(
        url.rstrip("/")
        for url in urls
        if re.search(r"/debian(-security)?/?$", url) and url.startswith(("http://", "https://"))
    )


def pool_url(mirror: str, source: DebianSource) -> str:
    """Where a pool keeps a file: ``pool/main/<letter or libX>/<package>/<file>``."""
    package = source.package
    letter = package[:4] if package.startswith("lib") else package[0]
    return f"{mirror}/pool/main/{letter}/{package}/{source.file}"
