"""The page of a site in a real browser, wide and narrow."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from samples_of_index import INDEX, make_build

from manypython.index.model import Index
from manypython.site.render import render
from manypython.site.render.commands import commands

_CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
_MEASURE = """<script>
for (const each of document.querySelectorAll("details")) { each.open = true; }
const wide = [...document.querySelectorAll("body *")].filter((each) =>
  !each.closest("pre") && each.getBoundingClientRect().right > innerWidth + 0.5);
const shown = [...document.querySelectorAll(".tools > section")].map((panel, number) => {
  document.querySelectorAll(".tools > input")[number].checked = true;
  return getComputedStyle(panel).display + " " + document.documentElement.scrollWidth;
});
document.title = JSON.stringify({ inner: innerWidth, scroll: document.documentElement.scrollWidth,
  wide: wide.map((each) => each.outerHTML.slice(0, 80)), shown,
  buttons: document.querySelectorAll("button").length, copied: document.querySelectorAll("[data-copy]").length });
</script>"""


def dump(page: Path, width: int) -> str:
    """The page's DOM after its scripts have run."""
    if _CHROMIUM is None:
        pytest.skip("no chromium on this machine")
    profile = page.parent / f"profile {width}"
    argv = (_CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}",
            f"--window-size={width},900", "--dump-dom", page.as_uri())  # fmt: skip
    return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=120).stdout


def framed(tmp_path: Path, content: bytes, width: int) -> str:
    """The page in a frame of this width (a headless window is never narrower than 500), measured."""
    inner = tmp_path / "inner.html"
    inner.write_bytes(content.replace(b"</body>", _MEASURE.encode() + b"</body>"))
    outer = tmp_path / "outer.html"
    text = html.escape(inner.read_text())
    outer.write_text(
        f'<!doctype html><title>?</title><iframe width="{width}" height="800" style="border:0" srcdoc="{text}"></iframe>'
        '<script>onload = () => { document.title = document.querySelector("iframe").contentDocument.title; }</script>'
    )
    told = re.search(r"<title>(.*?)</title>", dump(outer, 1400))
    assert told is not None
    return html.unescape(told[1])


@pytest.mark.parametrize("width", [1280, 768, 390, 360])
def test_nothing_is_wider_than_the_screen(tmp_path: Path, width: int) -> None:
    long = Index.of(
        INDEX.base_url + "a-long-name-of-a-folder-that-nobody-would-give/" * 3,
        (*INDEX.builds, make_build("3.14.2", "manylinux_2_28_aarch64", variant="freethreaded")),
    )
    told = json.loads(framed(tmp_path, render(long)["index.html"], width))
    assert told["inner"] == width
    assert told["scroll"] <= width
    assert told["wide"] == []
    assert told["shown"] == [f"block {told['scroll']}"] * len(commands(long))
    assert told["buttons"] == told["copied"] > len(commands(long))


def test_the_page_works_without_a_script(tmp_path: Path) -> None:
    page = tmp_path / "index.html"
    page.write_bytes(re.sub(rb"<script>.*?</script>", b"", render(INDEX)["index.html"], flags=re.DOTALL))
    told = dump(page, 1280)
    assert "<button" not in told
    assert told.count('<details class="version"') == 3
    assert "manypython fetch 3.13" in told
