"""Programs that embed the interpreter, and extensions that ask for libpython by its name."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

import pytest
from builds import Made
from foreign import CACHE, host_packages

from manypython.model.target import Architecture
from manypython.model.tree import Tree
from manypython.verify import impostors

EMBEDDING = """\
#include <Python.h>
int main(int argc, char **argv) {
    Py_Initialize();
    int failed = PyRun_SimpleString(argv[1]);
    return Py_FinalizeEx() || failed;
}
"""
WHERE = "import sys, os; print(sys.prefix, os.__file__, sys.executable, sep='|')"
USES = """\
import bz2, ctypes, curses, hashlib, lzma, sqlite3, ssl, uuid, xml.etree.ElementTree, zlib, zoneinfo
assert hashlib.new('sha256', b'a').hexdigest().startswith('ca978112')
assert sqlite3.connect(':memory:').execute('select 41 + 1').fetchone() == (42,)
assert lzma.decompress(lzma.compress(b'a')) == bz2.decompress(bz2.compress(b'a')) == b'a'
ssl.create_default_context(); ctypes.CFUNCTYPE(ctypes.c_int)(lambda: 1)(); uuid.uuid1(); curses.setupterm('xterm')
xml.etree.ElementTree.fromstring('<a/>'); print('used')
"""


@dataclass(frozen=True)
class Place:
    """A tree that was moved, and a folder for programs."""

    tree: Tree
    folder: Path

    def compile(self, flags: str, name: str = "embedding", source: str = EMBEDDING) -> Path:
        """Compile a program with flags as a shell reads them."""
        text, program = self.folder / f"{name}.c", self.folder / name
        text.write_text(source)
        rpath = f"-Wl,-rpath,{self.tree.root}/lib"
        command = f"cc -o {quote(str(program))} {quote(str(text))} {flags} {quote(rpath)}"
        subprocess.run(("sh", "-c", command), check=True)
        return program

    def flags(self) -> str:
        """What ``python3-config`` says."""
        config = self.tree.root / "bin/python3-config"
        words = (config, "--embed", "--includes", "--ldflags")
        return " ".join(subprocess.run(words, capture_output=True, text=True, check=True).stdout.split("\n"))


@pytest.fixture(scope="module")
def place(made: Made, tmp_path_factory: pytest.TempPathFactory) -> Place:
    host_packages("gcc")
    folder = tmp_path_factory.mktemp("embedding here")
    shutil.copytree(made.tree, folder / "py thon", symlinks=True)
    return Place(Tree.open(folder / "py thon"), folder)


def say(program: Path, *words: str, **env: str) -> str:
    """What a program prints, in the root folder, with these variables alone."""
    done = subprocess.run((program, *words), capture_output=True, text=True, check=True, env=env, cwd="/")
    assert done.stderr == ""
    return done.stdout.strip()


@pytest.fixture(scope="module")
def embedding(place: Place) -> Path:
    """A program that runs the text that it is given."""
    return place.compile(place.flags())


def test_a_program_gets_the_tree_of_its_libpython_whatever_is_on_the_path(
    place: Place, embedding: Path
) -> None:
    root = place.tree.root
    expected = f"{root}|{root}/lib/python3.13/os.py|{root}/bin/python3"
    others = str(Path(sys.executable).parent)
    assert say(embedding, WHERE) == expected
    assert say(embedding, WHERE, PATH=f"{others}:/usr/local/bin:/usr/bin:/bin") == expected


def test_flags_of_pkg_config_do_as_well(place: Place) -> None:
    host_packages("pkg-config")
    words = ("pkg-config", "--cflags", "--libs", "python-3.13-embed")
    env = {"PKG_CONFIG_PATH": str(place.tree.root / "lib/pkgconfig"), "PATH": "/usr/bin:/bin"}
    flags = subprocess.run(words, capture_output=True, text=True, check=True, env=env).stdout.strip()
    program = place.compile(flags, "by-pkg-config")
    assert say(program, WHERE).startswith(f"{place.tree.root}|")


def test_a_virtual_environment_on_the_path_counts_if_it_is_of_the_tree(
    place: Place, embedding: Path, tmp_path: Path
) -> None:
    for python, name in ((place.tree.executable, "own"), (Path(sys.executable), "other")):
        subprocess.run((python, "-m", "venv", "--without-pip", tmp_path / name), check=True)
    assert say(embedding, WHERE, PATH=f"{tmp_path}/own/bin").startswith(f"{tmp_path}/own|{place.tree.root}/")
    assert say(embedding, WHERE, PATH=f"{tmp_path}/other/bin").startswith(f"{place.tree.root}|")


def test_a_home_that_was_set_counts_more(place: Place, embedding: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(place.tree.root, copy, symlinks=True)
    assert say(embedding, WHERE, PYTHONHOME=str(copy)).startswith(f"{copy}|{copy}/lib/")


def test_an_extension_that_needs_libpython_by_name_can_be_imported(place: Place) -> None:
    source = """\
#include <Python.h>
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "named", 0, -1, 0};
PyMODINIT_FUNC PyInit_named(void) { return PyModule_Create(&module); }
"""
    text, library = place.folder / "named.c", place.folder / "named.so"
    text.write_text(source)
    command = f"cc -shared -fPIC -o {quote(str(library))} {quote(str(text))} {place.flags()}"
    subprocess.run(("sh", "-c", command), check=True)
    program = f"import sys; sys.path.insert(0, {str(place.folder)!r}); import named; print('imported')"
    assert say(place.tree.executable, "-c", program) == "imported"


def test_a_program_with_others_libraries_in_it_uses_ours_in_python(place: Place) -> None:
    """The program needs a library that has every name of our libraries, and a trap behind each."""
    impostors.build(impostors.exported(place.tree), Architecture.X86_64, place.folder, CACHE)
    (place.folder / "libimpostors.so").unlink(missing_ok=True)
    (place.folder / "impostors.so").rename(place.folder / "libimpostors.so")
    library = quote(f"{place.folder}/libimpostors.so")
    link = f"-Wl,--no-as-needed {library} -Wl,--as-needed {place.flags()}"
    program = place.compile(link, "crowded")
    assert say(program, USES, TERM="xterm") == "used"


def test_what_sysconfig_names_is_there(place: Place) -> None:
    program = (
        "import json, sysconfig; "
        "names = 'LDLIBRARY INSTSONAME LIBRARY Py_ENABLE_SHARED LIBPL LIBDIR INCLUDEPY MODLIBS'.split(); "
        "print(json.dumps({name: sysconfig.get_config_var(name) for name in names}))"
    )
    found = json.loads(say(place.tree.executable, "-c", program))
    library = Path(found["LIBDIR"])
    assert (found["LIBRARY"], found["Py_ENABLE_SHARED"]) == ("", 1)
    assert (library / found["LDLIBRARY"]).exists()
    assert (library / found["INSTSONAME"]).is_file()
    assert Path(found["LIBPL"], "Makefile").is_file()
    assert Path(found["INCLUDEPY"], "Python.h").is_file()
    assert set(found["MODLIBS"].split()) <= {"-lm", "-ldl", "-lpthread", "-lrt", "-lutil"}
    assert not list(place.tree.root.glob("bin/idle*"))
    assert (place.tree.root / "bin/pydoc").exists()
