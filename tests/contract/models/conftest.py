from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub import Place, open_place


@pytest.fixture
def place(short_tmp: Path) -> Iterator[Place]:
    """A hub with models, none of which is installed."""
    with open_place(short_tmp) as opened:
        yield opened
