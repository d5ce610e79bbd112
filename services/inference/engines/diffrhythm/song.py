"""Makes one song: words and style to latents, latents to audio, in as much memory as there is."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from musicgen.engine.base import Report
from musicgen.progress import Progress, ProgressMeter, Stage
from services.inference.engines.diffrhythm.checkpoints import Checkpoint
from services.inference.engines.diffrhythm.config import LATENT_DIM, SAMPLES_PER_LATENT
from services.inference.engines.diffrhythm.dit import Conditions, DiT
from services.inference.engines.diffrhythm.held import Held
from services.inference.engines.diffrhythm.lyrics.alignment import align
from services.inference.engines.diffrhythm.lyrics.sheet import Sheet
from services.inference.engines.diffrhythm.manifest import VERSION
from services.inference.engines.diffrhythm.mix import Mix, write_whole
from services.inference.engines.diffrhythm.recording import Recording
from services.inference.engines.diffrhythm.rungs import Rung
from services.inference.engines.diffrhythm.sampler import Begun, Course, Edit, sample
from services.inference.engines.diffrhythm.trail import Trail, digest, key_of
from services.inference.engines.diffrhythm.vae.oobleck import Decoder
from services.inference.engines.diffrhythm.vae.streaming import decode

_WHOLE_FRAMES = 21
"""A song that lacks no more than that of what the model sang, a second, has its own end."""

DECODING_SHARE = 0.1
"""Of the time that a song takes, measured with the true sizes on a processor."""


@dataclasses.dataclass(frozen=True, slots=True)
class Wanted:
    """A song: lyrics with times, a style [1, STYLE_DIM], its length in samples, the seed of
    the noise, how the noise is refined, and the piece that it is an edit of."""

    sheet: Sheet
    style: Tensor
    samples: int
    seed: int
    course: Course
    recording: Recording | None = None

    @property
    def frames(self) -> int:
        """Latents that hold the samples."""
        return -(-self.samples // SAMPLES_PER_LATENT)


def noise(frames: int, seed: int) -> Tensor:
    """Return [1, frames, LATENT_DIM] normal numbers, drawn on the processor so that a seed
    means the same on every device."""
    generator = torch.Generator("cpu").manual_seed(seed)
    return torch.randn(1, frames, LATENT_DIM, generator=generator)


class Song:
    """One song on its way. `make` may be called again on another rung after memory ran out: it
    goes on from what is done, and from what an earlier attempt left on its trail."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        wanted: Wanted,
        tokenize: Callable[[str], list[int]],
        scratch: Path,
        report: Report,
        *,
        trail: Trail,
    ) -> None:
        self._checkpoint, self._wanted = checkpoint, wanted
        self._scratch, self._report, self._trail = scratch, report, trail
        self.run_frames = checkpoint.run_frames(wanted.frames)
        max_frames = checkpoint.config.max_frames
        self._aligned = align(wanted.sheet.lines, self.run_frames, max_frames, tokenize)
        self._latents: Tensor | None = None
        self._decoded_frames = 0
        self._mix: Mix | None = None
        self._last = Progress("loading", 0, 1, 0.0)
        self.refined_on: Rung | None = None
        """The rung on which the latents were made; audio may be decoded on a lower one."""

    def make(self, held: Held, rung: Rung) -> None:
        """Write MIX_FILE and previews. Stages: "loading" (weights), "refining" (a step a
        refinement), "decoding" (a step a stretch of audio). What the report raises ends the
        work within a product's time.
        """
        meter = self._meter(rung)
        self._tell(meter.enter("loading"))
        if self._latents is None:
            self._latents = self._refine(held, rung, meter)
            self.refined_on = rung
        self._tell(meter.enter("decoding"))
        decoder = held.decoder(self._checkpoint, rung, self._tick)
        if self._wanted.recording:
            self._splice(self._wanted.recording, decoder, rung, meter)
        else:
            self._decode(decoder, rung, meter)

    def close(self) -> None:
        """Close files that a failure left open."""
        if self._mix:
            self._mix.close()

    def _meter(self, rung: Rung) -> ProgressMeter:
        steps = self._wanted.course.points - 1
        return ProgressMeter([
            Stage("loading", 1, 0.01),
            Stage("refining", steps, 1.0 - DECODING_SHARE),
            Stage("decoding", max(1, len(list(self._stretches(rung)))), DECODING_SHARE),
        ])  # fmt: skip

    def _tell(self, progress: Progress) -> None:
        self._last = progress
        self._report(progress)

    def _tick(self) -> None:
        self._report(self._last)

    def _edit(self, held: Held, rung: Rung) -> Edit | None:
        recording = self._wanted.recording
        if recording is None:
            return None
        encoder = held.encoder(self._checkpoint, rung, self._tick)
        parts = list(recording.segments)
        if self.run_frames > recording.frames:  # what is beyond the end is cut off later
            parts.append((recording.frames, self.run_frames))
        return Edit(recording.latents(encoder, self._wanted.seed, self._tick), parts)

    def _refine(self, held: Held, rung: Rung, meter: ProgressMeter) -> Tensor:
        """Return the latents, in fp32 on the processor; what is done of them stays done."""
        steps, key = self._wanted.course.points - 1, self._key(rung)
        begun = self._trail.begun(key, steps, self.run_frames)
        if begun and begun.steps == steps:
            self._begin(meter, begun)
            return begun.latents.float()
        edit = self._edit(held, rung)
        dit = held.network(self._checkpoint, rung, self._tick)
        latents = self._refined(dit, edit, meter, key, begun).float().cpu()
        self._trail.leave(key, steps, latents)
        return latents

    def _key(self, rung: Rung) -> str:
        """Return a hash of all that the latents depend on; rungs that differ in how audio is
        decoded have the same."""
        wanted, recording = self._wanted, self._wanted.recording
        precision, placement = rung.precision, rung.placement
        facts = {
            "engine": VERSION,
            "model": [self._checkpoint.name, dict(self._checkpoint.revisions())],
            "network": dataclasses.asdict(self._checkpoint.config),
            "words": [digest(self._aligned.tokens.tobytes()), self._aligned.duration],
            "styles": [
                digest(wanted.style.numpy().tobytes()),
                digest(self._checkpoint.negative_style().tobytes()),
            ],
            "noise": [wanted.seed, self.run_frames],
            "course": dataclasses.asdict(wanted.course),
            "edit": [digest(recording.audio.tobytes()), recording.parts] if recording else [],
            "precision": [
                str(precision.compute),
                str(precision.residual),
                precision.like_published,
            ],
            "weights": [str(placement.stored), placement.offload],
        }
        return key_of(facts, rung.device)

    def _begin(self, meter: ProgressMeter, begun: Begun | None) -> None:
        first, steps = meter.enter("refining"), self._wanted.course.points - 1
        if begun:
            detail = f"going on from step {begun.steps} of {steps}"
            first = meter.skip(begun.steps, detail=detail)
        self._tell(first)

    def _refined(
        self, dit: DiT, edit: Edit | None, meter: ProgressMeter, key: str, begun: Begun | None
    ) -> Tensor:
        frames, device = self.run_frames, dit.device
        asked = Conditions(
            torch.from_numpy(self._aligned.tokens)[None].to(device),
            self._wanted.style.to(device),
            torch.zeros(1, frames, LATENT_DIM, device=device),
            torch.zeros(1, device=device),
            torch.tensor([self._aligned.duration], device=device),
        )
        course = self._wanted.course
        self._begin(meter, begun)

        def step(done: int, latents: Tensor) -> None:
            self._tell(meter.advance(detail=f"step {done} of {course.points - 1}"))
            if done < course.points - 1:  # the last ones are left when they are whole
                self._trail.step(key, done, latents)

        return sample(
            dit,
            asked,
            torch.from_numpy(self._checkpoint.negative_style()).to(device),
            noise(frames, self._wanted.seed),
            course,
            edit=edit,
            begun=begun,
            on_step=step,
            watch=lambda *_: self._tick(),
        )

    def _stretches(self, rung: Rung) -> Iterator[tuple[int, int]]:
        """Yield what is still to be decoded, in latent frames."""
        recording = self._wanted.recording
        spans = recording.stretches() if recording else [(0, self._wanted.frames)]
        for first, last in spans:
            for start in range(max(first, self._decoded_frames), last, rung.stretch_frames):
                yield start, min(last, start + rung.stretch_frames)

    def _heard(
        self, decoder: Decoder, rung: Rung, meter: ProgressMeter
    ) -> Iterator[tuple[int, Tensor]]:
        """Yield (first frame, audio [channels, samples]) of each stretch."""
        if self._latents is None:
            raise RuntimeError("latents are refined before they are decoded")
        latents = self._latents.transpose(1, 2)
        for start, end in self._stretches(rung):
            yield start, decode(decoder, latents.to(rung.device), start, end, self._tick)[0].cpu()
            self._tell(meter.advance())

    def _decode(self, decoder: Decoder, rung: Rung, meter: ProgressMeter) -> None:
        cut = self.run_frames - self._wanted.frames > _WHOLE_FRAMES
        self._mix = self._mix or Mix(self._scratch, self._wanted.samples, self._report, fades=cut)
        for start, audio in self._heard(decoder, rung, meter):
            self._mix.add(audio)
            self._decoded_frames = start + audio.shape[1] // SAMPLES_PER_LATENT
            self._mix.let_be_heard()
        self._mix.let_be_heard()
        self._mix.finish(self._tick)

    def _splice(
        self, recording: Recording, decoder: Decoder, rung: Rung, meter: ProgressMeter
    ) -> None:
        heard = {start: audio.numpy() for start, audio in self._heard(decoder, rung, meter)}
        made = [
            np.concatenate(
                [audio for start, audio in sorted(heard.items()) if first <= start < last], axis=1
            )
            for first, last in recording.stretches()
        ]
        write_whole(self._scratch, recording.spliced(made), self._tick)
