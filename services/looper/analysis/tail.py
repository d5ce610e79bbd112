"""A file that holds one pass and what rings on after it: the ringing is folded back.

Nothing in it repeats, so that only the beat can say how long the cycle is: whole bars, the
last of which holds the last stroke. This is believed only of music that keeps its tempo to
the end, plays through to its last bar, and then dies away.
"""

from __future__ import annotations

import numpy as np

from musicgen.audio.codecs import AudioReader
from services.looper.analysis.alignment import read_span
from services.looper.analysis.features import Features
from services.looper.analysis.tempo import Grid
from services.looper.loops import Cycle

LONGEST_S = 300.0
MIN_BARS = 4
MIN_TAIL_S = 0.3
FADED_DB = -30.0
LAST_S = 0.1
ATTACK_S = 0.006
"""Strokes are found this much after they begin."""

OPENING_S = 5.0
SOUND_DB = -40.0
SWELL_S = 0.05
"""A first sound that comes this early has begun at the file's start."""

OFF_GRID = 0.1
MIN_SHARE = 0.7


def tail_cycle(reader: AudioReader, features: Features, grid: Grid | None) -> Cycle | None:
    """Return the pass of a file that plays one and rings out, or None."""
    rate, total = reader.properties.sample_rate_hz, reader.properties.duration_frames
    if not (grid and grid.half_beats_a_bar and grid.tempo.share >= MIN_SHARE):
        return None
    if reader.properties.duration_s > LONGEST_S:
        return None
    half_s = grid.tempo.beat_s / 2
    bar_s = grid.half_beats_a_bar * half_s
    first_s, last_s = (float(grid.tempo.strokes_s[place]) for place in (0, -1))
    # Soft instruments may begin before the first stroke: at the first sound, on the grid.
    start_s = _first_sound_s(reader, features)
    steps = (first_s - ATTACK_S - start_s) / half_s
    if abs(steps - round(steps)) > OFF_GRID:
        start_s = max(0.0, first_s - ATTACK_S)
    if first_s - start_s > bar_s:
        return None
    # A stroke on a bar line would begin another bar.
    bars = int((last_s - start_s + half_s / 4) / bar_s) + 1
    cycle = Cycle(round(start_s * rate), round((start_s + bars * bar_s) * rate))
    if bars < MIN_BARS or total - cycle.end_frame < MIN_TAIL_S * rate:
        return None
    ending = read_span(reader, total - round(LAST_S * rate), total)
    level = float(np.sqrt(np.square(ending, dtype=np.float64).mean()))
    return cycle if level <= features.rms * 10 ** (FADED_DB / 20) else None


def _first_sound_s(reader: AudioReader, features: Features) -> float:
    rate = reader.properties.sample_rate_hz
    opening = read_span(reader, 0, round(OPENING_S * rate))
    loud = np.flatnonzero(np.abs(opening).max(axis=1) > features.rms * 10 ** (SOUND_DB / 20))
    first_s = float(loud[0]) / rate if loud.size else 0.0
    return first_s if first_s > SWELL_S else 0.0
