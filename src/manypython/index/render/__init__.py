"""An index becomes the files that each tool expects. Pure: no clock, no disk, same in, same out."""

from __future__ import annotations

from manypython.index.model import Index
from manypython.index.render import hatch, mise, own, page, pipx, pyenv, setup_python, simple, sums, uv

RENDERERS = (own, uv, setup_python, pyenv, mise, pipx, hatch, simple, sums, page)
"""One module for each reader."""


def render(index: Index) -> dict[str, bytes]:
    """Every file that follows from an index alone.

    Returns:
        The content by path from the root of the site.
    """
    return {path: content for module in RENDERERS for path, content in module.render(index).items()}
