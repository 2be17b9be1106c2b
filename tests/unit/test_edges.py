"""The edges: command line, processes, progress."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest

from manypython import cli, process
from manypython.model.tree import Tree
from manypython.progress import Reporter, duration


def test_a_fault_of_ours_shows_no_traceback_and_loses_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_: Path) -> Tree:
        raise ZeroDivisionError

    monkeypatch.setattr(Tree, "open", fail)
    assert cli.main(["audit", "x"]) == 1
    said = capsys.readouterr().err
    assert "Traceback" not in said
    log = Path(next(line for line in said.splitlines() if line.startswith("log: ")).removeprefix("log: "))
    assert "ZeroDivisionError" in log.read_text()
    log.unlink()


def test_the_recipes_are_listed_for_machines(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["recipes", "--json"]) == 0
    names = {row["name"] for row in json.loads(capsys.readouterr().out)["recipes"]}
    assert {"openssl", "cpython-3.13.15"} <= names


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ("3.13+20200102", "what is made now is build "),
        ("cpython-3.13-linux-aarch64-musl", "is not for "),
        ("3.13-linux-musl", "is not for "),
        ("3.13-linux-x86_64_v3-gnu", "is one build; make takes a version"),
        ("cpython-3.13.15+20261121-x86_64-unknown-linux-gnu", "is one build; make takes a version"),
        ("python3.13t", "freethreaded CPython cannot be made yet"),
        ("cpython@3.99", "no recipe for CPython cpython@3.99; there are"),
    ],
)
def test_make_reads_requests_as_fetch_does_and_makes_nothing_else(
    request_: str,
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["make", request_]) == 2
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir()), "it is said before anything is done"


def test_a_program_that_fails_says_how(tmp_path: Path) -> None:
    with pytest.raises(process.ProgramError) as caught:
        process.run(("sh", "-c", "echo why; exit 3"), log=tmp_path / "log")
    assert (caught.value.result.returncode, caught.value.result.output) == (3, "why\n")
    assert (tmp_path / "log").read_text() == "why\n"
    with pytest.raises(process.ProgramError, match="127"):
        process.run(("/no/such/program",))


def test_stopping_ends_a_whole_tree_of_processes(tmp_path: Path) -> None:
    started = tmp_path / "started"
    results: list[int] = []

    def work() -> None:
        try:
            process.run(("sh", "-c", f"sleep 60 & touch {started}; wait"))
        except process.ProgramError as error:
            results.append(error.result.returncode)

    thread = threading.Thread(target=work)
    thread.start()
    while not started.exists():
        time.sleep(0.01)
    process.terminate_all()
    thread.join(timeout=60)
    try:
        assert results == [-9]
        with pytest.raises(process.ProgramError, match="130"):
            process.run(("true",))
    finally:
        process.allow_start()
    assert process.run(("true",)).returncode == 0


def test_the_last_run_tells_what_to_expect(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "timings.json").write_text('{"build x": 65.0}')
    reporter = Reporter(tmp_path / "timings.json")
    with reporter.step("build x") as step:
        step.line("gcc -c x.c")
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "build x ..., about 1 min 05 s"
    assert said[1].startswith("build x: done in 0.0 s")
    assert json.loads((tmp_path / "timings.json").read_text())["build x"] < 1


def test_broken_timings_are_no_reason_to_fail(tmp_path: Path) -> None:
    (tmp_path / "timings.json").write_text("[")
    with Reporter(tmp_path / "timings.json", quiet=True).step("x"):
        pass
    assert (tmp_path / "timings.json").read_text() != "["


@pytest.mark.parametrize(("seconds", "text"), [(0.44, "0.4 s"), (12.2, "12 s"), (185, "3 min 05 s")])
def test_seconds_for_people(seconds: float, text: str) -> None:
    assert duration(seconds) == text
