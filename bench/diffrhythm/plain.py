"""What is measured against: the autoencoder as it is written down, in chunks of 128 latents of
which 16 to either side are thrown away."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from services.inference.engines.diffrhythm.config import SAMPLES_PER_LATENT
from services.inference.engines.diffrhythm.vae.oobleck import Decoder
from services.inference.engines.diffrhythm.vae.snake import Snake

CHUNK, HOP, TRIM = 128, 96, 16


def _snake(snake: Snake, x: Tensor) -> Tensor:
    sine = torch.sin(x * snake.alpha.exp()[:, None])
    return x + (1 / (snake.beta.exp()[:, None] + 1e-9)) * torch.pow(sine, 2)


def _apply(layer: nn.Module, x: Tensor) -> Tensor:
    out: Tensor = _snake(layer, x) if isinstance(layer, Snake) else layer(x)
    return out


def _whole(decoder: Decoder, latents: Tensor) -> Tensor:
    x = _apply(decoder.head, latents)
    for block in decoder.blocks:
        for layer in list(block.layers)[:2]:
            x = _apply(layer, x)
        for unit in list(block.layers)[2:]:
            inside = x
            for layer in unit.layers:  # type: ignore[union-attr]  # a residual unit
                inside = _apply(layer, inside)
            x = x + inside
    return _apply(decoder.last, _apply(decoder.snake, x))


@torch.inference_mode()
def decode(decoder: Decoder, latents: Tensor) -> Tensor:
    """Return the audio [1, channels, samples] of latents [1, LATENT_DIM, CHUNK or more]."""
    frames = latents.shape[-1]
    starts = list(range(0, frames - CHUNK + 1, HOP))
    if starts[-1] + CHUNK < frames:
        starts.append(frames - CHUNK)
    out = torch.zeros(1, 2, frames * SAMPLES_PER_LATENT)
    for start in starts:
        audio = _whole(decoder, latents[..., start : start + CHUNK])
        first = 0 if start == 0 else TRIM
        last = CHUNK if start == starts[-1] else CHUNK - TRIM
        here = slice((start + first) * SAMPLES_PER_LATENT, (start + last) * SAMPLES_PER_LATENT)
        out[..., here] = audio[..., first * SAMPLES_PER_LATENT : last * SAMPLES_PER_LATENT]
    return out
