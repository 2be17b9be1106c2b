from __future__ import annotations

import contextlib
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manypython.model.errors import UsageError
from manypython.store import settings
from manypython.store.installed import answering

pytest.importorskip("virtualenv")

from virtualenv.run import session_via_cli

from manypython.integrations import virtualenv

MACHINE = os.uname().machine


@pytest.mark.parametrize(
    ("asked", "request_"),
    [
        ("3.13", "3.13"),
        ("3.13.5", "3.13.5"),
        ("3", "3"),
        ("313", "3.13"),
        ("py313", "3.13"),
        ("py3.13", "3.13"),
        ("python3.13", "3.13"),
        ("cpython3.13", "3.13"),
        ("CPython3.13-64", "3.13"),
        (f"cpython3.13-64-{MACHINE}", "3.13"),
        ("3.13t", "3.13t"),
        ("py313t", "3.13t"),
        (">=3.12", ">=3.12"),
        ("cpython>=3.12,<3.14", ">=3.12,<3.14"),
        ("~=3.12.1", "~=3.12.1"),
        (">=3.13t", ">=3.13t"),
        (">= 3.12, < 3.14", ">=3.12,<3.14"),
        ("cpython@3.13", "3.13"),
        (f"cpython-3.13.5-linux-{MACHINE}-gnu", "3.13.5"),
        ("3.13.5+20261121", "3.13.5+20261121"),
    ],
)
def test_what_is_asked_for_is_a_request_of_ours(asked: str, request_: str) -> None:
    assert virtualenv.requested(asked) == request_
    answering(request_)


@pytest.mark.parametrize(
    "asked",
    [
        "/usr/bin/python3", "./python", "python", "py", "cpython", "pypy3.9", "graalpy3.11", "3.13-32", "3.13-64-riscv64",
        "3.13d", "<0", "no such thing",
    ],
)  # fmt: skip
def test_what_is_none_of_ours(asked: str) -> None:
    assert virtualenv.requested(asked) == ""


@given(st.from_regex(r"(py|python|cpython)?3(\.[0-9]{1,2}(\.[0-9]{1,2})?)?t?(-64)?", fullmatch=True))
def test_every_version_is_a_request_that_we_understand(asked: str) -> None:
    answering(virtualenv.requested(asked))


@given(st.text())
def test_any_text_is_a_request_or_none_or_virtualenvs_own_error(asked: str) -> None:
    with contextlib.suppress(ValueError):
        if request := virtualenv.requested(asked):
            with contextlib.suppress(UsageError):
                answering(request)


class _Fetched:
    """Stands for ``manypython.fetch``: what it was told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[dict[str, Any]] = []
        monkeypatch.setattr(virtualenv, "fetch", self)

    def __call__(self, spec: str, **told: Any) -> SimpleNamespace:
        del told["say"]
        self.calls.append({"spec": spec, **told})
        return SimpleNamespace(python="")


def test_options_variables_and_silence_reach_fetch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What is not said is not handed on, so that ``MANYPYTHON_*`` and the files have their say."""
    fetched = _Fetched(monkeypatch)
    env = {
        "PATH": "",
        "HOME": str(tmp_path),
        "VIRTUALENV_DISCOVERY": "manypython",
        "VIRTUALENV_OVERRIDE_APP_DATA": str(tmp_path / "data"),
        "VIRTUALENV_MANYPYTHON_OFFLINE": "true",
        "VIRTUALENV_MANYPYTHON_MIRRORS": "a  b",
    }
    monkeypatch.setattr(
        "virtualenv.run.plugin.discovery.Discovery.entry_points_for",
        lambda _: {"manypython": virtualenv.Manypython},
    )
    words = ["-p", "3.99", "--manypython-index", "i", str(tmp_path / "v")]
    with pytest.raises(RuntimeError, match="failed to find interpreter"):
        session_via_cli(words, setup_logging=False, env=env)
    assert fetched.calls == [
        {"spec": "3.99", "target": "", "index": "i", "mirrors": ["a", "b"], "offline": True}
    ]


def test_a_line_of_ours_names_variables_and_not_the_commands_options() -> None:
    told = "--trust sha256:HEX pins its keys; --allow-unsigned takes it; name another --store-dir, or --store own"
    assert settings.outside(told) == (
        "MANYPYTHON_TRUST sha256:HEX pins its keys; MANYPYTHON_ALLOW_UNSIGNED takes it; "
        "name another MANYPYTHON_STORE_DIR, or MANYPYTHON_STORE own"
    )
    assert settings.outside("manypython list --available") == "manypython list --available"
