"""Reading ``index.json``: whatever is wrong with it is reported with its dotted path."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from manypython.index.model import SCHEMA_VERSION, Build, File, Index, Library, Proof
from manypython.model.build_id import BuildId, Variant
from manypython.model.errors import DownloadError
from manypython.model.grammar import DEBUG, THREADING
from manypython.model.identifier import BuildNumber
from manypython.model.table import Table
from manypython.model.target import Target

_LARGEST = 4 << 30
"""Bytes of one archive, packed or not; whatever claims more is no interpreter."""


def parse(data: bytes, source: str) -> Index:
    """Read every build of an index.

    Args:
        data: the bytes of ``index.json``.
        source: where they are from, for messages.

    Raises:
        DownloadError: it is no index; the message has the dotted path of what is wrong.
    """
    base_url, entries = read(data, source)
    return Index(base_url, tuple(all_builds(entries, source)))


def read(data: bytes, source: str) -> tuple[str, list[dict[str, Any]]]:
    """The base URL and the entries of an index; the entries are not checked yet.

    To find one build of 5,000, ``select`` looks only at the few that may be it.

    Raises:
        DownloadError: it is no index, or a newer one than this program knows.
    """
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise DownloadError(f"{source}: no index: {error}") from None
    if not isinstance(document, dict) or "schema_version" not in document:
        raise DownloadError(f"{source}: no index: schema_version is missing")
    if document["schema_version"] != SCHEMA_VERSION:
        raise DownloadError(
            f"{source}: an index of schema {document['schema_version']!r}; "
            f"this program reads {SCHEMA_VERSION}",
            remedy="pip install --upgrade manypython",
        )
    table = Table(source, "", document, DownloadError)
    return table.text("base_url"), table.rows("builds", required=True)


def all_builds(entries: Iterable[dict[str, Any]], source: str) -> list[Build]:
    """Read every entry of an index, in its order; arguments as ``read`` has them.

    Raises:
        DownloadError: the message has the dotted path of what is wrong.
    """
    return [build(entry, number, source) for number, entry in enumerate(entries)]


def build(entry: dict[str, Any], number: int, source: str) -> Build:
    """Read one entry of an index.

    Args:
        entry: as ``read`` gave it.
        number: its position.
        source: where the index is from, for messages.

    Raises:
        DownloadError: the message has the dotted path of what is wrong.
    """
    table = Table(source, f"builds[{number}].", entry, DownloadError)
    toolchain = table.text("toolchain")
    entry_build = Build(
        _id(table, toolchain),
        table.text("origin"),
        toolchain,
        tuple(Library(name, version) for name, version in table.table("libraries").texts()),
        _proof(table.table("proof")) if entry.get("proof") is not None else None,
        tuple(_file(file) for file in table.tables("files", required=True)),
    )
    if not any(map(entry_build.is_archive, entry_build.files)):
        raise table.error("files", f"none is an archive of {entry_build.key}")
    return entry_build


def _id(table: Table, toolchain: str) -> BuildId:
    """The build that an entry describes; its archives have this name."""
    target = table.value_of("platform_tag", Target.of_tag)
    variant = table.choice("variant", ("", THREADING, DEBUG))
    return BuildId(
        "cpython",
        table.version("version"),
        table.value_of_number("build", BuildNumber),
        replace(target, level=table.number("level")),
        Variant.of((variant,), toolchain),
    )


def _file(table: Table) -> File:
    file = File(table.string("path"), table.sha256("sha256"), table.number("size"), table.number("unpacked"))
    parts = PurePosixPath(file.path).parts
    if not parts or ".." in parts or parts[0] == "/" or not file.path.isprintable() or "\\" in file.path:
        raise table.error("path", f"{file.path!r} leads out of the site")
    if not (0 < file.size < _LARGEST and 0 < file.unpacked < _LARGEST):
        raise table.error("size", f"{file.size} bytes, {file.unpacked} unpacked: cannot be")
    return file


def _proof(table: Table) -> Proof:
    return Proof(table.number("passed"), table.strings("roots"), table.strings("not_tried"))
