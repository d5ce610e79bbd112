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
from services.inference.engines.composer.score import Clock, Score
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


class Performance:
    """Plays one plan."""

    def __init__(
        self, plan: Plan, streams: Streams, bank: Bank | None, scratch: Path, report: Report
    ) -> None:
        self._plan = plan
        self._streams = streams
        self._bank = bank
        self._scratch = scratch
        self._report = report
        self._mix = Mix(plan)
        self._places = spans(self._mix.frames, self._mix.lead)
        self._progress = _Reporter(self._meter(), report)

    def perform(self, *, stems: bool) -> float:
        """Write MIX_FILE, SCORE_FILE and, if wanted, stems; return the loudness in LUFS.

        Reports previews of what is recorded so far, files in the scratch folder too.
        """
        plan, progress = self._plan, self._progress
        progress.enter("composing")
        score = compose(plan, self._streams, progress.alive)
        (self._scratch / SCORE_FILE).write_bytes(midi_file(plan, score))
        progress.advance(f"{score.note_count()} notes, {len(plan.sections)} sections")
        files = StemFiles(plan, self._scratch) if stems else None
        with files or contextlib.nullcontext():
            self._record(score, files)
        return self._master()

    def _record(self, score: Score, files: StemFiles | None) -> None:
        """Fill the mix. Voices and rooms go with the end of this: the master needs none."""
        plan, mix, progress = self._plan, self._mix, self._progress
        previews = Previews(mix, plan, self._scratch, self._report, progress.alive)
        with Crew(progress.alive) as crew:
            band = Band(plan, score, self._streams, self._bank, mix.lead)
            progress.enter("soundcheck")
            building = crew.start(self._build_desk, [plan])
            check = soundcheck(plan, band, crew, progress.advance)
            previews.prepare(check.together)
            desk = building.wait()[0]
            progress.enter("recording")
            parts = {part: Stem(part, band, band.played[part]) for part in plan.parts}
            for block in record(parts, check.channels, desk, self._places, crew):
                mix.write(block.mix, block.start)
                if files:
                    files.write(block)
                progress.advance(_place(plan, block.end))
                previews.reached(block.end)
        if plan.loop:
            mix.join()

    def _build_desk(self, plan: Plan) -> Desk:
        return Desk(plan, self._streams)

    def _master(self) -> float:
        """Write the finished mix."""
        mix, progress = self._mix, self._progress
        progress.enter("mastering")
        master = Master(mix, self._plan, progress.alive)
        for _ in master.shape_tone():
            progress.advance()
        for _ in master.measure():
            progress.advance()
        with AudioWriter(
            self._scratch / MIX_FILE, Format.WAV, SAMPLE_RATE_HZ, 2, bits=24,
            expected_frames=mix.frames,
        ) as writer:  # fmt: skip
            for block in master.blocks():
                writer.write(block.T)
                progress.advance()
        return master.lufs

    def _meter(self) -> ProgressMeter:
        plan, mix = self._plan, self._mix
        music_s = mix.samples.shape[1] / SAMPLE_RATE_HZ
        steps = {"composing": 1, "soundcheck": len(plan.parts), "recording": len(self._places),
                 "mastering": 3 * block_count(mix)}  # fmt: skip
        times = {"composing": 1.0, "soundcheck": 1.0, "recording": music_s, "mastering": music_s}
        return ProgressMeter(
            [Stage(name, count, _COSTS_S[name] * times[name]) for name, count in steps.items()]
        )


def _place(plan: Plan, frame: int) -> str:
    """Say in which section a frame lies."""
    clock = Clock(plan)
    starts = [clock.frame(section.start_bar, 0.0) for section in plan.sections]
    number = max(1, sum(start < frame for start in starts))
    kind = plan.sections[number - 1].kind
    return f"{_CALLED.get(kind, kind)}, section {number} of {len(starts)}"


_CALLED = {"A": "verse", "B": "chorus", "C": "bridge"}
"""Kind of section → what people call it."""
