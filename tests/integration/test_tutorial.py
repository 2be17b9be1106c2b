"""The tutorial's commands do what it says, one after the other in one shell."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from builds import Made
from driving import DOCS, Page, Served, attempt, clean

_ELSEWHERE = ("pip install", "bin/activate")
"""Of commands that other tests prove: the README's two, and those that install what ``tool`` has."""


@pytest.mark.slow  # each step has a test of its own
@pytest.mark.skipif(sys.version_info[:2] == (3, 13), reason="tox finds the Python of the tests")
def test_the_tutorial(made: Made, tool: Callable[..., Path], tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    text = (DOCS / "tutorial.md").read_text().replace(":8000", f":{port}")
    page = Page(tmp_path / "tutorial.md")
    page.path.write_text(text.replace("serve site &", f"serve site --port {port} & sleep 3"))
    page.write(tmp_path, Served(tmp_path, tmp_path, "", ""))
    (tmp_path / "dist").symlink_to(made.dist)
    script = "\n".join(each for each in page.commands() if not any(word in each for word in _ELSEWHERE))
    env = clean(tmp_path / "home", tool("tox>=4.30,<5", "manypython"))
    done = attempt(env, "bash", "-meuxo", "pipefail", "-c", script, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    for told in (
        f"\n{tmp_path}/any where/python OpenSSL 3.",
        "\nPython 3.13.",
        f"\nbase is {tmp_path}/home/.local/share/manypython/pythons/cpython-3.13.",
        "signed, its keys are pinned; builds: 1",
    ):
        assert told in f"\n{done.stdout}", done.stdout
