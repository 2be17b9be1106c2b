"""Commands that make a site and try it: publish, keys, serve. They need no library of the builder's."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

from manypython.archives.write import BEST, FAST
from manypython.folders import data_home
from manypython.model.errors import OutputError, UsageError
from manypython.progress import Reporter
from manypython.site import keys
from manypython.site import serve as serving
from manypython.site.publish import Published, Sign, rotate
from manypython.site.publish import publish as published


def publish(arguments: argparse.Namespace) -> int:
    """Add archives to a site."""
    if arguments.unsigned and keys.fingerprint(arguments.to):
        raise UsageError(
            f"{arguments.to}: is a signed site; --unsigned would leave its signatures behind",
            remedy="leave out --unsigned",
        )
    folder = None if arguments.unsigned or arguments.dry_run else _keys(arguments)
    if folder and not keys.fingerprint(arguments.to):
        for made in keys.create(folder):
            print(f"note: made {made}, which signs the site; keep it, and keep it secret", file=sys.stderr)
    done = published(
        arguments.archives,
        arguments.to,
        base_url=arguments.base_url,
        reporter=Reporter(quiet=arguments.json),
        effort=FAST if arguments.fast else BEST,
        sign=_signing(arguments.to, folder) if folder else None,
        dry_run=arguments.dry_run,
    )
    if folder:
        _warn_of_root(arguments.to, folder)
    if arguments.json:
        print(json.dumps(done.as_json(), indent=1))
    elif arguments.dry_run:
        for path in done.written:
            print(f"would write {path}")
        print(f"{len(done.written)} files to write, {len(done.unchanged)} as they should be")
    else:
        _show(done)
    return 0


def _warn_of_root(site: Path, folder: Path) -> None:
    """Say in time that the root has to be signed anew, which ``publish`` does not do."""
    expires = keys.states(site, folder)[0].expires
    if expires - datetime.now(UTC) < timedelta(days=90):
        remedy = "renew it with: manypython keys rotate root"
        print(f"warning: the root of {site} expires on {expires:%Y-%m-%d}; {remedy}", file=sys.stderr)


def _keys(arguments: argparse.Namespace) -> Path:
    return Path(arguments.keys or Path(data_home("--keys"), "manypython", "keys"))


def _signing(site: Path, folder: Path) -> Sign:
    return lambda index: keys.sign(site.absolute(), folder, index, datetime.now(UTC))


def keys_create(arguments: argparse.Namespace) -> int:
    """Make the keys of a site."""
    made = keys.create(_keys(arguments))
    for path in made:
        print(path)
    if not made:
        print(f"{_keys(arguments)}: has a key for each role already", file=sys.stderr)
    return 0


def keys_rotate(arguments: argparse.Namespace) -> int:
    """Give a role a new key."""
    site, folder = arguments.to.absolute(), _keys(arguments)
    done = rotate(
        site,
        lambda index: keys.rotate(site, folder, arguments.role, index, datetime.now(UTC)),
        Reporter(),
    )
    for path in done.written:
        print(f"wrote {path}")
    print(f"{arguments.role}: has a new key in {folder}; the old one counts no more")
    return 0


def keys_show(arguments: argparse.Namespace) -> int:
    """Show who signs a site, and until when."""
    try:
        folder: Path | None = _keys(arguments)
    except OutputError:  # no home: the keys are elsewhere
        folder = None
    states = keys.states(arguments.to, folder)
    if arguments.json:
        rows = [
            {**asdict(state), "expires": state.expires.isoformat(), "keys": list(state.keys)}
            for state in states
        ]
        print(json.dumps({"fingerprint": keys.fingerprint(arguments.to), "roles": rows}, indent=1))
        return 0
    for state in states:
        here = "key is here" if state.here else "key is elsewhere"
        print(f"{state.role:<10} version {state.version:<4} until {state.expires:%Y-%m-%d}  {here}")
        for keyid in state.keys:
            print(f"           {keyid}")
    print(f"first root {keys.fingerprint(arguments.to)}")
    return 0


def _show(done: Published) -> None:
    for key in done.added:
        print(f"added {key}")
    if done.left_out:
        print(
            f"note: {', '.join(done.left_out)}: of a newer C library than other builds of this site; "
            "lists of tools that cannot ask for one leave it out (docs/publish.md)",
            file=sys.stderr,
        )
    print(f"{done.site}: {len(done.written)} files written, {len(done.unchanged)} as they were")
    print(f"base URL: {done.base_url}")
    pin = keys.fingerprint(done.site)
    print(f"signed: {pin or 'no'}")
    print(f"try it: manypython serve {shlex.quote(str(done.site))}")
    print(f"        manypython fetch 3.13 --index {shlex.quote(done.base_url)} {_pinned(pin)}")
    listed = shlex.quote(f"{done.base_url}uv/downloads.json")
    print(f"        UV_PYTHON_DOWNLOADS_JSON_URL={listed} uv python list")


def _pinned(pin: str) -> str:
    return f"--trust {pin}" if pin else "--allow-unsigned"


def serve(arguments: argparse.Namespace) -> int:
    """Serve a site until Ctrl-C."""

    def ready(url: str) -> None:
        print(f"serving {url} until Ctrl-C")
        pin = _pinned(keys.fingerprint(arguments.site))
        print(f"try it: manypython fetch 3.13 --index {url} {pin}", flush=True)

    serving.serve(arguments.site, arguments.port, arguments.bind, ready=ready, verbose=arguments.verbose)
    return 0


def _port(text: str) -> int:
    if not text.isdigit() or int(text) > 65535:  # noqa: PLR2004  (16 bits)
        raise argparse.ArgumentTypeError(f"{text!r} is no port")
    return int(text)


_SITE = {"type": Path, "metavar": "SITE"}
_NOTHING_GIVEN = "of make, repair or pack; none: write again what follows from the site's index"
_BASE = "where it will be served (default: what the site says already, else its file: URL)"
_FAST = "compress repacks in a tenth of the time, for an eighth more bytes"
_KEYS = (
    "--keys",
    {"type": Path, "metavar": "DIR", "help": "private keys (default: in the user's data folder)"},
)
_TO = ("--to", {**_SITE, "required": True, "help": "folder of the site"})
COMMANDS = {
    "publish": (
        publish,
        "manypython publish dist/cpython-3.13.5+20261121-*.tar.gz --to site",
        "manypython publish dist/*.tar.gz dist/*.zip --to site --base-url https://example.org/python/",
        "manypython publish --to site --base-url https://example.org/elsewhere/",
        ("archives", {"metavar": "ARCHIVE", "type": Path, "nargs": "*", "help": _NOTHING_GIVEN}),
        ("--to", {**_SITE, "required": True, "help": "folder of the site; made where there is none"}),
        ("--base-url", {"metavar": "URL", "help": _BASE}),
        _KEYS,
        ("--unsigned", {"action": "store_true", "help": "sign nothing: fetch will ask for --allow-unsigned"}),
        ("--fast", {"action": "store_true", "help": _FAST}),
        ("--dry-run", {"action": "store_true", "help": "say what would be written and change nothing"}),
        ("--json", {"action": "store_true", "help": "print the result as JSON and no progress"}),
    ),
    "serve": (
        serve,
        "manypython serve site", "manypython serve site --port 0 --verbose",
        ("site", {**_SITE, "help": "folder of the site"}),
        ("--port", {"type": _port, "metavar": "N", "default": 8000, "help": "default 8000; 0: any"}),
        ("--bind", {"metavar": "ADDRESS", "default": "127.0.0.1", "help": "default: this machine only"}),
        ("--verbose", {"action": "store_true", "help": "one line a request"}),
    ),
    "keys": {
        "create": (
            "make a key for each role: root, targets, snapshot, timestamp",
            keys_create, "manypython keys create --keys keys", _KEYS,
        ),
        "rotate": (
            "give a role a new key; clients follow by themselves",
            keys_rotate, "manypython keys rotate timestamp --to site --keys keys",
            ("role", {"metavar": "ROLE", "choices": keys.ROLES, "help": ", ".join(keys.ROLES)}), _TO, _KEYS,
        ),
        "show": (
            "show who signs a site, and until when",
            keys_show, "manypython keys show --to site", _TO, _KEYS,
            ("--json", {"action": "store_true", "help": "print it as JSON"}),
        ),
    },
}  # fmt: skip
