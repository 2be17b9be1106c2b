"""What to paste into each tool to have it take its interpreters from a site.

The site's page shows it, and ``manypython integrate``. Each tool has a page in
``docs/integrations``, which begins with the same lines and whose commands are tested.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from manypython.index.choice import everywhere, latest
from manypython.index.model import Build, Index
from manypython.model.identifier import Spec
from manypython.model.target import Architecture
from manypython.site.render import uv


@dataclass(frozen=True)
class Command:
    """One tool."""

    tool: str
    """One word, as ``manypython integrate`` takes it."""
    says: str
    """What happens, in a short sentence, then what to know about it."""
    text: str
    """Lines to copy."""


@dataclass(frozen=True)
class _Site:
    """What the lines have to name."""

    base: str
    """With a slash at its end."""
    trust: str
    """``sha256:HEX``; empty: nobody signs the index."""
    short: str
    """``3.13``."""
    build: Build
    listed: bool
    """Whether the lists have it that know no C library; else it wants a newer one than others of the site."""

    @property
    def options(self) -> str:
        """Of ``manypython fetch``."""
        trust = f"--trust {self.trust}" if self.trust else "--allow-unsigned"
        return f"--index {shlex.quote(self.base)} {trust}"

    def exports(self, prefix: str = "") -> str:
        """For what runs manypython by itself."""
        trust = f"TRUST={self.trust}" if self.trust else "ALLOW_UNSIGNED=1"
        return f"export {prefix}MANYPYTHON_INDEX={shlex.quote(self.base)} {prefix}MANYPYTHON_{trust}"

    @property
    def uv(self) -> str:
        """For what runs uv by itself."""
        path = uv.path(None if self.listed else self.build.target)
        return f"export UV_PYTHON_DOWNLOADS_JSON_URL={shlex.quote(f'{self.base}{path}')}"

    @property
    def definition(self) -> str:
        """For what runs pyenv's python-build by itself."""
        full = self.build.version
        return (
            "mkdir -p ~/.pyenv-definitions\n"
            f"curl -fsSLo ~/.pyenv-definitions/{full} {shlex.quote(f'{self.base}python-build/{full}')}\n"
            "export PYTHON_BUILD_DEFINITIONS=~/.pyenv-definitions"
        )

    def linked(self, then: str) -> str:
        """For what looks where uv keeps its interpreters."""
        return f"pip install manypython\nmanypython fetch {self.short} --store uv {self.options}\n{then}"


def commands(index: Index, trust: str = "", spec: Spec | None = None) -> tuple[Command, ...]:
    """The tools in the order they are shown; none where the site has no final release.

    Args:
        index: the builds; tools are given its base URL.
        trust: what users pin, ``sha256:HEX``; empty: nobody signs the index.
        spec: the version to speak of; None: the newest.
    """
    meant = [build for build in index.builds if spec is None or spec.matches(build.version)]
    listed = set(everywhere(index.builds))
    releases = latest([build for build in meant if build in listed]) or latest(meant)
    if not releases:
        return ()
    (major, minor), builds = next(iter(releases.items()))
    build = builds.get(Architecture.X86_64) or next(iter(builds.values()))
    site = _Site(index.base_url, trust, f"{major}.{minor}", build, build in listed)
    return (
        *_runners(site),
        *_version_managers(site),
        *_project_managers(site),
        *_services(site),
        _by_hand(site),
    )


def _runners(site: _Site) -> tuple[Command, ...]:
    """Ours, and what runs a project on several versions."""
    factor = f"py{site.short.replace('.', '')}"
    pin = f"\nmanypython_trust = {site.trust}" if site.trust else ""
    keyword = f'trust="{site.trust}"' if site.trust else "allow_unsigned=True"
    unsigned = "" if site.trust else " The site is not signed: set MANYPYTHON_ALLOW_UNSIGNED=1."
    return (
        Command(
            "manypython",
            "Takes the build that fits this machine best and prints the path of its interpreter. Afterwards "
            f"manypython fetch {site.short} is enough. Add --store uv, and uv, tox, nox and virtualenv see "
            "it too.",
            f"pip install manypython\nmanypython fetch {site.short} {site.options}",
        ),
        Command(
            "uv",
            "Its list of downloads is replaced by this site's. Where builds differ in the glibc they want, "
            "it has those that run everywhere, and uv/downloads-manylinux_X_Y.json what that glibc runs.",
            f"{site.uv}\nuv python install {site.short}",
        ),
        Command(
            "tox",
            "An environment's interpreter is fetched when it is first wanted. Lines of tox.ini; tox installs "
            f"the plug-in by itself.{unsigned}",
            f"[tox]\nrequires = manypython\nmanypython_index = {site.base}{pin}",
        ),
        Command(
            "tox-uv",
            "With tox-uv, uv downloads an environment's interpreter when it is first wanted.",
            f"{site.uv}\ntox run -e {factor}",
        ),
        Command(
            "nox",
            "A session's interpreter is fetched when the session runs. Lines of the noxfile; nox needs "
            "manypython beside it: pip install nox manypython.",
            "from manypython.integrations.nox import interpreter\n\n"
            f'@nox.session(python=interpreter("{site.short}", index="{site.base}", {keyword}))',
        ),
        Command(
            "virtualenv",
            "What the machine does not have is fetched. Needs manypython beside virtualenv.",
            f"export VIRTUALENV_DISCOVERY=manypython\n{site.exports('VIRTUALENV_')}\n"
            f"virtualenv -p {site.short} .venv",
        ),
    )


def _version_managers(site: _Site) -> tuple[Command, ...]:
    full = site.build.version
    return (
        Command(
            "pyenv",
            "A definition of this site goes before pyenv's own of the same version: nothing is compiled.",
            f"{site.definition}\npyenv install {full}",
        ),
        Command(
            "asdf",
            "Its plug-in for Python runs pyenv's python-build, which takes this site's definition.",
            f"{site.definition}\nasdf install python {full}",
        ),
        Command(
            "mise",
            "Links to what was fetched are made. For lists and checksums instead, see mise.lock.sample.",
            site.linked("mise sync python --uv"),
        ),
    )


def _project_managers(site: _Site) -> tuple[Command, ...]:
    says = "Fetched once, it is found where uv keeps its interpreters."
    return (
        Command(
            "pipenv",
            "Installs what it does not find, through a small pyenv that manypython brings. Where pyenv "
            "itself is installed, let it have the site's definitions instead.",
            f"pip install pipenv manypython\n{site.exports()}\nmanypython pyenv-shim install\n"
            'export PATH="$HOME/.local/bin:$PATH"\n'
            f"PIPENV_YES=1 pipenv --python {site.short} install",
        ),
        Command(
            "hatch", f'{says} In pyproject.toml: python = "{site.short}".', site.linked("hatch run python -V")
        ),
        Command("pdm", says, site.linked(f"pdm use {site.short} && pdm install")),
        Command("poetry", says, site.linked(f"poetry env use {site.short} && poetry install")),
        Command(
            "pipx",
            "An application gets the interpreter of this path. pipx takes an empty path for its own "
            "interpreter.",
            f'pip install manypython\npython="$(manypython fetch {site.short} {site.options})" && \\\n'
            '  pipx install --python "$python" cowsay',
        ),
        Command(
            "pre-commit",
            f"{says} In .pre-commit-config.yaml: default_language_version: python: python{site.short}.",
            site.linked("pre-commit run --all-files"),
        ),
    )


def _services(site: _Site) -> tuple[Command, ...]:
    trust = f"\n    trust: {site.trust}" if site.trust else ""
    setup_python = Command(
        "setup-python",
        "actions/setup-python 7.1 or newer takes interpreters from here.",
        f'- uses: actions/setup-python@v7\n  with:\n    python-version: "{site.short}"\n'
        f"    mirror: {site.base.rstrip('/')}",
    )
    return (
        Command(
            "github-actions",
            "manypython's own action puts interpreters on PATH. Name the copy of it that you use, and the "
            "commit that you looked at.",
            f"- uses: OWNER/manypython/.github/actions/setup@COMMIT\n  with:\n"
            f'    python-version: "{site.short}"\n'
            f"    index: {site.base}{trust}",
        ),
        *((setup_python,) if site.listed else ()),  # its list has no word for a C library
        Command(
            "heroku",
            "An app's interpreter comes from here, by the buildpack in buildpacks/python of manypython's "
            "repository; ADDRESS is that of your copy of it.",
            f"heroku config:set MANYPYTHON_INDEX={shlex.quote(site.base)}\nheroku buildpacks:set ADDRESS",
        ),
    )


def _by_hand(site: _Site) -> Command:
    """Nothing but what every machine has."""
    archive = site.build.archive
    name = shlex.quote(archive.name)
    return Command(
        "curl",
        f"For {site.build.target.architecture}; unpack it anywhere, and move it later if you like.",
        f"curl -fsSLo {name} \\\n  {shlex.quote(site.base + archive.url)}\n"
        f"echo '{archive.sha256}  {archive.name}' | sha256sum -c\n"
        f"tar -xzf {name}\npython/bin/python3 --version",
    )
