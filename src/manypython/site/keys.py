"""Keys and signatures of a site, by The Update Framework's own library.

Four roles, each with a key of its own. ``root`` says which keys count and belongs in a
drawer: it is needed only to begin and to rotate. The others sign what is published; ``timestamp``
is short-lived, so that nobody can show an old site for long.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import load_pem_private_key
from securesystemslib.exceptions import UnverifiedSignatureError
from securesystemslib.signer import CryptoSigner, SSlibKey
from tuf.api.exceptions import StorageError
from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp
from tuf.api.serialization import DeserializationError
from tuf.api.serialization.json import JSONSerializer

from manypython.files import write_bytes
from manypython.model.errors import OutputError, TrustError

ROLES = ("root", "targets", "snapshot", "timestamp")
LIFETIMES = {"root": 730, "targets": 365, "snapshot": 90, "timestamp": 30}
"""Days until each has to be signed anew (``publish`` without archives does)."""
_FOLDER = "metadata"
_INDEX = "index.json"
FIRST_ROOT = f"{_FOLDER}/1.root.json"
_JSON = JSONSerializer(compact=False)
_Signers = dict[str, tuple[CryptoSigner, ...]]
"""By role: one, or the old and the new."""


@dataclass(frozen=True)
class State:
    """One role of a site."""

    role: str
    version: int
    keys: tuple[str, ...]
    """Key ids."""
    expires: datetime
    here: bool
    """Whether its private key is in the folder of keys."""


def create(folder: Path) -> tuple[Path, ...]:
    """Make a key for each role that has none yet, readable by its owner alone.

    Raises:
        OutputError: the folder cannot be written.
    """
    missing = [role for role in ROLES if not _files(folder, role)]
    return tuple(_save(folder / f"{role}.pem", CryptoSigner.generate_ed25519()) for role in missing)


def sign(site: Path, folder: Path, index: bytes, now: datetime) -> dict[str, bytes]:
    """Signed metadata for an index: the new files, in the order in which they must be written.

    Args:
        site: the folder with the metadata published so far.
        folder: the keys; root's is needed for a site that has no root yet.
        index: the bytes of ``index.json``.
        now: lifetimes begin here.

    Raises:
        TrustError: a key is missing, is no key, or is not the one the site's root names.
    """
    files: dict[str, bytes] = {}
    root = newest_root(site)
    if root is None:
        root = _first_root(folder, now)
        files[FIRST_ROOT] = root.to_bytes(_JSON)
    signers: _Signers = {role: (_load(folder, role, root),) for role in ROLES[1:]}
    return files | _metadata_for(site, index, now, signers)


def rotate(site: Path, folder: Path, role: str, index: bytes, now: datetime) -> dict[str, bytes]:
    """A new key for a role, and everything signed so that clients follow at any moment.

    What the role signs is signed by the old and the new key and comes first; the root that
    names the new key comes last, signed by the old root keys (and its own new one). The new
    private key is ``ROLE.VERSION.pem``, beside the old one: the one that the published
    root names is used, so being killed in between does no harm.

    Raises:
        TrustError: the site has no root, or a key is missing.
        OutputError: the folder cannot be written.
    """
    root = newest_root(site)
    if root is None:
        raise TrustError(f"{site}: has no root yet", remedy="publish to it first")
    signers: _Signers = {name: (_load(folder, name, root),) for name in ROLES}
    old, new = signers["root"][0], CryptoSigner.generate_ed25519()
    _save(folder / f"{role}.{root.signed.version + 1}.pem", new)
    signers[role] = (*signers[role], new)
    files = _metadata_for(site, index, now, signers)
    for keyid in tuple(root.signed.roles[role].keyids):
        root.signed.revoke_key(keyid, role)
    root.signed.add_key(new.public_key, role)
    root.signed.version += 1
    root.signed.expires = _expires("root", now)
    root.signatures.clear()
    for signer in (old, new) if role == "root" else (old,):
        root.sign(signer, append=True)
    return files | {f"{_FOLDER}/{root.signed.version}.root.json": root.to_bytes(_JSON)}


def _metadata_for(site: Path, index: bytes, now: datetime, signers: _Signers) -> dict[str, bytes]:
    """The signed files of an index besides the root: only new ones, the timestamp last."""
    files = {f"targets/{hashlib.sha256(index).hexdigest()}.{_INDEX}": index}
    content: Any = {_INDEX: TargetFile.from_data(_INDEX, index, ["sha256"])}
    for role, name, begin in (
        ("targets", "targets", Targets()),
        ("snapshot", "meta", Snapshot()),
        ("timestamp", "snapshot_meta", Timestamp()),
    ):
        metadata = _next(site, role, begin)
        if getattr(metadata.signed, name) != content or _is_due(metadata, signers[role], now):
            setattr(metadata.signed, name, content)
            _sign(metadata, signers[role], now, files)
        version = MetaFile(metadata.signed.version)
        content = {"targets.json": version} if role == "targets" else version
    return files


def states(site: Path, folder: Path | None) -> tuple[State, ...]:
    """Each role's version, keys and date.

    Args:
        site: its folder.
        folder: the private keys; None: there is no folder of them here.

    Raises:
        TrustError: the site is not signed.
    """
    root = newest_root(site)
    if root is None:
        raise TrustError(f"{site}: is not signed", remedy="publish to it without --unsigned")
    states_now = []
    for role in ROLES:
        signed = root if role == "root" else _next(site, role, None)
        keys = tuple(root.signed.roles[role].keyids)
        here = folder is not None and _keyid(folder, role) in keys
        states_now.append(State(role, signed.signed.version, keys, signed.signed.expires, here))
    return tuple(states_now)


def fingerprint(site: Path) -> str:
    """``sha256:HEX`` of the site's first root: what its users pin; empty where it is not signed."""
    try:
        return pin((site / FIRST_ROOT).read_bytes())
    except OSError:
        return ""


def pin(root: bytes) -> str:
    """What users name to trust a root: ``sha256:HEX``."""
    return f"sha256:{hashlib.sha256(root).hexdigest()}"


def newest_root(site: Path) -> Metadata[Root] | None:
    """The root with the highest version; None where there is none."""
    versions = [int(path.name.partition(".")[0]) for path in (site / _FOLDER).glob("[0-9]*.root.json")]
    return _read(site, f"{max(versions)}.root", Root) if versions else None


def _first_root(folder: Path, now: datetime) -> Metadata[Root]:
    signers = {role: _load(folder, role, None) for role in ROLES}
    root = Metadata(Root(version=1, expires=_expires("root", now), consistent_snapshot=True))
    for role, signer in signers.items():
        root.signed.add_key(signer.public_key, role)
    root.sign(signers["root"])
    return root


def _next(site: Path, role: str, begin: Any) -> Metadata[Any]:  # noqa: ANN401  (one of tuf's three)
    """The newest metadata of a role; ``begin`` with version 0 where there is none."""
    kinds: dict[str, Any] = {"targets": Targets, "snapshot": Snapshot, "timestamp": Timestamp}
    if role == "timestamp":
        name = role if (site / _FOLDER / "timestamp.json").exists() else ""
    else:
        versions = [int(path.name.partition(".")[0]) for path in (site / _FOLDER).glob(f"[0-9]*.{role}.json")]
        name = f"{max(versions)}.{role}" if versions else ""
    if name:
        return _read(site, name, kinds[role])
    if begin is None:
        raise TrustError(f"{site}: has no {role} metadata", remedy="publish to it again")
    begin.version = 0
    return Metadata(begin)


def _read(site: Path, name: str, kind: Any) -> Metadata[Any]:  # noqa: ANN401
    path = site / _FOLDER / f"{name}.json"
    try:
        return Metadata[kind].from_file(str(path))
    except (StorageError, DeserializationError) as error:
        raise TrustError(f"{path}: cannot be read: {error}") from None


def _is_due(metadata: Metadata[Any], signers: tuple[CryptoSigner, ...], now: datetime) -> bool:
    """Whether it is not signed by all of these, or half its lifetime is over."""
    if metadata.signed.version == 0:
        return True
    try:
        for key in (signer.public_key for signer in signers):
            key.verify_signature(metadata.signatures[key.keyid], metadata.signed_bytes)
    except (KeyError, UnverifiedSignatureError):
        return True
    life = timedelta(days=LIFETIMES[metadata.signed.type])
    return bool(metadata.signed.expires - now < life / 2)


def _sign(
    metadata: Metadata[Any], signers: tuple[CryptoSigner, ...], now: datetime, files: dict[str, bytes]
) -> None:
    role = metadata.signed.type
    metadata.signed.version += 1
    metadata.signed.expires = _expires(role, now)
    metadata.signatures.clear()
    for signer in signers:
        metadata.sign(signer, append=True)
    name = role if role == "timestamp" else f"{metadata.signed.version}.{role}"
    files[f"{_FOLDER}/{name}.json"] = metadata.to_bytes(_JSON)


def _expires(role: str, now: datetime) -> datetime:
    return (now + timedelta(days=LIFETIMES[role])).replace(microsecond=0)


def _load(folder: Path, role: str, root: Metadata[Root] | None) -> CryptoSigner:
    """A role's key: the one that the root names, the newest where there is no root yet."""
    paths = _files(folder, role)
    if not paths:
        raise TrustError(f"{folder}: has no {role} key", remedy="name the site's own keys with --keys")
    for path in paths:
        try:
            private: Any = load_pem_private_key(path.read_bytes(), None)
            signer = CryptoSigner(private, SSlibKey.from_crypto(private.public_key()))
        except OSError as error:
            raise TrustError(f"{path}: no key: {error.strerror}") from None
        except (ValueError, TypeError) as error:
            raise TrustError(f"{path}: is no private key without a passphrase: {error}") from None
        if root is None or signer.public_key.keyid in root.signed.roles[role].keyids:
            return signer
    raise TrustError(
        f"{paths[0]}: is not the {role} key that the site's root names",
        remedy="name the site's own keys with --keys",
    )


def _files(folder: Path, role: str) -> list[Path]:
    """The private keys of a role, newest first."""
    matches = ((re.fullmatch(rf"{role}(?:\.(\d+))?\.pem", path.name), path) for path in folder.glob("*.pem"))
    dated = sorted(((int(match[1] or 1), path) for match, path in matches if match), reverse=True)
    return [path for _, path in dated]


def _keyid(folder: Path, role: str) -> str:
    try:
        return str(_load(folder, role, None).public_key.keyid)
    except TrustError:
        return ""


def _save(path: Path, signer: CryptoSigner) -> Path:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise OutputError(
            f"{path.parent}: cannot be made: {error.strerror}",
            remedy="name a folder that can be written with --keys",
        ) from None
    write_bytes(path, signer.private_bytes, 0o600)
    return path
