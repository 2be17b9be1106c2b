from __future__ import annotations

import base64
import csv
import hashlib
import json
from pathlib import Path

import pytest
from packaging.version import Version
from samples_of_pack import FACTS, NOTHING, make_tree, verified

from manypython.archives.read import unpack
from manypython.model.build_id import ArtifactName
from manypython.model.errors import OutputError
from manypython.pack import pack
from manypython.progress import Reporter
from manypython.verify.report import Check, VerifyReport


def test_three_wrappings_of_one_tree(tmp_path: Path) -> None:
    artifacts = pack(
        verified(make_tree(tmp_path / "t")),
        FACTS,
        dist=tmp_path / "dist",
        reporter=Reporter(quiet=True),
        jobs=2,
    )
    names = sorted(path.name for path in (tmp_path / "dist").iterdir())
    stem = "cpython-3.13.5+20261121-x86_64-unknown-linux-gnu-install_only"
    suffixes = (
        ".json",
        ".tar.gz",
        ".tar.gz.sha256",
        ".tar.zst",
        ".tar.zst.sha256",
        ".zip",
        ".zip.sha256",
    )
    assert names == [stem + suffix for suffix in suffixes]
    for artifact in artifacts:
        assert ArtifactName.parse(artifact.path.name).build.version == Version("3.13.5")
        digest = hashlib.sha256(artifact.path.read_bytes()).hexdigest()
        line = artifact.path.with_name(artifact.path.name + ".sha256").read_text()
        assert line == f"{digest}  {artifact.path.name}\n"
        assert artifact.sha256 == digest
        into = tmp_path / artifact.path.suffix
        unpack(artifact.path, into)
        top = into if artifact.path.suffix == ".zip" else into / "python"
        assert (top / "bin/python3").is_symlink()
        facts = json.loads((top / "share/manypython/manypython.json").read_text())
        assert facts["build_identifier"] == "cp313-manylinux_2_17_x86_64"
        assert facts["sources"][0]["sha256"] == "ab" * 32
        assert (top / facts["sources"][0]["license_texts"][0]).read_text() == "text"
        assert facts["grafts"][0]["soname"] == "libz.so.1"


def test_the_zip_has_a_true_record(tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "t")
    for name in ("a,b.txt", 'say "so".txt', 'it\'s, "odd".txt'):
        (tree.root / name).write_text(name)
    artifacts = pack(
        verified(tree),
        FACTS,
        dist=tmp_path / "dist",
        reporter=Reporter(quiet=True),
        jobs=1,
    )
    unpack(next(a.path for a in artifacts if a.path.suffix == ".zip"), tmp_path / "out")
    rows = list(csv.reader((tmp_path / "out/pybi-info/RECORD").read_text().splitlines()))
    listed = {row[0] for row in rows}
    present = {
        str(p.relative_to(tmp_path / "out"))
        for p in (tmp_path / "out").rglob("*")
        if p.is_symlink() or p.is_file()
    }
    assert listed == present
    assert ["bin/python3", "symlink=python3.13", ""] in rows
    for name, digest, _ in rows:
        if digest.startswith("sha256="):
            data = (tmp_path / "out" / name).read_bytes()
            assert digest == "sha256=" + base64.urlsafe_b64encode(
                hashlib.sha256(data).digest()
            ).decode().rstrip("=")


def test_the_bill_of_materials_is_deterministic() -> None:
    first, second = FACTS.sbom(), FACTS.sbom()
    assert first == second
    data = json.loads(first)
    assert data["bomFormat"] == "CycloneDX"
    assert data["metadata"]["timestamp"] == "2026-11-21T00:00:00+00:00"
    assert data["components"][0]["hashes"] == [{"alg": "SHA-256", "content": "ab" * 32}]
    assert data["components"][0]["licenses"] == [{"license": {"id": "Zlib"}}]


def test_an_unwritable_dist_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file"):
        pack(
            verified(make_tree(tmp_path / "t")),
            FACTS,
            dist=tmp_path / "file/x",
            reporter=Reporter(quiet=True),
            jobs=1,
        )


def test_how_it_was_proved_is_told_beside_the_archives(tmp_path: Path) -> None:
    report = VerifyReport((Check("this machine", "moved", "prefix", ok=True, detail="", seconds=1.0),))
    tree, dists = make_tree(tmp_path / "t"), (tmp_path / "a", tmp_path / "b")
    for dist, told in zip(dists, (report, NOTHING), strict=True):
        pack(verified(tree, told), FACTS, dist=dist, reporter=Reporter(quiet=True), jobs=1)
    beside, bare = (json.loads(next(dist.glob("*.json")).read_text()) for dist in dists)
    assert beside == {**bare, "verify": {"passed": 1, "roots": ["this machine"], "not_tried": []}}
    sums = [[path.read_text() for path in sorted(dist.glob("*.sha256"))] for dist in dists]
    assert sums[0] == sums[1]  # inside nothing differs
