"""The artifact store: nothing half-written, nothing outside."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from musicgen.artifacts import ArtifactStore
from musicgen.errors import ArtifactNotFound, DiskFull, InvalidField

pytestmark = pytest.mark.unit


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    """A file is not there before it is complete, and nothing is left if writing fails."""
    store = ArtifactStore(tmp_path)
    with store.writing("artifacts/j/1/mix.flac") as path:
        path.write_bytes(b"abc")
        with pytest.raises(ArtifactNotFound):
            store.existing("artifacts/j/1/mix.flac")
    stored = store.stat("artifacts/j/1/mix.flac")
    assert stored.size_bytes == 3
    assert stored.sha256.startswith("ba7816bf")
    writing = store.writing("artifacts/j/1/other")
    writing.__enter__().write_bytes(b"half")
    assert not writing.__exit__(RuntimeError, RuntimeError(), None)
    assert [file.name for file in (tmp_path / "artifacts/j/1").iterdir()] == ["mix.flac"]
    store.remove_prefix("artifacts/j")
    assert not (tmp_path / "artifacts/j").exists()


def test_a_full_disk_is_said(tmp_path: Path) -> None:
    """ENOSPC becomes DISK_FULL; other failures stay what they are."""
    store = ArtifactStore(tmp_path)
    with pytest.raises(DiskFull), store.writing("a/b"):
        raise OSError(errno.ENOSPC, "full")
    with pytest.raises(PermissionError), store.writing("a/b"):
        raise PermissionError


@pytest.mark.parametrize(
    "key",
    [
        "",
        "/etc/passwd",
        "../x",
        "a/../b",
        "a//b",
        ".hidden",
        "a/.x",
        "a\x00b",
        "a/b/",
        "é",
        "x" * 600,
    ],
)
def test_keys_lead_nowhere_else(tmp_path: Path, key: str) -> None:
    """Whatever is no plain relative key is refused."""
    with pytest.raises(InvalidField):
        ArtifactStore(tmp_path).path(key)
