"""``hatch.env``, shell lines to be sourced: where hatch finds its interpreters."""

from __future__ import annotations

from manypython.index.choice import latest
from manypython.index.model import Build, Index
from manypython.model.target import Architecture


def render(index: Index) -> dict[str, bytes]:
    """The newest final release of each minor version, for the architecture that sources it."""
    lines: dict[Architecture, list[str]] = {}
    for (major, minor), builds in latest(index.builds).items():
        for architecture, build in builds.items():
            lines.setdefault(architecture, []).append(_line(index, major, minor, build))
    if not lines:
        return {}
    cases = "".join(f"{name})\n{''.join(exports)}  ;;\n" for name, exports in sorted(lines.items()))
    return {"hatch.env": f'case "$(uname -m)" in\n{cases}esac\n'.encode()}


def _line(index: Index, major: int, minor: int, build: Build) -> str:
    return f"  export HATCH_PYTHON_CUSTOM_SOURCE_{major}_{minor}='{index.base_url}{build.archive.url}'\n"
