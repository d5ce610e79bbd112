"""A track that was made, and how it is written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from bench.looper.instruments import Floats
from bench.looper.truth import Truth, matching

_PEAK = 0.82


@dataclass(slots=True)
class Made:
    """A track's samples [frames, channels] and its truth, which `write` completes."""

    samples: Floats
    truth: Truth
    ideal: Floats | None = None
    """The cycle as it should repeat, where the track holds it once only."""
    scaled: bool = True
    """Brought to the usual peak; else written as it is."""

    def write(self, folder: Path, name: str) -> Truth:
        """Write NAME.wav (16 bits), NAME.json and, if there is one, NAME.ideal.wav."""
        truth, samples = self.truth, self.samples
        peak = float(np.abs(samples).max())
        gain = (_PEAK if self.scaled else peak) / max(1e-9, peak)
        path = folder / f"{name}.wav"
        soundfile.write(path, samples * gain, truth.sample_rate_hz, subtype="PCM_16")
        if self.ideal is not None:
            truth.ideal = f"{name}.ideal.wav"
            rate_hz = truth.sample_rate_hz
            soundfile.write(folder / truth.ideal, self.ideal * gain, rate_hz, subtype="PCM_16")
        truth.name, truth.frames, truth.channels = name, len(samples), samples.shape[1]
        if truth.loopable and truth.period_frames and truth.match is None:
            written, _ = soundfile.read(path, always_2d=True)
            period = round(truth.period_frames)
            truth.match = matching(written, period, truth.sample_rate_hz, truth.body)
        truth.write(folder)
        return truth
