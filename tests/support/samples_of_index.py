"""Builds that are made up, and tiny archives that are real."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path, PurePosixPath

from packaging.version import Version

from manypython.archives.members import Member, below, complete
from manypython.archives.write import FAST, WRITERS
from manypython.index.model import POOL, Build, File, Index, Library, Proof
from manypython.model.build_id import ArtifactName, BuildId, Variant
from manypython.model.identifier import BuildNumber
from manypython.model.target import Target

BASE = "https://example.org/python/"
NUMBER = BuildNumber(20261121)
OLDER = BuildNumber(20261001)
ZIG = "zig 0.16.0, quick"
GCC = "gcc 10.2.1, manylinux_2_31, release"
_SYSCONFIG = b"""\
# system configuration generated and used by the sysconfig module
build_time_vars = {'prefix': '/install'}
"""


def name_of(
    version: str,
    tag: str = "manylinux_2_17_x86_64",
    *,
    number: BuildNumber = NUMBER,
    variant: str = "",
    level: int = 1,
    toolchain: str = ZIG,
) -> ArtifactName:
    made = Variant.of((variant,), toolchain)
    target = replace(Target.of_tag(tag), level=level)
    return ArtifactName(BuildId("cpython", Version(version), number, target, made))


def make_build(
    version: str,
    tag: str = "manylinux_2_17_x86_64",
    *,
    number: BuildNumber = NUMBER,
    variant: str = "",
    level: int = 1,
    toolchain: str = ZIG,
    extra: tuple[str, ...] = (),
) -> Build:
    name = name_of(version, tag, number=number, variant=variant, level=level, toolchain=toolchain)
    paths = [f"{POOL}/{number}/{name.with_suffix(suffix)}" for suffix in (".tar.gz", ".zip")]
    files = [File(path, hashlib.sha256(path.encode()).hexdigest(), 1000, 4000) for path in (*paths, *extra)]
    return Build(
        name.build,
        "make",
        toolchain,
        (Library("openssl", "3.5.7"), Library("zlib", "1.3.2")),
        Proof(65, ("this machine", "glibc-2.17"), ("glibc-2.17: scripts: no shell",)),
        tuple(files),
    )


INDEX = Index.of(
    BASE,
    (
        make_build("3.13.5", extra=("gha/20261121/python-3.13.5-linux-x64.tar.gz",)),
        make_build("3.13.5", number=OLDER),
        make_build("3.13.5", "manylinux_2_28_x86_64", number=BuildNumber(20261122)),
        make_build("3.13.5", "manylinux_2_17_aarch64"),
        make_build(
            "3.13.5",
            variant="freethreaded",
            extra=("gha/20261121/python-3.13.5-linux-x64-freethreaded.tar.gz",),
        ),
        make_build("3.13.5", variant="debug"),
        make_build("3.13.5", level=3),
        make_build("3.12.11", number=OLDER, extra=("gha/20261001/python-3.12.11-linux-x64.tar.gz",)),
        make_build("3.15.0rc1", extra=("gha/20261121/python-3.15.0-rc.1-linux-x64.tar.gz",)),
        make_build("3.13.5", "musllinux_1_2_x86_64"),
    ),
)


def content(version: str, note: str = "") -> tuple[Member, ...]:
    """A tree that answers like an interpreter and is none."""
    short = ".".join(version.split(".")[:2])
    return (
        Member(
            PurePosixPath(f"bin/python{short}"),
            f"#!/bin/sh\necho Python {version}{note}\n".encode(),
            executable=True,
        ),
        Member(PurePosixPath("bin/python3"), link=f"python{short}"),
        Member(PurePosixPath("bin/python"), link=f"python{short}"),
        Member(PurePosixPath(f"lib/python{short}/os.py"), b"import sys\n" * 50),
        Member(PurePosixPath(f"lib/python{short}/_sysconfigdata__linux_.py"), _SYSCONFIG),
    )


def make_archives(
    folder: Path,
    name: ArtifactName,
    suffixes: tuple[str, ...] = (".tar.gz",),
    *,
    tag: str = "manylinux_2_17_x86_64",
    note: str = "",
    toolchain: str = ZIG,
    facts: dict[str, object] | None = None,
    proof: dict[str, object] | None = None,
) -> tuple[Path, ...]:
    """Archives of one build, each with its ``.sha256``, and the facts beside them."""
    version = str(name.build.version)
    threads = "t" if name.build.variant.threading else ""
    told = {
        "schema_version": 1,
        "implementation": name.build.implementation,
        "version": version,
        "build": name.build.number.value,
        "build_identifier": f"cp3{name.build.version.minor}{threads}-{tag}",
        "platform_tag": tag,
        "origin": "make",
        "toolchain": toolchain,
        "sources": [{"name": "cpython", "version": version}, {"name": "zlib", "version": "1.3.2"}],
        "grafts": [],
        **(facts or {}),
    }
    inside = Member(PurePosixPath("share/manypython/manypython.json"), json.dumps(told).encode())
    plain = complete((*content(version, note), inside))
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for suffix in suffixes:
        path = folder / str(name.with_suffix(suffix))
        WRITERS[suffix](
            path, plain if suffix == ".zip" else below("python", plain), name.build.number.epoch, FAST
        )
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        path.with_name(f"{path.name}.sha256").write_text(f"{digest}  {path.name}\n")
        paths.append(path)
    beside = told if proof is None else {**told, "verify": proof}
    (folder / f"{name}.json").write_text(json.dumps(beside))
    return tuple(paths)


def make_tests(folder: Path, name: ArtifactName) -> Path:
    tests = replace(name, suffix=".tar.gz", content="tests")
    path = folder / str(tests)
    member = Member(PurePosixPath("lib/python3.13/test/x.py"), b"pass\n")
    WRITERS[".tar.gz"](path, below("python", (member,)), name.build.number.epoch, FAST)
    return path
