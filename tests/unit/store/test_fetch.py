"""``fetch`` from a site: what it takes, what it refuses, what it leaves behind."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from sites import FAULTS, Handler, MadeSite, Server, interpreter

from manypython import fetch
from manypython.archives.members import Member
from manypython.cli import main
from manypython.model import errors
from manypython.store import installed
from manypython.store.fetch import wrappings

POOL = "python-build-standalone/releases/download/20261121"


def store(home: Path) -> Path:
    return home / ".local/share/manypython/pythons"


def left(home: Path) -> list[str]:
    """What is in the store but should not be."""
    return [
        path.name
        for path in store(home).glob("*")
        if path.name != ".locks" and not path.name.startswith("cpython-")
    ]


def test_an_interpreter_is_fetched_once_and_found_from_then_on(
    site: MadeSite, server: Server, home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    argv = ["fetch", "3.13", "--index", server.url, "--trust", site.trust]
    assert main(argv) == 0
    first = capfd.readouterr()
    assert first.out == f"{store(home)}/{site.builds[0].key}/bin/python3.13\n"
    assert first.err == ""
    asked = len(server.asked)
    assert main(["fetch", "cp313"]) == 0
    assert capfd.readouterr().out == first.out
    assert main(["fetch", ">=3.12,<3.14", "--index", server.url]) == 0
    assert capfd.readouterr().out == first.out
    assert len(server.asked) == asked, "what is here needs no network"
    assert subprocess.run([first.out.strip()], capture_output=True, check=True).stdout == b"3.13.15\n"
    assert left(home) == []


def test_the_library_prints_nothing(site: MadeSite, capfd: pytest.CaptureFixture[str]) -> None:
    found = fetch("3.13", index=str(site.folder), trust=site.trust)
    assert found.python.endswith("/bin/python3.13")
    assert fetch("3.13").python == found.python
    assert capfd.readouterr() == ("", "")


def test_json_says_where_it_is_from(site: MadeSite, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["fetch", "3.13", "--index", str(site.folder), "--trust", site.trust, "--json"]) == 0
    told = json.loads(capfd.readouterr().out)
    assert told["index"] == f"{site.folder}/"
    assert told["signed"] is True
    assert told["sha256"] == site.builds[0].files[0].sha256
    assert told["version"] == "3.13.15"


def test_nothing_is_taken_from_whom_nobody_trusts(site: MadeSite, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["fetch", "3.13", "--index", str(site.folder)]) == errors.TrustError.exit_code
    assert "--trust" in capfd.readouterr().err


def test_an_index_that_is_not_signed_is_said_each_time(
    site: MadeSite, server: Server, capfd: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(site.folder / "metadata")
    for index in (str(site.folder), server.url):
        for _ in range(2):
            assert main(["fetch", "3.13", "--index", index, "--allow-unsigned"]) == 0
            assert "not signed" in capfd.readouterr().err
    assert main(["fetch", "3.13", "--index", server.url]) == errors.TrustError.exit_code
    plain = "http://example.invalid/"
    assert main(["fetch", "3.13", "--index", plain, "--allow-unsigned"]) == errors.TrustError.exit_code
    assert "neither signed nor https" in capfd.readouterr().err
    mirrored = ["--index", str(site.folder), "--mirror", plain, "--allow-unsigned", "--upgrade"]
    assert main(["fetch", "3.13", *mirrored]) == errors.TrustError.exit_code
    with pytest.warns(UserWarning, match="not signed"):
        fetch("3.13", index=str(site.folder), allow_unsigned=True, upgrade=True)


def test_an_upgrade_leaves_what_is_there_alone(site: MadeSite, home: Path) -> None:
    index = str(site.folder)
    old = fetch("3.13", index=index, trust=site.trust)
    before = Path(old.python).stat()
    site.add(number=20261201)
    site.publish()
    assert fetch("3.13", index=index).python == old.python
    new = fetch("3.13", index=index, upgrade=True)
    assert "+20261201-" in new.folder
    after = Path(old.python).stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert fetch("3.13").python == new.python


@pytest.mark.parametrize(
    ("name", "times"),
    [("stall", 1), ("cut", 3), ("shorter", 1), ("failing", 2), ("other", 1), ("longer", 1), ("rangeless", 1)],
)
def test_a_bad_answer_is_overcome(name: str, times: int, site: MadeSite, server: Server, home: Path) -> None:
    server.faults["install_only.zip"] = [FAULTS[name]] * times
    found = fetch("3.13", index=server.url, trust=site.trust, mirrors=[])
    assert os.access(found.python, os.X_OK)
    assert left(home) == []


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANYPYTHON_TIMEOUT", "1")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("stall", "did not answer in time"),
        ("cut", "bytes"),
        ("shorter", "ended after"),
        ("failing", "500"),
        ("other", "sha256"),
        ("longer", "more than"),
        ("looping", "redirect"),
    ],
)
def test_an_answer_that_stays_bad_is_an_error_and_leaves_nothing(
    name: str, said: str, site: MadeSite, server: Server, home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    server.faults["install_only.zip"] = [FAULTS[name]] * 99
    argv = ["fetch", "3.13", "--index", server.url, "--trust", site.trust]
    assert main(argv) == errors.DownloadError.exit_code
    error = capfd.readouterr().err
    assert said in error
    assert "install_only.zip" in error
    assert installed.installed(str(store(home))) == []
    assert left(home) == []
    server.faults.clear()
    assert main(argv) == 0, "the next run succeeds"


def test_a_server_that_is_not_there_is_said_to_be_so(site: MadeSite, server: Server) -> None:
    url = server.url
    server.server_close()
    with pytest.raises(errors.DownloadError, match="Connection refused"):
        fetch("3.13", index=url, trust=site.trust)
    with pytest.raises(errors.DownloadError, match=r"nowhere\.invalid.*(resolve|not known)"):
        fetch("3.13", index="https://nowhere.invalid/", trust=site.trust)


def test_a_download_goes_on_where_it_was_cut(site: MadeSite, server: Server) -> None:
    server.faults["install_only.zip"] = [FAULTS["cut"]]
    fetch("3.13", index=server.url, trust=site.trust)
    ranges = [headers.get("Range") for path, headers in server.asked if path.endswith(".zip")]
    half = site.builds[0].files[0].size // 2
    assert ranges == [None, f"bytes={half}-"], "no byte that came is asked for again"


def test_a_file_that_changes_between_requests_is_asked_for_anew(site: MadeSite, server: Server) -> None:
    def cut_of_another(handler: Handler, data: bytes) -> bool:
        return bool(FAULTS["cut"](handler, bytes(len(data))))

    server.faults["install_only.zip"] = [cut_of_another]
    assert fetch("3.13", index=server.url, trust=site.trust).version == "3.13.15"
    assert server.requests("install_only.zip") == 3


def test_a_mirror_that_lies_is_passed_over(site: MadeSite, server: Server, tmp_path: Path) -> None:
    mirror = tmp_path / "mirror"
    shutil.copytree(site.folder, mirror)
    server.faults["install_only.zip"] = [FAULTS["other"]] * 9
    found = fetch("3.13", index=server.url, mirrors=[str(mirror)], trust=site.trust)
    assert found.version == "3.13.15"
    assert found.receipt()["index"] == server.url


def test_what_was_fetched_once_is_there_offline(site: MadeSite, server: Server) -> None:
    found = fetch("3.13", index=server.url, trust=site.trust)
    assert main(["remove", "3.13"]) == 0
    server.shutdown()
    again = fetch("3.13", index=server.url, offline=True)
    assert again.python == found.python
    with pytest.raises(errors.NoBuildError, match=r"has no 3\.12"):
        fetch("3.12", index=server.url, offline=True)


@pytest.mark.filterwarnings("ignore:.*not signed")
def test_offline_asks_nobody(site: MadeSite, server: Server) -> None:
    root = str(site.folder / "metadata/1.root.json")
    options: dict[str, Any]
    for options in ({"trust": site.trust}, {"trust": root}, {"allow_unsigned": True}):
        with pytest.raises(errors.DownloadError, match="--offline is set"):
            fetch("3.13", index=server.url, offline=True, **options)
    assert server.asked == []
    assert fetch("3.13", index=str(site.folder), trust=root, offline=True), "a folder needs no network"


def test_remove_takes_what_was_installed_and_nothing_else(
    site: MadeSite, home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    found = fetch("3.13", index=str(site.folder), trust=site.trust)
    assert main(["files", "3.13"]) == 0
    listed = capfd.readouterr().out.split("\n")[:-1]
    on_disk = [str(p) for p in Path(found.folder).rglob("*") if p.is_symlink() or p.is_file()]
    assert sorted(listed) == sorted(on_disk)
    own = Path(found.folder, "lib/python3.13/site-packages/mine.py")
    own.parent.mkdir(parents=True)
    own.write_text("mine")
    assert main(["remove", "3.13", "--dry-run"]) == 0
    assert Path(found.python).exists()
    assert main(["remove", found.key]) == 0
    kept = store(home) / "left" / found.key
    assert [str(p.relative_to(kept)) for p in kept.rglob("*") if p.is_file()] == [
        "lib/python3.13/site-packages/mine.py"
    ]
    assert not Path(found.folder).exists()
    assert str(kept) in capfd.readouterr().err
    assert main(["remove", "3.13"]) == errors.UsageError.exit_code


def test_prune_keeps_the_newest_of_each_series(site: MadeSite, home: Path) -> None:
    for version in ("3.13.5", "3.12.9"):
        site.add(version)
    site.publish()
    for version in ("3.13.5", "3.12", "3.13.15"):
        fetch(version, index=str(site.folder), trust=site.trust)
    (store(home) / ".new-cpython-killed").mkdir()
    assert main(["prune", "--dry-run"]) == 0
    assert len(installed.installed(str(store(home)))) == 3
    assert main(["prune"]) == 0
    assert [each.version for each in installed.installed(str(store(home)))] == ["3.13.15", "3.12.9"]
    assert left(home) == []
    assert [p.name for p in (home / ".cache/manypython/downloads").iterdir()] == [".locks"]


def test_an_interpreter_that_does_not_run_is_never_visible(site: MadeSite, home: Path) -> None:
    site.builds.clear()
    site.add(number=20261122, members=interpreter("3.13.15", said="3.13.14"))
    site.add("3.12.1", number=20261122, members=interpreter("3.12.1", body="echo no libc >&2; exit 3\n"))
    site.publish()
    with pytest.raises(errors.ArchiveError, match=r"holds Python 3\.13\.14, the index says 3\.13\.15"):
        fetch("3.13", index=str(site.folder), trust=site.trust)
    with pytest.raises(errors.NoBuildError, match="does not run here: no libc"):
        fetch("3.12", index=str(site.folder), trust=site.trust)
    assert installed.installed(str(store(home))) == []
    assert left(home) == []


def test_a_hostile_archive_leaves_nothing(site: MadeSite, home: Path) -> None:
    site.builds.clear()
    site.add(members=(*interpreter("3.13.15"), Member(PurePosixPath("lib/out"), link="../../../../etc")))
    site.publish()
    with pytest.raises(errors.ArchiveError, match="lib/out: a link that leads out"):
        fetch("3.13", index=str(site.folder), trust=site.trust)
    assert left(home) == []


def test_more_bytes_than_the_index_says_are_refused(site: MadeSite, home: Path) -> None:
    (build,) = site.builds
    site.builds[:] = [replace(build, files=(replace(build.files[0], unpacked=1000),))]
    site.publish()
    with pytest.raises(errors.ArchiveError, match=r"os\.py"):
        fetch("3.13", index=str(site.folder), trust=site.trust)
    assert left(home) == []


def test_the_place_may_have_spaces_and_be_long(site: MadeSite, tmp_path: Path) -> None:
    place = tmp_path / ("a b " * 25) / ("ü" * 50)
    found = fetch("3.13", index=str(site.folder), trust=site.trust, store_dir=str(place))
    assert subprocess.run([found.python], capture_output=True, check=True).stdout == b"3.13.15\n"


def test_a_store_that_cannot_be_written_is_named(
    site: MadeSite, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    argv = ["fetch", "3.13", "--index", str(site.folder), "--trust", site.trust]
    assert main([*argv, "--store-dir", str(tmp_path / "file/store")]) == errors.OutputError.exit_code
    error = capfd.readouterr().err
    assert str(tmp_path / "file/store") in error
    assert "remedy: " in error


def test_the_uv_store_is_a_folder_of_links(site: MadeSite, home: Path) -> None:
    found = fetch("3.13", index=str(site.folder), trust=site.trust, store="uv")
    machine = os.uname().machine
    folder = home / f".local/share/uv/python/cpython-3.13.15-linux-{machine}-gnu"
    assert subprocess.run([folder / "bin/python"], capture_output=True, check=True).stdout == b"3.13.15\n"
    assert Path(os.readlink(folder / "bin")) == Path(found.folder, "bin")
    assert (folder / "BUILD").read_text() == "20261121"
    site.add(number=20261201)
    site.publish()
    new = fetch("3.13", index=str(site.folder), store="uv", upgrade=True)
    assert Path(os.readlink(folder / "lib")) == Path(new.folder, "lib")
    assert main(["remove", new.key]) == 0
    assert not folder.exists()


def test_uvs_own_interpreter_is_left_alone(site: MadeSite, home: Path) -> None:
    folder = home / f".local/share/uv/python/cpython-3.13.15-linux-{os.uname().machine}-gnu"
    (folder / "bin").mkdir(parents=True)
    with pytest.raises(errors.OutputError, match="uv's own"):
        fetch("3.13", index=str(site.folder), trust=site.trust, store="uv")
    assert list(folder.iterdir()) == [folder / "bin"]


def test_two_names_of_one_build_are_installed_once(site: MadeSite, server: Server) -> None:
    both = [fetch(spec, index=server.url, trust=site.trust).folder for spec in ("3.13", "3.13.15", "cp313")]
    assert len(set(both)) == 1
    assert server.requests(".zip") == 1


@pytest.mark.parametrize(
    ("place", "suffix"),
    [
        ("/a/site/", ".zip"),
        ("http://[::1]:80/", ".zip"),
        ("http://localhost/", ".zip"),
        ("https://a/", ".tar.zst"),
    ],
)
def test_over_a_network_the_smallest_is_fetched(place: str, suffix: str) -> None:
    assert wrappings(place)[0] == suffix


def test_another_index_may_vouch_for_what_is_here(site: MadeSite, server: Server, tmp_path: Path) -> None:
    first = fetch("3.13", index=str(site.folder), trust=site.trust)
    again = fetch("3.13", index=server.url, trust=site.trust)
    assert again.folder == first.folder
    assert again.receipt()["index"] == server.url
    assert server.requests(".zip") == 0, "the same bytes are not fetched again"


def test_the_same_name_with_other_bytes_is_no_match(site: MadeSite) -> None:
    fetch("3.13", index=str(site.folder), trust=site.trust)
    site.builds.clear()
    site.add(members=(*interpreter("3.13.15"), Member(PurePosixPath("more"), b"more")))
    site.publish()
    with pytest.raises(errors.OutputError, match="another archive") as caught:
        fetch("3.13", index=str(site.folder), upgrade=True)
    assert caught.value.remedy == f"manypython remove {site.builds[0].key}"


def test_processes_at_once_download_once(site: MadeSite, server: Server) -> None:
    command = [
        sys.executable,
        "-m",
        "manypython",
        "fetch",
        "3.13",
        "--index",
        server.url,
        "--trust",
        site.trust,
    ]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(8)]
    told = {process.communicate()[0] for process in running}
    assert {process.returncode for process in running} == {0}
    assert len(told) == 1
    assert server.requests(".zip") == 1


@pytest.mark.parametrize(
    "argv", [["find", "3.13"], ["find", "nonsense"], ["remove", "x"], ["fetch", "3.13"], ["files", "3.9"]]
)
def test_what_cannot_be_is_two_plain_lines(argv: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    assert main(argv) in (errors.UsageError.exit_code, errors.NoBuildError.exit_code)
    told = capfd.readouterr()
    assert told.out == ""
    assert [line.split(":")[0] for line in told.err.splitlines()] == ["error", "remedy"]


def test_what_is_no_site_is_said_to_be_none(site: MadeSite, tmp_path: Path) -> None:
    with pytest.raises(errors.DownloadError, match="nowhere/: no such folder"):
        fetch("3.13", index=str(tmp_path / "nowhere"))
    other = "aarch64" if os.uname().machine == "x86_64" else "x86_64"
    with pytest.raises(
        errors.NoBuildError, match=rf"fits manylinux_2_20_{other} and older; on offer: 3\.13\.15"
    ):
        fetch("3.13", index=str(site.folder), trust=site.trust, target=f"{other}-manylinux_2_20")


def test_it_says_what_this_machine_has_and_what_was_on_offer(site: MadeSite) -> None:
    site.builds.clear()
    site.add(tag=f"manylinux_2_99_{os.uname().machine}")
    site.publish()
    with pytest.raises(errors.NoBuildError) as caught:
        fetch("3.13", index=str(site.folder), trust=site.trust)
    assert f"3.13.15 for manylinux_2_99_{os.uname().machine}" in caught.value.message
    assert f"({os.uname().machine}, glibc " in caught.value.message
