"""Runs inside an interpreter and prints what it is, as JSON: one flat object of text to text.

    python -I -B describe.py > described.json

Two builds of one CPython are compared by it: the names and constants of every module of the standard
library, sysconfig's variables, pyconfig.h, and how the interpreter behaves. Standard library only.
"""

import contextlib
import importlib
import io
import json
import os
import sys
import sysconfig
import warnings
from collections.abc import Iterator

PLAIN = (bool, int, float, complex, bytes, type(None), list)
SKIPPED = ("test", "tests", "idlelib", "turtledemo", "lib2to3", "site-packages", "__pycache__", "config-")
ACTING = ("antigravity", "this", "__main__", "_sysconfigdata", "turtle", "tkinter")
MOVING = ("_start_time", "_startTime", "timezone", "altzone", "daylight", "maxsize_", "_pid", "umask")


def module_names() -> Iterator[str]:
    """Every module of the standard library that only defines things."""
    folder = os.path.dirname(os.__file__)
    yield from sys.builtin_module_names
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith(SKIPPED))
        package = os.path.relpath(place, folder).replace(os.sep, ".").lstrip(".")
        start = "" if package in ("", "lib-dynload") else f"{package}."
        for file in sorted(files):
            stem, _, rest = file.partition(".")
            if (rest == "py" or rest.endswith("so")) and stem.isidentifier() and not stem.startswith(ACTING):
                yield start.rstrip(".") if stem == "__init__" else start + stem


def modules() -> Iterator[tuple[str, str]]:
    """Names and constants."""
    for name in sorted(set(module_names())):
        if not name or name.startswith("_test"):
            continue
        try:
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                module = importlib.import_module(name)
        except (Exception, SystemExit) as error:
            yield f"module {name}", type(error).__name__
            continue
        yield f"module {name}", "imports"
        for attribute in dir(module):
            if attribute.startswith("__") or attribute.endswith("_addr") or attribute in MOVING:
                continue
            value = getattr(module, attribute, None)
            value = sorted(map(str, value)) if isinstance(value, frozenset) else value
            shown = repr(value) if isinstance(value, PLAIN) else type(value).__name__
            if "0x" not in shown and "/" not in shown:
                yield f"name {name}.{attribute}", shown[:200]


def variables() -> Iterator[tuple[str, str]]:
    """sysconfig's variables, with the tree's own folder taken out."""
    for name, value in sorted(sysconfig.get_config_vars().items()):
        yield f"variable {name}", str(value).replace(sys.base_prefix, "PREFIX")
    with open(sysconfig.get_config_h_filename(), encoding="utf-8") as file:
        for name, value in sorted(sysconfig.parse_config_h(file).items()):
            yield f"pyconfig.h {name}", str(value)


def behaviour() -> Iterator[tuple[str, str]]:
    """What the build decides and no name shows."""
    import hashlib
    import locale
    import multiprocessing
    import queue
    import socket
    import sqlite3
    import ssl
    import time

    for name in (
        "hash_info",
        "float_info",
        "int_info",
        "thread_info",
        "flags",
        "float_repr_style",
        "abiflags",
    ):
        yield f"sys.{name}", repr(getattr(sys, name))
    yield "sys.implementation", sys.implementation.cache_tag
    yield "hash algorithm", sys.hash_info.algorithm
    yield "os.sysconf_names", " ".join(sorted(os.sysconf_names))
    yield "os.confstr_names", " ".join(sorted(os.confstr_names))
    yield "os.supports_dir_fd", " ".join(sorted(call.__name__ for call in os.supports_dir_fd))
    yield "os.supports_fd", " ".join(sorted(call.__name__ for call in os.supports_fd))
    yield (
        "os.supports_follow_symlinks",
        " ".join(sorted(call.__name__ for call in os.supports_follow_symlinks)),
    )
    yield "hashlib.algorithms_available", " ".join(sorted(hashlib.algorithms_available))
    for clock in ("monotonic", "perf_counter", "process_time", "thread_time", "time"):
        info = time.get_clock_info(clock)
        yield f"clock {clock}", f"{info.implementation} {info.resolution}"
    os.environ["TZ"] = "EST5EDT,M3.2.0,M11.1.0"
    time.tzset()
    yield "time.tzset", f"{time.timezone} {time.tzname}"
    yield "time.strftime", time.strftime("%G %V %u %e %s"[:14], time.gmtime(0))
    one = queue.Queue[int]()
    one.put(1)
    yield "queue.Queue.qsize", str(one.qsize())
    shared: multiprocessing.queues.Queue[int] | None
    shared = multiprocessing.Queue() if os.access("/dev/shm", os.W_OK) else None
    with contextlib.suppress(NotImplementedError):
        yield "multiprocessing.Queue.qsize", str(shared.qsize() if shared else 0)
    yield "socket.has_ipv6", str(socket.has_ipv6)
    yield "ssl", f"{ssl.OPENSSL_VERSION} {' '.join(sorted(n for n in dir(ssl) if n.startswith('HAS_')))}"
    yield "ssl ciphers", " ".join(c["name"] for c in ssl.create_default_context().get_ciphers())
    options = sqlite3.connect(":memory:").execute("pragma compile_options").fetchall()
    yield "sqlite", " ".join(option for (option,) in options if not option.startswith("COMPILER="))
    yield "locale.nl_langinfo", locale.nl_langinfo(locale.CODESET)
    yield "float repr", repr(0.1 + 0.2)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    described = {key: value for part in (modules, variables, behaviour) for key, value in part()}
    json.dump(described, sys.stdout, indent=1, sort_keys=True)
