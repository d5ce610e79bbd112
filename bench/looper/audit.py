"""Looks for a cut that would loop tracks that are said to hold no loop.

In each, the pairs of moments are found around which 2 s sound most alike, on either side of a
cut; those cuts are scored. `python -m bench.looper.audit SEED`: a line a track, with the best.
"""

from __future__ import annotations

import functools
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import soundfile

from bench.looper import sets
from bench.looper.hearing import Ear
from bench.looper.instruments import Floats
from bench.looper.scorer import JUMP_MS, LOUD_DB, Score, Seam

_HOPS = 5
"""Of 10 ms; moments are that far apart."""
_SIDE = 40
"""Moments that have to be alike."""
_LEAST_S = 3.0
"""Shorter cuts are figures, not loops."""
_TRIES = 20
_OCCURS = 0.2
"""Transitions of true loops are below, humanised ones included."""


def cuts(samples: Floats, rate_hz: int, count: int = _TRIES) -> list[tuple[int, int]]:
    """Return the cuts of [frames, channels] that promise most, as start and end in frames."""
    mono = samples.mean(axis=1)
    ear = Ear(rate_hz, float(np.sqrt((mono**2).mean())) + 1e-12)
    spectra = ear.spectra(mono)[::_HOPS].astype(np.float64)
    size, step = len(spectra), ear.hop * _HOPS
    energy = (spectra**2).sum(1)
    distances = energy[:, None] + energy[None] - 2 * spectra @ spectra.T
    least = round(_LEAST_S * rate_hz / step)
    found: list[tuple[float, int, int]] = []
    for lag in range(least, size - _SIDE):
        along = np.concatenate([[0], np.cumsum(np.diagonal(distances, lag))])
        near = along[_SIDE:] - along[:-_SIDE]
        for place in {int(near.argmin()), int(near[: len(near) // 2 + 1].argmin())}:
            value = float(near[place])
            found.append((value, place, lag))  # alike after the cut
            found.append((value, place + _SIDE, lag))  # and before it
    found.sort()
    kept: list[tuple[int, int]] = []
    for _, place, lag in found:
        start, end = place * step, (place + lag) * step
        if all(abs(start - one) + abs(end - two) > 2 * step for one, two in kept):
            kept.append((start, end))
        if len(kept) == count:
            break
    return kept


def audit(file: str, folder: Path) -> tuple[int, int, Score | None]:
    """Return how many cuts of a track would pass, of how many, and the best."""
    samples, rate_hz = soundfile.read(folder / f"{file}.wav", always_2d=True)
    seam = Seam(samples, rate_hz)
    scores = [seam.score(start, end) for start, end in cuts(samples, rate_hz)]
    passing = [one for one in scores if _passes(one)]
    best = max(scores, key=lambda one: (_passes(one), -one.transition), default=None)
    return len(passing), len(scores), best


def _passes(score: Score) -> bool:
    """Tell whether a cut would do, were its click hidden by a crossfade."""
    return (
        score.transition <= _OCCURS and abs(score.jump_ms or 0) <= JUMP_MS
        and score.loud_db <= LOUD_DB
    )  # fmt: skip


def main() -> int:
    """Audit a seed's tracks without a loop; returns the exit status."""
    seed = int(sys.argv[1])
    tracks = [one for one in sets.build(seed, ["standard", "none"])[0] if one.loopable is not True]
    names = [one.name for one in tracks]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as workers:
        work = functools.partial(audit, folder=sets.folder_of(seed))
        for truth, (passing, tried, best) in zip(tracks, workers.map(work, names), strict=True):
            told = best and (
                f"T {best.transition:.2f} jump {best.jump_ms} loud {best.loud_db:.1f} dB"
                f" seam {best.seam:.0f}{' click' if best.clicked else ''}"
            )
            print(
                f"{truth.name:24} {truth.klass:34} {passing}/{tried} pass; best {told}", flush=True
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
