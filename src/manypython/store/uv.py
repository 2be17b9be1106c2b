"""Links by which uv, and those who look into its folder, see an interpreter of ours."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from manypython.folders import data_home
from manypython.model.build_id import BuildId
from manypython.model.errors import OutputError
from manypython.store.installed import Installed
from manypython.store.writing import delete, writing

_UV = "UV_PYTHON_INSTALL_DIR"
_PARTS = ("bin", "include", "lib", "share")


def link(found: Installed) -> Path:
    """Let uv, and those who look into its folder, see an interpreter.

    uv takes a folder of the name it would give, and no link to one; so there is such a
    folder, and in it links to the parts of ours. ``uv python uninstall`` removes these.

    Raises:
        OutputError: uv's folder cannot be written, or an interpreter of its own stands there.
    """
    folder = _folder(found)
    if _leads_to(folder, found):
        return folder
    if folder.exists() and not _is_ours(folder):
        raise OutputError(
            f"{folder}: uv's own interpreter stands there",
            remedy=f"uv python uninstall {found.version}, or --store own",
        )
    scratch = folder.with_name(f".{folder.name}.{os.getpid()}")
    with writing(folder.parent, _UV):
        scratch.mkdir(parents=True)
        try:
            for part in _PARTS:
                (scratch / part).symlink_to(Path(found.folder, part))
            (scratch / "BUILD").write_text(str(found.build))
            delete(folder)
            with contextlib.suppress(OSError):  # another process was first, with the same links
                scratch.rename(folder)
        finally:
            delete(scratch)
    if not _leads_to(folder, found):
        raise OutputError(f"{folder}: another interpreter was put there meanwhile", remedy="run it again")
    return folder


def _folder(found: Installed) -> Path:
    """``cpython-3.13.15-linux-x86_64-gnu`` in uv's folder.

    Raises:
        OutputError: none is set, and there is no home folder.
    """
    named = os.environ.get(_UV)
    root = Path(named).absolute() if named else Path(data_home(_UV), "uv", "python")
    return root / BuildId.parse(found.key).uv_key


def _leads_to(folder: Path, found: Installed) -> bool:
    return all(
        (folder / part).is_symlink() and Path(os.readlink(folder / part)) == Path(found.folder, part)
        for part in _PARTS
    )


def _is_ours(folder: Path) -> bool:
    return (folder / "bin").is_symlink()


def unlink(found: Installed) -> None:
    """Take the links to an interpreter away."""
    try:
        folder = _folder(found)
    except OutputError:  # so there is none
        return
    if _leads_to(folder, found):
        delete(folder)
