"""What people write when they mean an interpreter: one grammar for command lines, files and plug-ins.

A table of it is in ``docs/fetch.md``. A warm ``manypython fetch 3.13`` reads its request here, so
nothing slow is imported, and patterns that few requests need are compiled when one needs them.

Sources: uv's "Python versions", virtualenv's ``--python``, pyenv's and asdf's version files,
actions/setup-python's ``python-version``, PEP 440.
"""

from __future__ import annotations

import os
import re

from manypython.model.errors import RequestError
from manypython.model.grammar import BUILD

NOT_CPYTHON = "not CPython: not ours"
PYTHON_2 = "Python 2: not ours"
PATH = "a path: not ours"
SYSTEM = "this machine's own: not ours"
DEBUG = "a debug build: not ours"
BRANCH = "a development branch: not ours"
ELSEWHERE = "for another machine"
ANY = "names no version"
NOT_UNDERSTOOD = ""

REMEDY = "give it as 3.13, 3.13.5, py313, python3.13, cpython@3.13, 3.13t or '>=3.12,<3.14'"
FREETHREADED = "freethreaded"
_LONGEST = 1000
"""The most characters that a request may have."""
_SIMPLE = re.compile(r"3(?:\.\d{1,2}){0,2}t?", re.ASCII)
_NAME = r"(?:python|cpython|cp|py)"
_OTHERS = (
    r"(?:activepython|anaconda|cinder|graal|ironpython|jython|mambaforge|micropython|miniconda"
    r"|miniforge|nogil|pypy|pyston|rustpython|stackless).*"
)
# `re` itself compiles these, and keeps them, when the first request comes that is not so simple
_NOT_OURS = (
    (r".*/.*", PATH),
    (r"system", SYSTEM),
    (_NAME, ANY),
    (_OTHERS, NOT_CPYTHON),
    (r".*-dev", BRANCH),
)
_VERSION = (
    rf"(?:{_NAME}[-@ ]?)?"
    r"(?:(?P<compact>[2-9]\d{1,2})|(?P<dotted>\d(?:\.\d{1,2}){0,2}))"
    r"(?:(?P<wild>\.[x*])|[-.]?(?P<stage>alpha|a|beta|b|rc|c)[-.]?(?P<number>\d{1,2}))?"
    r"(?P<threads>t?)(?P<debug>d?)(?P<words>(?:[-+]\w+)*)"
)
_RANGE = rf"(?:{_NAME}\s*)?(?P<range>[<>=!~].*?)(?P<threads>(?<=[\d*])(?:t|\+freethreaded))?"
_STAGES = {"alpha": "a", "beta": "b", "c": "rc"}
_MACHINES = {"amd64": "x86_64", "x64": "x86_64", "arm64": "aarch64", "x86_64": "x86_64", "aarch64": "aarch64"}
_ELSEWHERE = (
    r"32|x86|i[3-6]86|arm(?:v\w+)?|ppc\w*|powerpc\w*|s390x?|riscv\d*|loongarch64|mips\w*|sparc\w*"
    r"|macos|darwin|windows|win\w*|freebsd|emscripten|wasm\d*|gnueabi(?:hf)?|musleabi(?:hf)?"
)


class Request:
    """Which interpreters are meant. An attribute that is empty or 0 does not matter."""

    __slots__ = ("abi", "build", "key", "level", "machine", "pre", "release", "specifiers", "variant")

    def __init__(self, release: tuple[int, ...] = (), variant: str = "") -> None:
        self.release = release
        """``(3, 13)``, or three numbers, which are exact."""
        self.variant = variant
        """``freethreaded``; empty: a usual build, and no other."""
        self.pre = ""
        """``rc1``: of an exact release this pre-release, and empty the final one."""
        self.specifiers = ""
        """Of PEP 440, ``>=3.12,<3.14``; with them there is no release."""
        self.build = 0
        """A build's number, ``20261121``."""
        self.machine = ""
        """``x86_64``, ``aarch64``."""
        self.level = 0
        """The micro-architecture level."""
        self.abi = ""
        """``gnu`` or ``musl``."""
        self.key = ""
        """A build's name, which tells it apart from all others."""

    @property
    def runs_here(self) -> bool:
        """Whether it is for this machine, as far as it says so."""
        return self.machine in ("", os.uname().machine) and self.abi in ("", _abi())

    @property
    def names_more(self) -> bool:
        """Whether it says more than versions of the usual build."""
        return bool(self.key or self.variant or self.build or self.machine or self.abi)

    @property
    def here(self) -> str:
        """The request in its one spelling, without the target where it is for this machine."""
        return str(self) if self.key or self.level else self._without_target

    def __str__(self) -> str:
        """The request in its one spelling, from which ``read`` makes the same request."""
        if self.key:
            return self.key
        machine = f"{self.machine}{f'_v{self.level}' if self.level else ''}"
        target = [word for word in (machine, self.abi) if word]
        return "-".join([self._without_target, *(["linux"] if target else []), *target])

    @property
    def _without_target(self) -> str:
        version = self.specifiers or f"{'.'.join(map(str, self.release))}{self.pre}"
        return f"{version}{'t' if self.variant else ''}{f'+{self.build}' if self.build else ''}"

    def admits(self, *, key: str, variant: str, build: int, machine: str, level: int, abi: str) -> bool:  # noqa: PLR0913  (all that tells builds of one version apart)
        """Whether a build is one that is meant, apart from its version."""
        if self.key:
            return key == self.key
        pairs = ((self.build, build), (self.machine, machine), (self.level, level), (self.abi, abi))
        return variant == self.variant and all(not asked_for or asked_for == has for asked_for, has in pairs)


def read(text: str) -> Request:
    """Read what somebody wrote.

    Args:
        text: ``3.13``, ``py313``, ``python3.13``, ``cpython@3.13.5``, ``3.13t``, ``>= 3.12, < 3.14``,
            ``cpython-3.13.5-linux-x86_64-gnu``, the name of a build; blanks around it do not matter.

    Raises:
        RequestError: it is no request, or means something that is not ours.
    """
    text = text.strip()
    if _SIMPLE.fullmatch(text):
        return Request(_numbers(text.rstrip("t")), FREETHREADED if text.endswith("t") else "")
    if len(text) > _LONGEST:
        raise RequestError(f"{text[:20]}…", NOT_UNDERSTOOD, remedy=REMEDY)
    flags = re.ASCII | re.IGNORECASE
    why = next((why for pattern, why in _NOT_OURS if re.fullmatch(pattern, text, flags)), NOT_UNDERSTOOD)
    if why:
        raise RequestError(text, why, remedy=REMEDY)
    try:
        if (match := re.fullmatch(BUILD, text, re.ASCII)) and match["implementation"] == "cpython":
            return _of_key(match)
        if match := re.fullmatch(_VERSION, text, flags):
            return _of_version(match)
        if match := re.fullmatch(_RANGE, text, flags | re.DOTALL):
            return _of_range(match)
    except ValueError as error:
        raise RequestError(text, str(error), remedy=REMEDY) from None
    raise RequestError(text, NOT_UNDERSTOOD, remedy=REMEDY)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(".")))


def _of_key(match: re.Match[str]) -> Request:
    request = Request(_numbers(match["release"]), match["threading"] or match["debug"] or "")
    request.key, request.build = match[0], int(match["number"])
    request.pre = f"{match['stage'] or ''}{match['serial'] or ''}"
    request.machine, request.level, request.abi = (
        match["architecture"],
        int(match["level"] or 0),
        match["abi"],
    )
    return request


def _of_version(match: re.Match[str]) -> Request:
    """A version, followed by the words that say what it is for.

    Raises:
        ValueError: it is not ours; the message says why, or is empty.
    """
    compact, dotted = match["compact"], match["dotted"]
    release = _numbers(f"{compact[0]}.{compact[1:]}" if compact else dotted)
    if release[0] != 3:  # noqa: PLR2004
        raise ValueError(PYTHON_2 if release[0] == 2 else NOT_UNDERSTOOD)  # noqa: PLR2004
    exact = len(release) == 3  # noqa: PLR2004
    if (match["wild"] and (exact or compact)) or (match["stage"] and len(release) == 1):
        raise ValueError(NOT_UNDERSTOOD)
    request = Request(release, FREETHREADED if match["threads"] else "")
    if match["stage"]:
        stage = match["stage"].lower()
        request.release = release if exact else (*release, 0)
        request.pre = f"{_STAGES.get(stage, stage)}{int(match['number'])}"
    if match["debug"]:
        raise ValueError(DEBUG)
    for word in re.findall(r"[-+]\w+", match["words"].lower(), re.ASCII):
        _add(request, word)
    return request


def _add(request: Request, word: str) -> None:
    """Add one of the words that follow a version: ``+20261121``, ``-x86_64``.

    Raises:
        ValueError: it is no such word, or contradicts another; the message says why, or is empty.
    """
    mark, name = word[0], word[1:]
    machine, _, level = name.partition("_v")
    machine = _MACHINES.get(machine, "")
    if name == FREETHREADED:
        request.variant = FREETHREADED
    elif name in ("debug", "dbg"):
        raise ValueError(DEBUG)
    elif mark == "+" and re.fullmatch(r"\d{8}", name) and not request.build and int(name):
        request.build = int(name)
    elif mark == "-" and name in ("64", "linux", "unknown"):
        pass
    elif mark == "-" and name in ("gnu", "musl") and not request.abi:
        request.abi = name
    elif mark == "-" and machine and not request.machine and level in ("", "2", "3", "4"):
        request.machine, request.level = machine, int(level or 0)
    else:
        raise ValueError(ELSEWHERE if re.fullmatch(_ELSEWHERE, name) else NOT_UNDERSTOOD)


def _of_range(match: re.Match[str]) -> Request:
    """Specifiers, with commas or blanks between them.

    Raises:
        ValueError: they are no specifiers; the message is empty.
    """
    from packaging.specifiers import InvalidSpecifier, SpecifierSet  # noqa: PLC0415  (takes 19 ms)

    parts = re.sub(r"(?<=[^\s,<>=!~])\s+(?=[<>=!~])", ",", match["range"]).split(",")
    tight = [re.sub(r"(?<=[<>=!~])\s+(?=[\dv])", "", part.strip()) for part in parts]
    request = Request(variant=FREETHREADED if match["threads"] else "")
    request.specifiers = ",".join(filter(None, tight))
    try:
        SpecifierSet(request.specifiers)
    except InvalidSpecifier:
        raise ValueError(NOT_UNDERSTOOD) from None
    return request


def _abi() -> str:
    """Of this machine's C library."""
    try:
        return "gnu" if os.confstr("CS_GNU_LIBC_VERSION") else "musl"
    except (ValueError, OSError):
        return "musl"
