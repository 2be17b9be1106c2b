"""What TUF's specification calls attacks (section 1.5.2), each tried on a site of ours."""

from __future__ import annotations

import hashlib
import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sites import MadeSite, days

from manypython import fetch, files
from manypython.model import errors
from manypython.site import keys


def metadata(site: MadeSite, name: str) -> Path:
    return Path(site.folder, "metadata", name)


def taken(site: MadeSite, **options: Any) -> str:
    """The build that a fetch takes."""
    return fetch("3.13", index=str(site.folder), upgrade=True, **options).key


def rewrite(site: MadeSite, contents: dict[str, bytes]) -> None:
    for path, data in contents.items():
        files.write_bytes(site.folder / path, data)


def snapshot_of(site: MadeSite, tmp_path: Path) -> Path:
    """The whole site as it is now."""
    copy = tmp_path / "as it was"
    shutil.copytree(site.folder, copy)
    return copy


def put_back(site: MadeSite, copy: Path) -> None:
    shutil.rmtree(site.folder)
    shutil.copytree(copy, site.folder)


def test_rollback_an_older_index_is_refused(site: MadeSite, tmp_path: Path) -> None:
    taken(site, trust=site.trust)
    old = snapshot_of(site, tmp_path)
    site.add(number=20261201)
    site.publish()
    assert "+20261201" in taken(site)
    put_back(site, old)
    with pytest.raises(errors.TrustError, match="rollback"):
        taken(site)
    with pytest.raises(errors.TrustError, match="rollback"):
        taken(site, trust=site.trust)


@pytest.mark.parametrize(("age", "fine"), [(29, True), (31, False)])
def test_freeze_an_index_that_is_shown_too_long_is_refused(age: int, fine: bool, site: MadeSite) -> None:
    shutil.rmtree(site.folder / "metadata")
    site.publish(days(-age))
    if fine:
        assert taken(site, trust=site.trust)
        return
    with pytest.raises(errors.TrustError, match="has expired") as caught:
        taken(site, trust=site.trust)
    assert str(datetime.now(UTC).date()) in caught.value.remedy


def test_mix_and_match_parts_of_two_moments_are_refused(site: MadeSite, tmp_path: Path) -> None:
    old = snapshot_of(site, tmp_path)
    site.add(number=20261201)
    site.publish()
    shutil.copy(old / "metadata/1.targets.json", metadata(site, "2.targets.json"))
    with pytest.raises(errors.TrustError):
        taken(site, trust=site.trust)


def test_another_index_under_a_signed_name_is_refused(site: MadeSite) -> None:
    (target,) = Path(site.folder, "targets").iterdir()
    target.write_bytes(target.read_bytes().replace(b"3.13.15", b"3.13.14"))
    with pytest.raises(errors.TrustError, match="does not fit"):
        taken(site, trust=site.trust)


def test_a_compromised_mirror_is_survived(site: MadeSite, tmp_path: Path) -> None:
    taken(site, trust=site.trust)
    mirror = snapshot_of(site, tmp_path)
    site.add(number=20261201)
    site.publish()
    evil = tmp_path / "evil"
    shutil.copytree(site.folder, evil)
    (target,) = [p for p in (evil / "targets").iterdir() if b"20261201" in p.read_bytes()]
    target.write_bytes(b"{}")
    for path in (evil / "python-build-standalone").rglob("*.zip"):
        path.write_bytes(bytes(path.stat().st_size))
    found = fetch("3.13", index=str(evil), mirrors=[str(site.folder)], trust=site.trust, upgrade=True)
    assert "+20261201" in found.key
    assert fetch("3.13", index=str(mirror), mirrors=[str(site.folder)], trust=site.trust, upgrade=True)


def test_keys_of_a_stranger_do_not_count(site: MadeSite, tmp_path: Path) -> None:
    taken(site, trust=site.trust)
    shutil.rmtree(site.folder / "metadata")
    site.keys = tmp_path / "strange keys"
    keys.create(site.keys)
    site.add(number=20261201)
    site.publish()
    with pytest.raises(errors.TrustError, match="not signed by those who may"):
        taken(site)


def test_a_signature_of_too_few_is_refused(site: MadeSite) -> None:
    path = metadata(site, "timestamp.json")
    told = json.loads(path.read_bytes())
    told["signatures"] = []
    path.write_text(json.dumps(told))
    with pytest.raises(errors.TrustError, match="not signed by those who may"):
        taken(site, trust=site.trust)


def test_a_pinned_site_cannot_be_turned_into_an_unsigned_one(site: MadeSite) -> None:
    taken(site, trust=site.trust)
    shutil.rmtree(site.folder / "metadata")
    with pytest.raises(errors.DownloadError):
        taken(site, allow_unsigned=True)


@pytest.mark.parametrize("trust", ["sha256:" + "0" * 64, "no/such/file"])
def test_another_root_than_the_pinned_one_is_refused(site: MadeSite, trust: str) -> None:
    with pytest.raises(errors.TrustError):
        taken(site, trust=trust)


def test_a_wrong_root_that_was_named_once_changes_nothing(site: MadeSite, tmp_path: Path) -> None:
    other = tmp_path / "other"
    keys.create(other)
    wrong = tmp_path / "wrong.json"
    files = keys.sign(tmp_path / "nowhere", other, site.index(), datetime.now(UTC))
    wrong.write_bytes(files["metadata/1.root.json"])
    with pytest.raises(errors.TrustError):
        taken(site, trust=str(wrong))
    with pytest.raises(errors.TrustError, match="nothing is known"):
        taken(site)
    assert taken(site, trust=site.trust)
    with pytest.raises(errors.TrustError):
        taken(site, trust=str(wrong))
    assert taken(site), "the pinned root is still there"


@pytest.mark.parametrize("role", keys.ROLES)
def test_keys_rotate_and_the_old_one_counts_no_more(site: MadeSite, role: str, tmp_path: Path) -> None:
    taken(site, trust=site.trust)
    thief = tmp_path / "stolen"
    shutil.copytree(site.keys, thief)
    rewrite(site, keys.rotate(site.folder, site.keys, role, site.index(), datetime.now(UTC)))
    site.add(number=20261201)
    site.publish()
    assert "+20261201" in taken(site), "a client that knows the first root follows"
    assert keys.newest_root(site.folder).signed.version == 2  # type: ignore[union-attr]
    site.keys = thief
    if role == "root":
        with pytest.raises(errors.TrustError, match="is not the root key"):
            keys.rotate(site.folder, thief, "targets", site.index(), datetime.now(UTC))
    else:
        with pytest.raises(errors.TrustError, match=f"is not the {role} key"):
            site.publish()


@pytest.mark.parametrize("role", keys.ROLES)
def test_clients_follow_at_every_moment_of_a_rotation(role: str, site: MadeSite) -> None:
    files = keys.rotate(site.folder, site.keys, role, site.index(), datetime.now(UTC))
    assert list(files)[-1] == "metadata/2.root.json"
    for path, data in files.items():
        rewrite(site, {path: data})
        assert taken(site, trust=site.trust), f"after {path}"


def test_a_new_client_follows_from_the_first_root_to_the_last(site: MadeSite) -> None:
    for role in ("timestamp", "root", "root", "targets"):
        rewrite(site, keys.rotate(site.folder, site.keys, role, site.index(), datetime.now(UTC)))
        site.publish()
    assert taken(site, trust=site.trust)
    newest = metadata(site, "5.root.json")
    assert taken(site, trust=f"sha256:{hashlib.sha256(newest.read_bytes()).hexdigest()}")


def test_being_killed_between_new_key_and_new_root_harms_nothing(site: MadeSite) -> None:
    keys.rotate(
        site.folder, site.keys, "timestamp", site.index(), datetime.now(UTC)
    )  # its files are never written
    site.add(number=20261201)
    site.publish()
    assert taken(site, trust=site.trust)


def test_a_clock_ten_years_ahead_is_named(site: MadeSite) -> None:
    shutil.rmtree(site.folder / "metadata")
    site.publish(days(-3650))
    with pytest.raises(errors.TrustError, match="or this machine's clock is wrong") as caught:
        taken(site, trust=site.trust)
    assert "by this machine's clock" in caught.value.remedy


def test_a_clock_ten_years_behind_is_no_reason(site: MadeSite) -> None:
    shutil.rmtree(site.folder / "metadata")
    site.publish(days(3650))
    assert taken(site, trust=site.trust)


def test_endless_metadata_is_cut_off(site: MadeSite) -> None:
    metadata(site, "timestamp.json").write_bytes(b" " * (1 << 20))
    with pytest.raises((errors.DownloadError, errors.TrustError)):
        taken(site, trust=site.trust)


def test_what_is_new_alone_is_signed_anew(site: MadeSite) -> None:
    now = datetime.now(UTC)
    assert list(keys.sign(site.folder, site.keys, site.index(), now)) == [
        f"targets/{hashlib.sha256(site.index()).hexdigest()}.index.json"
    ]
    later = keys.sign(site.folder, site.keys, site.index(), now + timedelta(days=16))
    assert list(later)[1:] == ["metadata/timestamp.json"], "half of its thirty days are over"
    later = keys.sign(site.folder, site.keys, site.index(), now + timedelta(days=50))
    assert list(later)[1:] == ["metadata/2.snapshot.json", "metadata/timestamp.json"]


def test_keys_are_for_their_owner(site: MadeSite) -> None:
    assert {path.stat().st_mode & 0o777 for path in site.keys.glob("*.pem")} == {0o600}
    assert site.keys.stat().st_mode & 0o777 == 0o700
    assert [state.here for state in keys.states(site.folder, site.keys)] == [True] * 4
    (site.keys / "root.pem").unlink()
    assert [state.here for state in keys.states(site.folder, site.keys)] == [False, True, True, True]
    site.add(number=20261201)
    site.publish()  # root's key is in a drawer
    (site.keys / "targets.pem").write_text("nonsense")
    with pytest.raises(errors.TrustError, match=r"targets\.pem: is no private key"):
        site.publish()
