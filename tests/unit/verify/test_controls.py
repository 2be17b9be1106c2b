from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from manypython import probe as inside
from manypython.probe import probe, uses
from manypython.verify import controls
from manypython.verify.controls import ATTEMPTS, COMPARABLE, by_interpreter, judge
from manypython.verify.report import Check

PROGRAMS = Path(inside.__file__).parent


def check(name: str, detail: str, cause: str = "", *, ok: bool = False) -> Check:
    return Check("this machine", "moved", name, ok, detail, 0.1, cause=cause)


REFUSED = check("uses termios", "a\n\nOSError: out of pty devices", "OSError")
WRONG = check("tls", "AssertionError: TLSv1.2")
GOOD = check("text", "utf-8", ok=True)


def always(suspects: tuple[Check, ...]) -> Mapping[str, str]:
    return {check.name: "refused to others too" for check in suspects}


def test_what_the_surrounding_refuses_to_others_too_was_not_tried() -> None:
    refused, wrong, good = judge((REFUSED, WRONG, GOOD), always)
    assert (refused.ok, refused.skipped) == (True, True)
    assert refused.detail == "OSError: out of pty devices (refused to others too)"
    assert (wrong, good) == (WRONG, GOOD), "a wrong result is never excused"


def test_what_only_the_product_is_refused_stays_failed() -> None:
    assert judge((REFUSED,), lambda _: {}) == (REFUSED,)


def test_no_experiment_is_made_where_nothing_was_refused() -> None:
    def never(suspects: tuple[Check, ...]) -> Mapping[str, str]:
        raise AssertionError(suspects)

    assert judge((WRONG, GOOD), never) == (WRONG, GOOD)


def test_an_interpreter_of_this_machine_makes_the_same_checks() -> None:
    control = by_interpreter(PROGRAMS, {}, None)
    assert control((REFUSED,)) == {}, "terminals can be had here"


def test_an_interpreter_excuses_the_same_refusal_and_no_other(tmp_path: Path) -> None:
    nowhere = {"TMPDIR": str(tmp_path / "no"), "PATH": "/usr/bin:/bin"}
    text = check("text", "FileNotFoundError", "FileNotFoundError ENOENT")
    script = tmp_path / "probe.py"
    script.write_text(
        'import json; print(json.dumps([{"name": "text", "ok": False, "cause": "FileNotFoundError ENOENT"}]))'
    )
    control = by_interpreter(tmp_path, nowhere, None)
    assert "so does " in control((text,))["text"]
    other = check("text", "PermissionError", "PermissionError EACCES")
    assert control((other,)) == {}


def test_each_control_belongs_to_a_check_that_there_is() -> None:
    checks = {check.__name__[6:] for check in (*probe.FULL, probe.check_install)}
    modules = {*uses.USES, *uses.FUNCTIONS}
    for name in (*ATTEMPTS, *COMPARABLE):
        kind, _, module = name.partition(" ")
        assert module in modules if kind == "uses" else name in checks, name
    source = (PROGRAMS / "control.c").read_text()
    assert set(ATTEMPTS.values()) == set(re.findall(r'\{"(\w+)", \1\}', source))


def test_the_page_says_which_checks_have_a_control() -> None:
    page = (Path(__file__).parents[3] / "docs/verify.md").read_text()
    rows = dict(re.findall(r"^\| `([a-z_]+)`(?: of `[^|]*)? \|([^|]*\|[^|]*)\|$", page, re.MULTILINE))
    checks = {check.__name__[6:] for check in (*probe.FULL, probe.check_install)} | {"uses", "stdlib"}
    assert set(rows) == checks
    for name in checks:
        interpreter, program = (cell.strip() for cell in rows[name].split("|"))
        assert (interpreter == "yes") == (name in COMPARABLE or name == "uses"), name
        words = {word for check, word in ATTEMPTS.items() if check.split()[0] == name}
        assert set(re.findall(r"`(\w+)`", program)) == words, name


@pytest.mark.parametrize("error", [PermissionError(13, "x"), OSError("out of pty devices")])
def test_the_cause_is_what_the_system_refused(error: OSError) -> None:
    assert probe.cause(error).startswith(type(error).__name__)


def test_a_wrong_result_has_no_cause() -> None:
    assert probe.cause(AssertionError("42")) == ""


def test_no_interpreter_is_no_control(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(controls, "_interpreter", lambda *_: None)
    assert by_interpreter(PROGRAMS, {}, None)((REFUSED,)) == {}
