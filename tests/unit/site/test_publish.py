from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tarfile
import threading
import time
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import filelock
import pytest
from samples_of_index import GCC, NUMBER, OLDER, make_archives, make_tests, name_of

from manypython.archives.read import unpack
from manypython.archives.write import FAST
from manypython.cli import main
from manypython.index.model import Index, Proof
from manypython.index.reading import parse, read
from manypython.index.select import select
from manypython.model.errors import ArchiveError, ManypythonError, OutputError, UsageError
from manypython.model.identifier import BuildNumber, Spec
from manypython.progress import Reporter
from manypython.site.publish import Published, check_url
from manypython.site.publish import publish as published

ALL = (".tar.gz", ".tar.zst", ".zip")
PROOF = {"passed": 65, "roots": ["this machine"], "not_tried": ["glibc-2.17: scripts: no shell"]}
NAME = name_of("3.13.5")
GHA = "gha/20261121/python-3.13.5-linux-x64.tar.gz"
HEROKU = "heroku/python-3.13.5-ubuntu-24.04-amd64.tar.zst"
PYBI = "simple/cpython/cpython-3.13.5-20261121-manylinux_2_17_x86_64.pybi"


def publish(archives: tuple[Path, ...], site: Path, **options: Any) -> Published:
    return published(archives, site, reporter=Reporter(quiet=True), effort=FAST, **options)


def index_of(site: Path) -> Index:
    return parse((site / "index.json").read_bytes(), "x")


def snapshot(site: Path) -> dict[str, tuple[int, int, str]]:
    return {
        str(path.relative_to(site)): (path.stat().st_ino, path.stat().st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest())
        for path in sorted(site.rglob("*"))
        if path.is_file() and path.name != ".publish.lock"
    }  # fmt: skip


def check_sums(site: Path) -> str:
    done = subprocess.run(
        ["sha256sum", "-c", "--strict", "SHA256SUMS"], cwd=site, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def check_whole(site: Path) -> None:
    """Whatever a file of the site names is there with the right bytes."""
    for file in (file for build in index_of(site).builds for file in build.files):
        assert hashlib.sha256((site / file.path).read_bytes()).hexdigest() == file.sha256, file.path
    check_sums(site)
    base = index_of(site).base_url
    for path in site.glob("uv/*.json"):
        for entry in json.loads(path.read_bytes()).values():
            place = site / entry["url"].removeprefix(base).replace("%2B", "+")
            assert hashlib.sha256(place.read_bytes()).hexdigest() == entry["sha256"]


def test_three_wrappings_and_tests_become_a_site(tmp_path: Path) -> None:
    archives = make_archives(tmp_path / "dist", NAME, ALL, proof=PROOF)
    site = tmp_path / "a site"
    done = publish((*archives, make_tests(tmp_path / "dist", NAME)), site)
    assert done.added == ("cpython-3.13.5+20261121-x86_64-unknown-linux-gnu",)
    assert done.base_url == site.as_uri() + "/"
    check_whole(site)
    assert check_sums(site).count(": OK\n") == 7
    build = index_of(site).builds[0]
    assert build.proof is not None
    assert (build.proof.passed, build.proof.roots) == (65, ("this machine",))
    assert [(library.name, library.version) for library in build.libraries] == [("zlib", "1.3.2")]
    with tarfile.open(archives[0]) as tar:
        assert build.archive.unpacked == sum(member.size for member in tar if member.isfile())
    assert (site / PYBI).samefile(site / build.file(".zip").path)  # type: ignore[union-attr]
    with zipfile.ZipFile(site / PYBI) as packed:
        assert "bin/python3.13" in packed.namelist()


def test_twice_is_once(tmp_path: Path) -> None:
    archives = make_archives(tmp_path / "dist", NAME, ALL)
    site = tmp_path / "site"
    publish(archives, site)
    before = snapshot(site)
    again = publish(archives, site)
    assert (again.added, again.written) == ((), ())
    assert publish((), site).written == ()
    assert snapshot(site) == before


def test_same_archives_same_site_whatever_the_order_and_the_steps(tmp_path: Path) -> None:
    first = make_archives(tmp_path / "dist", NAME, ALL)
    second = make_archives(tmp_path / "dist", name_of("3.12.11", number=OLDER), ALL)
    publish((*first, *second), tmp_path / "a", base_url="https://example.org")
    publish(second, tmp_path / "b", base_url="https://example.org/")
    publish(first[:1], tmp_path / "b")
    publish(first[1:], tmp_path / "b")
    contents = [{path: facts[2] for path, facts in snapshot(tmp_path / name).items()} for name in "ab"]
    assert contents[0] == contents[1]


def test_the_repack_for_setup_python_installs_itself(tmp_path: Path) -> None:
    site = tmp_path / "site"
    publish(make_archives(tmp_path / "dist", NAME), site)
    unpacked, cache = tmp_path / "un packed", tmp_path / "tool cache's"
    unpack(site / GHA, unpacked)
    place = cache / "Python/3.13.5/x64"
    (place / "left").mkdir(parents=True)
    for _ in range(2):
        subprocess.run(
            ["bash", "./setup.sh"],
            cwd=unpacked,
            env={"RUNNER_TOOL_CACHE": str(cache), "PATH": os.environ["PATH"]},
            check=True,
        )
        assert sorted(path.name for path in place.iterdir()) == ["bin", "lib", "python", "share"]
        assert (cache / "Python/3.13.5/x64.complete").read_bytes() == b""
        assert subprocess.check_output([place / "python"], text=True) == "Python 3.13.5\n"
        assert os.readlink(place / "bin/python3") == "python3.13"
    done = subprocess.run(
        ["bash", "./setup.sh"],
        cwd=unpacked,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "RUNNER_TOOL_CACHE" in done.stderr


@pytest.mark.parametrize("variant", ["", "freethreaded"])
def test_the_setup_script_is_clean(tmp_path: Path, variant: str, shellcheck: str) -> None:
    site = tmp_path / "site"
    publish(make_archives(tmp_path / "dist", name_of("3.15.0rc1", variant=variant)), site)
    packed = next((site / "gha/20261121").iterdir())
    assert packed.name == f"python-3.15.0-rc.1-linux-x64{f'-{variant}' if variant else ''}.tar.gz"
    unpack(packed, tmp_path / "out")
    subprocess.run([shellcheck, tmp_path / "out/setup.sh"], check=True)
    assert not (site / "heroku").exists()


def test_a_newer_build_takes_herokus_one_name_and_no_other(tmp_path: Path) -> None:
    site = tmp_path / "site"
    newer = name_of("3.13.5", number=BuildNumber(20261122))
    publish(make_archives(tmp_path / "dist", NAME, ALL), site)
    before = snapshot(site)
    publish(make_archives(tmp_path / "dist", newer, ALL, note=" again"), site)
    after = snapshot(site)
    kept = [
        path
        for path in before
        if path.startswith(("python-build-st", "gha/", "heroku/2", "simple/cpython/cp"))
    ]
    assert len(kept) == 6
    assert all(after[path] == before[path] for path in kept)
    assert (site / HEROKU).samefile(site / "heroku/20261122/python-3.13.5-ubuntu-24.04-amd64.tar.zst")
    check_whole(site)
    manifest = json.loads((site / "versions-manifest.json").read_bytes())
    assert [file["download_url"].split("/")[-2] for entry in manifest for file in entry["files"]] == [
        "20261122"
    ]


def test_a_lower_floor_comes_later_and_takes_over(tmp_path: Path) -> None:
    site = tmp_path / "site"
    higher = name_of("3.13.5", "manylinux_2_28_x86_64")
    publish(make_archives(tmp_path / "dist", higher, tag="manylinux_2_28_x86_64"), site)
    assert (site / "gha/20261121-manylinux_2_28/python-3.13.5-linux-x64.tar.gz").exists()
    publish(make_archives(tmp_path / "dist", NAME), site)
    check_whole(site)
    assert "/gha/20261121/" in (site / "versions-manifest.json").read_text()
    assert "manylinux_2_28" not in (site / "uv/downloads.json").read_text()


def test_the_pool_never_changes(tmp_path: Path) -> None:
    site = tmp_path / "site"
    publish(make_archives(tmp_path / "one", NAME, ALL), site)
    before = snapshot(site)
    with pytest.raises(OutputError, match="other bytes by this name") as caught:
        publish(make_archives(tmp_path / "two", NAME, (".tar.gz",), note="!"), site)
    assert "new build number" in caught.value.remedy
    assert snapshot(site) == before
    (site / "index.json").unlink()  # a pool file that no index names, after a kill
    with pytest.raises(OutputError, match="other bytes by this name"):
        publish(make_archives(tmp_path / "two", NAME, (".tar.gz",), note="!"), site)


def changed(path: Path) -> tuple[Path, ...]:
    path.write_bytes(path.read_bytes() + b"x")
    return (path,)


def renamed(path: Path, name: object) -> tuple[Path, ...]:
    return (path.rename(path.with_name(str(name))),)


def test_a_quick_and_a_trained_build_of_one_image_stand_side_by_side(tmp_path: Path) -> None:
    site, tag = tmp_path / "site", "manylinux_2_31_x86_64"
    for toolchain in (GCC.replace("release", "quick"), GCC):
        name = name_of("3.13.5", tag, toolchain=toolchain)
        publish(make_archives(tmp_path / "dist", name, ALL, tag=tag, toolchain=toolchain), site)
    keys = [build.key for build in index_of(site).builds]
    assert sorted(key.rpartition("manylinux_2_31")[2] for key in keys) == ["-gcc", "-gcc-release"]
    listed = json.loads((site / "uv/downloads.json").read_text())
    assert [each["url"].rpartition("-install")[0].endswith("-gcc-release") for each in listed.values()] == [
        True
    ]
    entries = read((site / "index.json").read_bytes(), "x")[1]
    chosen = select(entries, Spec.parse("3.13"), [tag], 1, "x")
    assert chosen.id.variant.profile == "release"


def test_what_a_site_does_not_take(tmp_path: Path) -> None:
    dist = tmp_path / "dist"
    tar, packed = make_archives(dist, NAME, (".tar.gz", ".zip"))
    other = make_archives(tmp_path / "other", NAME, (".zip",), facts={"toolchain": "zig 0.17.0"})
    pypy = replace(NAME, build=replace(NAME.build, implementation="pypy"), suffix=".tar.gz")
    cases: dict[str, tuple[tuple[Path, ...], type[ManypythonError], str]] = {
        "none": ((), UsageError, "is no site yet"),
        "no name": ((tar.with_name("x.tar.gz"),), UsageError, "is no archive name"),
        "a note": ((tar.with_name(f"{tar.name}.sha256"),), UsageError, "is no archive name"),
        "not there": ((tmp_path / tar.name,), UsageError, "no such file"),
        "twice": ((tar, other[0], packed), UsageError, "given twice"),
        "no main": ((packed,), UsageError, r"its \.tar\.gz is missing"),
        "tests alone": ((make_tests(dist, NAME),), UsageError, r"its \.tar\.gz is missing"),
        "of two runs": ((tar, *other), ArchiveError, "of different runs"),
        "pypy": ((tar.with_name(str(pypy)),), UsageError, "CPython only"),
    }
    for name, (archives, kind, said) in cases.items():
        with pytest.raises(kind, match=said) as caught:
            publish(archives, tmp_path / "site")
        assert caught.value.remedy, name
    assert not (tmp_path / "site/index.json").exists()


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"version": "3.13.6"}, "its name says otherwise"),
        ({"build": 20200101}, "its name says otherwise"),
        ({"platform_tag": "manylinux_2_17_aarch64"}, "its name says otherwise"),
        ({"platform_tag": "manylinux_2_28_x86_64"}, "its name says otherwise"),
        ({"platform_tag": "linux_x86_64"}, "is not what manypython writes"),
        ({"build_identifier": "cp313t-manylinux_2_17_x86_64"}, "its name says otherwise"),
        ({"sources": None}, "is not what manypython writes"),
    ],
)
def test_an_archive_must_be_what_it_is_called(tmp_path: Path, facts: dict[str, object], said: str) -> None:
    with pytest.raises(ArchiveError, match=said):
        publish(make_archives(tmp_path / "dist", NAME, facts=facts), tmp_path / "site")


def test_an_archive_must_be_what_its_note_says(tmp_path: Path) -> None:
    (archive,) = make_archives(tmp_path / "dist", NAME)
    with pytest.raises(ArchiveError, match=r"sha256") as caught:
        publish(changed(archive), tmp_path / "site")
    assert f"{archive}.sha256" in caught.value.message
    archive.with_name(f"{archive.name}.sha256").unlink()
    with pytest.raises(ArchiveError, match="damaged"):
        publish((archive,), tmp_path / "site")


def test_a_stranger_in_an_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / str(NAME.with_suffix(".tar.gz"))
    with tarfile.open(path, "w:gz") as tar:
        link = tarfile.TarInfo("python/x")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    with pytest.raises(ArchiveError, match="leads out"):
        publish((path,), tmp_path / "site")


@pytest.mark.parametrize(
    "url",
    [
        "ftp://x/",
        "https://",
        "https://x/?a",
        "https://x/#a",
        "https://x/a b",
        "https://x/'$(id)",
        "file://host/x",
        "x",
        "https://x/../y",
        "https://x/\n",
    ],
)
def test_an_address_that_cannot_be(url: str) -> None:
    with pytest.raises(UsageError, match="cannot be the address"):
        check_url(url)


def test_an_address_ends_with_one_slash_and_is_kept(tmp_path: Path) -> None:
    assert check_url("https://example.org") == check_url("https://example.org//") == "https://example.org/"
    assert check_url("http://[::1]:8000/a%20b") == "http://[::1]:8000/a%20b/"
    site = tmp_path / "site"
    archives = make_archives(tmp_path / "dist", NAME)
    publish(archives, site, base_url="https://example.org/x")
    assert publish((), site).base_url == "https://example.org/x/"
    moved = publish((), site, base_url="https://example.net/")
    assert "index.json" in moved.written
    assert not any(path.startswith(("gha", "python-build-s")) for path in moved.written)
    for path, content in (
        (p, p.read_bytes()) for p in site.rglob("*") if p.suffix in (".json", ".html", ".env")
    ):
        assert b"example.org" not in content, path


def test_a_dry_run_writes_nothing_and_says_what_it_would(tmp_path: Path) -> None:
    site = tmp_path / "site"
    archives = make_archives(tmp_path / "dist", NAME, ALL)
    plan = publish(archives, site, dry_run=True)
    assert not site.exists()
    assert plan.written == publish(archives, site).written
    assert publish(archives, site, dry_run=True).written == ()


def test_signed_files_are_last_in_their_order(tmp_path: Path) -> None:
    signed: list[bytes] = []

    def sign(index: bytes) -> dict[str, bytes]:
        signed.append(index)
        return {"metadata/b.json": b"b", "metadata/a.json": b"a"}

    site = tmp_path / "site"
    done = publish(make_archives(tmp_path / "dist", NAME), site, sign=sign)
    assert done.written[-3:] == ("index.json", "metadata/b.json", "metadata/a.json")
    assert signed == [(site / "index.json").read_bytes()]
    pool = [n for n, path in enumerate(done.written) if path.startswith("python-build-standalone/")]
    assert max(pool) < done.written.index(GHA) < done.written.index("SHA256SUMS")


def test_scratch_of_a_killed_run_is_removed_and_nothing_else(tmp_path: Path) -> None:
    site = tmp_path / "site"
    archives = make_archives(tmp_path / "dist", NAME)
    publish(archives, site)
    for name in ("gha/20261121/.python-3.13.5-linux-x64.tar.gz.ab_12345", ".index.json.00000000"):
        (site / name).write_text("half")
    keep = [site / ".gitattributes", site / ".git/.x.abcdefgh", site / "notes.txt"]
    for path in keep:
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine")
    publish(archives, site)
    assert not list(site.rglob(".*.ab_12345"))
    assert not list(site.glob(".index*"))
    assert all(path.exists() for path in keep)


def test_one_at_a_time(tmp_path: Path) -> None:
    site = tmp_path / "site"
    archives = make_archives(tmp_path / "dist", NAME)
    site.mkdir()
    with filelock.FileLock(site / ".publish.lock"):
        other = threading.Thread(target=publish, args=(archives, site))
        other.start()
        time.sleep(0.3)
        assert not (site / "index.json").exists()
    other.join(30)
    check_whole(site)


def test_without_hard_links_there_are_copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    site = tmp_path / "site"
    archives = make_archives(tmp_path / "dist", NAME, ALL)
    publish(archives, site)
    check_whole(site)
    assert not (site / PYBI).samefile(site / index_of(site).builds[0].file(".zip").path)  # type: ignore[union-attr]
    assert publish(archives, site).written == ()


def test_a_site_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "site").write_text("")
    with pytest.raises(OutputError, match="site: cannot be written"):
        publish(make_archives(tmp_path / "dist", NAME), tmp_path / "site")


@pytest.mark.parametrize("seed", range(5))
def test_killed_at_any_time_the_site_is_whole(tmp_path: Path, seed: int) -> None:
    site = tmp_path / "site"
    publish(make_archives(tmp_path / "dist", name_of("3.12.11", number=OLDER), ALL), site)
    new = [
        str(path)
        for version in ("3.13.5", "3.14.1", "3.11.9")
        for path in make_archives(tmp_path / "dist", name_of(version, number=NUMBER), ALL)
    ]
    argv = [sys.executable, "-m", "manypython", "publish", *new, "--to", str(site), "--fast", "--json"]
    begun = time.monotonic()
    running = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
    wait = random.Random(seed).uniform(0.15, 0.8)
    while time.monotonic() - begun < wait and running.poll() is None:
        time.sleep(0.005)
    running.send_signal(signal.SIGKILL)
    running.wait()
    check_whole(site)
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
    check_whole(site)
    assert len(index_of(site).builds) == 4
    assert not [path for path in site.rglob(".*") if path.name != ".publish.lock"]


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    archives = [str(path) for path in make_archives(tmp_path / "dist", NAME, ALL)]
    words = ["publish", *archives, "--to", str(tmp_path / "site"), "--fast"]
    assert main([*words, "--dry-run"]) == 0
    assert f"would write {GHA}" in capsys.readouterr().out
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "added cpython-3.13.5+20261121-x86_64-unknown-linux-gnu" in said
    assert f"manypython serve {tmp_path / 'site'}" in said
    assert main([*words, "--json"]) == 0
    captured = capsys.readouterr()
    assert (json.loads(captured.out)["written"], captured.err) == ([], "")
    assert main(["publish", "x.tar.gz", "--to", str(tmp_path / "site")]) == UsageError.exit_code
    assert "remedy:" in capsys.readouterr().err


def test_a_proof_is_of_these_archives(tmp_path: Path) -> None:
    site = tmp_path / "site"
    (archive,) = make_archives(tmp_path / "dist", NAME)
    note = archive.with_name(f"{NAME}.json")
    told = json.loads(note.read_text())
    for wrong, said in (
        (json.dumps({**told, "toolchain": "other", "verify": PROOF}), "is of another run"),
        (json.dumps({**told, "verify": {"passed": "many"}}), "is not what manypython writes"),
        (json.dumps([]), "is not what manypython writes"),
        ("{", "is not what manypython writes"),
    ):
        note.write_text(wrong)
        with pytest.raises(ArchiveError, match=said):
            publish((archive,), site)
    note.unlink()
    publish((archive,), site)
    assert index_of(site).builds[0].proof is None
    note.write_text(json.dumps({**told, "verify": PROOF}))
    publish((archive,), site)
    assert index_of(site).builds[0].proof == Proof(65, ("this machine",), ("glibc-2.17: scripts: no shell",))


def test_the_commands_need_nothing_of_the_builder() -> None:
    program = (
        "import sys, manypython.cli.publishing\n"
        "heavy = ('auditwheel', 'elftools', 'cyclonedx', 'manypython.build', 'manypython.pack', 'manypython.verify')\n"
        "sys.exit(repr([name for name in sys.modules if name.startswith(heavy)] or 0).strip('0'))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""
