from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.contract.library.studio import Studio, running


@pytest.fixture
async def studio(short_tmp: Path) -> AsyncIterator[Studio]:
    """A running library that takes uploads of up to 5 MB."""
    async with running(short_tmp, max_upload_bytes=5_000_000) as opened:
        yield opened
