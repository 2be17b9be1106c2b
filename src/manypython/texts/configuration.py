"""Makefile, pkg-config files, ``build-details.json`` and RECORD: one pure function each."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import re
from typing import Any

from manypython.model.tree import NEUTRAL_PREFIX
from manypython.texts.scrub import Scrubber
from manypython.texts.sysconfig import LIBRARY_VARIABLES, Variables

_ASSIGNMENT = re.compile(r"^(?P<name>\w+)=(?P<space>\s*)(?P<value>.*)$")
# one shell command and no make function, because make takes a space for the end of a name
_SELF_LOCATING = (
    "$(shell cd -P \"$$(dirname \"$$(printf %s '$(MAKEFILE_LIST)' | sed 's/^ *//')\")/../../..\" && pwd)"
)

_LIBRARY = {name.upper(): name for name in LIBRARY_VARIABLES}
"""The Makefile's names of them."""


def makefile(text: str, scrubber: Scrubber, variables: Variables) -> str:
    """The Makefile in ``config-*``: its prefix comes from its own place (``MAKEFILE_LIST``)."""
    lines = []
    for original in text.split("\n"):
        # the name is scrubbed apart from the value: else all of NAME=-L/build/lib would go
        name, sign, value = original.partition("=") if _ASSIGNMENT.match(original) else ("", "", original)
        line = f"{name}{sign}{scrubber.text(value)}"
        match = _ASSIGNMENT.match(line)
        if match is None or line.endswith("\\"):
            lines.append(line.replace(f"{NEUTRAL_PREFIX}/", "$(prefix)/"))
        elif match["name"] == "prefix":
            lines.append(f"prefix := {_SELF_LOCATING}")
        elif match["name"] == "CONFIG_ARGS":
            lines.append(f"CONFIG_ARGS={match['space']}{variables.get('CONFIG_ARGS', '')}")
        elif _LIBRARY.get(match["name"]) in variables:
            lines.append(f"{match['name']}={match['space']}{variables[_LIBRARY[match['name']]]}")
        elif match["name"] in ("CC", "CXX", "AR", "RANLIB", "MAINCC", "LINKCC"):
            tool = (
                variables.get(match["name"], match["value"]) if "$" not in match["value"] else match["value"]
            )
            lines.append(f"{match['name']}={match['space']}{tool}")
        else:
            value = scrubber.flags(match["value"], "$(prefix)")
            value = re.sub(rf"(?<![\w.-]){NEUTRAL_PREFIX}(?=/|\s|$)", lambda _: "$(prefix)", value)
            lines.append(f"{match['name']}={match['space']}{value.rstrip()}")
    return "\n".join(lines)


def pkgconfig(text: str, scrubber: Scrubber) -> str:
    """A ``.pc`` file whose prefix is two folders above it, wherever that is."""
    lines = []
    for line in scrubber.text(text).split("\n"):
        if re.match(r"prefix\s*=", line):
            lines.append("prefix=${pcfiledir}/../..")
        else:
            lines.append(line.replace(NEUTRAL_PREFIX, "${prefix}"))
    return "\n".join(lines)


def build_details(text: str, old_prefix: str) -> str:
    """``build-details.json`` with a relative ``base_prefix`` (PEP 739)."""
    details = json.loads(text)
    details["base_prefix"] = "../.."
    return json.dumps(_relative(details, old_prefix), indent=2, sort_keys=True) + "\n"


def _relative(value: Any, old_prefix: str) -> Any:  # noqa: ANN401  (JSON)
    if isinstance(value, dict):
        return {key: _relative(inner, old_prefix) for key, inner in value.items()}
    if isinstance(value, list):
        return [_relative(inner, old_prefix) for inner in value]
    if isinstance(value, str) and value.startswith((f"{old_prefix}/", f"{NEUTRAL_PREFIX}/")):
        return value.removeprefix(old_prefix).removeprefix(NEUTRAL_PREFIX).lstrip("/")
    return value


def usual_scheme(text: str) -> str:
    """``sysconfig`` of Debian with CPython's own scheme: packages go to ``site-packages``.

    Debian's ``posix_local`` installs below ``PREFIX/local``, which makes sense in ``/usr`` only.
    """
    return re.sub(r"(prefix_scheme = |return )'posix_local'", r"\1'posix_prefix'", text)


def own_wheels(text: str) -> str:
    """``ensurepip`` of Debian's PyPy with the wheels of the tree, not those of ``/usr``."""
    return re.sub(r"(?<!base_prefix \+ )'/usr(/share/python-wheels)", r"sys.base_prefix + '\1", text)


def record(text: str, changed: dict[str, bytes]) -> str:
    """A wheel's RECORD (PEP 376) with the digests of files that were rewritten.

    Args:
        text: the RECORD.
        changed: the new bytes, by the path as the RECORD writes it.
    """
    rows = list(csv.reader(io.StringIO(text)))
    for row in rows:
        if row and row[0] in changed:
            data = changed[row[0]]
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=")
            row[1:] = [f"sha256={digest.decode()}", str(len(data))]
    sink = io.StringIO()
    csv.writer(sink, lineterminator="\n").writerows(rows)
    return sink.getvalue()
