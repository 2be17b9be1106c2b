from __future__ import annotations

from pathlib import Path

import pytest

from manypython.model.tree import Tree
from manypython.repair.copy import copy


@pytest.fixture
def usr(tmp_path: Path) -> Tree:
    """A prefix laid out as Debian's ``/usr``, with other software in it."""
    root = tmp_path / "usr"
    texts = {
        "sbin/adduser": "", "bin/python3.11": "", "bin/pydoc3.11": "", "bin/git": "", "bin/pip3": "",
        "bin/x86_64-linux-gnu-python3.11-config": "", "lib/python3.11/os.py": "", "lib/git-core/git": "",
        "lib/python3.11/EXTERNALLY-MANAGED": "", "lib/python3.11/_distutils_system_mod.py": "",
        "lib/python3/dist-packages/apt.py": "", "include/stdio.h": "",
        "include/python3.11/patchlevel.h": '#define PY_VERSION "3.11.2"',
        "include/python3.11/pyconfig.h": "# include <x86_64-linux-gnu/python3.11/pyconfig.h>",
        "include/x86_64-linux-gnu/python3.11/pyconfig.h": "the real one",
        "share/python-wheels/pip-23.0.1-py3-none-any.whl": "",
    }  # fmt: skip
    for name, text in texts.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / "bin/python3.11-config").symlink_to("x86_64-linux-gnu-python3.11-config")
    (root / "lib/python3.11/sitecustomize.py").symlink_to("/etc/python3.11/sitecustomize.py")
    (root / "lib/python3.11/lost.so").symlink_to("../x86_64-linux-gnu/libpython3.11.so.1")
    (root / "lib/python3.11/kept.py").symlink_to("os.py")
    return Tree.open(root / "bin/python3.11")


def test_of_a_shared_prefix_only_this_python_is_taken(usr: Tree, tmp_path: Path) -> None:
    tree = copy(usr, tmp_path / "copy")
    taken = {str(path.relative_to(tree.root)) for path in tree.root.rglob("*") if not path.is_dir()}
    assert taken == {
        "bin/python3.11", "bin/python3.11-config", "bin/pydoc3.11", "lib/python3.11/os.py",
        "lib/python3.11/kept.py", "include/python3.11/patchlevel.h", "include/python3.11/pyconfig.h",
        "share/python-wheels/pip-23.0.1-py3-none-any.whl",
    }  # fmt: skip
    assert (tree.root / "include/python3.11/pyconfig.h").read_text() == "the real one"
    assert not (tree.root / "bin/python3.11-config").is_symlink()


def test_an_own_prefix_is_taken_whole(usr: Tree, tmp_path: Path) -> None:
    (usr.root / "sbin/adduser").unlink()
    (usr.root / "sbin").rmdir()
    tree = copy(usr, tmp_path / "copy")
    assert (tree.root / "bin/git").is_file()
    assert not (tree.root / "lib/python3.11/EXTERNALLY-MANAGED").exists()
