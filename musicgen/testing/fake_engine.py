"""An engine that follows a script: a real subclass, in a real host.

    python -m musicgen.engine.host musicgen.testing.fake_engine:FakeEngine --socket PATH

Each request scripts its own run in its options, so that any test can make the engine slow,
fail, hang or crash through the whole studio. What it makes is a sine, known bit for bit.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from musicgen import errors
from musicgen.artifacts import sha256_of
from musicgen.audio.codecs import BLOCK_FRAMES, Samples
from musicgen.engine.base import (
    MAX_CHECKPOINT_BYTES,
    MIX_FILE,
    CheckedLyrics,
    Checkpoint,
    Engine,
    ExtraFile,
    Generation,
    LyricsFinding,
    Manifest,
    Parameters,
    Preview,
    Report,
    Reported,
    TimeRange,
)
from musicgen.progress import Progress, ProgressMeter, Stage
from musicgen.testing.signals import sine

SAMPLE_RATE_HZ = 44_100
MODELS = ("big",)
"""What it can load, though it needs no model to play a sine."""
HANG_S = 3_600.0
LONG_LINE_CHARACTERS = 40
"""It finds fault with lines of lyrics that are longer,"""
LONGEST_LINE_CHARACTERS = 80
"""and claims that it does not sing those that are longer than this."""

SCORE = (
    b"MThd"
    + bytes([0, 0, 0, 6, 0, 0, 0, 1, 0, 96])
    + b"MTrk"
    + bytes([0, 0, 0, 12, 0, 0x90, 57, 64, 96, 0x80, 57, 0, 0, 0xFF, 0x2F, 0])
)
"""What it leaves as its score: one note of a beat."""


@dataclasses.dataclass(frozen=True, slots=True)
class Script:
    """How a run goes. Steps are counted from 1; 0 means never."""

    steps: int = 4
    step_s: float = 0.0
    fail_at: int = 0
    """Step at which the run fails..."""
    fail_with: str = "INTERNAL"
    """...with the error of this reason; MEMORY and DISK raise what Python would."""
    hang_at: int = 0
    """Step at which the run goes silent for an hour."""
    crash_at: int = 0
    """Step at which the process dies."""
    ignore_cancel: bool = False
    """Whether cancellation goes unnoticed."""
    wrong: str = ""
    """What is wrong with the mix: rate, channels, length, nan, missing or text."""
    midi: bool = False
    """Whether a score is left beside the mix."""
    stems: Sequence[str] = ()
    """Parts in lower case that are left beside the mix; together they are the mix."""
    wrong_extra: str = ""
    """What is wrong beside the mix: midi_text, midi_missing, stem_missing, or a stem with
    the rate, length, text or nan of `wrong`."""
    previews: int = 0
    """Into how many previews the mix is cut. Each is reported when its share of the steps
    is done."""
    wrong_preview: str = ""
    """What is wrong with every preview: one of `wrong`; empty (it holds no frame); again
    (all have one name)."""
    checkpoints: int = 0
    """After every how many steps a checkpoint is left. A run that is given one goes on after
    the step that it was left at, if it asks for the same."""
    wrong_checkpoint: str = ""
    """What is wrong with every checkpoint: missing, empty, large, or again (all have one
    name)."""


OPTIONS_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "steps": {"type": "integer", "minimum": 1, "maximum": 10_000},
        "step_s": {"type": "number", "minimum": 0, "maximum": 60},
        "fail_at": {"type": "integer", "minimum": 0},
        "fail_with": {"type": "string"},
        "hang_at": {"type": "integer", "minimum": 0},
        "crash_at": {"type": "integer", "minimum": 0},
        "ignore_cancel": {"type": "boolean"},
        "wrong": {"enum": ["", "rate", "channels", "length", "nan", "missing", "text"]},
        "midi": {"type": "boolean"},
        "stems": {"type": "array", "items": {"type": "string", "pattern": "^[a-z]+$"}},
        "wrong_extra": {
            "enum": [
                "",
                "midi_text",
                "midi_missing",
                "stem_missing",
                "rate",
                "length",
                "nan",
                "text",
            ]
        },
        "previews": {"type": "integer", "minimum": 0, "maximum": 100},
        "wrong_preview": {
            "enum": [
                "",
                "rate",
                "channels",
                "length",
                "nan",
                "missing",
                "text",
                "empty",
                "again",
            ]
        },
        "checkpoints": {"type": "integer", "minimum": 0, "maximum": 10_000},
        "wrong_checkpoint": {"enum": ["", "missing", "empty", "large", "again"]},
    },
}

MANIFEST = Manifest(
    name="fake",
    display_name="Fake",
    version="1.0.0",
    description="Follows a script and makes a sine, whatever the words; for tests.",
    license="Apache-2.0",
    sample_rate_hz=SAMPLE_RATE_HZ,
    channels=2,
    min_duration_s=0.1,
    max_duration_s=600.0,
    default_duration_s=1.0,
    supports_lyrics=True,
    options_schema=OPTIONS_SCHEMA,
    supports_style_audio=True,
    supports_edit=True,
    checks_lyrics=True,
)


def frequency_hz(seed: int) -> float:
    """Return the pitch of a seed: one of 24 semitones from 220 Hz."""
    return float(220.0 * 2.0 ** ((seed % 24) / 12))


def expected_samples(seed: int, duration_s: float) -> Samples:
    """Return exactly what the engine makes. Shape [frames, 2]."""
    return sine(frequency_hz(seed), round(duration_s * SAMPLE_RATE_HZ), SAMPLE_RATE_HZ)


def expected_edit(source: Samples, regenerate: Sequence[TimeRange], seed: int) -> Samples:
    """Return exactly what the engine makes of a source: the seed's sine in the parts, and the
    source outside of them. Shape [frames, 2], as that of `source`."""
    made, tone = source.copy(), sine(frequency_hz(seed), len(source), SAMPLE_RATE_HZ)
    for part in regenerate:
        start = round(part.start_s * SAMPLE_RATE_HZ)
        end = None if part.end_s is None else round(part.end_s * SAMPLE_RATE_HZ)
        made[start:end] = tone[start:end]
    return made


def timed(lyrics: str, duration_s: float) -> str:
    """Return lyrics as LRC, their lines spread evenly over the piece."""
    lines = [line.strip() for line in lyrics.splitlines() if line.strip()]
    times_s = (number * duration_s / len(lines) for number in range(len(lines)))
    return "\n".join(
        f"[{int(time_s // 60):02}:{time_s % 60:05.2f}]{line}"
        for time_s, line in zip(times_s, lines, strict=True)
    )


class FakeEngine(Engine):
    """Follows `script`, with the options of each request on top."""

    manifest = MANIFEST

    def __init__(self, script: Script | None = None) -> None:
        self._script = script or Script()
        self._model = ""

    def load(self, model: str, report: Report) -> None:
        """Load one of MODELS, in place of the one before."""
        if model not in MODELS:
            return super().load(model, report)
        report(Progress("loading", 0, 1, 0.0))
        self._model = model
        return None

    def loaded_models(self) -> Sequence[str]:
        """Return the model that was loaded last."""
        return (self._model,) if self._model else ()

    def generate(self, parameters: Parameters, scratch: Path, report: Report) -> Generation:
        """Write the sine, step by step."""
        script = dataclasses.replace(self._script, **parameters.options)
        meter = ProgressMeter([Stage("playing", script.steps, 1.0)])
        begins = meter.enter("playing")
        done, heard = _steps_done(parameters, script), 0
        if done:
            begins = meter.skip(done, detail=f"going on from step {done} of {script.steps}")
        self._report(report, script, begins)
        samples, told = _samples(parameters)
        for step in range(done + 1, script.steps + 1):
            self._misbehave(script, step)
            time.sleep(script.step_s)
            self._report(report, script, meter.advance(detail=f"step {step}"))
            for index in range(heard, script.previews * step // script.steps):
                self._report(report, script, _write_preview(samples, scratch, script, index))
                heard = index + 1
            if script.checkpoints and step % script.checkpoints == 0:
                left = _write_checkpoint(parameters, scratch, script, step)
                self._report(report, script, left)
        for index in range(heard, script.previews):  # there was no step left to do
            self._report(report, script, _write_preview(samples, scratch, script, index))
        _write(samples, scratch / MIX_FILE, script.wrong)
        return Generation(
            title=" ".join(parameters.prompt.split())[:60],
            genre="test tone",
            tempo_bpm=120.0,
            musical_key="A major",
            decides_length=parameters.edit is not None,
            decisions={
                "frequency_hz": frequency_hz(parameters.seed),
                "steps": script.steps,
                **told,
            },
            files=_write_extras(samples, scratch, script),
        )

    def check_lyrics(self, parameters: Parameters) -> CheckedLyrics:
        """Find fault with long lines."""
        found = [
            _finding(number, len(line))
            for number, line in enumerate(parameters.lyrics.splitlines(), 1)
            if len(line) > LONG_LINE_CHARACTERS
        ]
        return CheckedLyrics(found, timed(parameters.lyrics, parameters.duration_s))

    @staticmethod
    def _report(report: Report, script: Script, event: Reported) -> None:
        try:
            report(event)
        except errors.Cancelled:
            if not script.ignore_cancel:
                raise

    @staticmethod
    def _misbehave(script: Script, step: int) -> None:
        if step == script.crash_at:
            sys.stderr.flush()
            os._exit(42)
        if step == script.hang_at:
            time.sleep(HANG_S)
        if step == script.fail_at:
            raise _failure(script.fail_with)


def _failure(reason: str) -> Exception:
    if reason == "MEMORY":
        return MemoryError()
    if reason == "DISK":
        return OSError(28, "No space left on device")
    return errors.by_reason(reason)("The script says so.")


def _samples(parameters: Parameters) -> tuple[Samples, dict[str, Any]]:
    """Make the mix; also say of each input what it was."""
    samples = expected_samples(parameters.seed, parameters.duration_s)
    told: dict[str, Any] = {}
    if parameters.lyrics:
        told["lyrics"] = timed(parameters.lyrics, parameters.duration_s)
    if parameters.style_audio:
        told["style_audio"] = _read(parameters.style_audio)[1]
    if edit := parameters.edit:
        source, facts = _read(edit.source)
        samples = expected_edit(source, edit.regenerate, parameters.seed)
        parts = [[part.start_s, part.end_s] for part in edit.regenerate]
        told["edit"] = {"source": facts, "regenerate": parts}
    return samples, told


def _read(path: Path) -> tuple[Samples, dict[str, Any]]:
    """Read what is at the fake's own rate; it knows no other."""
    samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    if (rate_hz, samples.shape[1]) != (SAMPLE_RATE_HZ, 2):
        raise errors.InvalidAudio(f"The fake reads stereo at {SAMPLE_RATE_HZ} Hz only.")
    return samples, {"sha256": sha256_of(path), "frames": len(samples)}


def _finding(line: int, characters: int) -> LyricsFinding:
    unsung = characters > LONGEST_LINE_CHARACTERS
    return LyricsFinding(
        line,
        "error" if unsung else "warning",
        "not_sung" if unsung else "long_line",
        f"The line has {characters} characters.",
        f"Break it after {LONG_LINE_CHARACTERS}.",
    )


def _write_preview(samples: Samples, scratch: Path, script: Script, index: int) -> Preview:
    """Leave one part of the mix."""
    start, end = (len(samples) * n // script.previews for n in (index, index + 1))
    name = "part-0.wav" if script.wrong_preview == "again" else f"part-{index}.wav"
    end = start if script.wrong_preview == "empty" else end
    _write(samples[start:end], scratch / name, script.wrong_preview)
    return Preview(name, start)


def _write_checkpoint(
    parameters: Parameters, scratch: Path, script: Script, step: int
) -> Checkpoint:
    """Leave what another run can go on from."""
    wrong = script.wrong_checkpoint
    path = scratch / f"checkpoint-{0 if wrong == 'again' else step}.json"
    if wrong == "large":
        with path.open("wb") as file:
            file.truncate(MAX_CHECKPOINT_BYTES + 1)
    elif wrong != "missing":
        state = {"of": _digest(parameters), "step": step}
        path.write_text("" if wrong == "empty" else json.dumps(state), encoding="utf-8")
    return Checkpoint(path.name)


def _steps_done(parameters: Parameters, script: Script) -> int:
    """Return after which step a run goes on; 0 without a checkpoint that fits."""
    if not parameters.checkpoint:
        return 0
    try:
        state = json.loads(parameters.checkpoint.read_bytes())
        fits = state["of"] == _digest(parameters) and 0 < state["step"] <= script.steps
        return int(state["step"]) if fits else 0
    except (OSError, ValueError, KeyError, TypeError):
        return 0


def _digest(parameters: Parameters) -> str:
    """Return a hash of all that is asked for."""
    asked = dataclasses.replace(parameters, checkpoint=None)
    return hashlib.sha256(repr(asked).encode()).hexdigest()


def _write_extras(samples: Samples, scratch: Path, script: Script) -> list[ExtraFile]:
    """Leave what the script wants beside the mix."""
    wrong, files = script.wrong_extra, []
    if script.midi:
        if wrong != "midi_missing":
            (scratch / "score.mid").write_bytes(b"no score" if wrong == "midi_text" else SCORE)
        files.append(ExtraFile("score.mid", "midi", "Score"))
    for part in script.stems:
        name = f"stem-{part}.wav"
        share = (samples / len(script.stems)).astype(np.float32)
        _write(share, scratch / name, wrong.removeprefix("stem_"))
        files.append(ExtraFile(name, "stem", part.capitalize()))
    return files


def _write(samples: Samples, path: Path, wrong: str) -> None:
    rate_hz = SAMPLE_RATE_HZ
    match wrong:
        case "missing":
            return
        case "text":
            path.write_text("no audio")
            return
        case "rate":
            rate_hz = 48_000
        case "channels":
            samples = samples[:, :1]
        case "length":
            samples = samples[: len(samples) // 2]
        case "nan":
            samples = np.where(np.arange(len(samples))[:, None] == 7, np.nan, samples)
    with soundfile.SoundFile(path, "w", rate_hz, samples.shape[1], "FLOAT", format="WAV") as file:
        for start in range(0, len(samples), BLOCK_FRAMES):
            file.write(samples[start : start + BLOCK_FRAMES])
