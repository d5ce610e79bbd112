"""How plainly chords tell their key, by comparing their tones with what keys sound like."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

MAJOR_USE = (0.748, 0.060, 0.488, 0.082, 0.670, 0.460, 0.096, 0.715, 0.104, 0.366, 0.057, 0.400)
MINOR_USE = (0.712, 0.084, 0.474, 0.618, 0.049, 0.460, 0.105, 0.747, 0.404, 0.067, 0.133, 0.330)
"""How often music in a key uses each step above the tonic, after Temperley."""

_TONE_WEIGHTS = (2.2, 1.0, 1.2, 0.6, 0.4)
"""Root (the bass has it too), third, fifth, seventh, ninth."""


def key_margin(chords: Iterable[Sequence[int]], tonic: int, *, minor: bool) -> float:
    """Return how much better the key fits the chords than any other key; below 0 it doesn't.

    A chord is its pitch classes, root first. The relative key counts a little less than another.
    """
    use = [0.0] * 12
    for chord in chords:
        for tone, weight in zip(chord, _TONE_WEIGHTS, strict=False):
            use[tone % 12] += weight
    own = _likeness(use, tonic, minor=minor)
    relative = (tonic + (3 if minor else 9)) % 12
    others = [
        _likeness(use, other, minor=dark) - (0.04 if (other, dark) == (relative, not minor) else 0)
        for other in range(12)
        for dark in (False, True)
        if (other, dark) != (tonic, minor)
    ]
    return own - max(others)


def _likeness(use: Sequence[float], tonic: int, *, minor: bool) -> float:
    """Correlation of the tones' use with that of a key."""
    usual = MINOR_USE if minor else MAJOR_USE
    turned = [use[(tonic + step) % 12] for step in range(12)]
    mean, usual_mean = sum(turned) / 12, sum(usual) / 12
    top = sum((a - mean) * (b - usual_mean) for a, b in zip(turned, usual, strict=True))
    size = sum((a - mean) * (a - mean) for a in turned)
    usual_size = sum((b - usual_mean) * (b - usual_mean) for b in usual)
    return top / math.sqrt(max(1e-12, size * usual_size))
