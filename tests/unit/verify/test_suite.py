from __future__ import annotations

from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from manypython.model.build_id import ArtifactName
from manypython.model.errors import UsageError
from manypython.verify import suite
from manypython.verify.suite import KnownFailure, Outcome, compare, known_failures, outcome

JUNIT = """<?xml version='1.0' encoding='utf-8'?>
<testsuites tests="5" errors="0" failures="2">
<testsuite><testcase name="test.test_os.A.test_one" status="run" /></testsuite>
<testsuite><testcase name="test.test_os.A.test_two" status="run"><failure>line\nNo</failure></testcase>
<testcase name="test.test_os.A.test_three" status="run"><skipped>no tty</skipped></testcase>
<testcase name="test.test_os.A.test_four" status="run"><error>once</error></testcase></testsuite>
<testsuite><testcase name="test.test_os.A.test_four" status="run" /></testsuite>
</testsuites>"""
LOG = """
2 tests failed:
    test_flaky test_os

1 re-run test:
    test_os
ERROR: test_parts (test.test_os.A.test_parts) (number=1)
ERROR: test_parts (test.test_flaky.A.test_once) (number=1)
FAIL: test_four (test.test_os.A.test_four)
2 tests failed:
    test_crash test_os
"""


def test_what_failed_again_is_read_and_files_that_failed_as_a_whole() -> None:
    seen = outcome(JUNIT, LOG)
    assert seen.failed == {
        "test.test_os.A.test_two": "line\nNo",
        "test.test_os.A.test_parts": "parts of it failed, see the log",
        "test.test_crash": "the file failed as a whole, see the log",
    }
    assert (seen.passed, seen.skipped) == (2, 1)


def test_a_new_failure_is_an_error_and_so_is_a_listed_one_that_passes() -> None:
    entry = KnownFailure(("test.test_os.*.test_two", "test.test_gone*"), "why", (), SpecifierSet())
    checks = compare(outcome(JUNIT, LOG), (entry,), "debian-12")
    assert [(check.name, check.ok) for check in checks] == [
        ("test.test_crash", False),
        ("test.test_os.A.test_parts", False),
        ("test.test_gone*", False),
        ("suite", True),
    ]
    assert compare(Outcome(5, 1, {}), (), "debian-12")[0].ok


@pytest.mark.parametrize("root", suite.FULL_ROOTS)
def test_the_list_is_sound_and_each_cause_stands_in_the_docs(root: str) -> None:
    page = Path(__file__).parents[3].joinpath("docs/known-failures.md").read_text()
    for entry in known_failures(root, Version("3.13.5")):
        assert entry.cause in page, f"docs/known-failures.md lacks {entry.tests}: {entry.cause}"
        assert all(test in page for test in entry.tests)


def test_the_name_of_the_suites_archive_reads_and_prints() -> None:
    text = "cpython-3.13.5+20261121-x86_64-unknown-linux-gnu-tests.tar.gz"
    assert ArtifactName.parse(text).content == "tests"
    assert str(ArtifactName.parse(text)) == text
    with pytest.raises(UsageError):
        ArtifactName.parse(text.replace("tests", "docs"))
