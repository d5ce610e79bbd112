"""What the music network hears: a mel spectrogram in decibels."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from services.inference.engines.diffrhythm.mulan.config import MELS, MuqConfig
from services.inference.engines.diffrhythm.style import CLIP_RATE_HZ

WINDOW_FRAMES = 2048
_LEAST_POWER = 1e-10
"""-100 dB."""


class LogMel:
    """Makes spectrograms of clips; its tables take 1 MB."""

    def __init__(self, config: MuqConfig) -> None:
        self._config = config
        self._window = torch.hann_window(WINDOW_FRAMES)
        self._filters = filter_bank(MELS, WINDOW_FRAMES // 2 + 1, CLIP_RATE_HZ)

    def of_clip(self, clip: Tensor) -> Tensor:
        """Return [MELS, samples / hop] of mono audio [samples], with about the mean and the
        deviation of music: 0 and 1."""
        config = self._config
        spectrum = torch.stft(
            clip,
            WINDOW_FRAMES,
            config.hop_frames,
            window=self._window,
            center=True,
            pad_mode="reflect",
            return_complex=True,
        )  # [bins, samples / hop + 1]
        power = self._filters @ spectrum.abs().square()
        level_db = 10 * power.clamp(min=_LEAST_POWER).log10()
        return (level_db[:, :-1] - config.mean_db) / config.deviation_db


def filter_bank(mels: int, bins: int, rate_hz: int) -> Tensor:
    """Return [mels, bins] triangles of height 1, whose corners are evenly spaced on the mel scale
    of HTK from 0 to half the rate. In fp32 as the model was trained: narrow filters have few
    bins, and rounding is heard in them."""
    bins_hz = torch.linspace(0, rate_hz // 2, bins)
    top_mel = 2595 * math.log10(1 + rate_hz / 2 / 700)
    corners_hz = 700 * (10 ** (torch.linspace(0, top_mel, mels + 2) / 2595) - 1)
    widths_hz = corners_hz.diff()
    above_hz = bins_hz - corners_hz[:, None]  # [mels + 2, bins]
    rising = above_hz[:-2] / widths_hz[:-1, None]
    falling = -above_hz[2:] / widths_hz[1:, None]
    return torch.minimum(rising, falling).clamp(min=0)
