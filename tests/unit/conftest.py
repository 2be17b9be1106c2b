from __future__ import annotations

import shutil
from pathlib import Path

import hypothesis
import pytest

from manypython import process

# how long one example takes says more of the machine than of the code
hypothesis.settings.register_profile("any machine", deadline=None)
hypothesis.settings.load_profile("any machine")


@pytest.fixture(scope="session")
def cc() -> str:
    """The host's C compiler."""
    found = shutil.which("cc")
    if found is None:
        pytest.skip("this host has no cc")
    return found


@pytest.fixture(scope="session")
def binaries(cc: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program ``main`` that needs ``libouter.so.1``, which needs ``libinner.so.2``: real ELF files."""
    folder = tmp_path_factory.mktemp("binaries")
    sources = {
        "inner.c": "int inner(void) { return 40; }\n",
        "outer.c": "int inner(void);\nint outer(void) { return inner() + 2; }\n",
        "main.c": "#include <stdio.h>\nint outer(void);\n"
        'int main(void) { printf("%d\\n", outer()); return 0; }\n',
    }
    for name, text in sources.items():
        (folder / name).write_text(text)
    shared = (cc, "-g", "-shared", "-fPIC")
    process.run((*shared, "-Wl,-soname,libinner.so.2", "-o", "libinner.so.2", "inner.c"), cwd=folder)
    process.run(
        (*shared, "-Wl,-soname,libouter.so.1", "-o", "libouter.so.1", "outer.c", "./libinner.so.2"),
        cwd=folder,
    )
    process.run((cc, "-g", "-o", "main", "main.c", "./libouter.so.1", "./libinner.so.2"), cwd=folder)
    return folder
