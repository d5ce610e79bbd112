"""How an engine's host finds the models of its studio."""

from __future__ import annotations

from pathlib import Path

import pytest

from musicgen.errors import ModelNotFound, ModelNotInstalled
from services.inference.models import locate

pytestmark = pytest.mark.unit


def test_whether_there_is_a_studio(monkeypatch: pytest.MonkeyPatch) -> None:
    """The service's variable says so: a host has it, a program by itself doesn't."""
    assert locate.in_studio({"MUSICGEN_DATA_ROOT": "/data"})
    assert not locate.in_studio({"MUSICGEN_MODELS_ROOT": "/models"})
    monkeypatch.setenv("MUSICGEN_DATA_ROOT", "/data")
    assert locate.in_studio()
    monkeypatch.delenv("MUSICGEN_DATA_ROOT")
    assert not locate.in_studio()
    with pytest.raises(KeyError):
        locate.manager({})


def test_where_models_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the data folder, or where the service was told to keep them."""
    usual = {"MUSICGEN_DATA_ROOT": str(tmp_path / "data")}
    assert locate.manager(usual).root == tmp_path / "data" / "models"
    chosen = {**usual, "MUSICGEN_MODELS_ROOT": str(tmp_path / "other")}
    assert locate.manager(chosen).root == tmp_path / "other"
    for name, value in chosen.items():
        monkeypatch.setenv(name, value)
    assert locate.hub_cache().is_relative_to(tmp_path / "other")
    with pytest.raises(ModelNotInstalled):
        locate.folder("diffrhythm-1.2-base")
    with pytest.raises(ModelNotFound):
        locate.folder("nosuch")
