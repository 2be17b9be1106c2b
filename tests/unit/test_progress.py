from __future__ import annotations

import time

import pytest

from manypython.progress import Reporter


def test_a_transfer_is_worth_a_word_after_two_seconds(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    with Reporter().transfer("fetch x", 10_000_000) as advance:
        for second in range(13):
            now[0] = float(second)
            advance(second * 500_000)
    said = capfd.readouterr().err.splitlines()
    assert said == [
        "fetch x: 1.0 of 10.0 MB, 2.0 s, about 18 s more",
        "fetch x: 3.5 of 10.0 MB, 7.0 s, about 13 s more",
        "fetch x: 6.0 of 10.0 MB, 12 s, about 8.0 s more",
    ]


def test_a_quick_transfer_is_not(capfd: pytest.CaptureFixture[str]) -> None:
    with Reporter().transfer("fetch x", 10) as advance:
        advance(10)
    assert capfd.readouterr() == ("", "")
