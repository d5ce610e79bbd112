"""Loudness after ITU-R BS.1770: K-weighting and gating, from energies of short groups of frames."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from services.inference.engines.composer.synth.filters import Filter, Row
from services.inference.engines.composer.synth.tables import SAMPLE_RATE_HZ, Doubles

GROUP_FRAMES = 64
"""Energies are kept for groups of this size, and the limiter's gain has a point for each."""

HOP_FRAMES = 69 * GROUP_FRAMES
"""A tenth of a second, in whole groups."""

SILENCE_LUFS = -120.0
_BLOCK_HOPS = 4


def _k_weighting() -> tuple[Row, Row]:
    """A high shelf for the head and a low cut, at this sample rate."""
    turn = math.tan(math.pi * 1681.974450955533 / SAMPLE_RATE_HZ)
    q, high = 0.7071752369554196, 10.0 ** (3.999843853973347 / 20.0)
    middle = high**0.4996667741545416
    a0 = 1.0 + turn / q + turn * turn
    shelf = (
        (high + middle * turn / q + turn * turn) / a0,
        2.0 * (turn * turn - high) / a0,
        (high - middle * turn / q + turn * turn) / a0,
        1.0,
        2.0 * (turn * turn - 1.0) / a0,
        (1.0 - turn / q + turn * turn) / a0,
    )
    turn, q = math.tan(math.pi * 38.13547087602444 / SAMPLE_RATE_HZ), 0.5003270373238773
    a0 = 1.0 + turn / q + turn * turn
    cut = (1.0, -2.0, 1.0, 1.0, 2.0 * (turn * turn - 1.0) / a0, (1.0 - turn / q + turn * turn) / a0)
    return shelf, cut


def group_energies(blocks: Iterable[npt.NDArray[np.float32]]) -> Iterator[Doubles]:
    """Yield the K-weighted energy of each group of GROUP_FRAMES frames, channels summed.

    Blocks have shape [2, a multiple of GROUP_FRAMES]; a last shorter one loses its rest.
    """
    weighting = Filter(*_k_weighting())
    for block in blocks:
        weighted = weighting(block)
        groups = weighted.shape[1] // GROUP_FRAMES
        power = weighted[:, : groups * GROUP_FRAMES].astype(np.float64)
        power = (power * power).reshape(2, groups, GROUP_FRAMES)
        yield np.add.reduce(np.add.reduce(power, axis=2), axis=0) / GROUP_FRAMES


def integrated_lufs(groups: Doubles) -> float:
    """Gated loudness of groups, as `group_energies` gives them; SILENCE_LUFS for silence."""
    per_hop = HOP_FRAMES // GROUP_FRAMES
    whole = len(groups) // per_hop * per_hop
    if not whole:
        return SILENCE_LUFS
    hops = np.add.reduce(groups[:whole].reshape(-1, per_hop), axis=1) / per_hop
    return _gated(hops)


def _gated(energies: Doubles) -> float:
    """Gated loudness of the energies of hops."""
    count = len(energies) - _BLOCK_HOPS + 1
    if count < 1:
        count, blocks = 1, np.array([float(np.add.reduce(energies)) / max(1, len(energies))])
    else:
        blocks = sum((energies[i : i + count] for i in range(_BLOCK_HOPS)), np.zeros(count))
        blocks = blocks / _BLOCK_HOPS
    loud = blocks[blocks > 10.0 ** ((-70.0 + 0.691) / 10.0)]
    if not len(loud):
        return SILENCE_LUFS
    gate = float(np.add.reduce(loud)) / len(loud) * 0.1
    kept = loud[loud > gate]
    return -0.691 + 10.0 * math.log10(float(np.add.reduce(kept)) / len(kept))
