from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from manypython import process
from manypython.compile import cpython
from manypython.compile.steps import Workshop
from manypython.compile.toolchains import zig as zig_module
from manypython.compile.toolchains.base import QUICK, Toolchain
from manypython.compile.toolchains.zig import zig
from manypython.model.errors import BuildError
from manypython.model.target import Target
from manypython.progress import Step
from manypython.recipes.catalogue import catalogue

ARM = Target.parse("aarch64-manylinux_2_17")


def prefix(root: Path, header: str) -> Path:
    texts = {
        "bin/python3.13": "",
        "lib/python3.13/os.py": "",
        "include/python3.13/patchlevel.h": '#define PY_VERSION "3.13.5"\n',
        "include/python3.13/pyconfig.h": header,
    }
    for name, text in texts.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def shop(folder: Path, header: str) -> Workshop:
    prefix(folder / "out/install", header)
    compiler = Toolchain("zig", "1", "", ARM, (), "", (), (), ())
    return Workshop(
        recipe=catalogue().recipes["cpython-3.13.5"], toolchain=compiler, source=folder, dependencies=folder,
        destination=folder / "out", log=folder / "log", step=cast("Step", None), jobs=1, epoch=0,
        profile=QUICK, native=None,
    )  # fmt: skip


def test_what_configure_guessed_must_be_what_a_native_build_found(tmp_path: Path) -> None:
    native = prefix(tmp_path / "native", "#define HAVE_WORKING_TZSET 1\n/* #undef Q */\n# define SIZE 8\n")
    cpython._check_answers(shop(tmp_path / "same", "# define SIZE 8\n#define HAVE_WORKING_TZSET 1\n"), native)
    with pytest.raises(BuildError) as caught:
        cpython._check_answers(shop(tmp_path / "other", "#define SIZE 4\n#define Q\n"), native)
    for fact in ("HAVE_WORKING_TZSET: None, native 1", "SIZE: 4, native 8", "Q: , native None"):
        assert fact in caught.value.message
    assert "cross.toml" in caught.value.remedy


def test_what_another_machine_has_otherwise_is_no_fault(tmp_path: Path) -> None:
    native = prefix(tmp_path / "native", "#define HAVE_GCC_ASM_FOR_X64 1\n")
    cpython._check_answers(shop(tmp_path / "arm", ""), native)


def test_a_driver_links_a_random_stack_guard_where_the_guard_is_a_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zig_module, "zig_folder", lambda: tmp_path / "zig folder")
    (tmp_path / "zig folder").mkdir()
    program = tmp_path / "zig folder/zig"
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    program.chmod(0o755)
    drivers = dict(zig(ARM, tmp_path / "a cache").drivers)
    words = {
        ("a.o", "-o", "a"): True,
        ("-shared", "a.c", "-o", "a.so"): True,
        ("-c", "a.c", "-o", "a.o"): False,
        ("-o", "a.o", "-c", "a.c"): False,
        ("-E", "a.c"): False,
        ("--version",): False,
    }
    for asked, linked in words.items():
        said = process.run((drivers["CC"], *asked)).output.splitlines()
        assert said[-1].endswith("guard.c") is linked, (asked, said)
        assert not linked or "random_guard" in Path(said[-1]).read_text()
    other = zig(Target.parse("x86_64-manylinux_2_17"), tmp_path / "a cache")
    assert "guard" not in Path(dict(other.drivers)["CC"]).read_text()
