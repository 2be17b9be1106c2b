"""nox: the interpreter of a session, fetched when the session runs and not before.

::

    from manypython.integrations.nox import interpreter

    @nox.session(python=interpreter("3.13"))
    def tests(session): ...

Why nox is asked in this place: docs/decisions/0012-nox-asks-when-a-session-runs.md.
"""

from __future__ import annotations

import inspect
import logging
from typing import Any, Self

from nox.command import CommandFailed
from nox.logger import logger
from nox.virtualenv import VirtualEnv

from manypython import fetch
from manypython.model.errors import ManypythonError
from manypython.store.settings import outside

_ASKED = "_resolved_interpreter"
"""The property that nox reads when it is about to make an environment."""


class Interpreter(str):
    """To nox the text of a request, in names, lists and choices; with it, where ours comes from."""

    __slots__ = ("_path", "_settings")
    _path: str
    _settings: dict[str, Any]

    def __new__(cls, spec: str, settings: dict[str, Any]) -> Self:
        """Make a request with the settings of ``manypython.fetch``."""
        made = super().__new__(cls, spec)
        made._path, made._settings = "", settings
        return made

    def path(self, download: str) -> str:
        """The absolute path of the interpreter, which is fetched if it is not here.

        Args:
            download: nox's own setting; ``never`` takes what is here already.

        Raises:
            CommandFailed: it cannot be had; nox's log has the reason, and the session fails.
        """
        settings = {**self._settings, **({"offline": True} if download == "never" else {})}
        try:
            self._path = self._path or fetch(self, say=logger.info, **settings).python
        except ManypythonError as error:
            said = outside(error.line)
            logger.error(said)
            raise CommandFailed(said) from None
        return self._path


def interpreter(spec: str, **settings: Any) -> Interpreter:  # noqa: ANN401  (each has the type it has there)
    """An interpreter of ours for ``@nox.session(python=...)``, alone or in a list.

    The session is named as by a plain string. Nothing is fetched until one runs that needs it;
    what else is on PATH does not count.

    Args:
        spec: ``3.13`` (the newest), ``3.13.5``, ``3.13t``.
        settings: those of ``manypython.fetch``, e.g. ``index`` and ``trust``; what is left out
            comes from ``MANYPYTHON_*``, ``pyproject.toml`` or the user's file.

    Raises:
        TypeError: a setting is unknown.
    """
    inspect.signature(fetch).bind(spec, **settings)
    return Interpreter(spec, settings)


def _resolved(env: VirtualEnv) -> str:
    """Ours where a session asks for it, else what nox finds."""
    if isinstance(env.interpreter, Interpreter):
        return env.interpreter.path(getattr(env, "download_python", "auto"))
    found: str = _plain.__get__(env)
    return found


if not hasattr(VirtualEnv, _ASKED):
    raise ImportError("this nox is not known to manypython; use python=manypython.fetch('3.13').python")
_plain = getattr(VirtualEnv, _ASKED)
setattr(VirtualEnv, _ASKED, property(_resolved))
for _noisy in ("socks", "tuf", "urllib3"):  # nox prints all that any library has to say
    logging.getLogger(_noisy).setLevel(logging.ERROR)
