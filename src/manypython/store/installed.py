"""What is installed, found by the names of folders.

A warm ``manypython fetch 3.13`` ends here, so nothing is imported that takes time: no
``dataclasses`` (23 ms), no ``pathlib`` (15 ms), no ``packaging`` (19 ms) as long as the
request is as simple as that.
"""

from __future__ import annotations

import os
import re

from manypython.folders import STORE
from manypython.model.errors import OutputError
from manypython.model.grammar import BUILD
from manypython.model.request import Request, read

TYPE_CHECKING = False


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from manypython.store.settings import Settings


RECEIPT = "share/manypython/installed.json"
"""What an installed tree says of where it is from."""
_FOLDER = re.compile(BUILD)
_FLOORS = {"gnu": (2, 17), "musl": (1, 2)}
"""Of each C library, where the name says none."""
_STAGES = {"a": 0, "b": 1, "rc": 2, None: 3}


class Installed:
    """An interpreter in the store."""

    def __init__(self, folder: str, match: re.Match[str]) -> None:
        self.folder = folder
        """Absolute path."""
        self.key = match[0]
        """The folder's name: version, build, target, variant."""
        self.version = match["version"]
        self.build = int(match["number"])
        self.variant = match["threading"] or match["debug"] or ""
        self.architecture = match["architecture"]
        self.abi = match["abi"]
        self.level = int(match["level"] or 1)
        self.floor: tuple[int, ...] = _FLOORS[self.abi]
        if match["floor"]:
            self.floor = tuple(map(int, match["floor"].split("_")))
        self.release = tuple(map(int, match["release"].split(".")))
        stage = _STAGES[match["stage"]]
        self.age = (*self.release, stage, int(match["serial"] or 0), self.build, bool(match["profile"]))
        """Sorts by version, then by build; of one build the trained comes last."""

    @property
    def is_final(self) -> bool:
        """Whether it is no pre-release."""
        return self.age[3] == _STAGES[None]

    @property
    def name(self) -> str:
        """``python3.13``, ``python3.13t``: the interpreter's own name."""
        threaded = "t" if self.variant == "freethreaded" else ""
        return f"python{self.release[0]}.{self.release[1]}{threaded}{'d' if self.variant == 'debug' else ''}"

    @property
    def python(self) -> str:
        """The interpreter: the absolute path of the real file."""
        return os.path.join(self.folder, "bin", self.name)

    def receipt(self) -> dict[str, Any]:
        """Where it is from; empty if that cannot be read."""
        import json

        try:
            with open(os.path.join(self.folder, RECEIPT), encoding="utf-8") as file:
                told = json.load(file)
        except (OSError, ValueError):
            return {}
        return told if isinstance(told, dict) else {}


def installed(store: str) -> list[Installed]:
    """Every interpreter in a store, newest first; a folder without a receipt is none of ours."""
    try:
        names = os.listdir(store)
    except OSError:
        return []
    found = [each for name in names if (each := there(store, name))]
    return sorted(found, key=lambda each: (each.age, each.key), reverse=True)


def there(store: str, key: str) -> Installed | None:
    """The interpreter in a folder of a store; None where there is none of ours."""
    folder = os.path.join(store, key)
    match = _FOLDER.fullmatch(key)
    return Installed(folder, match) if match and os.path.exists(os.path.join(folder, RECEIPT)) else None


def find(
    store: str, request: str, *, target: str = "", index: str = "", unsigned: bool = True
) -> Installed | None:
    """The newest interpreter here that answers a request and runs on this machine.

    Args:
        store: folder of interpreters.
        request: ``3.13``, ``>=3.12,<3.14`` (see ``model.request``).
        target: ``aarch64-manylinux_2_17``: for that machine instead of this one.
        index: only what came from there; empty: from anywhere.
        unsigned: whether what an unsigned index said counts too.

    Raises:
        UsageError: the request is none.
    """
    return _newest(installed(store), request, target, index, unsigned=unsigned)


def _newest(
    store: Sequence[Installed], request: str, target: str, index: str, *, unsigned: bool
) -> Installed | None:
    """``find`` among what a store has, newest first."""
    wanted = answering(request)
    found = [each for each in store if wanted(each) and _fits(each, target)]
    for each in [each for each in found if each.is_final] or found:
        if os.access(each.python, os.X_OK) and _is_from(each, index, unsigned=unsigned):
            return each
    return None


def here(requests: Sequence[str], settings: Settings) -> dict[str, Installed]:
    """What the store has for these requests, if it is from the index that is set."""
    store = installed(settings.store_dir)
    unsigned = settings.allow_unsigned or not settings.index
    found = {
        request: _newest(store, request, settings.target, settings.index, unsigned=unsigned)
        for request in requests
    }
    return {request: each for request, each in found.items() if each}


def lock(store: str, name: str, names: str = STORE) -> locked:
    """The lock of one interpreter, of one request, or of one download.

    Args:
        store: folder of what is locked.
        name: what is.
        names: the variable that names the folder, for the error.
    """
    return locked(os.path.join(store, ".locks", f"{name}.lock"), names)


class locked:  # noqa: N801  (used like a function)
    """Hold a lock file while the block runs; a hundred processes wait for the first one.

    ``flock(2)`` itself rather than filelock: waiting neither polls nor takes the 55 ms
    that its import does, and the kernel drops the lock of a process that is killed.
    """

    def __init__(self, path: str, names: str) -> None:
        self._path, self._names = path, names
        self._file = -1

    def __enter__(self) -> None:
        import fcntl

        try:
            os.makedirs(os.path.dirname(self._path), exist_ok=True)
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            fcntl.flock(self._file, fcntl.LOCK_EX)
        except OSError as error:
            self.__exit__()
            raise OutputError(
                f"{self._path}: cannot be locked: {error.strerror}",
                remedy=f"name a folder that can be written with {self._names} (or HOME, for all of them)",
            ) from None

    def __exit__(self, *_: object) -> None:
        if self._file >= 0:
            os.close(self._file)


def answering(request: str) -> Callable[[Installed], bool]:
    """Whether an interpreter answers a request.

    Raises:
        UsageError: the request is none.
    """
    wanted = read(request)
    released = _released(wanted)
    return lambda each: (
        wanted.admits(
            key=each.key,
            variant=each.variant,
            build=each.build,
            machine=each.architecture,
            level=each.level,
            abi=each.abi,
        )
        and released(each)
    )


def _released(wanted: Request) -> Callable[[Installed], bool]:
    """Whether an interpreter is of a version that is meant."""
    if wanted.specifiers:
        from packaging.version import Version

        from manypython.model.identifier import Spec

        spec = Spec.parse(str(wanted))
        return lambda each: spec.matches(Version(each.version))
    release, pre = wanted.release, wanted.pre
    if len(release) == 3:  # noqa: PLR2004
        version = f"{'.'.join(map(str, release))}{pre}"
        return lambda each: each.version == version
    return lambda each: each.release[: len(release)] == release


def _fits(each: Installed, target: str) -> bool:
    """Whether it runs here, or on the target that is named."""
    if target:
        from manypython.model.target import Target

        wanted = Target.parse(target)
        same = (each.architecture, each.abi) == (wanted.architecture, wanted.libc.abi)
        return same and each.floor <= wanted.floor and each.level <= wanted.level
    if each.architecture != os.uname().machine or (each.level > 1 and each.level > _level()):
        return False
    # floors of two C libraries cannot be compared: musl's 1.2 is not older than glibc's 2.17
    glibc = _glibc()
    return each.floor <= glibc if each.abi == "gnu" else not glibc and each.floor <= _musl()


def _glibc() -> tuple[int, ...]:
    """The version of this machine's glibc; empty where there is none."""
    try:
        told = os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (ValueError, OSError):
        return ()
    return tuple(map(int, re.findall(r"\d+", told)[:2]))


def _musl() -> tuple[int, ...]:
    """The version of this machine's musl; empty where there is none."""
    from manypython.index.host import platform_tags

    newest = next(iter(platform_tags()), "")
    return tuple(map(int, newest.split("_")[1:3])) if newest.startswith("musllinux_") else ()


def _level() -> int:
    from manypython.index.host import level

    return level()


def _is_from(each: Installed, index: str, *, unsigned: bool) -> bool:
    if unsigned and not index:
        return True
    receipt = each.receipt()
    return receipt.get("index") == (index or receipt.get("index")) and bool(unsigned or receipt.get("signed"))
