"""Interpreters on disk: each in a folder that carries its build and is never changed in place.

::

    pythons/
      cpython-3.13.15+20261121-x86_64-unknown-linux-gnu/   one interpreter; RECEIPT and RECORD inside
      .locks/       one per interpreter
      .new-KEY/     an install under way, or one that was killed
      .gone-KEY/    a removal under way, or one that was killed
      left/KEY/     what others had put into a folder that was removed
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from manypython.archives.read import unpack
from manypython.files import write_text
from manypython.index.model import Build, File
from manypython.model.errors import ArchiveError, NoBuildError, OutputError
from manypython.store import uv
from manypython.store.installed import RECEIPT, Installed, lock, there
from manypython.store.writing import delete, writing

RECORD = "share/manypython/RECORD"
"""The names of all files and links, one a line."""
_TOP = "python"
_PATIENCE = 60.0
"""Seconds an interpreter may take to say that it runs."""


def vouched(store: Path, build: Build, origin: dict[str, object]) -> Installed | None:
    """What is in a build's folder already, if the index says that it is this build.

    Its receipt names the index that said so last. The interpreter is not touched.

    Raises:
        OutputError: another archive was unpacked there.
    """
    if there(str(store), build.key) is None:  # a store that cannot be written has no locks
        return None
    with lock(str(store), build.key):
        found = there(str(store), build.key)
        if found is None:
            return None
        receipt = found.receipt()
        if receipt.get("sha256") not in [file.sha256 for file in build.files]:
            raise OutputError(
                f"{found.folder}: was unpacked from another archive than the index has",
                remedy=f"manypython remove {found.key}",
            )
        if receipt != receipt | origin:
            write_text(Path(found.folder, RECEIPT), _printed(receipt | origin))
        return found


def install(  # noqa: PLR0913  (what, from where, and what is to be said of it)
    store: Path, build: Build, file: File, archive: Path, origin: dict[str, object], *, runs: bool
) -> Installed:
    """Unpack an archive beside its place, see that it runs, and move it there: all of it or nothing.

    Args:
        store: the folder of interpreters.
        build: what the archive is.
        file: what the index says of it; its hash has been checked.
        archive: where it is.
        origin: what the receipt says: index, signed.
        runs: whether this machine can run it.

    Raises:
        ArchiveError: it has a member that must not be unpacked, or no interpreter that runs.
        OutputError: the store cannot be written, or is full.
    """
    place, scratch = store / build.key, store / f".new-{build.key}"
    with lock(str(store), build.key):
        if found := there(str(store), build.key):
            return found
        with writing(store):
            delete(scratch)
            scratch.mkdir()
            try:
                unpacked = unpack(archive, scratch / "tree", limit=file.unpacked)
                inner = scratch / "tree" / _TOP
                tree = inner if inner.is_dir() else scratch / "tree"
                names = [name.removeprefix(f"{_TOP}/") if tree is inner else name for name in unpacked]
                _describe(tree, build, file, names, origin)
                if runs:
                    _started(tree, archive, build)
                if place.is_dir() and not any(place.iterdir()):
                    place.rmdir()
                tree.rename(place)
            finally:
                delete(scratch)
    made = there(str(store), build.key)
    assert made is not None  # noqa: S101  (its receipt was renamed with it)
    return made


def remove(store: Path, found: Installed) -> Path | None:
    """Remove what was installed and nothing else; what others put there is kept under ``left/``.

    Returns:
        The folder that holds what was left, if anything was.

    Raises:
        OutputError: the store cannot be written.
    """
    place, gone = store / found.key, store / f".gone-{found.key}"
    with lock(str(store), found.key), writing(store):
        uv.unlink(found)
        if gone.exists():
            _sweep(store, gone)
        place.rename(gone)
        return _sweep(store, gone)


def leavings(store: Path) -> Iterator[Path]:
    """Folders of installs and removals that were killed."""
    for pattern in (".new-*", ".gone-*"):
        yield from store.glob(pattern)


def sweep(store: Path, path: Path) -> None:
    """Finish or undo what was killed, unless it is still under way (then wait for it)."""
    with lock(str(store), path.name.partition("-")[2]), writing(store):
        if path.name.startswith(".gone-") and path.exists():
            _sweep(store, path)
        delete(path)


def files(found: Installed) -> list[str]:
    """The files and links of an interpreter, relative to its folder.

    Raises:
        OutputError: its RECORD cannot be read.
    """
    path = Path(found.folder, RECORD)
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise OutputError(
            f"{path}: {error.strerror}", remedy="remove the interpreter's folder by hand"
        ) from None


def _describe(tree: Path, build: Build, file: File, names: list[str], origin: dict[str, object]) -> None:
    """Write the receipt and the RECORD into a tree."""
    receipt = {
        "schema_version": 1,
        "key": build.key,
        "platform_tag": build.target.platform_tag,
        "archive": file.name,
        "sha256": file.sha256,
        **origin,
    }
    (tree / RECEIPT).parent.mkdir(parents=True, exist_ok=True)
    (tree / RECEIPT).write_text(_printed(receipt), encoding="utf-8")
    recorded = sorted({*names, RECEIPT, RECORD})
    (tree / RECORD).write_text("".join(f"{name}\n" for name in recorded), encoding="utf-8")


def _printed(receipt: dict[str, object]) -> str:
    return json.dumps(receipt, indent=1, sort_keys=True) + "\n"


def _started(tree: Path, archive: Path, build: Build) -> None:
    """See that the interpreter runs here, before anybody can see it."""
    python = tree / "bin" / "python3"
    try:
        done = subprocess.run(
            [str(python), "-I", "-S", "-c", "import sys; print(sys.version.split()[0])"],
            capture_output=True, text=True, timeout=_PATIENCE, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except PermissionError:
        raise OutputError(
            f"{tree.parent.parent}: programs cannot be run from there (noexec?)",
            remedy="name another --store-dir",
        ) from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoBuildError(f"{archive.name}: its interpreter does not run here: {error}") from None
    if done.returncode:
        said = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise NoBuildError(f"{archive.name}: its interpreter does not run here: {said}")
    if done.stdout.strip().rstrip("+") != str(build.version):
        raise ArchiveError(
            f"{archive.name}: holds Python {done.stdout.strip()}, the index says {build.version}"
        )


def _sweep(store: Path, gone: Path) -> Path | None:
    """Delete what RECORD names and every folder that is empty then; keep the rest."""
    record = gone / RECORD
    names = record.read_text(encoding="utf-8").splitlines() if record.is_file() else []
    for name in sorted(names, key=lambda name: name == RECORD):  # RECORD last: it is needed to go on
        parts = PurePosixPath(name).parts
        if parts and ".." not in parts and parts[0] != "/":
            (gone / name).unlink(missing_ok=True)
    for cache in [path for path in gone.rglob("__pycache__") if path.is_dir()]:
        delete(cache)  # compiled from what is gone
    for folder, _, _ in os.walk(gone, topdown=False):
        with contextlib.suppress(OSError):  # it is not empty
            Path(folder).rmdir()
    if not gone.exists():
        return None
    left = _free(store / "left" / gone.name.removeprefix(".gone-"))
    left.parent.mkdir(exist_ok=True)
    gone.rename(left)
    return left


def _free(path: Path) -> Path:
    """A name that nobody has taken."""
    number = 1
    free = path
    while free.exists():
        number += 1
        free = path.with_name(f"{path.name}.{number}")
    return free
