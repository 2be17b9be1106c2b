"""Ours against the same CPython built natively with this machine's GCC: every difference has a reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import differences
import pytest

pytestmark = pytest.mark.slow


def test_each_difference_from_a_native_build_has_a_reason(
    unpacked: Callable[..., Any], host_packages: Callable[..., None]
) -> None:
    host_packages("gcc", "g++", "libc6-dev", "make")
    ours, native = unpacked("3.13.5"), unpacked("3.13.5", "--toolchain", "gcc")
    said = [
        differences.described((tree.executable, "-I", "-B", differences.DESCRIBE)) for tree in (ours, native)
    ]
    differences.check(*said, "native_differences.toml")
