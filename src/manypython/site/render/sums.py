"""``SHA256SUMS``, for ``sha256sum -c`` from the root of the site."""

from __future__ import annotations

from manypython.index.model import Index


def render(index: Index) -> dict[str, bytes]:
    """Every archive and repack of every build, by path."""
    sums = {file.path: file.sha256 for build in index.builds for file in build.files}
    return {"SHA256SUMS": "".join(f"{digest}  {path}\n" for path, digest in sorted(sums.items())).encode()}
