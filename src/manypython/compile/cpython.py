"""CPython's own build: configure, make, install, and with no extension module silently missing."""

from __future__ import annotations

import re
import shutil
from collections.abc import Collection
from fnmatch import fnmatch
from pathlib import Path

from manypython.compile import training
from manypython.compile.steps import Workshop
from manypython.model.errors import BuildError
from manypython.model.tree import NEUTRAL_PREFIX, Tree
from manypython.recipes.catalogue import required_modules, shared_modules
from manypython.recipes.cross import expected_differences

_CONTEXT_LINES = 12


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
    settings, profile = _settings(shop), shop.profile
    _place_modules(shop)
    shop.run(
        "./configure",
        f"--prefix={NEUTRAL_PREFIX}",
        f"--with-openssl={shop.dependencies}",
        *shop.recipe.arguments,
        *((f"--with-build-python={Tree.open(shop.native).executable}",) if shop.native else ()),
        env=settings,
    )
    # GNU make reads it in the place of the Makefile, which is installed as it is
    added = f"{training.LOOP}.o: CFLAGS_NODIST += {' '.join(shop.toolchain.loop)}"
    (shop.source / "GNUmakefile").write_text(f"include Makefile\n{added}\n", encoding="utf-8")
    flags: tuple[str, ...] = (f"-flto={shop.jobs}",) if profile.lto else ()
    done: tuple[str, ...] = ()
    if profile.pgo:
        _make(shop, settings, training.INSTRUMENTED)
        training.train(shop, settings)
        done = training.forget_objects(shop)
        flags += training.TRAINED
    settings = _make(shop, settings, flags, done)
    if profile.pgo:
        training.insist_trained(shop)
    if profile.lto:
        training.insist_optimised(shop)
    shop.run(
        "make",
        *done,
        "install",
        f"DESTDIR={shop.destination}",
        # bytecode is compiled later, hash-based and from the final text
        "COMPILEALL_OPTS=-r 0 -q",
        *_variables(shop),
        env=settings,
    )
    _libpython(shop, settings)
    _check_modules(shop)
    if shop.native:
        _take_pip(shop, shop.native)
        _check_answers(shop, shop.native)


def _make(
    shop: Workshop, settings: dict[str, str], flags: tuple[str, ...], done: tuple[str, ...] = ()
) -> dict[str, str]:
    """Compile everything with some more flags; returns the variables that make was given.

    Position-independent, so that the same objects make the interpreter and libpython; where they are
    optimised across files, GCC drops that again when it links a program.
    """
    given = {**settings, "CFLAGS_NODIST": " ".join(flags), "LDFLAGS_NODIST": " ".join(flags)}
    shop.run("make", f"-j{shop.jobs}", *done, "build_all", *_variables(shop), env=given)
    return given


def _variables(shop: Workshop) -> tuple[str, ...]:
    """Variables that make is given as arguments: they count more than the Makefile and leave it alone.

    The interpreter looks in its own tree first: extensions may need ``libpython3.13.so.1.0`` by name.
    """
    rpath = "-Wl,--disable-new-dtags -Wl,-rpath,'$$ORIGIN/../lib'"
    program = " ".join(("-Xlinker -export-dynamic", rpath, *shop.toolchain.program))
    return ("CFLAGSFORSHARED=-fPIC", f"LINKFORSHARED={program}")


def _place_modules(shop: Workshop) -> None:
    """Let every module that needs no library of its own be built into the interpreter.

    ``Setup.stdlib`` has a line for each, and a mark ``*shared*`` after which each is a file of its own.
    """
    path = shop.source / "Modules/Setup.stdlib.in"
    text = path.read_text(encoding="utf-8")
    path.write_text(place_modules(text, shared_modules()), encoding="utf-8")


def place_modules(setup: str, shared: Collection[str]) -> str:
    """``Setup.stdlib.in`` with the lines of some modules after a mark for shared ones.

    Args:
        setup: its text.
        shared: patterns of names.
    """
    built_in: list[str] = []
    apart: list[str] = []
    for line in setup.splitlines():
        name = re.match(r"@MODULE_\w+_TRUE@(\w+) ", line)
        is_shared = name is not None and any(fnmatch(name[1], pattern) for pattern in shared)
        (apart if is_shared else built_in).append(line)
    return "\n".join((*built_in, "*shared*", *apart, ""))


def _settings(shop: Workshop) -> dict[str, str]:
    """Variables of configure and make."""
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
        "MODULE_BUILDTYPE": "static",
        # its path goes into the Makefile, so it must not depend on what this machine has
        "LLVM_PROFDATA": "/bin/false",
    }  # fmt: skip
    libraries = shop.native or shop.dependencies
    loader = f"{libraries}/lib:{shop.environment().get('LD_LIBRARY_PATH', '')}".rstrip(":")
    settings["LD_LIBRARY_PATH"] = loader
    return settings


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
