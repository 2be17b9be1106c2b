"""Symbols of grafted libraries: names of their own, and those that must stay."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pytest

from manypython import process
from manypython.elf.reading import dynamic_symbols
from manypython.model.tree import Tree
from manypython.progress import Reporter
from manypython.repair.apply import apply
from manypython.repair.audit import audit
from manypython.repair.edits import Plan, RenameSymbols, plan_as_json
from manypython.repair.graft import plan_graft
from manypython.repair.symbols import plan_symbols

QUIET = Reporter(quiet=True)
MAIN = PurePosixPath("bin/python3.13")


@dataclass(frozen=True)
class Prefix:
    """A prefix whose interpreter is a small program, and a folder with its libraries."""

    root: Path
    libraries: Path
    cc: str

    def library(self, name: str, source: str, *words: str) -> Path:
        """Compile ``libNAME.so.1`` from a C program."""
        path = self.libraries / f"lib{name}.so.1"
        text = self.libraries / f"{name}.c"
        text.write_text(source)
        soname = f"-Wl,-soname,{path.name}"
        process.run((self.cc, "-shared", "-fPIC", soname, "-o", path, text, *words), cwd=self.libraries)
        return path

    def program(self, source: str, *words: str) -> Tree:
        """Compile the interpreter; the tree."""
        text = self.libraries / "main.c"
        text.write_text(source)
        (self.root / "bin").mkdir()
        process.run((self.cc, "-o", self.root / MAIN, text, *words), cwd=self.libraries)
        return Tree.open(self.root)

    def plan(self, tree: Tree) -> Plan:
        """What a graft would do."""
        report = audit(tree, search=(self.libraries,))
        return (*plan_graft(report), *plan_symbols(report))

    def run(self, **env: str) -> str:
        """What the program prints."""
        return process.run((self.root / MAIN,), env=env).output


@pytest.fixture
def prefix(cc: str, tmp_path: Path) -> Prefix:
    root = tmp_path / "prefix"
    for folder in ("lib/python3.13", "include/python3.13"):
        (root / folder).mkdir(parents=True)
    (root / "lib/python3.13/os.py").write_text("")
    (root / "include/python3.13/patchlevel.h").write_text('#define PY_VERSION "3.13.5"\n')
    libraries = tmp_path / "libraries"
    libraries.mkdir()
    return Prefix(root, libraries, cc)


def names(plan: Plan) -> dict[str, set[str]]:
    return {edit.path.name: set(edit.names) for edit in plan if isinstance(edit, RenameSymbols)}


PRINTING = '#include <stdio.h>\nint answer(void);\nint main(void) { printf("%d", answer()); return 0; }\n'


def test_a_library_that_was_loaded_before_does_not_answer_for_the_grafted_one(prefix: Prefix) -> None:
    prefix.library("deep", "int deep(void) { return 40; }")
    prefix.library("answer", "int deep(void); int answer(void) { return deep() + 2; }", "./libdeep.so.1")
    tree = prefix.program(PRINTING, "./libanswer.so.1", "./libdeep.so.1")
    others = prefix.library("others", "int deep(void) { return 0; } int answer(void) { return 0; }")
    plan = prefix.plan(tree)
    without = tuple(edit for edit in plan if not isinstance(edit, RenameSymbols))
    apply(tree, without, reporter=QUIET, jobs=1)
    assert prefix.run(LD_PRELOAD=str(others)) == "0"

    renames = tuple(edit for edit in plan if isinstance(edit, RenameSymbols))
    apply(tree, renames, reporter=QUIET, jobs=1)
    assert prefix.run(LD_PRELOAD=str(others)) == "42"
    assert prefix.run() == "42"


def test_every_name_gets_the_same_ending_in_the_libraries_and_in_their_users(prefix: Prefix) -> None:
    prefix.library("deep", "int deep(void) { return 40; }")
    prefix.library("answer", "int deep(void); int answer(void) { return deep() + 2; }", "./libdeep.so.1")
    tree = prefix.program(PRINTING, "./libanswer.so.1", "./libdeep.so.1")
    plan = prefix.plan(tree)
    assert {edit.ending for edit in plan if isinstance(edit, RenameSymbols)} == {
        next(edit.ending for edit in plan if isinstance(edit, RenameSymbols))
    }
    assert sorted(names(plan).values(), key=sorted) == [{"answer"}, {"answer", "deep"}, {"deep"}]


def test_nothing_is_renamed_twice(prefix: Prefix) -> None:
    prefix.library("answer", "int answer(void) { return 42; }")
    tree = prefix.program(PRINTING, "./libanswer.so.1")
    apply(tree, prefix.plan(tree), reporter=QUIET, jobs=1)
    assert prefix.plan(tree) == ()


def test_versions_of_symbols_stay_two_of_one_name_too(prefix: Prefix) -> None:
    script = prefix.libraries / "versions"
    script.write_text("OLD { };\nNEW { global: answer; local: *; } OLD;\n")
    prefix.library(
        "answer",
        '__asm__(".symver answer_1,answer@OLD"); __asm__(".symver answer_2,answer@@NEW");\n'
        "int answer_1(void) { return 41; } int answer_2(void) { return 42; }",
        f"-Wl,--version-script={script}",
    )
    tree = prefix.program(
        '#include <stdio.h>\nint answer(void); int old(void); __asm__(".symver old,answer@OLD");\n'
        'int main(void) { printf("%d %d", old(), answer()); return 0; }\n',
        "./libanswer.so.1",
    )
    apply(tree, prefix.plan(tree), reporter=QUIET, jobs=1)
    assert prefix.run() == "41 42"
    asked = {symbol.name: symbol.version for symbol in dynamic_symbols(prefix.root / MAIN)}
    assert {version for name, version in asked.items() if name.startswith("answer_")} <= {"OLD", "NEW"}


def test_ifuncs_thread_locals_and_weak_symbols_follow(prefix: Prefix) -> None:
    prefix.library(
        "answer",
        "static int good(void) { return 40; } static void *choose(void) { return (void *)good; }\n"
        'int chosen(void) __attribute__((ifunc("choose"))); __thread int kept = 1;\n'
        "__attribute__((weak)) int faint(void) { return 1; }",
    )
    tree = prefix.program(
        "#include <stdio.h>\nint chosen(void); int faint(void); extern __thread int kept;\n"
        '__attribute__((weak)) int nowhere(void); int main(void) { printf("%d %d", '
        "chosen() + kept + faint(), nowhere ? 1 : 0); return 0; }\n",
        "./libanswer.so.1",
    )
    plan = prefix.plan(tree)
    assert names(plan)["python3.13"] == {"chosen", "faint", "kept"}
    apply(tree, plan, reporter=QUIET, jobs=1)
    assert prefix.run() == "42 0"


def test_a_variable_that_the_program_has_as_well_keeps_its_name(prefix: Prefix) -> None:
    """So it is where a linker copied the library's variable into the program, too (R_X86_64_COPY)."""
    prefix.library("answer", "int number = 1; void set(void) { number = 42; } int other(void) { return 0; }")
    tree = prefix.program(
        "#include <stdio.h>\nint number = 2; void set(void); int other(void);\n"
        'int main(void) { set(); printf("%d", number + other()); return 0; }\n',
        "./libanswer.so.1",
    )
    plan = prefix.plan(tree)
    assert names(plan)["python3.13"] == {"set", "other"}
    apply(tree, plan, reporter=QUIET, jobs=1)
    assert prefix.run() == "42"


def test_what_replaces_functions_of_libc_keeps_their_names(prefix: Prefix) -> None:
    """An extension that never heard of the library has to get the same ``abort`` as the program."""
    prefix.library("answer", "int answer(void) { return 42; } void abort(void) { for (;;); }")
    tree = prefix.program(PRINTING, "./libanswer.so.1")
    extension = prefix.library("user", "void abort(void); void user(void) { abort(); }")
    assert names(prefix.plan(tree))["python3.13"] == {"answer"}
    place = prefix.root / "lib/python3.13/lib-dynload/user.so"
    place.parent.mkdir()
    extension.rename(place)
    renamed = {name: found for name, found in names(prefix.plan(tree)).items() if "answer" in name}
    assert list(renamed.values()) == [{"answer"}]


def test_a_record_of_the_plan_has_the_number_of_names_and_their_digest(prefix: Prefix) -> None:
    prefix.library("answer", "int answer(void) { return 42; } int more(void) { return 0; }")
    tree = prefix.program(PRINTING, "./libanswer.so.1")
    rows = [row for row in plan_as_json(prefix.plan(tree)) if row["edit"] == "RenameSymbols"]
    assert sorted(row["names"] for row in rows) == [1, 2]
    assert all(len(row["sha256"]) == 64 and len(row["ending"]) == 9 for row in rows)
