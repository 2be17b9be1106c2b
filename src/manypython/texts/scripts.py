"""Scripts in ``bin/``: they find the Python beside them, through symlinks and odd folders."""

from __future__ import annotations

import re

_SHEBANG = re.compile(r"#!\s*(?P<program>\S+)")


def is_python_script(text: str, old_prefix: str) -> bool:
    """Whether a script's first line names a Python of the old prefix, or is a pip polyglot for one."""
    first, _, rest = text.partition("\n")
    if first == "#!/bin/sh" and rest.startswith("'''exec' "):
        return f"{old_prefix}/bin/python" in rest.partition("\n")[0]
    match = _SHEBANG.match(first)
    return bool(match and match["program"].startswith(f"{old_prefix}/bin/python"))


def patch(text: str, python: str) -> str:
    """Make a Python script start as a shell script that runs it with the ``python`` in its own folder.

    To a shell the second line is a command, to Python the second and third are a string.
    ``readlink -f`` is in coreutils, busybox and toybox alike.
    """
    lines = text.split("\n")
    body = lines[3:] if lines[0] == "#!/bin/sh" else lines[1:]
    head = [
        "#!/bin/sh",
        f"""'''exec' "$(dirname -- "$(readlink -f -- "$0")")/{python}" "$0" "$@\"""",
        "' '''",
    ]
    return "\n".join([*head, *body])


def any_python(text: str, old_prefix: str) -> str:
    """Make a Python file outside ``bin/`` whose first line names the old prefix run on any Python."""
    if not is_python_script(text, old_prefix):
        return text
    return "#!/usr/bin/env python3\n" + text.partition("\n")[2]


def config_script(name: str, variables: dict[str, str | int]) -> str:
    """A self-locating ``pythonX.Y-config``.

    Args:
        name: ``python3.13`` as in ``lib/python3.13``.
        variables: the scrubbed ``build_time_vars``.
    """

    def value(key: str) -> str:
        return str(variables.get(key, "")).strip()

    abiflags = value("ABIFLAGS")
    libraries = " ".join(f"{value('LIBS')} {value('SYSLIBS')}".split())
    include = f"{name}{abiflags if not name.endswith(abiflags or '-') else ''}"
    return f"""\
#!/bin/sh
# Prints the flags that compiling against this Python takes; finds itself wherever it stands.

usage() {{
    echo "Usage: $0 [--prefix|--exec-prefix|--includes|--libs|--cflags|--ldflags|\\
--extension-suffix|--help|--abiflags|--configdir|--embed]"
    exit "$1"
}}

# A word that a shell reads back as one (eval): only what needs quotes gets them.
quoted() {{
    case $1 in
    *[!A-Za-z0-9_/.:=+,@%-]*) printf "'%s'" "$(printf %s "$1" | sed "s/'/'\\\\\\\\''/g")" ;;
    *) printf %s "$1" ;;
    esac
}}

[ $# -gt 0 ] || usage 1
prefix=$(cd -P -- "$(dirname -- "$(readlink -f -- "$0")")/.." && pwd)
includes=$(quoted "-I$prefix/include/{include}")
configdir="$prefix/lib/{name}/{value("LIBPL").rpartition("/")[2]}"
libs="{libraries}"
embed=
for argument; do
    [ "$argument" = --embed ] && embed="-l{include} "
done
for argument; do
    case $argument in
    --help) usage 0 ;;
    --embed) ;;
    --prefix | --exec-prefix) echo "$prefix" ;;
    --includes) echo "$includes" ;;
    --cflags) echo "$includes {value("CFLAGS")}" ;;
    --libs) echo "$embed$libs" ;;
    --ldflags) echo "$(quoted "-L$configdir") $(quoted "-L$prefix/lib") $embed$libs" ;;
    --extension-suffix) echo "{value("EXT_SUFFIX")}" ;;
    --abiflags) echo "{abiflags}" ;;
    --configdir) echo "$configdir" ;;
    *) usage 1 ;;
    esac
done
"""
