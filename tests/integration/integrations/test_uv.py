"""uv of PyPI with our list."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from builds import Made
from driving import Page, Served, attempt, clean, run
from foreign import host_packages
from samples_of_index import make_archives, name_of

from manypython.archives.write import FAST
from manypython.progress import Reporter
from manypython.site.publish import publish

PAGE = Page.of("uv")
UV = "uv>=0.9,<1"
NAME = f"cpython-3.13-linux-{os.uname().machine}-gnu"
"""What uv calls the newest 3.13 that is here."""
EXTENSION = {
    "pyproject.toml": """
        [build-system]
        requires = ["setuptools>=77"]
        build-backend = "setuptools.build_meta"
        [project]
        name = "extension"
        version = "1"
        [tool.setuptools]
        ext-modules = [{name = "extension", sources = ["extension.c"]}]
    """,
    "extension.c": """
        #include <Python.h>
        static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "extension", NULL, -1, NULL};
        PyMODINIT_FUNC PyInit_extension(void)
        {
            PyObject *made = PyModule_Create(&module);
            if (made != NULL) PyModule_AddIntConstant(made, "ANSWER", 42);
            return made;
        }
    """,
}


@pytest.fixture
def uv(tool: Callable[..., Path]) -> Path:
    return tool(UV)


def listed(served: Served, folder: Path, **changes: str) -> Path:
    """The site's list as a file, with its archives as files, and each entry changed."""
    entries = json.loads((served.folder / "uv/downloads.json").read_text())
    for entry in entries.values():
        entry |= {"url": entry["url"].replace(served.url, f"{served.folder.as_uri()}/"), **changes}
    path = folder / f"{'-'.join(('downloads', *changes.values()))}.json"
    path.write_text(json.dumps(entries))
    return path


def test_the_page(served: Served, uv: Path, tool: Callable[..., Path], tmp_path: Path) -> None:
    host_packages("gcc", "libc6-dev")
    env = clean(tmp_path / "home", uv, tool("manypython"))
    PAGE.write(tmp_path, served)
    (tmp_path / "extension").mkdir()
    for name, text in EXTENSION.items():
        (tmp_path / "extension" / name).write_text(text)
    said = PAGE.run(env, tmp_path, served)
    assert "Python 3.13." in said
    assert re.search(
        r"/home/\.local/share/uv/python/cpython-3\.13\.\d+-linux-\w+-gnu/bin/python3\.13$", said, re.MULTILINE
    )
    assert "\n42\n" in said
    run(
        env,
        "uv",
        "build",
        "--quiet",
        "--python",
        "3.13",
        "--wheel",
        "--out-dir",
        "dist",
        "extension",
        cwd=tmp_path,
    )
    assert [path.name.split("-")[2] for path in (tmp_path / "dist").glob("*.whl")] == ["cp313"]


def test_a_project_alone_says_where_from(served: Served, uv: Path, tmp_path: Path) -> None:
    PAGE.write(tmp_path, served)
    base = ("uv", "run", "--managed-python", "python", "-c", "import sys; print(sys.base_prefix)")
    for more in ({}, {"UV_OFFLINE": "1"}):
        env = clean(tmp_path / "home", uv, **more)
        found = run(env, *base, cwd=tmp_path / "project")
        assert found == f"{tmp_path}/home/.local/share/uv/python/{NAME}\n"


def test_from_files_and_to_a_newer_build(served: Served, uv: Path, tmp_path: Path) -> None:
    """The newer build is the same archive under a later number in a list of our own."""
    env = clean(tmp_path / "home", uv, UV_OFFLINE="1", UV_PYTHON_INSTALL_BIN="0", UV_NO_CACHE="1")

    def said(path: Path, *words: str) -> str:
        done = attempt({**env, "UV_PYTHON_DOWNLOADS_JSON_URL": str(path)}, "uv", "python", *words)
        assert done.returncode == 0, done.stderr
        return done.stderr

    old, new = listed(served, tmp_path), listed(served, tmp_path, build="20991231")
    assert "Installed Python 3.13." in said(old, "install", "3.13")
    assert "already installed" in said(old, "install", "3.13")
    assert "already on the latest" in said(old, "upgrade", "3.13")
    run(env, "uv", "venv", "--managed-python", "--python", "3.13", tmp_path / "venv")
    assert "Installed Python 3.13." in said(new, "upgrade", "3.13")
    assert (tmp_path / "home/.local/share/uv/python" / NAME / "BUILD").read_text() == "20991231"
    run(env, tmp_path / "venv/bin/python", "-c", "import ssl, sqlite3")


def test_what_uv_says_without_us_and_of_what_the_site_has_not(
    served: Served, uv: Path, tmp_path: Path
) -> None:
    env = clean(tmp_path / "home", uv, UV_OFFLINE="1")
    install = ("uv", "python", "install", "--no-bin")
    assert attempt(env, *install, "3.13").returncode != 0
    env["UV_PYTHON_DOWNLOADS_JSON_URL"] = str(listed(served, tmp_path))
    done = attempt(env, *install, "3.10")
    assert done.returncode != 0
    assert "No download found for request: cpython-3.10-" in done.stderr
    assert "error: No download found for request: cpython-3.10-" in PAGE.path.read_text()
    assert "3.13." in run(env, "uv", "python", "list", "--only-downloads")
    env["UV_PYTHON_INSTALL_MIRROR"] = served.url
    assert "UV_PYTHON_INSTALL_MIRROR" in attempt(env, *install, "3.13").stderr


def test_a_newer_version_that_this_machine_cannot_run_is_not_what_uv_gets(
    made: Made, uv: Path, tmp_path: Path
) -> None:
    """Nor one for a newer processor, at which uv does not look; the lists that have them give them, as a control."""
    machine, site = os.uname().machine, tmp_path / "site"
    broken = " >&2; exit 1"
    newer, tag = "3.13.98", f"manylinux_2_99_{machine}"
    faster = name_of("3.13.99", f"manylinux_2_17_{machine}", level=4)
    archives = [
        made.archive(".tar.gz"),
        *make_archives(tmp_path / "dist", name_of(newer, tag), tag=tag, note=broken),
        *make_archives(tmp_path / "dist", faster, tag=f"manylinux_2_17_{machine}", note=broken),
    ]
    done = publish(archives, site, reporter=Reporter(quiet=True), effort=FAST)
    assert [key.split("+")[0] for key in done.left_out] == [f"cpython-{newer}"]
    env = clean(tmp_path / "home", uv, UV_OFFLINE="1", UV_PYTHON_INSTALL_BIN="0", UV_NO_CACHE="1")

    def got(path: Path) -> str:
        env["UV_PYTHON_DOWNLOADS_JSON_URL"] = str(path)
        env["UV_PYTHON_INSTALL_DIR"] = str(tmp_path / f"for {path.name}")
        done = attempt(env, "uv", "python", "install", "3.13")
        assert done.returncode == 0, done.stderr
        (version,) = re.findall(r"Installed Python (\S+)", done.stderr)
        return str(version)

    real = made.data["artifacts"][0]["path"].split("cpython-")[1].split("+")[0]
    assert got(site / "uv/downloads.json") == real
    assert (
        run(env, "uv", "run", "--managed-python", "--no-project", "-p", "3.13", "python", "-V")
        == f"Python {real}\n"
    )
    assert got(site / "uv/downloads-manylinux_2_99.json") == newer
    entries = json.loads((site / "uv/downloads.json").read_text())
    key = f"cpython-{real}-linux-{machine}-gnu"
    unsafe = {
        key: entries[key],
        "x": {**entries[key], "patch": 99, "arch": {"family": machine, "variant": "v4"}},
    }
    (tmp_path / "unsafe.json").write_text(json.dumps(unsafe))
    assert got(tmp_path / "unsafe.json") == "3.13.99"
