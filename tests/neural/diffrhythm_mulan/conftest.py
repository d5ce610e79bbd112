from __future__ import annotations

from pathlib import Path

import pytest

from services.inference.engines.diffrhythm.mulan import MuqMulan
from services.inference.engines.diffrhythm.mulan.tiny import Folders, write_tiny_mulan


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    """The three models, tiny; a test may change them."""
    return write_tiny_mulan(tmp_path)


@pytest.fixture
def encoder(folders: Folders) -> MuqMulan:
    """Their encoder."""
    return MuqMulan.from_folders(*folders)
