"""What a graft plans, on trees that are data."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest
from linked import PYTHON, ROOT, Around, layout, linked, program, report

from manypython.elf.reading import Linkage
from manypython.model.errors import AuditError
from manypython.model.tree import GRAFTS, spreads
from manypython.repair.edits import (
    CopyIn,
    Move,
    Plan,
    Remove,
    ReplaceBytes,
    ReplaceNeeded,
    SetRpath,
    SetSoname,
    Symlink,
    WriteText,
    join,
    plan_as_json,
)
from manypython.repair.foresee import afterwards, insist_holds
from manypython.repair.graft import grafts, plan_graft
from manypython.repair.loading import Layout, Outside

ONE, TWO = (f"lib/python3.13/site-packages/{name}.so" for name in ("one", "two"))
BAG = "lib/python3.13/site-packages/bag.libs"
BAG_RPATH = "$ORIGIN/bag.libs"
TO_GRAFTS = "$ORIGIN/../../python.libs"


def planned(
    files: dict[str, Linkage],
    around: Outside | None = None,
    links: dict[str, str] | None = None,
    origins: tuple[str, ...] = (),
    contents: dict[str, str] | None = None,
) -> Plan:
    return plan_graft(report(layout(files, links, origins), around or Around({}), contents))


def rpaths(plan: Plan) -> dict[str, str]:
    return {str(edit.path): edit.rpath for edit in plan if isinstance(edit, SetRpath)}


def renamed(plan: Plan, path: str) -> dict[str, str]:
    return {e.old: e.new for e in plan if isinstance(e, ReplaceNeeded) and str(e.path) == path}


def sources(plan: Plan) -> dict[str, str]:
    """Name of each graft, and where it comes from."""
    return {edit.path.name: str(edit.source) for edit in plan if isinstance(edit, CopyIn | Move)}


def test_a_tree_that_has_all_it_needs_is_left_alone() -> None:
    files = {ONE: linked("liba.so", rpath=BAG_RPATH), f"{BAG}/liba.so": linked("libb.so"),
             f"{BAG}/libb.so": linked()}  # fmt: skip
    assert planned(files) == ()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("$ORIGIN/bag.libs", "$ORIGIN/bag.libs"),
        ("$ORIGIN/bag.libs/:${ORIGIN}/not.there", "$ORIGIN/bag.libs/:${ORIGIN}/not.there"),
        (f"/old/{BAG}", "$ORIGIN/bag.libs"),
        (f"{ROOT}/{BAG}:/old/lib", "$ORIGIN/bag.libs:$ORIGIN/../.."),
        ("/usr/local/lib:$ORIGIN/bag.libs::.:lib:$ORIGIN/../../../../lib", "$ORIGIN/bag.libs"),
    ],
)
@pytest.mark.parametrize("kind", ["rpath", "runpath"])
def test_entries_that_end_inside_the_tree_stay_and_absolute_ones_become_relative(
    before: str, after: str, kind: str
) -> None:
    """With a graft besides: its folder comes last."""
    files = {ONE: linked("liba.so", "libz.so.1", **{kind: before}), f"{BAG}/liba.so": linked()}
    plan = planned(files, Around({"/s/libz.so.1": linked(soname="libz.so.1")}, "/s"), origins=("/old",))
    assert rpaths(plan)[ONE] == f"{after}:{TO_GRAFTS}"


def test_a_runpath_becomes_an_rpath_that_no_foreign_environment_beats() -> None:
    files = {ONE: linked("liba.so", runpath=BAG_RPATH), f"{BAG}/liba.so": linked()}
    assert planned(files) == (SetRpath(PurePosixPath(ONE), BAG_RPATH),)


def test_two_libraries_of_one_soname_are_two_grafts_and_each_user_has_its_own() -> None:
    twins = {f"/{name}/libtwin.so.1": linked(soname="libtwin.so.1") for name in ("one", "two")}
    files = {ONE: linked("libtwin.so.1", runpath="/one"), TWO: linked("libtwin.so.1", runpath="/two")}
    plan = planned(files, Around(twins))
    by_name = sources(plan)
    assert by_name[renamed(plan, ONE)["libtwin.so.1"]] == "/one/libtwin.so.1"
    assert by_name[renamed(plan, TWO)["libtwin.so.1"]] == "/two/libtwin.so.1"
    assert {edit.soname for edit in plan if isinstance(edit, SetSoname)} == set(by_name)


def test_copies_of_one_library_are_one_graft_where_they_load_the_same() -> None:
    copies = {f"/{name}/liba.so.1": linked("libb.so.1", soname="liba.so.1", runpath="$ORIGIN")
              for name in ("one", "two")}  # fmt: skip
    parts = {f"/{name}/libb.so.1": linked(soname="libb.so.1") for name in ("one", "two")}
    files = {ONE: linked("liba.so.1", rpath="/one"), TWO: linked("liba.so.1", rpath="/two")}
    same = {f"/{name}/lib{part}.so.1": part * 8 for name in ("one", "two") for part in "ab"}
    plan = planned(files, Around({**copies, **parts}), contents=same)
    assert sources(plan) == {"liba-aaaaaaaa.so.1": "/one/liba.so.1", "libb-bbbbbbbb.so.1": "/one/libb.so.1"}
    same["/two/libb.so.1"] = "cccccccc"
    plan = planned(files, Around({**copies, **parts}), contents=same)
    assert sources(plan) == {
        "liba-aaaaaaaa.so.1": "/one/liba.so.1",
        "liba-aaaaaaaa-2.so.1": "/two/liba.so.1",
        "libb-bbbbbbbb.so.1": "/one/libb.so.1",
        "libb-cccccccc.so.1": "/two/libb.so.1",
    }
    assert renamed(plan, f"{GRAFTS}/liba-aaaaaaaa-2.so.1") == {"libb.so.1": "libb-cccccccc.so.1"}


def test_one_file_that_is_needed_under_two_names_is_one_graft() -> None:
    class Linked(Around):
        def read(self, path: str) -> tuple[Path, Linkage] | None:  # type: ignore[override]
            return super().read("/s/liba.so.1") if path.startswith("/s/liba.so") else None

    around = Linked({"/s/liba.so.1": linked(soname="liba.so.1")}, "/s")
    plan = planned({ONE: linked("liba.so"), TWO: linked("liba.so.1")}, around)
    (name,) = sources(plan)
    assert renamed(plan, ONE) == {"liba.so": name}
    assert renamed(plan, TWO) == {"liba.so.1": name}


@pytest.mark.parametrize(
    ("path", "yes"),
    [("lib/libz.so.1", True), ("lib/libpython3.13.so.1.0", False), ("lib/libpython3.so", False),
     ("lib/deep/libz.so.1", False), ("lib/python.libs/libz-1.so.1", False), ("lib/x.so", False)],
)  # fmt: skip
def test_what_spreads_lies_in_lib_itself(path: str, yes: bool) -> None:
    assert spreads(PurePosixPath(path)) is yes


def test_condas_layout_is_moved_renamed_and_told() -> None:
    files = {
        PYTHON: program(rpath="$ORIGIN/../lib"),
        ONE: linked("libssl.so.3", rpath="$ORIGIN/../.."),
        "lib/libssl.so.3": linked("libcrypto.so.3", soname="libssl.so.3", rpath="$ORIGIN:$ORIGIN/engines"),
        "lib/libcrypto.so.3": linked(soname="libcrypto.so.3", rpath="$ORIGIN/."),
        "lib/libspare.so.1": linked("libcrypto.so.3"),
        "lib/engines/legacy.so": linked("libcrypto.so.3", rpath="$ORIGIN/.."),
    }
    links = {"lib/libssl.so": "lib/libssl.so.3", "lib/libspare.so": "lib/libspare.so.1"}
    plan = planned(files, links=links)
    ssl, crypto = sorted(sources(plan), reverse=True)
    assert sources(plan) == {ssl: "lib/libssl.so.3", crypto: "lib/libcrypto.so.3"}
    assert renamed(plan, ONE) == {"libssl.so.3": ssl}
    assert renamed(plan, f"{GRAFTS}/{ssl}") == {"libcrypto.so.3": crypto}
    for user in ("lib/libspare.so.1", "lib/engines/legacy.so"):
        assert renamed(plan, user) == {"libcrypto.so.3": crypto}
    assert rpaths(plan) == {
        ONE: f"$ORIGIN/../..:{TO_GRAFTS}",
        f"{GRAFTS}/{ssl}": "$ORIGIN:$ORIGIN/..:$ORIGIN/../engines",
        f"{GRAFTS}/{crypto}": "$ORIGIN:$ORIGIN/..",
        "lib/libspare.so.1": "$ORIGIN/python.libs",
        "lib/engines/legacy.so": "$ORIGIN/..:$ORIGIN/../python.libs",
    }
    assert [str(edit.path) for edit in plan if isinstance(edit, Remove)] == ["lib/libssl.so"]


def test_a_copy_in_the_tree_of_what_is_grafted_from_outside_is_taken_away() -> None:
    files = {ONE: linked("libz.so.1", rpath="$ORIGIN/../.."), TWO: linked("libz.so.1", rpath="/s"),
             "lib/libz.so.1": linked(soname="libz.so.1")}  # fmt: skip
    same = {f"{ROOT}/lib/libz.so.1": "a" * 8, "/s/libz.so.1": "a" * 8}
    plan = planned(files, Around({"/s/libz.so.1": linked(soname="libz.so.1")}), contents=same)
    assert len(sources(plan)) == 1
    assert not any(str(path) == "lib/libz.so.1" for path in _after(plan, files).files)


def _after(plan: Plan, files: dict[str, Linkage]) -> Layout:
    found = report(layout(files), Around({"/s/libz.so.1": linked(soname="libz.so.1")}))
    return afterwards(found.layout, found.libraries, plan)


@pytest.mark.parametrize("name", ["/opt/out/libpath.so", "./libpath.so", "out/libpath.so"])
def test_a_library_that_was_linked_by_its_path_is_grafted_under_its_last_name(name: str) -> None:
    around = Around({"/opt/out/libpath.so": linked()}, "/opt/out")
    plan = planned({ONE: linked(name)}, around)
    assert sources(plan) == {"libpath-00000000.so": "/opt/out/libpath.so"}
    assert renamed(plan, ONE) == {name: "libpath-00000000.so"}


def test_a_library_of_the_tree_that_was_linked_by_its_path_is_found_by_an_rpath() -> None:
    name = f"/old/{BAG}/liba.so"
    plan = planned({ONE: linked(name), f"{BAG}/liba.so": linked()}, origins=("/old",))
    assert renamed(plan, ONE) == {name: "liba.so"}
    assert rpaths(plan) == {ONE: BAG_RPATH}


def test_the_systems_own_loses_its_path_and_nothing_else() -> None:
    name = "/lib/x86_64-linux-gnu/libm.so.6"
    assert planned({ONE: linked(name)}) == (ReplaceNeeded(PurePosixPath(ONE), name, "libm.so.6"),)


def test_a_soname_that_is_a_path_is_no_folder() -> None:
    plan = planned({ONE: linked("/opt/liba.so")}, Around({"/opt/liba.so": linked()}))
    assert all(edit.path.parent == PurePosixPath(GRAFTS) for edit in plan if isinstance(edit, CopyIn))


def test_what_was_found_by_other_means_than_an_rpath_gets_one() -> None:
    around = Around({}, f"{ROOT}/{BAG}")
    plan = planned({ONE: linked("liba.so"), f"{BAG}/liba.so": linked()}, around)
    assert rpaths(plan) == {ONE: BAG_RPATH}


def test_a_shared_libpython_stays_where_it_is() -> None:
    files = {
        PYTHON: program("libpython3.13.so.1.0", runpath="/old/lib"),
        "lib/libpython3.13.so.1.0": linked("libz.so.1", runpath="/old/lib"),
    }
    plan = planned(files, Around({"/s/libz.so.1": linked(soname="libz.so.1")}, "/s"), origins=("/old",))
    assert rpaths(plan) == {
        f"{GRAFTS}/libz-00000000.so.1": "$ORIGIN",
        PYTHON: "$ORIGIN/../lib",
        "lib/libpython3.13.so.1.0": "$ORIGIN:$ORIGIN/python.libs",
    }


def test_a_file_that_is_loaded_through_a_link_finds_its_grafts_from_there_too() -> None:
    files = {ONE: linked("liba.so", rpath=BAG_RPATH), "lib/deep/real.so": linked("libz.so.1")}
    around = Around({"/s/libz.so.1": linked(soname="libz.so.1")}, "/s")
    plan = planned(files, around, links={f"{BAG}/liba.so": "lib/deep/real.so"})
    assert rpaths(plan)["lib/deep/real.so"] == "$ORIGIN/../python.libs:$ORIGIN/../../../python.libs"


def test_a_library_that_each_user_finds_elsewhere_is_refused_where_it_had_to_be_told() -> None:
    files = {
        ONE: linked("libmid.so", rpath=f"{BAG_RPATH}:/one"),
        TWO: linked("libmid.so", rpath=f"{BAG_RPATH}:/two"),
        f"{BAG}/libmid.so": linked("libtwin.so.1"),
    }
    twins = {f"/{name}/libtwin.so.1": linked(soname="libtwin.so.1") for name in ("one", "two")}
    with pytest.raises(AuditError, match=r"bag.libs/libmid.so: libtwin.so.1 is /one/\S+ or /two/\S+"):
        planned(files, Around(twins))


def test_what_is_lost_is_named_with_who_needs_it() -> None:
    files = {ONE: linked("liba.so", rpath="/s")}
    with pytest.raises(AuditError, match=r"libb.so, needed by /s/liba.so") as caught:
        planned(files, Around({"/s/liba.so": linked("libb.so")}))
    assert "--search DIR" in caught.value.remedy


def test_a_plan_that_would_cut_a_file_off_does_not_hold() -> None:
    """What the plan was before: the grafts' folder in place of the file's own."""
    found = report(layout({ONE: linked("liba.so", rpath=BAG_RPATH), f"{BAG}/liba.so": linked()}), Around({}))
    plan = (SetRpath(PurePosixPath(ONE), TO_GRAFTS),)
    with pytest.raises(
        AuditError, match=r"nothing was changed.*\n  .*one.so: liba.so would be found nowhere"
    ):
        insist_holds(found.layout, found.finds, found.libraries, plan, {})
    insist_holds(found.layout, found.finds, found.libraries, (), {})


def test_a_plan_by_which_a_file_would_load_another_does_not_hold() -> None:
    other = "lib/python3.13/site-packages/other/liba.so"
    files = {ONE: linked("liba.so", rpath=BAG_RPATH), f"{BAG}/liba.so": linked(), other: linked()}
    found = report(layout(files), Around({}))
    plan = (SetRpath(PurePosixPath(ONE), f"$ORIGIN/other:{BAG_RPATH}"),)
    with pytest.raises(AuditError, match=rf"liba.so would be {other}, not {BAG}/liba.so"):
        insist_holds(found.layout, found.finds, found.libraries, plan, {})


def test_a_second_graft_has_nothing_to_do() -> None:
    files = {ONE: linked("liba.so", runpath="/s"), "lib/libb.so.1": linked(soname="libb.so.1"),
             TWO: linked("libb.so.1", rpath="/old/lib")}  # fmt: skip
    around = Around({"/s/liba.so": linked("libz.so.1"), "/s/libz.so.1": linked()}, "/s")
    first = report(layout(files, origins=("/old",)), around)
    plan = plan_graft(first)
    again = report(afterwards(first.layout, first.libraries, plan), Around({}))
    assert plan_graft(again) == ()
    assert grafts(again) == ()


def test_another_plan_of_the_same_tree_follows_what_is_moved() -> None:
    old, new, gone = (
        PurePosixPath("lib/liba.so"),
        PurePosixPath(GRAFTS, "liba-1.so"),
        PurePosixPath("lib/link"),
    )
    first: Plan = (Move(new, old), Remove(gone, ""))
    text = WriteText(PurePosixPath("x"), "", "")
    second: Plan = (ReplaceBytes(old, b"a", b"b"), Symlink(gone, "liba.so"), text)
    assert join(first, second) == (*first, ReplaceBytes(new, b"a", b"b"), text)
    assert plan_as_json(first)[0] == {"edit": "Move", "path": str(new), "source": "lib/liba.so"}
