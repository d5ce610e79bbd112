"""One studio for the tests that don't break it, and one each for those that do."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.studio import Studio, studio


@pytest.fixture(scope="session")
def shared_studio() -> Iterator[Studio]:
    """A running studio that all tests share."""
    folder = Path(tempfile.mkdtemp(prefix="mg-e2e-"))
    with studio(folder) as running:
        yield running
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def own_studio(short_tmp: Path) -> Iterator[Studio]:
    """A running studio of the test's own, to be broken."""
    with studio(short_tmp) as running:
        yield running
