from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import Tensor

from musicgen.errors import ModelUnusable
from services.inference.engines.diffrhythm.mulan import MuqMulan
from services.inference.engines.diffrhythm.mulan.tiny import Folders, tiny_weights
from tests.neural.diffrhythm_mulan.asked import TEXTS

pytestmark = pytest.mark.unit

KEY = "text.model.encoder.layer.1.attention.self.query.weight"


def save(folders: Folders, weights: dict[str, Tensor]) -> None:
    """Replace the weights."""
    torch.save(weights, folders.mulan / "pytorch_model.bin")


def test_safetensors_are_read(folders: Folders, encoder: MuqMulan) -> None:
    """Instead of a pickle that lies beside them."""
    expected = encoder.of_text(TEXTS[0])
    weights = tiny_weights(folders)
    safetensors.torch.save_file(weights, folders.mulan / "model.safetensors")
    (folders.mulan / "pytorch_model.bin").write_bytes(b"")
    found = MuqMulan.from_folders(*folders).of_text(TEXTS[0])
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


def test_half_precision_is_computed_in_full(folders: Folders, encoder: MuqMulan) -> None:
    """The weights are rounded, the sums are not."""
    expected = encoder.of_text(TEXTS[0])
    save(folders, {name: one.half() for name, one in tiny_weights(folders).items()})
    found = MuqMulan.from_folders(*folders).of_text(TEXTS[0])
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-3)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda w: w.pop(f"mulan.{KEY}"), f"missing: {KEY}"),
        (lambda w: w.update({"mulan.text.lora": torch.ones(1)}), r"unknown: text\.lora"),
        (lambda w: w.update({"optimizer": torch.ones(1)}), "unknown: optimizer"),
        (
            lambda w: w.update({f"mulan.{KEY}": torch.ones(2, 2)}),
            rf"{KEY} \(2, 2\), not \(16, 16\)",
        ),
    ],
    ids=["missing", "unknown", "unknown above", "shape"],
)
def test_other_names_are_told(
    folders: Folders, change: Callable[[dict[str, Tensor]], object], told: str
) -> None:
    """Missing, unknown, or of another shape."""
    weights = tiny_weights(folders)
    change(weights)
    save(folders, weights)
    with pytest.raises(ModelUnusable, match=told):
        MuqMulan.from_folders(*folders).of_text("jazz")


def test_what_only_training_used_may_be_missing(folders: Folders, encoder: MuqMulan) -> None:
    """It changes nothing."""
    expected = encoder.of_text(TEXTS[0])
    idle = ("pooler", "contrast", "rvq", "aggregator", "cls_token", "pos_conv_embed")
    weights = tiny_weights(folders)
    kept = {name: one for name, one in weights.items() if not any(part in name for part in idle)}
    assert len(kept) < len(weights) - 6
    save(folders, kept)
    found = MuqMulan.from_folders(*folders).of_text(TEXTS[0])
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


class _Evil:
    """Runs something when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.system, ("touch pwned",))


def test_a_pickle_with_code_in_it_is_refused(
    folders: Folders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the reason, and nothing was run."""
    monkeypatch.chdir(tmp_path)
    torch.save({**tiny_weights(folders), "more": _Evil()}, folders.mulan / "pytorch_model.bin")
    with pytest.raises(ModelUnusable, match="wants to run something"):
        MuqMulan.from_folders(*folders).of_text("jazz")
    assert not (tmp_path / "pwned").exists()


def test_a_folder_without_weights_is_told(folders: Folders) -> None:
    """With what it should hold."""
    (folders.mulan / "pytorch_model.bin").unlink()
    with pytest.raises(ModelUnusable, match=r"neither model\.safetensors nor pytorch_model\.bin"):
        MuqMulan.from_folders(*folders).of_text("jazz")


@pytest.mark.parametrize(
    ("which", "change", "told"),
    [
        (0, {"mulan": {"sr": 16_000}}, "mulan: sr is 16000, not 24000"),
        (0, {"mulan": {"clip_secs": 30}}, "clip_secs is 30"),
        (0, {"mulan": {"dim_latent": 128}}, "dim_latent is 128"),
        (0, {"audio_model": {"use_layer_idx": 3}}, "use_layer_idx is 3, of 2 layers"),
        (0, {"text_transformer": 7}, "text_transformer is missing"),
        (0, {"text_transformer": {"heads": 0}}, "heads is 0"),
        (0, {"text_transformer": {"ff_mult": "4"}}, "ff_mult is '4', no number"),
        (1, {"label_rate": 75}, "label_rate is 75, not 25 or 50"),
        (1, {"stat": {}}, "melspec_2048_std is None"),
        (1, {"stat": {"melspec_2048_mean": 0, "melspec_2048_std": 0}}, "std is 0"),
        (1, {"w2v2_config": {"position_embeddings_type": "relative"}}, "is 'relative'"),
        (1, {"w2v2_config": {"hidden_act": "gelu"}}, "hidden_act is 'gelu'"),
        (2, {"hidden_act": "relu"}, "hidden_act is 'relu'"),
        (2, {"num_hidden_layers": 1.5}, "num_hidden_layers is 1.5"),
    ],
)
def test_another_network_is_refused(
    folders: Folders, which: int, change: dict[str, Any], told: str
) -> None:
    """By the value that would need it, and the file that tells it."""
    path = folders[which] / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ModelUnusable, match=f"{folders[which].name}/config.json.*{told}"):
        MuqMulan.from_folders(*folders)


@pytest.mark.parametrize("content", [None, "", "{", "[]"])
def test_sizes_that_cannot_be_read_are_told(folders: Folders, content: str | None) -> None:
    """By the folder and the file."""
    path = folders.muq / "config.json"
    path.unlink()
    if content is not None:
        path.write_text(content)
    with pytest.raises(ModelUnusable, match=r"muq-large-msd/config\.json"):
        MuqMulan.from_folders(*folders)


def test_a_tokenizer_that_does_not_fit_is_told(folders: Folders) -> None:
    """One that is none, and one that knows more tokens than the model."""
    (folders.xlm_roberta / "config.json").write_text(json.dumps({"vocab_size": 5}))
    with pytest.raises(ModelUnusable, match="tokens that the model doesn't know"):
        MuqMulan.from_folders(*folders).of_text("jazz")
    (folders.xlm_roberta / "tokenizer.json").write_text("{}")
    with pytest.raises(ModelUnusable, match="no tokenizer"):
        MuqMulan.from_folders(*folders).of_text("jazz")
