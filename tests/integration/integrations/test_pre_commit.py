"""pre-commit of PyPI, with a repository of hooks that wants a Python the machine has not."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest
import yaml
from driving import Page, Served, attempt, clean, run

pytestmark = pytest.mark.skipif(
    sys.version_info[:2] == (3, 13), reason="these tests run on Python 3.13, which pre-commit finds"
)
PAGE = Page.of("pre-commit")
PRE_COMMIT = "pre-commit>=4.3,<5"
RUN = ("pre-commit", "run", "--all-files")
HOOKS = {
    ".pre-commit-hooks.yaml": """
        - id: which-python
          name: which python
          entry: which-python
          language: python
          always_run: true
          pass_filenames: false
          verbose: true
    """,
    "pyproject.toml": """
        [build-system]
        requires = ["setuptools>=77"]
        build-backend = "setuptools.build_meta"
        [project]
        name = "which-python"
        version = "1"
        [project.scripts]
        which-python = "which_python:main"
    """,
    "which_python.py": "import sys\ndef main(): print('base is', sys.base_prefix, '%d.%d' % sys.version_info[:2])\n",
}


def git(env: dict[str, str], folder: Path, files: dict[str, str]) -> str:
    """A repository with these files; its commit."""
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(dedent(text))
    run(env, "git", "init", "--quiet", cwd=folder)
    run(env, "git", "add", ".", cwd=folder)
    who = ("-c", "user.name=somebody", "-c", "user.email=somebody@example.org")
    run(env, "git", *who, "commit", "--quiet", "--message", "all of it", cwd=folder)
    return run(env, "git", "rev-parse", "HEAD", cwd=folder).strip()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project that says what our page says, and has one hook."""
    env = clean(tmp_path / "author")
    hooks = {
        "repo": (tmp_path / "hooks").as_uri(),
        "rev": git(env, tmp_path / "hooks", HOOKS),
        "hooks": [{"id": "which-python"}],
    }
    config = yaml.safe_load(PAGE.path.read_text().split("```yaml\n")[1].split("```")[0])
    git(env, tmp_path / "project", {".pre-commit-config.yaml": yaml.safe_dump({**config, "repos": [hooks]})})
    return tmp_path / "project"


def test_the_page(served: Served, tool: Callable[..., Path], project: Path, tmp_path: Path) -> None:
    env = clean(tmp_path / "home", tool("manypython"), tool(PRE_COMMIT))
    says = "failed to find interpreter for Builtin discover of python_spec='python3.13'"
    assert says in attempt(env, *RUN, cwd=project).stdout, "there is none without us"
    assert says in PAGE.path.read_text()
    base = f"base is {tmp_path}/home/.local/share/uv/python/cpython-3.13."
    assert PAGE.run(env, project, served).count(base) == 2
    assert base in run(
        {**env, "PIP_INDEX_URL": "http://127.0.0.1:9/", "PIP_FIND_LINKS": ""}, *RUN, cwd=project
    )


@pytest.mark.slow
def test_a_hook_with_a_path_from_a_folder_index(
    served: Served, tool: Callable[..., Path], project: Path, tmp_path: Path
) -> None:
    env = clean(tmp_path / "home", tool("manypython"), tool(PRE_COMMIT))
    fetch = ("manypython", "fetch", "3.13", "--index", served.folder, "--trust", served.trust)
    python = run(env, *fetch, cwd=project).strip()
    config = project / ".pre-commit-config.yaml"
    config.write_text(
        config.read_text().replace(
            "- id: which-python", f"- id: which-python\n    language_version: {python}"
        )
    )
    assert f"base is {Path(python).parents[1]} 3.13" in run(env, *RUN, cwd=project)


@pytest.mark.slow
def test_pre_commit_uv_fetches_what_is_missing(
    served: Served, tool: Callable[..., Path], project: Path, tmp_path: Path
) -> None:
    env = clean(tmp_path / "home", tool(PRE_COMMIT, "pre-commit-uv>=4.2,<5"))
    said = PAGE.run(env, project, served, only="UV_PYTHON_DOWNLOADS_JSON_URL")
    assert f"base is {tmp_path}/home/.local/share/uv/python/cpython-3.13" in said
