"""The waveform as a few thousand pairs of numbers, so that no browser decodes a file."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from musicgen.audio.codecs import AudioReader

BUCKETS_LARGEST = 2000
_DECIMALS = 3
"""A thousand steps: finer than a screen shows."""

Tick = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Peaks:
    """The lowest and highest sample of each run of `frames_per_peak` frames.

    `values` has the shape [peaks, 2] and is -1 to 1; the channels are averaged.
    """

    frames_per_peak: int
    values: npt.NDArray[np.float32]

    def to_json(self) -> str:
        """Return {"frames_per_peak": n, "peaks": [[min, max], …]}."""
        pairs = [[round(float(value), _DECIMALS) for value in pair] for pair in self.values]
        content = {"frames_per_peak": self.frames_per_peak, "peaks": pairs}
        return json.dumps(content, separators=(",", ":"))


def compute(path: Path, tick: Tick | None = None) -> Peaks:
    """Read an audio file in blocks. Raises InvalidAudio. What `tick`, called for each
    block, raises ends the reading."""
    with AudioReader(path) as reader:
        frames = reader.properties.duration_frames
        frames_per_peak = max(1, -(-frames // BUCKETS_LARGEST))
        buckets = -(-frames // frames_per_peak)
        lowest = np.zeros(buckets, np.float32)
        highest = np.zeros(buckets, np.float32)
        seen = 0
        for block in reader.blocks():
            mix = block.mean(axis=1)[: frames - seen]  # [frames, channels] -> [frames]
            if not len(mix):
                break
            first = seen // frames_per_peak
            # Where buckets begin inside this block; the first goes on from the block before.
            begins = np.arange(frames_per_peak - seen % frames_per_peak, len(mix), frames_per_peak)
            edges = np.concatenate(([0], begins))
            low, high = np.minimum.reduceat(mix, edges), np.maximum.reduceat(mix, edges)
            if seen % frames_per_peak:
                low[0], high[0] = min(low[0], lowest[first]), max(high[0], highest[first])
            lowest[first : first + len(low)] = low
            highest[first : first + len(high)] = high
            seen += len(mix)
            if tick:
                tick()
    values = np.stack((lowest, highest), axis=1).clip(-1.0, 1.0)  # [peaks, 2]
    return Peaks(frames_per_peak, values[: -(-seen // frames_per_peak)])
