"""Makes the surroundings worse, then becomes the program given.

Called as ``python -I -B restrict.py WORD... -- PROGRAM ARGUMENT...``. It needs Linux on x86_64 or
aarch64 and, to mount, CAP_SYS_ADMIN in its own user namespace, which it gives up again.
"""

import ctypes
import errno
import os
import platform
import struct
import sys

_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _PR_CAP_AMBIENT, _PR_SET_MDWE = 38, 22, 47, 65
_SECCOMP_MODE_FILTER, _PR_CAP_AMBIENT_CLEAR_ALL, _PR_MDWE_REFUSE_EXEC_GAIN = 2, 4, 1
_CLONE_NEWNS = 0x00020000
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_NOEXEC = 1, 2, 4, 8
_FIRST_NEWER = {"x86_64": 314, "aarch64": 274}
"""sched_setattr(2) of Linux 3.14: every number from here on is newer than glibc 2.17."""
_GETRANDOM = {"x86_64": 318, "aarch64": 278}
"""Let through: OpenSSL insists on it where uname(2) says Linux 4.8 or newer."""
_ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""``AUDIT_ARCH_*`` of linux/audit.h."""

_libc = ctypes.CDLL(None, use_errno=True)


def noexec_tmp() -> None:
    """A /tmp that nothing can be run from, as many hardened servers have."""
    _mount("tmpfs", "/tmp", "tmpfs", _MS_NOEXEC | _MS_NOSUID | _MS_NODEV, "mode=1777")


def overlay() -> None:
    """The tree at /opt/over is a read-only overlay (layers of a container image)."""
    _mount("overlay", "/opt/over", "overlay", _MS_RDONLY, "lowerdir=/opt/upper:/opt/lower")


def enosys() -> None:
    """System calls newer than glibc 2.17 do not exist, as on an old kernel."""
    _refuse_newer(errno.ENOSYS)


def eperm() -> None:
    """System calls newer than glibc 2.17 are forbidden, as under an old container engine's filter.

    Not clone3(2), faccessat2(2) and such: there the C libraries themselves give up (moby#42680).
    """
    _refuse_newer(errno.EPERM, until=424)


def mdwe() -> None:
    """No memory is ever writable and executable (systemd's MemoryDenyWriteExecute)."""
    if _libc.prctl(_PR_SET_MDWE, _PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0) != 0:
        raise _failure("prctl(PR_SET_MDWE), which came with Linux 6.3")


def _mount(source: str, target: str, kind: str, flags: int, data: str) -> None:
    if _libc.unshare(_CLONE_NEWNS) != 0:  # the mounts we are given belong to a namespace above ours
        raise _failure("unshare(CLONE_NEWNS)")
    words = (source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), data.encode())
    if _libc.mount(*words) != 0:
        raise _failure(f"mount {kind} at {target}")


def _refuse_newer(number: int, until: int = 0x40000000) -> None:
    """A filter (seccomp(2)): a call numbered from ``_FIRST_NEWER`` to ``until`` answers ``number``."""
    machine = platform.machine()
    load, equal, at_least, answer = 0x20, 0x15, 0x35, 0x06
    allow, refuse = 0x7FFF0000, 0x00050000 | number
    program = (
        (load, 0, 0, 4),  # the architecture
        (equal, 0, 5, _ARCHITECTURE[machine]),
        (load, 0, 0, 0),  # the number
        (equal, 3, 0, _GETRANDOM[machine]),
        (at_least, 0, 2, _FIRST_NEWER[machine]),
        (at_least, 1, 0, until),
        (answer, 0, 0, refuse),
        (answer, 0, 0, allow),
    )
    text = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in program))
    filters = ctypes.create_string_buffer(struct.pack("HL", len(program), ctypes.addressof(text)))
    if _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise _failure("prctl(PR_SET_NO_NEW_PRIVS)")
    if _libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, filters, 0, 0) != 0:
        raise _failure("prctl(PR_SET_SECCOMP)")


def _failure(what: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, f"{what}: {os.strerror(number)}")


WORDS = {"noexec-tmp": noexec_tmp, "overlay": overlay, "enosys": enosys, "eperm": eperm, "mdwe": mdwe}


if __name__ == "__main__":
    border = sys.argv.index("--")
    for word in sys.argv[1:border]:
        WORDS[word]()
    _libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    os.execv(sys.argv[border + 1], sys.argv[border + 1 :])
