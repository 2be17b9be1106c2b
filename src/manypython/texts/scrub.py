"""Take the build machine out of a text: its paths, its compilers, its flags."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from functools import cached_property

from manypython.model.tree import NEUTRAL_PREFIX

BUILD_ONLY_FLAGS = frozenset(
    {
        "-D_RL_FUNCTION_TYPEDEF",
        "-Wno-date-time",
        "-fno-sanitize=undefined",
        "-fno-semantic-interposition",
        "-fprofile-use",
        "-fprofile-correction",
        "-g0",
        "-Wl,--undefined-version",
        "-Wl,-s",
    }
)
"""Flags of our toolchains that a user's compiler need not know."""

_COMPILERS = {
    "clang": "cc",
    "gcc": "cc",
    "clang++": "c++",
    "g++": "c++",
    "ar": "ar",
    "ranlib": "ranlib",
}
_FLAG = (
    r"(?:-I|-L|-B|-isystem ?|-iquote ?|-Wl,-rpath[,=]|-Wl,-rpath-link[,=]|-Wl,-R,?"
    r"|--sysroot=|-f[a-z]+-prefix-map=)"
)
_BEFORE = r"(?:(?<![\w-])|(?<=-[ILBR])|(?<=-isystem))"
_BOUNDARY = r"(?=[/\s\"':;,)\\]|$)"

_NO_TOOL = r"(?!/bin/(?!python|pydoc|idle|pip|2to3)\w)"
"""In a prefix that is shared (``/usr``) other programs (``install``, ``mkdir``) stay the host's."""


@dataclass(frozen=True)
class Scrubber:
    """What must not be left in a text, and what takes its place."""

    old_prefix: str
    build_paths: tuple[str, ...] = ()
    """Absolute folders of the build machine."""

    @cached_property
    def _build(self) -> re.Pattern[str] | None:
        if not self.build_paths:
            return None
        paths = "|".join(re.escape(path) for path in sorted(self.build_paths, key=len, reverse=True))
        return re.compile(rf"[\w-]*=?{_FLAG}?(?:{paths}){_BOUNDARY}[^\s\"']*")

    @cached_property
    def _prefix(self) -> re.Pattern[str]:
        return re.compile(rf"{_BEFORE}{re.escape(self.old_prefix)}{_BOUNDARY}{_NO_TOOL}")

    def text(self, text: str, prefix: str = NEUTRAL_PREFIX) -> str:
        """Scrub free text; the old prefix becomes ``prefix``."""
        if self._build is not None:
            text = self._build.sub(_user_word, text)
        return self._prefix.sub(lambda _: prefix, text)

    def flags(self, text: str, prefix: str = NEUTRAL_PREFIX) -> str:
        """Scrub a variable's value: also build-only flags, and flags that name the prefix.

        A compiler finds the headers and libraries of the prefix by what the build backend
        passes; a literal ``-I/install/include`` would be wrong after the first move.
        """
        scrubbed = self.text(text, NEUTRAL_PREFIX)
        own = re.compile(rf"{_FLAG}{re.escape(NEUTRAL_PREFIX)}{_BOUNDARY}")
        words = scrubbed.split(" ")
        words_left = [word for word in words if word not in BUILD_ONLY_FLAGS and not own.match(word)]
        if words_left == words and scrubbed == text:
            return text
        joined = " ".join(word for word in words_left if word)
        return re.sub(rf"(?<![\w.-]){NEUTRAL_PREFIX}{_BOUNDARY}", lambda _: prefix, joined)

    def config_args(self, text: str) -> str:
        """Scrub configure's own arguments: no folders, no variables of the build machine."""
        try:
            words = shlex.split(text)
        except ValueError:
            return ""
        words_left = [
            word
            for word in words
            if word.startswith("-")
            and not re.match(r"--(prefix|exec-prefix|with-openssl|with-build-python)=", word)
            and self.text(word) == word
        ]
        return " ".join(f"'{word}'" for word in words_left)


def compiler(value: str) -> str:
    """The usual name of the compiler that a variable begins with; flags after it stay."""
    first, space, rest = value.partition(" ")
    name = first.rpartition("/")[2]
    base = re.sub(r"(^.*-linux-(?:gnu|musl)\w*-)|(-\d+(\.\d+)*$)", "", name)
    return (
        _COMPILERS.get(base, first) + space + rest if "/" in first or base in ("clang", "clang++") else value
    )


def _user_word(match: re.Match[str]) -> str:
    """A path into the toolchain's folder is a compiler; everything else goes."""
    name = match.group().rpartition("/")[2]
    return _COMPILERS.get(name, "") if "=" not in match.group() else ""
