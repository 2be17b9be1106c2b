"""A user whom nobody entered into /etc/passwd, as a container may have one."""

from __future__ import annotations

import contextlib
import functools
import os
import pwd
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

UID = 4242


@functools.cache
def stranger() -> tuple[str, ...]:
    """Words before a command that have it run as a user that nobody knows, with the same files at hand."""
    with pytest.raises(KeyError):
        pwd.getpwuid(UID)
    # by its securebits access(2), too, asks with root's rights and not with those of the real user
    another = ("setpriv", f"--ruid={UID}", "--securebits=+no_setuid_fixup")
    for words in (("unshare", "--user", f"--map-user={UID}"), another):
        try:
            if subprocess.run((*words, "true"), capture_output=True, check=False).returncode == 0:
                return words
        except FileNotFoundError:
            continue
    pytest.skip("neither unshare nor setpriv can make a user here that is in no passwd")


@contextlib.contextmanager
def shut(path: Path) -> Iterator[None]:
    """Have a file or folder closed to that user; skip where such a user has root's rights nevertheless."""
    mode = path.stat().st_mode
    path.chmod(0)
    try:
        if (
            subprocess.run((*stranger(), "test", "-r", path), capture_output=True, check=False).returncode
            == 0
        ):
            pytest.skip("nothing is closed to anybody here")
        yield
    finally:
        path.chmod(mode)


def without_home(**more: str) -> dict[str, str]:
    """This environment without HOME and without anything else that names a folder of the user's."""
    gone = ("HOME", "PYENV_ROOT", "NETRC", "MANYPYTHON_", "XDG_", "UV_")
    return {name: value for name, value in os.environ.items() if not name.startswith(gone)} | more
