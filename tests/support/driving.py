"""Drive a released tool as a new user would: a clean home, an empty PATH, the commands of our own pages."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
INDEX = "https://python.example.org/"
"""The site that our pages speak of."""
_KEPT = ("PIP_", "UV_DEFAULT", "UV_INDEX", "SSL_", "npm_config_")
_BLOCK = re.compile(r"^```(\w+)(?: +(\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_TRUST = re.compile(r"sha256:[0-9a-f]{8}…")


@dataclass(frozen=True)
class Served:
    """A published site on the loopback interface."""

    folder: Path
    keys: Path
    url: str
    trust: str

    def here(self, text: str) -> str:
        """A text of our pages, about this site instead of the one that they speak of."""
        return _TRUST.sub(self.trust, text.replace(INDEX.rstrip("/"), self.url.rstrip("/")))


def clean(home: Path, *tools: Path, **more: str) -> dict[str, str]:
    """The environment of a new user: nothing on PATH but the system's folders and these tools."""
    home.mkdir(exist_ok=True, parents=True)
    kept = {name: value for name, value in os.environ.items() if name.startswith(_KEPT)}
    path = ":".join((*map(str, tools), "/usr/bin", "/bin"))
    return {**kept, "HOME": str(home), "PATH": path, "LANG": "C.UTF-8", **more}


def run(env: dict[str, str], *words: str | Path, cwd: Path | None = None) -> str:
    """Standard output of a command that works."""
    done = attempt(env, *words, cwd=cwd)
    assert done.returncode == 0, f"{shlex.join(map(str, words))}\n{done.stdout}{done.stderr}"
    return done.stdout


def attempt(
    env: dict[str, str], *words: str | Path, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """What a command did, that may fail."""
    argv = [str(word) for word in words]
    return subprocess.run(argv, env=env, cwd=cwd, capture_output=True, text=True, check=False, timeout=900)


@dataclass(frozen=True)
class Page:
    """A page of ours, whose commands are run: what it says works, or the test fails.

    A block that begins with three backticks, a language and a file's name is that file; one
    of ``console`` has commands after ``$ `` (and, where one ends in a backslash, the lines
    after it), and what they print, which is for the reader. Other blocks are not run.
    """

    path: Path

    @classmethod
    def of(cls, name: str) -> Page:
        """``docs/integrations/NAME.md``."""
        return cls(DOCS / "integrations" / f"{name}.md")

    def write(self, folder: Path, served: Served) -> None:
        """Write the page's files into a folder."""
        for _, name, text in _BLOCK.findall(self.path.read_text()):
            if name:
                path = folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(served.here(text))

    def commands(self) -> Iterator[str]:
        """Each command of the page."""
        for language, _, text in _BLOCK.findall(self.path.read_text()):
            more = False
            lines: list[str] = []
            for line in text.splitlines() if language == "console" else ():
                if line.startswith("$ ") or more:
                    lines.append(line if more else line.removeprefix("$ "))
                    more = line.endswith("\\")
                if lines and not more:
                    yield "\n".join(lines)
                    lines = []

    def run(self, env: dict[str, str], cwd: Path, served: Served, *, only: str = "") -> str:
        """Run the commands in one shell, or those that hold a text; what all of them printed."""
        chosen = [served.here(each) for each in self.commands() if only in each]
        assert chosen, f"{self.path}: no command with {only!r}"
        done = attempt(env, "bash", "-euxo", "pipefail", "-c", "\n".join(chosen), cwd=cwd)
        assert done.returncode == 0, f"{self.path}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr
