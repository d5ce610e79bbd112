"""From a lag on a grid of hops to the exact frame, by the waveforms themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.signal

from musicgen.audio.codecs import AudioReader, Samples

CONTEXT_S = 2.0
"""Waveform compared around each place."""

MIN_CONTEXT_S = 0.5


@dataclass(frozen=True, slots=True)
class Match:
    """How the music around `frame` comes again.

    `lag_frames` later, to the frame, with a normalised `correlation` of -1 to 1;
    `fraction_frames` (-0.5 to 0.5) is what the true lag has beyond that.
    """

    frame: int
    lag_frames: int
    correlation: float
    fraction_frames: float = 0.0


def read_span(reader: AudioReader, start_frame: int, end_frame: int) -> Samples:
    """Read [start, end) clipped to the file. Shape [frames, channels]."""
    start = max(0, start_frame)
    reader.seek(start)
    return reader.read(max(0, min(end_frame, reader.properties.duration_frames) - start))


def match(reader: AudioReader, frame: int, lag_frames: int, search_frames: int) -> Match:
    """Find the lag, at most `search_frames` from `lag_frames`, at which the waveform around
    `frame` comes again best.

    The correlation is 0 if the file leaves too little to compare. High frequencies are
    raised first, so that the match is sharp.
    """
    rate, total = reader.properties.sample_rate_hz, reader.properties.duration_frames
    context = round(CONTEXT_S / 2 * rate)
    there = frame + lag_frames
    before = min(context, frame, there - search_frames)
    after = min(context, total - there - search_frames)
    if before < 0 or after < 0 or before + after < MIN_CONTEXT_S * rate:
        return Match(frame, lag_frames, 0.0)
    needle = read_span(reader, frame - before, frame + after)
    hay = read_span(reader, there - before - search_frames, there + after + search_frames)
    curve = correlate(sharpened(needle), sharpened(hay))
    peak = int(curve.argmax())
    return Match(
        frame, lag_frames + peak - search_frames, float(curve[peak]), top_of(curve, peak) - peak
    )


def agreed(matches: Sequence[Match], tolerance_frames: int) -> list[Match]:
    """Return those of `matches` whose lags lie within `tolerance_frames` of one that most
    others share."""
    if not matches:
        return []
    lags = np.array([one.lag_frames for one in matches])
    near = np.abs(lags[:, None] - lags[None, :]) <= tolerance_frames
    weights = np.maximum(0, [one.correlation for one in matches])
    best = int((near @ weights).argmax())
    return [one for one, close in zip(matches, near[best], strict=True) if close]


def top_of(curve: npt.NDArray[np.float64], peak: int) -> float:
    """Return where a parabola through `peak` and its neighbours has its top."""
    if not 0 < peak < len(curve) - 1:
        return float(peak)
    left, middle, right = curve[peak - 1 : peak + 2]
    bend = left - 2 * middle + right
    return peak + (float(np.clip(0.5 * (left - right) / bend, -0.5, 0.5)) if bend < 0 else 0.0)


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
