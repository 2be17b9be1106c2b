"""What is pasted and what the pages say is the same; the pages' commands are run by the integration tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from driving import DOCS, INDEX
from samples_of_index import make_build

from manypython.index.model import Index
from manypython.site.render.commands import Command, commands

_SITE = Index.of(INDEX, (make_build("3.13.15"),))
_ELSEWHERE = {"manypython": DOCS / "fetch.md", "setup-python": DOCS / "integrations/github-actions.md"}


def page(tool: str) -> Path:
    return _ELSEWHERE.get(tool, DOCS / f"integrations/{tool}.md")


@pytest.mark.parametrize(
    "command",
    [each for each in commands(_SITE, "sha256:61c242af…") if each.tool != "curl"],
    ids=lambda c: c.tool,
)
def test_a_tools_page_has_the_lines_that_integrate_prints(command: Command) -> None:
    text = page(command.tool).read_text()
    missing = [line for line in command.text.splitlines() if line.strip() not in text]
    assert missing == []


def test_every_page_is_in_the_list_of_pages() -> None:
    listed = (DOCS / "integrations/README.md").read_text()
    for path in sorted((DOCS / "integrations").glob("*.md")):
        assert path.name == "README.md" or f"({path.name})" in listed, path.name
