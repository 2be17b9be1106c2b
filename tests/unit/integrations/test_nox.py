"""What nox is shown where an interpreter cannot be had: one line of ours, and nothing of the libraries below."""

from __future__ import annotations

import logging

import pytest

pytest.importorskip("nox")

from nox.command import CommandFailed

from manypython.integrations.nox import interpreter


def test_libraries_that_we_use_do_not_speak_in_its_log(
    home: object, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", "socks5://127.0.0.1:1")
    pytest.importorskip("socks")
    asked = interpreter(
        "3.13", index="http://example.invalid/", allow_unsigned=True, trust=f"sha256:{'0' * 64}"
    )
    with caplog.at_level(logging.DEBUG), pytest.raises(CommandFailed):
        asked.path("auto")
    assert [each.name for each in caplog.records] == ["nox"]


def test_a_file_in_the_way_is_a_line_and_no_traceback(
    home: object, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def closed(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", "/srv/python/index.json")

    monkeypatch.setattr("manypython.store.obtain.obtain", closed)
    with pytest.raises(CommandFailed, match=r"/srv/python/index\.json: Permission denied"):
        interpreter("3.13").path("auto")
