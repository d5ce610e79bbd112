"""Makes one song: words and style to latents, latents to audio."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from musicgen.engine.base import Report
from musicgen.progress import ProgressMeter, Stage
from services.inference.engines.diffrhythm.config import (
    LATENT_DIM,
    SAMPLES_PER_LATENT,
)
from services.inference.engines.diffrhythm.dit import Conditions
from services.inference.engines.diffrhythm.lyrics.alignment import Aligned, align
from services.inference.engines.diffrhythm.lyrics.sheet import Sheet
from services.inference.engines.diffrhythm.mix import Mix
from services.inference.engines.diffrhythm.model import Model
from services.inference.engines.diffrhythm.sampler import Course, sample
from services.inference.engines.diffrhythm.vae.streaming import STRETCH_FRAMES, decode_stream

DECODING_SHARE = 0.1
"""Of the time that a song takes, measured with the true sizes on a processor."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A song: lyrics with times, a style [1, STYLE_DIM], its length in samples, the seed of
    the noise, and how the noise is refined."""

    sheet: Sheet
    style: Tensor
    samples: int
    seed: int
    course: Course

    @property
    def frames(self) -> int:
        """Latents that hold the samples."""
        return -(-self.samples // SAMPLES_PER_LATENT)


def noise(frames: int, seed: int) -> Tensor:
    """Return [1, frames, LATENT_DIM] normal numbers, drawn on the processor so that a seed
    means the same on every device."""
    generator = torch.Generator("cpu").manual_seed(seed)
    return torch.randn(1, frames, LATENT_DIM, generator=generator)


def make_song(
    model: Model,
    wanted: Wanted,
    tokenize: Callable[[str], list[int]],
    scratch: Path,
    report: Report,
) -> Aligned:
    """Write MIX_FILE and previews to `scratch`, and return how the words lie.

    Stages: "reading" (the words), "refining" (a step a refinement), "decoding" (a step a
    stretch of audio). What `report` raises ends the work within a layer's time.
    """
    frames, steps = wanted.frames, wanted.course.points - 1
    stretches = -(-frames // STRETCH_FRAMES)
    meter = ProgressMeter([
        Stage("reading", 1, 0.01),
        Stage("refining", steps, 1.0 - DECODING_SHARE),
        Stage("decoding", stretches, DECODING_SHARE),
    ])  # fmt: skip
    report(meter.enter("reading"))
    max_frames = model.dit.config.max_frames
    aligned = align(wanted.sheet.lines, frames, max_frames, tokenize)
    report(meter.advance())
    latents = _refined(model, wanted, aligned, meter, report)
    report(meter.enter("decoding"))
    with Mix(scratch, wanted.samples, report) as mix:
        for stretch in decode_stream(model.vae.decoder, latents.float().transpose(1, 2)):
            mix.add(stretch)
            report(last := meter.advance())
        mix.finish(lambda: report(last))
    return aligned


def _refined(
    model: Model, wanted: Wanted, aligned: Aligned, meter: ProgressMeter, report: Report
) -> Tensor:
    asked = Conditions(
        torch.from_numpy(aligned.tokens)[None],
        wanted.style,
        torch.zeros(1, wanted.frames, LATENT_DIM),
        torch.zeros(1),
        torch.tensor([aligned.duration]),
    )
    last = meter.enter("refining")
    report(last)

    def step(done: int, _: Tensor) -> None:
        nonlocal last
        last = meter.advance(detail=f"step {done} of {wanted.course.points - 1}")
        report(last)

    return sample(
        model.dit,
        asked,
        model.negative_style,
        noise(wanted.frames, wanted.seed),
        wanted.course,
        on_step=step,
        watch=lambda *_: report(last),
    )
