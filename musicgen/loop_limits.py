"""What can be asked of a loop; jobs checks it on admission, the looper once more."""

import math

MIN_LENGTH_S, MAX_LENGTH_S = 60.0, 36_000.0
"""One minute to ten hours."""

MAX_CYCLES = 100_000
"""Ten hours in all at most, however short the cycle is."""

MAX_CROSSFADE_MS = 500.0

MIN_FADE_S, MAX_FADE_S, DEFAULT_FADE_S = 0.01, 60.0, 5.0
"""Length of a fade-out at the end."""

MAX_SNAP_S = 0.05
"""How far the end of given points may be moved."""

MAX_CANDIDATES, DEFAULT_CANDIDATES = 8, 5

MIN_CYCLE_S, DEFAULT_MIN_CYCLE_S = 0.5, 2.0
"""A shorter cycle is a buzz, not a loop; the shortest that is looked for unless told."""


def shortest_wanted_s(max_s: float | None) -> float:
    """Return the shortest cycle that is looked for where none is told: whoever asks for short
    ones only does not mean "none"."""
    short = max_s is not None and max_s < DEFAULT_MIN_CYCLE_S
    return MIN_CYCLE_S if short else DEFAULT_MIN_CYCLE_S


def within(value: float, least: float, most: float) -> bool:
    """Whether a number is one, and neither too small nor too large."""
    return math.isfinite(value) and least <= value <= most
