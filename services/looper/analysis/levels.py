"""How loud a few bands are, millisecond by millisecond: what onsets and beats are read from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.signal

from musicgen.audio.codecs import AudioReader, Samples
from services.looper.stretches import Span

BANDS_HZ = ((40, 160), (160, 500), (500, 1_500), (1_500, 4_000), (4_000, 9_000))
LEVEL_HZ = 1_000
ENOUGH_HZ = 40_000
"""Of higher sample rates only every second, third … frame is needed for these bands."""

SHORT_FRAMES = 16_384
"""A block of these is in memory a dozen times."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Levels:
    """RMS levels [bands, milliseconds] of the bands that a sample rate can hold, summed over
    channels so that nothing cancels; `rms` is that of everything."""

    bands: Floats
    rms: float


def levels(blocks: Iterable[Samples], sample_rate_hz: int) -> Levels:
    """Measure audio given in blocks [frames, channels]; only the levels stay in memory."""
    every = max(1, sample_rate_hz // ENOUGH_HZ)
    rate_hz = sample_rate_hz / every
    filters = [
        scipy.signal.butter(2, [low, min(high, 0.45 * rate_hz)], "band", fs=rate_hz, output="sos")
        for low, high in BANDS_HZ
        if low < 0.4 * rate_hz
    ]
    states: list[Floats] = []
    measured: list[tuple[int, npt.NDArray[np.float32]]] = []
    frames, square_sum = 0, 0.0
    for block in _thinned(blocks, every):
        states = states or [np.zeros((len(one), 2, block.shape[1])) for one in filters]
        places = ((np.arange(frames, frames + len(block)) + 0.5) * LEVEL_HZ / rate_hz).astype(int)
        power = [np.ones(len(block))]
        for band, sections in enumerate(filters):
            passed, states[band] = scipy.signal.sosfilt(sections, block, axis=0, zi=states[band])
            power.append(np.square(passed).mean(axis=1))
        first = int(places[0])
        sums = [np.bincount(places - first, weights=one) for one in power]
        measured.append((first, np.stack(sums, dtype=np.float32, casting="same_kind")))
        frames += len(block)
        square_sum += float(np.square(block, dtype=np.float64).mean(axis=1).sum())
    count = int(frames / rate_hz * LEVEL_HZ)
    total = np.zeros((len(filters) + 1, count + 1))
    for first, sums_ in measured:
        total[:, first : first + sums_.shape[1]] += sums_
    bands = total[1:, :count]
    bands /= np.maximum(1, total[0, :count])
    return Levels(np.sqrt(bands, out=bands), float(np.sqrt(square_sum / max(1, frames))))


def blocks_of(reader: AudioReader, start_frame: int, end_frame: int) -> Iterator[Samples]:
    """Yield [start, end) clipped to the file, in blocks [frames, channels]."""
    start = max(0, start_frame)
    return Span(reader, start, min(end_frame, reader.properties.duration_frames)).blocks()


def _thinned(blocks: Iterable[Samples], every: int) -> Iterator[Samples]:
    """Yield the means of `every` frames in short blocks; what is left over at the end is
    dropped."""
    pending: Samples | None = None
    shorter = (
        block[start : start + SHORT_FRAMES]
        for block in blocks
        for start in range(0, len(block), SHORT_FRAMES)
    )
    for block in shorter:
        whole = block if pending is None else np.concatenate([pending, block])
        count = len(whole) // every
        pending = whole[count * every :]
        if count:
            grouped = whole[: count * every].reshape(count, every, -1)
            yield grouped.mean(axis=1) if every > 1 else whole
