"""The main job on real input: these run against one real build of CPython 3.13."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from builds import Made
from calls import cli
from foreign import host_packages, processes_naming, sandboxes

from manypython.archives.read import unpack
from manypython.model.target import DEFAULT_TARGET
from manypython.model.tree import Tree
from manypython.recipes.catalogue import required_modules
from manypython.repair.audit import audit
from manypython.repair.graft import plan_graft
from manypython.repair.prune import is_test_module
from manypython.repair.relocate import plan_relocate
from manypython.verify.surroundings import SURROUNDINGS


def python(tree: Path, program: str, **env: str) -> str:
    argv = (tree / "bin/python3.13", "-I", "-c", program)
    return subprocess.run(argv, capture_output=True, text=True, check=True, env=env).stdout.strip()


def test_the_archives_are_what_their_checksums_say(made: Made) -> None:
    assert sorted(Path(a["path"]).name.rpartition("-")[2] for a in made.data["artifacts"]) == [
        "install_only.tar.gz", "install_only.tar.zst", "install_only.zip", "tests.tar.gz",
    ]  # fmt: skip
    for artifact in made.data["artifacts"]:
        path = Path(artifact["path"])
        assert hashlib.sha256(path.read_bytes()).hexdigest() == artifact["sha256"]
        assert path.with_name(path.name + ".sha256").read_text() == f"{artifact['sha256']}  {path.name}\n"
        assert path.stat().st_size < 35_000_000


def test_the_whole_first_ring_of_proof_was_run(made: Made) -> None:
    checks = made.data["verify"]["checks"]
    assert made.data["verify"]["ok"]
    assert {check["where"] for check in checks if check["root"] == "this machine"} == {
        "tree", "moved", "read-only, empty environment", "by PATH", "through a symlink",
        "foreign LD_LIBRARY_PATH", "others' libraries preloaded", "venv", "scripts", "read-only",
    }  # fmt: skip
    old = [c for c in checks if c["root"] == "glibc-2.17" and c["name"] == "rest"]
    assert [c["detail"] for c in old] == ["glibc 2.17"]
    uses = [c["detail"] for c in checks if c["name"] == "uses"]
    assert len(uses) == 4
    apart = [
        c["name"]
        for c in checks
        if c["root"] == "glibc-2.17" and c["skipped"] and c["name"].startswith("uses ")
    ]
    assert len(set(uses)) == (2 if apart else 1), (
        "what a poor machine cannot try is told apart, and no more than that"
    )


def test_the_archive_is_verified_in_a_foreign_root_in_every_surrounding(made: Made, tmp_path: Path) -> None:
    sandboxes()
    page, data = tmp_path / "report.html", tmp_path / "report.json"
    run = cli(
        "verify", made.archive("install_only.tar.gz"), "--root", "glibc-2.17", "--html", page, "--json", data
    )
    assert run.code == 0, run.out + run.err
    report = json.loads(data.read_text())
    seen = {check["where"] for check in report["checks"] if check["root"] == "glibc-2.17"}
    assert {surrounding.name for surrounding in SURROUNDINGS} <= seen
    left = {(c["name"], c["detail"]) for c in report["checks"] if c["skipped"]}
    assert left == {("loaded_from", "no /proc to read it from"), ("scripts", "no shell")}
    assert "passed, 0 failed" in page.read_text()
    assert "not tried: glibc-2.17: scripts: no shell" in run.out


@pytest.mark.parametrize("suffix", [".tar.gz", ".tar.zst", ".zip"])
def test_every_wrapping_unpacks_to_a_python_that_runs(made: Made, tmp_path: Path, suffix: str) -> None:
    unpack(made.archive(suffix), tmp_path / "some where")
    tree = tmp_path / "some where" / ("" if suffix == ".zip" else "python")
    said = python(tree, "import ssl, sys; print(sys.version.split()[0], ssl.OPENSSL_VERSION, sys.prefix)")
    assert said.startswith("3.13.15 OpenSSL 3.5.7")
    assert said.endswith(str(tree))


def test_no_extension_module_is_missing(made: Made) -> None:
    tree = Tree.open(made.tree)
    wanted = [name for name in sorted(required_modules(tree.version)) if not is_test_module(name)]
    said = python(made.tree, f"for name in {wanted}: __import__(name)\nprint('all')")
    assert said == "all"


def test_the_policy_is_met_with_nothing_external(made: Made) -> None:
    report = audit(Tree.open(made.tree), target=DEFAULT_TARGET)
    assert report.policy == "manylinux_2_17_x86_64"
    assert report.too_new == ()
    assert report.libraries == {}
    grafted = [file for file in report.files if file.path.parent.name == "python.libs"]
    assert len(grafted) == 10
    for file in grafted:
        assert re.fullmatch(r"lib[a-z0-9]+-[0-9a-f]{8}\.so\.\d[\d.]*", file.path.name)
        assert file.soname == file.path.name
        assert file.rpath == "$ORIGIN"
        assert file.runpath == ""


def test_planning_again_finds_nothing_to_do(made: Made) -> None:
    tree = Tree.open(made.tree)
    assert plan_graft(audit(tree)) == ()
    assert plan_relocate(tree) == ()


def test_the_facts_are_complete(made: Made) -> None:
    facts = json.loads((made.tree / "share/manypython/manypython.json").read_text())
    assert facts["build_identifier"] == "cp313-manylinux_2_17_x86_64"
    assert facts["toolchain"] == "zig 0.16.0, quick"
    names = {source["name"] for source in facts["sources"]}
    assert {"cpython", "openssl", "sqlite", "zlib", "ncurses", "libffi", "xz", "bzip2"} <= names
    for source in facts["sources"]:
        assert re.fullmatch("[0-9a-f]{64}", source["sha256"])
        assert source["license_texts"], source["name"]
        for text in source["license_texts"]:
            assert (made.tree / text).stat().st_size > 100
    assert {graft["soname"] for graft in facts["grafts"]} >= {"libssl.so.3", "libcrypto.so.3", "libffi.so.8"}
    assert all(graft["version"] for graft in facts["grafts"])
    assert facts["plan"]
    assert str(Path.home() / ".cache") not in json.dumps(facts)
    bill = json.loads((made.tree / "share/manypython/sbom.cdx.json").read_text())
    assert {component["name"] for component in bill["components"]} == names - {"cpython"}


def test_the_same_inputs_give_the_same_bytes(made: Made, tmp_path: Path) -> None:
    """The line from the built prefix on, in another folder, umask, time zone and locale."""
    before = os.umask(0o077)
    try:
        run = cli(
            "make", "3.13", "--profile", "quick", "--dist", tmp_path / "dist", "--json", "--fast", "--jobs", "1", "--offline",
            env={"TZ": "Asia/Kathmandu", "LC_ALL": "C", "PYTHONHASHSEED": "7", "TMPDIR": str(tmp_path)},
        )  # fmt: skip
    finally:
        os.umask(before)
    assert run.code == 0, run.err
    first = {Path(a["path"]).name: a["sha256"] for a in made.data["artifacts"]}
    assert {Path(a["path"]).name: a["sha256"] for a in run.data["artifacts"]} == first


@pytest.mark.slow  # the compiler's own run-time library is built anew, twice
def test_the_compiler_is_deterministic_too(tmp_path: Path, sources: Path) -> None:
    """A library built twice from source, in two folders with two umasks and two time zones."""
    program = (
        "import sys; from pathlib import Path\n"
        "from manypython.compile.building import SourceOptions, build; from manypython.compile.method import Method\n"
        "from manypython.progress import Reporter\n"
        "from manypython.recipes.catalogue import catalogue; from manypython.model.target import DEFAULT_TARGET\n"
        "c = catalogue(); cache = Path(sys.argv[1])\n"
        "from manypython.run import Run; run = Run(cache, Reporter(quiet=True), 2)\n"
        "more = {'sources': SourceOptions(Path(sys.argv[2])), 'epoch': c.build.epoch}\n"
        "recipes = c.recipes['zlib'], c.recipes['bzip2']\n"
        "print(*(b.folder for b in build(recipes, DEFAULT_TARGET, Method(), run, **more).entries.values()))\n"
    )
    found = []
    for name, umask, zone in (("one", 0o022, "UTC"), ("another folder", 0o077, "Asia/Kathmandu")):
        before = os.umask(umask)
        try:
            done = subprocess.run(
                [sys.executable, "-c", program, str(tmp_path / name.replace(" ", "_")), str(sources)],
                env={**os.environ, "TZ": zone}, capture_output=True, text=True, check=True,
            )  # fmt: skip
        finally:
            os.umask(before)
        root = tmp_path / name.replace(" ", "_") / "builds"
        files = (p for p in sorted(root.rglob("*")) if p.is_file() and not p.is_symlink())
        files = (
            p for p in files if p.name != "build-paths.json"
        )  # it names the two folders, and is for that
        found.append({str(p.relative_to(root)): p.read_bytes() for p in files})
        assert done.stdout
    assert found[0] == found[1]
    assert any(name.endswith("libz.a") for name in found[0])


def test_a_prefix_that_somebody_else_built_runs_after_the_original_is_gone(tmp_path: Path) -> None:
    base = Path(sys.base_prefix)
    if base == Path("/usr"):
        pytest.skip("the Python running this is the distribution's own, spread over /usr")
    original = tmp_path / "original"
    shutil.copytree(
        base, original, symlinks=True, ignore=shutil.ignore_patterns("test", "__pycache__", "site-packages")
    )
    shutil.copytree(next(base.glob("lib/python3.*/site-packages/pip")),
                    next(original.glob("lib/python3.*/os.py")).parent / "site-packages/pip")  # fmt: skip
    before = {p: p.lstat().st_mtime_ns for p in original.rglob("*")}
    run = cli("repair", original, "-o", tmp_path / "dist", "--json", "--fast")
    assert run.code == 0, run.err
    assert {p: p.lstat().st_mtime_ns for p in original.rglob("*")} == before
    original.rename(tmp_path / "renamed")
    archive = next(a["path"] for a in run.data["artifacts"] if a["path"].endswith(".zip"))
    unpack(Path(archive), tmp_path / "new place")
    executable = Tree.open(tmp_path / "new place").executable
    said = subprocess.run(
        [executable, "-I", "-c", "import ssl, sqlite3, sys; print(sys.prefix)"],
        capture_output=True, text=True, check=True, env={},
    ).stdout  # fmt: skip
    assert said.strip() == str(tmp_path / "new place")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_end_in_the_middle_of_a_build_leaves_nothing_half_done(
    number: signal.Signals, tmp_path: Path, sources: Path
) -> None:
    program = (  # a background job of a shell, as CI may be, ignores SIGINT unless told otherwise
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from manypython.cli import main; sys.exit(main())"
    )
    argv = (
        sys.executable, "-c", program, "make", "3.13", "--profile", "quick", "--cache-dir", str(tmp_path / "cache"),
        "--dist", str(tmp_path / "dist"), "--source-dir", str(sources), "--offline",
    )  # fmt: skip
    with subprocess.Popen(argv, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        for line in running.stderr:
            if line.startswith("build "):
                break
        time.sleep(3)
        running.send_signal(number)
        rest = running.stderr.read()
        assert running.wait(timeout=120) == 130
    assert "Traceback" not in rest
    assert "run again to go on" in rest
    assert list((tmp_path / "dist").iterdir()) == []
    for build in (tmp_path / "cache/builds").iterdir():
        assert (build / "install/lib").is_dir()
    assert list((tmp_path / "cache/work").iterdir()) == []
    assert processes_naming(str(tmp_path / "cache")) == []


EMBEDDING = """
#include <Python.h>
int main(void)
{
    PyConfig config;
    PyConfig_InitIsolatedConfig(&config);
    PyConfig_SetBytesString(&config, &config.home, TREE);
    if (PyStatus_Exception(Py_InitializeFromConfig(&config))) return 3;
    PyRun_SimpleString("import ssl, sys; print('embedded in', sys.prefix, ssl.OPENSSL_VERSION)");
    return Py_FinalizeEx();
}
"""


def test_a_program_embeds_libpython(made: Made, tmp_path: Path) -> None:
    """With the flags that our own python3-config gives."""
    host_packages("gcc", "libc6-dev")
    (tmp_path / "main.c").write_text(EMBEDDING)
    config = (made.tree / "bin/python3.13-config", "--embed", "--cflags", "--ldflags")
    flags = subprocess.run(config, capture_output=True, text=True, check=True).stdout.split()
    libraries = [flag for flag in flags if flag.startswith(("-l", "-L"))]
    rest = [flag for flag in flags if flag not in libraries]
    own = (f'-DTREE="{made.tree}"', f"-Wl,-rpath,{made.tree}/lib")
    subprocess.run(("cc", *rest, *own, "main.c", "-o", "main", *libraries), check=True, cwd=tmp_path)
    said = subprocess.run((tmp_path / "main",), capture_output=True, text=True, check=True, env={}).stdout
    assert said.startswith(f"embedded in {made.tree} OpenSSL 3.5")


def test_it_finds_its_tree_by_a_wrong_name_and_through_a_link_to_bin(made: Made, tmp_path: Path) -> None:
    program = "import sys; print(sys.prefix, sys.executable)"
    (tmp_path / "tools").symlink_to(made.tree / "bin")
    python = str(made.tree / "bin/python3.13")
    for argv, executable in ((("nothing", "-c", program), python), (("-python", "-Ic", program), python)):
        done = subprocess.run(argv, executable=python, capture_output=True, text=True, check=True, env={})
        assert done.stdout.split() == [str(made.tree), executable]
    linked = (tmp_path / "tools/python3", "-Ic", program)
    done = subprocess.run(linked, capture_output=True, text=True, check=True, env={})
    assert done.stdout.split()[0] == str(made.tree)
    subprocess.run((tmp_path / "tools/python3", "-m", "venv", tmp_path / "e"), check=True)
    subprocess.run((tmp_path / "e/bin/pip", "--version"), check=True)
