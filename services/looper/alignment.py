"""From a lag on a grid of hops to the exact frame, by the waveforms themselves."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.signal

from musicgen.audio.codecs import AudioReader, Samples
from services.looper.loops import Cycle

CONTEXT_S = 2.0
"""Waveform compared on each side of the cycle's start."""

MIN_CONTEXT_S = 0.5


def read_span(reader: AudioReader, start_frame: int, end_frame: int) -> Samples:
    """Read [start, end) clipped to the file. Shape [frames, channels]."""
    start = max(0, start_frame)
    reader.seek(start)
    return reader.read(max(0, min(end_frame, reader.properties.duration_frames) - start))


def align(reader: AudioReader, cycle: Cycle, search_frames: int) -> tuple[Cycle, float]:
    """Move the end of `cycle` by up to `search_frames` to where the waveform around it
    matches that around the start best.

    Returns the cycle and the normalised correlation there (-1 to 1; 0 if the file leaves
    too little to compare). High frequencies are raised first, so that the match is sharp.
    """
    rate, total = reader.properties.sample_rate_hz, reader.properties.duration_frames
    context = round(CONTEXT_S * rate)
    before = min(context, cycle.start_frame, cycle.end_frame - search_frames)
    after = min(context, total - cycle.end_frame - search_frames)
    if before < 0 or after < 0 or before + after < MIN_CONTEXT_S * rate:
        return cycle, 0.0
    here = read_span(reader, cycle.start_frame - before, cycle.start_frame + after)
    there = read_span(
        reader, cycle.end_frame - before - search_frames, cycle.end_frame + after + search_frames
    )
    curve = correlate(sharpened(here), sharpened(there))
    offset = int(curve.argmax())
    moved = Cycle(cycle.start_frame, cycle.end_frame + offset - search_frames)
    return moved, float(curve[offset])


def sharpened(samples: Samples) -> Samples:
    """Return the first difference: +6 dB an octave. Shape as given."""
    return np.diff(samples, axis=0, prepend=samples[:1])


def correlate(needle: Samples, hay: Samples) -> npt.NDArray[np.float64]:
    """Return the normalised correlation of `needle` with each place of `hay`, summed over
    channels: shape [len(hay) - len(needle) + 1], values -1 to 1."""
    product = np.zeros(len(hay) - len(needle) + 1)
    for channel in range(hay.shape[1]):
        product += scipy.signal.correlate(
            hay[:, channel].astype(np.float64),
            needle[:, channel].astype(np.float64),
            mode="valid",
            method="fft",
        )
    energy = np.concatenate([[0.0], np.cumsum(np.square(hay, dtype=np.float64).sum(axis=1))])
    local = np.maximum(energy[len(needle) :] - energy[: len(product)], 0)
    own = np.square(needle, dtype=np.float64).sum()
    return np.asarray(product / np.sqrt(local * own + 1e-12))
