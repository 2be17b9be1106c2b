from __future__ import annotations

import sys
from collections.abc import Callable

import pytest
from packaging.version import Version

from manypython.probe import probe, restrict, uses
from manypython.recipes.catalogue import required_modules
from manypython.repair.prune import is_test_module
from manypython.verify.surroundings import SURROUNDINGS


@pytest.mark.parametrize(
    "check",
    [probe.check_tls, probe.check_ctypes, probe.check_compression, probe.check_hashes, probe.check_text],
)
def test_the_probe_agrees_with_the_python_that_runs_this(check: Callable[[], str]) -> None:
    assert check()


def test_the_probe_reports_a_failure_as_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", "/elsewhere")
    rows = {row["name"]: row for row in probe.main("short", [])}
    assert rows["prefix"]["ok"] is False
    assert "sys.prefix is '/elsewhere'" in str(rows["prefix"]["detail"])


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13", "3.14", "3.15"])
def test_there_is_a_use_of_every_module_that_is_shipped(version: str) -> None:
    wanted = {name for name in required_modules(Version(version)) if not is_test_module(name)}
    assert wanted <= {*uses.USES, *uses.FUNCTIONS}


@pytest.mark.parametrize("module", ["_bisect", "_heapq", "_queue", "array", "_zoneinfo", "_posixsubprocess"])
def test_a_module_is_used(module: str) -> None:
    assert uses.use(module)


def test_a_wrong_result_is_a_failure_that_names_the_module(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(uses.USES, "math", "math.sqrt(4) == 3")
    monkeypatch.setitem(sys.modules, "uses", uses)
    with pytest.raises(probe.UsesError, match="math came to a wrong result"):
        probe.check_uses(["math"])


def test_a_module_of_which_no_use_is_known_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uses", uses)
    with pytest.raises(AssertionError, match=r"no use is known of .*_strange"):
        probe.check_uses(["_strange"])


def test_each_surrounding_has_its_own_name_and_only_restrictions_that_exist() -> None:
    names = [surrounding.name for surrounding in SURROUNDINGS]
    assert len(set(names)) == len(names)
    assert {word for each in SURROUNDINGS for word in each.restrict} == set(restrict.WORDS)
    assert max(len(surrounding.place) for surrounding in SURROUNDINGS) == 200
