"""An index becomes the files that each tool expects. Pure: no clock, no disk, same in, same out."""

from __future__ import annotations

from manypython.index.model import Index
from manypython.site.render import hatch, mise, own, page, pipx, pyenv, setup_python, simple, sums, uv

RENDERERS = (own, uv, setup_python, pyenv, mise, pipx, hatch, simple, sums)
"""One module for each reader but people."""


def render(index: Index, trust: str = "") -> dict[str, bytes]:
    """Every file that follows from an index.

    Args:
        index: the builds.
        trust: what users pin, ``sha256:HEX``, for the page; empty: nobody signs the index.

    Returns:
        The content by path from the root of the site.
    """
    files = {path: content for module in RENDERERS for path, content in module.render(index).items()}
    return files | page.render(index, trust)
