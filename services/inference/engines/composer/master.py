"""Mastering: tone towards the family's, loudness, and a limiter for true peaks."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from scipy import fft
from scipy.ndimage import minimum_filter1d, uniform_filter1d

from services.inference.engines.composer.loudness import (
    HOP_FRAMES,
    hop_energies,
    integrated_lufs,
)
from services.inference.engines.composer.plan import SAMPLE_RATE_HZ, Plan
from services.inference.engines.composer.render import Alive
from services.inference.engines.composer.synth.filters import Filter, high_shelf, low_shelf
from services.inference.engines.composer.synth.tables import Doubles, Floats

TARGET_LUFS = -14.0
CEILING_DBTP = -1.25
"""A little below -1 dBTP, for what the gain's own movement adds."""

GROUP_FRAMES = 64
BLOCK_FRAMES = HOP_FRAMES * 40
_RELEASE_S = 0.09
_TAPS = 12
_JOIN_FRAMES = 2048
"""Over how long a loop's gain glides into that of its start."""
_MAX_OVERSHOOT = 1.7
"""How far a true peak is taken to exceed its samples at most."""


def block_count(frames: int) -> int:
    """How many steps each of the three passes of `Master` takes."""
    return math.ceil(frames / BLOCK_FRAMES)


class Master:
    """Masters a mix of shape [2, lead + frames + tail] in place; call the three passes in order.

    `lead` and what follows the frames are a loop's end and start once more: they are heard
    by the filters and the limiter, so that the join is like any other place, and not written.
    """

    def __init__(
        self, mix: Floats, plan: Plan, alive: Alive, *, lead: int = 0, frames: int | None = None
    ) -> None:
        self._alive = alive
        self._mix = mix
        self._plan = plan
        self._lead = lead
        self._frames = mix.shape[1] - lead if frames is None else frames
        self._joins = lead > 0
        self._gain = 1.0
        self._envelope: Doubles = np.ones(1)
        self.lufs = 0.0

    def _starts(self) -> range:
        return range(0, self._mix.shape[1], BLOCK_FRAMES)

    def shape_tone(self) -> Iterator[None]:
        """First pass: shelves that bring highs and lows to where the family has them."""
        heard = self._mix[:, self._lead : self._lead + self._frames]
        low_db, air_db = _tone_correction(heard, self._plan)
        shelves = Filter(low_shelf(130.0, low_db), high_shelf(4200.0, air_db))
        for start in self._starts():
            block = self._mix[:, start : start + BLOCK_FRAMES]
            block[:] = shelves(block)
            yield

    def measure(self) -> Iterator[None]:
        """Second pass: find the gain and the limiter's curve for the target loudness."""
        blocks = (self._mix[:, start : start + BLOCK_FRAMES] for start in self._starts())
        energies = []
        for energy in hop_energies(blocks):
            energies.append(energy)
            yield
        skipped = self._lead // HOP_FRAMES
        hops = np.concatenate(energies)[skipped : skipped + self._frames // HOP_FRAMES]
        first_group = self._lead // GROUP_FRAMES
        wanted = TARGET_LUFS
        raw = integrated_lufs(hops)
        peaks = _group_peaks(self._mix, self._alive)
        ceiling = 10.0 ** (CEILING_DBTP / 20.0)
        gain_db = min(40.0, wanted - raw) if raw > -70.0 else 0.0
        limit = ceiling / 10.0 ** ((gain_db + 3.0) / 20.0)
        refined = _true_peaks(self._mix, peaks, limit, self._alive)
        for _ in range(4):
            self._gain = 10.0 ** (gain_db / 20.0)
            self._envelope = _limiter_curve(refined * self._gain, ceiling)
            self.lufs = integrated_lufs(hops * _hop_gain(self._envelope[first_group:], len(hops)))
            self.lufs += gain_db
            if abs(wanted - self.lufs) < 0.05 or raw <= -70.0:
                break
            # Limiting costs loudness; make up for it, within reason.
            gain_db = min(gain_db + wanted - self.lufs, wanted - raw + 3.0)

    def blocks(self) -> Iterator[Floats]:
        """Third pass: yield the finished blocks, shape [2, frames]."""
        end = self._lead + self._frames
        blend = min(_JOIN_FRAMES, self._frames // 2)
        for start in range(self._lead, end, BLOCK_FRAMES):
            stop = min(end, start + BLOCK_FRAMES)
            gain = self._curve(start, stop)
            if self._joins and stop > end - blend:
                # The limiter's groups lie elsewhere in the next cycle: glide over to them.
                first = max(start, end - blend)
                share = (np.arange(first, stop) - (end - blend) + 1.0) / blend
                coming = self._curve(first - self._frames, stop - self._frames)
                gain[first - start :] += (coming - gain[first - start :]) * share
            yield self._mix[:, start:stop] * (gain * self._gain).astype(np.float32)

    def _curve(self, start: int, stop: int) -> Doubles:
        """The limiter's gain of each frame; the points stand in the middle of their groups."""
        first = start // GROUP_FRAMES
        places = np.arange(start - first * GROUP_FRAMES, stop - first * GROUP_FRAMES)
        places += GROUP_FRAMES // 2
        groups = places // GROUP_FRAMES
        points = np.pad(self._envelope, (1, 2), mode="edge")[first:][: int(groups[-1]) + 2]
        share = (places % GROUP_FRAMES) / GROUP_FRAMES
        return np.asarray(points[groups] + (points[groups + 1] - points[groups]) * share)


def _tone_correction(mix: Floats, plan: Plan) -> tuple[float, float]:
    """Return the shelves' gains in dB, each within ±5, from windows all over the piece."""
    size = 1 << 14
    frames = mix.shape[1]
    starts = [round(i * max(0, frames - size) / 23) for i in range(24)]
    window = np.array([0.5 - 0.5 * math.cos(2 * math.pi * i / size) for i in range(size)])
    power = np.zeros(size // 2 + 1)
    for start in starts:
        piece = mix[:, start : start + size].astype(np.float64)
        piece = np.pad(piece, ((0, 0), (0, size - piece.shape[1]))) * window
        spectrum = fft.rfft(piece)
        power += np.add.reduce(spectrum.real * spectrum.real + spectrum.imag * spectrum.imag)

    def band(low_hz: float, high_hz: float) -> float:
        scale = size / SAMPLE_RATE_HZ
        total = float(np.add.reduce(power[round(low_hz * scale) : round(high_hz * scale)]))
        return 10.0 * math.log10(total + 1e-12)

    middle = band(200.0, 2000.0)
    air = band(5000.0, 16_000.0) - middle
    low = band(35.0, 120.0) - middle
    wanted_air = plan.profile.air_db + 3.0 * plan.brightness
    wanted_low = 1.5 if "drums" in plan.parts else -5.0
    air_db = max(-5.0, min(6.5, wanted_air - air))
    low_db = max(-5.0, min(3.0, 0.7 * (wanted_low - low)))
    return low_db, air_db


def _group_peaks(mix: Floats, alive: Alive) -> Doubles:
    """Greatest sample of each group of GROUP_FRAMES frames, both channels."""
    groups = math.ceil(mix.shape[1] / GROUP_FRAMES)
    peaks = np.zeros(groups)
    step = BLOCK_FRAMES // GROUP_FRAMES
    for first in range(0, groups, step):
        alive()
        block = np.abs(mix[:, first * GROUP_FRAMES : (first + step) * GROUP_FRAMES]).max(axis=0)
        block = np.pad(block, (0, -len(block) % GROUP_FRAMES))
        found = block.reshape(-1, GROUP_FRAMES).max(axis=1)
        peaks[first : first + len(found)] = found
    return peaks


def _interpolators() -> Doubles:
    """Windowed sincs for the points a quarter, a half and three quarters between samples."""
    rows = []
    for quarter in (1, 2, 3):
        row = []
        for tap in range(_TAPS):
            x = tap - (_TAPS / 2 - 1) - quarter / 4.0
            window = 0.5 + 0.5 * math.cos(math.pi * x / (_TAPS / 2 + 0.5))
            row.append(math.sin(math.pi * x) / (math.pi * x) * window)
        rows.append(row)
    return np.array(rows)


def _true_peaks(mix: Floats, peaks: Doubles, limit: float, alive: Alive) -> Doubles:
    """Refine the peaks of the groups that could pass `limit` by fourfold oversampling."""
    refined = peaks.copy()
    groups = np.flatnonzero(peaks * _MAX_OVERSHOOT > limit)
    taps = _interpolators().astype(np.float32)
    before, after = _TAPS // 2 - 1, _TAPS // 2
    width = GROUP_FRAMES + before + after
    for first in range(0, len(groups), 2048):
        alive()
        chosen = groups[first : first + 2048]
        places = chosen[:, None] * GROUP_FRAMES - before + np.arange(width)
        inside = np.clip(places, 0, mix.shape[1] - 1)
        for channel in range(2):
            window = mix[channel][inside]
            for row in taps:
                between = np.zeros((len(chosen), GROUP_FRAMES), np.float32)
                for tap in range(_TAPS):
                    between += window[:, tap : tap + GROUP_FRAMES] * row[tap]
                refined[chosen] = np.maximum(refined[chosen], np.abs(between).max(axis=1))
    return refined


def _limiter_curve(peaks: Doubles, ceiling: float) -> Doubles:
    """Gain of each group: down ahead of a peak, back up slowly after it."""
    needed = np.minimum(1.0, ceiling / np.maximum(peaks, 1e-9))
    ahead = minimum_filter1d(needed, 7, mode="nearest").tolist()
    share = 1.0 - math.exp(-GROUP_FRAMES / (_RELEASE_S * SAMPLE_RATE_HZ))
    gain = 1.0
    curve = []
    for target in ahead:
        gain = target if target < gain else gain + (target - gain) * share
        curve.append(gain)
    smooth: Doubles = uniform_filter1d(np.array(curve), 5, mode="nearest")
    return smooth


def _hop_gain(envelope: Doubles, hops: int) -> Doubles:
    """Mean square of the limiter's gain in each hop."""
    per_hop = HOP_FRAMES // GROUP_FRAMES
    squares = (envelope * envelope)[: hops * per_hop].reshape(hops, per_hop)
    return np.asarray(np.add.reduce(squares, axis=1) / per_hop)
