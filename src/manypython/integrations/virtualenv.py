"""virtualenv's discovery of interpreters, which fetches one where the machine has none.

virtualenv takes it by ``--discovery manypython``, ``VIRTUALENV_DISCOVERY`` or
``virtualenv.ini``; tox by the plug-in beside it. Any virtualenv imports this module where
ours is installed, whoever does the discovery, so it imports little.

Source: virtualenv's documentation, "Extend functionality", python discovery.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from virtualenv.discovery.builtin import Builtin, get_interpreter
from virtualenv.discovery.py_spec import PythonSpec

from manypython import fetch
from manypython.model.errors import ManypythonError, RequestError
from manypython.model.request import read
from manypython.store import settings

if TYPE_CHECKING:
    from argparse import ArgumentParser
    from typing import Any

    from virtualenv.config.cli.parser import VirtualEnvOptions
    from virtualenv.discovery.py_info import PythonInfo

_LOG = logging.getLogger(__name__)
_NAMES = [name for name in settings.DEFAULTS if name != "target"]
"""Of settings that are options here: an interpreter that virtualenv uses runs on this machine."""
_NOTHING = "<0"
"""What tox asks for besides, so that no default of virtualenv's own answers."""


class Manypython(Builtin):
    """What the machine has, else what our index has; with ``--manypython-prefer`` the other way round."""

    def __init__(self, options: VirtualEnvOptions) -> None:
        super().__init__(options)
        self._prefers: bool = options.manypython_prefer
        self._said = _said(options)

    @classmethod
    def add_parser_arguments(cls, parser: ArgumentParser) -> None:
        """Add the settings of ``manypython.fetch`` to virtualenv's own options.

        Each is ``VIRTUALENV_MANYPYTHON_*`` and a line of ``virtualenv.ini`` too.

        Args:
            parser: virtualenv's.
        """
        super().add_parser_arguments(parser)
        parser.add_argument(
            "--manypython-prefer",
            action="store_true",
            help="take an interpreter of manypython's index though this machine has one",
        )
        for name in _NAMES:
            default = settings.DEFAULTS[name]
            how: dict[str, Any] = {"type": str, "default": None}
            if isinstance(default, bool):
                how = {"action": "store_true", "default": default}
            words = " (spaces between)" if isinstance(default, list) else ""
            parser.add_argument(f"--manypython-{name}", help=f"{settings.HELP[name]}{words}", **how)

    def run(self) -> PythonInfo | None:
        """The first interpreter that answers one of the requests; None where there is none."""
        if self._prefers:
            return self._fetched() or super().run()
        return super().run() or self._fetched()

    def _fetched(self) -> PythonInfo | None:
        """The first interpreter of ours that answers one of the requests."""
        for text in self.python_spec:
            request = requested(text)
            python = request and self._python(request)
            # virtualenv itself judges whether it is what was asked for
            if python and (
                found := get_interpreter(
                    _judged(text, python),
                    [*self.try_first_with, python],
                    app_data=self.app_data,
                    env=self._env,
                )
            ):
                return found
        return None

    def _python(self, request: str) -> str:
        """The path of an interpreter; empty where there is none, which is said."""
        try:
            return fetch(request, target="", say=_warn, **self._said).python
        except ManypythonError as error:
            _LOG.error("manypython: %s", settings.outside(error.line))
        return ""


def requested(text: str) -> str:
    """Our request for what virtualenv is asked for.

    Args:
        text: ``3.13``, ``cpython3.13-64``, ``py313t``, ``>=3.12``, a path.

    Returns:
        ``3.13``, ``3.13t``, ``>=3.12``; empty for what is none of ours: a path, another
        implementation or machine, a debug build.
    """
    if text == _NOTHING:
        return ""
    try:
        meant = read(text)
    except RequestError:
        return ""
    return meant.here if meant.runs_here else ""


def _judged(text: str, python: str) -> str:
    """What virtualenv is to hold an interpreter against: what it was asked for, if it understands that."""
    try:
        spec = PythonSpec.from_string_spec(text)
    except ValueError:
        return python
    return python if spec.path else text


def _said(options: VirtualEnvOptions) -> dict[str, Any]:
    """What options, variables and ``virtualenv.ini`` say, as ``fetch`` takes it, and no defaults."""
    said: dict[str, Any] = {}
    for name in _NAMES:
        argument = name.replace("-", "_")
        if options.get_source(f"manypython_{argument}") not in (None, "default"):
            value = getattr(options, f"manypython_{argument}")
            said[argument] = value.split() if isinstance(settings.DEFAULTS[name], list) else value
    return said


def _warn(text: str) -> None:
    _LOG.warning("manypython: %s", settings.outside(text))
