from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from services.inference.models.licences import CC_BY_NC_4, MIT, Acceptances

pytestmark = pytest.mark.unit


def test_accepting(tmp_path: Path) -> None:
    """A licence counts for the model that it was accepted for, also after a restart, until it
    is another licence; one that need not be accepted always counts."""
    path = tmp_path / "models" / "licences.json"
    accepted = Acceptances(path)
    assert accepted.covers("m", MIT)
    assert not accepted.covers("m", CC_BY_NC_4)
    accepted.accept("m", CC_BY_NC_4)
    accepted.accept("m", CC_BY_NC_4)
    assert Acceptances(path).covers("m", CC_BY_NC_4)
    assert not accepted.covers("other", CC_BY_NC_4)
    assert not accepted.covers("m", dataclasses.replace(CC_BY_NC_4, id="CC-BY-NC-5.0"))
    assert [p.name for p in path.parent.iterdir()] == ["licences.json"]


@pytest.mark.parametrize("content", [b"", b"[]", b'{"m": 7}', b"\xff"])
def test_a_damaged_file_accepts_nothing(tmp_path: Path, content: bytes) -> None:
    """What can't be read counts as nothing accepted, and can be written anew."""
    path = tmp_path / "licences.json"
    path.write_bytes(content)
    accepted = Acceptances(path)
    assert not accepted.covers("m", CC_BY_NC_4)
    accepted.accept("m", CC_BY_NC_4)
    assert accepted.covers("m", CC_BY_NC_4)
