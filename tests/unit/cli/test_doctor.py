"""``manypython doctor``: what a project wants, held against what is here and on offer."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest
from sites import MadeSite, Server
from strangers import shut, stranger, without_home

from manypython.cli import main
from manypython.model.errors import TROUBLE, DownloadError, NoBuildError
from manypython.projects.checkup import FETCHED, HERE, NOT_OURS, NOWHERE, UNKNOWN, rows
from manypython.projects.wish import Wish, wish

PLACE = Path("tox.ini")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "project"
    made.mkdir()
    (made / "tox.ini").write_text("[tox]\nenv_list = py313, pypy311\n")
    return made


def doctor(capfd: pytest.CaptureFixture[str], folder: Path, *words: str) -> tuple[int, Any]:
    code = main(["doctor", str(folder), "--json", *words])
    told = json.loads(capfd.readouterr().out)
    assert told["fine"] is (code == 0)
    return code, told


def test_each_request_is_answered_once() -> None:
    asked = []

    def offered(request: str) -> dict[str, Any]:
        asked.append(request)
        if request == "3.8":
            raise NoBuildError("the index has no 3.8; on offer: 3.13.5")
        if request == "3.12":
            raise DownloadError("no answer")
        return {"key": request}

    wishes = [wish(PLACE, "", said) for said in ("3.8", "py312", "3.13", "3.13", "py313", "pypy3.11")]
    found = rows(wishes, lambda _: None, offered)
    assert [each.state for each in found] == [NOWHERE, UNKNOWN, FETCHED, FETCHED, FETCHED, NOT_OURS]
    assert asked == ["3.8", "3.12", "3.13"]
    assert found[0].why.startswith(
        "the index has no 3.8; on offer: 3.13.5; manypython builds CPython 3.11 to 3."
    )
    assert found[1].why == "no answer"


def test_a_project_before_and_after_fetching(
    site: MadeSite, server: Server, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    index = ("--index", server.url, "--trust", site.trust)
    code, told = doctor(capfd, folder, *index)
    assert code == 0
    ours, other = told["wishes"]
    assert (ours["state"], ours["line"], ours["where"], ours["request"]) == (
        FETCHED,
        2,
        "env_list: py313",
        "3.13",
    )
    assert ours["build"]["url"].startswith(f"{server.url}python-build-standalone/")
    assert ours["build"]["url"].endswith(".zip")
    assert ours["build"]["size"] > 0
    assert (other["state"], other["request"], other["why"]) == (NOT_OURS, None, "not CPython: not ours")
    assert main(["fetch", "3.13", *index]) == 0
    python = capfd.readouterr().out.strip()
    code, told = doctor(capfd, folder, *index)
    assert (code, told["wishes"][0]["state"], told["wishes"][0]["python"]) == (0, HERE, python)
    code, told = doctor(capfd, folder)
    assert (code, told["checks"][0]["said"]) == (0, "no index is set"), "what is here needs none"
    assert "--index URL" in told["checks"][0]["remedy"]


def test_an_index_that_gives_no_answer_is_named(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code, told = doctor(capfd, folder, "--index", "http://127.0.0.1:1/", "--allow-unsigned")
    assert (code, told["wishes"][0]["state"]) == (TROUBLE, UNKNOWN)
    assert told["checks"][0]["said"].startswith("http://127.0.0.1:1/index.json: ")
    assert told["checks"][0]["remedy"]


def test_what_is_not_to_be_had_is_told_with_what_is(
    site: MadeSite, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (folder / ".python-version").write_text("3.8\n2.7\n")
    code, told = doctor(capfd, folder, "--index", str(site.folder), "--trust", site.trust)
    assert code == TROUBLE
    old, older = told["wishes"][-2:]
    assert (old["state"], older["state"]) == (NOWHERE, NOT_OURS)
    assert "on offer: 3.13.15; manypython builds CPython 3.11 to" in old["why"]
    assert told["wishes"][0]["build"]["url"].startswith(f"{site.folder}/python-build-standalone/")
    assert "%" not in told["wishes"][0]["build"]["url"], "a path, not a URL"


def test_a_broken_file_does_not_hide_the_others(
    site: MadeSite, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (folder / "Pipfile").write_text("[requires\n")
    index = ("--index", str(site.folder), "--trust", site.trust)
    code, told = doctor(capfd, folder, *index)
    assert (code, told["wishes"][0]["state"]) == (TROUBLE, FETCHED)
    assert [each["file"] for each in told["files"] if each["error"]] == ["Pipfile"]
    assert main(["doctor", str(folder), *index]) == TROUBLE
    assert f"{folder}/Pipfile: no TOML: " in capfd.readouterr().out


def test_a_folder_that_is_closed_is_not_taken_for_one_without_files(folder: Path, home: Path) -> None:
    (folder / ".python-version").write_text("3.13")
    with shut(folder):
        done = subprocess.run(
            [*stranger(), sys.executable, "-m", "manypython", "doctor", str(folder)],
            env=without_home(HOME=str(home)), capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"error: {folder}: cannot be read: Permission denied\n"


def test_a_store_that_cannot_be_written_is_in_the_way(
    site: MadeSite, folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MANYPYTHON_STORE_DIR", str(folder / "tox.ini/pythons"))
    code, told = doctor(capfd, folder, "--index", str(site.folder), "--trust", site.trust)
    assert (code, told["wishes"][0]["state"]) == (TROUBLE, FETCHED)
    assert told["checks"][1] == {
        "name": "store",
        "said": f"{folder}/tox.ini: cannot be written",
        "remedy": "name a folder that can be written with MANYPYTHON_STORE_DIR",
    }


def test_what_tox_is_to_bring_is_said(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (folder / "pyproject.toml").write_text('[tool.tox]\nrequires = ["manypython>=0.1"]\nenv_list = ["x"]\n')
    (folder / "setup.cfg").write_text("[tox:tox]\nrequires =\n  tox-uv\n  manypython  # ours\n")
    _, told = doctor(capfd, folder)
    said = {each["name"]: each["said"] for each in told["checks"]}
    ours = "requires manypython: tox brings our plug-in"
    assert (said["pyproject.toml"], said["setup.cfg"]) == (ours, ours)
    assert said["tox.ini"] == "does not require manypython"


def test_plug_ins_are_those_of_this_environment(
    folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = tmp_path / "site-packages/manypython-9.dist-info"
    installed.mkdir(parents=True)
    (installed / "METADATA").write_text("Metadata-Version: 2.4\nName: manypython\nVersion: 9\n")
    (installed / "entry_points.txt").write_text("[tox]\na = b:c\n[virtualenv.discovery]\nd = e:f\n")
    monkeypatch.syspath_prepend(installed.parent)
    beside, elsewhere = tmp_path / "scripts", tmp_path / "bin"
    for path in (beside / "virtualenv", elsewhere / "tox", elsewhere / "nox"):
        path.parent.mkdir(exist_ok=True)
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{beside}:{elsewhere}")
    monkeypatch.setattr(sysconfig, "get_path", lambda _: str(beside))
    _, told = doctor(capfd, folder)
    assert {each["name"]: each["said"] for each in told["checks"][2:-1]} == {
        "virtualenv": f"{beside}/virtualenv: has our plug-in",
        "tox": f"{elsewhere}/tox: in an environment of its own: our plug-in is not seen there",
        "nox": f"{elsewhere}/nox",
    }


def test_the_table_is_for_people_and_harms_no_terminal(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (folder / ".python-version").write_text("3.13\n\x1b[2Jx\n")
    assert main(["doctor", str(folder)]) == TROUBLE
    told = capfd.readouterr().out
    assert "\x1b" not in told
    assert "tox.ini:2          env_list: py313    3.13     not here\n" in told
    assert ".python-version:2                     ·[2Jx    not understood\n" in told
    assert told.endswith("remedy: name a site with --index URL or [tool.manypython] index\n")


def test_a_project_that_names_none_is_fine(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    assert main(["doctor", str(empty)]) == 0
    assert "has none of the files that are read: pyproject.toml, tox.ini" in capfd.readouterr().out
    assert main(["doctor", str(empty / "none")]) == 2
    assert capfd.readouterr().err.startswith(f"error: {empty}/none: no such folder\n")


def test_help_and_fetch_do_not_wait_for_it() -> None:
    code = (
        "import sys; from manypython.cli import main\n"
        "for words in (['--help'], ['fetch', '--help']):\n"
        "    try: main(words)\n"
        "    except SystemExit: pass\n"
        "names = [name for name in sys.modules if 'project' in name or name.endswith(('doctor', 'checkup'))]\n"
        "sys.exit(repr(names) if names else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "doctor" in done.stdout


def test_a_wish_is_a_plain_value() -> None:
    assert wish(PLACE, "x", "py313", 3) == Wish(PLACE, "x", "py313", "3.13", "", 3)
