"""Portable CPython for Linux: fetch it, make it, prove it, pack it.

::

    from manypython import fetch

    python = fetch("3.13").python
"""

from __future__ import annotations

from manypython.version import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from manypython.progress import Reporter
    from manypython.store.installed import Installed

__all__ = ["__version__", "fetch"]


def fetch(  # noqa: PLR0913  (each is a setting, and has a name)
    spec: str,
    *,
    index: str | None = None,
    mirrors: Sequence[str] | None = None,
    trust: str | None = None,
    allow_unsigned: bool | None = None,
    offline: bool | None = None,
    target: str | None = None,
    store: str | None = None,
    store_dir: str | None = None,
    ca_bundle: str | None = None,
    timeout: float | None = None,
    upgrade: bool = False,
    say: Callable[[str], None] | None = None,
) -> Installed:
    """An interpreter on this machine: from the store if it is there, else from the index.

    Nothing is printed. What is None here comes from ``MANYPYTHON_*``, ``pyproject.toml`` or the
    user's file, as for the command.

    Args:
        spec: ``3.13`` (the newest), ``3.13.5``, ``cp313``, ``3.13t``, ``>=3.12,<3.14``.
        index: URL or folder of the site to fetch from.
        mirrors: further places of the same site.
        trust: the site's first root, ``sha256:HEX`` or a file; needed once per site.
        allow_unsigned: take what an index says that nobody signed.
        offline: use what is here already.
        target: for another machine, ``aarch64-manylinux_2_17``.
        store: ``own``, or ``uv`` for links where uv, tox, nox and virtualenv look.
        store_dir: folder that interpreters are put in.
        ca_bundle: file of certificates to trust for https.
        timeout: seconds without a byte after which a server counts as stalled.
        upgrade: ask the index for a newer one though one is here.
        say: told, a line at a time, of a download that takes longer than two seconds and of an
            index that nobody signed; without it the latter makes a ``UserWarning``.

    Returns:
        Its ``python`` is the absolute path of the interpreter, its ``folder`` that of the whole tree.

    Raises:
        ManypythonError: with ``message``, ``remedy`` and ``exit_code``; see ``manypython.model.errors``.
    """
    from manypython.model.errors import of_os  # noqa: PLC0415  (importing manypython takes no time)
    from manypython.store import settings as known  # noqa: PLC0415
    from manypython.store.obtain import obtain  # noqa: PLC0415

    settings = known.read(
        {
            "index": index, "mirrors": None if mirrors is None else list(mirrors), "trust": trust,
            "allow-unsigned": allow_unsigned, "offline": offline, "target": target, "store": store,
            "store-dir": store_dir, "ca-bundle": ca_bundle, "timeout": timeout,
        }
    )  # fmt: skip

    def reporter() -> Reporter:
        from manypython.progress import Lines, Silent  # noqa: PLC0415

        return Lines(say) if say else Silent()

    try:
        return obtain((spec,), settings, reporter, upgrade=upgrade)[0]
    except OSError as error:
        raise of_os(error) from None
