"""Previews: the first stretches of a piece, to be heard while the rest is being played."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from musicgen.audio.codecs import AudioWriter, Format
from musicgen.engine.base import Preview
from services.inference.engines.composer.crew import Alive
from services.inference.engines.composer.effects import decibels
from services.inference.engines.composer.limiter import (
    CEILING,
    LOOK_AHEAD_GROUPS,
    gain_at,
    group_peaks,
    limiter_curve,
    true_peaks,
)
from services.inference.engines.composer.loudness import (
    GROUP_FRAMES,
    group_energies,
    integrated_lufs,
)
from services.inference.engines.composer.master import TARGET_LUFS
from services.inference.engines.composer.mix import Edges, Mix
from services.inference.engines.composer.plan import SAMPLE_RATE_HZ, Plan
from services.inference.engines.composer.reverb import BLOCK_FRAMES
from services.inference.engines.composer.synth.tables import Doubles, Floats
from services.inference.engines.composer.tone import Shaper, Tone, find_tone

_LAST_SHARE = 0.75
"""No preview ends later in a piece: by then the whole is nearly there."""
_LEAST_FRAMES = 5 * BLOCK_FRAMES
"""A shorter piece is done in a second."""
_FIRST_FRAMES = BLOCK_FRAMES
_GROWTH = 2.0
_MOST_GAIN_DB = 12.0
_QUIETER_LU = 1.2
"""How much softer than its full sections a whole piece is, as measured over the families."""


class Previews:
    """Cuts previews from a mix that grows. Each doubles what can be heard.

    The gain and the tone are those that the sound check asks for: the finished master hears the
    whole piece and may choose others.
    """

    def __init__(
        self, mix: Mix, plan: Plan, folder: Path, report: Callable[[Preview], None], alive: Alive
    ) -> None:
        self._mix = mix
        self._plan = plan
        self._folder = folder
        self._report = report
        self._alive = alive
        self._done = 0
        self._count = 0
        self._next = _FIRST_FRAMES // GROUP_FRAMES * GROUP_FRAMES
        self._shaper = Shaper(Tone())
        self._gain = self._last_gain = 1.0

    def prepare(self, together: Floats) -> None:
        """Choose tone and gain by all parts at once, as the sound check gives them."""
        # Beyond the piece: where there are no fades.
        heard = Edges(self._plan)(together, self._mix.frames)
        tone = find_tone(heard, self._plan, self._alive)
        loudness_lufs = integrated_lufs(next(group_energies([Shaper(tone)(heard)])))
        self._shaper = Shaper(tone)
        self._gain = decibels(min(_MOST_GAIN_DB, TARGET_LUFS - loudness_lufs + _QUIETER_LU))

    def reached(self, end: int) -> None:
        """The mix is there up to frame `end`: tell a preview if it is time for one."""
        frames = self._mix.frames
        if frames < _LEAST_FRAMES or not self._next <= end <= _LAST_SHARE * frames:
            return
        # Whole groups of the limiter, so that the next one goes on where this one ends.
        end = end // GROUP_FRAMES * GROUP_FRAMES
        name = f"preview-{self._count}.wav"
        self._write(self._folder / name, self._done, end)
        self._report(Preview(name, self._done))
        self._count += 1
        self._done, self._next = end, round(end * _GROWTH)

    def _write(self, path: Path, start: int, end: int) -> None:
        with AudioWriter(
            path, Format.WAV, SAMPLE_RATE_HZ, 2, bits=16, expected_frames=end - start
        ) as writer:
            shaped = itertools.chain(self._shaped(start, end), (None,))
            for current, following in itertools.pairwise(shaped):
                if current is None:
                    continue
                block, peaks = current
                ahead = following[1][:LOOK_AHEAD_GROUPS] if following else peaks[:0]
                curve = limiter_curve(np.concatenate((peaks, ahead)), self._alive, self._last_gain)
                self._last_gain = float(curve[len(peaks) - 1])
                gain = gain_at(curve, 0, block.shape[1]).astype(np.float32)
                writer.write((block * gain).T)

    def _shaped(self, start: int, end: int) -> Iterator[tuple[Floats, Doubles]]:
        """Yield blocks with their tone and gain, and their peaks."""
        heard = self._mix.heard(start, end)
        for first in range(0, heard.shape[1], BLOCK_FRAMES):
            self._alive()
            block = self._shaper(heard[:, first : first + BLOCK_FRAMES]) * np.float32(self._gain)
            peaks = group_peaks(block, self._alive)
            yield block, true_peaks(block, peaks, CEILING, self._alive)
