"""CPython's own build: configure, make, install, and with no extension module silently missing."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from manypython.compile.steps import Workshop
from manypython.model.errors import BuildError
from manypython.model.tree import NEUTRAL_PREFIX, Tree
from manypython.recipes.catalogue import required_modules
from manypython.recipes.cross import expected_differences

_CONTEXT_LINES = 12
_TRAINED = "Python/ceval.c"
"""The file whose training matters most: the interpreter's loop."""


def build(shop: Workshop) -> None:
    """Build and install CPython below ``shop.destination``.

    Build-only flags travel in ``*_NODIST``, so that they stay out of what
    ``sysconfig`` tells users. The libraries are shared and not in any folder that the
    dynamic linker searches, hence ``LD_LIBRARY_PATH``: make runs the new interpreter, and
    GNU ld looks there for what a library needs in its turn (libedit: ncurses).

    Raises:
        BuildError: a step failed, an extension module that must be there is missing, or
            nothing was trained in a release build.
    """
    flags = [flag for flag in shop.toolchain.cflags if flag != "-fPIC"]
    settings = {
        # configure's own test programs are compiled with CFLAGS alone
        "CFLAGS": " ".join(shop.toolchain.needed),
        "CXXFLAGS": "",
        "LDFLAGS": f"-L{shop.dependencies}/lib",
        "CFLAGS_NODIST": " ".join(
            (
                *shop.toolchain.needed, *flags,
                "-g0", "-fno-semantic-interposition", f"-ffile-prefix-map={shop.source}=.",
            )
        ),
        "LDFLAGS_NODIST": " ".join(shop.toolchain.ldflags),
        "CURSES_LIBS": "-lncursesw",
        "PANEL_LIBS": "-lpanelw -lncursesw",
        # tkinter comes with its own recipes; the host's Tk is never to be found
        "py_cv_module__tkinter": "n/a",
        # its path goes into the Makefile, so it must not depend on what this machine has
        "LLVM_PROFDATA": "/bin/false",
    }  # fmt: skip
    libraries = shop.native or shop.dependencies
    loader = f"{libraries}/lib:{shop.environment().get('LD_LIBRARY_PATH', '')}".rstrip(":")
    settings["LD_LIBRARY_PATH"] = loader
    profile = shop.profile
    shop.run(
        "./configure",
        f"--prefix={NEUTRAL_PREFIX}",
        f"--with-openssl={shop.dependencies}",
        *shop.recipe.arguments,
        *((f"--with-build-python={Tree.open(shop.native).executable}",) if shop.native else ()),
        *(("--enable-optimizations",) if profile.pgo else ()),
        *(("--with-lto",) if profile.lto else ()),
        env=settings,
    )
    # a test that fails under the training is no reason to throw the training away; whether
    # there was one is looked at afterwards
    task = ("PROFILE_TASK=-m test --pgo --timeout=600 || true",) if profile.pgo else ()
    # position-independent, so that the same objects make the interpreter and libpython
    shop.run("make", f"-j{shop.jobs}", "CFLAGSFORSHARED=-fPIC", *task, env=settings)
    if profile.pgo:
        _insist_trained(shop)
    if profile.lto:
        _insist_optimised(shop)
    shop.run(
        "make",
        "install",
        f"DESTDIR={shop.destination}",
        # bytecode is compiled later, hash-based and from the final text
        "COMPILEALL_OPTS=-r 0 -q",
        env=settings,
    )
    _libpython(shop, settings)
    _check_modules(shop)
    if shop.native:
        _take_pip(shop, shop.native)
        _check_answers(shop, shop.native)


def _libpython(shop: Workshop, settings: dict[str, str]) -> None:
    """Link ``libpython3.13.so.1.0`` for embedding (PyInstaller, mod_wsgi); ours is linked statically.

    CPython's Makefile has the rule in any case, and only the file's name follows ``--enable-shared``.
    """
    prefix = shop.destination / NEUTRAL_PREFIX.strip("/")
    name = f"lib{Tree.open(prefix).name}.so"
    makefile = shop.source / "Makefile"
    # the same flag by the one name that every linker driver knows
    makefile.write_text(makefile.read_text().replace("-Wl,-h$(INSTSONAME)", "-Wl,-soname,$(INSTSONAME)"))
    shop.run("make", name, f"INSTSONAME={name}.1.0", "CFLAGSFORSHARED=-fPIC", env=settings)
    shutil.copy2(shop.source / f"{name}.1.0", prefix / "lib")
    (prefix / "lib" / name).symlink_to(f"{name}.1.0")


def _insist_trained(shop: Workshop) -> None:
    """Insist that profiles were written and read.

    configure chooses the flags by the basename of ``$CC``; with a wrong one they are empty,
    the training runs, make succeeds, and the training has no effect.
    """
    profile = (shop.source / _TRAINED).with_suffix(shop.toolchain.training)
    makefile = (shop.source / "Makefile").read_text(encoding="utf-8")
    flags = re.search(r"^PGO_PROF_USE_FLAG=[ \t]*(\S+)", makefile, re.MULTILINE)
    command = _compile_command(shop)
    _insist(
        shop,
        {
            f"no profile {profile.name} was written": not (profile.is_file() and profile.stat().st_size),
            "the Makefile has no PGO_PROF_USE_FLAG": flags is None,
            f"{_TRAINED} was not compiled with its profile": not (flags and flags[1] in command),
        },
    )


def _insist_optimised(shop: Workshop) -> None:
    """Insist that files were compiled for link-time optimisation."""
    _insist(shop, {f"{_TRAINED} was not compiled for LTO": "-flto" not in _compile_command(shop)})


def _compile_command(shop: Workshop) -> str:
    """The last command that compiled the file whose training matters most; empty where none did."""
    lines = shop.log.read_text(errors="replace").splitlines()
    return next((line for line in reversed(lines) if line.endswith(_TRAINED) and " -c " in line), "")


def _insist(shop: Workshop, facts: dict[str, bool]) -> None:
    if wrong := [fact for fact, holds in facts.items() if holds]:
        raise BuildError(
            f"building {shop.recipe.title}: the {shop.profile.name} profile had no effect: "
            + "; ".join(wrong),
            remedy="see what the log says about the training (`-m test --pgo`)",
            log=shop.log,
        )


def _take_pip(shop: Workshop, native: Path) -> None:
    """Copy pip from the native build: ensurepip found pip installed there, and so installed nothing here.

    It is the same for every machine.
    """
    place = shop.destination / NEUTRAL_PREFIX.strip("/")
    folder = Tree.open(native).stdlib.relative_to(native) / "site-packages"
    for path in (*native.glob("bin/pip*"), *native.glob(f"{folder}/pip*")):
        goal = place / path.relative_to(native)
        if path.is_dir():
            shutil.copytree(path, goal)
        else:
            shutil.copy2(path, goal)


def _check_answers(shop: Workshop, native: Path) -> None:
    """Insist that configure guessed of a machine that it could not try what a native build found.

    Raises:
        BuildError: names each macro of ``pyconfig.h`` that differs for no reason we know.
    """
    prefix = shop.destination / NEUTRAL_PREFIX.strip("/")
    header = Path("include", Tree.open(prefix).name, "pyconfig.h")
    guessed, measured = (_macros((place / header).read_text()) for place in (prefix, native))
    odd = {name for name in {*guessed, *measured} if guessed.get(name) != measured.get(name)}
    if wrong := sorted(odd - expected_differences(shop.toolchain.target.architecture)):
        facts = "\n".join(f"  {name}: {guessed.get(name)}, native {measured.get(name)}" for name in wrong)
        raise BuildError(
            f"cross-building {shop.recipe.title}: configure guessed what a native build found otherwise:\n"
            + facts,
            remedy="add to recipes/cross.toml the answer, or why the two differ",
            log=shop.log,
        )


def _macros(header: str) -> dict[str, str]:
    return dict(re.findall(r"^# *define +(\w+) *(.*)$", header, re.MULTILINE))


def _check_modules(shop: Workshop) -> None:
    tree = Tree.open(shop.destination / NEUTRAL_PREFIX.strip("/"))
    builtin = re.findall(r'^\s*\{"(\w+)", ', (shop.source / "Modules/config.c").read_text(), re.MULTILINE)
    present = tree.extension_modules() | set(builtin)
    lacking = sorted(required_modules(tree.version) - present)
    if lacking:
        quoted = "\n".join(_reason(shop.log, shop.source / "config.log", name) for name in lacking)
        raise BuildError(
            f"CPython {tree.version} was built without {', '.join(lacking)}\n{quoted}",
            remedy="recipes/extensions.toml says which modules must be there",
            log=shop.log,
        )


def _reason(log: Path, config_log: Path, name: str) -> str:
    """What configure and the compiler print about one extension module."""
    line = re.search(
        rf"^checking for stdlib extension module {name}\.\.\. .*$",
        log.read_text(errors="replace"),
        re.MULTILINE,
    )
    lines = [line.group()] if line else [f"configure does not know {name}"]
    for path, pattern in (
        (log, rf"(?:{name}|_{name}).*(?:error|undefined|failed|not found)"),
        (config_log, rf"{name.strip('_')}.*(?:error|not found)"),
    ):
        text = path.read_text(errors="replace").splitlines() if path.is_file() else []
        lines += [line for line in text if re.search(pattern, line, re.IGNORECASE)][:_CONTEXT_LINES]
    return "\n".join(f"  {line[:240]}" for line in lines)
