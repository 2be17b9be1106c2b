from __future__ import annotations

import hashlib
import http.server
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from manypython.compile import registry as registry_module
from manypython.compile import sources, update
from manypython.compile.images import images
from manypython.compile.registry import registry_digest
from manypython.compile.update import Release, releases, repin
from manypython.model.errors import RecipeError, SourceError
from manypython.progress import Reporter
from manypython.recipes.catalogue import catalogue
from manypython.recipes.model import Recipe, read_recipes

QUIET = Reporter(quiet=True)
RECIPES = Path(update.__file__).parents[1] / "recipes"
NEW = "https://github.com/openssl/openssl/releases/download/openssl-3.5.9/openssl-3.5.9.tar.gz"


@contextmanager
def serving(pages: dict[str, Any]) -> Iterator[str]:
    """A server on loopback: a path's bytes, or a function of the request's headers."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def _answer(self) -> None:
            page = pages.get(self.path)
            status, headers, body = page(self.headers) if callable(page) else (200, {}, page)
            self.send_response(404 if page is None else status)
            for key, value in {**headers, "Content-Length": str(len(body or b""))}.items():
                self.send_header(key, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body or b"")

        do_GET = do_HEAD = _answer  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize(
    ("name", "page", "version", "url"),
    [
        ("openssl", '"tag_name": "openssl-3.5.8", "tag_name":"openssl-3.5.10", "tag_name": "openssl-4.0.1"', "3.5.10",
         "https://github.com/openssl/openssl/releases/download/openssl-3.5.10/openssl-3.5.10.tar.gz"),
        ("expat", '"tag_name": "R_2_8_10"', "2.8.10",
         "https://github.com/libexpat/libexpat/releases/download/R_2_8_10/expat-2.8.10.tar.xz"),
        ("sqlite", "PRODUCT,3.53.5,2026/sqlite-autoconf-3530500.tar.gz,3200000", "3.53.5",
         "https://www.sqlite.org/2026/sqlite-autoconf-3530500.tar.gz"),
        ("libedit", '<a href="libedit-20250104-3.1.tar.gz"> <a href="libedit-20240808-3.1.tar.gz">', "3.1.20250104",
         "https://www.thrysoee.dk/editline/libedit-20250104-3.1.tar.gz"),
        ("ncurses", '<a href="ncurses-6.6-20251231.tgz">', "6.6",
         "https://invisible-island.net/archives/ncurses/current/ncurses-6.6-20251231.tgz"),
        ("cpython-3.13.15", '<a href="3.13.9/"> <a href="3.13.16/"> <a href="3.14.0/"> <a href="3.1/">', "3.13.16",
         "https://www.python.org/ftp/python/3.13.16/Python-3.13.16.tar.xz"),
    ],
)  # fmt: skip
def test_the_newest_release_is_read_from_upstreams_list(name: str, page: str, version: str, url: str) -> None:
    watch = catalogue().recipes[name].watch
    assert watch is not None
    newest = releases(watch, page)[0]
    assert (str(newest.version), newest.url) == (version, url)


def test_every_watch_would_find_the_address_that_is_pinned_today() -> None:
    watched = [recipe for recipe in catalogue().recipes.values() if recipe.watch]
    assert len(watched) == len(catalogue().libraries()) + 4
    for recipe in watched:
        assert recipe.watch is not None
        blank = re.sub(
            r"\{\w+\}", r"[^/]+", re.escape(recipe.watch.url).replace(r"\{", "{").replace(r"\}", "}")
        )
        assert re.fullmatch(blank, recipe.source.url), recipe.name


def pinned(name: str) -> tuple[str, Recipe]:
    text = (RECIPES / f"{name}.toml").read_text()
    return text, read_recipes(text, f"{name}.toml")[-1]


def test_a_pin_changes_and_nothing_else_does() -> None:
    text, recipe = pinned("openssl")
    (after,) = read_recipes(
        repin(text, recipe, Release(recipe.version.__class__("3.5.9"), NEW), "c" * 64, 77), "openssl.toml"
    )
    assert (str(after.version), after.source.url, after.source.sha256, after.source.size) == (
        "3.5.9", NEW, "c" * 64, 77,
    )  # fmt: skip
    assert after.source.debian is not None
    assert after.source.debian.file == "openssl_3.5.9.orig.tar.gz"
    assert replace(after, version=recipe.version, source=recipe.source) == recipe


def test_an_archive_that_debian_packed_itself_is_no_origin_of_the_next_release() -> None:
    text, recipe = pinned("libffi")
    release = Release(recipe.version.__class__("3.5.0"), "https://example.org/libffi-3.5.0.tar.gz")
    after = repin(text, recipe, release, "c" * 64, 77)
    assert read_recipes(after, "libffi.toml")[0].source.debian is None
    assert "\n\n\n" not in after


def local(monkeypatch: pytest.MonkeyPatch, upstream: str, host: str) -> None:
    """Let a server on loopback stand for an upstream."""
    real = sources.answer
    for module in (update, registry_module):
        monkeypatch.setattr(module, "answer", lambda url, *a, **k: real(url.replace(upstream, host), *a, **k))


def test_the_newest_of_a_series_becomes_a_newer_one_and_the_others_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = b"not really a tarball" * 1000
    pages = {"/": b'<a href="3.13.16/"> <a href="3.13.17/">', "/3.13.16/Python-3.13.16.tar.xz": archive}
    path = tmp_path / "cpython-3.13.toml"
    path.write_text(pinned("cpython-3.13")[0])
    with serving(pages) as host:
        local(monkeypatch, "https://www.python.org/ftp/python", host)
        change = update.update_recipe(path)
    assert change is not None
    names = [recipe.name for recipe in read_recipes(change.after, path.name)]
    assert names == ["cpython-3.13.5", "cpython-3.13.16"], "3.13.17 has a folder, but no archive yet"
    digest = hashlib.sha256(archive).hexdigest()
    assert change.summary == f"cpython 3.13.15 -> 3.13.16 sha256 {digest}"
    assert f"size = {len(archive)}" in change.after
    assert '+version = "3.13.16"\n' in change.diff()
    series = tmp_path / "series.toml"
    series.write_text("# kept\nbuild = 20261121\n")
    update.write([change], series, datetime(2027, 1, 2, tzinfo=UTC))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cpython-3.13.toml", "series.toml"]
    assert path.read_text() == change.after
    assert series.read_text() == "# kept\nbuild = 20270102\n"


def test_a_list_without_releases_is_an_error_and_not_silence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "zlib.toml"
    path.write_text(pinned("zlib")[0])
    with serving({"/": b"<h1>moved</h1>"}) as host:
        local(monkeypatch, "https://zlib.net/fossils", host)
        with pytest.raises(SourceError, match="lists no release of zlib"):
            update.update_recipe(path)


def registry(digest: str, grant: str) -> dict[str, Any]:
    def manifest(headers: Any) -> tuple[int, dict[str, str], bytes]:
        assert "image.index" in headers["Accept"]
        if headers["Authorization"] != f"Bearer {grant}":
            where = f"http://{headers['Host']}/token"
            return (
                401,
                {"WWW-Authenticate": f'Bearer realm="{where}",service="r",scope="repository:a/b:pull"'},
                b"",
            )
        return 200, {"Docker-Content-Digest": digest}, b""

    return {
        "/v2/a/b/manifests/latest": manifest,
        "/token?service=r&scope=repository:a/b:pull": json.dumps({"token": grant}).encode(),
    }


def test_a_registry_is_asked_as_its_own_clients_ask() -> None:
    digest = f"sha256:{'e' * 64}"
    with serving(registry(digest, "t")) as host:
        place = host.removeprefix("http://")
        assert registry_digest(f"{place}/a/b:latest") == digest
        with pytest.raises(SourceError, match="answered 404 and no digest"):
            registry_digest(f"{place}/a/b:none")
    with pytest.raises(SourceError, match="refused"):
        registry_digest(f"{place}/a/b:latest")


def test_image_digests_are_replaced_where_they_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "images.toml"
    before = (RECIPES.parent / "compile" / "images.toml").read_text()
    path.write_text(before)
    pinned_now = {update._tagged(i, a): d for i in images().values() for a, d in i.digests}
    monkeypatch.setattr(update, "registry_digest", pinned_now.__getitem__)
    assert update.update_images(path) is None
    fresh = f"sha256:{'f' * 64}"
    tag = "quay.io/pypa/manylinux_2_34_aarch64:latest"
    monkeypatch.setattr(update, "registry_digest", lambda asked: fresh if asked == tag else pinned_now[asked])
    change = update.update_images(path)
    assert change is not None
    assert change.summary == f"manylinux_2_34 aarch64 -> {fresh}"
    assert len([line for line in change.diff().splitlines() if line.startswith("+")]) == 2


def test_offline_nothing_changes_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def silent(path: Path) -> None:
        raise SourceError(f"{path.name}: no network")

    monkeypatch.setattr(update, "update_recipe", silent)
    monkeypatch.setattr(update, "update_images", silent)
    monkeypatch.setattr(update, "write", lambda *_: pytest.fail("it wrote"))
    assert update.main([]) == 5
    said = capsys.readouterr()
    assert "not asked: zlib: zlib.toml: no network" in said.err
    assert "offline: no upstream answered, nothing was changed" in said.err
    assert said.out == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("line", "fact"),
    [
        ("release = '('", "watch.release: is no regular expression"),
        ("release = 'x'", "watch.release: lacks the group 'version'"),
        ("other = 1", "watch.other: is no known key"),
    ],
)
def test_a_wrong_watch_is_named_with_its_path(line: str, fact: str) -> None:
    text, recipe = pinned("zlib")
    assert recipe.watch is not None
    key = line.partition(" ")[0]
    text = re.sub(rf"(?m)^{key} = .*\n", "", text) + f"{line}\n"
    with pytest.raises(RecipeError) as caught:
        read_recipes(text, "zlib.toml")
    assert fact in caught.value.message
