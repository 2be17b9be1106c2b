from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def own_home(home: Path) -> Path:
    """Nothing of the user's settings, store or caches plays a part."""
    return home
