"""What the dynamic linker loads, by ld.so(8), on trees that are data."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest
from linked import PYTHON, ROOT, Around, layout, linked, program

from manypython.elf.reading import Linkage, system_folders
from manypython.model.errors import UsageError
from manypython.model.target import LibcFamily
from manypython.repair.loading import Find, Layout, Outside, resolve

EXTENSION = "lib/python3.13/site-packages/x/x.so"
LIBS = "lib/python3.13/site-packages/x.libs"
NOTHING = Around({})


def found(tree: Layout, around: Outside = NOTHING, user: str = EXTENSION) -> dict[str, Find]:
    return {find.name: find for find in resolve(tree, around)[Path(ROOT, user)]}


def inside(find: Find) -> str:
    return str(find.inside)


@pytest.mark.parametrize("rpath", ["$ORIGIN/../x.libs", "${ORIGIN}/../x.libs/", f"/gone:{ROOT}/{LIBS}"])
@pytest.mark.parametrize("kind", ["rpath", "runpath"])
def test_a_files_own_rpath_leads_into_the_tree(rpath: str, kind: str) -> None:
    tree = layout({EXTENSION: linked("liba.so", **{kind: rpath}), f"{LIBS}/liba.so": linked()})
    find = found(tree)["liba.so"]
    assert (inside(find), str(find.folder), find.sure) == (f"{LIBS}/liba.so", LIBS, True)


def test_the_libc_family_is_nothing_to_find() -> None:
    assert found(layout({EXTENSION: linked("ld-linux-x86-64.so.2", "libm.so.6")})) == {}


def test_what_is_nowhere_is_lost() -> None:
    assert found(layout({EXTENSION: linked("liba.so")}))["liba.so"].lost


def test_a_path_below_an_old_prefix_means_the_tree() -> None:
    files = {EXTENSION: linked("liba.so", rpath=f"/opt/old/{LIBS}"), f"{LIBS}/liba.so": linked()}
    outside = Around({f"/opt/old/{LIBS}/liba.so": linked()})
    assert found(layout(files), outside)["liba.so"].inside is None
    assert inside(found(layout(files, origins=("/opt/old",)), outside)["liba.so"]) == f"{LIBS}/liba.so"


def test_what_the_copy_left_out_is_still_found_where_it_stood() -> None:
    files = {EXTENSION: linked("liba.so", rpath="/opt/old/lib")}
    find = found(layout(files, origins=("/opt/old",)), Around({"/opt/old/lib/liba.so": linked()}))["liba.so"]
    assert (find.path, find.inside) == (Path("/opt/old/lib/liba.so"), None)


def test_rpath_is_inherited_by_what_is_loaded_and_runpath_is_not() -> None:
    files = {f"{LIBS}/liba.so": linked("libb.so"), f"{LIBS}/libb.so": linked()}
    for kind, lost in (("rpath", False), ("runpath", True)):
        tree = layout({EXTENSION: linked("liba.so", **{kind: "$ORIGIN/../x.libs"}), **files})
        assert found(tree, user=f"{LIBS}/liba.so")["libb.so"].lost is lost


def test_rpath_is_inherited_past_a_file_with_a_runpath_but_not_by_it() -> None:
    files = {
        EXTENSION: linked("liba.so", rpath="$ORIGIN/../x.libs"),
        f"{LIBS}/liba.so": linked("libb.so", "libc1.so", runpath="$ORIGIN/deeper"),
        f"{LIBS}/deeper/libb.so": linked("libc1.so"),
        f"{LIBS}/libc1.so": linked(),
    }
    tree = layout(files)
    assert found(tree, user=f"{LIBS}/liba.so")["libc1.so"].lost
    assert inside(found(tree, user=f"{LIBS}/deeper/libb.so")["libc1.so"]) == f"{LIBS}/libc1.so"


def test_what_the_interpreter_says_holds_for_what_it_loads_and_not_for_other_programs() -> None:
    files = {
        PYTHON: program(rpath="$ORIGIN/../lib"),
        "bin/tool": program("liba.so"),
        EXTENSION: linked("liba.so"),
        "lib/liba.so": linked(),
    }
    assert inside(found(layout(files))["liba.so"]) == "lib/liba.so"
    assert found(layout(files), user="bin/tool")["liba.so"].lost
    files[PYTHON] = program(runpath="$ORIGIN/../lib")
    assert found(layout(files))["liba.so"].lost


def test_what_libpython_says_holds_too() -> None:
    files = {
        PYTHON: program("libpython3.13.so.1.0", runpath="$ORIGIN/../lib"),
        "lib/libpython3.13.so.1.0": linked(rpath="$ORIGIN/private"),
        "lib/private/liba.so": linked(),
        EXTENSION: linked("liba.so"),
    }
    assert inside(found(layout(files))["liba.so"]) == "lib/private/liba.so"


def test_the_order_is_own_inherited_searched_and_another_architecture_is_passed_over() -> None:
    files = {EXTENSION: linked("liba.so"), PYTHON: program(rpath="/base")}
    outside = Around({"/base/liba.so": linked(), "/search/liba.so": linked()}, "/search")
    assert found(layout(files), outside)["liba.so"].path == Path("/base/liba.so")
    outside.files["/base/liba.so"] = linked(architecture="i686")
    find = found(layout(files), outside)["liba.so"]
    assert (find.path, find.sure) == (Path("/search/liba.so"), False)


def test_a_link_in_the_tree_is_followed_and_its_folder_remembered() -> None:
    files = {EXTENSION: linked("liba.so.1", rpath="$ORIGIN/../x.libs"), "lib/deep/liba.so.1.2": linked()}
    find = found(layout(files, links={f"{LIBS}/liba.so.1": "lib/deep/liba.so.1.2"}))["liba.so.1"]
    assert (inside(find), str(find.folder)) == ("lib/deep/liba.so.1.2", LIBS)


def test_a_name_that_is_a_path_is_that_file_and_else_looked_for_by_its_last_part() -> None:
    around = Around({"/opt/a/liba.so": linked(), "/search/liba.so": linked()}, "/search")
    for name, path in (("/opt/a/liba.so", "/opt/a/liba.so"), ("/gone/liba.so", "/search/liba.so"),
                       ("./liba.so", "/search/liba.so")):  # fmt: skip
        assert found(layout({EXTENSION: linked(name)}), around)[name].path == Path(path)
    origin = layout({EXTENSION: linked("$ORIGIN/liba.so"), EXTENSION.replace("x.so", "liba.so"): linked()})
    find = found(origin)["$ORIGIN/liba.so"]
    assert (inside(find), find.sure) == (EXTENSION.replace("x.so", "liba.so"), False)


def test_the_systems_own_by_a_path_is_everywhere_and_not_lost() -> None:
    find = found(layout({EXTENSION: linked("/lib/x86_64-linux-gnu/libm.so.6")}))
    assert [(each.everywhere, each.lost, each.path) for each in find.values()] == [(True, False, None)]


def test_a_library_of_the_tree_gets_what_those_who_load_it_give_it() -> None:
    """Alone it would get the system's, which is another version."""
    files = {
        EXTENSION: linked("liba.so", rpath="$ORIGIN/../x.libs"),
        f"{LIBS}/liba.so": linked("libz.so.1"),
        f"{LIBS}/libz.so.1": linked(),
    }
    find = found(layout(files), Around({"/s/libz.so.1": linked()}, "/s"), f"{LIBS}/liba.so")["libz.so.1"]
    assert (inside(find), find.sure, find.others) == (f"{LIBS}/libz.so.1", True, ())
    files["lib/python3.13/site-packages/y.so"] = linked("liba.so", rpath="$ORIGIN/links")
    links = {"lib/python3.13/site-packages/links/liba.so": f"{LIBS}/liba.so"}
    tree = layout(files, links)
    find = found(tree, Around({"/s/libz.so.1": linked()}, "/s"), f"{LIBS}/liba.so")["libz.so.1"]
    assert (inside(find), find.sure, find.others) == (f"{LIBS}/libz.so.1", False, (Path("/s/libz.so.1"),))


def test_a_library_from_outside_gets_what_it_gets_alone() -> None:
    files = {EXTENSION: linked("liba.so", rpath="$ORIGIN/../x.libs"), f"{LIBS}/libz.so.1": linked()}
    around = Around({"/s/liba.so": linked("libz.so.1"), "/s/libz.so.1": linked()}, "/s")
    finds = resolve(layout(files), around)
    assert [find.path for find in finds[Path("/s/liba.so")]] == [Path("/s/libz.so.1")]


def test_libraries_that_need_each_other_come_to_an_end() -> None:
    rpath = "$ORIGIN:$ORIGIN/../x.libs"
    files = {
        EXTENSION: linked("liba.so", rpath=rpath),
        f"{LIBS}/liba.so": linked("libb.so", rpath=rpath),
        f"{LIBS}/libb.so": linked("liba.so", rpath=rpath),
    }
    assert inside(found(layout(files), user=f"{LIBS}/libb.so")["liba.so"]) == f"{LIBS}/liba.so"


def test_an_entry_that_depends_on_the_current_folder_leads_nowhere() -> None:
    tree = layout({})
    assert [tree.folder(entry, "/x") for entry in ("", ".", "lib", "$LIB")] == [""] * 4
    assert tree.inside("/elsewhere") is None
    assert tree.inside(f"{ROOT}/lib") == PurePosixPath("lib")


def test_the_environment_is_read_each_time_and_auditwheels_variable_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("AUDITWHEEL_LD_LIBRARY_PATH", raising=False)
    monkeypatch.setenv("LD_LIBRARY_PATH", f"{tmp_path}:/gone")
    assert system_folders(LibcFamily.GLIBC)[0] == (str(tmp_path),)
    (tmp_path / "first").mkdir()
    monkeypatch.setenv("AUDITWHEEL_LD_LIBRARY_PATH", str(tmp_path / "first"))
    assert system_folders(LibcFamily.GLIBC)[0] == (str(tmp_path / "first"), str(tmp_path))
    monkeypatch.setenv("LD_LIBRARY_PATH", "$ORIGIN/lib")
    with pytest.raises(UsageError, match="LD_LIBRARY_PATH"):
        system_folders(LibcFamily.GLIBC)


def test_what_lies_outside_is_read_with_its_links_followed(binaries: Path, tmp_path: Path) -> None:
    (tmp_path / "link.so").symlink_to(binaries / "libouter.so.1")
    (tmp_path / "script.so").write_text("INPUT(libouter.so.1)")
    (tmp_path / "cut.so").write_bytes((binaries / "main").read_bytes()[:100])
    outside = Outside()
    real, what = outside.read(str(tmp_path / "link.so")) or (None, None)
    assert real == binaries / "libouter.so.1"
    assert isinstance(what, Linkage)
    assert (what.soname, what.program) == ("libouter.so.1", False)
    for name in ("script.so", "cut.so", "gone.so"):
        assert outside.read(str(tmp_path / name)) is None
