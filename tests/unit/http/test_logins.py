"""Names and passwords: what a URL and ``.netrc`` may say, and what of it arrives at a server."""

from __future__ import annotations

import netrc
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sites import MadeSite

from manypython import fetch
from manypython.http.logins import Netrc, _parsed
from manypython.model.errors import DownloadError, UsageError

HOST = "127.0.0.1"
SECRET = "sü€cret"  # noqa: S105  (of a server that lives as long as a test)


def written(home: Path, data: bytes | str) -> Path:
    path = home / ".netrc"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


@pytest.mark.parametrize(
    "data",
    [
        f"machine {HOST} login me password {SECRET}\n",
        f"machine {HOST} user me password {SECRET}\n",
        f"\ufeffmachine {HOST}\r\n\tlogin me\r\n\tpassword {SECRET}\r\n",
        f'machine {HOST} login "me" password "{SECRET}"\n',
        f"machine {HOST} account x login me password {SECRET}",
        f"# machine {HOST} login old\nmachine {HOST} login me # it is me\n password {SECRET}\n",
        f"default login me password {SECRET}\n",
        f"machine other login x password y\ndefault login me password {SECRET}\n",
        f"machine other login x password y z\nmachine {HOST} login me password {SECRET}\n",
        f"machine other port 8080 login x\nmachine {HOST} login me password {SECRET}\n",
        f"wat\nmachine {HOST} login me password {SECRET}\n",
        f"macdef init\n machine {HOST} login x\n\nmachine {HOST} login me password {SECRET}\n",
        f"machine {HOST} login me password {SECRET}\nmacdef init\n quit",
        f"machine {HOST} login me password {SECRET}\nmachine",
        f"machine other password {'x' * 5000}\nmachine {HOST} login me password {SECRET}\n",
        b"machine other login \xfc password \xff\n" + f"machine {HOST} login me password {SECRET}\n".encode(),
    ],
)
def test_netrc_gives_name_and_password(
    data: bytes | str, site: MadeSite, wanting: Callable[[bytes], str], home: Path
) -> None:
    written(home, data)
    index = wanting(f"me:{SECRET}".encode())
    assert fetch("3.13", index=index, trust=site.trust).version == "3.13.15"


def test_a_netrc_in_another_encoding_gives_the_bytes_that_it_has(
    site: MadeSite, wanting: Callable[[bytes], str], home: Path
) -> None:
    written(home, f"machine {HOST} login me password sücret\n".encode("latin-1"))
    assert fetch("3.13", index=wanting("me:sücret".encode("latin-1")), trust=site.trust)


@pytest.mark.parametrize(
    ("login", "bytes_"),
    [
        ("me:s%C3%BC%E2%82%ACcret", f"me:{SECRET}".encode()),
        (f"me:{SECRET}", f"me:{SECRET}".encode()),
        ("me:%FF%00", b"me:\xff\x00"),
        ("m%C3%BC:x", "mü:x".encode()),
        ("me", b"me:"),
        (":token", b":token"),
        ("me:a:b%3Ac", b"me:a:b:c"),
        ("me@here:p%40w", b"me@here:p@w"),
    ],
)
def test_a_url_gives_name_and_password_as_utf_8(
    login: str, bytes_: bytes, site: MadeSite, wanting: Callable[[bytes], str], home: Path
) -> None:
    written(home, "default login other password other\n")
    index = wanting(bytes_).replace("http://", f"http://{login}@")
    assert fetch("3.13", index=index, trust=site.trust).version == "3.13.15"


def refused(site: MadeSite, index: str) -> DownloadError:
    with pytest.raises(DownloadError, match="HTTP 401") as caught:
        fetch("3.13", index=index, trust=site.trust)
    assert "cret" not in caught.value.line
    return caught.value


def test_a_401_says_what_was_given(site: MadeSite, wanting: Callable[[bytes], str], home: Path) -> None:
    index = wanting(b"me:right")
    asked = "write a name and a password into the URL (https://NAME:PASSWORD@127.0.0.1/) or into"
    assert refused(site, index).remedy == f"{asked} ~/.netrc"
    path = written(home, "machine other login x password y\n\nmachine 127.0.0.1 login me password secret\n")
    assert (
        refused(site, index).remedy
        == f"correct the name and the password of {path}, line 3, which were given"
    )
    assert refused(site, index.replace("http://", "http://me:secret@")).remedy == (
        "correct the name and the password of the URL, which were given"
    )
    path = written(home, "machine other login x password my secret\n")
    assert refused(site, index).remedy == f"{asked} {path}; {path}: not understood: line 1"
    path = written(home, f"machine {HOST} login me\npassword my secret\nlogin\n")
    assert refused(site, index).remedy == (
        f"correct the name and the password of {path}, line 1, which were given; {path}: not understood: line 2"
    )
    path = written(home, "machine a login x\nmacdef init\n machine 127.0.0.1 login me password secret\n")
    assert refused(site, index).remedy.endswith(f"{path}: not understood: line 2")


def test_a_netrc_that_cannot_be_read_is_named_by_a_401(
    site: MadeSite, wanting: Callable[[bytes], str], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = wanting(b"me:right")
    (home / ".netrc").mkdir()
    assert refused(site, index).remedy.endswith(f"{home}/.netrc: not understood: Is a directory")
    monkeypatch.setenv("NETRC", str(home / "nowhere"))
    assert refused(site, index).remedy.endswith(f"{home}/nowhere: not understood: No such file or directory")
    (home / "there").write_text(f"machine {HOST} login me password right\n")
    monkeypatch.setenv("NETRC", str(home / "there"))
    assert fetch("3.13", index=index, trust=site.trust).version == "3.13.15"


@pytest.mark.parametrize(
    "index",
    [
        "http://me:se#cret@host/",
        "http://me:se/cret@host/",
        "http://me:se?cret@host/",
        "http://me:[secret@host/",
    ],
)
def test_a_url_that_cannot_be_read_shows_no_password(index: str) -> None:
    for more in ({"trust": f"sha256:{'0' * 64}"}, {"allow_unsigned": True}, {}):
        options: dict[str, Any] = dict(more)
        with pytest.raises(UsageError, match="is no http or https URL") as caught:
            fetch("3.13", index=index, **options)
        assert "cret" not in caught.value.line
        assert "%23" in caught.value.remedy


@pytest.mark.parametrize(
    "index",
    ["http://[::1/", "http://host:port/", "http://host:99999/", "https://", "ftp://host/", "http://:80/"],
)
def test_what_is_no_url_is_said_to_be_none(index: str, tmp_path: Path) -> None:
    for options in ({"index": index}, {"index": str(tmp_path), "mirrors": [index]}):
        with pytest.raises(UsageError) as caught:
            fetch("3.13", trust=f"sha256:{'0' * 64}", **options)
        assert caught.value.message == f"{index}: is no http or https URL"


WORDS = st.text(
    st.characters(
        codec="utf-8", exclude_categories=("Cc", "Zs", "Zl", "Zp"), exclude_characters='\ufeff#"\\'
    ),
    min_size=1,
).filter(lambda word: word not in ("machine", "default", "macdef", "login", "user", "account", "password"))
ENTRIES = st.lists(st.tuples(WORDS, WORDS, WORDS), min_size=1, max_size=4)


@given(ENTRIES, st.sampled_from([" ", "\n", "\n\t"]), st.booleans())
def test_a_right_netrc_is_read_as_the_standard_library_reads_it(
    entries: list[tuple[str, str, str]], between: str, quoted: bool
) -> None:
    mark = '"' if quoted else ""
    lines = [
        between.join((f"machine {host}", f"login {mark}{name}{mark}", f"password {mark}{word}{mark}"))
        for host, name, word in entries
    ]
    text = "\n".join(lines) + "\n"
    folder = os.environ["HOME"]
    Path(folder, "netrc").write_text(text, encoding="utf-8", newline="")
    theirs = netrc.netrc(os.path.join(folder, "netrc")).hosts
    ours, odd = _parsed(text, "x")
    assert odd == ()
    told = {host: (login.name.decode(), login.password.decode()) for host, login in ours.items()}
    assert told == {host.lower(): (name, word) for host, (name, _, word) in theirs.items()}


@given(st.text(st.sampled_from('machine default login password macdef x"#\\ \t\n\r\x00é\udcff'), max_size=60))
def test_any_text_at_all_is_read_to_its_end(text: str) -> None:
    logins, odd = _parsed(text, "x")
    assert all(isinstance(login.basic, str) for login in logins.values())
    assert all(line.startswith("line ") for line in odd)


def test_without_a_home_there_is_no_netrc(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(home, "default login me password x\n")
    assert Netrc.read().login("anywhere") is not None
    (home / ".netrc").unlink()
    assert Netrc.read() == Netrc("", {})
