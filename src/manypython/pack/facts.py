"""What an archive says about itself: ``manypython.json`` and the SBOM."""

from __future__ import annotations

import json
import uuid
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import DisjunctiveLicense
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from manypython.model.identifier import BuildNumber
from manypython.model.target import Target
from manypython.model.tree import Tree
from manypython.version import __version__

_NAMESPACE = uuid.UUID("5a2f0f7e-6f0c-5d3c-9a51-6d616e797079")


@dataclass(frozen=True)
class SourceFact:
    """One source archive that went into the build."""

    name: str
    version: str
    url: str
    file: str
    sha256: str
    licenses: tuple[str, ...]
    texts: tuple[tuple[str, str], ...]
    """File name and text of each licence."""


@dataclass(frozen=True)
class GraftFact:
    """One library that was grafted."""

    name: str
    """The recipe's name; empty where somebody else built it."""
    version: str
    soname: str
    path: str
    sha256: str


@dataclass(frozen=True)
class Facts:
    """Everything known about one archive."""

    implementation: str
    """``cpython`` or ``pypy``."""
    version: str
    python_tag: str
    target: Target
    policy: str
    build: BuildNumber
    origin: str
    """``make``: from the sources below; ``repair``: a prefix that somebody else built."""
    toolchain: str
    sources: tuple[SourceFact, ...]
    grafts: tuple[GraftFact, ...]
    plan: tuple[dict[str, Any], ...]

    def as_json(self) -> str:
        """``manypython.json``: sorted keys, no path of the build machine."""
        data = {
            "schema_version": 1,
            "generator": f"manypython {__version__}",
            "implementation": self.implementation,
            "version": self.version,
            "build": self.build.value,
            "build_identifier": f"{self.python_tag}-{self.target.platform_tag}",
            "target": str(self.target),
            "platform_tag": self.policy,
            "origin": self.origin,
            "toolchain": self.toolchain,
            "sources": [
                {k: v for k, v in asdict(source).items() if k != "texts"}
                | {"license_texts": [f"{LICENSES}/{source.name}/{name}" for name, _ in source.texts]}
                for source in self.sources
            ],
            "grafts": [asdict(graft) for graft in self.grafts],
            "plan": list(self.plan),
        }
        return json.dumps(data, indent=1, sort_keys=True) + "\n"

    def sbom(self) -> str:
        """A CycloneDX 1.6 bill of materials; serial number and date follow from the inputs."""
        bom = Bom(serial_number=uuid.uuid5(_NAMESPACE, self.as_json()))
        bom.metadata.timestamp = datetime.fromtimestamp(self.build.epoch, UTC)
        bom.metadata.component = Component(
            name=self.implementation,
            version=self.version,
            type=ComponentType.PLATFORM,
            bom_ref=self.implementation,
        )
        parts = [_component(source) for source in self.sources if source.name != "cpython"]
        if not self.sources:
            parts = [_foreign(graft) for graft in self.grafts]
        bom.components.update(parts)
        bom.register_dependency(bom.metadata.component, parts)
        text: str = JsonV1Dot6(bom).output_as_string(indent=1)
        return json.dumps(json.loads(text), indent=1, sort_keys=True) + "\n"


def origin_of(tree: Tree) -> str:
    """The ``origin`` in a tree's own facts; empty where it has none."""
    try:
        return str(json.loads((tree.root / SHARE / "manypython.json").read_text())["origin"])
    except (OSError, ValueError, KeyError):
        return ""


def _component(source: SourceFact) -> Component:
    return Component(
        name=source.name,
        version=source.version,
        type=ComponentType.LIBRARY,
        bom_ref=source.name,
        purl=PackageURL("generic", None, source.name, source.version, {"download_url": source.url}),
        licenses=[DisjunctiveLicense(id=name) for name in source.licenses],
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=source.sha256)],
    )


def _foreign(graft: GraftFact) -> Component:
    """A library that came from somebody else's system: its name and bytes are all that is known."""
    return Component(
        name=graft.soname,
        type=ComponentType.LIBRARY,
        bom_ref=PurePosixPath(graft.path).name,  # two libraries may have one soname
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=graft.sha256)] if graft.sha256 else [],
    )


SHARE = "share/manypython"
LICENSES = f"{SHARE}/licenses"
