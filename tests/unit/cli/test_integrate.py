"""``manypython integrate``: what to paste, about the index that is set."""

from __future__ import annotations

import json
import shutil

import pytest
from sites import MadeSite, Server

from manypython.cli import main
from manypython.model import errors


def test_what_is_printed_speaks_of_the_index_that_is_set(
    site: MadeSite, server: Server, capfd: pytest.CaptureFixture[str]
) -> None:
    argv = ["integrate", "manypython", "--index", server.url]
    assert main([*argv, "--trust", site.trust]) == 0
    told = capfd.readouterr()
    assert (
        told.out
        == f"pip install manypython\nmanypython fetch 3.13 --index {server.url} --trust {site.trust}\n"
    )
    assert told.err.startswith("# "), "what is pasted or redirected is the text alone"
    assert main([*argv, "--json"]) == 0, "the fingerprint is known from then on"
    assert json.loads(capfd.readouterr().out)["text"] == told.out.strip()


def test_all_tools_are_listed(site: MadeSite, capfd: pytest.CaptureFixture[str]) -> None:
    argv = ["integrate", "--index", str(site.folder), "--trust", site.trust]
    assert main(argv) == 0
    listed = [line.split()[0] for line in capfd.readouterr().out.splitlines()]
    assert main([*argv, "--json"]) == 0
    rows = json.loads(capfd.readouterr().out)
    assert [row["tool"].split()[0] for row in rows] == listed
    assert f"file://{site.folder}/" in next(row["text"] for row in rows if row["tool"] == "uv")


def test_a_version_may_be_chosen(site: MadeSite, capfd: pytest.CaptureFixture[str]) -> None:
    site.add("3.12.4")
    site.publish()
    argv = ["integrate", "uv", "--index", str(site.folder), "--trust", site.trust, "--python"]
    assert main([*argv, "3.12"]) == 0
    assert "uv python install 3.12" in capfd.readouterr().out
    assert main([*argv, "3.99"]) == errors.NoBuildError.exit_code
    assert "has no final release of 3.99" in capfd.readouterr().err


@pytest.mark.parametrize("more", ["3.13t", "3.13.15+20261121", "3.13-aarch64", ">=3.13t"])
def test_more_than_a_version_is_not_passed_over(
    site: MadeSite, more: str, capfd: pytest.CaptureFixture[str]
) -> None:
    argv = ["integrate", "tox", "--index", str(site.folder), "--trust", site.trust, "--python", more]
    assert main(argv) == errors.UsageError.exit_code
    told = capfd.readouterr()
    assert told.out == ""
    assert f"{more}: the lines speak of versions alone" in told.err


def test_an_unknown_tool_is_told_of_the_known(site: MadeSite, capfd: pytest.CaptureFixture[str]) -> None:
    argv = ["integrate", "frob", "--index", str(site.folder), "--trust", site.trust]
    assert main(argv) == errors.UsageError.exit_code
    assert "there are manypython, uv, " in capfd.readouterr().err


def test_a_site_that_nobody_signs_is_said_to_be_so(site: MadeSite, capfd: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(site.folder / "metadata")
    argv = ["integrate", "--index", str(site.folder), "--allow-unsigned", "--json"]
    assert main(argv) == 0
    rows = {row["tool"]: row for row in json.loads(capfd.readouterr().out)}
    assert not [tool for tool, row in rows.items() if "trust" in row["text"].lower()]
    assert "--allow-unsigned" in rows["manypython"]["text"]
    assert "allow_unsigned=True" in rows["nox"]["text"]
    assert "MANYPYTHON_ALLOW_UNSIGNED=1" in rows["tox"]["says"], "which no project may say"
