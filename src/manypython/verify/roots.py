"""Foreign roots: other people's userlands to run the product in. Here: a real glibc 2.17."""

from __future__ import annotations

import shutil
import tarfile
import tempfile
from importlib import util
from pathlib import Path

from filelock import FileLock

from manypython import process
from manypython.model.errors import HostToolError
from manypython.model.tree import Tree
from manypython.progress import Reporter

_MARK = "/sysroot/lib/"


def glibc_2_17(cache: Path, architecture: str, reporter: Reporter) -> Path:
    """The ``lib`` folder of a glibc 2.17 sysroot, unpacked once from the ``ppbt`` package.

    Raises:
        HostToolError: the package is not installed, or holds no such sysroot.
    """
    folder = cache / "roots" / f"glibc-2.17-{architecture}"
    spec = util.find_spec("ppbt")
    if spec is None or spec.origin is None:
        raise HostToolError(
            "a real glibc 2.17 to test on is missing: Python package ppbt is not installed",
            remedy="pip install 'manypython[build]'",
        )
    archive = Path(spec.origin).parent / "_toolchain" / f"{architecture}-linux-gnu.tar.xz"
    if not archive.is_file():
        raise HostToolError(f"{archive}: missing, so there is no glibc 2.17 for {architecture}")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        if not folder.is_dir():
            with reporter.step("unpack glibc 2.17"):
                _unpack(archive, folder)
    return folder


def _unpack(archive: Path, folder: Path) -> None:
    scratch = Path(tempfile.mkdtemp(dir=folder.parent))
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                _, mark, name = member.name.partition(_MARK)
                if mark and "/" not in name and ".so" in name and (member.isfile() or member.issym()):
                    member.name = name
                    tar.extract(member, scratch, set_attrs=False)
        for path in scratch.iterdir():
            if not path.is_symlink():
                path.chmod(0o755)
        if not (scratch / "ld-2.17.so").is_file():
            raise HostToolError(f"{archive}: holds no ld-2.17.so")
        scratch.chmod(0o755)
        scratch.rename(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def command(tree: Tree, libraries: Path, program: Path) -> tuple[str, tuple[str, ...]]:
    """How to run the product there: in a bubblewrap root, or by the loader where that can't be.

    Returns:
        What it is called in reports, and the first words of the command.
    """
    python = f"bin/{tree.executable.name}"
    bwrap = shutil.which("bwrap")
    if bwrap:
        words = (
            bwrap, "--unshare-all", "--die-with-parent", "--new-session",
            "--ro-bind", str(libraries), "/lib64", "--ro-bind", str(tree.root), "/opt/py thon",
            "--ro-bind", str(program), "/probe.py",
            "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--chdir", "/tmp",
        )  # fmt: skip
        argv = (*words, f"/opt/py thon/{python}", "-I", "-B", "/probe.py")
        if process.run((*argv[:-1], "-c", "pass"), env={}, check=False).returncode == 0:
            return "glibc 2.17 root (bubblewrap)", argv
    loader = (str(libraries / "ld-2.17.so"), "--library-path", str(libraries))
    return "glibc 2.17 (its loader)", (*loader, str(tree.root / python), "-I", "-B", str(program))
