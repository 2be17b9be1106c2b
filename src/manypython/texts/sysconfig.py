"""``_sysconfigdata*.py``: a literal that installers can rewrite, and a trailer for everybody else.

uv, mise and pdm parse the first line and the literal dict and replace words that begin
with ``/install``; whoever just unpacks the archive gets the same from the trailer, each
time the module is imported, wherever the tree stands by then.
"""

from __future__ import annotations

import ast
import json

from manypython.model.errors import TreeError
from manypython.texts.scrub import Scrubber, compiler

HEADER = "# system configuration generated and used by the sysconfig module\n"
_COMPILER_VARIABLES = frozenset(
    {"AR", "BLDSHARED", "CC", "CXX", "LDCXXSHARED", "LDSHARED", "LINKCC", "MAINCC", "RANLIB"}
)
_SYSTEM_LIBRARIES = frozenset(("-ldl", "-lm", "-lpthread", "-lrt", "-lutil"))
LIBRARY_VARIABLES = (
    "BLDLIBRARY", "INSTSONAME", "LDLIBRARY", "LIBRARY", "LIBRARY_DEPS", "MODLIBS", "Py_ENABLE_SHARED",
)  # fmt: skip
"""They describe libpython."""
_TRAILER = '''

def _relocate(variables):
    """Let the literal above hold where this file is now."""
    import os
    import sys

    try:
        prefix = os.path.abspath(__file__)
    except NameError:
        prefix = sys.base_prefix
    else:
        for _ in range(3):  # PREFIX/lib/pythonX.Y/this file
            prefix = os.path.dirname(prefix)
    for name, value in variables.items():
        if isinstance(value, str) and "/install" in value:
            text, *pieces = value.split("/install")
            for piece in pieces:
                alone = text[-1:] in ("", " ", "'", '"', "=", ":")
                whole = alone and piece[:1] in ("", " ", "'", '"', ":", "/")
                text += (prefix if whole else "/install") + piece
            variables[name] = text


_relocate(build_time_vars)
del _relocate
'''

Variables = dict[str, str | int]


def parse(text: str, file: str) -> Variables:
    """The variables of a ``_sysconfigdata*.py``; nothing is executed.

    Raises:
        TreeError: there is no literal ``build_time_vars``.
    """
    try:
        for node in ast.parse(text).body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "build_time_vars":
                return {str(key): value for key, value in ast.literal_eval(node.value).items()}
    except (SyntaxError, ValueError) as error:
        raise TreeError(f"{file}: cannot be read: {error}") from None
    raise TreeError(f"{file}: has no build_time_vars")


def describe(variables: Variables, libpython: str) -> Variables:
    """The variables of a tree that has ``libpython`` as a shared library only, though none was configured.

    Args:
        variables: as configure has them: they name a static library.
        libpython: ``libpython3.13.so.1.0``.
    """
    name = libpython.partition(".so")[0]
    words = str(variables.get("MODLIBS", "")).split()
    return variables | {
        "BLDLIBRARY": f"-L. -l{name.removeprefix('lib')}",
        "INSTSONAME": libpython,
        "LDLIBRARY": f"{name}.so",
        "LIBRARY": "",
        "LIBRARY_DEPS": f"{name}.so",
        # what was linked in is nobody else's to link
        "MODLIBS": " ".join(dict.fromkeys(word for word in words if word in _SYSTEM_LIBRARIES)),
        "Py_ENABLE_SHARED": 1,
    }


def scrub(variables: Variables, scrubber: Scrubber) -> Variables:
    """The variables with nothing of the build machine in them, under the neutral prefix."""
    clean: Variables = {}
    for name, value in variables.items():
        if not isinstance(value, str):
            clean[name] = value
        elif name == "CONFIG_ARGS":
            clean[name] = scrubber.config_args(value)
        else:
            text = compiler(value) if name in _COMPILER_VARIABLES else value
            clean[name] = scrubber.flags(text)
    return clean


def render(variables: Variables) -> str:
    """The module's text: header, literal dict, trailer."""
    rows = [f" {_quoted(name)}: {_quoted(value)}," for name, value in sorted(variables.items())]
    return HEADER + "build_time_vars = {" + "\n".join(rows).lstrip() + "\n}\n" + _TRAILER


def patch_json(variables: Variables) -> str:
    """The new text of a ``_sysconfig_vars*.json`` (3.14+): no code can follow it, so it stays neutral."""
    return json.dumps(variables, indent=2, sort_keys=True) + "\n"


def _quoted(value: str | int) -> str:
    """A literal whose only escapes are those of backslash and quote."""
    if isinstance(value, int):
        return str(value)
    text = " ".join(value.split()) if any(c in value for c in "\n\t\r") else value
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
