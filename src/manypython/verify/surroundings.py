"""Hostile and unlucky surroundings, as data: what a user's machine may be like, and how to make it here."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from manypython import host_tools, process
from manypython import probe as inside
from manypython.model.errors import HostToolError
from manypython.model.tree import Tree

NOBODY = 65534
_USUAL = "/opt/py thon"
_PROGRAMS = "/opt/inside"
PROBE = ("-I", "-B", f"{_PROGRAMS}/probe.py")
"""How the probe is run there."""
_TRAPS = "/opt/traps"
"""Files that are no libraries, by the names our libraries usually have."""
_LIBRARIES = (
    "libssl.so.3", "libcrypto.so.3", "libffi.so.8", "libz.so.1", "libsqlite3.so.0", "liblzma.so.5",
    "libbz2.so.1.0", "libncursesw.so.6", "libpanelw.so.6", "libexpat.so.1", "libuuid.so.1", "libedit.so.2",
    "libreadline.so.8", "libtinfo.so.6", "libcrypt.so.1", "libmpdec.so.4", "libzstd.so.1",
)  # fmt: skip
"""What a host may have that our libraries are, too."""
_SONAMES = (*_LIBRARIES, "libpython3.so")


@dataclass(frozen=True)
class Surrounding:
    """One kind of machine."""

    name: str
    env: tuple[tuple[str, str], ...] = ()
    """The whole environment: nothing else is in it."""
    place: str = _USUAL
    """Where the tree is unpacked."""
    called: str = ""
    """What is called instead of ``bin/python3``: a path below ``links``, or of an overlay."""
    links: tuple[tuple[str, str], ...] = ()
    """Symbolic links: path and target."""
    proc: bool = True
    user: int = NOBODY
    writable: tuple[tuple[str, str], ...] = ()
    """Folders of this machine that can be written to, and where they are there."""
    restrict: tuple[str, ...] = ()
    """Words for ``inside/restrict.py``."""
    emulated: bool = True
    """Whether it is tried under an emulator too: qemu does not pass on what would restrict it."""
    own: bool = False
    """Only interpreters that we build survive it (docs/decisions/0007)."""


PLAIN = Surrounding("plain")
SURROUNDINGS = (
    PLAIN,
    Surrounding("no /proc", proc=False),
    Surrounding("noexec /tmp", restrict=("noexec-tmp",)),
    Surrounding("C locale", env=(("LC_ALL", "C"), ("HOME", "/nonexistent"))),
    Surrounding("a locale that is not installed", env=(("LC_ALL", "tlh_XX.ISO-8859-1"),)),
    Surrounding("a user without a passwd entry", user=12345),
    Surrounding("a prefix of 200 characters", place="/opt/" + "n" * 195),
    Surrounding("a prefix with quotes, $ and \N{LATIN SMALL LETTER U WITH DIAERESIS}",
                place="/opt/it's \"$HOME\" f\N{LATIN SMALL LETTER U WITH DIAERESIS}r"),
    Surrounding(
        "a chain of symlinks",
        called="/opt/links/python",
        links=(
            ("/opt/links/python", "../more links/a"),
            ("/opt/more links/a", "/opt/links/b"),
            ("/opt/links/b", f"{_USUAL}/bin/python3"),
        ),
    ),
    Surrounding(
        "a link to bin/",
        called="/opt/links/bin/python3",
        links=(("/opt/links/bin", f"{_USUAL}/bin"),),
        own=True,
    ),
    Surrounding("a read-only overlay", called="/opt/over/bin/python3", restrict=("overlay",)),
    Surrounding("a foreign LD_LIBRARY_PATH", env=(("LD_LIBRARY_PATH", _TRAPS),)),
    Surrounding("the system's own libraries preloaded", env=(("LD_PRELOAD", " ".join(_LIBRARIES)),)),
    Surrounding("a foreign PYTHONHOME", env=(("PYTHONHOME", "/usr"), ("PYTHONPATH", _TRAPS))),
    Surrounding("newer system calls missing", restrict=("enosys",), emulated=False),
    Surrounding("newer system calls forbidden", restrict=("eperm",), emulated=False),
    Surrounding("memory deny write execute", restrict=("mdwe",), emulated=False),
)  # fmt: skip


def command(
    mounts: tuple[str, ...], tree: Tree, surrounding: Surrounding, words: tuple[str, ...]
) -> tuple[str, ...]:
    """How to run the tree's interpreter in a root: bubblewrap's arguments (bwrap(1)).

    Nothing of this machine is there but the kernel: no network, no environment, no capability
    (but to mount, where the surrounding is made of mounts, and given up before the product starts).

    Args:
        mounts: bubblewrap's arguments that lay the root.
        tree: mounted read-only.
        surrounding: what else the machine is like.
        words: what the interpreter is given.
    """
    links = [part for path, target in surrounding.links for part in ("--symlink", target, path)]
    python = surrounding.called or f"{surrounding.place}/bin/python3"
    become: tuple[str, ...] = (python, *words)
    if surrounding.restrict:
        real = f"{surrounding.place}/bin/{tree.executable.name}"
        become = (real, "-I", "-B", f"{_PROGRAMS}/restrict.py", *surrounding.restrict, "--", *become)
    programs = Path(inside.__file__).parent
    traps = [
        part for name in _SONAMES for part in ("--ro-bind", str(programs / "probe.py"), f"{_TRAPS}/{name}")
    ]
    return (
        bubblewrap(), "--unshare-all", "--unshare-user", "--die-with-parent", "--new-session",
        "--uid", str(surrounding.user), "--gid", str(surrounding.user), "--clearenv",
        *(part for name, value in surrounding.env for part in ("--setenv", name, value)),
        *mounts, "--tmpfs", "/opt", "--dev", "/dev", "--tmpfs", "/tmp", "--tmpfs", "/run", "--chdir", "/tmp",
        *(("--proc", "/proc") if surrounding.proc else ("--tmpfs", "/proc")),
        "--ro-bind", str(tree.root), surrounding.place,
        "--ro-bind", str(programs), _PROGRAMS, *traps,
        "--ro-bind", str(tree.root), "/opt/lower", "--dir", "/opt/upper", "--dir", "/opt/over",
        *(part for source, target in surrounding.writable for part in ("--bind", source, target)),
        *links, *(("--cap-add", "CAP_SYS_ADMIN") if surrounding.restrict else ()),
        *become,
    )  # fmt: skip


def bubblewrap() -> str:
    """The ``bwrap`` program.

    Raises:
        HostToolError: it is not installed.
    """
    program = shutil.which("bwrap")
    if program is None:
        raise HostToolError(
            "foreign roots need bubblewrap: bwrap is missing",
            remedy=host_tools.advice("bwrap"),
        )
    return program


def works() -> str:
    """Why no foreign root can be entered here; empty where it can.

    In a container user namespaces are often forbidden.
    """
    try:
        words = (bubblewrap(), "--unshare-all", "--unshare-user", "--ro-bind", "/", "/", "/bin/true")
    except HostToolError as error:
        return error.message
    result = process.run(words, env=dict(os.environ), check=False)
    return "" if result.returncode == 0 else f"bubblewrap does not work here: {result.output.strip()}"
