from __future__ import annotations

import time

import pytest

from manypython.host_tools import install_command, missing, require_clock
from manypython.model.errors import HostToolError


def test_a_clock_behind_the_sources_is_told_before_anything_is_built() -> None:
    require_clock(time.time() - 1)
    with pytest.raises(
        HostToolError, match=r"the clock of this machine says \d{4}-\d\d-\d\d, before"
    ) as caught:
        require_clock(time.time() + 86400)
    assert caught.value.remedy == "set the clock"


def test_a_program_that_nobody_has_is_missing_and_one_that_all_have_is_not() -> None:
    assert [tool.program for tool in missing(("sh", "no-such-program"))] == ["no-such-program"]


def test_packages_are_named_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: "/usr/bin/apt-get" if name == "apt-get" else None)
    command = install_command(missing(("cc", "gcc", "bwrap")))
    assert command is not None
    assert command[4:] == ("bubblewrap", "gcc", "libc6-dev")
