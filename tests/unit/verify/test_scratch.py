from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

import pytest

from manypython.model.errors import OutputError
from manypython.verify.scratch import readable, scratch, unfit


def test_a_folder_without_room_is_not_fit(tmp_path: Path) -> None:
    assert unfit(tmp_path, 1) == ""
    assert unfit(tmp_path, 10**18).startswith("has room for ")
    assert unfit(tmp_path / "no", 1) == "is no folder"


def test_where_no_folder_will_do_each_is_named_with_its_reason(tmp_path: Path) -> None:
    with pytest.raises(OutputError) as caught, scratch(10**18, tmp_path):
        pass
    assert f"{tmp_path}: has room for " in caught.value.message
    assert "TMPDIR" in caught.value.remedy


def test_the_folder_is_open_to_all_and_goes_with_the_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with scratch(1, tmp_path) as place:
        assert stat.S_IMODE(place.folder.stat().st_mode) == 0o755
        (place.folder / "frozen").mkdir(mode=0o555)
        if os.geteuid() == 0:
            assert place.user is not None or place.why
    assert not place.folder.exists()


def test_programs_can_be_read_by_anybody_whatever_the_umask_was(tmp_path: Path) -> None:
    program = tmp_path / "inside" / "probe.py"
    program.parent.mkdir(mode=0o700)
    program.touch(mode=0o600)
    readable(program.parent)
    assert stat.S_IMODE(program.stat().st_mode) == 0o644
    assert stat.S_IMODE(program.parent.stat().st_mode) == 0o755
