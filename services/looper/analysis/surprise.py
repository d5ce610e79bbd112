"""How sharply a waveform breaks: what a linear predictor that knows it doesn't foresee.

Numbers are residuals over the 99th percentile of the residual around them: inside music
they are mostly below 1, a join of things that don't belong together has 2 to 30.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.linalg
import scipy.signal

from musicgen.audio.codecs import AudioReader, Samples
from services.looper.analysis.alignment import read_span

ORDER = 32
CONTEXT_FRAMES = 2_048
JOIN_FRAMES = 3
MASKED_DB = -30.0
"""A residual this far under the music around it is not heard, however unusual."""

NEAR_FRAMES = 320
"""About 7 ms."""

REFERENCE_PLACES = 120

STROKE_S = 0.01
STROKE_RISE_DB = 6.0
"""What begins this much louder than what it follows is a note being struck."""

STROKE_SPANS = 24
STROKE_SPAN_S = 0.5


def surprise(samples: Samples, reach_frames: int = JOIN_FRAMES) -> float:
    """Return the largest residual within `reach_frames` of the middle of samples [frames,
    channels], over the 99th percentile of the residual; the worst of the channels."""
    return max((one.wide for one in _breaks(samples, reach_frames)), default=0.0)


def click(samples: Samples, *, masked: bool = False) -> float:
    """Return the same over the residual right before and after the middle, so that a drum
    some milliseconds later hides nothing. `masked` leaves out what the music covers."""
    return max(
        (
            one.near
            for one in _breaks(samples, JOIN_FRAMES)
            if not masked or one.level_db > MASKED_DB
        ),
        default=0.0,
    )


def surprise_at(reader: AudioReader, end_frame: int, start_frame: int) -> float:
    """Return the surprise of music that ends at `end_frame` and goes on at `start_frame`."""
    before = read_span(reader, end_frame - CONTEXT_FRAMES, end_frame)
    after = read_span(reader, start_frame, start_frame + CONTEXT_FRAMES)
    if len(before) < CONTEXT_FRAMES or len(after) < CONTEXT_FRAMES:
        short = min(len(before), len(after))
        before, after = before[len(before) - short :], after[:short]
    return surprise(np.concatenate([before, after]))


def usual_clicks(reader: AudioReader) -> npt.NDArray[np.float64]:
    """Return what a track's own joints measure, at places all over it, sorted."""
    total = reader.properties.duration_frames
    if total <= 2 * CONTEXT_FRAMES:
        return np.ones(1)
    rng = np.random.default_rng(0)
    places = np.sort(rng.integers(CONTEXT_FRAMES, total - CONTEXT_FRAMES, REFERENCE_PLACES))
    return np.sort(
        [
            click(read_span(reader, at - CONTEXT_FRAMES, at + CONTEXT_FRAMES))
            for at in places.tolist()
        ]
    )


def is_stroke(samples: Samples, sample_rate_hz: int) -> bool:
    """Whether a note is struck in the middle of samples [frames, channels]."""
    power = np.square(samples, dtype=np.float64).mean(axis=1)
    middle, side = len(samples) // 2, round(STROKE_S * sample_rate_hz)
    before = power[max(0, middle - side) : middle].mean()
    after = power[middle : middle + side].mean()
    return bool(after > before * 10 ** (STROKE_RISE_DB / 10))


def sharpest_stroke(reader: AudioReader) -> float:
    """Return the click of the sharpest of the strokes found all over a track; 0 if it has
    none."""
    rate, total = reader.properties.sample_rate_hz, reader.properties.duration_frames
    span, side = round(STROKE_SPAN_S * rate), round(STROKE_S * rate)
    sharpest = 0.0
    for start in np.linspace(CONTEXT_FRAMES, total - span - CONTEXT_FRAMES, STROKE_SPANS):
        samples = read_span(reader, max(0, int(start)), int(start) + span)
        steps = len(samples) // side
        if steps < 2:
            continue
        level = np.square(samples[: steps * side], dtype=np.float64).reshape(steps, -1).mean(axis=1)
        rises = np.diff(np.log10(level + 1e-9))
        # The step in which the note begins holds its sharpest frame or the one before does.
        place = int(start) + (int(rises.argmax()) + 1) * side
        around = read_span(reader, place - CONTEXT_FRAMES, place + CONTEXT_FRAMES)
        if is_stroke(around, rate):
            breaks = _breaks(around, side)
            sharpest = max([sharpest, *(one.near for one in breaks)])
    return sharpest


@dataclass(frozen=True, slots=True)
class _Break:
    """The residual's peak in the middle over its 99th percentile, over the 90th percentile
    of what lies NEAR_FRAMES around it, and over the level of the music there, in dB."""

    wide: float
    near: float
    level_db: float


def _breaks(samples: Samples, reach_frames: int) -> list[_Break]:
    """Return one for each channel that can be heard."""
    results = []
    for channel in range(samples.shape[1]):
        signal = samples[:, channel].astype(np.float64)
        if len(signal) < 2 * (NEAR_FRAMES + ORDER):
            continue
        tapered = signal * np.hanning(len(signal))
        spectrum = np.fft.rfft(tapered, 2 * len(signal))
        correlation = np.fft.irfft(np.square(np.abs(spectrum)))[: ORDER + 1]
        if correlation[0] < 1e-9:
            continue
        correlation[0] *= 1 + 1e-6
        predictor = scipy.linalg.solve_toeplitz(correlation[:-1], correlation[1:])
        residual = np.abs(scipy.signal.lfilter(np.r_[1.0, -predictor], [1.0], signal))
        residual = residual[ORDER:]
        middle = len(signal) // 2 - ORDER
        peak = float(residual[max(0, middle - reach_frames) : middle + reach_frames].max())
        # A break is followed by the predictor's own echo of it.
        before = residual[middle - NEAR_FRAMES : middle - JOIN_FRAMES - 1]
        after = residual[middle + JOIN_FRAMES + ORDER : middle + NEAR_FRAMES]
        around = np.concatenate([before, after])
        music = signal[len(signal) // 2 - NEAR_FRAMES : len(signal) // 2 + NEAR_FRAMES]
        level = float(np.sqrt(np.square(music).mean())) + 1e-6
        results.append(
            _Break(
                peak / (float(np.percentile(residual, 99)) + 2.0**-16),
                peak / (float(np.percentile(around, 90)) + 2.0**-15),
                20 * float(np.log10(peak / level + 1e-9)),
            )
        )
    return results
