"""The ``pybi-info`` folder of PEP 711, so that a reader of PyBI files can unpack the zip."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
from pathlib import PurePosixPath

from manypython.archives.members import Member, complete
from manypython.model.tree import Tree
from manypython.pack.facts import Facts
from manypython.version import __version__

_FOLDER = "pybi-info"


def members(tree: Tree, facts: Facts, packed: tuple[Member, ...]) -> tuple[Member, ...]:
    """These members with ``PYBI``, ``METADATA`` and ``RECORD``."""
    files = {"PYBI": _pybi(facts), "METADATA": _metadata(tree, facts)}
    info = [Member(PurePosixPath(_FOLDER, name), text.encode()) for name, text in files.items()]
    record = Member(PurePosixPath(_FOLDER, "RECORD"), _record((*packed, *info)).encode())
    return (*packed, *info, record)


def _pybi(facts: Facts) -> str:
    return (
        f"Pybi-Version: 1.0\nGenerator: manypython {__version__}\nTag: {facts.policy}\nBuild: {facts.build}\n"
    )


def _metadata(tree: Tree, facts: Facts) -> str:
    short = f"{tree.version.major}.{tree.version.minor}"
    markers = {
        "implementation_name": facts.implementation,
        "os_name": "posix",
        "platform_machine": str(facts.target.architecture),
        "platform_python_implementation": {"cpython": "CPython", "pypy": "PyPy"}[facts.implementation],
        "platform_system": "Linux",
        "python_full_version": facts.version,
        "python_version": short,
        "sys_platform": "linux",
    }
    if facts.implementation == "cpython":  # PyPy's own version stands in no file
        markers["implementation_version"] = facts.version
    library = f"lib/{tree.name}"
    paths = {
        "data": ".",
        "include": f"include/{tree.name}",
        "platinclude": f"include/{tree.name}",
        "platlib": f"{library}/site-packages",
        "platstdlib": library,
        "purelib": f"{library}/site-packages",
        "scripts": "bin",
        "stdlib": library,
    }
    return "".join(
        (
            f"Metadata-Version: 2.1\nName: {facts.implementation}\nVersion: {facts.version}\n",
            f"Pybi-Environment-Marker-Variables: {json.dumps(markers, sort_keys=True)}\n",
            f"Pybi-Paths: {json.dumps(paths, sort_keys=True)}\n",
            *(f"Pybi-Wheel-Tag: {tag}\n" for tag in wheel_tags(tree)),
        )
    )


def wheel_tags(tree: Tree) -> list[str]:
    """Tags of the wheels it takes, the best first; an installer fills PLATFORM in (PEP 711).

    A free-threaded interpreter is ``cp313`` with the ABI ``cp313t``, and takes no abi3 (PEP 703). The list is
    our own and not ``packaging.tags``': what that says changes with its version, and these bytes must not.
    """
    minor = tree.version.minor
    interpreter = tree.python_tag.removesuffix("t")
    tags = [f"{interpreter}-none-PLATFORM"]
    if tree.implementation == "cpython":
        limited = [] if tree.threaded else [f"cp3{number}-abi3-PLATFORM" for number in range(minor, 1, -1)]
        own = f"{interpreter}-{tree.python_tag}-PLATFORM"
        tags = [own, *limited[:1], *tags, *limited[1:]]
    return [*tags, *(f"py3{number}-none-any" for number in range(minor, -1, -1)), "py3-none-any"]


def _record(packed: tuple[Member, ...]) -> str:
    sink = io.StringIO()
    rows = csv.writer(sink, lineterminator="\n")
    for member in complete(packed):
        if member.link:
            rows.writerow((str(member.name), f"symlink={member.link}", ""))
        elif not member.is_folder:
            data = member.read()
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            rows.writerow((str(member.name), f"sha256={digest}", len(data)))
    rows.writerow((f"{_FOLDER}/RECORD", "", ""))
    return sink.getvalue()
