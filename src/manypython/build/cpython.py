"""CPython's own build: configure, make, install, and no extension module silently missing."""

from __future__ import annotations

import re
from pathlib import Path

from manypython import process
from manypython.build.steps import Workshop
from manypython.model.errors import BuildError
from manypython.model.tree import NEUTRAL_PREFIX, Tree
from manypython.recipes.catalogue import required_modules

_CONTEXT_LINES = 12


def build(shop: Workshop) -> None:
    """Build and install CPython below ``shop.destination``.

    Build-only flags travel in ``*_NODIST``, so that they stay out of what
    ``sysconfig`` tells users. The libraries are shared and not in any place the
    dynamic loader knows, hence ``LD_LIBRARY_PATH`` while make runs the new
    interpreter.

    Raises:
        BuildError: a step failed, or an extension module that must be there is missing.
    """
    flags = [flag for flag in shop.toolchain.cflags if flag != "-fPIC"]
    settings = {
        # configure's own test programs are compiled with CFLAGS alone
        "CFLAGS": "-fno-sanitize=undefined -Wno-date-time",
        "CXXFLAGS": "",
        "LDFLAGS": f"-L{shop.dependencies}/lib",
        "CFLAGS_NODIST": " ".join(
            (*flags, "-g0", "-fno-semantic-interposition", f"-ffile-prefix-map={shop.source}=.")
        ),
        "LDFLAGS_NODIST": " ".join(shop.toolchain.ldflags),
        "CURSES_LIBS": "-lncursesw",
        "PANEL_LIBS": "-lpanelw -lncursesw",
        # tkinter comes with its own recipes; the host's Tk is never to be found
        "py_cv_module__tkinter": "n/a",
    }
    setup = shop.source / "setup.py"
    if setup.exists():  # until 3.11: it would take headers and libraries of the host
        text = setup.read_text(encoding="utf-8")
        text = text.replace("        self.add_multiarch_paths()\n", "")
        text = re.sub(r"(system_(?:lib|include)_dirs) = \[.*\]", r"\1 = []", text)
        text = re.sub(r"add_dir_to_list\(.*'/usr/local/.*\)", "pass", text)
        setup.write_text(text, encoding="utf-8")
    shop.run(
        "./configure",
        f"--prefix={NEUTRAL_PREFIX}",
        f"--with-openssl={shop.dependencies}",
        *shop.recipe.arguments,
        env=settings,
    )
    running = {**settings, "LD_LIBRARY_PATH": f"{shop.dependencies}/lib"}
    shop.run("make", f"-j{shop.jobs}", env=running)
    shop.run(
        "make",
        "install",
        f"DESTDIR={shop.destination}",
        # bytecode is compiled later, hash-based and from the final text
        "COMPILEALL_OPTS=-r 0 -q",
        env=running,
    )
    _check_modules(shop, running)


def _check_modules(shop: Workshop, running: dict[str, str]) -> None:
    tree = Tree.open(shop.destination / NEUTRAL_PREFIX.strip("/"))
    program = "import sys; print(*sys.builtin_module_names)"
    result = process.run((tree.executable, "-I", "-c", program), env={**shop.environment(), **running})
    present = tree.extension_modules() | set(result.output.split())
    lacking = sorted(required_modules(tree.version) - present)
    if lacking:
        quoted = "\n".join(_reason(shop.log, shop.source / "config.log", name) for name in lacking)
        raise BuildError(
            f"CPython {tree.version} was built without {', '.join(lacking)}\n{quoted}",
            remedy="recipes/extensions.toml says which modules must be there",
            log=shop.log,
        )


def _reason(log: Path, config_log: Path, name: str) -> str:
    """What configure and the compiler said of one extension module."""
    said = re.search(
        rf"^checking for stdlib extension module {name}\.\.\. .*$",
        log.read_text(errors="replace"),
        re.MULTILINE,
    )
    lines = [said.group()] if said else [f"configure does not know {name}"]
    for path, pattern in (
        (log, rf"(?:{name}|_{name}).*(?:error|undefined|failed|not found)"),
        (config_log, rf"{name.strip('_')}.*(?:error|not found)"),
    ):
        text = path.read_text(errors="replace").splitlines() if path.is_file() else []
        lines += [line for line in text if re.search(pattern, line, re.IGNORECASE)][:_CONTEXT_LINES]
    return "\n".join(f"  {line[:240]}" for line in lines)
