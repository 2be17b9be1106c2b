"""What ``pip`` is given to install: a wheel and a C extension, made here, no network."""

from __future__ import annotations

import zipfile
from pathlib import Path

_BACKEND = '''
"""A build backend that compiles with what sysconfig says, and nothing else."""
import os, shlex, subprocess, sysconfig, zipfile


def _tag():
    name = "cp" + sysconfig.get_config_var("py_version_nodot")
    return name + "-" + name + sysconfig.get_config_var("ABIFLAGS") + "-linux_" + os.uname().machine


def build_wheel(directory, settings=None, metadata=None):
    get = sysconfig.get_config_var
    target = "_hello" + get("EXT_SUFFIX")
    words = shlex.split(get("CC")) + shlex.split(get("CFLAGS")) + shlex.split(get("CCSHARED"))
    subprocess.run([*words, "-I" + get("INCLUDEPY"), "-c", "hello.c", "-o", "hello.o"], check=True)
    subprocess.run([*shlex.split(get("LDSHARED")), "hello.o", "-o", target], check=True)
    info = "hello-1.0.dist-info/"
    name = "hello-1.0-" + _tag() + ".whl"
    with zipfile.ZipFile(os.path.join(directory, name), "w") as wheel:
        wheel.write(target, target)
        wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\\nName: hello\\nVersion: 1.0\\n")
        head = "Wheel-Version: 1.0\\nGenerator: t\\nRoot-Is-Purelib: false\\nTag: "
        wheel.writestr(info + "WHEEL", head + _tag() + "\\n")
        wheel.writestr(info + "RECORD", "")
    return name
'''
_SOURCE = """
#include <Python.h>
static PyObject *answer(PyObject *self, PyObject *args) { return PyLong_FromLong(42); }
static PyMethodDef methods[] = {{"answer", answer, METH_NOARGS, 0}, {0}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_hello", 0, -1, methods};
PyMODINIT_FUNC PyInit__hello(void)
{
    PyObject *made = PyModule_Create(&module);
#ifdef Py_GIL_DISABLED
    if (made) PyUnstable_Module_SetGIL(made, Py_MOD_GIL_NOT_USED);
#endif
    return made;
}
"""


def wheel(folder: Path) -> Path:
    """A pure wheel with a console script ``greet``."""
    path = folder / "greeting-1.0-py3-none-any.whl"
    info = "greeting-1.0.dist-info/"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("greeting.py", "def main():\n    print('hello from', __import__('sys').prefix)\n")
        file.writestr(info + "METADATA", "Metadata-Version: 2.1\nName: greeting\nVersion: 1.0\n")
        tags = "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        file.writestr(info + "WHEEL", tags)
        file.writestr(info + "entry_points.txt", "[console_scripts]\ngreet = greeting:main\n")
        file.writestr(info + "RECORD", "")
    return path


def extension(folder: Path) -> Path:
    """The source tree of a small C extension with its own build backend."""
    path = folder / "hello"
    path.mkdir()
    (path / "hello.c").write_text(_SOURCE)
    (path / "backend.py").write_text(_BACKEND)
    (path / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        '[project]\nname = "hello"\nversion = "1.0"\n'
    )
    return path
