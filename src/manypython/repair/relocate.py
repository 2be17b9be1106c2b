"""Plan to make every text of a tree independent of where it stands: pure text patchers."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from manypython.elf.reading import elf_paths, is_elf
from manypython.model.errors import TreeError
from manypython.model.tree import NEUTRAL_PREFIX, Tree
from manypython.repair.edits import Edit, Plan, ReplaceBytes, Symlink, WriteText
from manypython.texts import configuration as files
from manypython.texts import scripts, sysconfig
from manypython.texts.scrub import Scrubber

_SHORTEST = len(NEUTRAL_PREFIX)


def old_prefix(tree: Tree) -> str:
    """The prefix a tree was configured with, from its ``_sysconfigdata*.py``.

    PyPy has none: it computes everything at run time.
    """
    return NEUTRAL_PREFIX if tree.implementation == "pypy" else _prefix(tree, _variables(tree))


def origins(tree: Tree) -> tuple[str, ...]:
    """Where a prefix was configured to be, and where it stands now; none for a shared one.

    Raises:
        TreeError: its sysconfig data is missing or broken.
    """
    if tree.shared:
        return ()
    places = dict.fromkeys((old_prefix(tree), str(tree.root)))
    return tuple(place for place in places if place != NEUTRAL_PREFIX)


def _prefix(tree: Tree, variables: sysconfig.Variables) -> str:
    prefix = str(variables.get("prefix", ""))
    if not prefix.startswith("/"):
        raise TreeError(f"{tree.root}: its sysconfig has no absolute prefix: {prefix!r}")
    return prefix


def plan_relocate(
    tree: Tree,
    *,
    build_paths: tuple[str, ...] = (),
    origins: tuple[str, ...] = (),
    strangers: frozenset[PurePosixPath] = frozenset(),
) -> Plan:
    """What to write so that no file names the old prefix or the build machine.

    Args:
        tree: the tree to be made relocatable.
        build_paths: absolute folders of the machine it was built on.
        origins: other folders where it stood. Scripts in ``bin/`` that pip installed after the tree was
            moved may name the Python there.
        strangers: ELF files that are left as they are.

    Raises:
        TreeError: the tree's sysconfig data is missing or broken.
    """
    variables = {} if tree.implementation == "pypy" else _variables(tree)
    prefix = old_prefix(tree)
    own = tuple(str(variables.get(key, "")) for key in ("abs_builddir", "abs_srcdir") if variables.get(key))
    own = tuple(path for path in own if path.startswith("/") and len(path) > _SHORTEST)
    scrubber = Scrubber(prefix, tuple(sorted({*build_paths, *own})))
    scrubbed = _described(tree, variables, scrubber)
    texts = dict(_texts(tree, scrubber, scrubbed, (prefix, *origins)))
    texts.update(_records(tree, texts))
    edits: list[Edit] = [
        WriteText(path, new, reason)
        for path, (new, reason) in sorted(texts.items())
        if new != _read(tree.root / path)
    ]
    edits += [*_names(tree), *_links(tree, prefix)]
    if prefix != NEUTRAL_PREFIX:
        edits += (edit for edit in _binaries(tree, prefix) if edit.path not in strangers)
    return tuple(edits)


def _described(tree: Tree, variables: sysconfig.Variables, scrubber: Scrubber) -> sysconfig.Variables:
    """The variables, which name the libpython that is there."""
    configured = str(variables.get("LDLIBRARY", ""))
    places = (tree.root / "lib", *tree.stdlib.glob("config-*"))
    shared = f"lib{tree.name}{tree.debug}.so.1.0"
    lost = configured.endswith(".a") and not any((place / configured).is_file() for place in places)
    if lost and (tree.root / "lib" / shared).is_file():
        variables = sysconfig.describe(variables, shared)
    return sysconfig.scrub(variables, scrubber)


Texts = Iterator[tuple[PurePosixPath, tuple[str, str]]]


def _texts(tree: Tree, scrubber: Scrubber, scrubbed: sysconfig.Variables, origins: tuple[str, ...]) -> Texts:
    special: set[Path] = set()
    for path, new, reason in _special(tree, scrubber, scrubbed):
        special.add(path)
        yield _relative(tree, path), (new, reason)
    for path in _every_file(tree.root):
        if path in special or is_elf(path) or path.suffix == ".pyc":
            continue
        text = _read(path)
        in_bin = path.parent == tree.root / "bin"
        if in_bin and any(scripts.is_python_script(text, place) for place in origins):
            yield _relative(tree, path), (scripts.patch(text, tree.executable.name), "script")
            continue
        configuration = path.parent.name.startswith("config-") and path.parent.parent == tree.stdlib
        if scrubber.old_prefix == NEUTRAL_PREFIX and not configuration:
            # the neutral prefix is a plain word, which stands in many a text that means no place
            names_build = any(folder in text for folder in scrubber.build_paths)
        else:
            names_build = scrubber.old_prefix in text or any(f in text for f in scrubber.build_paths)
        if names_build and len(scrubber.old_prefix) >= _SHORTEST:
            text = scripts.any_python(text, scrubber.old_prefix)
            yield _relative(tree, path), (scrubber.text(text), "names a folder of the build")


def _special(
    tree: Tree, scrubber: Scrubber, scrubbed: sysconfig.Variables
) -> Iterator[tuple[Path, str, str]]:
    """The files that have a patcher of their own."""
    for path in _data_files(tree):
        variables = sysconfig.parse(_read(path), str(path))
        yield path, sysconfig.render(_described(tree, variables, scrubber)), "sysconfig"
    yield from _schemes(tree)
    for path in sorted(tree.stdlib.glob("_sysconfig_vars*.json")):
        variables = json.loads(_read(path))
        yield path, sysconfig.patch_json(_described(tree, variables, scrubber)), "sysconfig"
    for path in sorted(tree.stdlib.glob("config-*/Makefile")):
        if "$(MAKEFILE_LIST)" not in _read(path):
            yield path, files.makefile(_read(path), scrubber, scrubbed), "makefile"
        else:
            yield path, _read(path), "makefile"
    for path in sorted((tree.root / "lib" / "pkgconfig").glob("*.pc")):
        if not path.is_symlink():
            yield path, files.pkgconfig(_read(path), scrubber), "pkgconfig"
    for details in sorted(tree.stdlib.glob("build-details*.json")):  # Debian's has the multiarch name in it
        yield details, files.build_details(_read(details), scrubber.old_prefix), "build-details"
    config = tree.root / "bin" / f"{tree.name}{tree.debug}-config"
    if config.is_file():
        yield config, scripts.config_script(tree.name, scrubbed), "python-config"


def _schemes(tree: Tree) -> Iterator[tuple[Path, str, str]]:
    """The modules that say where packages go and come from, where a distribution changed them."""
    for name, patch in (
        ("sysconfig.py", files.usual_scheme),
        ("sysconfig/__init__.py", files.usual_scheme),
        ("ensurepip/__init__.py", files.own_wheels),
    ):
        path = tree.stdlib / name
        if path.is_file() and (new := patch(text := _read(path))) != text:
            yield path, new, "scheme"


def _records(tree: Tree, texts: dict[PurePosixPath, tuple[str, str]]) -> Texts:
    """RECORD files of installed packages whose scripts are rewritten."""
    packages = tree.stdlib / "site-packages"
    changed = {
        os.path.relpath(tree.root / name, packages): text.encode("utf-8", "surrogateescape")
        for name, (text, _) in texts.items()
    }
    for path in sorted(packages.glob("*.dist-info/RECORD")):
        yield _relative(tree, path), (files.record(_read(path), changed), "record")


def _names(tree: Tree) -> Iterator[Edit]:
    """``bin/python``, ``bin/python3``, ``bin/pip`` and ``bin/pydoc``."""
    name = tree.executable.name
    for link in ("python", "python3", *(("pypy3",) if tree.implementation == "pypy" else ()), tree.name):
        path = tree.root / "bin" / link
        if path != tree.executable and (not path.is_symlink() or os.readlink(path) != name):
            yield Symlink(PurePosixPath("bin", link), name)
    # CPython installs pip3 alone; whoever puts bin on PATH would install with another Python's pip
    for script in ("pip", "pydoc"):
        if (tree.root / f"bin/{script}3").exists() and not os.path.lexists(tree.root / "bin" / script):
            yield Symlink(PurePosixPath("bin", script), f"{script}3")


def _links(tree: Tree, prefix: str) -> Iterator[Edit]:
    """The folder that Debian's ``site`` module wants, and relative links for absolute ones."""
    # Debian's site looks there, and from 3.11 on it is frozen into the interpreter
    debians = tree.stdlib / "dist-packages"
    site = tree.stdlib / "site.py"
    if site.is_file() and "dist-packages" in _read(site) and not debians.is_symlink():
        yield Symlink(_relative(tree, debians), "site-packages")
        readme = debians.with_name("site-packages") / "README.txt"
        if not readme.parent.is_dir():  # an archive keeps no empty folder
            yield WriteText(_relative(tree, readme), "Installed packages go here.\n", "scheme")
    for folder, folders, names in os.walk(tree.root):
        for entry in sorted(folders + names):
            path = Path(folder, entry)
            if path.is_symlink() and os.path.isabs(target := os.readlink(path)):
                inside = Path(target)
                for base in (prefix, str(tree.root)):
                    if inside.is_relative_to(base):
                        goal = tree.root / inside.relative_to(base)
                        yield Symlink(_relative(tree, path), os.path.relpath(goal, folder))
                        break


def _binaries(tree: Tree, prefix: str) -> Iterator[Edit]:
    old = prefix.encode()
    new = same_length(prefix).encode()
    for path in elf_paths(tree.root):
        if new != old and old in path.read_bytes():
            yield ReplaceBytes(_relative(tree, path), old, new)


def same_length(prefix: str) -> str:
    """A neutral path as long as an old prefix, with the same last part.

    The last part stays because linkers merge strings by their tails: CPython's version
    may be nothing but the end of ``/opt/python/3.13.0``.
    """
    head, slash, last = prefix.rpartition("/")
    room = len(head + slash)
    neutral = NEUTRAL_PREFIX if room > len(NEUTRAL_PREFIX) else ""
    return neutral.ljust(room, "/") + last


def _every_file(root: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(root):
        folders.sort()
        for name in sorted(names):
            path = Path(folder, name)
            if path.is_file() and not path.is_symlink():
                yield path


def _data_files(tree: Tree) -> list[Path]:
    if tree.implementation == "pypy":  # computed at run time, nothing to change
        return []
    return sorted(tree.stdlib.glob("_sysconfigdata*.py"))


def _variables(tree: Tree) -> sysconfig.Variables:
    data_files = _data_files(tree)
    if not data_files:
        raise TreeError(f"{tree.stdlib}: _sysconfigdata*.py is missing")
    return sysconfig.parse(_read(data_files[0]), str(data_files[0]))


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="surrogateescape")


def _relative(tree: Tree, path: Path) -> PurePosixPath:
    return PurePosixPath(path.relative_to(tree.root))
