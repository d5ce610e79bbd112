"""What all tests share: a category for each, and a real Valkey server."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.valkey import Valkey

CATEGORIES = {"unit", "contract", "e2e", "golden"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse tests that don't say what kind they are."""
    for item in items:
        found = CATEGORIES & {mark.name for mark in item.iter_markers()}
        if len(found) != 1:
            raise pytest.UsageError(f"{item.nodeid}: needs exactly one of {sorted(CATEGORIES)}")


@pytest.fixture
def short_tmp() -> Iterator[Path]:
    """A folder with a path short enough for Unix sockets (108 bytes)."""
    folder = Path(tempfile.mkdtemp(prefix="mg-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def _valkey() -> Iterator[Valkey]:
    folder = Path(tempfile.mkdtemp(prefix="mg-valkey-"))
    server = Valkey(folder)
    server.start()
    yield server
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def valkey(_valkey: Valkey) -> Valkey:
    """A running, empty server that the tests share; one that a test killed is started again."""
    _valkey.start()
    _valkey.empty()
    return _valkey
