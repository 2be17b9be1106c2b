"""``index.html``: the site for people. One file, no script needed, readable on a phone and in the dark."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import PurePosixPath

from packaging.version import Version

from manypython.index.choice import group
from manypython.index.model import Build, File, Index, Proof
from manypython.model.identifier import BuildNumber
from manypython.model.target import LibcFamily
from manypython.site.render import hatch, mise, own, pipx, setup_python, simple, sums, uv
from manypython.site.render.commands import Command, commands
from manypython.site.render.style import CSS, SCRIPT
from manypython.version import __version__

_REPACKS = {
    "gha": ("setup-python", "rootless, with a setup.sh"),
    "heroku": ("Heroku", "rootless, for its stock buildpack"),
    "simple": ("PyBI", "PEP 711"),
}
_ROOTS = {"this machine": "the machine it was packed on"}
_LISTING = (own, uv, setup_python, hatch, pipx, mise, simple, sums)
_LISTS = (
    ("index.json", "every build, for manypython"),
    ("uv/downloads.json", "for uv, tox-uv, nox"),
    ("versions-manifest.json", "for actions/setup-python"),
    ("hatch.env", "variables for hatch"),
    ("pipx/index.json", "for pipx"),
    ("mise.lock.sample", "to copy into mise.lock"),
    ("simple/cpython/index.html", "PyBI files (PEP 711)"),
    ("SHA256SUMS", "every archive, for sha256sum -c"),
)


def render(index: Index, trust: str = "") -> dict[str, bytes]:
    """The whole page; every word of the index is escaped."""
    tools = commands(index, trust)
    versions = group(index.builds, lambda build: build.version)
    sections = "".join(
        _version(version, builds, opened=number == 0)
        for number, (version, builds) in enumerate(versions.items())
    )
    text = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Portable CPython</title>
<link rel="icon" href="data:,">
<style>{CSS}{_tab_rules(tools)}</style>
</head>
<body>
<header>
<h1>Portable CPython</h1>
<p class="lead">Archives that run on any Linux with a new enough C library, from any folder, with nothing to
install and nothing to patch afterwards.</p>
{_summary(index, tuple(versions))}
</header>
<main>
{_tools(tools)}
<h2>Builds</h2>
{sections or '<p class="dim">None yet.</p>'}
<h2>Lists for machines</h2>
<ul class="lists">{_lists(index)}</ul>
</main>
<footer>{escape(index.base_url)}<br>Made by manypython {escape(__version__)}</footer>
<script>{SCRIPT}</script>
</body>
</html>
"""
    return {"index.html": text.encode()}


def _summary(index: Index, versions: tuple[Version, ...]) -> str:
    if not versions:
        return ""
    architectures = dict.fromkeys(build.target.architecture for build in index.builds)
    newest = max((build.number for build in index.builds), key=lambda number: number.value)
    facts = (
        _count(len(versions), "version"),
        _count(len(index.builds), "build"),
        " and ".join(escape(name) for name in sorted(architectures)),
        f"newest of {_day(newest)}",
    )
    return f'<p class="dim">{" · ".join(facts)}</p>'


def _tools(commands: tuple[Command, ...]) -> str:
    if not commands:
        return ""
    tabs = "".join(
        f'<input type="radio" name="tool" id="tool{n}"{" checked" if n == 0 else ""}>'
        f'<label for="tool{n}">{escape(command.tool)}</label>'
        for n, command in enumerate(commands)
    )
    panels = "".join(
        f'<section id="panel{n}"><p>{escape(command.says)}</p>'
        f'<div class="copied" data-copy="Copy the commands for {escape(command.tool)}">'
        f'<pre tabindex="0"><code>{escape(command.text)}</code></pre></div></section>'
        for n, command in enumerate(commands)
    )
    return f'<h2>Use it</h2>\n<div class="tools">{tabs}{panels}</div>'


def _tab_rules(commands: tuple[Command, ...]) -> str:
    """Rules that show the panel of the chosen tool, without a script."""
    chosen = ", ".join(f"#tool{n}:checked ~ #panel{n}" for n in range(len(commands)))
    return f"{chosen} {{ display: block; }}\n" if chosen else ""


def _version(version: Version, builds: list[Build], *, opened: bool) -> str:
    chips = "".join(f'<span class="chip">{escape(word)}</span>' for word in _words(version, builds))
    newest = max((build.number for build in builds), key=lambda number: number.value)
    alike = group(builds, lambda build: (build.target, build.id.variant)).values()
    inner = "".join(_build(first, older) for first, *older in alike)
    start = f'<details class="version" id="{escape(str(version))}"{" open" if opened else ""}>'
    head = f'<b>{escape(str(version))}</b>{chips}<span class="day dim small">{_day(newest)}</span>'
    return f"{start}<summary>{head}</summary>{inner}</details>\n"


def _words(version: Version, builds: list[Build]) -> tuple[str, ...]:
    """What describes a version at a glance."""
    stage = ("pre-release",) if version.is_prerelease else ()
    architectures = (str(build.target.architecture) for build in builds)
    variants = (build.variant for build in builds if build.variant)
    return tuple(dict.fromkeys((*stage, *sorted(architectures), *sorted(variants))))


def _build(build: Build, older: Sequence[Build]) -> str:
    """The newest build of its kind with all its files, and links to the older ones."""
    floor = f"{build.target.floor[0]}.{build.target.floor[1]}"
    libc = "glibc" if build.target.libc is LibcFamily.GLIBC else "musl"
    marks = [*build.id.variant.words]
    marks += [f"x86-64-v{build.target.level}"] if build.target.level > 1 else []
    chips = "".join(f'<span class="chip">{escape(mark)}</span>' for mark in marks)
    origin = "built from source" if build.origin == "make" else "repaired from somebody else's build"
    origin_text = f"{origin} with {build.toolchain}" if build.toolchain else origin
    files = "".join(_file(file) for file in sorted(build.files, key=_rank))
    return (
        f'<div class="build"><h3>{escape(build.target.architecture)}, {libc} {floor} or newer {chips}</h3>'
        f'<p class="small dim">Build {build.number}, {escape(origin_text)}</p>'
        f'{_proof(build.proof)}{_libraries(build)}<ul class="files">{files}</ul>{_older(older)}</div>'
    )


def _proof(proof: Proof | None) -> str:
    if proof is None:
        return '<p class="small dim">No record of how it was verified.</p>'
    where = escape(", ".join(_ROOTS.get(root, root) for root in proof.roots))
    passed = (
        f'<p class="small"><span class="good">✓ {_count(proof.passed, "check")} passed</span> on {where}.</p>'
    )
    if not proof.not_tried:
        return passed
    rows = "".join(f"<li>{escape(line)}</li>" for line in proof.not_tried)
    head = f"{len(proof.not_tried)} not tried"
    return f'{passed}<details class="small"><summary>{head}</summary><ul>{rows}</ul></details>'


def _libraries(build: Build) -> str:
    if not build.libraries:
        return ""
    rows = "".join(
        f"<li>{escape(f'{library.name} {library.version}'.strip())}</li>" for library in build.libraries
    )
    number = _count(len(build.libraries), "library", "libraries")
    listed = f'<ul class="libraries">{rows}</ul>'
    return f'<details class="small"><summary>{number} inside</summary>{listed}</details>'


def _older(builds: Sequence[Build]) -> str:
    """Builds that have a successor, each by its main archive."""
    if not builds:
        return ""
    rows = "".join(_file(build.archive) for build in builds)
    head = _count(len(builds), "older build")
    return f'<details class="small"><summary>{head}</summary><ul class="files">{rows}</ul></details>'


def _rank(file: File) -> tuple[bool, bool, str]:
    """Archives first, then the suite, then repacks."""
    return _kind(file)[0] in {kind for kind, _ in _REPACKS.values()}, "-tests." in file.name, file.path


def _kind(file: File) -> tuple[str, str]:
    """What a file is for, in two words and in a line."""
    top = PurePosixPath(file.path).parts[0]
    if top in _REPACKS:
        return _REPACKS[top]
    if "-tests." in file.name:
        return "tests", "CPython's own suite, to unpack over it"
    return file.name.rpartition("install_only")[2], "the interpreter"


def _file(file: File) -> str:
    kind, says = _kind(file)
    return (
        f'<li><span class="for small dim" title="{escape(says)}">{escape(kind)}</span>'
        f'<a href="{escape(file.url)}">{escape(file.name)}</a>'
        f'<span class="size small">{_size(file.size)}</span>'
        f'<span class="sum" data-copy="Copy the SHA-256 of {escape(file.name)}">'
        f"<code>{escape(file.sha256)}</code></span></li>"
    )


def _lists(index: Index) -> str:
    """The lists of this site; of a small site some would be empty."""
    paths = {path for module in _LISTING for path in module.render(index)}
    policies = sorted(path for path in paths if path.startswith("uv/downloads-"))
    lists = (*_LISTS[:2], *((path, "the same for one C library") for path in policies), *_LISTS[2:])
    return "".join(
        f'<li><a href="{escape(path)}">{escape(path)}</a><span class="small dim">{escape(says)}</span></li>'
        for path, says in lists
        if path in paths
    )


def _day(number: BuildNumber) -> str:
    text = str(number)
    return f"{text[:4]}-{text[4:6]}-{text[6:]}"


def _size(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 100_000 else f"{size / 1e3:.1f} kB"  # noqa: PLR2004


def _count(number: int, word: str, words: str = "") -> str:
    return f"{number} {word if number == 1 else words or f'{word}s'}"
