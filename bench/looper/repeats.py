"""Tracks of the common kind: an intro, a cycle that is played several times, and an end."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from bench.looper.composition import STYLES, Chance, Note, compose, moved, timed
from bench.looper.instruments import Played, play, reverb
from bench.looper.made import Made
from bench.looper.truth import Truth


@dataclass(frozen=True, slots=True)
class Repeats:
    """A kind of track. Ranges of whole numbers exclude their ends."""

    klass: str
    style: str = "edm"
    rate_hz: int = 44_100
    channels: int = 2
    bpm: tuple[float, float] = (84, 150)
    metre: float = 4
    bars: tuple[int, int] = (8, 17)
    intro_bars: tuple[int, int] = (2, 6)
    times: float = 2
    """How often the cycle is played; a part of it may come last."""
    outro_bars: int = 0
    fade_s: float = 0.0
    rt60_s: float = 0.0
    wet: float = 0.25
    hiss_db: float | None = None
    """Against the music; it never repeats."""
    human: tuple[float, float] | None = None
    """Deviations of onset (ms) and velocity (log) of each note of each repeat."""
    ring_s: float = 0.0
    """What is kept after the last note."""
    whole: bool = True
    """The period is a whole number of frames."""
    aaba: bool = False
    """The cycle is made of quarters A A B A: two A in a row tempt to loop one."""

    @property
    def _is_exact(self) -> bool:
        return self.whole and self.human is None and self.hiss_db is None

    def make(self, chance: Chance) -> Made:
        """Make a track by chance."""
        rate_hz, metre, style = self.rate_hz, self.metre, STYLES[self.style]
        beat = rate_hz * 60 / float(chance.uniform(*self.bpm))
        bars = int(chance.integers(*self.bars))
        intro_bars = int(chance.integers(*self.intro_bars)) if self.intro_bars[1] else 0
        if self.aaba:
            bars = 4 * max(2, bars // 4)
        period = bars * metre * beat
        period = float(round(period)) if self.whole else period
        beat = period / (bars * metre)
        body, key = compose(chance, bars, metre, style)
        partial: tuple[float, ...] = ()
        if self.aaba:
            part = bars // 4
            a, key = compose(chance, part, metre, style)
            b, _ = compose(chance, part, metre, style, key)
            beats = part * metre
            body = a + moved(a, beats) + moved(b, 2 * beats) + moved(a, 3 * beats)
            partial = (beats * beat,)
        intro, _ = compose(chance, intro_bars, metre, style.without_lead(), key)
        outro, _ = (
            compose(chance, self.outro_bars, metre, style, key) if self.outro_bars else ((), 0)
        )
        start = float(round(intro_bars * metre * beat))
        body_end = start + self.times * period
        notes = timed(intro, beat, rate_hz) + self._played(chance, body, beat, period, start)
        notes += timed(outro, beat, rate_hz, body_end)
        end = body_end + self.outro_bars * metre * beat
        frames = round(end + self.ring_s * rate_hz)
        samples = play(notes, frames, rate_hz, self.channels, between=not self.whole)
        room_frames = 0
        if self.rt60_s:
            samples, room_frames = reverb(samples, rate_hz, self.rt60_s, self.wet, chance)
        first, last = round(start), round(body_end)
        if self.fade_s:
            fade_start = frames - int(self.fade_s * rate_hz)
            fade = np.linspace(1, 0, frames - fade_start)[:, None] ** 1.5
            samples[fade_start:frames] *= fade
            last = min(last, fade_start)
        samples = samples[:frames]
        if self.hiss_db is not None:
            level = np.sqrt((samples**2).mean()) * 10 ** (self.hiss_db / 20)
            samples = samples + chance.standard_normal(samples.shape) * level
        truth = Truth(
            self.klass,
            loopable=True,
            body=(first, last),
            period_frames=period,
            grid=[[start, 0.0], [body_end, float(self.times)]],
            cycles=self.times,
            beat_frames=beat,
            exact=self._is_exact,
            partial=partial,
            sample_rate_hz=rate_hz,
        )
        if not self._is_exact:  # then nothing can be compared; it begins where the room is full
            full = first + room_frames
            truth.match = (full, max(full, int(last - period)))
        return Made(samples, truth)

    def _played(
        self, chance: Chance, body: list[Note], beat: float, period: float, start: float
    ) -> list[Played]:
        """Return the notes of all repeats of a cycle."""
        cycle = timed(body, beat, self.rate_hz)
        if self.whole:
            # Rounded once, so that the repeats are equal.
            cycle = [note._replace(frame=round(note.frame)) for note in cycle]
        played = []
        for repeat in range(math.ceil(self.times)):
            for note in cycle:
                if repeat + note.frame / period >= self.times - 1e-9:
                    continue
                frame, velocity = note.frame, note.velocity
                if self.human:
                    frame += chance.normal(0, self.human[0]) * self.rate_hz / 1000
                    velocity *= float(np.exp(chance.normal(0, self.human[1])))
                frame = max(0.0, start + repeat * period + frame)
                played.append(note._replace(frame=frame, velocity=velocity))
        return played


REPEATS = {
    (1, "edm_intro"): Repeats("intro+exact", "edm", times=2.5),
    (2, "chip_vgm_fade"): Repeats("vgm fade", "chip", bpm=(120, 165), times=2.35, fade_s=9),
    (3, "band_outro"): Repeats("intro+outro", "band", outro_bars=5, rt60_s=1.0),
    (4, "piano_human"): Repeats(
        "humanised", "piano", bpm=(76, 104), times=3, human=(6.0, 0.12), rt60_s=1.0
    ),
    (5, "band_human"): Repeats("humanised", "band", times=3, human=(4.0, 0.08), rt60_s=0.8),
    (10, "waltz_3_4"): Repeats(
        "3/4", "waltz", metre=3, bpm=(104, 168), bars=(16, 25), times=2.6, rt60_s=1.2
    ),
    (11, "odd_7_8"): Repeats(
        "7/8", "band", metre=3.5, bpm=(100, 150), bars=(10, 17), times=2.7
    ),
    (12, "reverb_cross"): Repeats(
        "reverb crossing", "calm", bpm=(70, 96), bars=(8, 13), rt60_s=4.0, wet=1.0, ring_s=4.5
    ),
    (14, "fade_nointro"): Repeats(
        "fade", "orch", intro_bars=(0, 0), times=2.5, fade_s=12, rt60_s=1.0
    ),
    (15, "mono"): Repeats("mono", "chip", channels=1, times=2.6),
    (16, "sr22050"): Repeats("22.05k", "waltz", rate_hz=22_050, times=2.6, rt60_s=0.8),
    (17, "sr48000"): Repeats("48k", "edm", rate_hz=48_000, times=2.6),
    (20, "short_loop"): Repeats(
        "short loop x9", "edm", bpm=(110, 140), bars=(4, 5), intro_bars=(1, 3), times=9.5
    ),
    (21, "long_240s"): Repeats(
        "long", "orch", bpm=(88, 104), bars=(38, 41), intro_bars=(6, 8), times=2.2, rt60_s=1.5
    ),
    (22, "aaba_trap"): Repeats(
        "AABA trap", "waltz", bpm=(96, 130), bars=(16, 17), times=2.4, aaba=True, rt60_s=0.8
    ),
    (23, "fractional"): Repeats(
        "fractional period", "chip", bpm=(117, 123), times=2.7, whole=False
    ),
    (24, "hiss"): Repeats("hiss", "band", times=2.7, hiss_db=-26, rt60_s=0.8),
}  # fmt: skip
"""By number and name."""
