from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from musicgen.errors import ModelNotFound
from musicgen.settings import SettingsError
from services.inference.models.catalogue import Catalogue, load_catalogue
from services.inference.models.licences import MIT
from services.inference.models.model import Model, ModelFile

pytestmark = pytest.mark.unit


def model(name: str, **fields: Any) -> Model:
    """A model of one file."""
    values: dict[str, Any] = {
        "display_name": name,
        "description": "",
        "engine": "e",
        "repository": f"me/{name}",
        "revision": "main",
        "files": (ModelFile("w.bin"),),
        "licence": MIT,
    }
    return Model(name=name, **{**values, **fields})


def test_built_in() -> None:
    """The four checkpoints are there, each with the parts that it needs, in the order of
    installing; no weights are fetched twice; what forbids commercial use says what that means
    for tracks."""
    catalogue = Catalogue()
    chosen = [m for m in catalogue if m.variant]
    assert [m.variant for m in chosen] == ["v1.2-base", "v1.2-full", "v1.0-base", "v1.0-full"]
    names = [m.name for m in catalogue.with_needs("diffrhythm-1.2-base")]
    assert names[-1] == "diffrhythm-1.2-base"
    assert names.index("xlm-roberta-base") < names.index("muq-mulan-large")
    assert {"diffrhythm-vae", "muq-large-msd", "diffrhythm-vocal-style"} < set(names)
    weights = {"cfm_model.pt", "vae_model.safetensors", "pytorch_model.bin"}
    for found in catalogue:
        assert found.about_bytes > 0
        large = {file.path for file in found.files} & weights
        assert bool(large) == (found.about_bytes > 100_000_000)
        assert found.licence.meaning_for_tracks
        assert not found.licence.non_commercial or found.licence.must_accept


@pytest.mark.parametrize(
    "fields",
    [
        {"repository": "../../etc"},
        {"repository": "noslash"},
        {"revision": "a/b"},
        {"files": ()},
        {"source": "git"},
    ],
)
def test_a_model_that_cannot_be(fields: dict[str, Any]) -> None:
    """Names that would lead out of the cache are refused, and so is a model without files or
    without anything to check them by."""
    with pytest.raises(ValueError, match="model"):
        model("m", **fields)


@pytest.mark.parametrize("path", ["", "/etc/passwd", "../x", "a/../x", "a//b", "a\\b", "./a"])
def test_a_file_that_cannot_be(path: str) -> None:
    """A path in a repository leads nowhere else."""
    with pytest.raises(ValueError, match="path"):
        ModelFile(path)


def test_names_and_needs() -> None:
    """A name is there once, a need is there, and no model needs itself."""
    with pytest.raises(ValueError, match="one name"):
        Catalogue((model("a"), model("a")))
    with pytest.raises(ValueError, match="not there"):
        Catalogue((model("a", needs=("b",)),))
    with pytest.raises(ValueError, match="itself"):
        Catalogue((model("a", needs=("b",)), model("b", needs=("a",))))
    with pytest.raises(ModelNotFound):
        Catalogue((model("a"),)).get("b")


def test_more_from_a_file(tmp_path: Path) -> None:
    """A file adds models; what is wrong with it is said with its name."""
    path = tmp_path / "models.json"
    entry = {
        "name": "mine",
        "display_name": "Mine",
        "engine": "e",
        "repository": "me/mine",
        "licence": "MIT",
        "files": [{"path": "w.bin", "size_bytes": 3}],
        "needs": ["diffrhythm-vae"],
    }
    path.write_text(json.dumps({"models": [entry]}))
    assert load_catalogue(path).get("mine").licence is MIT
    for wrong in ({**entry, "licence": "Nobody's"}, {**entry, "colour": "red"}, {"name": "x"}, 7):
        path.write_text(json.dumps({"models": [wrong]}))
        with pytest.raises(SettingsError, match=r"models\.json"):
            load_catalogue(path)
    path.write_text("{")
    with pytest.raises(SettingsError):
        load_catalogue(path)
