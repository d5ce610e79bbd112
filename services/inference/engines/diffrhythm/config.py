"""How large a network is, and the variants that are published."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

SAMPLE_RATE_HZ = 44_100
SAMPLES_PER_LATENT = 2_048
LATENT_DIM = 64
SYMBOLS = 363
"""Symbols of the front end; token 0 is the filler, so that token = symbol + 1."""

STYLE_DIM = 512


@dataclass(frozen=True, slots=True)
class DiTConfig:
    """Sizes of the diffusion transformer. `causal`: attention sees only what was before
    (v1.0). `knows_duration`: the length is one of its inputs (v1.2 full)."""

    dim: int = 2_048
    depth: int = 16
    heads: int = 32
    ff_mult: int = 4
    text_layers: int = 4
    max_frames: int = 2_048
    causal: bool = False
    knows_duration: bool = False

    @property
    def head_dim(self) -> int:
        """Features of one attention head."""
        return self.dim // self.heads

    @property
    def fused_layers(self) -> int:
        """Layers after which the text is added once more: the first half."""
        return self.depth // 2

    def flop(self, frames: int) -> float:
        """Return the multiplications and additions of one evaluation of `frames` frames."""
        mixing = 4 * self.dim**2 + 3 * self.dim**2 * self.ff_mult
        linear = 2 * frames * (self.depth * mixing + self.dim * (2 * LATENT_DIM + 4 * STYLE_DIM))
        attention = 4 * frames**2 * self.dim * self.depth
        return linear + attention / (2 if self.causal else 1)


VARIANTS: Mapping[str, DiTConfig] = {
    "v1.0-base": DiTConfig(causal=True),
    "v1.0-full": DiTConfig(max_frames=6_144, causal=True),
    "v1.2-base": DiTConfig(),
    "v1.2-full": DiTConfig(max_frames=6_144, knows_duration=True),
}
"""By name: keys and shapes don't tell v1.0 from v1.2 base, whose attention differs."""

TINY = DiTConfig(dim=64, depth=2, heads=4)
"""Of the checkpoint that the project makes itself."""


@dataclass(frozen=True, slots=True)
class VaeConfig:
    """Sizes of the autoencoder (Oobleck). The strides are the encoder's; their product is
    SAMPLES_PER_LATENT. Channels of a level are `channels` times its multiple."""

    channels: int = 128
    multiples: tuple[int, ...] = (1, 2, 4, 8, 16)
    strides: tuple[int, ...] = (2, 4, 4, 8, 8)
    audio_channels: int = 2

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels from the audio's side to the latents'; one more than there are strides."""
        return (self.channels, *(self.channels * multiple for multiple in self.multiples))


TINY_VAE = VaeConfig(channels=16)
