"""A simple repository (PEP 503, PEP 691) of the PyBI files (PEP 711).

A static host cannot negotiate, so the JSON lies beside the HTML under a name of its own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from urllib.parse import quote

from manypython.index.model import File, Index

FOLDER = "simple/cpython/"
_META = {"api-version": "1.1"}


def render(index: Index) -> dict[str, bytes]:
    """The list of projects, which is one, and the list of its files; nothing where there are none."""
    files = {file: str(b.version) for b in index.builds if (file := b.under(FOLDER)) is not None}
    if not files:
        return {}
    return {
        "simple/index.html": _html("Simple index", {"cpython/": "cpython"}),
        "simple/index.json": _json({"meta": _META, "projects": [{"name": "cpython"}]}),
        f"{FOLDER}index.html": _html(
            "cpython", {f"{quote(f.name)}#sha256={f.sha256}": f.name for f in files}
        ),
        f"{FOLDER}index.json": _json(
            {
                "meta": _META,
                "name": "cpython",
                "versions": list(dict.fromkeys(files.values())),
                "files": [_file(file) for file in files],
            }
        ),
    }


def _file(file: File) -> dict[str, object]:
    return {
        "filename": file.name,
        "url": quote(file.name),
        "hashes": {"sha256": file.sha256},
        "size": file.size,
    }


def _html(title: str, links: Mapping[str, str]) -> bytes:
    rows = "".join(f'<a href="{escape(url)}">{escape(name)}</a><br>\n' for url, name in links.items())
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="pypi:repository-version" content="1.1">\n'
        f"<title>{escape(title)}</title>\n</head>\n<body>\n{rows}</body>\n</html>\n"
    ).encode()


def _json(document: object) -> bytes:
    return f"{json.dumps(document, indent=1)}\n".encode()
