from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from manypython.archives import shared
from manypython.model.errors import ArchiveError, OutputError

PROGRAM = """
import os, sys, time
from manypython.archives.shared import in_two
from manypython.model.errors import ArchiveError

def do(item):
    {body}

print("before")
try:
    in_two(range(10), do)
except BaseException as error:
    print(type(error).__name__, error)
"""


def run(body: str, timeout: float = 20) -> list[str]:
    """A program without threads, which pytest's workers are not."""
    argv = [sys.executable, "-c", PROGRAM.replace("{body}", body)]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=timeout)
    assert done.stderr == ""
    return done.stdout.splitlines()


pytestmark = pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one core only")


def test_each_item_is_done_once_and_by_two_processes(tmp_path: Path) -> None:
    assert run(f"open(f'{tmp_path}/{{item}}', 'x').write(str(os.getpid()))") == ["before"]
    done = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert sorted(done, key=int) == [str(number) for number in range(10)]
    assert len(set(done.values())) == 2
    assert done["0"] != done["1"], "neighbours go to different processes"


@pytest.mark.parametrize("which", [0, 1])
def test_an_error_comes_out_as_what_it_is_wherever_it_was_raised(which: int) -> None:
    body = f"if item % 2 == {which}: raise ArchiveError(f'member {{item}}')"
    assert run(body) == ["before", f"ArchiveError member {which}"]


def test_a_second_process_that_is_killed_is_noticed() -> None:
    assert run("item % 2 and os.kill(os.getpid(), 9)")[1].startswith("RuntimeError the second process ended")


def test_who_fails_first_does_not_wait_for_the_other() -> None:
    body = "time.sleep(30) if item % 2 else sys.exit('enough')"
    assert run(body, timeout=25) == ["before", "SystemExit enough"]


def test_with_threads_there_is_no_second_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading, "active_count", lambda: 2)
    monkeypatch.setattr(os, "fork", lambda: pytest.fail("forked"))
    seen: list[int] = []
    shared.in_two(range(5), seen.append)
    assert seen == [0, 1, 2, 3, 4]


def test_where_no_process_can_be_had_one_does_it_all(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(threading, "active_count", lambda: 1)
    monkeypatch.setattr(os, "fork", none)
    open_before = len(list(Path("/proc/self/fd").iterdir()))
    seen: list[int] = []
    shared.in_two(range(5), seen.append)
    assert seen == [0, 1, 2, 3, 4]
    assert len(list(Path("/proc/self/fd").iterdir())) == open_before


@pytest.mark.parametrize("kind", [ArchiveError, OutputError])
def test_a_message_keeps_its_kind_and_remedy(kind: type[ArchiveError]) -> None:
    error = shared._error(f'["{kind.__name__}", "fact", "advice"]'.encode(), 256)
    assert isinstance(error, kind)
    assert (error.message, error.remedy) == ("fact", "advice")
    assert isinstance(shared._error(b"", signal.SIGKILL), RuntimeError)
