"""``pipx/index.json``, which pipx takes for its own list of interpreters when it lies in its home."""

from __future__ import annotations

import json

from manypython.index.choice import plain
from manypython.index.model import Index


def render(index: Index) -> dict[str, bytes]:
    """The list, newest first, on one line.

    pipx believes a list for 30 days from ``fetched`` on and then gets another one. The
    time is the day of the newest build here, since a site is made without a clock;
    whoever fetches the list puts the true time in, as the command on the page does.
    """
    builds = plain(index.builds).values()
    if not builds:
        return {}
    document = {
        "fetched": max(build.number.epoch for build in builds),
        "releases": [[index.base_url + b.archive.url, f"sha256:{b.archive.sha256}"] for b in builds],
    }
    return {"pipx/index.json": f"{json.dumps(document)}\n".encode()}
