from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from samples_of_pack import FACTS, make_tree, verified

from manypython.model.errors import OutputError
from manypython.model.tree import Tree
from manypython.pack import pack
from manypython.pack.facts import origin_of
from manypython.pack.unproved import forget, keep, place
from manypython.progress import Reporter
from manypython.verify.report import VerifyReport, failed

REPORT = VerifyReport((failed("moved", "tls", "AssertionError: TLSv1.2"),))


def test_the_tree_is_kept_with_its_facts_and_its_report_beside_it(tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "scratch")
    folder = keep(tree, FACTS, REPORT, tmp_path)
    assert folder == place(tmp_path, FACTS)
    assert folder.name == "cp313-3.13.5+20261121-x86_64-manylinux_2_17"
    assert sorted(path.name for path in folder.iterdir()) == ["python", "report.html", "report.json"]
    assert json.loads((folder / "report.json").read_text())["ok"] is False
    assert "AssertionError: TLSv1.2" in (folder / "report.html").read_text()
    assert not tree.root.exists(), "it is moved, not copied"
    assert origin_of(replace(tree, root=folder / "python")) == "make"


def test_what_is_kept_packs_to_the_same_bytes(tmp_path: Path) -> None:
    def packed(tree: Tree, name: str) -> list[str]:
        made = pack(verified(tree), FACTS, dist=tmp_path / name, reporter=Reporter(quiet=True), jobs=1)
        return [artifact.sha256 for artifact in made]

    before = packed(make_tree(tmp_path / "a"), "first")
    tree = make_tree(tmp_path / "b")
    folder = keep(tree, FACTS, REPORT, tmp_path)
    assert packed(replace(tree, root=folder / "python"), "second") == before


def test_an_older_one_goes_and_nothing_else_is_left(tmp_path: Path) -> None:
    for name in ("a", "b"):
        keep(make_tree(tmp_path / name), FACTS, REPORT, tmp_path)
    assert len(list((tmp_path / "unproved").iterdir())) == 1
    forget(tmp_path, FACTS)
    forget(tmp_path, FACTS)
    assert list((tmp_path / "unproved").iterdir()) == []


def test_no_room_is_told_with_the_folder(tmp_path: Path) -> None:
    (tmp_path / "unproved").write_text("no folder")
    with pytest.raises(OutputError, match="unproved: the tree cannot be kept"):
        keep(make_tree(tmp_path / "a"), FACTS, REPORT, tmp_path)
