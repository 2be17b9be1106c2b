from __future__ import annotations

import os
from pathlib import Path

import pytest

from manypython.model.errors import HostToolError
from manypython.model.target import Architecture
from manypython.progress import Reporter
from manypython.verify import emulation

OTHER = Architecture.AARCH64 if os.uname().machine == "x86_64" else Architecture.X86_64


@pytest.fixture
def formats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(emulation, "_FORMATS", tmp_path)
    return tmp_path


@pytest.mark.usefixtures("formats")
def test_this_machine_needs_no_emulator() -> None:
    assert emulation.works(Architecture(os.uname().machine)) == ""


@pytest.mark.parametrize("name", [f"qemu-{OTHER}", f"qemu-{OTHER}-static"])
def test_an_emulator_is_used_that_the_kernel_keeps_open(formats: Path, name: str) -> None:
    entry = formats / name
    entry.write_text("enabled\ninterpreter /usr/bin/qemu\nflags: POF\noffset 0\n")
    assert emulation.works(OTHER) == ""
    entry.write_text("enabled\ninterpreter /usr/bin/qemu\nflags: PO\noffset 0\n")
    assert "flag F" in emulation.works(OTHER)
    entry.write_text("disabled\ninterpreter /usr/bin/qemu\nflags: POF\noffset 0\n")
    assert "not enabled" in emulation.works(OTHER)


@pytest.mark.usefixtures("formats")
def test_without_one_the_remedy_is_named() -> None:
    with pytest.raises(HostToolError, match=f"cannot run {OTHER} programs") as caught:
        emulation.require(OTHER, install=False, reporter=Reporter(quiet=True))
    assert "qemu-user-static" in caught.value.remedy
