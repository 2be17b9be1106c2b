"""Interpreters that answer requests: what is here, else what the index has."""

from __future__ import annotations

import os

from manypython.store.installed import Installed, here, lock

TYPE_CHECKING = False
if TYPE_CHECKING:  # a warm fetch does not wait for typing
    from collections.abc import Callable, Sequence

    from manypython.progress import Reporter
    from manypython.store.settings import Settings


def obtain(
    requests: Sequence[str], settings: Settings, reporter: Callable[[], Reporter], *, upgrade: bool = False
) -> list[Installed]:
    """Interpreters that answer requests, in their order: what is here, else what the index has.

    Args:
        requests: each ``3.13``, ``3.13.5``, ``py313``, ``3.13t`` or ``>=3.12,<3.14`` (see ``model.request``).
        settings: where from and where to.
        reporter: makes one that is told of downloads, and of an index that nobody signed.
        upgrade: ask the index for newer ones though some are here.

    Raises:
        ManypythonError: any of UsageError, DownloadError, TrustError, NoBuildError, ArchiveError,
            OutputError, as their classes say.
    """
    found = {} if upgrade else here(requests, settings)
    if missing := [request for request in dict.fromkeys(requests) if request not in found]:
        import zlib

        asked = zlib.crc32(os.fsencode("\n".join((*missing, settings.target, settings.index))))
        # a hundred processes that want the same wait for the first before they import what it needs
        with lock(settings.store_dir, f"request-{asked:08x}"):
            found |= {} if upgrade else here(missing, settings)
            if missing := [request for request in missing if request not in found]:
                from manypython.store.fetch import fetch

                found |= zip(missing, fetch(missing, settings, reporter()), strict=True)
    if settings.store == "uv":
        from manypython.store import uv

        for each in found.values():
            uv.link(each)
    return [found[request] for request in requests]
