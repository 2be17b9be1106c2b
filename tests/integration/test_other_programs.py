"""What others read of ours: the machine's tar, unzip, readelf and make on the archives and the tree of one build."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from builds import Made
from foreign import host_packages


def run(*words: str | Path, cwd: Path | None = None) -> str:
    env = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}
    return subprocess.run(words, capture_output=True, text=True, check=True, env=env, cwd=cwd).stdout


def listing(root: Path) -> dict[str, str | tuple[int, int]]:
    return {
        str(path.relative_to(root)): os.readlink(path)
        if path.is_symlink()
        else (path.stat().st_mode, path.stat().st_size)
        for path in root.rglob("*")
        if path.is_symlink() or path.is_file()
    }


def test_tar_and_unzip_make_what_we_make(made: Made, tmp_path: Path) -> None:
    host_packages("tar", "gzip", "unzip")
    run("tar", "-xzf", made.archive("install_only.tar.gz"), "-C", tmp_path)
    assert listing(tmp_path / "python") == listing(made.tree)
    run("unzip", "-q", made.archive(".zip"), "-d", tmp_path / "zipped")
    found = listing(tmp_path / "zipped")
    assert found.items() >= listing(made.tree).items()
    assert "pybi-info/RECORD" in found
    assert run(tmp_path / "zipped/bin/python3.13", "-Ic", "print('runs')") == "runs\n"


def test_readelf_has_nothing_to_complain_of(made: Made) -> None:
    """Of files that were patched and stripped."""
    host_packages("binutils")
    files = [
        made.tree / "bin/python3.13",
        *made.tree.glob("lib/python.libs/*"),
        *made.tree.rglob("_ssl.*.so"),
    ]
    assert len(files) > 10
    done = subprocess.run(("readelf", "-aW", *files), capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert "readelf: " not in done.stdout


def test_the_makefile_finds_itself(made: Made, tmp_path: Path) -> None:
    host_packages("make")
    (makefile,) = made.tree.glob("lib/python3.13/config-3.13-*/Makefile")
    for name in ("plain", "with space"):
        place = tmp_path / name / makefile.relative_to(made.tree)
        place.parent.mkdir(parents=True)
        show = 'show:\n\t@echo "$(prefix)|$(exec_prefix)|$(LIBDIR)|$(CC)|$(INSTALL)"\n'
        place.write_text(makefile.read_text() + show)
        root = tmp_path / name
        said = run("make", "-s", "-f", place, "show")
        assert said == f"{root}|{root}|{root}/lib|cc|/usr/bin/install -c\n"
