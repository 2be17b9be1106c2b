from __future__ import annotations

import contextlib
import io
import subprocess
import sys

import pytest

from manypython.compile import workload
from manypython.compile.cpython import place_modules
from manypython.recipes.catalogue import shared_modules


@pytest.mark.parametrize("name", workload.JOBS)
def test_each_job_does_its_work(name: str) -> None:
    """In a process of its own, as it runs in a build; warnings are errors there too."""
    program = (
        f"import sys; sys.path.insert(0, {str(__import__('pathlib').Path(workload.__file__).parent)!r})\n"
    )
    program += f"import workload; workload.JOBS[{name!r}][0]()"
    done = subprocess.run(
        (sys.executable, "-W", "error", "-c", program), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


def test_a_job_can_be_named_and_timed() -> None:
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        workload.main(["foreign_functions", "--times"])
    assert said.getvalue().split()[1:] == ["s", "foreign_functions"]


SETUP = """\
# *shared* / *static*
*@MODULE_BUILDTYPE@*
@MODULE_ARRAY_TRUE@array arraymodule.c
@MODULE__SSL_TRUE@_ssl _ssl.c
@MODULE__CODECS_JP_TRUE@_codecs_jp cjkcodecs/_codecs_jp.c
#@MODULE__TESTCAPI_TRUE@_testcapi _testcapimodule.c
@MODULE__TESTCAPI_TRUE@_testcapi _testcapimodule.c
# Limited API template modules; must be built as shared modules.
*shared*
@MODULE_XXLIMITED_TRUE@xxlimited xxlimited.c
"""


def test_what_needs_a_library_of_others_stays_a_file_of_its_own() -> None:
    lines = [line for line in place_modules(SETUP, shared_modules()).splitlines() if not line.startswith("#")]
    mark = len(lines) - 1 - lines[::-1].index("*shared*")
    assert lines[:2] == ["*@MODULE_BUILDTYPE@*", "@MODULE_ARRAY_TRUE@array arraymodule.c"]
    assert {line.split()[0].rpartition("@")[2] for line in lines[mark + 1 :]} == {
        "_ssl", "_codecs_jp", "_testcapi", "xxlimited",
    }  # fmt: skip
    assert not any("@MODULE_" in line for line in lines[2:mark])
