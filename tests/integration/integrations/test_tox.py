"""tox finds interpreters of a site, by the commands of docs/integrations/tox.md."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from driving import Page, Served, attempt, clean, run

TOX = "tox>=4.30,<5"
HERE = f"py{sys.version_info[0]}{sys.version_info[1]}"
"""The environment that needs nothing of ours."""
STORE = ".local/share/manypython/pythons"
pytestmark = pytest.mark.skipif(sys.version_info[:2] == (3, 13), reason="tox finds the Python of the tests")


def project(folder: Path, *lines: str, more: str = "") -> Path:
    """A project with these lines in ``[tox]``, whose environments say where their Python is from."""
    folder.mkdir(exist_ok=True)
    command = "commands = python -c \"import sys; print('base is', sys.base_prefix)\""
    text = "\n".join(("[tox]", "no_package = true", "env_list = py313", *lines, "[testenv]", command, more))
    (folder / "tox.ini").write_text(f"{text}\n")
    return folder


def of(served: Served) -> tuple[str, str]:
    """The two lines that name a site."""
    return f"manypython_index = {served.url}", f"manypython_trust = {served.trust}"


def failed(done: subprocess.CompletedProcess[str]) -> str:
    """The one line of ours in what tox said that failed."""
    told = done.stdout + done.stderr
    (line,) = [line for line in told.splitlines() if "manypython" in line.lower()]
    assert done.returncode != 0, told
    assert "Traceback" not in told, told
    assert "Retrying" not in told, told
    return line


@contextmanager
def counting(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """A folder served, and the paths that were asked for."""
    asked: list[str] = []

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            asked.append(self.path)

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/", asked
        finally:
            server.shutdown()
            thread.join()


def test_the_page(served: Served, wheel: Path, tool: Callable[..., Path], tmp_path: Path) -> None:
    """tox without us, which provisions itself with us."""
    env = clean(tmp_path / "home", tool(TOX), PIP_FIND_LINKS=str(wheel))
    page = Page.of("tox")
    page.write(tmp_path, served)
    told = page.run(env, tmp_path, served)
    assert told.count(f"base is {tmp_path / 'home' / STORE}/cpython-3.13.") >= 2, told


def test_without_us_it_finds_nothing(tool: Callable[..., Path], tmp_path: Path) -> None:
    """The test before this one can fail."""
    done = attempt(clean(tmp_path / "home", tool(TOX)), "tox", "-e", "py313", cwd=project(tmp_path / "p"))
    assert done.returncode != 0
    assert "could not find python interpreter" in done.stdout


def test_what_the_machine_has_answers_and_nothing_is_fetched(
    tool: Callable[..., Path], tmp_path: Path
) -> None:
    """There is no index, and nobody complains."""
    env, folder = clean(tmp_path / "home", tool(TOX, "manypython")), project(tmp_path / "p")
    for words in (("-e", HERE), ("list",), ("config", "-e", "py313", "-k", "commands")):
        done = attempt(env, "tox", *words, cwd=folder)
        assert done.returncode == 0, done.stdout
        assert "manypython: " not in done.stdout + done.stderr
    assert not (tmp_path / "home/.local/share/manypython").exists()


def test_whoever_named_another_discovery_has_that(tool: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "virtualenv.ini").write_text("[virtualenv]\ndiscovery = builtin\n")
    folder = project(tmp_path / "p")
    for more in (
        {"VIRTUALENV_DISCOVERY": "builtin"},
        {"VIRTUALENV_CONFIG_FILE": str(tmp_path / "virtualenv.ini")},
        {"TOX_DISABLED_EXTERNAL_PLUGINS": "manypython"},
    ):
        env = clean(tmp_path / "home", tool(TOX, "manypython"), **more)
        done = attempt(env, "tox", "-e", "py313", cwd=folder)
        assert done.returncode != 0
        assert "manypython" not in done.stdout, more


def test_what_fails_is_one_line_that_says_what_to_do(tool: Callable[..., Path], tmp_path: Path) -> None:
    env = clean(tmp_path / "home", tool(TOX, "manypython"))
    folder, unsigned = tmp_path / "p", tmp_path / "unsigned"
    unsigned.mkdir()
    (unsigned / "index.json").write_text("{}")
    nowhere = "manypython_index = http://127.0.0.1:1/"
    trust = f"manypython_trust = sha256:{'0' * 64}"
    for lines, fact, remedy in (
        ((), "no index is set", "name a site with MANYPYTHON_INDEX URL"),
        ((nowhere,), "nothing is known of who signs it", "MANYPYTHON_TRUST sha256:HEX"),
        ((nowhere, trust), "Connection refused", "MANYPYTHON_MIRRORS"),
        (("manypython_index = {tox_root}/../unsigned",), "nothing is known", "MANYPYTHON_ALLOW_UNSIGNED"),
        (("manypython_index = none",), f"{folder}/none/: no such folder", "MANYPYTHON_INDEX takes"),
        (("manypython_timeout = soon",), "could not convert string to float: 'soon'", "manypython_timeout"),
        (("manypython_timeout = -1",), "manypython_timeout: timeout: -1.0 is not a number above 0", ""),
        (("manypython_store = theirs",), "'theirs' is none of own, uv", ""),
        (("manypython_idnex = x",), "manypython_idnex: no such setting", "there are manypython_index, "),
        (("manypython_store_dir = x",), "store_dir: not for a project to say", "set MANYPYTHON_STORE_DIR"),
        (("manypython_ca_bundle = x",), "ca_bundle: not for a project to say", "set MANYPYTHON_CA_BUNDLE"),
        (("manypython_allow_unsigned = 1",), "not for a project to say", "set MANYPYTHON_ALLOW_UNSIGNED"),
    ):
        line = failed(attempt(env, "tox", "-e", "py313", cwd=project(folder, *lines)))
        assert fact in line, line
        assert remedy in line, line
    project(folder, more="set_env = VIRTUALENV_MANYPYTHON_STORE_DIR = x")
    line = failed(attempt(env, "tox", "-e", "py313", cwd=folder))
    assert "set_env: VIRTUALENV_MANYPYTHON_STORE_DIR: not for a project to say" in line
    # what the user says holds
    mine = {
        **env,
        "VIRTUALENV_MANYPYTHON_STORE_DIR": str(tmp_path / "store"),
        "MANYPYTHON_INDEX": "http://127.0.0.1:2/",
    }
    assert "127.0.0.1:2/" in failed(attempt(mine, "tox", "-e", "py313", cwd=project(folder, nowhere)))


def test_a_wrong_trust_and_what_the_index_has_not(
    served: Served, tool: Callable[..., Path], tmp_path: Path
) -> None:
    env = clean(tmp_path / "home", tool(TOX, "manypython"))
    index, trust = of(served)
    wrong = f"manypython_trust = sha256:{'0' * 64}"
    line = failed(attempt(env, "tox", "-e", "py313", cwd=project(tmp_path / "p", index, wrong)))
    assert "has no root with sha256 000" in line
    assert "compare it with what the site's owner says" in line
    line = failed(attempt(env, "tox", "-e", "py313t", cwd=project(tmp_path / "p", index, trust)))
    assert "the index has no 3.13t; on offer: 3.13" in line


@pytest.mark.parametrize("form", ["tox.ini", "tox.toml", "pyproject.toml"])
def test_every_form_of_configuration(
    served: Served, tool: Callable[..., Path], tmp_path: Path, form: str
) -> None:
    """A folder of the index, named from the project's root by a tox that runs below it."""
    env = clean(tmp_path / "home", tool(TOX, "manypython"))
    (tmp_path / "site").symlink_to(served.folder)
    folder = project(tmp_path / "p", "manypython_index = ../site", f"manypython_trust = {served.trust}")
    if form != "tox.ini":
        (folder / "tox.ini").unlink()
        table = "tool.tox." if form == "pyproject.toml" else ""
        (folder / form).write_text(
            f"{'[tool.tox]' if table else ''}\nno_package = true\nmanypython_index = '../site'\n"
            f"manypython_mirrors = ['{served.url}']\nmanypython_trust = '{served.trust}'\n[{table}env_run_base]\n"
            "commands = [['python', '-c', 'import sys; print(\"base is\", sys.base_prefix)']]\n"
        )
    below = folder / "below"
    below.mkdir()
    told = run(env, "tox", "run", "-c", folder / form, "-e", f"{HERE},py313", cwd=below)
    assert f"base is {tmp_path / 'home' / STORE}/cpython-3.13." in told, told
    assert told.count("base is ") == 2, told


def test_in_parallel_from_cold_it_is_one_download(
    served: Served, tool: Callable[..., Path], tmp_path: Path
) -> None:
    env = clean(tmp_path / "home", tool(TOX, "manypython"))
    with counting(served.folder) as (url, asked):
        folder = project(
            tmp_path / "p", f"manypython_index = {url}", f"manypython_trust = {served.trust}",
            more="[testenv:b-py313]\n[testenv:c-py313]",
        )  # fmt: skip
        run(env, "tox", "list", cwd=folder)
        assert asked == []
        run(env, "tox", "-p", "auto", "-e", f"py313,b-py313,c-py313,{HERE}", cwd=folder)
        assert len([path for path in asked if "-install_only." in path]) == 1, asked
        asked.clear()
        run(env, "tox", "-e", "py313", cwd=folder)
        assert asked == []
        # what is removed comes back, and nothing that was remembered answers in its place
        run(env, "manypython", "remove", "3.13")
        told = run(env, "tox", "-e", "py313", cwd=folder)
        assert f"base is {tmp_path / 'home' / STORE}/cpython-3.13." in told
        assert asked


@pytest.mark.slow
def test_commands_and_packaging_environments(
    served: Served, tool: Callable[..., Path], tmp_path: Path
) -> None:
    """A virtualenv that the commands run knows nothing of us; the packaging environment is ours, too."""
    env = clean(tmp_path / "home", tool(TOX, "manypython"))
    folder = project(tmp_path / "p", *of(served), more="[testenv:.pkg]\nbase_python = py313")
    text = (folder / "tox.ini").read_text().replace("no_package = true", "")
    (folder / "tox.ini").write_text(
        text.replace("commands = ", "deps = virtualenv\ncommands =\n  virtualenv {env_tmp_dir}/v\n  ")
    )
    (folder / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
        '[project]\nname = "sample"\nversion = "1"\n[tool.hatch.build.targets.wheel]\nbypass-selection = true\n'
    )
    run(env, "tox", "-e", f"py313,{HERE}", cwd=folder)
    settings = (folder / ".tox/.pkg/pyvenv.cfg").read_text()
    assert f"{tmp_path / 'home' / STORE}/cpython-3.13." in settings


@pytest.mark.slow
@pytest.mark.parametrize("tools", [("tox==4.0.0",), ("tox==4.30.0", "virtualenv==20.35.4")])
def test_older_ones(
    served: Served, tool: Callable[..., Path], tmp_path: Path, tools: tuple[str, ...]
) -> None:
    env = clean(tmp_path / "home", tool(*tools, "manypython"))
    told = run(env, "tox", "-e", "py313", cwd=project(tmp_path / "p", *of(served)))
    assert f"base is {tmp_path / 'home' / STORE}/cpython-3.13." in told


@pytest.mark.slow
def test_environments_of_tox_uv_are_left_to_it(
    served: Served, tool: Callable[..., Path], tmp_path: Path
) -> None:
    env = clean(tmp_path / "home", tool(TOX, "tox-uv>=1.35,<2", "manypython"), UV_NO_CACHE="1")
    folder = project(tmp_path / "p", *of(served))
    done = attempt({**env, "UV_PYTHON_DOWNLOADS": "never"}, "tox", "-e", "py313", cwd=folder)
    assert done.returncode != 0
    assert "No interpreter found for CPython 3.13" in done.stdout + done.stderr
    assert not (tmp_path / "home" / STORE).exists()
    listed = {**env, "UV_PYTHON_DOWNLOADS_JSON_URL": f"{served.url}uv/downloads.json"}
    assert "base is" in run(listed, "tox", "-e", "py313", cwd=folder)
