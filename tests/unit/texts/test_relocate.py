from __future__ import annotations

import ast
import base64
import hashlib
import json
import os
import re
import shlex
import subprocess
import sys
import sysconfig as host_sysconfig
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manypython.model.errors import TreeError
from manypython.model.tree import Tree
from manypython.progress import Reporter
from manypython.repair.apply import apply
from manypython.repair.edits import Symlink, WriteText
from manypython.repair.relocate import old_prefix, plan_relocate, same_length
from manypython.texts import configuration as files
from manypython.texts import scripts, sysconfig
from manypython.texts.scrub import Scrubber, compiler

OLD = "/opt/old prefix"[:8] + "/py"
BUILD = "/home/builder/cache"
SCRUB = Scrubber(OLD, (BUILD,))
VARIABLES: sysconfig.Variables = {
    "prefix": OLD,
    "LIBDIR": f"{OLD}/lib",
    "CC": f"{BUILD}/toolchains/zig/clang",
    "CXX": f"{BUILD}/toolchains/zig/clang++",
    "AR": f"{BUILD}/toolchains/zig/ar",
    "LDSHARED": f"{BUILD}/toolchains/zig/clang -shared -L{BUILD}/work/deps/lib",
    "CFLAGS": "-fno-sanitize=undefined -Wno-date-time -DNDEBUG -O3 -Wall",
    "CPPFLAGS": f"-I. -I./Include -I{BUILD}/work/deps/include",
    "LDFLAGS": f"-L{OLD}/lib -Wl,-rpath,{OLD}/lib",
    "CONFIG_ARGS": f"'--prefix={OLD}' '--with-openssl={BUILD}/deps' '--with-system-expat' 'CC={BUILD}/clang' 'CFLAGS=-O3 -g'",
    "INSTALL": "/usr/bin/install -c",
    "ABIFLAGS": "",
    "EXT_SUFFIX": ".cpython-313-x86_64-linux-gnu.so",
    "HAVE_FORK": 1,
    "QUOTED": "-DX='\"a\\b\"'",
    "LIBPL": f"{OLD}/lib/python3.13/config-3.13-x86_64-linux-gnu",
    "LIBS": "-ldl",
    "SYSLIBS": "-lm",
    "abs_builddir": f"{BUILD}/work/Python",
}


def as_uv_reads(text: str) -> dict[str, str | int]:
    """The rules uv, mise and pdm hold a sysconfig file to (one literal dict behind the header)."""
    assert text.startswith(
        "# system configuration generated and used by the sysconfig module\nbuild_time_vars = {"
    )
    body = text[text.index("{") : text.index("\n}\n") + 2]
    assert not re.search(r"\\[^'\"]", body.replace("\\\\", ""))
    found: dict[str, str | int] = ast.literal_eval(body)
    return found


def test_sysconfig_is_scrubbed_and_stays_readable_for_installers() -> None:
    text = sysconfig.render(sysconfig.scrub(VARIABLES, SCRUB))
    found = as_uv_reads(text)
    assert found["prefix"] == "/install"
    assert found["LIBDIR"] == "/install/lib"
    assert (found["CC"], found["CXX"], found["AR"]) == ("cc", "c++", "ar")
    assert found["LDSHARED"] == "cc -shared"
    assert found["CFLAGS"] == "-DNDEBUG -O3 -Wall"
    assert found["CPPFLAGS"] == "-I. -I./Include"
    assert found["LDFLAGS"] == ""
    assert found["CONFIG_ARGS"] == "'--with-system-expat'"
    assert found["INSTALL"] == "/usr/bin/install -c"
    assert found["HAVE_FORK"] == 1
    assert found["QUOTED"] == VARIABLES["QUOTED"]
    assert BUILD not in text
    assert OLD not in text


def test_sysconfig_describes_a_shared_library_where_the_configured_one_is_not_there() -> None:
    configured: sysconfig.Variables = {
        "LDLIBRARY": "libpython3.13.a", "MODLIBS": "-lm -lm -lz -lexpat Modules/_hacl/lib.a -ldl", "CC": "cc",
    }  # fmt: skip
    described = sysconfig.describe(configured, "libpython3.13.so.1.0")
    assert described == {
        "BLDLIBRARY": "-L. -lpython3.13",
        "CC": "cc",
        "INSTSONAME": "libpython3.13.so.1.0",
        "LDLIBRARY": "libpython3.13.so",
        "LIBRARY": "",
        "LIBRARY_DEPS": "libpython3.13.so",
        "MODLIBS": "-lm -ldl",
        "Py_ENABLE_SHARED": 1,
    }


def test_patching_twice_is_patching_once() -> None:
    once = sysconfig.render(sysconfig.scrub(VARIABLES, SCRUB))
    again = sysconfig.scrub(sysconfig.parse(once, "x"), Scrubber("/install", (BUILD,)))
    assert sysconfig.render(again) == once


@pytest.mark.parametrize("folder", ["plain", "with space", "ünïcode", "quo'te", "dollar$x"])
def test_the_trailer_gives_the_real_prefix_wherever_the_file_stands(tmp_path: Path, folder: str) -> None:
    place = tmp_path / folder / "lib" / "python3.13"
    place.mkdir(parents=True)
    (place / "_data.py").write_text(sysconfig.render(sysconfig.scrub(VARIABLES, SCRUB)), encoding="utf-8")
    program = "import json, sys; sys.path.insert(0, sys.argv[1]); import _data; print(json.dumps(_data.build_time_vars))"
    result = subprocess.run(
        [sys.executable, "-B", "-c", program, str(place)], capture_output=True, check=True
    )
    found = json.loads(result.stdout)
    assert found["prefix"] == str(tmp_path / folder)
    assert found["LIBDIR"] == str(tmp_path / folder / "lib")
    assert found["INSTALL"] == "/usr/bin/install -c"


@given(
    st.dictionaries(
        st.text("abcXYZ_", min_size=1),
        st.one_of(st.integers(), st.text(st.characters(codec="ascii", exclude_categories=["C"]))),
    )
)
def test_any_variables_survive_being_written(variables: dict[str, str | int]) -> None:
    assert sysconfig.parse(sysconfig.render(variables), "x") == variables


def test_a_file_without_variables_is_refused() -> None:
    with pytest.raises(TreeError, match="has no build_time_vars"):
        sysconfig.parse("x = 1", "f.py")
    with pytest.raises(TreeError, match="cannot be read"):
        sysconfig.parse("build_time_vars = {f()}", "f.py")


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("/x/clang -O2", "cc -O2"),
        ("x86_64-linux-gnu-gcc -pthread", "x86_64-linux-gnu-gcc -pthread"),
        ("/usr/bin/x86_64-linux-gnu-gcc-12", "cc"),
        ("clang++", "c++"),
        ("gcc", "gcc"),
        ("/usr/bin/strange", "/usr/bin/strange"),
    ],
)
def test_compilers_get_the_name_a_user_has(value: str, name: str) -> None:
    assert compiler(value) == name


def run_shell(*words: str | Path) -> str:
    return subprocess.run(
        [str(w) for w in words],
        capture_output=True,
        check=True,
        text=True,
        env={"PATH": "/usr/bin:/bin"},
    ).stdout


@pytest.mark.parametrize("folder", ["plain", "with space", "ünïcode", "quo'te"])
def test_a_script_finds_the_python_beside_it(tmp_path: Path, folder: str) -> None:
    bin_folder = tmp_path / folder / "bin"
    bin_folder.mkdir(parents=True)
    (bin_folder / "python3.13").symlink_to(sys.executable)
    script = bin_folder / "tool"
    script.write_text(
        scripts.patch(f"#!{OLD}/bin/python3.13\nimport sys\nprint(sys.argv[1:])\n", "python3.13")
    )
    script.chmod(0o755)
    link = tmp_path / "link"
    link.symlink_to(script)
    chain = tmp_path / "chain"
    chain.symlink_to("link")
    for name in (script, link, chain):
        assert run_shell(name, "a b", "c") == "['a b', 'c']\n"
    assert ast.parse(script.read_text())


def test_only_scripts_of_the_old_prefix_are_touched() -> None:
    assert scripts.is_python_script(f"#!{OLD}/bin/python3.13\n", OLD)
    assert scripts.is_python_script(f"#!/bin/sh\n'''exec' \"{OLD}/bin/python3\" \"$0\" \"$@\"\n' '''\n", OLD)
    assert not scripts.is_python_script("#!/usr/bin/env python3\n", OLD)
    assert not scripts.is_python_script("#!/bin/sh\necho\n", OLD)


@pytest.mark.parametrize("folder", ["plain", "a b", "it's", 'quo"te', "dollar$x", "ünïcode"])
def test_a_shell_reads_what_python_config_prints(tmp_path: Path, folder: str) -> None:
    script = tmp_path / folder / "bin/python3.13-config"
    script.parent.mkdir(parents=True)
    script.write_text(scripts.config_script("python3.13", sysconfig.scrub(VARIABLES, SCRUB)))
    script.chmod(0o755)
    words = shlex.split(run_shell(script, "--includes")) + shlex.split(run_shell(script, "--ldflags"))
    root = f"{tmp_path}/{folder}"
    assert words[0] == f"-I{root}/include/python3.13"
    assert f"-L{root}/lib" in words


def test_python_config_finds_itself(tmp_path: Path, shellcheck: str) -> None:
    place = tmp_path / "a b" / "bin"
    place.mkdir(parents=True)
    script = place / "python3.13-config"
    script.write_text(scripts.config_script("python3.13", sysconfig.scrub(VARIABLES, SCRUB)))
    script.chmod(0o755)
    (tmp_path / "link").symlink_to(script)
    root = tmp_path / "a b"
    assert run_shell(script, "--prefix") == f"{root}\n"
    assert run_shell(tmp_path / "link", "--includes") == f"'-I{root}/include/python3.13'\n"
    assert run_shell(script, "--ldflags", "--embed").endswith("-lpython3.13 -ldl -lm\n")
    assert run_shell(script, "--extension-suffix") == ".cpython-313-x86_64-linux-gnu.so\n"
    run_shell(shellcheck, script)


def test_a_makefile_keeps_its_variables() -> None:
    """Whether make reads all of it is tried on a real one (tests/integration/test_other_programs.py)."""
    text = (
        f"A=-I{BUILD}/include\nB=-L{BUILD}/lib  -lb\nCC=\t{BUILD}/x/clang\nall: {BUILD}/a\n\tcc -I{BUILD}\n"
    )
    new = files.makefile(text, SCRUB, {"CC": "cc"})
    assert new == "A=\nB=  -lb\nCC=\tcc\nall: \n\tcc \n"
    assert files.makefile(new, SCRUB, {"CC": "cc"}) == new


def test_a_pc_file_is_relative_to_itself() -> None:
    text = f"prefix={OLD}\nexec_prefix=${{prefix}}\nlibdir={OLD}/lib\nLibs: -L{OLD}/lib -lpython3.13\nLibs.private: -L{BUILD}/deps/lib -ldl\n"
    new = files.pkgconfig(text, SCRUB)
    assert new.startswith("prefix=${pcfiledir}/../..\n")
    assert "libdir=${prefix}/lib" in new
    assert BUILD not in new
    assert files.pkgconfig(new, Scrubber("/install", (BUILD,))) == new


def test_build_details_become_relative() -> None:
    text = json.dumps({"schema_version": "1.0", "base_prefix": OLD, "base_interpreter": f"{OLD}/bin/python3.14",
                       "libpython": {"dynamic": f"{OLD}/lib/libpython3.14.so"}, "suffixes": {"source": [".py"]}})  # fmt: skip
    found = json.loads(files.build_details(text, OLD))
    assert found["base_prefix"] == "../.."
    assert found["base_interpreter"] == "bin/python3.14"
    assert found["libpython"]["dynamic"] == "lib/libpython3.14.so"


def test_a_record_gets_the_new_digests() -> None:
    text = "../../../bin/pip,sha256=old,10\npip/__init__.py,sha256=kept,3\n"
    new = files.record(text, {"../../../bin/pip": b"new"})
    digest = base64.urlsafe_b64encode(hashlib.sha256(b"new").digest()).decode().rstrip("=")
    assert new == f"../../../bin/pip,sha256={digest},3\npip/__init__.py,sha256=kept,3\n"


@pytest.mark.parametrize(
    "prefix", ["/home/me/.pyenv/versions/3.13.0", "/usr/local", "/opt/x", "/install/3.13"]
)
def test_a_neutral_path_is_as_long_and_ends_alike(prefix: str) -> None:
    new = same_length(prefix)
    assert len(new) == len(prefix)
    assert new.endswith(prefix.rpartition("/")[2])
    assert os.path.isabs(new)


@pytest.fixture
def prefix(tmp_path: Path) -> Tree:
    root = tmp_path / "tree"
    stdlib = root / "lib/python3.13"
    for folder in (root / "bin", stdlib, root / "include/python3.13", root / "lib/pkgconfig"):
        folder.mkdir(parents=True)
    (stdlib / "os.py").write_text("")
    (root / "include/python3.13/patchlevel.h").write_text('#define PY_VERSION "3.13.5"\n')
    (root / "bin/python3.13").write_text("binary")
    (root / "bin/pip3").write_text(f"#!{OLD}/bin/python3.13\nprint()\n")
    (root / "bin/absolute").symlink_to(f"{OLD}/bin/pip3")
    (root / "lib/pkgconfig/python3.pc").write_text(f"prefix={OLD}\n")
    (stdlib / "_sysconfigdata__linux_.py").write_text(
        sysconfig.render(VARIABLES).replace(sysconfig._TRAILER, "")
    )
    return Tree.open(root)


def test_a_whole_tree_is_planned_and_planning_again_finds_nothing(prefix: Tree) -> None:
    assert old_prefix(prefix) == OLD
    debians = prefix.stdlib / "build-details.x86_64-linux-gnu.json"
    debians.write_text(json.dumps({"base_prefix": OLD, "libpython": {"dynamic": f"{OLD}/lib/libpython3.so"}}))
    plan = plan_relocate(prefix, build_paths=(BUILD,))
    written = {str(edit.path) for edit in plan if isinstance(edit, WriteText)}
    assert written == {
        "bin/pip3",
        "lib/pkgconfig/python3.pc",
        "lib/python3.13/_sysconfigdata__linux_.py",
        "lib/python3.13/build-details.x86_64-linux-gnu.json",
    }
    links = {str(edit.path): edit.target for edit in plan if isinstance(edit, Symlink)}
    assert links == {
        "bin/python": "python3.13",
        "bin/python3": "python3.13",
        "bin/pip": "pip3",
        "bin/absolute": "pip3",
    }
    apply(prefix, plan, reporter=Reporter(quiet=True), jobs=1)
    details = {"base_prefix": "../..", "libpython": {"dynamic": "lib/libpython3.so"}}
    assert json.loads(debians.read_text()) == details
    assert plan_relocate(prefix, build_paths=(BUILD,)) == ()


def test_the_interpreter_running_this_has_a_sysconfig_we_can_patch() -> None:
    name = host_sysconfig._get_sysconfigdata_name()  # type: ignore[attr-defined]
    module = __import__(name)
    text = Path(module.__file__ or "").read_text()
    old = host_sysconfig.get_config_var("prefix")
    found = as_uv_reads(sysconfig.render(sysconfig.scrub(sysconfig.parse(text, name), Scrubber(old))))
    assert found.keys() == module.build_time_vars.keys()


def test_in_a_shared_prefix_the_hosts_programs_stay_the_hosts() -> None:
    scrubber = Scrubber("/usr")
    assert scrubber.flags("/usr/bin/install -c") == "/usr/bin/install -c"
    assert scrubber.flags("/usr/bin/python3.11") == "/install/bin/python3.11"
    assert scrubber.flags("/usr/lib/x86_64-linux-gnu") == "/install/lib/x86_64-linux-gnu"
    assert scrubber.flags("-I/usr/include/x") == ""
    assert scrubber.text("/usrlocal /usr") == "/usrlocal /install"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("            prefix_scheme = 'posix_local'\n", "            prefix_scheme = 'posix_prefix'\n"),
        ("                return 'posix_local'\n", "                return 'posix_prefix'\n"),
        ("    'posix_local': {\n", "    'posix_local': {\n"),
    ],
)
def test_debians_install_scheme_becomes_the_usual_one(before: str, after: str) -> None:
    assert files.usual_scheme(before) == after
    assert files.usual_scheme(after) == after


def test_debians_pypy_finds_the_wheels_of_the_tree() -> None:
    before = "glob('/usr/share/python-wheels/pip-*.whl'), join('/usr/share/python-wheels', name)"
    after = files.own_wheels(before)
    assert after.count("sys.base_prefix + '/share/python-wheels") == 2
    assert files.own_wheels(after) == after


def test_where_debians_frozen_site_looks_is_a_link_to_site_packages(prefix: Tree) -> None:
    (prefix.stdlib / "site.py").write_text("path = 'dist-packages'\n")
    (prefix.stdlib / "site-packages").mkdir(exist_ok=True)
    link = PurePosixPath("lib", prefix.name, "dist-packages")
    assert Symlink(link, "site-packages") in plan_relocate(prefix)
    (prefix.root / link).symlink_to("site-packages")
    assert Symlink(link, "site-packages") not in plan_relocate(prefix)
