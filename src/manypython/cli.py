"""The command line: arguments in, results on standard output, progress on standard error."""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import platformdirs
from rich.console import Console

from manypython import __version__, pipeline, process
from manypython.archives import write
from manypython.archives.write import BEST, FAST
from manypython.build.container import Engine
from manypython.build.images import images
from manypython.build.method import Method
from manypython.build.steps import Profile
from manypython.model.errors import INTERRUPTED, ManypythonError, OutputError, UsageError, VerifyError
from manypython.model.identifier import BuildNumber, Spec
from manypython.model.target import DEFAULT_TARGET, Architecture, Target
from manypython.model.tree import Tree
from manypython.progress import Reporter
from manypython.recipes.catalogue import catalogue
from manypython.repair.apply import apply
from manypython.repair.audit import audit, require
from manypython.repair.edits import Plan, plan_as_json
from manypython.repair.graft import plan_graft
from manypython.repair.relocate import plan_relocate
from manypython.verify import roots
from manypython.verify.page import page
from manypython.verify.report import show

_EPILOG = """\
exit codes: 0 done; 2 wrong arguments; 3 no usable Python prefix; 4 wrong recipe; 5 source not to be had;
6 host program missing; 7 build failed; 8 policy not met or library not found; 9 not proved portable;
10 output not writable or full; 11 bad archive; 12 no usable container; 130 interrupted
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; every foreseen error is two plain lines."""
    arguments = _parser().parse_args(argv)
    os.umask(0o022)  # what is built and proved must not depend on the caller's
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a job that is cancelled cleans up too
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # as a shell's background job
        # what we run must not inherit it: CPython's tests would wait for their own SIGINT for ever
        signal.signal(signal.SIGINT, lambda *_: None)
    try:
        command: Callable[[argparse.Namespace], int] = arguments.command
        return command(arguments)
    except ManypythonError as error:
        print(f"error: {error.message}", file=sys.stderr)
        if error.log is not None:
            print(f"log: {error.log}", file=sys.stderr)
        if error.remedy:
            print(f"remedy: {error.remedy}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        print(f"error: {error.filename or 'a file'}: {error.strerror or error}", file=sys.stderr)
        return OutputError.exit_code
    except KeyboardInterrupt:
        process.terminate_all()
        print("interrupted: what was built so far is kept, run again to go on", file=sys.stderr)
        return INTERRUPTED
    except Exception:  # noqa: BLE001  (a fault of ours: no traceback on the user's screen, but none lost)
        number, name = tempfile.mkstemp(prefix="manypython-", suffix=".log")
        with open(number, "w", encoding="utf-8") as file:
            traceback.print_exc(file=file)
        print("error: a fault in manypython itself", file=sys.stderr)
        print(f"log: {name}\nremedy: report it with this log", file=sys.stderr)
        return ManypythonError.exit_code


def _cache(arguments: argparse.Namespace) -> Path:
    named = arguments.cache_dir or os.environ.get("MANYPYTHON_CACHE_DIR")
    return Path(named or platformdirs.user_cache_path("manypython")).absolute()


def _reporter(arguments: argparse.Namespace) -> Reporter:
    return Reporter(_cache(arguments) / "timings.json", quiet=arguments.json in (True, _STDOUT))


def _options(arguments: argparse.Namespace, dist: Path | None = None) -> pipeline.Options:
    return pipeline.Options(
        cache=_cache(arguments),
        dist=(dist or arguments.dist).absolute(),
        reporter=_reporter(arguments),
        jobs=max(1, arguments.jobs),
        number=arguments.build_number or catalogue().build,
        source_dir=arguments.source_dir,
        offline=arguments.offline,
        install_host_tools=arguments.install_host_tools,
        effort=FAST if arguments.fast else BEST,
    )


def _make(arguments: argparse.Namespace) -> int:
    method = _method(arguments)
    return _show_made(arguments, pipeline.make(arguments.spec, arguments.target, method, _options(arguments)))


def _method(arguments: argparse.Namespace) -> Method:
    image, named = arguments.image or "", arguments.toolchain
    for option in ("engine", "base"):
        if getattr(arguments, option) and not image:
            raise UsageError(f"--{option} goes with --in", remedy=f"add --in, one of {', '.join(images())}")
    if image and named == "zig":
        raise UsageError("--in builds with the image's own GCC", remedy="leave out --toolchain")
    return Method(
        toolchain=named or ("gcc" if image else "zig"),
        profile=Profile(arguments.profile),
        image=image,
        engine=Engine(arguments.engine) if arguments.engine else None,
        base=arguments.base,
    )


def _repair(arguments: argparse.Namespace) -> int:
    made = pipeline.repair(arguments.prefix, arguments.target, _options(arguments))
    return _show_made(arguments, made)


def _pack(arguments: argparse.Namespace) -> int:
    tree = Tree.open(arguments.tree)
    return _show_made(arguments, pipeline.pack_tree(tree, arguments.target, _options(arguments)))


def _show_made(arguments: argparse.Namespace, made: pipeline.Made) -> int:
    if arguments.json:
        rows = [{"path": str(a.path), "sha256": a.sha256, "size": a.size} for a in made.artifacts]
        print(_as_json({"artifacts": rows, "verify": made.report.as_json()}))
        return 0
    for artifact in made.artifacts:
        print(f"{artifact.path}  {artifact.size / 1e6:.1f} MB  sha256 {artifact.sha256}")
    for line in made.report.untried():
        print(line)
    print(f"{len(made.report.checks)} checks passed")
    return 0


def _recipes(arguments: argparse.Namespace) -> int:
    recipes = (*catalogue().pythons(), *catalogue().libraries())
    rows = [
        {
            "name": recipe.name,
            "version": str(recipe.version),
            "licenses": list(recipe.licenses),
            "upstream": recipe.source.url,
            "debian": recipe.source.debian.package if recipe.source.debian else "",
            "sha256": recipe.source.sha256,
        }
        for recipe in recipes
    ]
    if arguments.json:
        print(_as_json({"build": catalogue().build.value, "recipes": rows}))
        return 0
    for row in rows:
        origins = f"upstream, Debian source package {row['debian']}" if row["debian"] else "upstream"
        print(f"{row['name']:<18} {row['version']:<14} {origins}")
    return 0


def _audit(arguments: argparse.Namespace) -> int:
    report = audit(Tree.open(arguments.tree), target=arguments.target)
    if arguments.json:
        print(_as_json(report.as_json()))
    else:
        for file in report.files:
            reasons = [f"needs {name} from outside" for name in file.external]
            print(f"{file.path}: {file.policy}{''.join(f', {reason}' for reason in reasons)}")
        print(f"lowest policy: {report.policy}")
    if arguments.target is not None:
        require(report, arguments.target)
    return 0


def _graft(arguments: argparse.Namespace) -> int:
    tree = Tree.open(arguments.tree)
    return _carry_out(arguments, tree, plan_graft(audit(tree)))


def _relocate(arguments: argparse.Namespace) -> int:
    tree = Tree.open(arguments.tree)
    return _carry_out(arguments, tree, plan_relocate(tree))


def _carry_out(arguments: argparse.Namespace, tree: Tree, plan: Plan) -> int:
    """Print a plan, or do it and say how much it was."""
    if not arguments.dry_run:
        reporter = Reporter(quiet=arguments.json)
        apply(tree, plan, reporter=reporter, jobs=os.cpu_count() or 1)
    rows = plan_as_json(plan)
    if arguments.json:
        print(_as_json(rows))
    elif arguments.dry_run:
        for row in rows:
            facts = ", ".join(f"{k} {v}" for k, v in row.items() if k not in ("edit", "path"))
            print(f"{row['edit']} {row.get('path', '')}{': ' + facts if facts else ''}")
    else:
        print(f"{len(plan)} edits done" if plan else "nothing to do")
    return 0


def _verify(arguments: argparse.Namespace) -> int:
    options = _options(arguments, Path())
    chosen = roots.select(arguments.root)
    tests = _tests(arguments)
    with pipeline.opened_tree(arguments.tree, options) as tree:
        report, done = pipeline.examined(tree, arguments.target, options, chosen, tests)
    title = f"{done.tree.name} {done.tree.version} for {done.target}"
    for path, text in ((arguments.html, page(title, report)), (arguments.json, _as_json(report.as_json()))):
        if path == _STDOUT:
            print(text)
        elif path:
            _write(Path(path), text)
    if arguments.json != _STDOUT:
        show(title, report, Console(highlight=False))
    if report.failures:
        raise VerifyError(f"{arguments.tree}: {len(report.failures)} of {len(report.checks)} checks failed")
    return 0


def _tests(arguments: argparse.Namespace) -> Path | None:
    """The archive of CPython's tests for ``--full``: the one given, or the one beside the archive."""
    if not arguments.full:
        return None
    beside = arguments.tree.with_name(re.sub(r"-install_only\..*", "-tests.tar.gz", arguments.tree.name))
    found: Path = arguments.tests or beside
    if not found.is_file() or found == arguments.tree:
        raise UsageError(
            f"{found}: no archive of CPython's tests",
            remedy="make leaves one named -tests.tar.gz beside the others; name it with --tests",
        )
    return found


def _as_json(data: object) -> str:
    return json.dumps(data, indent=1)


def _write(path: Path, text: str) -> None:
    """Write a report: beside its place first, so that half of one is never seen."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write.text(path, text + "\n")


def _roots_list(arguments: argparse.Namespace) -> int:
    there = roots.made(_cache(arguments))
    rows = []
    for root in roots.ROOTS.values():
        name = roots.place(root, arguments.arch, _cache(arguments)).name
        rows.append({"name": root.name, "architecture": str(arguments.arch), "bytes": there.get(name)})
    if arguments.json:
        print(_as_json(rows))
        return 0
    for row in rows:
        size = f"{row['bytes'] / 1e6:.0f} MB" if isinstance(row["bytes"], int) else "not made"
        print(f"{row['name']:<12} {row['architecture']:<8} {size:>9}")
    return 0


def _roots_create(arguments: argparse.Namespace) -> int:
    for root in roots.select(arguments.names):
        folder = roots.create(
            root,
            arguments.arch,
            _cache(arguments),
            _reporter(arguments),
            install=arguments.install_host_tools,
        )
        print(folder)
    return 0


def _roots_remove(arguments: argparse.Namespace) -> int:
    for root in roots.select(arguments.names):
        there = roots.place(root, arguments.arch, _cache(arguments))
        if arguments.dry_run:
            print(f"remove {there}" if there.is_dir() else f"{root.name}: not there")
        else:
            removed = roots.remove(root, arguments.arch, _cache(arguments))
            print(f"{root.name}: {'removed' if removed else 'was not there'}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="manypython",
        description="Make CPython portable: one archive that runs on any Linux, from any folder.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"manypython {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add(
        commands, "make", _make, "build a CPython release from source and leave its archives in DIST",
        "manypython make 3.13", "manypython make cp313 --dist out --json",
        "manypython make 3.13 --in manylinux_2_28 --profile release",
        ("spec", {"metavar": "SPEC", "type": _spec, "help": "3.13 (the newest), 3.13.5 or cp313"}),
        _TARGET, *_METHOD, *_SOURCES, *_OUTPUT,
    )  # fmt: skip
    _add(
        commands, "repair", _repair,
        "make archives of an installed prefix; the prefix is copied, never touched",
        "manypython repair ~/.pyenv/versions/3.13.0 -o dist", "manypython repair /opt/python --fast",
        _PREFIX, _TARGET_FOUND, *_OUTPUT,
    )  # fmt: skip
    _add(
        commands, "recipes", _recipes, "list what can be built and from which sources",
        "manypython recipes", "manypython recipes --json", _JSON,
    )  # fmt: skip
    _add(
        commands, "audit", _audit, "say which policy each ELF file of a tree meets, and why not a better one",
        "manypython audit ./python", "manypython audit ./python --target x86_64-manylinux_2_17 --json",
        _TREE, _TARGET_FOUND, _JSON,
    )  # fmt: skip
    _add(
        commands, "graft", _graft, "copy the libraries a tree needs from outside into it",
        "manypython graft ./python --dry-run", _TREE, _DRY_RUN, _JSON,
    )  # fmt: skip
    _add(
        commands, "relocate", _relocate, "make every text of a tree independent of where it stands",
        "manypython relocate ./python --dry-run", _TREE, _DRY_RUN, _JSON,
    )  # fmt: skip
    _add(
        commands, "verify", _verify,
        "prove a tree or an archive portable: move it, freeze it, call it from everywhere, and elsewhere",
        "manypython verify ./python", "manypython verify dist/cpython-*-install_only.tar.gz --root all",
        "manypython verify ./python --root debian-12 --root glibc-2.17 --html report.html --json report.json",
        _TREE_OR_ARCHIVE, _TARGET_FOUND, *_REPORTS, _HOST_TOOLS, *_CACHE,
    )  # fmt: skip
    _add_roots(commands)
    _add(
        commands, "pack", _pack, "verify a tree, then write .tar.gz, .tar.zst and .zip of it",
        "manypython pack ./python --dist dist", _TREE, _TARGET_FOUND, *_OUTPUT,
    )  # fmt: skip
    return parser


def _add(
    commands: Any,  # noqa: ANN401  (argparse keeps the type private)
    name: str,
    command: Callable[[argparse.Namespace], int],
    summary: str,
    *parts: str | Argument,
) -> None:
    """Add one command: its examples are the strings among the parts, its arguments the rest."""
    examples = "\n".join(f"  {part}" for part in parts if isinstance(part, str))
    parser = commands.add_parser(
        name,
        help=summary,
        description=summary[0].upper() + summary[1:] + ".",
        epilog=f"examples:\n{examples}\n\n{_EPILOG}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for part in parts:
        if not isinstance(part, str):
            names, settings = part
            parser.add_argument(*names.split(), **settings)
    parser.set_defaults(
        command=command, cache_dir=None, source_dir=None, offline=False, install_host_tools=False, fast=False,
        build_number=None, jobs=os.cpu_count() or 1, json=False,
    )  # fmt: skip


Argument = tuple[str, dict[str, Any]]


def _add_roots(commands: Any) -> None:  # noqa: ANN401
    """``manypython roots create|list|remove``."""
    summary = "make, list and remove the foreign roots that verify runs in"
    parser = commands.add_parser("roots", help=summary, description=summary[0].upper() + summary[1:] + ".")
    actions = parser.add_subparsers(title="actions", required=True, metavar="ACTION")
    _add(
        actions, "create", _roots_create,
        "make roots that are not there yet (Debian's need debootstrap, and root to run it)",
        "manypython roots create all", "manypython roots create glibc-2.17",
        _ROOT_NAMES, _ARCH, _HOST_TOOLS, *_CACHE,
    )  # fmt: skip
    _add(
        actions, "list", _roots_list, "list the roots and their size on disk",
        "manypython roots list", "manypython roots list --json", _ARCH, *_CACHE, _JSON,
    )  # fmt: skip
    _add(
        actions, "remove", _roots_remove, "remove roots from the cache folder",
        "manypython roots remove debian-sid", _ROOT_NAMES, _ARCH, _DRY_RUN, *_CACHE,
    )  # fmt: skip


def _target(text: str) -> Target:
    """A target; without an architecture (``manylinux_2_28``) it is for this machine's."""
    try:
        return Target.parse(f"{DEFAULT_TARGET.architecture}-{text}" if "linux_" in text[:10] else text)
    except ManypythonError as error:
        raise argparse.ArgumentTypeError(f"{error.message}; {error.remedy}") from None


def _spec(text: str) -> Spec:
    try:
        return Spec.parse(text)
    except ManypythonError as error:
        raise argparse.ArgumentTypeError(f"{error.message}; {error.remedy}") from None


def _number(text: str) -> BuildNumber:
    try:
        return BuildNumber(int(text))
    except (ManypythonError, ValueError):
        raise argparse.ArgumentTypeError(f"{text!r} is no build number; give YYYYMMDD") from None


_TREE: Argument = (
    "tree",
    {"metavar": "TREE", "type": Path, "help": "folder with bin/ and lib/python3.X/"},
)
_PREFIX: Argument = (
    "prefix",
    {
        "metavar": "PREFIX",
        "type": Path,
        "help": "an installed Python: sys.base_prefix, or its interpreter, e.g. /usr/bin/python3.11",
    },
)
_TARGET: Argument = (
    "--target",
    {
        "type": _target,
        "metavar": "TARGET",
        "help": f"what it must run on (default: {DEFAULT_TARGET} with zig, else what the audit finds)",
    },
)
_TARGET_FOUND: Argument = (
    "--target",
    {
        "type": _target,
        "metavar": "TARGET",
        "help": "what it must run on (default: the lowest policy the audit finds)",
    },
)
_METHOD: tuple[Argument, ...] = (
    (
        "--toolchain",
        {"choices": ["zig", "gcc"], "help": "compiler (default zig, embedded; gcc: this machine's)"},
    ),
    (
        "--profile",
        {
            "choices": [profile.value for profile in Profile],
            "default": Profile.QUICK.value,
            "help": "release: PGO and LTO, with gcc or in an image (default quick: neither)",
        },
    ),
    (
        "--in",
        {
            "dest": "image",
            "choices": sorted(images()),
            "help": "build in a container of this image, with its GCC",
        },
    ),
    (
        "--engine",
        {"choices": [engine.value for engine in Engine], "help": "default: the first that works here"},
    ),
    (
        "--base",
        {
            "metavar": "IMAGE",
            "help": "base of the image instead of the pinned one, e.g. localhost/debian-bullseye",
        },
    ),
)
_JSON: Argument = (
    "--json",
    {"action": "store_true", "help": "print the result as JSON and no progress"},
)
_STDOUT = "-"
_TREE_OR_ARCHIVE: Argument = (
    "tree",
    {
        "metavar": "TREE|ARCHIVE",
        "type": Path,
        "help": "folder with bin/ and lib/python3.X/, or an archive of ours",
    },
)
_REPORTS: tuple[Argument, ...] = (
    (
        "--root",
        {
            "action": "append",
            "default": [],
            "metavar": "NAME",
            "help": f"also in this foreign root, in every surrounding: {', '.join(roots.ROOTS)}, or all",
        },
    ),
    ("--full", {"action": "store_true", "help": "also run CPython's own test suite, in three roots"}),
    (
        "--tests",
        {"type": Path, "metavar": "ARCHIVE", "help": "the suite (default: -tests.tar.gz beside the archive)"},
    ),
    (
        "--json",
        {
            "nargs": "?",
            "const": _STDOUT,
            "metavar": "FILE",
            "help": "write the report as JSON (no FILE: print it)",
        },
    ),
    ("--html", {"metavar": "FILE", "help": "write the report as one web page"}),
)
_ROOT_NAMES: Argument = (
    "names",
    {"metavar": "NAME", "nargs": "+", "help": f"{', '.join(roots.ROOTS)}, or all"},
)
_ARCH: Argument = (
    "--arch",
    {
        "type": Architecture,
        "choices": list(Architecture),
        "default": DEFAULT_TARGET.architecture,
        "help": "of the root's programs (default: this machine's)",
    },
)
_DRY_RUN: Argument = (
    "--dry-run",
    {"action": "store_true", "help": "print the plan and change nothing"},
)
_CACHE: tuple[Argument, ...] = (
    (
        "--cache-dir",
        {
            "type": Path,
            "metavar": "DIR",
            "help": "sources and builds (default MANYPYTHON_CACHE_DIR or the user's cache folder)",
        },
    ),
)
_HOST_TOOLS: Argument = (
    "--install-host-tools",
    {"action": "store_true", "help": "install missing host programs (apt-get or dnf, as root)"},
)
_SOURCES: tuple[Argument, ...] = (
    (
        "--source-dir",
        {"type": Path, "metavar": "DIR", "help": "folder of source archives to look in before the network"},
    ),
    ("--offline", {"action": "store_true", "help": "use the cache and --source-dir only"}),
    _HOST_TOOLS,
)
_OUTPUT: tuple[Argument, ...] = (
    (
        "--dist -o",
        {
            "type": Path,
            "default": Path("dist"),
            "metavar": "DIR",
            "help": "where the archives go (default dist)",
        },
    ),
    (
        "--build-number",
        {
            "type": _number,
            "metavar": "YYYYMMDD",
            "help": "date of every file in the archives (default: the recipe set's)",
        },
    ),
    ("--jobs", {"type": int, "metavar": "N", "help": "processes side by side (default: all cores)"}),
    ("--fast", {"action": "store_true", "help": "compress in a tenth of the time, for an eighth more bytes"}),
    *_CACHE,
    _JSON,
)
