"""What to type into each tool to have it take its interpreters from a site."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass

from manypython.index.choice import latest
from manypython.index.model import POOL, Build, Index
from manypython.model.target import Architecture


@dataclass(frozen=True)
class Command:
    """One tool."""

    tool: str
    says: str
    """What happens, and what to know about it."""
    text: str
    """Lines to copy."""


def commands(index: Index, trust: str = "") -> tuple[Command, ...]:
    """The tools in the order they are shown; none where the site has no final release."""
    found = latest(index)
    if not found:
        return ()
    (major, minor), builds = next(iter(found.items()))
    build = builds.get(Architecture.X86_64) or next(iter(builds.values()))
    base, short, full = index.base_url, f"{major}.{minor}", str(build.version)
    return (
        _ours(base, short, trust),
        *_through_uv(base, short),
        *_others(base, short, full),
        _by_hand(base, build),
    )


def _ours(base: str, short: str, trust: str) -> Command:
    pin = f"--trust {trust}" if trust else "--allow-unsigned"
    return Command(
        "manypython",
        "Takes the build that fits this machine best and prints the path of its interpreter. Afterwards "
        f"manypython fetch {short} is enough. Add --store uv, and uv, tox, nox and virtualenv see it too.",
        f"pip install manypython\nmanypython fetch {short} --index {shlex.quote(base)} {pin}",
    )


def _through_uv(base: str, short: str) -> tuple[Command, ...]:
    """uv, and what asks uv."""
    export = f"export UV_PYTHON_DOWNLOADS_JSON_URL={shlex.quote(f'{base}uv/downloads.json')}\n"
    factor = f"py{short.replace('.', '')}"
    return (
        Command(
            "uv",
            "Its list of downloads is replaced by this site's. Where builds differ in the glibc they want, "
            "there is a list for each: uv/downloads-manylinux_X_Y.json.",
            f"{export}uv python install {short}",
        ),
        Command(
            "tox",
            "With tox-uv, an environment's interpreter is downloaded when it is first wanted.",
            f"pip install tox tox-uv\n{export}tox -e {factor}",
        ),
        Command(
            "nox",
            "With uv as its backend, a session's interpreter is downloaded when it is first wanted.",
            f"pip install nox uv\n{export}nox --force-venv-backend uv",
        ),
    )


def _others(base: str, short: str, full: str) -> tuple[Command, ...]:
    """Tools with a way of their own."""
    bare = base.rstrip("/")
    replacements = json.dumps(
        {
            "https://mise-versions.jdx.dev": bare,
            f"https://github.com/astral-sh/{POOL}": f"{base}{POOL}",
        },
        indent=1,
    )
    definition = (
        "mkdir -p ~/.pyenv-definitions\n"
        f"curl -fsSLo ~/.pyenv-definitions/{full} {shlex.quote(f'{base}python-build/{full}')}\n"
        "export PYTHON_BUILD_DEFINITIONS=~/.pyenv-definitions\n"
    )
    return (
        Command(
            "pyenv",
            "A definition of this site goes before pyenv's own of the same version: nothing is compiled.",
            f"{definition}pyenv install {full}",
        ),
        Command(
            "pipenv",
            "Installs through pyenv, which must be on PATH.",
            f"{definition}PIPENV_YES=1 pipenv --python {full}",
        ),
        Command(
            "hatch",
            "One variable for each minor version; hatch checks no checksum, so let the site be https.",
            f"curl -fsSLO {shlex.quote(f'{base}hatch.env')}\n. ./hatch.env\nhatch python install {short}",
        ),
        Command(
            "pipx",
            "pipx believes its list for 30 days from the time in it, so the time of the download is put in.",
            'list="$(pipx environment --value PIPX_HOME)/py/index.json"\n'
            'mkdir -p "$(dirname "$list")"\n'
            f"curl -fsSL {shlex.quote(f'{base}pipx/index.json')} |\n"
            '  sed "s/\\"fetched\\": [0-9]*/\\"fetched\\": $(date +%s)/" > "$list"\n'
            f"PIPX_FETCH_PYTHON=missing pipx install --python {short} cowsay",
        ),
        Command(
            "mise",
            "Its list of precompiled interpreters and their archives come from here. "
            "To pin checksums, see mise.lock.sample.",
            "export MISE_PYTHON_COMPILE=false MISE_PYTHON_GITHUB_ATTESTATIONS=false\n"
            'export MISE_PYTHON_PRECOMPILED_ARCH="$(uname -m)"\n'
            f"export MISE_URL_REPLACEMENTS={shlex.quote(replacements)}\n"
            f"mise install python@{full}",
        ),
        Command(
            "setup-python",
            "For GitHub Actions, with actions/setup-python 7.1 or newer.",
            f'- uses: actions/setup-python@v7\n  with:\n    python-version: "{short}"\n    mirror: {bare}',
        ),
    )


def _by_hand(base: str, build: Build) -> Command:
    """Nothing but what every machine has."""
    archive = build.archive
    name = shlex.quote(archive.name)
    return Command(
        "curl and tar",
        f"For {build.target.architecture}; unpack it anywhere, and move it later if you like.",
        f"curl -fsSLo {name} \\\n  {shlex.quote(base + archive.url)}\n"
        f"echo '{archive.sha256}  {archive.name}' | sha256sum -c\n"
        f"tar -xzf {name}\npython/bin/python3 --version",
    )
