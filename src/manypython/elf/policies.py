"""auditwheel's policies, and which libraries every system has."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable
from importlib import resources
from pathlib import Path

from auditwheel.architecture import Architecture as _Architecture
from auditwheel.libc import Libc
from auditwheel.policy import WheelPolicies

from manypython.model.target import Architecture, LibcFamily


class Policies:
    """auditwheel's policies for one platform: which symbol versions each allows.

    Which libraries are everywhere is our own, stricter list (``everywhere``), not auditwheel's.
    """

    def __init__(self, libc: LibcFamily, architecture: Architecture) -> None:
        self.libc = Libc.GLIBC if libc is LibcFamily.GLIBC else Libc.MUSL
        self.policies = WheelPolicies(libc=self.libc, arch=_Architecture(architecture.value))
        self.strictest = self.policies.highest

    def names(self) -> tuple[str, ...]:
        """Platform tags, the one that runs on the fewest systems first."""
        return tuple(policy.name for policy in self.policies)

    def lowest_of(self, names: Iterable[str]) -> str:
        """The lowest of these tags: the one that all of them meet."""
        priority = {policy.name: policy.priority for policy in self.policies}
        return min(names, key=lambda name: priority[name], default=self.strictest.name)

    def allows(self, policy: str, library: str, version: str) -> bool:
        """Whether a symbol version of a library is old enough for a policy."""
        entry = self.policies.get_policy_by_name(policy)
        family, _, number = version.partition("_")
        versions = entry.symbol_versions.get(family)
        return versions is None or number in versions or library.startswith("ld-")

    def has(self, policy: str) -> bool:
        """Whether auditwheel knows a platform tag."""
        return any(policy in (entry.name, *entry.aliases) for entry in self.policies)


def everywhere(libc: LibcFamily, soname: str) -> bool:
    """Whether every system has a library: the libc family's, and the dynamic linker."""
    return soname in _whitelist(libc) or soname.startswith(("ld-linux", "ld64.so."))


@functools.cache
def _whitelist(libc: LibcFamily) -> frozenset[str]:
    packaged = resources.files("manypython") / "policies" / f"{libc.value}.json"
    checkout = Path(__file__).parents[3] / "policies" / f"{libc.value}.json"
    text = packaged.read_text() if packaged.is_file() else checkout.read_text()
    return frozenset(soname for entry in json.loads(text) for soname in entry["lib_whitelist"])
