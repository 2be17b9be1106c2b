from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console
from samples_of_pack import make_tree, verified

from manypython.model.errors import VerifyError
from manypython.verify.page import page
from manypython.verify.report import Check, VerifyReport, failed, run_probe, show, skipped, summary

REPORT = VerifyReport(
    (
        Check("this machine", "moved", "prefix", ok=True, detail="/x", seconds=0.5),
        Check("debian-12", "plain", "prefix", ok=True, detail="/x", seconds=0.25),
        failed("plain", "tls", "no <handshake> & \N{SNOWMAN}", "debian-12"),
        skipped("no /proc", "loaded_from", "no /proc to read it from", "debian-12"),
    )
)


def test_the_table_has_a_column_for_each_root_and_a_row_for_each_surrounding() -> None:
    columns, rows = REPORT.table()
    assert columns == ("this machine", "debian-12")
    assert list(rows) == ["moved", "plain", "no /proc"]
    assert [summary(rows["plain"].get(name, ())) for name in columns] == ["", "1 of 2"]
    assert summary(rows["no /proc"]["debian-12"]) == "not tried"


def test_on_the_terminal_the_line_that_matters_is_told() -> None:
    text = io.StringIO()
    show("python3.13", REPORT, Console(file=text, width=100))
    assert "failed: debian-12: plain: tls: no <handshake> & \N{SNOWMAN}" in text.getvalue()
    assert "not tried: debian-12: loaded_from: no /proc to read it from" in text.getvalue()
    assert "2 checks passed, 1 failed, 1 not tried" in text.getvalue()


def test_the_page_is_whole_and_quotes_what_it_shows() -> None:
    text = page("python3.13 <x>", REPORT)
    assert "no &lt;handshake&gt; &amp; \N{SNOWMAN}" in text
    assert "<handshake>" not in text
    assert "python3.13 &lt;x&gt;" in text
    assert "2 passed, 1 failed" in text
    assert "src=" not in text
    assert "<script" not in text


def test_the_report_for_machines_says_whether_all_is_well() -> None:
    assert REPORT.as_json()["ok"] is False
    assert VerifyReport(REPORT.checks[:2]).as_json()["ok"] is True
    assert REPORT.as_json()["checks"][2]["root"] == "debian-12"


def test_a_probe_that_does_not_start_is_one_failed_check() -> None:
    (check,) = run_probe(("/bin/sh", "-c", "echo broken; exit 3"), {}, "moved")
    assert (check.ok, check.name, check.detail) == (False, "start", "broken\n")
    (check,) = run_probe(("/bin/sh", "-c", "echo no rows"), {}, "moved")
    assert check.ok is False
    (check,) = run_probe(("/nonexistent/python",), {}, "moved")
    assert "No such file" in check.detail


def test_the_report_in_short() -> None:
    assert REPORT.proof() == {
        "passed": 2,
        "roots": ["this machine", "debian-12"],
        "not_tried": ["debian-12: loaded_from: no /proc to read it from"],
    }


def test_there_is_no_verified_tree_without_a_proof(tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "t")
    assert verified(tree).tree is tree
    with pytest.raises(
        VerifyError, match=r"did not prove portable, 1 of 1 checks failed:\n.*tls: no certificate"
    ):
        verified(tree, VerifyReport((failed("moved", "tls", "no certificate"),)))
