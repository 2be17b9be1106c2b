"""The digest of the image that a tag stands for now (OCI Distribution Specification 1.1)."""

from __future__ import annotations

import json
import os
import re

import urllib3

from manypython.compile.sources import answer
from manypython.http.connections import plain
from manypython.model.errors import SourceError

_MANIFESTS = (
    "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, "
    "application/vnd.docker.distribution.manifest.v2+json"
)


OK = 200
_UNAUTHORIZED = 401


def registry_digest(tag: str) -> str:
    """The digest that a tag stands for, asked of the registry itself.

    Source: OCI Distribution Specification 1.1, "Checking if content exists in the registry".

    Args:
        tag: ``quay.io/pypa/manylinux_2_28_x86_64:latest``.

    Raises:
        SourceError: the registry does not answer or has no such tag.
    """
    host, _, rest = tag.partition("/")
    name, _, label = rest.rpartition(":")
    server = "registry-1.docker.io" if host == "docker.io" else host
    # a registry on this machine speaks plain HTTP, for docker and podman too
    scheme = "http" if server.partition(":")[0] in ("localhost", "127.0.0.1") else "https"
    url = f"{scheme}://{server}/v2/{name}/manifests/{label}"
    headers = {"Accept": _MANIFESTS}
    try:
        with answer(url, "HEAD", headers) as first:
            status, answer_headers = first.status, first.headers
        if status == _UNAUTHORIZED:
            headers["Authorization"] = f"Bearer {_token(answer_headers.get('WWW-Authenticate', ''))}"
            with answer(url, "HEAD", headers) as second:
                status, answer_headers = second.status, second.headers
    except urllib3.exceptions.HTTPError as error:
        raise SourceError(f"{url}: {plain(error)}") from None
    digest = answer_headers.get("Docker-Content-Digest", "")
    if status != OK or not re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
        raise SourceError(f"{url}: answered {status} and no digest")
    return digest


def _token(challenge: str) -> str:
    """An anonymous token for the realm a registry names (RFC 6750, distribution's token protocol)."""
    fields = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
    realm = fields.pop("realm", "")
    query = "&".join(f"{key}={value}" for key, value in fields.items() if key in ("service", "scope"))
    document = json.loads(page(f"{realm}?{query}"))
    return str(document.get("token") or document.get("access_token") or "")


def page(url: str) -> str:
    """The text at an address; GitHub's API is asked with the workflow's token, where there is one.

    Raises:
        SourceError: it cannot be fetched.
    """
    token = os.environ.get("GITHUB_TOKEN", "")
    private = token and url.startswith("https://api.github.com/")
    try:
        with answer(url, headers={"Authorization": f"Bearer {token}"} if private else None) as response:
            if response.status != OK:
                raise SourceError(f"{url}: answered {response.status} {response.reason}")
            return response.read().decode("utf-8", "replace")
    except urllib3.exceptions.HTTPError as error:
        raise SourceError(f"{url}: {plain(error)}") from None
