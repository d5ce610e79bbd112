"""The limiter: true peaks by oversampling, and a gain that is down before they come."""

from __future__ import annotations

import math

import numpy as np
from scipy.ndimage import minimum_filter1d, uniform_filter1d

from services.inference.engines.composer.crew import Alive
from services.inference.engines.composer.loudness import GROUP_FRAMES
from services.inference.engines.composer.plan import SAMPLE_RATE_HZ
from services.inference.engines.composer.synth.tables import Doubles, Floats

CEILING_DBTP = -1.25
"""A little below -1 dBTP, for what the gain's own movement adds."""
CEILING = 10.0 ** (CEILING_DBTP / 20.0)

LOOK_AHEAD_GROUPS = 3
"""For how long before a peak the gain is down."""

_RELEASE_S = 0.09
_TAPS = 24
_MAX_OVERSHOOT = 1.6
"""How far a true peak exceeds its samples at most: a click between two of them does by 1.57."""
_CHUNK_GROUPS = 4096


def group_peaks(mix: Floats, alive: Alive) -> Doubles:
    """Greatest sample of each group of GROUP_FRAMES frames, both channels."""
    peaks = np.zeros(math.ceil(mix.shape[1] / GROUP_FRAMES))
    for first in range(0, len(peaks), _CHUNK_GROUPS):
        alive()
        block = mix[:, first * GROUP_FRAMES : (first + _CHUNK_GROUPS) * GROUP_FRAMES]
        highest = np.maximum(block.max(axis=0), -block.min(axis=0))
        highest = np.pad(highest, (0, -len(highest) % GROUP_FRAMES))
        found = highest.reshape(-1, GROUP_FRAMES).max(axis=1)
        peaks[first : first + len(found)] = found
    return peaks


def true_peaks(mix: Floats, peaks: Doubles, limit: float, alive: Alive) -> Doubles:
    """Refine the peaks of the groups that could pass `limit` by fourfold oversampling."""
    refined = peaks.copy()
    groups = np.flatnonzero(peaks * _MAX_OVERSHOOT > limit)
    taps = _interpolators()
    before, after = _TAPS // 2 - 1, _TAPS // 2
    width = GROUP_FRAMES + before + after
    for first in range(0, len(groups), 1024):
        alive()
        chosen = groups[first : first + 1024]
        places = chosen[:, None] * GROUP_FRAMES - before + np.arange(width)
        inside = np.clip(places, 0, mix.shape[1] - 1)
        for channel in mix:
            window = channel.take(inside)
            for row in taps:
                between = np.zeros((len(chosen), GROUP_FRAMES), np.float32)
                for tap in range(_TAPS):
                    between += window[:, tap : tap + GROUP_FRAMES] * row[tap]
                highest = np.maximum(between.max(axis=1), -between.min(axis=1))
                refined[chosen] = np.maximum(refined[chosen], highest)
    return refined


def _interpolators() -> Floats:
    """Windowed sincs for the points a quarter, a half and three quarters between samples."""
    rows = []
    for quarter in (1, 2, 3):
        row = []
        for tap in range(_TAPS):
            x = tap - (_TAPS / 2 - 1) - quarter / 4.0
            window = 0.5 + 0.5 * math.cos(math.pi * x / (_TAPS / 2 + 0.5))
            row.append(math.sin(math.pi * x) / (math.pi * x) * window)
        rows.append(row)
    return np.array(rows, np.float32)


def limiter_curve(peaks: Doubles, alive: Alive, start: float = 1.0) -> Doubles:
    """Gain of each group: down ahead of a peak, back up slowly after it; `start` before all."""
    needed = np.minimum(1.0, CEILING / np.maximum(peaks, 1e-9))
    ahead = minimum_filter1d(needed, 2 * LOOK_AHEAD_GROUPS + 1, mode="nearest").tolist()
    share = 1.0 - math.exp(-GROUP_FRAMES / (_RELEASE_S * SAMPLE_RATE_HZ))
    gain = start
    curve = []
    for first in range(0, len(ahead), _CHUNK_GROUPS):
        alive()
        for target in ahead[first : first + _CHUNK_GROUPS]:
            gain = target if target < gain else gain + (target - gain) * share
            curve.append(gain)
    smooth: Doubles = uniform_filter1d(np.array(curve), 5, mode="nearest")
    return smooth


def gain_at(curve: Doubles, start: int, stop: int) -> Doubles:
    """The gain of each frame from `start` on; the points stand in the middle of their groups."""
    first = start // GROUP_FRAMES
    places = np.arange(start - first * GROUP_FRAMES, stop - first * GROUP_FRAMES)
    places += GROUP_FRAMES // 2
    groups = places // GROUP_FRAMES
    points = np.pad(curve, (1, 2), mode="edge")[first:][: int(groups[-1]) + 2]
    share = (places % GROUP_FRAMES) / GROUP_FRAMES
    return np.asarray(points[groups] + (points[groups + 1] - points[groups]) * share)
