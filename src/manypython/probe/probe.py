"""Uses every part of the standard library once and prints JSON: one row for each check.

Called as ``python -I -B probe.py full|foreign|short|install MODULE...``; the modules are those that
must be there, ``foreign`` is for prefixes that somebody else built. Called with ``control CHECK...`` it
makes these checks only (``tls``, ``uses termios``): so an interpreter known to be good says whether it
is the surrounding in which they fail.
"""

import contextlib
import errno
import functools
import importlib
import io
import json
import os
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from fnmatch import fnmatch

_LIBC = (
    "ld-linux",
    "ld-2.",
    "libc",
    "libdl",
    "libm",
    "libpthread",
    "libresolv",
    "libnsl",
    "libnss",
    "librt",
    "libutil",
)

_KEY = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgENVFweqYtYCawFja
aVcaUlCa0wP154OvyCZXd6A7KXihRANCAAThx44IQdB2/CL6e6dzBFbVzJ+F4KhW
ds4DN/t1WK0tYLzQb09eRCs5AXq9FWdWDJveAsxByiDvJK01qRrr6WZu
-----END PRIVATE KEY-----
"""
_CERTIFICATE = """\
-----BEGIN CERTIFICATE-----
MIIBlTCCATugAwIBAgIUKO+FbSjvOhd/NxGeOJF2LtV3isYwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMTAzNDgwMFoYDzIxMjYxMDI4
MDM0ODAwWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAThx44IQdB2/CL6e6dzBFbVzJ+F4KhWds4DN/t1WK0tYLzQb09eRCs5
AXq9FWdWDJveAsxByiDvJK01qRrr6WZuo2kwZzAdBgNVHQ4EFgQUp4qAbi4G1B4m
pbT41YgIbIlzPekwHwYDVR0jBBgwFoAUp4qAbi4G1B4mpbT41YgIbIlzPekwDwYD
VR0TAQH/BAUwAwEB/zAUBgNVHREEDTALgglsb2NhbGhvc3QwCgYIKoZIzj0EAwID
SAAwRQIgNZflNQW1l54Pcw0gNg6p5zfu8OpNi0Mm4lc5bHfJWeoCIQDwoLcXxKd9
uAKCvy6JIfuh5xQu5KVUivhc/85yWbCYpw==
-----END CERTIFICATE-----
"""


_NO_CHECK_TIME = 0x200000
"""``X509_V_FLAG_NO_CHECK_TIME``: the machine's clock may be wrong (X509_VERIFY_PARAM_set_flags(3))."""

PYPY = sys.implementation.name == "pypy"

_PRELOADED = os.environ.pop("LD_PRELOAD", "")
"""For this process and not for the programs of the machine that it starts."""


def root() -> str:
    """The tree this interpreter stands in, by its standard library."""
    return os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(os.__file__))))


class NotHereError(Exception):
    """A check that cannot be made in this surrounding, with the reason."""


class UsesError(Exception):
    """Extension modules that did not do their work: each one's name and what it raised."""

    def __init__(self, errors: dict[str, Exception]) -> None:
        super().__init__("; ".join(f"{name}: {error!r}" for name, error in errors.items()))
        self.errors = errors


def expect(condition: object, fact: object) -> None:
    """Fail with a fact."""
    if not condition:
        raise AssertionError(fact)


def check_prefix() -> str:
    """The interpreter knows where it is."""
    for name in ("prefix", "base_prefix", "exec_prefix"):
        expect(os.path.realpath(getattr(sys, name)) == root(), f"sys.{name} is {getattr(sys, name)!r}")
    return sys.executable


def check_sysconfig() -> str:
    """Every path sysconfig gives lies in the tree and has no neutral word left."""
    import sysconfig

    variables = sysconfig.get_config_vars()
    base = sys.base_prefix
    for name, value in variables.items():
        for word in str(value).replace("=", " ").replace("'", " ").split():
            expect(word != "/install" and not word.startswith("/install/"), f"{name}={value!r}")
    for name in ("INCLUDEPY", "LIBDIR", "LIBPL", "BINLIBDEST", "DESTLIB", "BINDIR", "prefix"):
        value = variables.get(name, base if PYPY else "")
        expect(value == base or value.startswith(base + "/"), f"{name}={value!r} is not in {base!r}")
    if not PYPY:  # it has neither file
        for path in (sysconfig.get_config_h_filename(), sysconfig.get_makefile_filename()):
            expect(os.path.isfile(path), f"{path} is missing")
    for name, path in sysconfig.get_paths().items():
        expect(path.startswith(base), f"path {name} is {path!r}")
    expect(os.path.isfile(os.path.join(variables["INCLUDEPY"], "Python.h")), "Python.h is missing")
    return f"{len(variables)} variables"


def check_uses(modules: list[str]) -> str:
    """Every extension module does its work; of others' builds, those we know a use of."""
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    uses = importlib.import_module("uses")
    known = {*uses.USES, *uses.FUNCTIONS}
    strange = [name for name in modules if name not in known]
    expect(not strange or "foreign" in sys.argv, f"no use is known of {strange}")
    errors = {}
    for name in modules:
        try:
            if name in known:
                expect(uses.use(name), f"{name} came to a wrong result")
            else:
                importlib.import_module(name)
        except Exception as error:
            errors[name] = error
    if errors:
        raise UsesError(errors)
    return f"{len(modules) - len(strange)} used"


_ELSEWHERE = {
    "other systems": (
        "_pyrepl._win*", "_pyrepl.windows*", "_pyrepl.fancy_termios", "asyncio.windows*", "ctypes.wintypes",
        "distutils*.*msvc*", "distutils.command.bdist_msi", "encodings.mbcs", "encodings.oem", "msilib*",
        "multiprocessing.popen_spawn_win32", "_*os_support",
    ),
    "Tk, which a tree may lack": ("idlelib*", "tkinter*", "turtle*"),
    "left over from Python 2": ("lib2to3.pgen2.conv",),
    "databases, left out for their licence": ("dbm.gnu", "dbm.ndbm"),
    "a curses library of the host's, for want of our own": ("_pyrepl._minimal_curses",),
    "how Debian's own interpreter was configured": ("_sysconfigdata_*",),
}  # fmt: skip
"""Modules that need not import, by reason; they may."""

_PROGRAMS = ("*__main__", "antigravity", "idlelib.idle", "idlelib.pyshell", "turtledemo*", "this")
"""Modules that do something when they are imported (open a browser)."""


def check_stdlib() -> str:
    """Every module of the standard library imports."""
    if PYPY:
        raise NotHereError("PyPy keeps what it was built with in the same folder")
    folder = os.path.dirname(os.__file__)
    names = {*sys.builtin_module_names, *_modules_below(folder)}
    names = {name for name in names if not any(fnmatch(name, pattern) for pattern in _PROGRAMS)}
    excused = [pattern for patterns in _ELSEWHERE.values() for pattern in patterns]
    failed = []
    for name in sorted(names):
        try:
            with _silence():
                importlib.import_module(name)
        except (Exception, SystemExit) as error:
            if not any(fnmatch(name, pattern) for pattern in excused):
                failed.append(f"{name}: {error!r}")
    expect(not failed, "; ".join(failed))
    expect(len(names) > 500, f"only {len(names)} modules")
    return f"{len(names)} modules"


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    nowhere = io.StringIO()
    with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _modules_below(folder: str) -> list[str]:
    """Dotted names of the modules in files, without those that are not the interpreter's own."""
    found = []
    for place, folders, files in os.walk(folder):
        package = os.path.relpath(place, folder).replace(os.sep, ".").lstrip(".")
        folders[:] = [name for name in folders if name.isidentifier() and name not in _NOT_OURS]
        stems = [name[:-3] for name in files if name.endswith(".py")]
        stems += [name.split(".")[0] for name in files if name.endswith(".so") and package == "lib-dynload"]
        if package == "lib-dynload":
            package = ""
        start = package + "." if package else ""
        found += [package if stem == "__init__" else start + stem for stem in stems if stem.isidentifier()]
    return [name for name in found if name]


_NOT_OURS = ("__pycache__", "site-packages", "dist-packages", "test", "tests", "idle_test", "_bundled")


def check_loaded_from() -> str:
    """Every shared object in memory is of this tree or of the libc family (proc(5))."""
    import ctypes  # noqa: F401
    import ssl

    if not os.path.exists("/proc/self/maps"):
        raise NotHereError("no /proc to read it from")
    mapped = set()
    with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as maps:
        for line in maps:
            path = line.rstrip("\n").split(maxsplit=5)[5:]
            if path and ".so" in path[0]:
                mapped.add(path[0].replace("\\040", " "))
    here = root()
    foreign = [
        path
        for path in mapped
        if not path.startswith(here + "/") and not os.path.basename(path).startswith(_LIBC)
    ]
    expect(not foreign or _PRELOADED, f"from elsewhere: {foreign}")
    grafts = [path for path in mapped if "/python.libs/libssl-" in path or "/python.libs/libcrypto-" in path]
    expect(len(grafts) == 2, f"OpenSSL is not the grafted one: {sorted(mapped)}")
    return f"{ssl.OPENSSL_VERSION} from {os.path.relpath(min(grafts), here)}"


def check_tls() -> str:
    """A whole TLS 1.3 handshake, certificate and host name checked."""
    import ssl
    import tempfile

    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(_KEY + _CERTIFICATE)
        file.flush()
        serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        serving.load_cert_chain(file.name)
    asking = ssl.create_default_context(cadata=_CERTIFICATE)
    asking.verify_flags |= _NO_CHECK_TIME
    left, right = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = asking.wrap_bio(left, right, server_hostname="localhost")
    server = serving.wrap_bio(right, left, server_side=True)
    pending = [client, server]
    for _ in range(10):
        for side in list(pending):
            try:
                side.do_handshake()
                pending.remove(side)
            except ssl.SSLWantReadError:
                pass
    expect(not pending, "the handshake does not end")
    client.write(b"hello")
    expect(server.read() == b"hello", "what was sent did not arrive")
    expect(client.version() == "TLSv1.3", client.version())
    return str(client.cipher())


def check_sqlite() -> str:
    """SQLite with full-text search and the other options people miss."""
    import sqlite3

    db = sqlite3.connect(":memory:")
    db.execute("create virtual table t using fts5(x)")
    db.execute("insert into t values ('portable python'), ('other')")
    expect(
        db.execute("select x from t where t match 'python'").fetchall() == [("portable python",)],
        "fts5",
    )
    if "full" in sys.argv:  # of a prefix that somebody else built only what all builds have
        db.execute("create virtual table r using rtree(id, a, b)")
        db.execute("create virtual table g using geopoly()")
        db.execute("create virtual table d using fts4(x)")
        db.execute("select * from dbstat").fetchall()
        expect(hasattr(db, "enable_load_extension"), "load-extension is off")
    return sqlite3.sqlite_version


def check_ctypes() -> str:
    """A callback from C into Python."""
    import ctypes

    compare = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))
    numbers = (ctypes.c_int * 5)(5, 1, 4, 2, 3)
    ctypes.CDLL(None).qsort(numbers, 5, ctypes.sizeof(ctypes.c_int), compare(lambda a, b: a[0] - b[0]))
    expect(list(numbers) == [1, 2, 3, 4, 5], list(numbers))
    return "qsort"


def check_compression() -> str:
    """Round trips."""
    import bz2
    import lzma
    import zlib

    data = b"portable " * 1000
    for module in (bz2, lzma, zlib):
        expect(module.decompress(module.compress(data)) == data, module.__name__)
    if sys.version_info >= (3, 14):
        from compression import zstd

        expect(zstd.decompress(zstd.compress(data)) == data, "zstd")
    return zlib.ZLIB_RUNTIME_VERSION


def check_hashes() -> str:
    """OpenSSL's and CPython's own digests agree with known values."""
    import hashlib

    known = {
        "md5": "900150983cd24fb0d6963f7d28e17f72",
        "sha1": "a9993e364706816aba3e25717850c26c9cd0d89d",
        "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "sha3_256": "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532",
        "ripemd160": "8eb208f7e05d987a9b044a8e98c6b087f15a0bfc",
    }
    for name, digest in known.items():
        expect(hashlib.new(name, b"abc").hexdigest() == digest, name)
    if not PYPY:
        expect(len(hashlib.scrypt(b"p", salt=b"s", n=16, r=8, p=1)) == 64, "scrypt")
    return f"{len(hashlib.algorithms_available)} algorithms"


def check_terminal() -> str:
    """Terminal descriptions are found even where the host has none."""
    import curses
    import readline

    os.environ["TERMINFO"] = "/nonexistent"
    curses.setupterm("xterm-256color", fd=os.open(os.devnull, os.O_WRONLY))
    expect(curses.tigetnum("colors") == 256, curses.tigetnum("colors"))
    return (readline.__doc__ or "").split(".")[0]


def check_text() -> str:
    """A file with a foreign name, whatever the locale (PEP 538, PEP 540)."""
    import tempfile

    if PYPY:
        raise NotHereError("it follows the locale, as CPython did before PEP 538")
    expect(sys.getfilesystemencoding() == "utf-8", sys.getfilesystemencoding())
    name = "\u00fc \u4e2d \U0001f40d"
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(name)
        expect(os.listdir(folder) == [name], os.listdir(folder))
    return f"{sys.stdout.encoding}, {sys.getfilesystemencoding()}"


def check_user() -> str:
    """A user that no file knows, and no HOME."""
    import getpass
    import pathlib
    import pwd
    import site

    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = ""
    if not name and "HOME" not in os.environ:
        with contextlib.suppress(OSError, KeyError):  # 3.13 has the first, older ones the second
            expect(getpass.getuser(), "nobody has an empty name")
        with contextlib.suppress(RuntimeError):
            expect(pathlib.Path.home(), "no home")
    site.getusersitepackages()
    return f"uid {os.getuid()} {name or 'without a name'}"


def check_rest() -> str:
    """uuid, decimal, zoneinfo, dbm, an event loop, text in UTF-8."""
    import asyncio
    import dbm.dumb  # noqa: F401
    import decimal
    import uuid
    import zoneinfo

    if not PYPY:
        import _uuid

        expect(hasattr(_uuid, "generate_time_safe"), "_uuid has no generate_time_safe")
    expect(uuid.uuid1().version == 1, "uuid1")
    expect(hasattr(decimal, "__libmpdec_version__"), "decimal is the slow one")
    expect(
        str(zoneinfo.ZoneInfo("UTC")) == "UTC" if zoneinfo.available_timezones() else True,
        "zoneinfo",
    )
    expect(asyncio.run(asyncio.sleep(0, "done")) == "done", "asyncio")
    return str(os.confstr("CS_GNU_LIBC_VERSION"))


def check_scripts() -> str:
    """Pip's own script finds the interpreter beside it, whatever the folder is called."""
    import subprocess

    script = os.path.join(root(), "bin", "pip3")
    if not os.path.exists(script):
        expect("full" not in sys.argv, "it has no pip3")
        raise NotHereError("it has no pip3")
    if not os.path.exists("/bin/sh"):
        raise NotHereError("no shell")
    env = {"PATH": "/usr/bin:/bin"}
    done = subprocess.run((script, "--version"), env=env, capture_output=True, text=True, check=False)
    expect(root() in done.stdout, done.stdout + done.stderr)
    return done.stdout.strip()


def check_bytecode() -> str:
    """No stale bytecode: each .pyc is hash-based and is its source's (PEP 552)."""
    import importlib.util

    count = 0
    for folder, _, names in os.walk(os.path.dirname(os.__file__)):
        for name in names:
            if name.endswith(".pyc"):
                path = os.path.join(folder, name)
                with open(path, "rb") as file:
                    header = file.read(16)
                with open(importlib.util.source_from_cache(path), "rb") as file:
                    digest = importlib.util.source_hash(file.read())
                expect(header[4] & 1, f"{path} has a time stamp")
                expect(header[8:16] == digest, f"{path} is stale")
                count += 1
    expect(count > 500, f"only {count} .pyc files")
    return f"{count} files"


def check_install() -> str:
    """A virtual environment, a wheel that pip installs into it, and its console script."""
    import pathlib
    import subprocess
    import tempfile

    def run(*words: object) -> str:
        done = subprocess.run(tuple(map(str, words)), capture_output=True, text=True, check=False)
        expect(done.returncode == 0, done.stdout + done.stderr)
        return done.stdout

    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    wheel = importlib.import_module("packages").wheel
    with tempfile.TemporaryDirectory() as folder:
        place = pathlib.Path(folder, "e")
        run(sys.executable, "-I", "-m", "venv", place)
        pip = ("-m", "pip", "--disable-pip-version-check", "--no-cache-dir", "install", "--no-index")
        run(place / "bin" / "python", "-I", *pip, wheel(pathlib.Path(folder)))
        said = run(place / "bin" / "greet")
        expect(str(place) in said, said)
    return "the console script of a wheel runs"


SHORT = (check_prefix, check_sysconfig, check_loaded_from)
FULL = (
    *SHORT, check_tls, check_sqlite, check_ctypes, check_compression, check_hashes,
    check_terminal, check_text, check_user, check_rest, check_scripts, check_bytecode,
)  # fmt: skip


def cause(error: BaseException) -> str:
    """What the system refused, e.g. ``PermissionError EACCES``; empty where it refused nothing.

    Only this can be the surrounding's fault: a control experiment (``verify/controls.py``) compares it.
    """
    if isinstance(error, OSError):
        return f"{type(error).__name__} {errno.errorcode.get(error.errno or 0, '')}".strip()
    if isinstance(error, RuntimeError) and "start new thread" in str(error):
        return "RuntimeError thread"
    return ""


def row(name: str, check: Callable[[], str]) -> list[dict[str, object]]:
    """Make one check: its row, and for modules that did not do their work one more each."""
    begun, skipped = time.perf_counter(), False
    errors: dict[str, BaseException] = {}
    try:
        ok, detail = True, str(check())
    except NotHereError as reason:
        ok, skipped, detail = True, True, str(reason)
    except UsesError as failed:
        ok, detail = True, "the others were used"
        errors = {f"{name} {module}": error for module, error in failed.errors.items()}
    except Exception as error:
        ok, detail, errors = False, "", {name: error}
    seconds = round(time.perf_counter() - begun, 3)
    rows = [
        {"name": key, "ok": False, "detail": told(error), "seconds": seconds, "cause": cause(error)}
        for key, error in errors.items()
    ]
    if ok:
        rows.insert(0, {"name": name, "ok": ok, "detail": detail, "seconds": seconds, "skipped": skipped})
    return rows


def told(error: BaseException) -> str:
    """The end of a traceback; its last line is the one that matters."""
    return "".join(traceback.format_exception(type(error), error, error.__traceback__, limit=-2)).strip()


def main(kind: str, words: list[str]) -> list[dict[str, object]]:
    """Make the checks of a kind.

    Args:
        kind: ``full``, ``foreign``, ``short``, ``install`` or ``control``.
        words: extension modules that must do their work; names of checks for ``control``.
    """
    known: dict[str, Callable[[], str]] = {check.__name__[6:]: check for check in (*FULL, check_install)}
    if kind == "control":
        rows = []
        for word in words:
            name, _, module = word.partition(" ")
            rows += row(name, functools.partial(check_uses, [module]) if module else known[name])
        return rows
    chosen = {"short": SHORT, "install": (check_install,)}.get(kind, FULL)
    checks = {check.__name__[6:]: check for check in chosen}
    if chosen is FULL:
        checks["uses"] = functools.partial(check_uses, words)
        checks["stdlib"] = check_stdlib  # last: some modules change the interpreter
    return [each for name, check in checks.items() for each in row(name, check)]


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], sys.argv[2:])))
