"""What of this machine a root needs to reach a package index at all; nothing else is carried over."""

from __future__ import annotations

import os
import re
import shutil
import ssl
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
"""Where Debian keeps the certificates."""
_REACH = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout", "retries", "cert")
_PIP = re.compile(r"^(:env:|\w+)\.(?:default-)?([\w-]+)='(.*)'$", re.MULTILINE)
_APT = re.compile(r"^Acquire::(?:(?:https?|ftp)::Proxy\b.*|Check-Valid-Until|Check-Date|Retries) .*;$")
_NAMED = re.compile(
    r"((https?|all|no)_proxy|UV_DEFAULT_INDEX|UV_INDEX_URL|npm_config_registry|MANYPYTHON_DEBIAN_MIRROR)",
    re.IGNORECASE,
)
_CERTIFIED = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")


def carry(root: Path) -> None:
    """Write this machine's resolver, certificates, and pip's and apt's ways into a root."""
    for path in (Path("/etc/resolv.conf"), Path("/etc/hosts")):
        if path.is_file():
            shutil.copyfile(path, root / "etc" / path.name)
    verified = ssl.get_default_verify_paths()
    bundle = os.environ.get("SSL_CERT_FILE") or (BUNDLE if Path(BUNDLE).exists() else verified.cafile)
    if bundle:
        shutil.copyfile(bundle, f"{root}{BUNDLE}")
    (root / "etc/pip.conf").write_text(pip_conf(_said(sys.executable, "-m", "pip", "config", "list")))
    apt = _said("apt-config", "dump", "Acquire") if shutil.which("apt-config") else ""
    (root / "etc/apt/apt.conf.d/90machine").write_text(apt_conf(apt.splitlines()))


def environment(here: Mapping[str, str]) -> dict[str, str]:
    """The variables of an environment that say how to reach an index, with Debian's place of certificates."""
    kept = {name: value for name, value in here.items() if _NAMED.fullmatch(name)}
    return kept | {name: BUNDLE for name in _CERTIFIED if here.get(name)}


def pip_conf(listed: str) -> str:
    """The ``pip.conf`` for a root, from what ``pip config list`` says here.

    Folders of this machine, constraints and the like stay behind: a newcomer has none.
    """
    order = {"global": 0, ":env:": 2}
    found = sorted(_PIP.findall(listed), key=lambda each: order.get(each[0], 1))
    lines = {}
    for _, name, value in found:
        kept = [word for word in value.replace("\\n", " ").split() if not word.startswith(("file:", "/"))]
        words = [BUNDLE] if name == "cert" else kept
        if name in _REACH and words:
            lines[name] = f"{name} = {' '.join(words)}\n"
    return f"[global]\n{''.join(lines.values())}"


def apt_conf(dumped: Iterable[str]) -> str:
    """The lines of ``apt-config dump`` on proxies and stale lists."""
    return "".join(f"{line}\n" for line in dumped if _APT.match(line))


def _said(*words: str) -> str:
    return subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True).stdout
