"""What the transformer is told besides the latents: times, lengths, and the text."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from services.inference.engines.diffrhythm.config import STYLE_DIM, SYMBOLS

TEXT_DIM = 512
SINUSOIDS = 256
_MS = 1_000
_LONGEST_PERIOD = 10_000.0


def sinusoid(scalar: Tensor) -> Tensor:
    """Return [batch, SINUSOIDS] sines and cosines of scalars [batch] between 0 and 1.

    The multiple is taken in the scalar's own precision, the rest in fp32 (in fp16 that
    costs up to 0.34 of 1,000; the published script does so).
    """
    half = SINUSOIDS // 2
    step = math.log(_LONGEST_PERIOD) / (half - 1)
    frequencies = torch.exp(-step * torch.arange(half, device=scalar.device).float())
    angles = (_MS * scalar).float()[:, None] * frequencies
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


class ScalarEmbedding(nn.Module):
    """Embeds a scalar [batch] as [batch, STYLE_DIM]: two linear layers on its sinusoid."""

    def __init__(self) -> None:
        super().__init__()
        first, second = nn.Linear(SINUSOIDS, STYLE_DIM), nn.Linear(STYLE_DIM, STYLE_DIM)
        self.time_mlp = nn.Sequential(first, nn.SiLU(), second)

    def forward(self, scalar: Tensor) -> Tensor:
        """Return the embedding."""
        dtype = next(self.time_mlp.parameters()).dtype
        embedded: Tensor = self.time_mlp(sinusoid(scalar).to(dtype))
        return embedded


class ResponseNorm(nn.Module):
    """Global response normalisation (ConvNeXt V2): each channel against the mean of all, by
    their energy over the whole sequence. So every frame depends on the length."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.zeros(1, 1, channels))
        self.beta = nn.Parameter(torch.zeros(1, 1, channels))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise [batch, frames, channels]."""
        energy = torch.linalg.vector_norm(x, dim=1, keepdim=True)
        relative: Tensor = energy / (energy.mean(dim=-1, keepdim=True) + 1e-6)
        return self.gamma * (x * relative) + self.beta + x


class TextBlock(nn.Module):
    """A ConvNeXt V2 block over [batch, frames, TEXT_DIM]."""

    def __init__(self) -> None:
        super().__init__()
        self.dwconv = nn.Conv1d(TEXT_DIM, TEXT_DIM, kernel_size=7, padding=3, groups=TEXT_DIM)
        self.norm = nn.LayerNorm(TEXT_DIM, eps=1e-6)
        self.pwconv1 = nn.Linear(TEXT_DIM, 2 * TEXT_DIM)
        self.grn = ResponseNorm(2 * TEXT_DIM)
        self.pwconv2 = nn.Linear(2 * TEXT_DIM, TEXT_DIM)

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output."""
        mixed = self.dwconv(x.transpose(1, 2)).transpose(1, 2)
        wide = functional.gelu(self.pwconv1(self.norm(mixed)))
        out: Tensor = x + self.pwconv2(self.grn(wide))
        return out


class TextEmbedding(nn.Module):
    """Embeds a token for each frame, [batch, frames] of 0 to SYMBOLS, as [batch, frames,
    TEXT_DIM]. Token 0 is the filler."""

    def __init__(self, layers: int, max_frames: int) -> None:
        super().__init__()
        self.text_embed = nn.Embedding(SYMBOLS + 1, TEXT_DIM)
        self.text_blocks = nn.ModuleList(TextBlock() for _ in range(layers))
        self._max_frames = max_frames

    def look_up(self, tokens: Tensor) -> Tensor:
        """Return the tokens' vectors, before positions and blocks."""
        looked_up: Tensor = self.text_embed(tokens)
        return looked_up

    def with_positions(self, embedded: Tensor) -> Tensor:
        """Add where each frame is."""
        frames = min(embedded.shape[1], self._max_frames)
        table = positions(frames).to(embedded)
        if frames < embedded.shape[1]:
            last = table[-1:].expand(embedded.shape[1] - frames, -1)
            table = torch.cat([table, last])
        return embedded + table

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the embedded text."""
        embedded = self.with_positions(self.look_up(tokens))
        for block in self.text_blocks:
            embedded = block(embedded)
        return embedded


def positions(frames: int) -> Tensor:
    """Return [frames, TEXT_DIM] cosines and sines of each frame's number, fp32."""
    half = torch.arange(0, TEXT_DIM, 2)[: TEXT_DIM // 2].float() / TEXT_DIM
    angles = torch.outer(torch.arange(frames).float(), 1.0 / _LONGEST_PERIOD**half)
    return torch.cat([angles.cos(), angles.sin()], dim=-1)
