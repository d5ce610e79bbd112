"""Sizes of MuQ-MuLan, read from the three `config.json` that are published with it.

What is not told has the value that the reference takes. What is told, but would need another
network than this one, is refused.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from musicgen.errors import ModelUnusable
from services.inference.engines.diffrhythm.layer import ROTARY_THETA
from services.inference.engines.diffrhythm.style import CLIP_RATE_HZ, CLIP_S, STYLE_NUMBERS

MELS = 128
_MEL_RATE_HZ = 100
"""At the published hop of 240 samples."""


@dataclass(frozen=True, slots=True)
class HeadConfig:
    """The transformer on top of a pretrained network, which gives it vectors of `width`."""

    width: int
    dim: int
    depth: int
    heads: int
    head_dim: int
    ff_mult: float


@dataclass(frozen=True, slots=True)
class MuqConfig:
    """The music network. `state` tells which of its hidden states is used: 0 is what enters
    the first layer, `depth` what the whole network makes."""

    hop_frames: int
    mean_db: float
    deviation_db: float
    channels: int
    time_strides: tuple[int, int]
    dim: int
    depth: int
    heads: int
    ff_dim: int
    kernel: int
    norm_eps: float
    state: int


@dataclass(frozen=True, slots=True)
class RobertaConfig:
    """The text network. Positions count from `pad_token` + 1."""

    vocabulary: int
    positions: int
    pad_token: int
    dim: int
    depth: int
    heads: int
    ff_dim: int
    norm_eps: float

    @property
    def max_tokens(self) -> int:
        """Return how many tokens have a position."""
        return self.positions - self.pad_token - 1


@dataclass(frozen=True, slots=True)
class MulanConfig:
    """All of it."""

    muq: MuqConfig
    roberta: RobertaConfig
    audio_head: HeadConfig
    text_head: HeadConfig


def read_config(mulan: Path, muq: Path, roberta: Path) -> MulanConfig:
    """Return the sizes that three folders tell. Raises ModelUnusable."""
    whole, inner, text = (_Told.read(one / "config.json") for one in (mulan, muq, roberta))
    latents = whole.part("mulan")
    latents.must_be("sr", CLIP_RATE_HZ)
    latents.must_be("clip_secs", CLIP_S)
    latents.must_be("dim_latent", STYLE_NUMBERS)
    music, words = _muq(inner, whole.part("audio_model")), _roberta(text)
    return MulanConfig(
        music,
        words,
        _head(whole.part("audio_transformer"), music.dim),
        _head(whole.part("text_transformer"), words.dim),
    )


def _muq(told: _Told, use: _Told) -> MuqConfig:
    label_rate_hz = told.whole("label_rate", 25)
    shorter = _MEL_RATE_HZ // label_rate_hz
    if shorter not in (2, 4):
        raise told.refuse("label_rate", f"is {label_rate_hz}, not 25 or 50")
    told.must_be("n_mels", MELS)
    depth = told.whole("encoder_depth", 12)
    state = use.whole("use_layer_idx", -1, least=-depth - 1)
    if state > depth:
        raise use.refuse("use_layer_idx", f"is {state}, of {depth} layers")
    stat = told.part("stat")
    deviation_db = stat.number("melspec_2048_std")
    if deviation_db <= 0:
        raise stat.refuse("melspec_2048_std", f"is {deviation_db}")
    conformer = told.part("w2v2_config")
    conformer.must_be("position_embeddings_type", "rotary")
    conformer.must_be("rotary_embedding_base", ROTARY_THETA)
    conformer.must_be("hidden_act", "swish")
    return MuqConfig(
        hop_frames=told.whole("hop_length", 240),
        mean_db=stat.number("melspec_2048_mean"),
        deviation_db=deviation_db,
        channels=told.whole("conv_dim", 512),
        time_strides=(2, shorter // 2),
        dim=told.whole("encoder_dim", 1024),
        depth=depth,
        heads=conformer.whole("num_attention_heads", 16),
        ff_dim=conformer.whole("intermediate_size", 4096),
        kernel=conformer.whole("conv_depthwise_kernel_size", 31),
        norm_eps=conformer.number("layer_norm_eps", 1e-5),
        state=state % (depth + 1),
    )


def _roberta(told: _Told) -> RobertaConfig:
    told.must_be("hidden_act", "gelu")
    told.must_be("position_embedding_type", "absolute")
    return RobertaConfig(
        vocabulary=told.whole("vocab_size", 250_002),
        positions=told.whole("max_position_embeddings", 514),
        pad_token=told.whole("pad_token_id", 1, least=0),
        dim=told.whole("hidden_size", 768),
        depth=told.whole("num_hidden_layers", 12),
        heads=told.whole("num_attention_heads", 12),
        ff_dim=told.whole("intermediate_size", 3072),
        norm_eps=told.number("layer_norm_eps", 1e-5),
    )


def _head(told: _Told, width: int) -> HeadConfig:
    return HeadConfig(
        width=width,
        dim=told.whole("dim", 768),
        depth=told.whole("tf_depth", 8, least=0),
        heads=told.whole("heads", 8),
        head_dim=told.whole("dim_head", 64),
        ff_mult=told.number("ff_mult", 4),
    )


class _Told:
    """What a file, or a part of it, tells."""

    def __init__(self, values: Mapping[str, Any], where: str) -> None:
        self._values, self._where = values, where

    @classmethod
    def read(cls, path: Path) -> _Told:
        """Read a file. Raises ModelUnusable."""
        where = f"{path.parent.name}/{path.name}"
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ModelUnusable(f"{where} can't be read.") from error
        if not isinstance(values, dict):
            raise ModelUnusable(f"{where} tells no sizes.")
        return cls(values, where)

    def refuse(self, key: str, fault: str) -> ModelUnusable:
        """Return the error for a value."""
        return ModelUnusable(f"{self._where}: {key} {fault}.")

    def part(self, key: str) -> _Told:
        """Return a part."""
        values = self._values.get(key)
        if not isinstance(values, dict):
            raise self.refuse(key, "is missing")
        return _Told(values, f"{self._where}: {key}")

    def number(self, key: str, otherwise: float | None = None) -> float:
        """Return a number; one that is missing and has no other is refused."""
        value = self._values.get(key, otherwise)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.refuse(key, f"is {value!r}, no number")
        return float(value)

    def whole(self, key: str, otherwise: int, *, least: int = 1) -> int:
        """Return a whole number from `least` on."""
        value = self._values.get(key, otherwise)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise self.refuse(key, f"is {value!r}")
        return value

    def must_be(self, key: str, wanted: float | str) -> None:
        """Refuse another value than the one that this network is made for."""
        value = self._values.get(key, wanted)
        if value != wanted:
            raise self.refuse(key, f"is {value!r}, not {wanted!r}")
