"""Encoder and decoder, layer by layer; parameters have the checkpoint's names once the weight
norm is folded (weights.folded)."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from services.inference.engines.diffrhythm.config import LATENT_DIM, VaeConfig
from services.inference.engines.diffrhythm.vae.snake import Snake

DILATIONS = (1, 3, 9)
KERNEL = 7


class ResidualUnit(nn.Module):
    """x + conv1(snake(conv7(snake(x)))) over [1, channels, samples]."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        padding = dilation * (KERNEL - 1) // 2
        wide = nn.Conv1d(channels, channels, KERNEL, dilation=dilation, padding=padding)
        narrow = nn.Conv1d(channels, channels, 1)
        self.layers = nn.ModuleList([Snake(channels), wide, Snake(channels), narrow])

    def forward(self, x: Tensor) -> Tensor:
        """Add the unit's output to x, in place."""
        snake, wide, other_snake, last = self.layers
        narrow = cast("nn.Conv1d", last)
        inside = other_snake(wide(snake(x)), in_place=True)
        # A convolution of width 1 is a matrix product, and as one more than twice as fast.
        out = torch.addmm(cast("Tensor", narrow.bias)[:, None], narrow.weight[:, :, 0], inside[0])
        return x.add_(out)


class DecoderBlock(nn.Module):
    """Stretches [1, wide, samples] to [1, narrow, samples * stride]."""

    REACH = sum(DILATIONS) * (KERNEL - 1) // 2
    """Samples of its output to either side that its residual units look at."""

    def __init__(self, wide: int, narrow: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        padding = -(-stride // 2)
        self.layers = nn.ModuleList([
            Snake(wide),
            nn.ConvTranspose1d(wide, narrow, 2 * stride, stride, padding=padding),
            *(ResidualUnit(narrow, dilation) for dilation in DILATIONS),
        ])  # fmt: skip

    def stretch(self, x: Tensor) -> Tensor:
        """Return x, stretched; x is used up."""
        snake, stretching = self.layers[:2]
        stretched: Tensor = stretching(snake(x, in_place=True))
        return stretched

    def refine(self, x: Tensor, tick: Callable[[], None] | None = None) -> Tensor:
        """Apply the residual units to what was stretched, in place; `tick` is called after
        each."""
        for unit in self.layers[2:]:
            x = unit(x)
            if tick:
                tick()
        return x


class Decoder(nn.Module):
    """Latents [1, LATENT_DIM, frames] to audio [1, audio_channels, samples]; see decoding."""

    def __init__(self, config: VaeConfig) -> None:
        super().__init__()
        widths, edge = config.widths[::-1], KERNEL // 2
        pairs = zip(widths[:-1], widths[1:], config.strides[::-1], strict=True)
        head = nn.Conv1d(LATENT_DIM, widths[0], KERNEL, padding=edge)
        last = nn.Conv1d(widths[-1], config.audio_channels, KERNEL, padding=edge, bias=False)
        blocks = [DecoderBlock(*pair) for pair in pairs]
        self.layers = nn.ModuleList([head, *blocks, Snake(widths[-1]), last])

    @property
    def head(self) -> nn.Module:
        """The convolution that takes the latents."""
        return self.layers[0]

    @property
    def blocks(self) -> list[DecoderBlock]:
        """The blocks, in order."""
        return [one for one in self.layers if isinstance(one, DecoderBlock)]

    @property
    def snake(self) -> nn.Module:
        """The last activation."""
        return self.layers[-2]

    @property
    def last(self) -> nn.Module:
        """The convolution that gives the audio."""
        return self.layers[-1]


class EncoderBlock(nn.Module):
    """Condenses [1, narrow, samples] to [1, wide, samples / stride]."""

    def __init__(self, narrow: int, wide: int, stride: int) -> None:
        super().__init__()
        padding = -(-stride // 2)
        self.layers = nn.ModuleList([
            *(ResidualUnit(narrow, dilation) for dilation in DILATIONS),
            Snake(narrow),
            nn.Conv1d(narrow, wide, 2 * stride, stride, padding=padding),
        ])  # fmt: skip

    def forward(self, x: Tensor, tick: Callable[[], None] | None = None) -> Tensor:
        """Return the condensed x, which is used up; `tick` is called after each layer."""
        for layer in self.layers:
            x = layer(x)
            if tick:
                tick()
        return x


class Encoder(nn.Module):
    """Audio [1, audio_channels, samples] to mean and scale of its latents."""

    def __init__(self, config: VaeConfig) -> None:
        super().__init__()
        widths = config.widths
        pairs = zip(widths[:-1], widths[1:], config.strides, strict=True)
        self.layers = nn.ModuleList([
            nn.Conv1d(config.audio_channels, widths[0], KERNEL, padding=KERNEL // 2),
            *(EncoderBlock(*pair) for pair in pairs),
            Snake(widths[-1]),
            nn.Conv1d(widths[-1], 2 * LATENT_DIM, 3, padding=1),
        ])  # fmt: skip

    def forward(self, audio: Tensor, tick: Callable[[], None] | None = None) -> Tensor:
        """Return [1, 2 * LATENT_DIM, samples / SAMPLES_PER_LATENT]: means, then scales. `tick`
        is called after each layer of the blocks."""
        x = audio
        for layer in self.layers:
            x = layer(x, tick) if isinstance(layer, EncoderBlock) else layer(x)
        return x


def drawn(statistics: Tensor, noise: Tensor) -> Tensor:
    """Return latents [1, LATENT_DIM, frames] from an encoder's output and normal noise."""
    mean, scale = statistics.chunk(2, dim=1)
    return mean + noise * (functional.softplus(scale) + 1e-4)


class Autoencoder(nn.Module):
    """Both halves, as they lie in one checkpoint."""

    def __init__(self, config: VaeConfig) -> None:
        super().__init__()
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)
