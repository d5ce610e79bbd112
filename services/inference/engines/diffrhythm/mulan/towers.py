"""The two halves of MuQ-MuLan: one makes styles of music, one of words, and both mean the same.

Names are those of the checkpoint, after `mulan.`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from services.inference.engines.diffrhythm.mulan.config import HeadConfig, MulanConfig
from services.inference.engines.diffrhythm.mulan.head import Head
from services.inference.engines.diffrhythm.mulan.music import Muq
from services.inference.engines.diffrhythm.mulan.roberta import Roberta
from services.inference.engines.diffrhythm.style import STYLE_NUMBERS


class Branch(nn.Module):
    """A pretrained network, a projection, and a transformer."""

    def __init__(self, model: nn.Module, config: HeadConfig, *, project: bool) -> None:
        super().__init__()
        self.model = model
        self.proj = nn.Linear(config.width, config.dim) if project else nn.Identity()
        self.transformer = Head(config)

    def forward(self, x: Tensor) -> Tensor:
        """Return the mean [dim] of all vectors."""
        out: Tensor = self.transformer(self.proj(self.model(x))).mean(dim=0)
        return out


class AudioTower(nn.Module):
    """Makes styles of music."""

    def __init__(self, config: MulanConfig) -> None:
        super().__init__()
        self.audio = Branch(Muq(config.muq), config.audio_head, project=True)
        self.audio_to_latents = nn.Linear(config.audio_head.dim, STYLE_NUMBERS)

    @torch.inference_mode()
    def forward(self, mel: Tensor) -> Tensor:
        """Return the style [512] of a spectrogram [MELS, frames]."""
        return functional.normalize(self.audio_to_latents(self.audio(mel)), dim=-1)


class TextTower(nn.Module):
    """Makes styles of words."""

    def __init__(self, config: MulanConfig) -> None:
        super().__init__()
        head = config.text_head
        self.text = Branch(Roberta(config.roberta), head, project=head.width != head.dim)
        self.text_to_latents = nn.Linear(head.dim, STYLE_NUMBERS)

    @torch.inference_mode()
    def forward(self, tokens: Tensor) -> Tensor:
        """Return the style [512] of tokens [count]."""
        return functional.normalize(self.text_to_latents(self.text(tokens)), dim=-1)
