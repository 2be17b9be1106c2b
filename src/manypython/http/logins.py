"""Names and passwords for a site: in its URL, or in ``.netrc``.

They are bytes: what a URL writes as ``%FF``, and what a file in another encoding has, goes out as it
is, the rest as UTF-8 (RFC 7617). The standard library's ``netrc`` gives up a whole file for one odd word.
"""

from __future__ import annotations

import base64
import os
import re
from dataclasses import dataclass, field
from urllib.parse import SplitResult, unquote_to_bytes

from manypython.folders import home
from manypython.model.errors import reason

_WORD = re.compile(r'"((?:[^"\\]|\\.)*)"|((?:[^ \t\r\n\\]|\\.)+|\\)', re.DOTALL)
_KEYS = {"login": "name", "user": "name", "account": "account", "password": "password"}


@dataclass(frozen=True)
class Login:
    """A name and its password."""

    name: bytes
    password: bytes = field(repr=False)
    origin: str
    """Where they are from, for messages: ``the URL``, ``/home/me/.netrc, line 3``."""

    @property
    def basic(self) -> str:
        """What goes behind ``Authorization:``."""
        return f"Basic {base64.b64encode(self.name + b':' + self.password).decode()}"


def of_url(parts: SplitResult) -> Login | None:
    """The name and the password in a URL; None where there are none."""
    name, _, password = parts.netloc.rpartition("@")[0].partition(":")
    if not name and not password:
        return None
    return Login(unquote_to_bytes(name), unquote_to_bytes(password), "the URL")


@dataclass(frozen=True)
class Netrc:
    """What a ``.netrc`` says, as far as it can be read."""

    path: str
    """Empty where there is none."""
    logins: dict[str | None, Login]
    """By host, in small letters; None has those of ``default``."""
    odd: tuple[str, ...] = ()
    """What was not understood: ``line 3``; or why nothing was read."""

    @classmethod
    def read(cls) -> Netrc:
        """The file that ``NETRC`` names, else ``~/.netrc``."""
        named, folder = os.environ.get("NETRC"), home()
        path = named or (folder and os.path.join(folder, ".netrc"))
        try:
            with open(path, "rb") as file:
                text = file.read().decode("utf-8", "surrogateescape")
        except OSError as error:
            if isinstance(error, FileNotFoundError) and not named:
                return cls("", {})
            return cls(path, {}, (reason(error),))
        return cls(path, *_parsed(text.removeprefix("\ufeff"), path))

    def login(self, host: str) -> Login | None:
        """Those for a host, else those of ``default``."""
        return self.logins.get(host.lower()) or self.logins.get(None)


def _parsed(text: str, path: str) -> tuple[dict[str | None, Login], tuple[str, ...]]:
    """Logins by host, and the lines with a word that is none of the format's.

    Such a word is passed over; what stands around it counts.
    """
    logins: dict[str | None, Login] = {}
    odd: dict[int, None] = {}
    words = _Words(text)
    told: dict[str, bytes] | None = None
    host: str | None = None
    origin = ""
    while (word := words.next()) is not None:
        line = words.line
        if word.startswith("#"):
            words.skip("\n")
        elif word in ("machine", "default"):
            host = (words.next() or "").lower() if word == "machine" else None
            told, origin = {}, f"{path}, line {line}"
        elif word == "macdef":
            told = None
            if words.next() is None or not words.skip("\n\n"):
                odd[line] = None
        elif told is not None and word in _KEYS:
            told[_KEYS[word]] = (words.next() or "").encode("utf-8", "surrogateescape")
            logins[host] = Login(told.get("name", b""), told.get("password", b""), origin)
        else:
            odd[line] = None
    return logins, tuple(f"line {line}" for line in odd)


class _Words:
    """The words of a text: blanks between them or quotes around them, a backslash before what is meant."""

    def __init__(self, text: str) -> None:
        self._text, self._place = text.replace("\r\n", "\n"), 0
        self.line = 0
        """Of the word that was last."""

    def next(self) -> str | None:
        """One more; None at the end."""
        match = _WORD.search(self._text, self._place)
        if match is None:
            return None
        self.line = self._text.count("\n", 0, match.start()) + 1
        self._place = match.end()
        return re.sub(r"\\(.)", r"\1", match[2] if match[1] is None else match[1], flags=re.DOTALL)

    def skip(self, mark: str) -> bool:
        """Go on behind the next mark; whether there is one."""
        found = self._text.find(mark, self._place)
        self._place = len(self._text) if found < 0 else found
        return found >= 0
