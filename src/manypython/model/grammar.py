"""The one grammar of a build's name, as text: who reads names before anything else compiles only this.

``cpython-3.13.15+20261121-x86_64-unknown-linux-gnu`` is a plain build. What sets another one apart
stands in it: ``x86_64_v3``, a C library newer than most have (``-manylinux_2_31``), how it is linked,
and its variant (``-freethreaded-gcc-release``).
"""

LINKAGES = ("ownloader", "static")
THREADING, DEBUG, TOOLCHAINS, PROFILES = "freethreaded", "debug", ("gcc", "clang"), ("release",)
BUILD = (
    r"(?P<implementation>cpython|pypy)-"
    r"(?P<version>(?P<release>\d+\.\d+\.\d+)(?:(?P<stage>a|b|rc)(?P<serial>\d+))?)\+(?P<number>\d{8})-"
    r"(?P<architecture>[a-z0-9_]+?)(?:_v(?P<level>[2-4]))?-unknown-linux-(?P<abi>gnu|musl)"
    r"(?:-(?P<policy>(?:many|musl)linux_(?P<floor>\d+_\d+)))?"
    rf"(?:-(?P<linkage>{'|'.join(LINKAGES)}))?"
    rf"(?:-(?P<threading>{THREADING}))?(?:-(?P<debug>{DEBUG}))?"
    rf"(?:-(?P<toolchain>{'|'.join(TOOLCHAINS)}))?(?:-(?P<profile>{'|'.join(PROFILES)}))?"
)
"""For ``re.fullmatch``."""
