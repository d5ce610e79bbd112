"""Mastering: tone, loudness, and a limiter for true peaks."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from services.inference.engines.composer.crew import Alive
from services.inference.engines.composer.effects import decibels
from services.inference.engines.composer.limiter import (
    CEILING,
    gain_at,
    group_peaks,
    limiter_curve,
    true_peaks,
)
from services.inference.engines.composer.loudness import (
    GROUP_FRAMES,
    HOP_FRAMES,
    group_energies,
    integrated_lufs,
)
from services.inference.engines.composer.mix import Mix
from services.inference.engines.composer.plan import Plan
from services.inference.engines.composer.synth.tables import Doubles, Floats
from services.inference.engines.composer.tone import Shaper, find_tone

TARGET_LUFS = -14.0
_STEP_FRAMES = HOP_FRAMES * 40
_MOST_PUSH_DB = 7.0
"""How much louder the mix is made than its own loudness asks for, where limiting costs some."""
_CLOSE_LU = 0.03
_REFINED_DB = 1.0
"""For how much more gain than now the true peaks are found at once: it costs time."""
_ROUNDS = 6
_JOIN_FRAMES = 2048
"""Over how long a loop's gain glides into that of its start."""


def block_count(mix: Mix) -> int:
    """How many steps each of the three passes of `Master` takes."""
    return math.ceil(int(mix.samples.shape[1]) / _STEP_FRAMES)


class Master:
    """Masters a mix in place; call the three passes in order.

    A loop's lead and tail are heard by the filters and the limiter, so that the join is like
    any other place, and not written.
    """

    def __init__(self, mix: Mix, plan: Plan, alive: Alive) -> None:
        self._alive = alive
        self._samples = mix.samples
        self._plan = plan
        self._lead = mix.lead
        self._frames = mix.frames
        self._gain = 1.0
        self._curve: Doubles = np.ones(math.ceil(mix.samples.shape[1] / GROUP_FRAMES))
        self.lufs = 0.0

    def shape_tone(self) -> Iterator[None]:
        """First pass: the family's balance of lows and highs, middle and side."""
        heard = self._samples[:, self._lead : self._lead + self._frames]
        shaper = Shaper(find_tone(heard, self._plan, self._alive))
        for block in self._blocks():
            block[:] = shaper(block)
            yield

    def measure(self) -> Iterator[None]:
        """Second pass: find the gain and the limiter's curve for the target loudness."""
        energies = []
        for energy in group_energies(self._blocks()):
            energies.append(energy)
            yield
        first = self._lead // GROUP_FRAMES
        heard = slice(first, first + self._frames // GROUP_FRAMES)
        groups = np.concatenate(energies)[heard]
        raw = integrated_lufs(groups)
        if raw <= -70.0:
            self.lufs = raw
            return
        gain_db = least_db = min(40.0, TARGET_LUFS - raw)
        peaks = group_peaks(self._samples, self._alive)
        refined_db = -120.0
        for _ in range(_ROUNDS):
            self._alive()
            if gain_db > refined_db:
                refined_db = gain_db + _REFINED_DB
                limit = CEILING / decibels(refined_db)
                peaks = true_peaks(self._samples, peaks, limit, self._alive)
            self._gain = decibels(gain_db)
            self._curve = limiter_curve(peaks * self._gain, self._alive)
            curve = self._curve[heard]
            self.lufs = integrated_lufs(groups * curve * curve) + gain_db
            missing = TARGET_LUFS - self.lufs
            if abs(missing) < _CLOSE_LU:
                break
            # Limiting costs loudness; make up for it, within reason.
            gain_db = min(gain_db + missing, least_db + _MOST_PUSH_DB)

    def blocks(self) -> Iterator[Floats]:
        """Third pass: yield the finished blocks, shape [2, frames]."""
        end = self._lead + self._frames
        blend = min(_JOIN_FRAMES, self._frames // 2)
        for start in range(self._lead, end, _STEP_FRAMES):
            stop = min(end, start + _STEP_FRAMES)
            gain = gain_at(self._curve, start, stop)
            if self._lead and stop > end - blend:
                # The limiter's groups lie elsewhere in the next cycle: glide over to them.
                first = max(start, end - blend)
                share = (np.arange(first, stop) - (end - blend) + 1.0) / blend
                coming = gain_at(self._curve, first - self._frames, stop - self._frames)
                gain[first - start :] += (coming - gain[first - start :]) * share
            yield self._samples[:, start:stop] * (gain * self._gain).astype(np.float32)

    def _blocks(self) -> Iterator[Floats]:
        for start in range(0, self._samples.shape[1], _STEP_FRAMES):
            yield self._samples[:, start : start + _STEP_FRAMES]
