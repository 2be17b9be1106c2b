"""The one reader of what comes from outside: a table of JSON or TOML into values of their types.

A table is emptied key by key; whatever is wrong is reported with its dotted path,
``openssl.toml: source.sha256: is missing`` or ``index.json: builds[3].files[0].size: ...``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from manypython.model.errors import ManypythonError

_T = TypeVar("_T")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Table:
    """One table."""

    def __init__(self, file: str, path: str, data: Mapping[str, Any], wrong: type[ManypythonError]) -> None:
        """Begin to read.

        Args:
            file: its name, for messages.
            path: of this table in it, with the dot that a key follows: ``source.``.
            data: as the parser gave it.
            wrong: the error to raise.
        """
        self.file, self.path, self.wrong = file, path, wrong
        self.data = dict(data)

    def error(self, key: str, fact: str) -> ManypythonError:
        """An error that names a key."""
        return self.wrong(f"{self.file}: {self.path}{key}: {fact}")

    def _take(self, key: str, kind: type[_T], default: _T | None, what: str) -> _T:
        value = self.data.pop(key, None)
        if value is None:
            if default is None:
                raise self.error(key, "is missing")
            return default
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise self.error(key, f"must be {what}, not {value!r}")
        return value

    def text(self, key: str, default: str | None = None) -> str:
        """A string, which may be empty."""
        return self._take(key, str, default, "a string")

    def string(self, key: str, default: str | None = None) -> str:
        """A string, which is not empty unless it is left out."""
        text = self.text(key, default)
        if not text and default is None:
            raise self.error(key, "is empty")
        return text

    def strings(self, key: str, *, required: bool = False) -> tuple[str, ...]:
        """A list of strings, none of them empty."""
        values = self._take(key, list, None if required else [], "a list of strings")
        if not all(isinstance(value, str) and value for value in values):
            raise self.error(key, f"must be a list of strings, not {values!r}")
        if required and not values:
            raise self.error(key, "is empty")
        return tuple(values)

    def number(self, key: str, default: int | None = None, what: str = "a number") -> int:
        """A whole number that is not negative."""
        value = self._take(key, int, default, what)
        if value < 0:
            raise self.error(key, f"{value} is not {what}")
        return value

    def table(self, key: str) -> Table:
        """A table in it."""
        return Table(self.file, f"{self.path}{key}.", self._take(key, dict, None, "a table"), self.wrong)

    def rows(self, key: str, *, required: bool = False) -> list[dict[str, Any]]:
        """A list of tables in it, not read yet: there may be thousands."""
        rows = self._take(key, list, None if required else [], "a list of tables")
        for number, row in enumerate(rows):
            if not isinstance(row, dict):
                raise self.error(f"{key}[{number}]", f"must be a table, not {row!r}")
        return rows

    def tables(self, key: str, *, required: bool = False) -> tuple[Table, ...]:
        """A list of tables in it."""
        return tuple(
            Table(self.file, f"{self.path}{key}[{number}].", row, self.wrong)
            for number, row in enumerate(self.rows(key, required=required))
        )

    def texts(self) -> Iterator[tuple[str, str]]:
        """All that is left of it, where each value is a string."""
        for key in list(self.data):
            yield key, self.text(key)

    def sha256(self, key: str, default: str | None = None) -> str:
        """A SHA-256 in hexadecimal digits."""
        text = self.string(key, default)
        if not _SHA256.fullmatch(text):
            raise self.error(key, f"{text!r} is no sha256 (64 hexadecimal digits)")
        return text

    def choice(self, key: str, choices: tuple[str, ...], default: str | None = None) -> str:
        """One of some words."""
        text = self.text(key, default)
        if text not in choices:
            raise self.error(key, f"{text!r} is none of {', '.join(filter(None, choices))}")
        return text

    def version(self, key: str) -> Version:
        """A version (PEP 440)."""
        text = self.string(key)
        try:
            return Version(text)
        except InvalidVersion:
            raise self.error(key, f"{text!r} is no version (PEP 440)") from None

    def specifier(self, key: str) -> str:
        """A version specifier (PEP 440); empty where it is left out."""
        text = self.string(key, "")
        try:
            SpecifierSet(text)
        except InvalidSpecifier:
            raise self.error(key, f"{text!r} is no version specifier (PEP 440)") from None
        return text

    def value_of(self, key: str, make: Callable[[str], _T]) -> _T:
        """A string, as the value that a function makes of it."""
        return self._value_of(key, self.string(key), make)

    def value_of_number(self, key: str, make: Callable[[int], _T]) -> _T:
        """A number, as the value that a function makes of it."""
        return self._value_of(key, self.number(key), make)

    def _value_of(self, key: str, value: Any, make: Callable[[Any], _T]) -> _T:  # noqa: ANN401
        try:
            return make(value)
        except ManypythonError:
            raise self.error(key, f"{value!r} is not valid") from None

    def insist_empty(self) -> None:
        """Insist that no key is left: an unknown key is a mistake."""
        if self.data:
            raise self.error(min(self.data), "is no known key")
