"""The images a build can run in, as data: ``images.toml`` and ``docker/*.Dockerfile``."""

from __future__ import annotations

import functools
import hashlib
import re
import tomllib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from manypython.model.errors import RecipeError, UsageError
from manypython.model.table import Table
from manypython.model.target import Architecture, LibcFamily, Target

DATA = "images.toml"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_NAME = re.compile(r"(?P<family>manylinux|musllinux)_(?P<major>\d+)_(?P<minor>\d+)")


@dataclass(frozen=True)
class Image:
    """One image family: a base for each machine, and what our Dockerfile adds to it."""

    name: str
    """``manylinux_2_28``: also the policy that what is built inside is meant to meet."""
    libc: LibcFamily
    floor: tuple[int, int]
    tag: str
    """Where a fresh base is looked for, ``quay.io/pypa/manylinux_2_28_{arch}:latest``."""
    digests: tuple[tuple[Architecture, str], ...]
    dockerfile: str
    """The Dockerfile's text; its only argument is ``BASE``."""

    def target(self, architecture: Architecture) -> Target:
        """The target of a build in this image."""
        return Target(architecture, self.libc, self.floor)

    def base(self, architecture: Architecture) -> str:
        """The pinned base: ``quay.io/pypa/manylinux_2_28_x86_64@sha256:...``.

        Raises:
            UsageError: there is none for this machine.
        """
        for machine, digest in self.digests:
            if machine is architecture:
                return f"{repository(self.tag, architecture)}@{digest}"
        raise UsageError(
            f"image {self.name} has no base for {architecture}",
            remedy="name one with --base, or take another image",
        )

    def local_tag(self, base: str) -> str:
        """The name of the finished image: a different base or Dockerfile gives a different name."""
        digest = hashlib.sha256(f"{base}\n{self.dockerfile}".encode()).hexdigest()[:12]
        return f"localhost/manypython/{self.name}:{digest}"


def repository(tag: str, architecture: Architecture) -> str:
    """The part of a tag before its last colon, for one machine."""
    return tag.format(arch=architecture).rpartition(":")[0]


@functools.cache
def images() -> dict[str, Image]:
    """Every image by name.

    Raises:
        RecipeError: the data file is wrong; the message has the dotted path.
    """
    text = (resources.files("manypython.compile") / DATA).read_text(encoding="utf-8")
    return {name: read_image(name, table) for name, table in tomllib.loads(text).items()}


def read_image(name: str, data: dict[str, Any]) -> Image:
    """One table of ``images.toml``.

    Raises:
        RecipeError: an unknown key, a name that is no policy, or a malformed digest.
    """
    table = Table(DATA, f"{name}.", data, RecipeError)
    match = _NAME.fullmatch(name)
    if match is None:
        raise RecipeError(f"{DATA}: {name}: is no policy name such as manylinux_2_28")
    tag = table.text("tag", "")
    if ":" not in tag:
        raise table.error("tag", "must read REGISTRY/NAME:TAG")
    digests = []
    for architecture in sorted(Architecture):
        if architecture in table.data:
            digest = table.string(architecture)
            if not _DIGEST.fullmatch(digest):
                raise table.error(architecture, f"{digest!r} is no sha256 digest")
            digests.append((architecture, digest))
    table.insist_empty()
    floor = (int(match["major"]), int(match["minor"]))
    return Image(name, LibcFamily(match["family"]), floor, tag, tuple(digests), _dockerfile(name))


def _dockerfile(name: str) -> str:
    """Its text, from the installed package or from the checkout."""
    packaged = resources.files("manypython") / "docker" / f"{name}.Dockerfile"
    checkout = Path(__file__).parents[3] / "docker" / f"{name}.Dockerfile"
    try:
        return packaged.read_text() if packaged.is_file() else checkout.read_text()
    except OSError:
        raise RecipeError(f"{DATA}: {name}: docker/{name}.Dockerfile is missing") from None
