"""CPython's own test suite, run from a moved tree in a foreign root, and compared with a list."""

from __future__ import annotations

import re
import shutil
import tempfile
import time
import tomllib
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from importlib import resources
from pathlib import Path

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from manypython import host_tools, process
from manypython.archives.read import unpack
from manypython.model.errors import HostToolError, RecipeError, VerifyError
from manypython.model.table import Table
from manypython.model.tree import Tree
from manypython.progress import Reporter
from manypython.verify import roots
from manypython.verify.foreign import Subject, in_each
from manypython.verify.report import Check
from manypython.verify.roots import Root
from manypython.verify.surroundings import PLAIN, command

FULL_ROOTS = ("glibc-2.17", "debian-12", "debian-13")
"""Where ``--full`` runs it."""
_RESOURCES = "all,-audio,-gui,-largefile,-network,-urlfetch,-walltime"
"""Of ``-m test``: no sound, screen or network is there; no file of gigabytes is written."""
_SUMMARY = re.compile(r"^\d+ tests? failed:\n((?:    .*\n)+)", re.MULTILINE)
_VERBOSE = re.compile(r"^(?:ERROR|FAIL): \S+ \((test\.[\w.]+)\)", re.MULTILINE)
"""A test of which only parts (``subTest``) failed is not in the JUnit file."""
_WHERE = "CPython's tests"
_PYTHON = "/opt/python"
_RESULTS = "/opt/results"
_KNOWN = "known_failures.toml"


@dataclass(frozen=True)
class KnownFailure:
    """Tests that fail, and why."""

    tests: tuple[str, ...]
    """Identifiers, with ``*`` for many: ``test.test_os.*.test_chmod``."""
    cause: str
    roots: tuple[str, ...]
    """Where; empty: everywhere."""
    pythons: SpecifierSet

    def covers(self, test: str) -> bool:
        """Whether it lists a test."""
        return any(fnmatch(test, pattern) for pattern in self.tests)


@dataclass(frozen=True)
class Outcome:
    """The result of one run of the suite."""

    passed: int
    skipped: int
    failed: dict[str, str]
    """Each test that failed, and its output; a file that ended early is ``test.test_x``."""
    seconds: float = 0.0


def words(folder: str, only: Iterable[str] = (), *, jobs: int) -> tuple[str, ...]:
    """Arguments for the interpreter: the whole suite, or only some files of it.

    A test that fails beside others is run again alone, and only that counts.
    """
    return (
        "-m", "test", f"-j{jobs}", "-u", _RESOURCES, "--timeout", "600", "--rerun",
        "--junit-xml", f"{folder}/junit.xml", *only,
    )  # fmt: skip


def run(  # noqa: PLR0913  (what, where, and how)
    tree: Tree,
    tests: Path,
    root: Root,
    folder: Path,
    *,
    reporter: Reporter,
    jobs: int,
    only: Iterable[str] = (),
) -> Outcome:
    """Run the suite in a root.

    Args:
        tree: what is tested.
        tests: the archive of the suite, laid over a copy of the tree.
        root: where it runs.
        folder: of that root.
        reporter: shows the progress.
        jobs: how many test files at once.
        only: names of test files; none: all.
    """
    begun = time.monotonic()
    with reporter.step(f"CPython's tests in {root.name}") as step, tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch, "python")
        shutil.copytree(tree.root, place, symlinks=True)
        _lay_over(tests, place, Path(scratch, "tests"))
        results = Path(scratch, "results")
        results.mkdir(mode=0o777)
        userland = () if root.suite else _userland(Path(scratch, "etc"))
        mounts = (*root.mounts(folder), *userland)
        env = (("PATH", "/usr/bin:/bin"), ("HOME", "/tmp"), ("LANG", "C.UTF-8"))
        # some tests write beside the standard library, and take a read-only one for a fault
        writable = ((str(results), _RESULTS), (str(place), _PYTHON))
        surrounding = replace(PLAIN, env=env, writable=writable, called=f"{_PYTHON}/bin/python3")
        argv = command(mounts, tree, surrounding, words(_RESULTS, only, jobs=jobs))
        result = process.run(argv, log=results / "log", on_line=step.line, check=False)
        log = (results / "log").read_text(errors="replace")
        if not (results / "junit.xml").is_file():
            raise VerifyError(f"{root.name}: CPython's tests did not run:\n{result.output[-2000:]}")
        suite_outcome = outcome((results / "junit.xml").read_text(errors="replace"), log)
        return replace(suite_outcome, seconds=round(time.monotonic() - begun, 1))


def examine(subject: Subject, tests: Path) -> tuple[Check, ...]:
    """Run the suite in each of ``FULL_ROOTS`` and compare what fails with the list.

    Args:
        subject: what is proved.
        tests: the archive of the suite.
    """

    def work(root: Root, folder: Path) -> tuple[Check, ...]:
        result = run(subject.tree, tests, root, folder, reporter=subject.reporter, jobs=subject.jobs)
        return compare(result, known_failures(root.name, subject.tree.version), root.name)

    return in_each(subject, roots.select(FULL_ROOTS), _WHERE, work)


def _userland(etc: Path) -> tuple[str, ...]:
    """Mounts of a shell, its programs and ``/etc`` for a root that has none: busybox, which needs no libc.

    Raises:
        HostToolError: this machine has no busybox.
    """
    busybox = shutil.which("busybox")
    if busybox is None:
        raise HostToolError(
            "CPython's tests want a shell, and this root has none: busybox is missing",
            remedy=host_tools.advice("busybox"),
        )
    etc.mkdir()
    for name, text in (
        ("passwd", "root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/tmp:/bin/sh\n"),
        ("group", "root:x:0:\nnogroup:x:65534:\n"),
        ("hosts", roots.HOSTS),
        ("services", "domain 53/tcp\ndomain 53/udp\nhttp 80/tcp\nftp 21/tcp\n"),
        ("nsswitch.conf", "hosts: files\n"),
    ):
        (etc / name).write_text(text)
    applets = {*process.run((busybox, "--list")).output.split()} - {"busybox"}
    links = [part for name in sorted(applets) for part in ("--symlink", "busybox", f"/bin/{name}")]
    return (
        "--ro-bind",
        busybox,
        "/bin/busybox",
        *links,
        "--symlink",
        "/bin",
        "/usr/bin",
        "--ro-bind",
        str(etc),
        "/etc",
    )


def _lay_over(tests: Path, place: Path, scratch: Path) -> None:
    unpack(tests, scratch)
    shutil.copytree(scratch / "python", place, symlinks=True, dirs_exist_ok=True)


def outcome(junit: str, log: str) -> Outcome:
    """Read what ``-m test`` wrote.

    Args:
        junit: its JUnit file; a test that was run again is in it twice, and the last counts.
        log: its output, for the files that failed as a whole.
    """
    cases: dict[str, ET.Element] = {}
    for case in ET.fromstring(junit).iter("testcase"):  # noqa: S314  (what our own child wrote)
        cases[case.get("name", "")] = case
    failed: dict[str, str] = {}
    skipped = {name for name, case in cases.items() if case.find("skipped") is not None}
    for name, case in cases.items():
        trouble = next((child for child in case if child.tag in ("failure", "error")), None)
        if trouble is not None:
            failed[name] = (trouble.text or "").strip()
    parts = set(_VERBOSE.findall(log)) - set(cases)
    for file in _files(log):
        failed |= {name: "parts of it failed, see the log" for name in parts if name.startswith(f"{file}.")}
        if not any(name.startswith(f"{file}.") for name in failed):
            failed[file] = "the file failed as a whole, see the log"
    return Outcome(len({*cases} - {*failed} - skipped), len(skipped), failed)


def _files(log: str) -> list[str]:
    """The last list of failed files in the output of ``-m test``."""
    lists = _SUMMARY.findall(log)
    names = lists[-1].split() if lists else []
    return [name if name.startswith("test.") else f"test.{name}" for name in names]


def known_failures(root: str, version: Version) -> tuple[KnownFailure, ...]:
    """The failures that are listed for a root and a version.

    Raises:
        RecipeError: the list is wrong.
    """
    text = (resources.files("manypython.verify") / _KNOWN).read_text(encoding="utf-8")
    failures = []
    for table in Table(_KNOWN, "", tomllib.loads(text), RecipeError).tables("failure"):
        entry = KnownFailure(
            table.strings("tests", required=True),
            table.string("cause"),
            table.strings("roots"),
            SpecifierSet(table.specifier("pythons")),
        )
        table.insist_empty()
        if (not entry.roots or root in entry.roots) and entry.pythons.contains(version, prereleases=True):
            failures.append(entry)
    return tuple(failures)


def compare(result: Outcome, listed: tuple[KnownFailure, ...], root: str) -> tuple[Check, ...]:
    """One check for each failure that is not listed, and for each listed test that no longer fails."""
    new = [
        Check(root, _WHERE, name, ok=False, detail=output, seconds=0.0)
        for name, output in sorted(result.failed.items())
        if not any(entry.covers(name) for entry in listed)
    ]
    stale = [
        Check(root, _WHERE, pattern, ok=False, detail="is listed as failing and does not", seconds=0.0)
        for entry in listed
        for pattern in entry.tests
        if not any(fnmatch(name, pattern) for name in result.failed)
    ]
    summary = f"{result.passed} passed, {result.skipped} skipped, {len(result.failed)} failed as listed"
    rest = Check(root, _WHERE, "suite", ok=True, detail=summary, seconds=result.seconds)
    return (*new, *stale, rest)
