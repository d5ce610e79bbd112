"""The engines of this family, as their hosts hold them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from musicgen.engine import devices, hardware
from musicgen.engine.base import (
    CheckedLyrics,
    Edit,
    Engine,
    Generation,
    LyricsFinding,
    Parameters,
    Report,
)
from musicgen.errors import ModelNotFound, OutOfMemory
from musicgen.progress import Progress
from services.inference.engines.diffrhythm.checkpoints import (
    Checkpoint,
    TinyCheckpoint,
    choose,
    config_for,
    frames_of,
    installed,
)
from services.inference.engines.diffrhythm.config import SAMPLE_RATE_HZ
from services.inference.engines.diffrhythm.dit import DiT
from services.inference.engines.diffrhythm.held import Held
from services.inference.engines.diffrhythm.lyrics.check import Finding, check
from services.inference.engines.diffrhythm.lyrics.espeak import Espeak
from services.inference.engines.diffrhythm.lyrics.sheet import Sheet, read_lyrics
from services.inference.engines.diffrhythm.lyrics.tokenizer import Tokenizer
from services.inference.engines.diffrhythm.manifest import (
    DRAFT_STEPS,
    MANIFEST,
    OPTIONS,
    TINY_MANIFEST,
)
from services.inference.engines.diffrhythm.memory import available_bytes, is_shortage
from services.inference.engines.diffrhythm.precision import PROCESSOR
from services.inference.engines.diffrhythm.recording import Recording, read_recording
from services.inference.engines.diffrhythm.rungs import Rung, first_that_fits, ladder
from services.inference.engines.diffrhythm.sampler import Course, Overflow
from services.inference.engines.diffrhythm.song import Song, Wanted

MAX_TITLE_CHARACTERS = 60
STYLE_BYTES = 2 << 30
"""What MuQ-MuLan takes for a while; with less the network makes room for it."""

_TYPES = {"integer": int, "number": float, "string": str, "boolean": bool}


class DiffRhythm(Engine):
    """Sings with the models that are installed."""

    manifest = MANIFEST

    def __init__(self) -> None:
        """Nothing is loaded before it is needed."""
        self._held = Held()
        self._espeak = Espeak()
        self._tokenizer = Tokenizer(self._espeak)

    def checkpoints(self) -> Sequence[Checkpoint]:
        """Return the models that can be used now."""
        return installed(self.manifest.name)

    def threads(self) -> int:
        """Return how many of the processor's cores are used."""
        return hardware.cores()

    def generate(self, parameters: Parameters, scratch: Path, report: Report) -> Generation:
        """See Engine. Raises InvalidLyrics for lyrics that are too long, ModelNotInstalled,
        ModelUnusable, DeviceNotFound, InvalidField, InvalidAudio, and OutOfMemory after the last
        way to make do with less."""
        report(Progress("reading", 0, 1, 0.0))
        torch.set_num_threads(self.threads())
        options = with_defaults(parameters.options)
        edit = parameters.edit
        recording = self._recording(edit) if edit else None
        samples = recording.samples if recording else round(parameters.duration_s * SAMPLE_RATE_HZ)
        duration_s = samples / SAMPLE_RATE_HZ
        sheet = read_lyrics(parameters.lyrics, duration_s)
        checkpoint = choose(self.checkpoints(), options["model"], duration_s, self.loaded_models())
        device = devices.selected()
        rungs = ladder(device, options["precision"])
        report(Progress("style", 0, 1, 0.0))
        if available_bytes(PROCESSOR) < STYLE_BYTES:
            self._held.drop()
        wanted = Wanted(
            sheet,
            checkpoint.style_for(parameters),
            samples,
            parameters.seed,
            course_of(options),
            recording,
        )
        song = Song(checkpoint, wanted, self._tokenizer.tokenize, scratch, report)
        try:
            try:
                rung = self._climb(rungs, checkpoint, song.run_frames, report, song.make)
            except Overflow:
                rungs = ladder(device, "full")
                rung = self._climb(rungs, checkpoint, song.run_frames, report, song.make)
        finally:
            song.close()
        max_frames = checkpoint.config.max_frames
        found = check(sheet, wanted.frames, max_frames, self._tokenizer.read)
        return Generation(
            title=title_of(parameters, sheet),
            decides_length=recording is not None,
            rung=rung.name,
            decisions={
                "model": checkpoint.name,
                "device": rung.device.type,
                "precision": str(rung.precision.compute).removeprefix("torch."),
                "threads": self.threads(),
                **({"draft": True} if options["draft"] else {}),
                "lyrics": sheet.as_lrc(),
                "lyrics_findings": [one.as_json() for one in found],
            },
        )

    def check_lyrics(self, parameters: Parameters) -> CheckedLyrics:
        """See Engine."""
        sheet = read_lyrics(parameters.lyrics, parameters.duration_s)
        wanted = with_defaults(parameters.options)["model"]
        config = config_for(self.checkpoints(), wanted, parameters.duration_s)
        found = check(
            sheet, frames_of(parameters.duration_s), config.max_frames, self._tokenizer.read
        )
        return CheckedLyrics([_told(one) for one in found], sheet.as_lrc())

    def load(self, model: str, report: Report) -> None:
        """See Engine. On the rung that a song of the model's full length would begin with."""
        checkpoint = next((one for one in self.checkpoints() if one.name == model), None)
        if checkpoint is None:
            raise ModelNotFound(
                f"{self.manifest.display_name} has no model called {model[:100]!r} here.",
                metadata={"engine": self.manifest.name, "model": model[:100]},
            )
        loading = Progress("loading", 0, 1, 0.0)
        report(loading)

        def bring(held: Held, rung: Rung) -> None:
            held.network(checkpoint, rung, lambda: report(loading))
            if rung.together:
                held.decoder(checkpoint, rung, lambda: report(loading))

        rungs = ladder(devices.selected(), "auto")
        self._climb(rungs, checkpoint, checkpoint.config.max_frames, report, bring)

    def loaded_models(self) -> Sequence[str]:
        """See Engine."""
        return (self._held.model,) if self._held.model else ()

    def close(self) -> None:
        """End the process that reads English; a host's end does so, too."""
        self._held.drop()
        self._espeak.close()

    def _recording(self, edit: Edit) -> Recording:
        return read_recording(edit.source, edit.regenerate, self.manifest.max_duration_s)

    def _climb(
        self,
        rungs: Sequence[Rung],
        checkpoint: Checkpoint,
        frames: int,
        report: Report,
        work: Callable[[Held, Rung], None],
    ) -> Rung:
        """Do `work` on the first rung that has enough memory, and return which that was."""
        with torch.device("meta"):
            parameters = sum(one.numel() for one in DiT(checkpoint.config).parameters())
        index = self._rung_held(rungs, checkpoint)
        if index is None:
            self._held.drop()
            available = available_bytes(rungs[0].device)
            index = first_that_fits(rungs, checkpoint.config, parameters, frames, available)
        for rung in rungs[index:]:
            try:
                work(self._held, rung)
            except Overflow:
                raise
            except Exception as error:
                if not is_shortage(error):
                    raise
            else:
                return rung
            # Outside of the handler, so that the error's frames hold nothing any more.
            self._held.drop()
            report(Progress("making room", 0, 1, 0.0, detail=f"{rung.name} was too much"))
        raise OutOfMemory(
            f"Even with all weights left on the disk {checkpoint.name} needs more memory than "
            "there is.",
            remedy="Close other programs, ask for a shorter song, or choose a smaller model.",
            metadata={"model": checkpoint.name, "rung": rungs[-1].name},
        )

    def _rung_held(self, rungs: Sequence[Rung], checkpoint: Checkpoint) -> int | None:
        """Return the rung that the model in memory was brought for: its memory is taken, so
        that there needn't be more."""
        names = [rung.name for rung in rungs]
        if self._held.model == checkpoint.name and self._held.rung in names:
            return names.index(self._held.rung)
        return None


class DiffRhythmTiny(DiffRhythm):
    """Sings noise: the engine with weights that the project makes itself."""

    manifest = TINY_MANIFEST

    def checkpoints(self) -> Sequence[Checkpoint]:
        """Return those that a catalogue adds, and the one that needs no files."""
        return [*super().checkpoints(), TinyCheckpoint()]

    def threads(self) -> int:
        """Return 1: for tiny matrices more cost more than they bring."""
        return 1


def with_defaults(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options, each with a value of its type; without those that have no default."""
    filled = {}
    for name, rule in OPTIONS["properties"].items():
        if "default" in rule:
            value = options.get(name, rule["default"])
            filled[name] = _TYPES[rule["type"]](value)
    return filled


def course_of(options: Mapping[str, Any]) -> Course:
    """Return how the noise is refined; a draft takes few steps, and those early."""
    steps, sway = options["steps"], options["sway"]
    if options["draft"]:
        steps, sway = min(steps, DRAFT_STEPS), sway or -1.0
    return Course(
        steps + 1, options["guidance"], options["solver"], sway, options["guidance_until"]
    )


def title_of(parameters: Parameters, sheet: Sheet) -> str:
    """Return the first line that is sung, or what the prompt begins with."""
    sung = next((line.text for line in sheet.lines if line.text.strip()), "")
    text = sung or parameters.prompt.split(",")[0]
    return text.strip(" ,.;:!?").capitalize()[:MAX_TITLE_CHARACTERS] or "Song"


def _told(found: Finding) -> LyricsFinding:
    line = found.row or 0
    return LyricsFinding(line, found.severity.value, found.code.value, found.message, found.remedy)
