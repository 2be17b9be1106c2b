"""tox with our interpreters: ``requires = manypython`` and no more.

tox has virtualenv find interpreters, so all there is to do is to name our discovery to it
(``manypython.integrations.virtualenv``) and to hand on what ``[tox]`` says about us. That is
done in the environment that tox makes for virtualenv alone
(docs/decisions/0013-tox-tells-virtualenv-alone.md). Environments that another plug-in makes, tox-uv's
for one, are not touched.

Source: tox's documentation, "Plugins"; ``VirtualEnv.virtualenv_env_vars``.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tox.plugin import impl
from tox.report import HandledError
from tox.tox_env.errors import Fail
from tox.tox_env.python.virtual_env.api import VirtualEnv
from virtualenv.config.ini import IniConfig

from manypython.model.errors import UsageError
from manypython.store import settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from tox.config.sets import ConfigSet, CoreConfigSet
    from tox.session.state import State

_PREFER = "prefer"
_SETTINGS = {
    **{
        name: (type(default), settings.HELP[name])
        for name, default in settings.DEFAULTS.items()
        if name not in (*settings.NOT_FOR_PROJECTS, "target")
    },
    _PREFER: (bool, "take an interpreter of manypython's index though this machine has one"),
}
"""What ``[tox] manypython_*`` can say: types and what it is."""
_plain: Any = getattr(VirtualEnv, "virtualenv_env_vars", None)


@impl
def tox_add_core_config(core_conf: ConfigSet, state: State) -> None:
    """Add ``manypython_*`` to ``[tox]``.

    Args:
        core_conf: the section.
        state: of the run.

    Raises:
        HandledError: it says what is not for a project to say, or what we do not know; or tox is one
            that we do not know.
    """
    if _plain is None:
        raise HandledError("manypython does not know this tox (pip install --upgrade manypython)")
    for name, (kind, text) in _SETTINGS.items():
        of_type: Any = list[str] if kind is list else kind
        core_conf.add_config(keys=_key(name), of_type=of_type, default=None, desc=text)
    for key in core_conf.unused():
        if not key.startswith("manypython_"):
            continue
        where = f"{state.conf.src_path}: {key}"
        for name in settings.NOT_FOR_PROJECTS:
            if key == _key(name):
                raise HandledError(settings.refused(name, where).line)
        raise HandledError(f"{where}: no such setting (there are {', '.join(map(_key, _SETTINGS))})")


def _environment(self: VirtualEnv) -> dict[str, str]:
    """The environment that virtualenv is told about: the user's own words win over ours.

    Raises:
        Fail: ``[tox]`` or ``set_env`` has a setting that cannot be, or is not a project's.
    """
    told: dict[str, str] = _plain(self)
    for name in settings.NOT_FOR_PROJECTS:
        if (variable := _variable(name)) in told and told[variable] != os.environ.get(variable):
            raise Fail(settings.refused(name, f"set_env: {variable}").line)
    if "virtualenv_spec" in self.conf and self.conf["virtualenv_spec"]:  # noqa: RUF019  (its get() is no dict's)
        return told  # another virtualenv, in a process of its own, that knows nothing of us
    ours = dict(_of_project(self.core))
    file = IniConfig(told)
    if not (file and file.config_parser.has_option(file.section, "discovery")):
        ours["VIRTUALENV_DISCOVERY"] = "manypython"
    return {**ours, **told}


if _plain is not None:
    VirtualEnv.virtualenv_env_vars = _environment  # type: ignore[method-assign]


def _of_project(core: CoreConfigSet) -> Iterator[tuple[str, str]]:
    """What ``[tox]`` says, as virtualenv's variables; ours, ``MANYPYTHON_*``, win over a project."""
    for name in _SETTINGS:
        value = core[_key(name)]
        if value is None or os.environ.get(settings.variable(name)):
            continue
        if name != _PREFER:
            try:
                value = settings.checked(name, value, _key(name), str(core["tox_root"]))
            except UsageError as error:
                raise Fail(error.line) from None
        yield _variable(name), " ".join(value) if isinstance(value, list) else str(value)


def _key(name: str) -> str:
    return f"manypython_{name.replace('-', '_')}"


def _variable(name: str) -> str:
    return f"VIRTUALENV_{_key(name).upper()}"
