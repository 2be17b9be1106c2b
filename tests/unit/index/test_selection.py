"""Settings, requests, hosts and the index reader: what is chosen, and why."""

from __future__ import annotations

import json
import os
import string
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from packaging import tags
from packaging.version import Version

from manypython.cli import main
from manypython.index import host, model
from manypython.index.reading import build, parse
from manypython.index.select import finals, select
from manypython.model.errors import DownloadError, NoBuildError, UsageError
from manypython.model.identifier import Spec
from manypython.model.target import Target
from manypython.store import settings
from manypython.store.installed import RECEIPT, find, installed

MACHINE = os.uname().machine
VERSIONS = st.builds(
    lambda minor, micro, pre: f"3.{minor}.{micro}{pre}",
    st.integers(8, 15),
    st.integers(0, 20),
    st.sampled_from(["", "", "", "rc1", "b2", "a11"]),
)


def put(
    store: Path,
    version: str,
    build: int = 20261121,
    marks: str = "",
    arch: str = MACHINE,
    abi: str = "gnu",
) -> str:
    """An interpreter's folder, as far as finding it goes."""
    key = f"cpython-{version}+{build}-{arch}-unknown-linux-{abi}{marks}"
    folder = store / key
    name = "python" + ".".join(version.split(".")[:2]) + ("t" if "freethreaded" in marks else "")
    (folder / RECEIPT).parent.mkdir(parents=True)
    (folder / RECEIPT).write_text('{"index": "https://a/", "signed": true}')
    (folder / "bin").mkdir()
    (folder / "bin" / name).touch(0o755)
    return key


@hypothesis_settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    versions=st.sets(VERSIONS, min_size=1, max_size=6),
    request=st.one_of(
        VERSIONS,
        st.integers(8, 15).map("3.{}".format),
        st.integers(8, 15).map("cp3{}".format),
        st.just("3"),
        st.just("cp3"),
    ),
)
def test_the_quick_way_finds_what_the_thorough_one_does(
    versions: set[str], request: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    store = tmp_path_factory.mktemp("store")
    for version in versions:
        put(store, version)
    among = Spec.parse(request).among(map(Version, versions))
    found = find(str(store), request)
    assert (found.version if found else None) == (str(among[0]) if among else None)


def test_what_is_found_fits_this_machine(tmp_path: Path) -> None:
    put(tmp_path, "3.13.1", arch="aarch64" if MACHINE == "x86_64" else "x86_64")
    put(tmp_path, "3.13.2", marks="-manylinux_2_99")
    put(tmp_path, "3.13.3", marks="-freethreaded")
    put(tmp_path, "3.13.4", marks="-debug")
    assert find(str(tmp_path), "3.13") is None
    fits = put(tmp_path, "3.13.0")
    put(tmp_path, "3.13.0", 20250101)
    found = find(str(tmp_path), "3.13")
    assert found is not None
    assert found.key == fits, "the newer build"
    threaded = find(str(tmp_path), "3.13t")
    assert threaded is not None
    assert threaded.python.endswith("/bin/python3.13t")
    other = find(str(tmp_path), "3.13", target=str(Target.of_tag("manylinux_2_17_aarch64")))
    assert other is not None
    assert other.architecture == "aarch64"


def test_a_build_is_found_by_its_number_and_by_its_name(tmp_path: Path) -> None:
    older, newer = put(tmp_path, "3.13.5", 20261001), put(tmp_path, "3.13.5", 20261121)
    threaded = put(tmp_path, "3.13.5", marks="-freethreaded")
    for request, key in {
        "3.13": newer, "3.13.5+20261001": older, "cpython-3.13+20261001": older, older: older, threaded: threaded,
        "3.13t+20261121": threaded, f"cpython-3.13.5-linux-{MACHINE}-gnu": newer, f" {newer} ": newer,
    }.items():  # fmt: skip
        found = find(str(tmp_path), request)
        assert found is not None, request
        assert found.key == key
    for request in (
        "3.13.5+20261002",
        "3.13t+20261001",
        f"{newer}-manylinux_2_99",
        "3.13-linux-x86_64_v4-musl",
    ):
        assert find(str(tmp_path), request) is None, request


def test_floors_of_musl_are_compared_with_musl_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """1.2 is not an older C library than 2.17, nor 1.3 a fitting one for 1.2."""
    put(tmp_path, "3.13.5", marks="-musllinux_1_3", abi="musl")
    usual = put(tmp_path, "3.13.4", abi="musl")
    glibc = put(tmp_path, "3.13.3")

    def chosen(policy: str) -> str:
        found = find(str(tmp_path), "3.13", target=f"{MACHINE}-{policy}")
        return found.key if found else ""

    assert chosen("musllinux_1_2") == usual
    assert chosen("musllinux_1_3").endswith("-musllinux_1_3")
    assert chosen("musllinux_1_1") == chosen("manylinux_2_5") == ""
    assert chosen("manylinux_2_17") == glibc
    found = find(str(tmp_path), "3.13")
    assert found is not None
    assert found.key == glibc
    monkeypatch.setattr("manypython.store.installed._glibc", tuple)
    monkeypatch.setattr(tags, "platform_tags", lambda: iter([f"musllinux_1_2_{MACHINE}", f"linux_{MACHINE}"]))
    found = find(str(tmp_path), "3.13")
    assert found is not None
    assert found.key == usual


def test_what_is_from_elsewhere_does_not_count(tmp_path: Path) -> None:
    put(tmp_path, "3.13.0")
    assert find(str(tmp_path), "3.13", index="https://a/")
    assert find(str(tmp_path), "3.13", index="https://b/") is None
    (tmp_path / f"cpython-3.13.1+20261121-{MACHINE}-unknown-linux-gnu").mkdir()
    assert [each.version for each in installed(str(tmp_path))] == ["3.13.0"], "no receipt: none of ours"


def entry(version: str, tag: str, **more: Any) -> dict[str, Any]:
    """One build of an index."""
    told = {"build": 20261121, "level": 1, "variant": "", **more}
    target = Target.of_tag(tag)
    level = f"_v{told['level']}" if told["level"] > 1 else ""
    marks = f"-{target.mark}" if target.mark else ""
    marks += f"-{told['variant']}" if told["variant"] else ""
    name = (
        f"cpython-{version}+{told['build']}-{target.architecture}{level}-unknown-linux-{target.libc.abi}{marks}"
        "-install_only.zip"
    )
    file = {"path": f"{model.POOL}/{told['build']}/{name}", "sha256": "0" * 64, "size": 10, "unpacked": 20}
    return {
        "version": version, "platform_tag": tag, "origin": "make", "toolchain": "zig", "libraries": {"zlib": "1.3"},
        "proof": {"passed": 3, "roots": ["here"], "not_tried": []}, "files": [file], **told,
    }  # fmt: skip


GNU = [f"manylinux_2_{minor}_x86_64" for minor in range(36, 16, -1)]


@pytest.mark.parametrize(
    ("request_", "chosen"),
    [
        ("3.13", "cpython-3.13.15+20261121-x86_64_v3-unknown-linux-gnu-manylinux_2_28"),
        ("3.12", "cpython-3.12.9+20261201-x86_64-unknown-linux-gnu"),
        ("3.13t", "cpython-3.13.15+20261121-x86_64-unknown-linux-gnu-freethreaded"),
        ("3.15", "cpython-3.15.0rc1+20261121-x86_64-unknown-linux-gnu"),
        (">=3.12", "cpython-3.13.15+20261121-x86_64_v3-unknown-linux-gnu-manylinux_2_28"),
        ("<3.13", "cpython-3.12.9+20261201-x86_64-unknown-linux-gnu"),
        ("py312+20261121", "cpython-3.12.9+20261121-x86_64-unknown-linux-gnu-manylinux_2_28"),
        (">=3.13t", "cpython-3.13.15+20261121-x86_64-unknown-linux-gnu-freethreaded"),
        (
            "cpython-3.13.15-linux-x86_64-gnu",
            "cpython-3.13.15+20261121-x86_64_v3-unknown-linux-gnu-manylinux_2_28",
        ),
        (
            "cpython-3.13.15+20261121-x86_64-unknown-linux-gnu-manylinux_2_28",
            "cpython-3.13.15+20261121-x86_64-unknown-linux-gnu-manylinux_2_28",
        ),
        (
            "cpython-3.13.15+20261121-x86_64-unknown-linux-gnu",
            "cpython-3.13.15+20261121-x86_64-unknown-linux-gnu",
        ),
    ],
)
def test_the_best_for_a_machine(request_: str, chosen: str) -> None:
    entries = [
        entry("3.15.0rc1", "manylinux_2_17_x86_64"),
        entry("3.13.15", "manylinux_2_17_x86_64"),
        entry("3.13.15", "manylinux_2_28_x86_64"),
        entry("3.13.15", "manylinux_2_28_x86_64", level=3),
        entry("3.13.15", "manylinux_2_28_x86_64", level=4),
        entry("3.13.15", "manylinux_2_38_x86_64"),
        entry("3.13.15", "musllinux_1_2_x86_64"),
        entry("3.13.15", "manylinux_2_17_x86_64", variant="freethreaded"),
        entry("3.12.9", "manylinux_2_28_x86_64"),
        entry("3.12.9", "manylinux_2_17_x86_64", build=20261201),
    ]
    assert select(entries, Spec.parse(request_), GNU, 3, "here").key == chosen
    assert [str(version) for version in finals(entries, GNU, 3)] == ["3.13.15", "3.12.9"]


def test_a_request_for_another_machine_or_build_says_what_there_is() -> None:
    entries = [entry("3.13.15", f"manylinux_2_28_{arch}") for arch in ("x86_64", "aarch64")]
    with pytest.raises(NoBuildError, match=r"on offer: 3\.13\.15 for manylinux_2_28_aarch64$"):
        select(entries, Spec.parse("cpython-3.13-linux-aarch64-gnu"), GNU, 1, "here")
    tags = host.platform_tags(Target.parse("aarch64-manylinux_2_28"))
    assert "aarch64" in select(entries, Spec.parse("cpython-3.13-linux-aarch64-gnu"), tags, 1, "here").key
    with pytest.raises(NoBuildError, match=r"has no 3\.13\+20261122; on offer: 3\.13\.15\+20261121$"):
        select(entries, Spec.parse("3.13+20261122"), GNU, 1, "here")


def test_musl_and_older_machines_get_theirs() -> None:
    entries = [entry("3.13.15", tag) for tag in ("manylinux_2_28_x86_64", "musllinux_1_2_x86_64")]
    musl = select(entries, Spec.parse("3.13"), ["musllinux_1_2_x86_64", "musllinux_1_1_x86_64"], 1, "here")
    assert musl.key.endswith("-musl")
    with pytest.raises(
        NoBuildError, match=r"on offer: 3\.13\.15 for musllinux_1_2_x86_64, 3\.13\.15 for manylinux_2_28"
    ):
        select(entries, Spec.parse("3.13"), ["manylinux_2_17_x86_64"], 1, "here")


def test_what_a_machine_takes() -> None:
    tags = host.platform_tags()
    assert tags
    assert all(tag.endswith(MACHINE) for tag in tags)
    assert host.platform_tags(Target.parse("aarch64-manylinux_2_19")) == [
        "manylinux_2_19_aarch64", "manylinux_2_18_aarch64", "manylinux_2_17_aarch64",
    ]  # fmt: skip
    assert host.platform_tags(Target.parse("x86_64-musllinux_1_1"))[0] == "musllinux_1_1_x86_64"
    v3 = "flags : cx16 lahf_lm popcnt pni sse4_1 sse4_2 ssse3 avx avx2 bmi1 bmi2 f16c fma abm movbe xsave\n"
    assert [host.level(text) for text in (v3, v3.replace(" fma", ""), "flags : fpu", "")] == [3, 2, 1, 1]


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(string.printable, max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_whatever_json_it_is_the_reader_says_so(told: Any) -> None:
    with pytest.raises(DownloadError, match="here: no index"):
        parse(json.dumps(told).encode(), "here")


@given(st.binary(max_size=200))
def test_whatever_bytes_they_are_the_reader_says_so(data: bytes) -> None:
    with pytest.raises(DownloadError, match="here: no index"):
        parse(data, "here")


@given(st.sampled_from(sorted(entry("3.13.15", GNU[-1]))), JSON)
def test_a_wrong_value_is_named_by_its_path(name: str, value: Any) -> None:
    told = entry("3.13.15", GNU[-1]) | {name: value}
    index = {"schema_version": 1, "base_url": "https://a/", "builds": [told]}
    said = ""
    try:
        made = parse(json.dumps(index).encode(), "here")
    except DownloadError as error:
        said = error.message
    assert said.startswith("here: builds[0]") or parse(made.as_bytes(), "here") == made


def test_a_path_that_leads_out_is_refused() -> None:
    for path in ("/etc/passwd", "../x", "a/../../x", "", "a\\b", "a\nb"):
        told = entry("3.13.15", GNU[-1])
        told["files"][0]["path"] = path
        with pytest.raises(DownloadError, match=r"files"):
            build(told, 0, "here")


def test_settings_have_an_order(
    home: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    user = home / ".config/manypython/config.toml"
    user.parent.mkdir(parents=True)
    user.write_text('index = "https://user/"\nstore = "uv"\nallow-unsigned = true\nstore-dir = "~/mine"\n')
    project = home / "project/deep"
    project.mkdir(parents=True)
    (home / "project/pyproject.toml").write_text(
        '[tool.manypython]\nindex = "site"\ntarget = "x86_64-manylinux_2_28"\n'
    )
    monkeypatch.chdir(project)
    monkeypatch.setenv("MANYPYTHON_TARGET", "x86_64-manylinux_2_17")
    told = settings.read({"offline": True})
    assert (told.index, told.target, told.store, told.offline) == (
        f"{home}/project/site/", "x86_64-manylinux_2_17", "uv", True,
    )  # fmt: skip
    assert told.store_dir == f"{home}/mine"
    assert told.sources["index"] == f"{home}/project/pyproject.toml"
    assert told.sources["target"] == "MANYPYTHON_TARGET"
    assert told.sources["store"] == str(user)
    assert told.sources["trust"] == "default"
    assert main(["config", "--index", "https://x/y", "--json"]) == 0
    shown = json.loads(capfd.readouterr().out)
    assert shown["index"] == {"value": "https://x/y/", "from": "--index"}
    assert main(["config"]) == 0
    assert "MANYPYTHON_TARGET" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("indx = 1", "indx: no such setting"),
        ("index = 1", "index: 1 is not a text"),
        ("offline = 'maybe'", "offline: 'maybe' is not true or false"),
        ("mirrors = 'https://a'", "mirrors: 'https://a' is not a list of texts"),
        ("mirrors = [1]", "is not a list of texts"),
        ("timeout = -1", "timeout: -1.0 is not a number above 0"),
        ("target = 'nonsense'", "unknown target 'nonsense'"),
        ("store = 'theirs'", "store: 'theirs' is none of own, uv"),
        ("allow-unsigned = true", "not for a project to say"),
        ("store-dir = '/tmp'", "not for a project to say"),
        ("= nonsense", "no TOML"),
    ],
)
def test_a_wrong_setting_is_named(text: str, fact: str, home: Path) -> None:
    (home / "pyproject.toml").write_text(f"[tool.manypython]\n{text}\n")
    with pytest.raises(UsageError) as caught:
        settings.read()
    assert fact in caught.value.message
    assert caught.value.message.startswith((f"{home}/pyproject.toml", "unknown target"))


@pytest.mark.parametrize(
    ("index", "place"),
    [
        ("https://a/b", "https://a/b/"),
        ("https://a/b/index.json", "https://a/b/"),
        ("/site/index.json", "/site/"),
        ("index.json", "{home}/"),
        ("~/site", "{home}/site/"),
        ("file:///a%20site/index.json", "/a site/"),
    ],
)
def test_a_site_has_many_spellings(index: str, place: str, home: Path) -> None:
    assert settings.read({"index": index}).index == place.format(home=home)
