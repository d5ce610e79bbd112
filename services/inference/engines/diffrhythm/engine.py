"""The engines of this family, as their hosts hold them."""

from __future__ import annotations

import hashlib
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
from musicgen.engine.determinism import RUNTIME_KEY
from musicgen.errors import ModelNotFound, OutOfMemory
from musicgen.progress import Progress
from services.inference.engines.diffrhythm.checkpoints import (
    Checkpoint,
    TinyCheckpoint,
    choose,
    frames_of,
    installed,
    sizes_for,
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
from services.inference.engines.diffrhythm.rungs import (
    Choice,
    Rung,
    first_that_fits,
    ladder,
)
from services.inference.engines.diffrhythm.sampler import Course, Overflow
from services.inference.engines.diffrhythm.song import Song, Wanted
from services.inference.engines.diffrhythm.trail import CHECKPOINT_S, Trail

MAX_TITLE_CHARACTERS = 60
STYLE_BYTES = 2 << 30
"""What MuQ-MuLan takes for a while; with less the network makes room for it."""

_TYPES = {"integer": int, "number": float, "string": str, "boolean": bool}


class DiffRhythm(Engine):
    """Sings with the models that are installed."""

    manifest = MANIFEST
    checkpoint_s = CHECKPOINT_S
    """Time of work after which another attempt could go on."""

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
        ladder(device, options["precision"])  # refuses what can't be, before work begins
        report(Progress("style", 0, 1, 0.0))
        wanted = Wanted(
            sheet,
            self._style(checkpoint, parameters),
            samples,
            parameters.seed,
            course_of(options),
            recording,
        )
        trail = Trail(parameters.checkpoint, scratch, report, self.checkpoint_s)
        song = Song(checkpoint, wanted, self._tokenizer.tokenize, scratch, report, trail=trail)
        try:
            finished = self._sing(song, checkpoint, device, options["precision"], report)
        finally:
            song.close()
        refined = song.refined_on or finished
        found = check(
            sheet,
            song.run_frames,
            checkpoint.config.max_frames,
            self._tokenizer.read,
            heard_frames=wanted.frames,
        )
        return Generation(
            title=title_of(parameters, sheet),
            decides_length=recording is not None,
            rung=refined.name,
            decisions={
                "model": checkpoint.name,
                "revisions": checkpoint.revisions(),
                "device": refined.device.type,
                "precision": str(refined.precision.compute).removeprefix("torch."),
                "threads": self.threads(),
                "style_sha256": hashlib.sha256(wanted.style.numpy().tobytes()).hexdigest(),
                **({"draft": True} if options["draft"] else {}),
                **({} if finished is refined else {"decoding_rung": finished.name}),
                RUNTIME_KEY: {
                    "device_class": device.kind if refined.device.type != "cpu" else "cpu",
                    "device": device.name,
                    "torch_version": torch.__version__,
                },
                "lyrics": sheet.as_lrc(),
                "lyrics_findings": [one.as_json() for one in found],
            },
        )

    def check_lyrics(self, parameters: Parameters) -> CheckedLyrics:
        """See Engine."""
        sheet = read_lyrics(parameters.lyrics, parameters.duration_s)
        model, frames = with_defaults(parameters.options)["model"], frames_of(parameters.duration_s)
        run_frames, max_frames = sizes_for(
            self.checkpoints(), model, parameters.duration_s, self.loaded_models()
        )
        found = check(sheet, run_frames, max_frames, self._tokenizer.read, heard_frames=frames)
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

    def _style(self, checkpoint: Checkpoint, parameters: Parameters) -> torch.Tensor:
        """Return the style; the network makes room for what makes it, if need be."""
        if 0 < available_bytes(PROCESSOR) < STYLE_BYTES:
            self._held.drop()
        for _ in range(2):
            try:
                return checkpoint.style_for(parameters)
            except Exception as error:
                if not is_shortage(error):
                    raise
            self._held.drop()
        raise OutOfMemory(
            "MuQ-MuLan, which understands the style, needs more memory than there is.",
            remedy="Close other programs, or give a style as 512 numbers.",
            metadata={"model": checkpoint.name},
        )

    def _sing(
        self,
        song: Song,
        checkpoint: Checkpoint,
        device: devices.Device,
        precision: Choice,
        report: Report,
    ) -> Rung:
        """Make the song; in full precision after numbers grew beyond half."""
        try:
            rungs = ladder(device, precision)
            return self._climb(rungs, checkpoint, song.run_frames, report, song.make)
        except Overflow:
            pass  # outside of the handler, so that the error's frames hold nothing any more
        self._held.drop()
        rungs = ladder(device, "full")
        return self._climb(rungs, checkpoint, song.run_frames, report, song.make)

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
        device = rungs[0].device
        available = available_bytes(device)
        if available:
            available += self._held.bytes_on(device)
        index = first_that_fits(rungs, checkpoint.config, parameters, frames, available)
        for rung in rungs[index:]:
            try:
                work(self._held, rung)
            except Exception as error:
                if not is_shortage(error):
                    raise
            else:
                return rung
            # Outside of the handler, as above.
            self._held.drop()
            report(Progress("making room", 0, 1, 0.0, detail=f"{rung.name} was too much"))
        raise OutOfMemory(
            f"Even with all weights left on the disk {checkpoint.name} needs more memory than "
            "there is.",
            remedy="Close other programs, ask for a shorter song, or choose a smaller model.",
            metadata={"model": checkpoint.name, "rung": rungs[-1].name},
        )


class DiffRhythmTiny(DiffRhythm):
    """Sings noise: the engine with weights that the project makes itself."""

    manifest = TINY_MANIFEST
    checkpoint_s = 0.0
    """After each step: it shows what the large ones do, and its steps take milliseconds."""

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
