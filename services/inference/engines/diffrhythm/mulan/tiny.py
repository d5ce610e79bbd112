"""A tiny MuQ-MuLan: the files of the three published models, with sizes that run in a moment and
weights that are made from their names. It hears and understands nothing."""

from __future__ import annotations

import json
import math
import string
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from torch import Tensor

from services.inference.engines.diffrhythm.mulan.checkpoint import PREFIX
from services.inference.engines.diffrhythm.mulan.config import read_config
from services.inference.engines.diffrhythm.mulan.towers import AudioTower, TextTower
from services.inference.engines.diffrhythm.synthetic import unit

SALT = "mulan:"
_SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")
_WORDS = ("▁", "▁piano", "▁jazz", "▁slow", "▁warm", "ing", "er")
_DIM, _FF_DIM, _CODES = 16, 32, 24
_HEAD = {"dim": _DIM, "heads": 2, "dim_head": 8, "ff_mult": 4}

MULAN: Mapping[str, Any] = {
    "mulan": {"sr": 24_000, "clip_secs": 10, "dim_latent": 512},
    "audio_model": {"name": "tiny-muq", "model_dim": _DIM, "use_layer_idx": -1},
    "text_model": {"name": "tiny-xlm-roberta", "model_dim": None, "use_layer_idx": -1},
    "audio_transformer": {**_HEAD, "tf_depth": 0},
    "text_transformer": {**_HEAD, "tf_depth": 2},
}
MUQ: Mapping[str, Any] = {
    "label_rate": 25,
    "codebook_size": _CODES,
    "hop_length": 240,
    "n_mels": 128,
    "conv_dim": 4,
    "encoder_dim": _DIM,
    "encoder_depth": 2,
    "use_rvq_target": True,
    "rvq_n_codebooks": 1,
    "stat": {"melspec_2048_mean": 6.768444971712967, "melspec_2048_std": 18.417922652295623},
    "w2v2_config": {
        "activation_dropout": 0.0,
        "attention_dropout": 0.0,
        "conformer_conv_dropout": 0.0,
        "conv_depthwise_kernel_size": 31,
        "feat_extract_activation": "gelu",
        "hidden_act": "swish",
        "hidden_dropout": 0.0,
        "intermediate_size": _FF_DIM,
        "layer_norm_eps": 1e-5,
        "layerdrop": 0.0,
        "num_attention_heads": 2,
        "num_conv_pos_embedding_groups": 2,
        "num_conv_pos_embeddings": 8,
        "position_embeddings_type": "rotary",
        "rotary_embedding_base": 10_000,
    },
}
ROBERTA: Mapping[str, Any] = {
    "vocab_size": len(_SPECIAL) + len(_WORDS) + len(string.ascii_lowercase),
    "max_position_embeddings": 514,
    "pad_token_id": 1,
    "bos_token_id": 0,
    "eos_token_id": 2,
    "type_vocab_size": 1,
    "hidden_act": "gelu",
    "hidden_size": _DIM,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": _FF_DIM,
    "layer_norm_eps": 1e-5,
}
_MUQ = "audio.model.model."
_IDLE: Mapping[str, tuple[int, ...]] = {
    "contrast.temperatures": (1, 1, 1),
    "audio.aggregator.weight": (1, 25, 1),
    "audio.aggregator.bias": (1,),
    f"{_MUQ}cls_token": (_DIM,),
    f"{_MUQ}linear.weight": (_CODES, _DIM),
    f"{_MUQ}linear.bias": (_CODES,),
    f"{_MUQ}rvq.quantizers.0.codebook.weight": (1024, 16),
    f"{_MUQ}conformer.pos_conv_embed.conv.bias": (_DIM,),
    f"{_MUQ}conformer.embed_positions.inv_freq": (_DIM // 4,),
    "text.model.pooler.dense.weight": (_DIM, _DIM),
    "text.model.pooler.dense.bias": (_DIM,),
}
"""Of what only the training used, some of each kind: it is in the published file, too."""


class Folders(NamedTuple):
    """Where the three models are, in the order of `MuqMulan.from_folders`."""

    mulan: Path
    muq: Path
    xlm_roberta: Path


def write_tiny_mulan(folder: Path, salt: str = SALT) -> Folders:
    """Write the three models under a folder, each in one by its name in the catalogue."""
    found = Folders(
        folder / "muq-mulan-large", folder / "muq-large-msd", folder / "xlm-roberta-base"
    )
    for one, sizes in zip(found, (MULAN, MUQ, ROBERTA), strict=True):
        one.mkdir(parents=True, exist_ok=True)
        (one / "config.json").write_text(json.dumps(sizes, indent=2), encoding="utf-8")
    torch.save(tiny_weights(found, salt), found.mulan / "pytorch_model.bin")
    tiny_tokenizer().save(str(found.xlm_roberta / "tokenizer.json"))
    return found


def tiny_weights(folders: Folders, salt: str = SALT) -> dict[str, Tensor]:
    """Return tensors by the names of the published file, for the sizes in three folders."""
    config = read_config(*folders)
    with torch.device("meta"):
        towers = AudioTower(config), TextTower(config)
    shapes = {
        name: tuple(one.shape) for tower in towers for name, one in tower.state_dict().items()
    }
    return {
        PREFIX + name: synthetic_tensor(PREFIX + name, shape, salt)
        for name, shape in (shapes | dict(_IDLE)).items()
    }


def synthetic_tensor(name: str, shape: tuple[int, ...], salt: str) -> Tensor:
    """Return a tensor made from its name: numbers of `synthetic.unit`. Scales and variances are
    about 1, shifts and means about 0, and products keep a variance of 1."""
    if name.endswith("num_batches_tracked"):
        return torch.tensor(1)
    values = torch.from_numpy(unit(name, math.prod(shape), salt))
    last = name.rsplit(".", 1)[-1]
    if len(shape) > 1:
        values = values / math.sqrt(math.prod(shape[1:]))
    elif last in {"weight", "running_var", "learned_gamma", "q_scale", "k_scale"}:
        values = 1 + 0.2 * values
    else:
        values = 0.1 * values
    return values.float().view(shape)


def tiny_tokenizer() -> Tokenizer:
    """Return a tokenizer of the published kind that knows the letters and a few words."""
    pieces = [(one, 0.0) for one in _SPECIAL]
    pieces += [(one, -2.0 - number) for number, one in enumerate(_WORDS)]
    pieces += [(one, -12.0) for one in string.ascii_lowercase]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=3))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    tokenizer.add_special_tokens(list(_SPECIAL))
    return tokenizer
