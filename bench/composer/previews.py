"""Do previews follow each other, and sound like the mix that comes after them?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile
from scipy import signal

from bench.composer.measures import Floats
from musicgen.engine.base import MIX_FILE, Preview

_EDGES_HZ = (40, 120, 500, 2000, 5000, 10_000, 16_000)
_HEARD_DB = -60.0
"""A band that lies so far under the loudest, in both, is not compared."""


def off_db(folder: Path, previews: Sequence[Preview]) -> float | None:
    """Return by how much a band of a preview differs from the mix, at worst; None without one.

    A preview may have another gain and tone, as only the finished piece tells the best; but a
    listener must not hear that it was changed. Raises ValueError where previews don't follow
    each other from frame 0.
    """
    mix, rate_hz = soundfile.read(folder / MIX_FILE, dtype="float64")
    worst, reached = None, 0
    for preview in previews:
        heard, _ = soundfile.read(folder / preview.name, dtype="float64")
        if preview.start_frame != reached:
            raise ValueError(f"{preview.name} starts at {preview.start_frame}, not {reached}")
        pair = [_bands_db(part, rate_hz) for part in (heard, mix[reached : reached + len(heard)])]
        reached += len(heard)
        audible = np.maximum(*pair) > max(part.max() for part in pair) + _HEARD_DB
        difference = float(np.abs(pair[0] - pair[1])[audible].max())
        worst = max(worst or 0.0, difference)
    return worst


def _bands_db(samples: Floats, rate_hz: int) -> Floats:
    frequencies, power = signal.welch(samples.mean(axis=1), rate_hz, nperseg=4096)
    starts = np.searchsorted(frequencies, _EDGES_HZ)
    bands = np.add.reduceat(power[: starts[-1]], starts[:-1])
    return np.asarray(10 * np.log10(bands + 1e-20))
