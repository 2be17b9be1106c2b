"""The user's folders, by the XDG Base Directory Specification.

platformdirs would know them, and takes as long to import as all that a warm fetch does.
"""

from __future__ import annotations

import os

from manypython.model.errors import OutputError, UsageError

STORE, CACHE = "MANYPYTHON_STORE_DIR", "MANYPYTHON_CACHE_DIR"
"""The variables that name the folder of interpreters, and that of downloads and builds."""


def home() -> str:
    """The user's home folder, an absolute path; empty where there is none.

    A container may run as a user that nobody entered into ``/etc/passwd``, with no ``HOME``.
    ``os.path.expanduser`` then leaves the ``~``, which would become a folder of that name.
    """
    named = os.environ.get("HOME", "")
    if not os.path.isabs(named):
        import pwd

        try:
            named = pwd.getpwuid(os.getuid()).pw_dir
        except KeyError:
            return ""
    return named.rstrip("/") or "/" if os.path.isabs(named) else ""


def of_home(path: str, names: str) -> str:
    """A folder in the home folder.

    Args:
        path: relative to it.
        names: the options and variables that name this folder where there is no home, for the error.

    Raises:
        OutputError: there is no home folder.
    """
    if folder := home():
        return os.path.join(folder, path)
    told = "is not an absolute path" if os.environ.get("HOME") else "is not set"
    raise OutputError(
        f"~/{path}: there is no home folder: HOME {told}, and nobody knows user {os.getuid()}",
        remedy=f"set HOME, or {names}",
    )


def data_home(own: str = "") -> str:
    """``~/.local/share``, or what ``XDG_DATA_HOME`` says (XDG Base Directory Specification).

    Args:
        own: what names the folder that is wanted and no other, for the error.

    Raises:
        OutputError: there is no home folder.
    """
    return _of_user("XDG_DATA_HOME", ".local/share", own)


def cache_home(own: str = CACHE) -> str:
    """``~/.cache``, or what ``XDG_CACHE_HOME`` says.

    Args:
        own: as for ``data_home``.

    Raises:
        OutputError: there is no home folder.
    """
    return _of_user("XDG_CACHE_HOME", ".cache", own)


def _of_user(name: str, path: str, own: str = "") -> str:
    """A folder of the user's, by its XDG variable: one that is not absolute is to be ignored."""
    named = os.environ.get(name, "")
    if os.path.isabs(named):
        return named
    alone = f"; {own} names this folder alone" if own else ""
    return of_home(path, f"XDG_DATA_HOME and XDG_CACHE_HOME{alone}")


def config_home() -> str:
    """``~/.config``, or what ``XDG_CONFIG_HOME`` says; empty where there is no home."""
    try:
        return _of_user("XDG_CONFIG_HOME", ".config")
    except OutputError:
        return ""


def expanded(path: str, said: str) -> str:
    """A path with ``~`` or ``~name`` at its beginning made a real one.

    Args:
        path: as somebody wrote it.
        said: where that stands, for the error.

    Raises:
        UsageError: there is no such home folder.
    """
    if not path.startswith("~"):
        return path
    name, slash, rest = path.partition("/")
    found = home() if name == "~" else os.path.expanduser(name)
    if not os.path.isabs(found):
        raise UsageError(
            f"{said}: {path}: there is no home folder {name}",
            remedy="write the whole path (./~ for a folder that is called so)",
        )
    return f"{found}{slash}{rest}"
