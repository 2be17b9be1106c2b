"""Our composite action, its scripts run as a runner of GitHub runs them; and actions/setup-python with our site as its mirror.

The two steps that are the cache's need GitHub's service: tar does here what they do there.
"""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
import yaml
from driving import DOCS, Page, Served, attempt, clean, run

PAGE = Page.of("github-actions")
ACTION = DOCS.parent / ".github/actions/setup"
SETUP_PYTHON = os.environ.get("MANYPYTHON_SETUP_PYTHON", "")
BASH = ("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c")
NOWHERE = {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9", "no_proxy": ""}


def told(text: str) -> dict[str, str]:
    """What a step wrote for the runner: ``name=value``, or lines up to a mark of its own."""
    found = {}
    lines = iter(text.splitlines())
    for line in lines:
        name, equals, value = line.partition("=")
        if not equals:
            name, _, mark = line.partition("<<")
            value = "\n".join(takewhile(mark.__ne__, lines))
        found[name] = value
    return found


@dataclass
class Job:
    """A job on a runner: its folder, and the environment that its steps have made so far."""

    folder: Path
    env: dict[str, str]

    @classmethod
    def begin(cls, folder: Path, *tools: Path) -> Job:
        for name in ("work", "temp", "tools"):
            (folder / name).mkdir(parents=True)
        env = clean(folder / "home", *tools, RUNNER_TEMP=str(folder / "temp"))
        return cls(folder, {**env, "RUNNER_TOOL_CACHE": str(folder / "tools"), "GITHUB_ACTIONS": "true"})

    def step(
        self, *words: str | Path, **more: str
    ) -> tuple[subprocess.CompletedProcess[str], dict[str, str]]:
        """One step: what it did, and its outputs."""
        files = {
            name: self.folder / name
            for name in ("GITHUB_ENV", "GITHUB_PATH", "GITHUB_OUTPUT", "GITHUB_STATE")
        }
        for path in files.values():
            path.write_text("")
        given = {name: str(path) for name, path in files.items()}
        done = attempt({**self.env, **given, **more}, *words, cwd=self.folder / "work")
        self.env |= told(files["GITHUB_ENV"].read_text())
        for line in files["GITHUB_PATH"].read_text().splitlines():
            self.env["PATH"] = f"{line}:{self.env['PATH']}"
        return done, told(files["GITHUB_OUTPUT"].read_text())

    def use(self, given: dict[str, str]) -> tuple[subprocess.CompletedProcess[str], dict[str, str]]:
        """The steps of our action that run a script."""
        action = yaml.safe_load((ACTION / "action.yml").read_text())
        known = {f"inputs.{name}": each.get("default", "") for name, each in action["inputs"].items()}
        known |= {f"inputs.{name}": value for name, value in given.items()}
        known |= {f"env.{name}": value for name, value in self.env.items()}

        def value(match: re.Match[str]) -> str:
            return next(filter(None, (known.get(each) for each in match[1].split(" || "))), "")

        for step in action["runs"]["steps"]:
            if "run" in step:
                env = {name: re.sub(r"\$\{\{ (.+?) \}\}", value, text) for name, text in step["env"].items()}
                done, outputs = self.step(*BASH, step["run"], GITHUB_ACTION_PATH=str(ACTION), **env)
                known |= {f"steps.{step['id']}.outputs.{name}": text for name, text in outputs.items()}
                if done.returncode != 0:
                    break
        return done, outputs

    def run(self, *words: str | Path) -> str:
        """What a later step's command prints."""
        return run(self.env, *words, cwd=self.folder / "work")


def pasted(action: str, served: Served) -> dict[str, str]:
    """The inputs that our page gives an action."""
    blocks = re.findall(r"^```yaml\n(.*?)^```$", PAGE.path.read_text(), re.MULTILINE | re.DOTALL)
    steps = [
        step
        for block in blocks
        for step in yaml.safe_load(served.here(block))
        if action in step.get("uses", "")
    ]
    return dict(steps[0]["with"])


@pytest.fixture
def host() -> Path:
    """A Python that the runner has."""
    return Path(sys.base_prefix, "bin")


@pytest.fixture
def ready(host: Path, tool: Callable[..., Path], tmp_path: Path) -> Job:
    """A job that has manypython already."""
    job = Job.begin(tmp_path / "job", host)
    (job.folder / "temp/manypython").mkdir()
    (job.folder / "temp/manypython/tool").symlink_to(tool("manypython").parent)
    return job


def test_the_action_from_nothing_and_from_the_cache(served: Served, host: Path, tmp_path: Path) -> None:
    given = pasted("manypython/.github/actions/setup@", served)
    job = Job.begin(tmp_path / "job", host)
    done, outputs = job.use(given)
    assert done.returncode == 0, done.stdout + done.stderr
    python = Path(outputs["python-path"])
    prefix = python.parents[1]
    assert python.is_relative_to(job.folder / "temp")
    assert job.run(python, "-V") == f"Python {outputs['python-version']}\n"
    assert {job.env[name] for name in ("pythonLocation", "Python_ROOT_DIR", "Python3_ROOT_DIR")} == {
        str(prefix)
    }
    assert job.env["PKG_CONFIG_PATH"] == f"{prefix}/lib/pkgconfig"
    assert "LD_LIBRARY_PATH" not in job.env
    kept = tmp_path / "cache.tar"
    run(clean(tmp_path), "tar", "-cPf", kept, prefix.parent)
    for name in ("python", "python3", "python3.13"):
        assert job.run(name, "-c", "import sys; print(sys.prefix)") == f"{prefix}\n"
    job.run("pip", "install", "--quiet", "iniconfig")
    assert job.run("python", "-c", "import iniconfig; print(iniconfig.__file__)").startswith(f"{prefix}/lib/")

    shutil.rmtree(job.folder)
    job = Job.begin(tmp_path / "job", host)
    run(clean(tmp_path), "tar", "-xPf", kept)
    job.env |= NOWHERE
    done, outputs = job.use(given)
    assert done.returncode == 0, done.stdout + done.stderr
    assert outputs["python-path"] == str(python)
    assert not list(job.folder.glob("temp/manypython/tool")), "nothing is installed for what is there"
    assert "iniconfig" not in job.run("pip", "list")


def test_the_action_from_a_folder_and_what_it_says_when_it_cannot(served: Served, ready: Job) -> None:
    ready.env |= {"MANYPYTHON_INDEX": str(served.folder), "MANYPYTHON_TRUST": served.trust}
    done, outputs = ready.use({"python-version": "\n  3.13\n>=3.13,<3.14\n", "cache": "false"})
    assert done.returncode == 0, done.stdout + done.stderr
    assert (
        ready.run("python", "-c", "import sys; print(sys.executable)")
        == f"{Path(outputs['python-path']).with_name('python')}\n"
    )
    for given, says in (
        (
            {"python-version": "3.10"},
            r"the index has no 3\.10; on offer: 3\.13\.\d+ \(.*--available shows all\)",
        ),
        ({"python-version": "3.13", "trust": "sha256:" + "0" * 64}, r".*root.*\(.+\)"),
        ({"python-version": "many"}, r".*'many'.*"),
        ({}, r"no Python is asked for \(.+\)"),
        ({"python-version-file": "x"}, r"python-version-file: x: no such file \(.+\)"),
    ):
        done, outputs = ready.use(given)
        assert done.returncode == 1, given
        assert "python-path" not in outputs
        assert re.search(rf"^::error title=manypython::{says}$", done.stdout + done.stderr, re.MULTILINE), (
            done
        )


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (".python-version", "3.13\n"),
        ("pyproject.toml", '[project]\nname = "sample"\nversion = "1"\nrequires-python = ">=3.13,<3.14"\n'),
        ("tox.ini", "[tox]\nenv_list = py313, lint\n"),
    ],
)
def test_a_file_of_the_project_says_which(served: Served, ready: Job, name: str, text: str) -> None:
    (ready.folder / "work" / name).write_text(text)
    done, outputs = ready.use({"python-version-file": name, "index": served.url, "trust": served.trust})
    assert done.returncode == 0, done.stdout + done.stderr
    assert outputs["python-version"].startswith("3.13.")


def test_a_python_of_the_tool_cache_does_and_without_one_the_job_is_told_so(
    served: Served, host: Path, ready: Job, tmp_path: Path
) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in (
        "bash",
        "cat",
        "date",
        "dirname",
        "getconf",
        "ln",
        "mkdir",
        "readlink",
        "sed",
        "sha256sum",
        "tac",
        "uname",
    ):
        (tools / name).symlink_to(shutil.which(name) or name)
    ready.env["PATH"] = str(tools)
    given = {"python-version": "3.13", "index": served.url, "trust": served.trust}
    done, _ = ready.use(given)
    assert done.returncode == 1
    assert "::error title=manypython::manypython runs on Python 3.11 or newer" in done.stderr
    cached = ready.folder / "tools/Python/3.11.0/x64/bin"
    cached.mkdir(parents=True)
    (cached / "python3").symlink_to(host / "python3")
    done, outputs = ready.use(given)
    assert done.returncode == 0, done.stdout + done.stderr
    assert outputs["python-version"].startswith("3.13.")


@contextmanager
def manifest(entries: list[dict[str, Any]], folder: Path) -> Iterator[str]:
    """A mirror that has one manifest."""
    (folder / "versions-manifest.json").write_text(json.dumps(entries))
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.skipif(
    not SETUP_PYTHON, reason="MANYPYTHON_SETUP_PYTHON names no checkout of actions/setup-python 7.1 or newer"
)
def test_setup_python_with_our_site_as_its_mirror(served: Served, tmp_path: Path) -> None:
    job = Job.begin(tmp_path / "job")
    program = ("node", Path(SETUP_PYTHON, "dist/setup/index.js"))

    def use(**given: str) -> tuple[subprocess.CompletedProcess[str], dict[str, str]]:
        inputs = {
            "architecture": "x64" if os.uname().machine == "x86_64" else "arm64",
            "update-environment": "true",
        }
        inputs |= {"check-latest": "false", "allow-prereleases": "false", "freethreaded": "false", **given}
        return job.step(*program, **{f"INPUT_{name.upper()}": value for name, value in inputs.items()})

    given = pasted("actions/setup-python@", served)
    entries = json.loads((served.folder / "versions-manifest.json").read_text())
    early = {**entries[0], "version": "3.13.99-rc.1", "stable": False}
    with manifest([early, *entries], tmp_path) as mirror:
        done, outputs = use(**given | {"mirror": mirror})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Download from" in done.stdout
    assert outputs["python-version"] == entries[0]["version"]
    prefix = Path(job.env["pythonLocation"])
    assert prefix.is_relative_to(job.folder / "tools")
    assert job.run("python", "-c", "import sys; print(sys.prefix)") == f"{prefix}\n"
    job.run("pip", "install", "--quiet", "iniconfig")
    assert job.run("python", "-c", "import iniconfig; print(iniconfig.__file__)").startswith(f"{prefix}/lib/")
    assert job.env["LD_LIBRARY_PATH"] == f"{prefix}/lib"
    for name in filter(shutil.which, ("bash", "curl", "git", "python3", "ssh", "tar")):
        assert str(prefix) not in job.run("ldd", shutil.which(name) or name), (
            "LD_LIBRARY_PATH changes nobody else"
        )

    again, outputs = use(**given | {"mirror": "http://127.0.0.1:9/"})
    assert again.returncode == 0, again.stdout
    assert "Download from" not in again.stdout
    assert outputs["python-version"] == entries[0]["version"]
    missing, _ = use(**given | {"python-version": "3.10"})
    assert missing.returncode == 1
    assert re.search(r"^::error::The version '3\.10' .* was not found", missing.stdout, re.MULTILINE)
