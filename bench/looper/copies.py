"""Copies of tracks as they are met: through a lossy codec, or played at another speed."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import soundfile
from scipy import ndimage, signal

from bench.composer.packages import Unavailable
from bench.looper.composition import Chance
from bench.looper.instruments import Floats
from bench.looper.made import Made
from bench.looper.truth import Truth

CODECS = {
    "mp3": ["-c:a", "libmp3lame", "-b:a", "128k"],
    "opus": ["-c:a", "libopus", "-b:a", "96k"],
}
"""By suffix, what ffmpeg is told."""
_GRID_S = 0.25
"""The clock of a copy whose speed drifts is told in steps of this."""


def lossy(samples: Floats, truth: Truth, codec: str) -> Made:
    """Return an encoded and decoded copy. Raises Unavailable without ffmpeg."""
    if not shutil.which("ffmpeg"):
        raise Unavailable("ffmpeg is missing.")
    rate_hz = truth.sample_rate_hz
    with tempfile.TemporaryDirectory() as name:
        plain, encoded, decoded = (Path(name, file) for file in ("a.wav", f"b.{codec}", "c.wav"))
        soundfile.write(plain, samples, rate_hz, subtype="PCM_16")
        for words in ([str(plain), *CODECS[codec], str(encoded)],
                      [str(encoded), "-ar", str(rate_hz), str(decoded)]):  # fmt: skip
            command = ["ffmpeg", "-v", "error", "-y", "-i", *words]
            done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603 - ours
            if done.returncode:
                raise Unavailable(f"ffmpeg can't write {codec}.")
        copy, _ = soundfile.read(decoded, always_2d=True, frames=len(samples))
    copy = np.pad(copy, ((0, len(samples) - len(copy)), (0, 0)))
    return Made(copy, dataclasses.replace(truth, klass="lossy", exact=False), scaled=False)


def faster(samples: Floats, truth: Truth, ppm: float) -> Made:
    """Return a copy that runs faster by some millionths, as from another clock."""
    times = np.array([0.0, len(samples) / (1 + ppm / 1e6)])
    return _warped(samples, truth, times, np.array([0.0, len(samples)]), "other speed")


def drifting(samples: Floats, truth: Truth, chance: Chance) -> Made:
    """Return a copy whose speed drifts slowly by 0.1 % up and down, as a tape's."""
    rate_hz = truth.sample_rate_hz
    seconds = len(samples) / rate_hz
    time = np.arange(0, seconds * 1.01, _GRID_S)
    waves, phase = chance.uniform(0.7, 1.6), chance.uniform(0, 6)
    speed = 1 + 0.001 * np.sin(2 * np.pi * waves * time / seconds + phase)
    places = np.concatenate([[0], np.cumsum(speed[:-1] + speed[1:]) / 2 * _GRID_S])
    return _warped(samples, truth, time * rate_hz, places * rate_hz, "drifting speed")


def _warped(samples: Floats, truth: Truth, times: Floats, places: Floats, klass: str) -> Made:
    """Return a copy that has at frame times[k] what `samples` have at places[k]."""
    clock = truth.clock()
    frames = int(np.interp(len(samples), places, times))
    read = np.interp(np.arange(frames), times, places)
    dense = signal.resample_poly(samples, 2, 1, axis=0)
    columns = [ndimage.map_coordinates(column, [2 * read], order=3) for column in dense.T]

    def later(frame: float) -> float:
        return float(np.interp(frame, places, times))

    cycles_at = np.asarray(clock.grid)
    first, last = cycles_at[0, 0], cycles_at[-1, 0]
    knots = [first, *(place for place in places if first < place < last), last]
    grid = [
        [later(knot), float(np.interp(knot, cycles_at[:, 0], cycles_at[:, 1]))] for knot in knots
    ]
    low, high = clock.match
    period = (grid[-1][0] - grid[0][0]) / grid[-1][1]
    copy = dataclasses.replace(
        truth,
        klass=klass,
        body=(round(later(truth.body[0])), round(later(truth.body[1]))),
        period_frames=period,
        grid=grid,
        match=(round(later(low)), round(later(high))),
        beat_frames=truth.beat_frames and truth.beat_frames * period / clock.period_frames,
        exact=False,
    )
    return Made(np.stack(columns, axis=1), copy, scaled=False)
