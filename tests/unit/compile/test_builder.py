from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from manypython.compile import builder, steps
from manypython.compile.toolchains.base import RELEASE, Toolchain
from manypython.compile.toolchains.zig import zig
from manypython.host_tools import missing, require
from manypython.model.errors import HostToolError
from manypython.model.target import DEFAULT_TARGET, Target
from manypython.progress import Reporter
from manypython.recipes.catalogue import catalogue
from manypython.run import Run

QUIET = Reporter(quiet=True)


TOOLS = Toolchain("zig", "1", "", DEFAULT_TARGET, (("CC", "/x/clang"),), "/x:/bin", ("-n",), ("-a",), ("-b",))


def key(**changes: Any) -> str:
    recipe = replace(catalogue().recipes[changes.pop("name", "zlib")], **changes.pop("recipe", {}))
    sha256, dependencies = changes.pop("sha256", "a" * 64), changes.pop("dependencies", ())
    setup = replace(builder.Setup(TOOLS, Run(Path("/c"), QUIET, 1), 1), **changes)
    return builder.key_of(recipe, sha256, dependencies, setup)


def test_every_input_is_in_the_digest_of_a_build() -> None:
    keys = [
        key(),
        key(sha256="b" * 64),
        key(epoch=2),
        key(recipe={"arguments": ("--other",)}),
        key(recipe={"cflags": ("-O0",)}),
        key(recipe={"build": "autotools"}),
        key(toolchain=replace(TOOLS, version="2")),
        key(toolchain=replace(TOOLS, place="manylinux_2_31 0123")),
        key(toolchain=replace(TOOLS, needed=())),
        key(toolchain=replace(TOOLS, cflags=("-c",))),
        key(toolchain=replace(TOOLS, target=Target.parse("aarch64-manylinux_2_17"))),
    ]
    assert len(set(keys)) == len(keys)
    assert key() == key()


def test_no_folder_is_in_the_digest() -> None:
    tools = replace(TOOLS, drivers=(("CC", "/elsewhere/clang"),), path="/elsewhere:/bin")
    assert key(toolchain=tools, run=Run(Path("/other"), QUIET, 9)) == key()


def test_only_the_interpreter_is_trained() -> None:
    release = {"profile": RELEASE}
    assert key(**release) == key()
    assert key(name="cpython-3.13.5", **release) != key(name="cpython-3.13.5")


def test_a_digest_is_the_same_on_every_machine_and_python() -> None:
    """A shared cache lives of it: whoever changes this value gives up what all caches hold."""
    assert key(recipe={"version": "1"}) == "d8082668ea3f9cb0d212602a8fb2015e83c16f6f71772146559bc577e56048b5"


def test_a_zig_toolchain_has_drivers_of_one_word(tmp_path: Path) -> None:
    tools = zig(DEFAULT_TARGET, tmp_path)
    driver = Path(dict(tools.drivers)["CC"])
    assert driver.name == "clang"
    assert "-target x86_64-linux-gnu.2.17" in driver.read_text()
    assert tools.path.startswith(f"{driver.parent}:")
    assert str(tmp_path) not in tools.identity


def test_a_missing_program_is_named_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: "/usr/bin/apt-get" if name == "apt-get" else None)
    with pytest.raises(HostToolError) as caught:
        require(["make", "perl", "aclocal"], install=False, reporter=QUIET)
    assert caught.value.message.endswith("aclocal, make, perl")
    assert "apt-get install -y automake make perl " in caught.value.remedy
    assert "dnf install -y automake make perl-core" in caught.value.remedy
    assert caught.value.exit_code == 6


def test_what_is_there_is_not_missing() -> None:
    assert missing(["sh", "ls"]) == ()
    assert [tool.program for tool in missing(["no-such-program"])] == ["no-such-program"]


def test_the_relevant_lines_of_a_log_are_its_errors() -> None:
    output = "\n".join(["x"] * 50 + ["a.c:1: error: no", "make: *** [x] Error 1"] + ["y"] * 5)
    assert steps.relevant(output) == "  a.c:1: error: no\n  make: *** [x] Error 1"
    assert steps.relevant("one\ntwo") == "  one\n  two"
    command = "clang -Wl,--undefined-version -o x"
    assert steps.relevant(f"{command}\nld.lld: error: undefined symbol: f\n{command}") == (
        "  ld.lld: error: undefined symbol: f"
    )
