"""Commands of the consumer: fetch, list, find, files, remove, prune, config.

``fetch`` and ``find`` answer from the store before anything else is imported.
"""

from __future__ import annotations

import os
import sys

from manypython.model.errors import NoBuildError, OutputError, UsageError
from manypython.model.request import read as read_request
from manypython.store.installed import Installed, answering, find, installed
from manypython.store.obtain import obtain
from manypython.store.settings import DEFAULTS, HELP, Settings, read

TYPE_CHECKING = False


if TYPE_CHECKING:
    import argparse
    from typing import Any

    from manypython.progress import Reporter


def fetch(arguments: argparse.Namespace) -> int:
    """Print the paths of interpreters, which are fetched if they are not here."""
    settings = settings_of(arguments)
    told = False

    def reporter() -> Reporter:
        nonlocal told
        told = True
        from manypython.progress import Reporter  # needed by few

        return Reporter(quiet=arguments.json)

    named = {str(read_request(spec)) for spec in arguments.specs}
    requests = [*arguments.specs, *(wish for wish in _wished(arguments.origins) if wish not in named)]
    if not requests:
        raise UsageError(
            "nothing was asked for", remedy="name a version, or a file that does: --from tox.ini"
        )
    found = obtain(requests, settings, reporter, upgrade=arguments.upgrade)
    for each in {each.key: each for each in found}.values():
        if not told and settings.index and not each.receipt().get("signed"):
            print(f"warning: {each.key}: came from an index that is not signed", file=sys.stderr)
    if arguments.json:
        rows = [
            {"request": request, **_described(each)} for request, each in zip(requests, found, strict=True)
        ]
        print(_json(rows[0] if len(arguments.specs) == 1 and not arguments.origins else rows))
    else:
        print("\n".join(each.python for each in found))
    return 0


def _wished(origins: list[str]) -> list[str]:
    """The interpreters of ours that files of a project ask for, each once."""
    if not origins:
        return []
    from pathlib import Path

    from manypython.projects import wishes

    wished = [wish for origin in origins for wish in wishes(Path(origin))]
    for wish in wished:
        if not wish.request:
            print(f"note: {wish.path}: {wish.where}: {wish.said}: {wish.note}", file=sys.stderr)
    requests = list(dict.fromkeys(wish.request for wish in wished if wish.request))
    if not requests:
        raise UsageError(f"{', '.join(origins)}: asks for no CPython", remedy="name a version")
    return requests


def find_here(arguments: argparse.Namespace) -> int:
    """Print the path of an interpreter that is here."""
    settings = settings_of(arguments)
    found = find(settings.store_dir, arguments.spec, target=settings.target)
    if found is None:
        raise NoBuildError(
            f"{settings.store_dir}: has no {arguments.spec} for this machine",
            remedy=f"manypython fetch {arguments.spec}",
        )
    print(_json(_described(found)) if arguments.json else found.python)
    return 0


def list_all(arguments: argparse.Namespace) -> int:
    """List what is here, or what the index has."""
    settings = settings_of(arguments)
    if arguments.available:
        return _list_available(arguments, settings)
    rows = [_described(each) for each in installed(settings.store_dir)]
    if arguments.json:
        print(_json(rows))
        return 0
    for row in rows:
        mark = "" if row["signed"] else "  (not signed)"
        print(f"{row['key']}  {row['python']}{mark}")
    if not rows:
        print(f"{settings.store_dir}: no interpreters yet", file=sys.stderr)
    return 0


def _list_available(arguments: argparse.Namespace, settings: Settings) -> int:
    from manypython.index import host
    from manypython.index.reading import all_builds
    from manypython.model.target import Target
    from manypython.progress import Reporter
    from manypython.store.fetch import available

    entries, _, source = available(settings, Reporter(quiet=arguments.json))
    tags = set(host.platform_tags(Target.parse(settings.target) if settings.target else None))
    here = {each.key for each in installed(settings.store_dir)}
    rows = [
        {
            "key": each.key,
            "version": str(each.version),
            "platform_tag": each.target.platform_tag,
            "variant": each.variant,
            "fits": each.target.platform_tag in tags,
            "installed": each.key in here,
        }
        for each in all_builds(entries, source)
    ]
    if arguments.json:
        print(_json(rows))
        return 0
    for row in rows:
        mark = "installed" if row["installed"] else "" if row["fits"] else "not for this machine"
        print(f"{row['key']}  {mark}".rstrip())
    return 0


def files(arguments: argparse.Namespace) -> int:
    """List the files of an interpreter."""
    from manypython.store import trees as store

    for found in chosen_of(arguments.names, settings_of(arguments)):
        names = store.files(found)
        if arguments.json:
            print(_json({"folder": found.folder, "files": names}))
        else:
            print("\n".join(os.path.join(found.folder, name) for name in names))
    return 0


def config(arguments: argparse.Namespace) -> int:
    """Show the settings."""
    settings = settings_of(arguments)
    shown = dict(settings.values)
    try:
        shown["store-dir"] = settings.store_dir
    except OutputError as error:  # it is shown that there is none, and why
        print(f"note: store-dir: {error.line}", file=sys.stderr)
    if arguments.json:
        print(_json({k: {"value": v, "from": settings.sources[k]} for k, v in shown.items()}))
        return 0
    for name, value in shown.items():
        text = (
            " ".join(value)
            if isinstance(value, list)
            else str(value).lower()
            if isinstance(value, bool)
            else value
        )
        print(f"{name:<15} {text or '-':<45} {settings.sources[name]}")
    return 0


def chosen_of(names: list[str], settings: Settings) -> list[Installed]:
    """Interpreters by folder name, or all that answer a request."""
    there = installed(settings.store_dir)
    chosen: dict[str, Installed] = {}
    for name in names:
        found = [each for each in there if each.key == name] or _answers(name, there)
        if not found:
            raise UsageError(
                f"{settings.store_dir}: has no {name}", remedy="manypython list shows what is there"
            )
        chosen.update({each.key: each for each in found})
    return list(chosen.values())


def _answers(request: str, there: list[Installed]) -> list[Installed]:
    try:
        return list(filter(answering(request), there))
    except UsageError:  # no request: a folder's name that is not there
        return []


def settings_of(arguments: argparse.Namespace) -> Settings:
    """The settings that hold where these options were given."""
    given = {name: getattr(arguments, name.replace("-", "_"), None) for name in DEFAULTS}
    return read({name: value for name, value in given.items() if value not in (None, False)})


def _json(data: object) -> str:
    import json

    return json.dumps(data, indent=1)


def _described(found: Installed) -> dict[str, Any]:
    receipt = found.receipt()
    return {
        "python": found.python,
        "folder": found.folder,
        "key": found.key,
        "version": found.version,
        "build": found.build,
        "platform_tag": receipt.get("platform_tag", ""),
        "sha256": receipt.get("sha256", ""),
        "index": receipt.get("index", ""),
        "signed": bool(receipt.get("signed")),
    }


def _option(name: str) -> tuple[str, dict[str, Any]]:
    """The option of a setting."""
    told: dict[str, Any] = {"help": HELP[name]}
    kinds: dict[type, dict[str, Any]] = {
        bool: {"action": "store_true"}, float: {"type": float}, list: {"action": "append"}
    }  # fmt: skip
    told |= kinds.get(type(DEFAULTS[name]), {"metavar": "FOLDER" if name.endswith("dir") else name.upper()})
    flag = "--mirror" if name == "mirrors" else f"--{name}"
    return (flag, told | ({"dest": "mirrors", "metavar": "URL"} if name == "mirrors" else {}))


JSON = ("--json", {"action": "store_true", "help": "print the result as JSON and no progress"})
_SPEC = (
    "spec",
    {
        "metavar": "SPEC",
        "help": "3.13 (the newest), 3.13.5, py313, 3.13t or '>=3.12,<3.14'",
    },
)


NAMES = (
    "names",
    {"metavar": "NAME", "nargs": "+", "help": "a version as above, or a folder's name from list"},
)
STORE_DIR, _TARGET = _option("store-dir"), _option("target")


INDEX_OPTIONS = tuple(
    _option(name)
    for name in ("index", "mirrors", "trust", "allow-unsigned", "offline", "ca-bundle", "timeout")
)


COMMANDS = {
    "fetch": (
        fetch,
        "manypython fetch 3.13", "manypython fetch '>=3.12,<3.14' --index https://example.org/pythons",
        "$(manypython fetch 3.13) -m venv .venv", "manypython fetch 3.13 --store uv",
        "manypython fetch 3.11 3.12 3.13", "manypython fetch --from tox.ini",
        ("specs", {**_SPEC[1], "nargs": "*"}),
        ("--from", {
            "metavar": "FILE", "dest": "origins", "action": "append", "default": [],
            "help": "all that a tox.ini, noxfile.py, Pipfile, pyproject.toml, .python-version ... asks for",
        }),
        ("--upgrade -U", {"action": "store_true", "help": "ask the index though one is here"}),
        *INDEX_OPTIONS, _TARGET, _option("store"), STORE_DIR, JSON,
    ),
    "list": (
        list_all, "manypython list", "manypython list --available --index https://example.org/pythons",
        ("--available", {"action": "store_true", "help": "what the index has"}),
        *INDEX_OPTIONS, _TARGET, STORE_DIR, JSON,
    ),
    "find": (find_here, "manypython find 3.13", _SPEC, _TARGET, STORE_DIR, JSON),
    "files": (files, "manypython files 3.13", NAMES, STORE_DIR, JSON),
    "config": (
        config, "manypython config", "manypython config --json",
        *INDEX_OPTIONS, _TARGET, _option("store"), STORE_DIR, JSON,
    ),
}  # fmt: skip
