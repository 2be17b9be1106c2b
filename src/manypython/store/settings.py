"""Settings of the consumer: options, ``MANYPYTHON_*``, ``pyproject.toml``, the user's file, defaults.

In this order: the first that says something holds. A warm fetch reads them, so ``tomllib``
(20 ms) is imported only for a file that has something to say.
"""

from __future__ import annotations

import os

from manypython.folders import STORE, config_home, data_home, expanded
from manypython.model.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

DEFAULTS: dict[str, str | bool | float | list[str]] = {
    "index": "",
    "mirrors": [],
    "trust": "",
    "allow-unsigned": False,
    "store": "own",
    "store-dir": "",
    "target": "",
    "offline": False,
    "ca-bundle": "",
    "timeout": 20.0,
}
"""Each setting's name, its type and what holds where nobody says anything."""
HELP = {
    "index": "URL or folder of the site to fetch from",
    "mirrors": "further places of the same site, asked in this order when one fails",
    "trust": "the site's first root: sha256:HEX, or a file",
    "allow-unsigned": "use an index that nobody signed (a local one, https, or loopback)",
    "store": "own, or uv: seen by uv, tox, nox and virtualenv without a plug-in",
    "store-dir": "folder that interpreters are put in",
    "target": "for another machine, e.g. aarch64-manylinux_2_17",
    "offline": "use what is here already",
    "ca-bundle": "file of certificates to trust for https (SSL_CERT_FILE is heeded too)",
    "timeout": "seconds without a byte after which a server counts as stalled",
}
_PATHS = ("store-dir", "ca-bundle", "trust")
NOT_FOR_PROJECTS = ("allow-unsigned", "store-dir", "ca-bundle")
"""What a checkout of a stranger's project must not decide."""
_STORES = ("own", "uv")
_ENVIRON = "MANYPYTHON_"
_WORDS = {str: "a text", bool: "true or false", float: "a number above 0", list: "a list of texts"}


class Settings:
    """What holds, and why."""

    def __init__(self, values: dict[str, Any], sources: dict[str, str]) -> None:
        self.places: tuple[str, ...] = (values["index"], *values["mirrors"])
        """The index and its mirrors as they were given, with any name and password."""
        shown = [without_login(place) for place in self.places]
        values = {**values, "index": shown[0], "mirrors": shown[1:]}
        self.values = values
        self.sources = sources
        """Per setting: ``--index``, ``MANYPYTHON_INDEX``, a file, or ``default``."""
        self.index: str = values["index"]
        self.trust: str = values["trust"]
        self.allow_unsigned: bool = values["allow-unsigned"]
        self.store: str = values["store"]
        self.target: str = values["target"]
        self.offline: bool = values["offline"]
        self.ca_bundle: str = values["ca-bundle"]
        self.timeout: float = values["timeout"]

    @property
    def store_dir(self) -> str:
        """Absolute path of the folder of interpreters.

        Raises:
            OutputError: none is set, and there is no home folder to have one in.
        """
        return self.values["store-dir"] or os.path.join(data_home(STORE), "manypython", "pythons")


def read(given: Mapping[str, Any] | None = None) -> Settings:
    """Put the settings together.

    Args:
        given: options by setting name; None and missing ones say nothing.

    Raises:
        UsageError: a setting is unknown or of the wrong type; names its file or variable.
    """
    try:
        here = os.getcwd()
    except OSError as error:
        raise UsageError(f"the current folder: {error.strerror}", remedy="cd to one that is there") from None
    layers: list[tuple[str, dict[str, Any], str]] = [
        ("", {k: v for k, v in (given or {}).items() if v is not None}, here)
    ]
    layers.append((_ENVIRON, _of_environ(), here))
    config = config_home()
    for path, keys, forbidden in (
        (_project(here), ("tool", "manypython"), NOT_FOR_PROJECTS),
        (config and os.path.join(config, "manypython", "config.toml"), (), ()),
    ):
        layers.append((path, _of_file(path, keys, forbidden), os.path.dirname(path)))
    values, sources = dict(DEFAULTS), dict.fromkeys(DEFAULTS, "default")
    for origin, told, base in reversed(layers):
        for name, value in told.items():
            source = variable(name) if origin == _ENVIRON else origin or f"--{name}"
            values[name] = checked(name, value, source, base)
            sources[name] = source
    return Settings(values, sources)


def without_login(place: str) -> str:
    """A URL without name and password, to be shown and kept."""
    scheme, mark, rest = place.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{mark}{host.rpartition('@')[2]}{slash}{path}" if mark else place


def variable(name: str) -> str:
    """The environment's name of a setting: ``MANYPYTHON_STORE_DIR``."""
    return f"{_ENVIRON}{name.upper().replace('-', '_')}"


def outside(text: str) -> str:
    """A text of ours for another tool, which has not our options: ``--trust`` is ``MANYPYTHON_TRUST``."""
    for name in sorted(DEFAULTS, key=len, reverse=True):
        text = text.replace(f"--{name}", variable(name))
    return text


def refused(name: str, where: str) -> UsageError:
    """The error about a project that says what is not for it to say.

    Args:
        name: the setting's.
        where: the file and the words in it.
    """
    return UsageError(
        f"{where}: not for a project to say",
        remedy=f"set {variable(name)} or put it into the user's config.toml",
    )


def _project(folder: str) -> str:
    """The nearest ``pyproject.toml``; empty where there is none."""
    paths = (os.path.join(each, "pyproject.toml") for each in _parents(os.path.abspath(folder)))
    return next((path for path in paths if os.path.isfile(path)), "")


def _parents(folder: str) -> Iterator[str]:
    """A folder and every one above it."""
    while True:
        yield folder
        above = os.path.dirname(folder)
        if above == folder:
            return
        folder = above


def _of_environ() -> dict[str, Any]:
    told: dict[str, Any] = {}
    for name in DEFAULTS:
        if value := os.environ.get(variable(name)):
            told[name] = value.split() if name == "mirrors" else value
    return told


def _of_file(path: str, keys: tuple[str, ...], forbidden: tuple[str, ...]) -> dict[str, Any]:
    """What a TOML file says in one of its tables."""
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        if os.path.isfile(path):  # it is there, and what it says would have counted
            raise UsageError(f"{path}: cannot be read: {error.strerror}") from None
        return {}
    if keys and b"tool.manypython" not in data and not (b"[tool]" in data and b"manypython" in data):
        return {}
    import tomllib

    try:
        told: Any = tomllib.loads(data.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: no TOML: {error}") from None
    for key in keys:
        told = told.get(key, {}) if isinstance(told, dict) else {}
    for name in told:
        if name not in DEFAULTS:
            raise UsageError(f"{path}: {name}: no such setting", remedy=f"there are {', '.join(DEFAULTS)}")
        if name in forbidden:
            raise refused(name, f"{path}: {name}")
    return dict(told)


def checked(name: str, value: Any, source: str, base: str) -> Any:  # noqa: ANN401  (as TOML has it)
    """A value of its setting's type that can be; paths are absolute.

    Args:
        name: the setting's.
        value: as an option, a variable or a file has it.
        source: where it stands, for the error.
        base: the folder that relative paths are meant from.

    Raises:
        UsageError: it is of the wrong type, or is none that can be.
    """
    value = _typed(name, value, source)
    if name == "store" and value not in _STORES:
        raise UsageError(f"{source}: store: {value!r} is none of {', '.join(_STORES)}")
    if name == "target" and value:
        from manypython.model.target import Target

        Target.parse(value)
    if name in _PATHS and value and not value.startswith("sha256:"):
        return os.path.normpath(os.path.join(base, expanded(value, source)))
    if name == "index":
        return _site(value, source, base)
    return [_site(each, source, base) for each in value] if name == "mirrors" else value


def _typed(name: str, value: Any, source: str) -> Any:  # noqa: ANN401
    """A value of its setting's type; the environment has words for all of them."""
    kind = type(DEFAULTS[name])
    if isinstance(value, str) and kind is bool:
        words = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
        value = words.get(value.lower(), value)
    if kind is float and not isinstance(value, bool):
        try:  # noqa: SIM105  (contextlib is imported by nobody else here)
            value = float(value)
        except (TypeError, ValueError):
            pass
    wrong = not isinstance(value, kind)
    if isinstance(value, list):
        wrong = kind is not list or not all(isinstance(each, str) for each in value)
    if any("\0" in each for each in (value if isinstance(value, list) else [value]) if isinstance(each, str)):
        raise UsageError(f"{source}: {name}: {value!r} has a null character, which no path or URL has")
    if wrong or (kind is float and not 0 < value < float("inf")):
        raise UsageError(f"{source}: {name}: {value!r} is not {_WORDS[kind]}")
    return value


def _site(text: str, source: str, base: str) -> str:
    """A site's URL or folder, always with a slash at the end; its ``index.json`` may be named instead."""
    if not text:
        return ""
    text = text.removesuffix("index.json") if text.endswith("/index.json") or text == "index.json" else text
    if text.startswith("file://"):
        from urllib.parse import unquote

        text = unquote(text.removeprefix("file://").removeprefix("localhost"))
    if "://" in text:
        return text if text.endswith("/") else f"{text}/"
    return os.path.join(os.path.normpath(os.path.join(base, expanded(text, source))), "")
