"""The encoder: makes styles of words and of clips."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from musicgen.errors import InvalidAudio, InvalidPrompt
from services.inference.engines.diffrhythm.mulan.checkpoint import load
from services.inference.engines.diffrhythm.mulan.config import MulanConfig, read_config
from services.inference.engines.diffrhythm.mulan.mel import LogMel
from services.inference.engines.diffrhythm.mulan.tokens import Tokens
from services.inference.engines.diffrhythm.mulan.towers import AudioTower, TextTower
from services.inference.engines.diffrhythm.style import CLIP_RATE_HZ, CLIP_S, Audio

_CLIP_FRAMES = CLIP_RATE_HZ * CLIP_S
_REVISION_CHARACTERS = 12


class MuqMulan:
    """An `Encoder` in fp32 on the processor. Each tower is loaded when it is first used, and
    stays until the encoder is dropped."""

    def __init__(self, mulan: Path, tokenizer: Path, config: MulanConfig, name: str) -> None:
        """`mulan` is the folder of the weights; `from_folders` finds the rest."""
        self._mulan, self._tokenizer = mulan, tokenizer
        self._config, self._name = config, name

    @classmethod
    def from_folders(cls, mulan: Path, muq: Path, xlm_roberta: Path) -> MuqMulan:
        """Return the encoder of three installed models: `mulan` has config.json and the
        weights, `muq` config.json, `xlm_roberta` config.json and tokenizer.json. No weights are
        read yet. Raises ModelUnusable."""
        config = read_config(mulan, muq, xlm_roberta)
        revisions = (one.resolve().name[:_REVISION_CHARACTERS] for one in (mulan, muq, xlm_roberta))
        name = f"muq-mulan-large@{'+'.join(revisions)}"
        return cls(mulan, xlm_roberta / "tokenizer.json", config, name)

    @property
    def name(self) -> str:
        """The revisions of all three models: any can change the styles."""
        return self._name

    def of_text(self, text: str) -> npt.NDArray[np.float32]:
        """Return the style [512] of a description. Of a long one the first 512 tokens count,
        about 2,000 letters of English. Raises InvalidPrompt for an empty one, ModelUnusable."""
        if not text.strip():
            raise InvalidPrompt("There is no word to make a style of.")
        tokens = torch.tensor(self._tokens.of_text(text))
        return _numbers(self._text(tokens))

    def of_clip(self, clip: Audio) -> npt.NDArray[np.float32]:
        """Return the style [512] of 10 s of mono music at 24 kHz, [240000]. Raises InvalidAudio
        for another length or what is no sound, ModelUnusable."""
        if clip.shape != (_CLIP_FRAMES,):
            raise InvalidAudio(
                f"The clip has the shape {list(clip.shape)}, not [{_CLIP_FRAMES}].",
                remedy=f"Give {CLIP_S} s of mono audio at {CLIP_RATE_HZ:,} Hz.",
            )
        if clip.dtype.kind != "f" or not np.isfinite(clip).all():
            raise InvalidAudio("The clip holds samples that are no sound.")
        mel = LogMel(self._config.muq).of_clip(torch.from_numpy(clip.astype(np.float32)))
        return _numbers(self._audio(mel))

    @cached_property
    def _tokens(self) -> Tokens:
        return Tokens(self._tokenizer, self._config.roberta)

    @cached_property
    def _text(self) -> TextTower:
        with torch.device("meta"):
            tower = TextTower(self._config)
        return load(tower, self._mulan)

    @cached_property
    def _audio(self) -> AudioTower:
        with torch.device("meta"):
            tower = AudioTower(self._config)
        return load(tower, self._mulan)


def _numbers(style: torch.Tensor) -> npt.NDArray[np.float32]:
    numbers: npt.NDArray[np.float32] = style.numpy()
    return numbers
