"""Decodes and encodes in stretches, with the same result as all at once.

A stretch needs context, most of it where samples are few: of the 9.3 latents to either side that
a decoder looks at, all but one are used up in its first block. So each block gets just what
those after it need, and the late blocks, where the work is, do hardly any of it twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from services.inference.engines.diffrhythm.config import SAMPLES_PER_LATENT
from services.inference.engines.diffrhythm.vae.oobleck import (
    KERNEL,
    Decoder,
    DecoderBlock,
    Encoder,
)

STRETCH_FRAMES = 64
"""About 3 s. One activation of it takes 67 MB at the true size; three are alive at once."""

ENCODER_REACH = 8
"""Latents to either side that a sample reaches."""

_EDGE = KERNEL // 2


@dataclass(frozen=True, slots=True)
class _Range:
    """Samples [start, end) of `total`."""

    start: int
    end: int
    total: int

    def wider(self, by: int) -> _Range:
        return _Range(max(0, self.start - by), min(self.total, self.end + by), self.total)

    def before(self, stride: int) -> _Range:
        """Return what a transposed convolution makes this of."""
        half = stride // 2
        start, end = (self.start - half) // stride, -(-(self.end + half) // stride)
        total = self.total // stride
        return _Range(max(0, start), min(total, end), total)

    def cut(self, x: Tensor, at: int) -> Tensor:
        """Return this range of x, whose first sample is `at`."""
        return x[..., self.start - at : self.end - at]


@torch.inference_mode()
def decode(
    decoder: Decoder,
    latents: Tensor,
    start: int = 0,
    end: int | None = None,
    tick: Callable[[], None] | None = None,
) -> Tensor:
    """Return the audio [1, channels, samples] of frames [start, end) of latents [1,
    LATENT_DIM, frames], as it is in the whole. `tick` is called again and again, and may end
    this by raising."""
    blocks = decoder.blocks
    ranges = _ranges(blocks, latents.shape[-1], start, end)
    first = ranges[0]
    given = first.wider(_EDGE)
    x, at = decoder.head(given.cut(latents, 0)), given.start
    x, at = first.cut(x, at).contiguous(), first.start
    for block, wanted in zip(blocks, ranges[1:], strict=True):
        x, at = block.stretch(x), at * block.stride
        refined = wanted.wider(block.REACH)
        x = block.refine(refined.cut(x, at).contiguous(), tick)
        x, at = wanted.cut(x, refined.start).contiguous(), wanted.start
    audio: Tensor = decoder.last(decoder.snake(x, in_place=True))
    samples = SAMPLES_PER_LATENT
    stop = latents.shape[-1] if end is None else end
    return _Range(start * samples, stop * samples, 0).cut(audio, at)


def decode_stream(
    decoder: Decoder, latents: Tensor, stretch_frames: int = STRETCH_FRAMES
) -> Iterator[Tensor]:
    """Yield the audio of latents [1, LATENT_DIM, frames] in stretches [channels, samples], in
    memory that doesn't depend on their number."""
    frames = latents.shape[-1]
    for start in range(0, frames, stretch_frames):
        yield decode(decoder, latents, start, min(frames, start + stretch_frames))[0]


@torch.inference_mode()
def encode(
    encoder: Encoder,
    audio: Tensor,
    stretch_frames: int = STRETCH_FRAMES,
    tick: Callable[[], None] | None = None,
) -> Tensor:
    """Return means and scales [1, 2 * LATENT_DIM, frames] of audio [1, channels, samples];
    samples after the last whole latent are left out. `tick` is called again and again, and may
    end this by raising."""
    frames = audio.shape[-1] // SAMPLES_PER_LATENT
    parts = []
    for start in range(0, frames, stretch_frames):
        wanted = _Range(start, min(frames, start + stretch_frames), frames)
        given = wanted.wider(ENCODER_REACH)
        part = audio[..., given.start * SAMPLES_PER_LATENT : given.end * SAMPLES_PER_LATENT]
        parts.append(wanted.cut(encoder(part, tick), given.start))
    return torch.cat(parts, dim=-1)


def _ranges(
    blocks: Sequence[DecoderBlock], frames: int, start: int, end: int | None
) -> list[_Range]:
    """Return what is wanted of the first convolution and of each block."""
    stop = frames if end is None else end
    samples = SAMPLES_PER_LATENT
    wanted = _Range(start * samples, stop * samples, frames * samples).wider(_EDGE)
    ranges = [wanted]
    for block in reversed(blocks):
        wanted = wanted.wider(block.REACH).before(block.stride)
        ranges.append(wanted)
    return ranges[::-1]
