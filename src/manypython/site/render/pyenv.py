"""``python-build/3.13.5``: definitions for pyenv, and for pipenv and asdf-python through it."""

from __future__ import annotations

from packaging.version import Version

from manypython.index.choice import PLAIN, THREADS, group, newest, of_glibc
from manypython.index.model import Build, Index

FOLDER = "python-build"
_GLIBC = r"""glibc="$(getconf GNU_LIBC_VERSION 2>/dev/null |
  sed -n 's/^glibc \([0-9]*\)[.]\([0-9]*\).*/\1 * 1000 + \2/p')"
"""
"""The machine's glibc, 2.36 as ``2 * 1000 + 36``; nothing where it has none, or none that says so."""


def render(index: Index) -> dict[str, bytes]:
    """One definition a version, free-threaded ones with pyenv's ``t`` behind it.

    A definition is run where it installs, so it takes the build that fits that machine's glibc.
    """
    definitions: dict[str, list[Build]] = {}
    for (version, variant, _), builds in of_glibc(index.builds).items():
        if variant in (PLAIN, THREADS):
            definitions.setdefault(_name(version, variant), []).extend(builds)
    return {f"{FOLDER}/{name}": _definition(index, name, builds) for name, builds in definitions.items()}


def _name(version: Version, variant: str) -> str:
    return f"{version}t" if variant == THREADS else str(version)


def _definition(index: Index, name: str, builds: list[Build]) -> bytes:
    """Shell text that python-build sources; ``copy`` puts the archive's one folder in place."""
    machines = sorted(group(builds, lambda build: build.target.architecture).items())
    cases = "".join(f"Linux-{machine})\n{_fitting(index, name, alike)}  ;;\n" for machine, alike in machines)
    refusal = f'  echo "{name}: there is no build for $(uname -s) on $(uname -m)" >&2\n  exit 1\n  ;;\n'
    return f'{_GLIBC}case "$(uname -s)-$(uname -m)" in\n{cases}*)\n{refusal}esac\n'.encode()


def _fitting(index: Index, name: str, builds: list[Build]) -> str:
    """Which build a machine gets: the newest that its glibc runs; what is not known counts as the oldest."""
    floors = sorted({build.target.floor for build in builds}, reverse=True)
    chosen = [newest(build for build in builds if build.target.floor <= floor) for floor in floors]
    text = f"  glibc=$((${{glibc:-{_number(floors[-1])}}}))\n"
    for number, (floor, build) in enumerate(zip(floors, chosen, strict=True)):
        archive = build.archive
        text += (
            f'  {"elif" if number else "if"} [ "$glibc" -ge $(({_number(floor)})) ]; then\n'
            f'    install_package "python" "{index.base_url}{archive.url}#{archive.sha256}" copy\n'
        )
    floor_text = ".".join(map(str, floors[-1]))
    refusal = f"{name}: wants glibc {floor_text} or newer, and this is $(getconf GNU_LIBC_VERSION)"
    return f'{text}  else\n    echo "{refusal}" >&2\n    exit 1\n  fi\n'


def _number(floor: tuple[int, int]) -> str:
    return f"{floor[0]} * 1000 + {floor[1]}"
