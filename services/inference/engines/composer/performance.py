"""Playing a plan: compose, render, mix, master, write. Reports while it works."""

from __future__ import annotations

import contextlib
import math
import time
from pathlib import Path

from musicgen.audio.codecs import AudioWriter, Format
from musicgen.engine.base import MIX_FILE, Report
from musicgen.progress import Progress, ProgressMeter, Stage
from services.inference.engines.composer.compose import compose
from services.inference.engines.composer.master import Master, block_count
from services.inference.engines.composer.midi import midi_file
from services.inference.engines.composer.mix import Channel, Desk, balance_gain, mix, mix_blocks
from services.inference.engines.composer.plan import SAMPLE_RATE_HZ, Plan
from services.inference.engines.composer.render import Band, Stem
from services.inference.engines.composer.score import Clock, Score
from services.inference.engines.composer.sounds.bank import Bank
from services.inference.engines.composer.streams import Streams
from services.inference.engines.composer.synth.tables import Floats

SCORE_FILE = "score.mid"
ROOM_STEM = "room"
"""The stem of reverb and texture: with the parts' stems it adds up to the mix."""

_BALANCE_BARS = 8
_REPORT_EVERY_S = 0.1
_CHANNEL_FRAMES = 1 << 17
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


def perform(
    plan: Plan, streams: Streams, bank: Bank | None, scratch: Path, report: Report, *, stems: bool
) -> float:
    """Write MIX_FILE, SCORE_FILE and, if wanted, stems; return the loudness in LUFS."""
    score = compose(plan, streams)
    desk = Desk.for_piece(plan, score)
    steps = {
        "composing": 1,
        "balancing": len(plan.parts),
        "rendering": sum(len(section.parts) for section in plan.sections),
        "mixing": mix_blocks(desk.lead + desk.frames),
        "mastering": 3 * block_count(desk.dry.shape[1]),
    }
    stages = [Stage(name, count, _WEIGHTS[name]) for name, count in steps.items()]
    progress = _Reporter(ProgressMeter(stages), report)

    progress.enter("composing")
    (scratch / SCORE_FILE).write_bytes(midi_file(plan, score))
    progress.advance(f"{score.note_count()} notes, {len(plan.sections)} sections")
    with contextlib.ExitStack() as stack:
        writers = _stem_writers(plan, scratch, stack) if stems else {}
        _Recording(
            plan, streams, bank, score=score, desk=desk, writers=writers, progress=progress
        ).record()
        progress.enter("mixing")
        for start, added in mix(desk, plan, streams, progress.alive):
            if ROOM_STEM in writers and start + added.shape[1] > 0:
                writers[ROOM_STEM].write(added[:, max(0, -start) :].T)
            progress.advance()
    desk.clear_send()
    progress.enter("mastering")
    master = Master(desk.dry, plan, progress.alive, lead=desk.lead, frames=desk.frames)
    for _ in master.shape_tone():
        progress.advance()
    for _ in master.measure():
        progress.advance()
    with AudioWriter(
        scratch / MIX_FILE, Format.WAV, SAMPLE_RATE_HZ, 2, bits=24, expected_frames=desk.frames
    ) as writer:
        for block in master.blocks():
            writer.write(block.T)
            progress.advance()
    return master.lufs


def stem_names(plan: Plan) -> tuple[str, ...]:
    """The parts that have a stem, and the room."""
    return (*plan.parts, ROOM_STEM)


def stem_file(name: str) -> str:
    """The file of a stem in the scratch folder."""
    return f"stem-{name}.wav"


def _stem_writers(plan: Plan, folder: Path, stack: contextlib.ExitStack) -> dict[str, AudioWriter]:
    return {
        name: stack.enter_context(
            AudioWriter(
                folder / stem_file(name), Format.WAV, SAMPLE_RATE_HZ, 2, bits=24,
                expected_frames=plan.duration_frames,
            )
        )
        for name in stem_names(plan)
    }  # fmt: skip


class _Recording:
    """Plays the score through the desk's channels: first a trial for the balance, then all."""

    def __init__(
        self, plan: Plan, streams: Streams, bank: Bank | None, *, score: Score, desk: Desk,
        writers: dict[str, AudioWriter], progress: _Reporter,
    ) -> None:  # fmt: skip
        self._plan = plan
        self._score = score
        self._progress = progress
        self._clock = Clock(plan)
        self._band = Band(plan, streams, bank)
        self._desk = desk
        self._writers = writers

    def record(self) -> None:
        """Render every section of every part onto the desk."""
        plan, progress = self._plan, self._progress
        progress.enter("balancing")
        channels = {part: self._balanced_channel(part) for part in plan.parts}
        progress.enter("rendering")
        stems = {part: Stem(part, self._band) for part in plan.parts}
        if self._desk.lead:
            for part in plan.parts:
                self._play_lead(stems[part], channels[part])
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

    def _play_lead(self, stem: Stem, channel: Channel) -> None:
        """Play the end of the loop's cycle before, so that what rings on is there."""
        frames, lead = self._desk.frames, self._desk.lead
        notes = [note for parts in self._score.sections for note in parts.get(stem.part, [])]
        for cycle in range(math.ceil(lead / frames), 0, -1):
            start = max(0, cycle * frames - lead)
            chosen = [note for note in notes if note.start_frame >= start]
            stem.turn = len(notes) - len(chosen)
            played = stem.render(chosen, start, frames, self._progress.alive)
            self._send_through(channel, played, start - cycle * frames)
        stem.turn = 0

    def _send_through(self, channel: Channel, stem: Floats, start: int) -> None:
        for first in range(0, stem.shape[1], _CHANNEL_FRAMES):
            self._progress.alive()
            block = channel(stem[:, first : first + _CHANNEL_FRAMES], start + first)
            self._desk.add(block, start + first, channel.send)
            if start >= 0 and channel.part in self._writers:
                self._writers[channel.part].write(block.T)

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
