"""Profile-guided optimisation: an interpreter counts what it does, and is compiled again by the counts.

Not by CPython's own ``make profile-opt``, because it has one profile for all: its training
(``-m test --pgo``) visits the standard library's modules for their odd cases, and what is built into the
interpreter is measured with one scale: what counts too little is optimised for size. So a programme of
everyday work (``workload.py``) adds its counts to those of the tests. Figures: ``docs/performance.md``.
"""

from __future__ import annotations

from importlib import resources

from manypython.compile.steps import Workshop
from manypython.model.errors import BuildError

LOOP = "Python/ceval"
"""The file whose training matters most: the interpreter's loop."""
_SUFFIX = ".gcda"
_HELPERS = ("_bootstrap_python", "Programs/_freeze_module", "Programs/_testembed")
INSTRUMENTED = ("-fprofile-generate",)
TRAINED = ("-fprofile-use", "-fprofile-correction", "-Wno-missing-profile")


def train(shop: Workshop, settings: dict[str, str]) -> None:
    """Put the instrumented interpreter to work: it writes the counts of each file beside its object.

    Args:
        shop: where it stands, instrumented.
        settings: variables it was built with.

    Raises:
        BuildError: it does not run.
    """
    for path in shop.source.rglob(f"*{_SUFFIX}"):
        path.unlink()  # of the build itself, which runs the interpreter as well
    # a test that fails under the training is no reason to throw the training away
    shop.run("sh", "-c", "./python -m test --pgo --timeout=600 || true", env=settings)
    program = resources.files("manypython.compile").joinpath("workload.py").read_text(encoding="utf-8")
    (shop.source / "workload.py").write_text(program, encoding="utf-8")
    shop.run("./python", "workload.py", env=settings)


def forget_objects(shop: Workshop) -> tuple[str, ...]:
    """Delete what was instrumented, but not the counts and not the programs that only help to build.

    They have done their work, and to link each of them anew takes as long as to link the interpreter.

    Returns:
        arguments with which make does not make the latter again.
    """
    for pattern in ("*.o", "*.so", "*.a"):
        for path in shop.source.rglob(pattern):
            path.unlink()
    (shop.source / "python").unlink()
    return tuple(word for helper in _HELPERS for word in ("-o", helper))


def insist_trained(shop: Workshop) -> None:
    """Insist that the loop was compiled by its counts.

    Raises:
        BuildError: it was not.
    """
    counts = shop.source / f"{LOOP}{_SUFFIX}"
    _insist(
        shop,
        {
            f"no profile {counts.name} was written": not (counts.is_file() and counts.stat().st_size),
            f"{LOOP}.c was not compiled with its profile": TRAINED[0] not in _compile_command(shop),
        },
    )


def insist_optimised(shop: Workshop) -> None:
    """Insist that files were compiled for link-time optimisation.

    Raises:
        BuildError: they were not.
    """
    _insist(shop, {f"{LOOP}.c was not compiled for LTO": "-flto" not in _compile_command(shop)})


def _compile_command(shop: Workshop) -> str:
    """The last command that compiled the interpreter's loop; empty where none did."""
    lines = shop.log.read_text(errors="replace").splitlines()
    return next((line for line in reversed(lines) if line.endswith(f"{LOOP}.c") and " -c " in line), "")


def _insist(shop: Workshop, facts: dict[str, bool]) -> None:
    """Refuse a build of which something wrong holds."""
    if wrong := [fact for fact, holds in facts.items() if holds]:
        raise BuildError(
            f"building {shop.recipe.title}: the {shop.profile.name} profile had no effect: "
            + "; ".join(wrong),
            remedy="see what the log says about the training (`-m test --pgo`)",
            log=shop.log,
        )
