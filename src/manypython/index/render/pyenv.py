"""``python-build/3.13.5``: definitions for pyenv, and for pipenv and asdf-python through it."""

from __future__ import annotations

from packaging.version import Version

from manypython.index.choice import PLAIN, THREADS, usual
from manypython.index.model import Build, Index

FOLDER = "python-build"


def render(index: Index) -> dict[str, bytes]:
    """One definition a version, free-threaded ones with pyenv's ``t`` behind it."""
    definitions: dict[str, list[Build]] = {}
    for (version, variant, _), build in usual(index).items():
        if variant in (PLAIN, THREADS):
            definitions.setdefault(_name(version, variant), []).append(build)
    return {f"{FOLDER}/{name}": _definition(index, name, builds) for name, builds in definitions.items()}


def _name(version: Version, variant: str) -> str:
    return f"{version}t" if variant == THREADS else str(version)


def _definition(index: Index, name: str, builds: list[Build]) -> bytes:
    """Shell text that python-build sources; ``copy`` puts the archive's one folder in place."""
    cases = "".join(
        f"Linux-{build.target.architecture})\n"
        f'  install_package "python" "{index.base_url}{build.archive.url}#{build.archive.sha256}" copy\n'
        "  ;;\n"
        for build in sorted(builds, key=lambda b: b.target.architecture)
    )
    refusal = f'  echo "{name}: there is no build for $(uname -s) on $(uname -m)" >&2\n  exit 1\n  ;;\n'
    return f'case "$(uname -s)-$(uname -m)" in\n{cases}*)\n{refusal}esac\n'.encode()
