"""Commands that make a site and try it: publish, serve. They need no library of the builder's."""

from __future__ import annotations

import argparse
import json
import shlex
from pathlib import Path

from manypython.archives.write import BEST, FAST
from manypython.index import serve as serving
from manypython.index.publish import Published
from manypython.index.publish import publish as published
from manypython.progress import Reporter


def publish(arguments: argparse.Namespace) -> int:
    """Add archives to a site."""
    done = published(
        arguments.archives,
        arguments.to,
        base_url=arguments.base_url,
        reporter=Reporter(quiet=arguments.json),
        effort=FAST if arguments.fast else BEST,
        sign=None,  # the one place where keys come in
        dry_run=arguments.dry_run,
    )
    if arguments.json:
        print(json.dumps(done.as_json(), indent=1))
    elif arguments.dry_run:
        for path in done.written:
            print(f"would write {path}")
        print(f"{len(done.written)} files to write, {len(done.unchanged)} as they should be")
    else:
        _show(done)
    return 0


def _show(done: Published) -> None:
    for key in done.added:
        print(f"added {key}")
    print(f"{done.site}: {len(done.written)} files written, {len(done.unchanged)} as they were")
    print(f"base URL: {done.base_url}")
    print(f"try it: manypython serve {shlex.quote(str(done.site))}")
    listed = shlex.quote(f"{done.base_url}uv/downloads.json")
    print(f"        UV_PYTHON_DOWNLOADS_JSON_URL={listed} uv python list")


def serve(arguments: argparse.Namespace) -> int:
    """Serve a site until Ctrl-C."""
    serving.serve(arguments.site, arguments.port, arguments.bind, ready=_ready, verbose=arguments.verbose)
    return 0


def _ready(url: str) -> None:
    print(f"serving {url} until Ctrl-C")
    print(f"try it: manypython fetch 3.13 --index {url}", flush=True)


def _port(text: str) -> int:
    if not text.isdigit() or int(text) > 65535:  # noqa: PLR2004  (16 bits)
        raise argparse.ArgumentTypeError(f"{text!r} is no port")
    return int(text)


_SITE = {"type": Path, "metavar": "SITE"}
_NOTHING_GIVEN = "of make, repair or pack; none: write again what follows from the site's index"
_BASE = "where it will be served (default: what the site says already, else its file: URL)"
_FAST = "compress repacks in a tenth of the time, for an eighth more bytes"
COMMANDS = {
    "publish": (
        publish,
        "manypython publish dist/cpython-3.13.5+20261121-*.tar.gz --to site",
        "manypython publish dist/*.tar.gz dist/*.zip --to site --base-url https://example.org/python/",
        "manypython publish --to site --base-url https://example.org/elsewhere/",
        ("archives", {"metavar": "ARCHIVE", "type": Path, "nargs": "*", "help": _NOTHING_GIVEN}),
        ("--to", {**_SITE, "required": True, "help": "folder of the site; made where there is none"}),
        ("--base-url", {"metavar": "URL", "help": _BASE}),
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
}  # fmt: skip
