"""``index.json``, which manypython itself reads; described by ``docs/index.schema.json``."""

from __future__ import annotations

from manypython.index.model import Index

PATH = "index.json"


def render(index: Index) -> dict[str, bytes]:
    """The index as it is."""
    return {PATH: index.as_bytes()}
