"""The composer as an engine: runs the layers in order, reports, and writes the mix."""

from __future__ import annotations

import time
from pathlib import Path

from musicgen.audio.codecs import AudioWriter, Format
from musicgen.engine.base import MIX_FILE, Engine, Generation, Manifest, Parameters, Report
from musicgen.errors import InvalidField, InvalidPrompt
from musicgen.progress import Progress, ProgressMeter, Stage
from services.inference.engines.composer.compose import compose
from services.inference.engines.composer.form import body
from services.inference.engines.composer.master import Master, block_count
from services.inference.engines.composer.mix import Channel, Desk, balance_gain, mix, mix_blocks
from services.inference.engines.composer.options import SCHEMA, read_options
from services.inference.engines.composer.plan import SAMPLE_RATE_HZ, Plan, make_plan
from services.inference.engines.composer.prompt import Understanding, understand
from services.inference.engines.composer.render import Band, Stem
from services.inference.engines.composer.score import Clock, Score
from services.inference.engines.composer.streams import Streams
from services.inference.engines.composer.synth.tables import Floats

VERSION = "0.1.0"

_BALANCE_BARS = 8
_REPORT_EVERY_S = 0.1
_CHANNEL_FRAMES = 1 << 17
_UNSUNG = ("lyrics (the composer does not sing)",)
_WEIGHTS = {
    "composing": 1.0,
    "balancing": 30.0,
    "rendering": 30.0,
    "mixing": 22.0,
    "mastering": 25.0,
}
"""Measured share of each stage in the work of a one-minute piece."""


class _Reporter:
    """Passes progress on, and repeats it while a step takes long so that a cancel acts."""

    def __init__(self, meter: ProgressMeter, report: Report) -> None:
        self._meter = meter
        self._report = report
        self._last: Progress | None = None
        self._sent_s = 0.0

    def _send(self, progress: Progress) -> None:
        self._last = progress
        self._sent_s = time.monotonic()
        self._report(progress)

    def enter(self, stage: str) -> None:
        self._send(self._meter.enter(stage))

    def advance(self, detail: str = "") -> None:
        self._send(self._meter.advance(detail=detail))

    def alive(self) -> None:
        if self._last and time.monotonic() - self._sent_s > _REPORT_EVERY_S:
            self._send(self._last)


class Composer(Engine):
    """Composes from the prompt and plays it with its own synths. No model, no download."""

    manifest = Manifest(
        name="composer",
        display_name="Composer",
        version=VERSION,
        description=(
            "Writes and plays instrumental music from a description: tempo, key, mood, genre "
            "and instruments are read from plain words. Works at once, on any processor."
        ),
        license="Apache-2.0",
        sample_rate_hz=SAMPLE_RATE_HZ,
        channels=2,
        min_duration_s=5.0,
        max_duration_s=600.0,
        default_duration_s=60.0,
        supports_lyrics=False,
        options_schema=SCHEMA,
    )

    def generate(self, parameters: Parameters, scratch: Path, report: Report) -> Generation:
        """See Engine. Raises InvalidPrompt and InvalidField for what can't be composed."""
        if not parameters.prompt.strip():
            raise InvalidPrompt("The prompt is empty.")
        low_s, high_s = self.manifest.min_duration_s, self.manifest.max_duration_s
        if not low_s <= parameters.duration_s <= high_s:
            problem = f"Must lie between {low_s:g} and {high_s:g} seconds."
            raise InvalidField(
                "The composer can't make a piece of that length.",
                fields={"parameters.duration_seconds": problem},
            )
        options = read_options(parameters.options)
        heard = understand(parameters.prompt)
        streams = Streams(parameters.seed, parameters.prompt)
        plan = make_plan(parameters.prompt, heard, options, parameters.duration_s, streams)
        lufs = _perform(plan, streams, scratch / MIX_FILE, report)
        return Generation(
            title=plan.title,
            genre=plan.profile.label,
            tempo_bpm=plan.tempo_bpm,
            musical_key=plan.key,
            loop_frames=_loop_frames(plan),
            decisions={
                "plan": plan.to_json(),
                "understood": understood(heard),
                "ignored": [*heard.ignored, *_UNSUNG[: bool(parameters.lyrics.strip())]],
                "loudness_lufs": round(lufs, 2),
            },
        )


def understood(heard: Understanding) -> dict[str, object]:
    """What a prompt was taken to say, as plain JSON, without what it didn't say."""
    values: dict[str, object] = {}
    for name in heard.__dataclass_fields__:
        value = getattr(heard, name)
        if name != "ignored" and value not in (None, (), {}, 0.0, False):
            values[name] = list(value) if isinstance(value, tuple) else value
    if heard.tonic == 0:
        values["tonic"] = 0
    return values


def _loop_frames(plan: Plan) -> tuple[int, int] | None:
    """Whole bars without intro and outro; None for a piece that is cut within a bar."""
    clock = Clock(plan)
    start, end = (clock.frame(bar, 0.0) for bar in body(plan.sections))
    return (start, end) if start < end <= plan.duration_frames else None


def _perform(plan: Plan, streams: Streams, path: Path, report: Report) -> float:
    """Compose, render, mix, master and write; returns the loudness in LUFS."""
    steps = {
        "composing": 1,
        "balancing": len(plan.parts),
        "rendering": sum(len(section.parts) for section in plan.sections),
        "mixing": mix_blocks(plan.duration_frames),
        "mastering": 3 * block_count(plan.duration_frames),
    }
    stages = [Stage(name, count, _WEIGHTS[name]) for name, count in steps.items()]
    progress = _Reporter(ProgressMeter(stages), report)

    progress.enter("composing")
    score = compose(plan, streams)
    progress.advance(f"{score.note_count()} notes, {len(plan.sections)} sections")
    desk = _Recording(plan, streams, score, progress).record()
    progress.enter("mixing")
    for _ in mix(desk, plan, streams, progress.alive):
        progress.advance()
    progress.enter("mastering")
    master = Master(desk.dry, plan, progress.alive)
    for _ in master.shape_tone():
        progress.advance()
    for _ in master.measure():
        progress.advance()
    with AudioWriter(
        path, Format.WAV, SAMPLE_RATE_HZ, 2, bits=24, expected_frames=plan.duration_frames
    ) as writer:
        for block in master.blocks():
            writer.write(block.T)
            progress.advance()
    return master.lufs


class _Recording:
    """Plays the score through the desk's channels: first a trial for the balance, then all."""

    def __init__(self, plan: Plan, streams: Streams, score: Score, progress: _Reporter) -> None:
        self._plan = plan
        self._score = score
        self._progress = progress
        self._clock = Clock(plan)
        self._band = Band(plan, streams)
        self._desk = Desk.for_piece(plan.duration_frames, score)

    def record(self) -> Desk:
        """Render every section of every part."""
        plan, progress = self._plan, self._progress
        progress.enter("balancing")
        channels = {part: self._balanced_channel(part) for part in plan.parts}
        progress.enter("rendering")
        stems = {part: Stem(part, self._band) for part in plan.parts}
        for index, section in enumerate(plan.sections):
            start, end = self._bounds(index)
            for part, instrument in plan.parts.items():
                if end > start:
                    notes = self._score.sections[index].get(part, [])
                    stem = stems[part].render(notes, start, end, progress.alive)
                    self._send_through(channels[part], stem, start)
                if part in section.parts:
                    name = "drums" if part == "drums" else instrument.replace("_", " ")
                    place = f"section {index + 1} of {len(plan.sections)} ({section.kind})"
                    progress.advance(f"{place}: {name}")
        return self._desk

    def _send_through(self, channel: Channel, stem: Floats, start: int) -> None:
        for first in range(0, stem.shape[1], _CHANNEL_FRAMES):
            self._progress.alive()
            block = channel(stem[:, first : first + _CHANNEL_FRAMES], start + first)
            self._desk.add(block, start + first, channel.send)

    def _bounds(self, index: int) -> tuple[int, int]:
        """Frames of a section, end exclusive; the last one has the ring-out too."""
        plan, section = self._plan, self._plan.sections[index]
        start = min(plan.duration_frames, self._clock.frame(section.start_bar, 0.0))
        if index == len(plan.sections) - 1:
            return start, plan.duration_frames
        end = self._clock.frame(section.start_bar + section.bars, 0.0)
        return start, min(plan.duration_frames, end)

    def _balanced_channel(self, part: str) -> Channel:
        """Set a part's gain from a few bars of the section where it plays strongest."""
        plan = self._plan
        channel = Channel(part, plan, self._desk.kicks)
        playing = [i for i, section in enumerate(plan.sections) if part in section.parts]
        if playing:
            loudest = max(playing, key=lambda i: (plan.sections[i].energy, -i))
            section = plan.sections[loudest]
            start, end = self._bounds(loudest)
            last_bar = section.start_bar + min(section.bars, _BALANCE_BARS)
            end = min(end, max(start + SAMPLE_RATE_HZ, self._clock.frame(last_bar, 0.0)))
            score = self._score.sections[loudest].get(part, [])
            notes = [note for note in score if note.start_frame < end]
            trial = Stem(part, self._band).render(notes, start, end, self._progress.alive)
            strip = Channel(part, plan, self._desk.kicks)
            channel.gain = balance_gain(part, plan, strip(trial, start))
        self._progress.advance(plan.parts[part].replace("_", " "))
        return channel
