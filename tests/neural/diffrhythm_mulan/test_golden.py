"""Comparison with the reference: the classes of the package `muq` 0.1.0.

`golden.npz` was made once with them, transformers 4.49.0, torchaudio 2.11.0 and torch 2.13.0 on a
processor. Where they would have fetched MuQ and XLM-RoBERTa they were given networks made from
the `config.json` files of `write_tiny_mulan`; then `load_state_dict` took the tiny
`pytorch_model.bin` but for `inv_freq`, which is computed (it knew every name, and missed only names
that are listed as idle), and XLMRobertaTokenizerFast its `tokenizer.json`. Weights come from their
names, texts and clips from `asked`: nothing else is needed to make the same values.

`text` [3, 512] and `clip` [3, 512] are MuQMuLan(texts=…) and MuQMuLan(wavs=…). `mel` [3, 8, 10] is
every 16th band of every 100th frame of what MuQModel.preprocessing made, in dB. `other_text` and
`other_clip` [1, 512] are of the first text and clip, with OTHER_SIZES.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from services.inference.engines.diffrhythm.mulan import MuqMulan
from services.inference.engines.diffrhythm.mulan.config import read_config
from services.inference.engines.diffrhythm.mulan.mel import LogMel
from services.inference.engines.diffrhythm.mulan.tiny import Folders, tiny_weights
from tests.neural.diffrhythm_mulan.asked import TEXTS, clips

pytestmark = pytest.mark.unit

STYLE_TOLERANCE = 1e-5
LEVEL_TOLERANCE_DB = 1e-4

OTHER_SIZES: tuple[dict[str, Any], dict[str, Any], dict[str, Any]] = (
    {
        "audio_model": {"name": "tiny-muq", "model_dim": 16, "use_layer_idx": 1},
        "text_model": {"name": "tiny-xlm-roberta", "model_dim": 24},
        "audio_transformer": {"dim": 32, "heads": 1, "dim_head": 8, "tf_depth": 1},
    },
    {"label_rate": 50},
    {"hidden_size": 24, "num_attention_heads": 3},
)
"""A hidden state amid the layers, a projection of words, a transformer on music, and time
halved only once."""


@pytest.fixture(scope="module")
def golden() -> dict[str, npt.NDArray[np.float32]]:
    """What the reference made."""
    with np.load(Path(__file__).with_name("golden.npz"), allow_pickle=False) as found:
        return dict(found)


def test_styles_are_those_of_the_reference(
    encoder: MuqMulan, golden: dict[str, npt.NDArray[np.float32]]
) -> None:
    """Of words: also with what is no word, and of 302 tokens; of music: also of silence."""
    texts = np.stack([encoder.of_text(text) for text in TEXTS])
    np.testing.assert_allclose(texts, golden["text"], rtol=0, atol=STYLE_TOLERANCE)
    of_clips = np.stack([encoder.of_clip(clip) for clip in clips().values()])
    np.testing.assert_allclose(of_clips, golden["clip"], rtol=0, atol=STYLE_TOLERANCE)
    assert np.abs(golden["text"][0] - golden["text"][2]).max() > 0.01
    assert np.abs(golden["clip"][0] - golden["clip"][1]).max() > 0.01


def test_levels_are_those_of_the_reference(
    folders: Folders, golden: dict[str, npt.NDArray[np.float32]]
) -> None:
    """Before they are brought to the mean and deviation of music."""
    config = read_config(*folders).muq
    for clip, expected in zip(clips().values(), golden["mel"], strict=True):
        mel = LogMel(config).of_clip(torch.from_numpy(clip)).numpy()
        assert mel.shape == (128, 1000)
        level_db = mel[::16, ::100] * config.deviation_db + config.mean_db
        np.testing.assert_allclose(level_db, expected, rtol=0, atol=LEVEL_TOLERANCE_DB)


def test_other_sizes_are_followed(
    folders: Folders, golden: dict[str, npt.NDArray[np.float32]]
) -> None:
    """As the reference follows its configuration."""
    for folder, more in zip(folders, OTHER_SIZES, strict=True):
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | more))
    torch.save(tiny_weights(folders), folders.mulan / "pytorch_model.bin")
    encoder = MuqMulan.from_folders(*folders)
    for made, name in (
        (encoder.of_text(TEXTS[0]), "other_text"),
        (encoder.of_clip(clips()["tone"]), "other_clip"),
    ):
        np.testing.assert_allclose(made[None], golden[name], rtol=0, atol=STYLE_TOLERANCE)
