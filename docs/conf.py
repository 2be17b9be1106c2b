"""How Sphinx builds the site: ``nox -s docs``.

The pages are Markdown as GitHub shows it. What GitHub does not need is put in here, when a page is read: what is
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
exclude_patterns = ["conf.py", "generated.py"]
myst_heading_anchors = 4  # as GitHub has them, so that links to them are checked
smartquotes = False  # it would make one dash of `--`

_MADE = {"commands": generated.commands, "settings": generated.settings}
_ROOT = {
    "index": "README.md",
    "contributing": "CONTRIBUTING.md",
    "security": "SECURITY.md",
    "changelog": "CHANGELOG.md",
}
_MARK = "<!-- the site has it here -->"
_LINK = re.compile(r"\]\(([^)#:]+)(?=[)#])")


def _read(_app: Any, name: str, source: list[str]) -> None:  # noqa: ANN401  (Sphinx's)
    text = source[0]
    if name in _MADE:
        text = _filled(name, text, _MADE[name]())
    if name in _ROOT:
        text = _filled(name, text, _of_root(_ROOT[name]))
    if name.endswith("/README"):
        text += "\n```{toctree}\n:hidden:\n:glob:\n\n*\n```\n"
    source[0] = text


def _filled(name: str, text: str, content: str) -> str:
    if text.count(_MARK) != 1:
        raise ValueError(f"{name}.md: wanted once: {_MARK}")
    return text.replace(_MARK, content)


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
