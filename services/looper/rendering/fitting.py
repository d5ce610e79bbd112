"""The audio of a timeline at a codec's rate, and stretches of it fitted to whole frames.

Every method yields an exact number of samples, in blocks of float32 [samples, channels].
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import chain

import numpy as np
import soxr

from musicgen.audio.codecs import BLOCK_FRAMES, Samples
from services.looper.rendering.layout import Layout
from services.looper.rendering.timeline import Timeline
from services.looper.stretches import Stretch, cut

FILL = 2048
"""Samples after which a resampler no longer hears that it was started."""

SEARCHED = 1 << 20
PHASE_ERROR = 1e-4
"""In frames of the source."""


class Fitter:
    """A timeline heard at another rate."""

    def __init__(self, timeline: Timeline, sample_rate_hz: int) -> None:
        self._timeline = timeline
        self._rate = Fraction(sample_rate_hz, timeline.sample_rate_hz)

    def whole(self, samples: int) -> Iterator[Samples]:
        """Yield all of the timeline."""
        return self._resampled(self._timeline.blocks(), self._rate, 0, samples)

    def opening(self, samples: int) -> Iterator[Samples]:
        """Yield the head and then the cycle."""
        blocks = chain(self._timeline.head.blocks(), self._timeline.endless())
        return self._resampled(blocks, self._rate, 0, samples)

    def cycle(self, phase_source: int, samples: int) -> Iterator[Samples]:
        """Yield the cycle from a frame of it on, again and again."""
        fill = self._fill()
        blocks = self._timeline.endless(phase_source - int(fill / self._rate))
        return self._resampled(blocks, self._rate, fill, samples)

    def stretched(self, phase_source: int, source: int, samples: int) -> Iterator[Samples]:
        """Yield `source` frames of the cycle as so many samples: they begin and end where
        they should to PHASE_ERROR, or twice of that where the ratio is awkward."""
        rate = Fraction(samples, source)
        if rate == self._rate:
            return self.cycle(phase_source, samples)
        fill = _fill(source, samples)
        blocks = self._timeline.endless(phase_source - round(fill / rate))
        return self._resampled(blocks, rate, fill, samples)

    def ending(self, layout: Layout) -> Iterator[Samples]:
        """Yield the audio from `warm_up` before the ending's joint to the very end."""
        timeline, fill = self._timeline, self._fill()
        phase = layout.ending_phase_source % timeline.cycle.frames
        before = int((layout.warm_up + fill) / self._rate)
        blocks = cut(timeline.endless(phase - before), before + layout.ending_cycle_source)
        if not timeline.outro:
            # No more than the cycle, up to a cut: it may begin anywhere.
            timeline = replace(timeline, cycle=_Turned(timeline.cycle, phase))
        return self._resampled(
            chain(blocks, timeline.ending(layout.ending_source)),
            self._rate,
            fill,
            layout.warm_up + layout.length - layout.ending_joint,
        )

    def _fill(self) -> int:
        step = self._rate.numerator
        return 0 if self._rate == 1 else -(-FILL // step) * step

    def _resampled(
        self, blocks: Iterator[Samples], rate: Fraction, drop: int, samples: int
    ) -> Iterator[Samples]:
        if rate != 1:
            blocks = _through_soxr(blocks, rate, self._timeline.channels)
        return _exactly(blocks, drop, samples, self._timeline.channels)


class _Turned(Stretch):
    """A cycle that begins at another frame of it."""

    def __init__(self, cycle: Stretch, phase: int) -> None:
        self._cycle, self._phase = cycle, phase
        self.frames = cycle.frames

    def blocks(self, start_frame: int = 0) -> Iterator[Samples]:
        """Yield the audio from `start_frame` on, once around."""
        start = self._phase + start_frame
        if start < self.frames:
            yield from self._cycle.blocks(start)
        wrapped = max(0, start - self.frames)
        yield from cut(self._cycle.blocks(wrapped), self._phase - wrapped)


def _fill(source: int, samples: int) -> int:
    """Return after how many samples, FILL or more, a resampler of this ratio is at a whole
    frame of the source, or close to one."""
    count = np.arange(FILL, FILL + SEARCHED, dtype=np.int64)
    past = count * source % samples
    error = np.minimum(past, samples - past) / samples
    fine = np.flatnonzero(error < PHASE_ERROR)
    return int(count[fine[0] if len(fine) else np.argmin(error)])


def _through_soxr(blocks: Iterator[Samples], rate: Fraction, channels: int) -> Iterator[Samples]:
    stream = soxr.ResampleStream(float(rate.denominator), float(rate.numerator), channels)
    for block in blocks:
        yield stream.resample_chunk(np.ascontiguousarray(block, np.float32))
    yield stream.resample_chunk(np.zeros((0, channels), np.float32), last=True)


def _exactly(
    blocks: Iterator[Samples], drop: int, samples: int, channels: int
) -> Iterator[Samples]:
    """Skip `drop` samples, then yield so many: silence where there are fewer."""
    left = samples
    for whole in blocks:
        block = whole[drop:]
        drop -= len(whole) - len(block)
        for start in range(0, min(len(block), left), BLOCK_FRAMES):
            piece = block[start : min(start + BLOCK_FRAMES, left)]
            yield piece
        left -= min(len(block), left)
        if not left:
            return
    while left:
        yield np.zeros((min(left, BLOCK_FRAMES), channels), np.float32)
        left -= min(left, BLOCK_FRAMES)
