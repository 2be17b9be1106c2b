"""The README's commands on machines that nobody prepared: ``nox -s newcomer``, ``-- --list``, ``-- debian-13``.

Each row is a bare Debian, a user and a way in (``rows.py``). It gets a clone of this checkout as it
stands, a copy of the cache folder unless it is to be cold, and what of this machine's settings it takes to reach
an index (``machine.py``). Then the README is done, as it stands there (``readme.py``), and what a row compiled is
kept for the rows after it: a system's compiler is part of each build's key.
"""

from __future__ import annotations

import argparse
import itertools
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import bare
import machine
import readme
from rows import ROWS, SUITES, Row, select

from manypython.folders import cache_home
from manypython.model.errors import ManypythonError

_CACHE = Path(os.environ.get("MANYPYTHON_CACHE_DIR") or Path(cache_home(), "manypython"))
_ENTER = Path(__file__).with_name("enter.sh")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_WARM = ("builds/[!.]*", "sources/*/[!.]*", "roots/glibc-*")
"""What is whole from the moment it is there, though others build at this moment."""
_ADVICE = re.compile(r"\brun: (apt-get .+?)(?:   \(|, or |$)", re.MULTILINE)


class RowError(Exception):
    """What a newcomer would report."""


@dataclass(frozen=True)
class Entered:
    """A root of one row, with a log of all that was said in it."""

    row: Row
    root: Path
    log: Path

    def run(self, command: str, *, user: str = "") -> tuple[int, str]:
        """Run a command in the clone, as the row's user or another; its exit code and what it said."""
        row, who = self.row, user or self.row.user
        variables = {"HOME": row.home, "USER": who, "PATH": _PATH, **machine.environment(os.environ)}
        assigned = shlex.join(f"{name}={value}" for name, value in variables.items())
        inside = f"cd {row.home}/manypython && exec env -i {assigned} /bin/sh -c {shlex.quote(command)}"
        kind, pts = ("chroot", "mode=600") if row.sandbox else ("pivot", "mode=620,gid=5")
        namespaces = ("unshare", "--mount", "--pid", "--fork", "--kill-child")
        argv = (*namespaces, _ENTER, self.root, kind, pts, who, inside)
        said = []
        with (
            self.log.open("a", encoding="utf-8") as log,
            subprocess.Popen(
                argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
            ) as done,
        ):
            assert done.stdout is not None
            for line in itertools.chain([f"{row.name} {who}: {command}\n"], done.stdout):
                print(line, end="", flush=True)
                log.write(line)
                said.append(line)
        return done.returncode, "".join(said)


def _lay(row: Row, root: Path) -> None:
    """Fill a folder with the row's machine: a copy of its root, the settings, the user, the clone, the cache."""
    pristine = bare.root(row.system, SUITES[row.system], _CACHE / "newcomer")
    _do("cp", "--archive", "--reflink=auto", pristine, root)
    machine.carry(root)
    if row.user != "root":
        _do("chroot", root, "/usr/sbin/useradd", "--create-home", row.user)
    home = Path(f"{root}{row.home}")
    _clone(home / "manypython")
    cache = home / ".cache/manypython"
    for path in () if row.cold else (path for name in _WARM for path in _CACHE.glob(name)):
        place = cache / path.relative_to(_CACHE)
        place.parent.mkdir(parents=True, exist_ok=True)
        _do("cp", "--archive", "--reflink=auto", path, place)
    _do("chroot", root, "chown", "--recursive", f"{row.user}:", row.home)


def _clone(place: Path) -> None:
    """A repository of what the checkout holds now, committed or not, and git does not ignore."""
    who = ("-c", "user.name=newcomer", "-c", "user.email=newcomer@localhost")
    git = ("git", f"--git-dir={place}/.git", *who)
    _do("git", "init", "--quiet", place)
    _do(*git, f"--work-tree={readme.CHECKOUT}", "add", "--all", cwd=readme.CHECKOUT)
    _do(*git, f"--work-tree={place}", "commit", "--quiet", "--message=As it stands")
    _do(*git, f"--work-tree={place}", "reset", "--quiet", "--hard")


def _keep(row: Row, root: Path) -> None:
    """Move what a row built into this machine's cache folder; each is whole from the moment it is there."""
    (_CACHE / "builds").mkdir(exist_ok=True)
    for path in Path(f"{root}{row.home}/.cache/manypython").glob("builds/[!.]*"):
        place = _CACHE / "builds" / path.name
        if not place.exists():
            _do("chown", "--recursive", "root:", path)
            path.rename(place)


def _do(*words: str | Path, cwd: Path | None = None) -> None:
    subprocess.run(words, check=True, cwd=cwd)


def _follow(entered: Entered, *, unit: bool) -> None:
    """Do what the README says.

    Raises:
        RowError: a command failed.
    """
    row, typed = entered.row, readme.commands((readme.CHECKOUT / "README.md").read_text(encoding="utf-8"))
    make = f"{typed.prepare} && {typed.make}"
    code, said = entered.run(make)
    advice = _ADVICE.search(said)
    if code and row.user != "root" and advice:  # who may not install is told what to have installed
        code, _ = entered.run(advice.group(1), user="root")
        if code:
            raise RowError(f"what it advises fails with {code}: {advice.group(1)}")
        code, said = entered.run(make)
    if code:
        raise RowError(f"exit code {code}: {typed.make}")
    dist = Path(f"{entered.root}{row.home}/manypython/dist")
    if len(list(dist.glob("cpython-*"))) < 4:
        raise RowError("exit code 0, but dist/ does not hold what the README says")
    # with an argument of pytest the session runs the unit tests alone
    tests = f"{typed.prepare} && {typed.tests}{' -- -q' if unit else ''}"
    code, _ = entered.run(tests)
    if code:
        raise RowError(f"exit code {code}: {typed.tests}")


def _try(row: Row, logs: Path, *, unit: bool) -> str:
    """Do a row; what was wrong, or nothing."""
    log = logs / f"{row.name}.log"
    log.write_text("")
    scratch = Path(tempfile.mkdtemp(prefix=".row-", dir=_CACHE))
    try:
        root = scratch / "root"
        _lay(row, root)
        try:
            _follow(Entered(row, root, log), unit=unit)
        finally:
            if not row.cold:
                _keep(row, root)
    except (RowError, ManypythonError, subprocess.CalledProcessError) as error:
        return f"{error} (see {log})"
    finally:
        shutil.rmtree(scratch)
    return ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", nargs="*", help="names of rows, or how they begin; else each")
    parser.add_argument("--list", action="store_true", help="print the names of the rows")
    parser.add_argument("--unit", action="store_true", help="of the tests, the unit tests alone")
    parser.add_argument("--logs", type=Path, default=Path.cwd(), help="folder for a log of each row")
    arguments = parser.parse_args()
    if arguments.list:
        print("\n".join(row.name for row in ROWS))
        return 0
    try:
        rows = select(arguments.rows)
    except ValueError as error:
        parser.error(str(error))
    if os.geteuid() != 0:
        parser.error("needs root: debootstrap, mounts and chroot")
    _CACHE.mkdir(parents=True, exist_ok=True)
    lines, failed = [], False
    for row in rows:
        began = time.monotonic()
        wrong = _try(row, arguments.logs, unit=arguments.unit)
        failed |= bool(wrong)
        minutes, seconds = divmod(round(time.monotonic() - began), 60)
        lines.append(
            f"{row.name:30} {minutes:3} min {seconds:02} s  {'failed: ' + wrong if wrong else 'passed'}"
        )
        print(lines[-1], flush=True)
    print("", *lines, sep="\n")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
