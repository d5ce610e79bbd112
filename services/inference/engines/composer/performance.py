"""Playing a plan: compose, check the sound, record, master, write. Reports while it works."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from musicgen.audio.codecs import AudioWriter, Format
from musicgen.engine.base import MIX_FILE, Report
from musicgen.progress import Progress, ProgressMeter, Stage
from services.inference.engines.composer.compose import compose
from services.inference.engines.composer.crew import Crew
from services.inference.engines.composer.master import Master, block_count
from services.inference.engines.composer.midi import midi_file
from services.inference.engines.composer.mix import Desk, Mix
from services.inference.engines.composer.plan import SAMPLE_RATE_HZ, Plan
from services.inference.engines.composer.preview import Previews
from services.inference.engines.composer.recording import StemFiles, record, spans
from services.inference.engines.composer.render import Band, Stem
from services.inference.engines.composer.score import Clock
from services.inference.engines.composer.soundcheck import soundcheck
from services.inference.engines.composer.sounds.bank import Bank
from services.inference.engines.composer.streams import Streams

SCORE_FILE = "score.mid"

_REPORT_EVERY_S = 0.05
_COSTS_S = {"composing": 0.05, "soundcheck": 0.8, "recording": 0.02, "mastering": 0.0045}
"""Measured cost of each stage; of the last two for each second of music."""


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
    """Write MIX_FILE, SCORE_FILE and, if wanted, stems; return the loudness in LUFS.

    Reports previews of what is recorded so far, files in `scratch` too.
    """
    score = compose(plan, streams)
    mix = Mix(plan)
    places = spans(mix.frames, mix.lead)
    progress = _Reporter(_meter(plan, mix, len(places)), report)
    progress.enter("composing")
    (scratch / SCORE_FILE).write_bytes(midi_file(plan, score))
    progress.advance(f"{score.note_count()} notes, {len(plan.sections)} sections")

    with Crew(progress.alive) as crew, contextlib.ExitStack() as stack:
        files = StemFiles(plan, scratch, stack) if stems else None
        previews = Previews(mix, plan, scratch, report, progress.alive)
        band = Band(plan, score, streams, bank, mix.lead)
        progress.enter("soundcheck")
        channels = soundcheck(plan, band, crew, progress.advance)
        sends = {part: channel.send for part, channel in channels.items()}
        desk = crew.start(lambda plan: Desk(plan, streams, sends), [plan]).wait()[0]
        progress.enter("recording")
        parts = {part: Stem(part, band, band.played[part]) for part in plan.parts}
        for block in record(parts, channels, desk, places, crew):
            mix.write(block.mix, block.start)
            if files:
                files.write(block)
            progress.advance(_place(plan, block.end))
            previews.reached(block.end)
    mix.finish(plan)

    progress.enter("mastering")
    master = Master(mix, plan, progress.alive)
    for _ in master.shape_tone():
        progress.advance()
    for _ in master.measure():
        progress.advance()
    with AudioWriter(
        scratch / MIX_FILE, Format.WAV, SAMPLE_RATE_HZ, 2, bits=24, expected_frames=mix.frames
    ) as writer:
        for finished in master.blocks():
            writer.write(finished.T)
            progress.advance()
    return master.lufs


def _meter(plan: Plan, mix: Mix, blocks: int) -> ProgressMeter:
    music_s = mix.samples.shape[1] / SAMPLE_RATE_HZ
    steps = {"composing": 1, "soundcheck": len(plan.parts), "recording": blocks,
             "mastering": 3 * block_count(mix)}  # fmt: skip
    times = {"composing": 1.0, "soundcheck": 1.0, "recording": music_s, "mastering": music_s}
    return ProgressMeter(
        [Stage(name, count, _COSTS_S[name] * times[name]) for name, count in steps.items()]
    )


def _place(plan: Plan, frame: int) -> str:
    """Name the section in which a frame lies."""
    clock = Clock(plan)
    starts = [clock.frame(section.start_bar, 0.0) for section in plan.sections]
    number = max(1, sum(start < frame for start in starts))
    return f"section {number} of {len(starts)} ({plan.sections[number - 1].kind})"
