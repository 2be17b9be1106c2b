"""How Sphinx builds the site: ``nox -s docs``.

The pages are Markdown as GitHub shows it. What GitHub does not need is put in when a page is read: what is
made of the code, the files of the repository's root, and the list of a folder's pages.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS))

import generated  # noqa: E402  (it stands beside this file)

from manypython.version import __version__  # noqa: E402

project = "manypython"
release = __version__
html_title = f"manypython {release}"
html_theme = "furo"
html_show_copyright = False
extensions = ["myst_parser"]
myst_heading_anchors = 4  # as GitHub has them, so that links to them are checked
linkcheck_ignore = [r"http://127\.0\.0\.1:"]  # the site of the tutorial
smartquotes = False  # it would make one dash of `--`

_MADE = {"commands": generated.commands, "settings": generated.settings}
_ROOT = {
    "index": "README.md",
    "contributing": "CONTRIBUTING.md",
    "security": "SECURITY.md",
    "changelog": "CHANGELOG.md",
}
"""Pages that are a file of the root, with what stands below the mark."""
_MARK = "<!-- the site has it here -->"
_LINK = re.compile(r"\]\(([^)#:]+)(?=[)#])")
_PAGES_OF_FOLDER = "\n```{toctree}\n:hidden:\n:glob:\n\n*\n```\n"


def _read(_app: Any, name: str, source: list[str]) -> None:  # noqa: ANN401  (Sphinx's)
    above, mark, below = source[0].partition(_MARK)
    if bool(mark) != (name in _MADE or name in _ROOT):
        raise ValueError(f"{name}.md: has {_MARK!r} and should not, or should have it")
    if name in _MADE:
        source[0] = above + _MADE[name]() + below
    elif name in _ROOT:
        source[0] = _of_root(_ROOT[name]) + below
    elif name.endswith("/README"):
        source[0] += _PAGES_OF_FOLDER


def _of_root(file: str) -> str:
    """A file of the repository's root, with its links as they are from here."""
    text = (DOCS.parent / file).read_text(encoding="utf-8")
    return _LINK.sub(lambda link: f"]({_from_here(link[1])}", text)


def _from_here(path: str) -> str:
    """A path of the repository, from this folder."""
    pages = {file: f"{page}.md" for page, file in _ROOT.items()}
    return pages.get(path) or (path.removeprefix("docs/") if path.startswith("docs/") else f"../{path}")


def setup(app: Any) -> None:  # noqa: ANN401
    """Connect to Sphinx."""
    app.connect("source-read", _read)
