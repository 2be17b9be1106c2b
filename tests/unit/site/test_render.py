from __future__ import annotations

import gzip
import json
import re
import subprocess
import tomllib
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from samples_of_index import BASE, INDEX, OLDER, make_build

from manypython.index.model import POOL, Index, Library, Proof
from manypython.index.reading import parse
from manypython.site.render import render
from manypython.site.render.commands import commands
from manypython.site.render.setup_python import semver

FILES = render(INDEX)
ROOT = Path(__file__).parents[3]


def as_json(path: str, index: Index = INDEX) -> Any:
    return json.loads(render(index)[path])


def test_same_index_same_files() -> None:
    shuffled = Index.of(BASE, reversed(INDEX.builds))
    assert render(shuffled) == FILES


def test_an_empty_index_has_a_page_and_no_list_that_a_tool_refuses() -> None:
    files = render(Index(BASE, ()))
    assert set(files) == {"index.json", "uv/downloads.json", "SHA256SUMS", "index.html"}
    assert json.loads(files["uv/downloads.json"]) == {}


def test_the_index_is_what_its_schema_says() -> None:
    schema = json.loads((ROOT / "docs/index.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    check = jsonschema.Draft202012Validator(schema)
    told = as_json("index.json")
    check.validate(told)
    assert parse(FILES["index.json"], "x") == INDEX
    for path, wrong in (
        ("build", "20261121"),
        ("variant", "fast"),
        ("files", []),
        ("platform_tag", "linux_x86_64"),
    ):
        broken = json.loads(FILES["index.json"])
        broken["builds"][0][path] = wrong
        assert not check.is_valid(broken), path


def test_uv_has_one_entry_a_key_of_the_lowest_floor() -> None:
    entries = as_json("uv/downloads.json")
    assert entries["cpython-3.13.5-linux-x86_64-gnu"] == {
        "name": "cpython",
        "arch": {"family": "x86_64", "variant": None},
        "os": "linux",
        "libc": "gnu",
        "major": 3,
        "minor": 13,
        "patch": 5,
        "prerelease": "",
        "url": f"{BASE}{POOL}/20261121/cpython-3.13.5%2B20261121-x86_64-unknown-linux-gnu-install_only.tar.gz",
        "sha256": make_build("3.13.5").archive.sha256,
        "variant": None,
        "build": "20261121",
    }
    assert entries["cpython-3.15.0rc1-linux-x86_64-gnu"]["prerelease"] == "rc1"
    assert entries["cpython-3.13.5-linux-x86_64_v3-gnu"]["arch"] == {"family": "x86_64", "variant": "v3"}
    assert entries["cpython-3.13.5+freethreaded-linux-x86_64-gnu"]["variant"] == "freethreaded"
    assert entries["cpython-3.13.5+debug-linux-x86_64-gnu"]["variant"] == "debug"
    assert entries["cpython-3.13.5-linux-x86_64-musl"]["libc"] == "musl"
    assert len(entries) == 8


def test_uv_has_a_list_for_each_floor() -> None:
    newer = as_json("uv/downloads-manylinux_2_28.json")
    assert newer["cpython-3.13.5-linux-x86_64-gnu"]["build"] == "20261122"
    assert "manylinux_2_28" in newer["cpython-3.13.5-linux-x86_64-gnu"]["url"]
    assert newer["cpython-3.12.11-linux-x86_64-gnu"]["build"] == str(OLDER)
    assert not any(entry["libc"] == "musl" for entry in newer.values())
    assert list(as_json("uv/downloads-musllinux_1_2.json")) == ["cpython-3.13.5-linux-x86_64-musl"]
    assert (
        as_json("uv/downloads-manylinux_2_17.json")["cpython-3.13.5-linux-x86_64-gnu"]["build"] == "20261121"
    )


def test_the_manifest_of_setup_python() -> None:
    entries = as_json("versions-manifest.json")
    assert [(e["version"], e["stable"]) for e in entries] == [
        ("3.15.0-rc.1", False),
        ("3.13.5", True),
        ("3.12.11", True),
    ]
    files = {file["arch"]: file for file in entries[1]["files"]}
    assert set(files) == {"x64", "x64-freethreaded"}
    assert files["x64"] == {
        "filename": "python-3.13.5-linux-x64.tar.gz",
        "arch": "x64",
        "platform": "linux",
        "download_url": f"{BASE}gha/20261121/python-3.13.5-linux-x64.tar.gz",
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [("3.15.0a2", "3.15.0-alpha.2"), ("3.15.0b1", "3.15.0-beta.1"), ("3.13.5", "3.13.5")],
)
def test_semantic_versions(text: str, expected: str) -> None:
    assert semver(make_build(text).version) == expected


@pytest.mark.parametrize(("machine", "code"), [("x86_64", 0), ("aarch64", 0), ("riscv64", 1)])
def test_a_definition_of_pyenv_picks_by_machine(machine: str, code: int, tmp_path: Path) -> None:
    definition = tmp_path / "3.13.5"
    definition.write_bytes(FILES["python-build/3.13.5"])
    script = (
        f'uname() {{ [ "$1" = -s ] && echo Linux || echo {machine}; }}\ngetconf() {{ echo glibc 2.17; }}\n'
        f'install_package() {{ printf "%s\\n" "$@"; }}\n. {definition}\n'
    )
    done = subprocess.run(["bash", "-euc", script], capture_output=True, text=True, check=False)
    assert done.returncode == code
    if code:
        assert "no build for Linux on riscv64" in done.stderr
    else:
        package, url, way = done.stdout.split()
        assert (package, way) == ("python", "copy")
        assert re.fullmatch(rf"{BASE}\S+%2B20261121-{machine}-\S+tar\.gz#[0-9a-f]{{64}}", url)


def test_pyenv_has_pre_releases_and_free_threaded_ones() -> None:
    names = sorted(path for path in FILES if path.startswith("python-build/"))
    assert names == [f"python-build/{v}" for v in ("3.12.11", "3.13.5", "3.13.5t", "3.15.0rc1")]
    assert b"freethreaded" in FILES["python-build/3.13.5t"]


def test_what_mise_reads() -> None:
    packed = FILES["tools/python-precompiled-x86_64-unknown-linux-gnu.gz"]
    assert packed[4:8] == b"\0\0\0\0"
    names = gzip.decompress(packed).decode().splitlines()
    assert [name.split("+")[0] for name in names] == [
        "cpython-3.12.11",
        "cpython-3.13.5",
        "cpython-3.15.0rc1",
    ]
    locked = tomllib.loads(FILES["mise.lock.sample"].decode())["tools"]["python"]
    assert [each["version"] for each in locked] == ["3.13.5", "3.12.11"], "mise takes the first that fits"
    assert set(locked[0]) >= {"platforms.linux-x64", "platforms.linux-arm64"}
    assert locked[0]["platforms.linux-x64"]["url"].startswith(BASE)
    assert locked[0]["platforms.linux-x64"]["checksum"].startswith("sha256:")


def test_what_pipx_reads() -> None:
    told = as_json("pipx/index.json")
    assert told["fetched"] == 1795219200
    assert all(
        url.endswith("-unknown-linux-gnu-install_only.tar.gz") and sha.startswith("sha256:")
        for url, sha in told["releases"]
    )


def test_the_variables_of_hatch(tmp_path: Path) -> None:
    (tmp_path / "hatch.env").write_bytes(FILES["hatch.env"])
    script = f"uname() {{ echo aarch64; }}\n. {tmp_path}/hatch.env\nenv"
    told = subprocess.run(["sh", "-euc", script], capture_output=True, text=True, check=True).stdout
    found = dict(line.split("=", 1) for line in told.splitlines() if line.startswith("HATCH"))
    assert list(found) == ["HATCH_PYTHON_CUSTOM_SOURCE_3_13"]
    assert "/python-build-standalone/releases/download/" in found["HATCH_PYTHON_CUSTOM_SOURCE_3_13"]
    assert b"SOURCE_3_12=" in FILES["hatch.env"]


def test_a_simple_repository_of_pybis() -> None:
    path = "simple/cpython/cpython-3.13.5-20261121-manylinux_2_17_x86_64.pybi"
    index = Index.of(BASE, (make_build("3.13.5", extra=(path,)),))
    sha256 = index.builds[0].files[-1].sha256
    files = render(index)
    assert f'<a href="{Path(path).name}#sha256={sha256}">'.encode() in files["simple/cpython/index.html"]
    assert b'<a href="cpython/">cpython</a>' in files["simple/index.html"]
    told = json.loads(files["simple/cpython/index.json"])
    assert told["files"] == [
        {"filename": Path(path).name, "url": Path(path).name, "hashes": {"sha256": sha256}, "size": 1000}
    ]
    assert (told["versions"], told["meta"]) == (["3.13.5"], {"api-version": "1.1"})
    assert not any(path.startswith("simple/") for path in FILES)


class Reader(HTMLParser):
    """Every tag must be closed, in order; keeps the text that a person sees."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "link", "input", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("script", "style"):
            self.text += data


def read(page: bytes) -> Reader:
    reader = Reader()
    reader.feed(page.decode())
    reader.close()
    assert reader.open == []
    return reader


def test_the_page_says_all_there_is() -> None:
    page = read(FILES["index.html"])
    for word in ("3.13.5", "x86_64, glibc 2.28 or newer", "musl 1.2", "freethreaded", "debug", "x86-64-v3",
                 "pre-release", "openssl 3.5.7", "65 checks passed", "no shell", BASE):  # fmt: skip
        assert word in page.text, word
    for build in INDEX.builds:
        for file in (build.archive,) if build.number == OLDER and build.version.minor == 13 else build.files:
            assert file.sha256 in page.text
            assert any(tag == "a" and attrs.get("href") == file.url for tag, attrs in page.tags), file.path
    details = [attrs for tag, attrs in page.tags if tag == "details" and attrs.get("class") == "version"]
    assert [attrs["id"] for attrs in details] == ["3.15.0rc1", "3.13.5", "3.12.11"]
    assert ["open" in attrs for attrs in details] == [True, False, False]


def test_the_page_has_a_command_for_every_tool_and_every_list_it_names() -> None:
    page = read(FILES["index.html"])
    tools = [each.tool for each in commands(INDEX)]
    assert {"manypython", "uv", "tox", "nox", "pipenv", "heroku", "curl"} < set(tools)
    for tool in tools:
        assert any(attrs.get("data-copy") == f"Copy the commands for {tool}" for _, attrs in page.tags), tool
    assert not re.search(
        r"<(?:script|link|img|iframe)[^>]+(?:src|href)=.(?!data:)", FILES["index.html"].decode()
    )
    archives = {file.url for build in INDEX.builds for file in build.files}
    links = [attrs["href"] for tag, attrs in page.tags if tag == "a"]
    assert all(link in FILES or link in archives for link in links)


def test_nothing_of_an_index_is_taken_for_html() -> None:
    evil = "\"><script>alert('x')</script>&amp;"
    build = replace(
        make_build("3.13.5"),
        toolchain=evil,
        origin=evil,
        libraries=(Library(evil, evil),),
        proof=Proof(1, (evil,), (evil,)),
    )
    page = read(render(Index(BASE + evil, (build,)))["index.html"])
    assert sum(tag == "script" for tag, _ in page.tags) == 1
    assert page.text.count(evil) >= 5


def test_a_page_of_many_versions_is_quick() -> None:
    builds = [make_build(f"3.13.{n}", number=OLDER) for n in range(1000)]
    page = render(Index.of(BASE, builds))["index.html"]
    assert page.count(b'<details class="version"') == 1000
    assert page.count(b" open>") == 1
