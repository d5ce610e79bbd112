from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from musicgen.artifacts import ArtifactStore
from services.library.library import Library


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    """An empty store."""
    return ArtifactStore(tmp_path / "data")


@pytest.fixture
def library(store: ArtifactStore) -> Iterator[Library]:
    """An open library."""
    opened = Library(store)
    opened.open()
    yield opened
    opened.close()
