"""What ``nox -s newcomer`` does before it enters a root: the README is read, rows chosen, settings carried."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from machine import BUNDLE, apt_conf, environment, pip_conf
from readme import CHECKOUT, Commands, commands
from rows import ROWS, select

README = """
```console
$ pip install nox && nox -s make -- 3.13
$ nox -s tests
```
(Elsewhere: make a virtual environment first, `python3 -m venv v && . v/bin/activate`.)
```console
$ something else
```
"""
PIP = """
global.cert='/opt/own.pem'
global.constraint='/etc/constraints.txt'
global.extra-index-url='file:///opt/a https://two.example.org/simple'
global.find-links='/opt/wheels'
global.index-url='https://first.example.org/simple'
:env:.index-url='https://last.example.org/simple'
install.trusted-host='a.example.org\\nb.example.org'
:env:.default-timeout='180'
"""


def test_what_is_typed_is_what_the_readme_prints() -> None:
    expected = Commands(
        "python3 -m venv v && . v/bin/activate", "pip install nox && nox -s make -- 3.13", "nox -s tests"
    )
    assert commands(README) == expected


@pytest.mark.parametrize("lost", ["make a virtual environment first", "$ nox -s tests\n", "```console"])
def test_a_readme_that_lost_a_command_is_an_error(lost: str) -> None:
    with pytest.raises(ValueError, match=r"README\.md: "):
        commands(README.replace(lost, "", 1))


def test_the_script_of_our_readme_makes_an_interpreter_and_tests_it() -> None:
    program = CHECKOUT / "tests/newcomer/readme.py"
    argv = (sys.executable, "-I", "-S", program)  # nothing but the standard library
    script = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    assert "nox -s make" in script
    assert script.endswith("nox -s tests\n")
    subprocess.run(["sh", "-n"], input=script, text=True, check=True)


def test_a_word_means_a_row_or_those_that_begin_with_it() -> None:
    assert select([]) == ROWS
    assert [row.name for row in select(["debian-13-root"])] == ["debian-13-root"]
    assert [row.name for row in select(["debian-13"])] == [
        "debian-13-root", "debian-13-root-sandbox", "debian-13-newcomer", "debian-13-newcomer-sandbox",
    ]  # fmt: skip
    assert [row.cold for row in select(["cold", "debian-12-root"])] == [True, False]
    with pytest.raises(ValueError, match="no row 'debian-1'"):
        select(["debian-1"])


def test_there_is_a_row_for_each_system_user_and_way_in_and_none_twice() -> None:
    warm = {(row.system, row.user, row.sandbox) for row in ROWS if not row.cold}
    assert len(warm) == 3 * 2 * 2
    assert len({row.name for row in ROWS}) == len(ROWS) == len(warm) + 1


def test_of_pips_settings_a_root_gets_those_that_reach_an_index() -> None:
    assert pip_conf(PIP).splitlines() == [
        "[global]",
        f"cert = {BUNDLE}",
        "extra-index-url = https://two.example.org/simple",
        "index-url = https://last.example.org/simple",
        "trusted-host = a.example.org b.example.org",
        "timeout = 180",
    ]


def test_pip_reads_what_was_written_for_it(tmp_path: Path) -> None:
    path = tmp_path / "pip.conf"
    path.write_text(pip_conf("global.index-url='https://a.example.org/100%25/simple'\n"))
    argv = [sys.executable, "-m", "pip", "config", "list"]
    env = {"PIP_CONFIG_FILE": str(path), "PATH": "/usr/bin:/bin"}
    listed = subprocess.run(argv, capture_output=True, text=True, check=True, env=env).stdout
    assert "global.index-url='https://a.example.org/100%25/simple'" in listed


def test_of_apts_settings_proxies_and_stale_lists_alone() -> None:
    dumped = [
        'Acquire "";',
        'Acquire::http "";',
        'Acquire::http::Proxy "http://proxy.example.org:3128";',
        'Acquire::http::Proxy::deb.example.org "DIRECT";',
        'Acquire::Check-Valid-Until "false";',
        'Acquire::Languages "none";',
    ]
    assert apt_conf(dumped) == "".join(f"{dumped[at]}\n" for at in (2, 3, 4))


def test_of_the_environment_proxies_indexes_and_certificates() -> None:
    here = {
        "HTTPS_PROXY": "http://proxy.example.org", "no_proxy": "localhost", "PIP_FIND_LINKS": "/opt/wheels",
        "SSL_CERT_FILE": "/opt/own.pem", "CURL_CA_BUNDLE": "", "LANG": "C.UTF-8", "PYTHONPATH": "/opt",
    }  # fmt: skip
    assert environment(here) == {
        "HTTPS_PROXY": "http://proxy.example.org", "no_proxy": "localhost", "SSL_CERT_FILE": BUNDLE,
    }  # fmt: skip
