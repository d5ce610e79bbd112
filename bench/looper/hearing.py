"""What the scorer listens with: frames of spectrum, clicks, and lags between two stretches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy import linalg, signal

from bench.looper.instruments import Floats

_MEL_BANDS, _SHORT_BANDS = 32, 20
_CHROMA = slice(_MEL_BANDS, _MEL_BANDS + 12)
_ORDER = 28
"""Of the linear prediction that a click escapes."""
_BANDS_HZ = ((40, 160), (160, 500), (500, 1500), (1500, 4000), (4000, 9000))
"""In which onsets are looked for."""
_AT_A_TIME = 512
"""Frames that are transformed together."""


def _mel_filters(rate_hz: int, window: int, bands: int, low_hz: float) -> Floats:
    """Return triangles [bands, window / 2 + 1] that sum to 1, up to 12 kHz."""

    def mel(hz: float) -> float:
        return float(2595 * np.log10(1 + hz / 700))

    steps = np.linspace(mel(low_hz), mel(min(12_000.0, rate_hz * 0.45)), bands + 2)
    edges_hz = 700 * (10 ** (steps / 2595) - 1)
    bins_hz = np.fft.rfftfreq(window, 1 / rate_hz)
    filters = np.zeros((bands, bins_hz.size))
    for band in range(bands):
        low, middle, high = edges_hz[band : band + 3]
        rise, fall = (bins_hz - low) / (middle - low), (high - bins_hz) / (high - middle)
        filters[band] = np.clip(np.minimum(rise, fall), 0, None)
        if not filters[band].sum():
            filters[band, np.argmin(abs(bins_hz - middle))] = 1
        filters[band] /= filters[band].sum()
    return filters


def _chroma_filters(rate_hz: int, window: int) -> Floats:
    """Return which bins [12, window / 2 + 1] belong to which pitch class."""
    bins_hz = np.fft.rfftfreq(window, 1 / rate_hz)
    filters = np.zeros((12, bins_hz.size))
    for place, hz in enumerate(bins_hz):
        if 80 < hz < 5000:
            filters[round(12 * np.log2(hz / 440)) % 12, place] = 1
    return filters


class Ear:
    """Listens to a track of a rate and level."""

    def __init__(self, rate_hz: int, rms: float) -> None:
        self.rate_hz, self.rms = rate_hz, rms
        self.window = int(2 ** round(np.log2(2048 * rate_hz / 44_100)))
        self.hop = round(rate_hz * 0.01)
        self.short_window = int(2 ** round(np.log2(512 * rate_hz / 44_100)))
        self._mel = _mel_filters(rate_hz, self.window, _MEL_BANDS, 40.0)
        self._short_mel = _mel_filters(rate_hz, self.short_window, _SHORT_BANDS, 100.0)
        self._chroma = _chroma_filters(rate_hz, self.window)

    def spectra(self, mono: Floats) -> NDArray[np.float32]:
        """Return log-mel bands and chroma [frames / hop + 1, 44]; each is centred on its hop."""
        count = len(mono) // self.hop + 1
        half = self.window // 2
        room = half + self.window  # the last ones need it
        windows = sliding_window_view(np.pad(mono, (half, room)), self.window)[:: self.hop]
        shape = np.hanning(self.window)
        out = np.empty((count, _CHROMA.stop), np.float32)
        for first in range(0, count, _AT_A_TIME):
            part = slice(first, min(count, first + _AT_A_TIME))
            power = np.abs(np.fft.rfft(windows[part] * shape)) ** 2 / (shape**2).sum()
            out[part, :_MEL_BANDS] = np.log10(power @ self._mel.T + self.rms**2 * 1e-5)
            chroma = np.sqrt(power @ self._chroma.T)
            total = chroma.sum(1, keepdims=True) + self.rms * 1e-2
            out[part, _CHROMA] = 2.0 * chroma / total * 3
        return out

    def flux_db(self, mono: Floats, place: int) -> float:
        """Return how much the spectrum changes there, 12 ms on each side."""
        size = self.short_window
        before, after = mono[max(0, place - size) : place], mono[place : place + size]
        before = np.pad(before, (size - len(before), 0))
        after = np.pad(after, (0, size - len(after)))
        return float(np.abs(self._short_log(before) - self._short_log(after)).mean() * 10)

    def _short_log(self, wave: Floats) -> Floats:
        shape = np.hanning(self.short_window)
        power = np.abs(np.fft.rfft(wave * shape)) ** 2 / (shape**2).sum()
        return np.asarray(np.log10(power @ self._short_mel.T + self.rms**2 * 1e-4))

    def click(self, samples: Floats, place: int) -> tuple[float, float]:
        """Return the residual of a linear prediction at a place of [frames, channels].

        First against the residual around it, then against the level there in dB; of the
        channel in which it is greatest.
        """
        found = [self._click(channel, place) for channel in samples.T]
        return max([one for one in found if one], default=(0.0, -120.0))

    def _click(self, channel: Floats, place: int) -> tuple[float, float] | None:
        reach = int(0.035 * self.rate_hz)
        first = max(0, place - reach)
        near = channel[first : place + reach]
        if len(near) < 400:
            return None
        size = 1 << (2 * len(near)).bit_length()
        shaped = np.fft.rfft(near * np.hanning(len(near)), size)
        likeness = np.fft.irfft(np.abs(shaped) ** 2)[: _ORDER + 1]
        if likeness[0] < 1e-14:
            return None
        likeness[0] = likeness[0] * (1 + 1e-7) + 1e-13
        weights = linalg.solve_toeplitz(likeness[:-1], likeness[1:])
        residual = signal.lfilter(np.concatenate([[1], -weights]), [1], near)[_ORDER:]
        here = place - first - _ORDER
        if not 8 <= here <= len(residual) - 8:
            return None
        elsewhere = np.ones(len(residual), dtype=bool)
        elsewhere[max(0, here - 4) : here + _ORDER + 4] = False
        usual = np.percentile(np.abs(residual[elsewhere]), 90) + 2e-6 + self.rms * 2e-5
        peak = np.abs(residual[here - 1 : here + 3]).max()
        around = int(0.01 * self.rate_hz)
        middle = here + _ORDER
        heard = near[max(0, middle - around) : middle + around]
        level = np.sqrt((heard**2).mean()) + self.rms * 1e-3
        return float(peak / usual), float(20 * np.log10(peak / level + 1e-9))

    def level_db(self, mono: Floats) -> float:
        """Return a level, which no silence makes less than -50 dB of the track's."""
        return float(10 * np.log10((mono**2).mean() + self.rms**2 * 1e-5))

    def onset_lag_ms(self, one: Floats, other: Floats, most_ms: int) -> tuple[float | None, float]:
        """Return by how much `other` lags behind `one` by their onsets, and how clear that is.

        None if they are too short; a clarity of 0 if two places fit equally well.
        """
        a, b = self._onsets(one), self._onsets(other)
        size = a.shape[1]
        if size < 4 * most_ms:
            return None, 0.0
        core = a[:, most_ms : size - most_ms]
        energy = (core**2).sum()
        fits = np.empty(2 * most_ms + 1)
        for place in range(len(fits)):
            part = b[:, place : place + core.shape[1]]
            fits[place] = (core * part).sum() / (np.sqrt(energy * (part**2).sum()) + 1e-12)
        best = int(fits.argmax())
        others = np.delete(fits, np.arange(max(0, best - 8), min(len(fits), best + 9)))
        if len(others) and others.max() > 0.8 * fits[best]:
            return best - most_ms, 0.0
        between = 0.0
        if 0 < best < len(fits) - 1:
            left, top, right = fits[best - 1 : best + 2]
            between = float(
                np.clip(0.5 * (left - right) / (left - 2 * top + right + 1e-12), -0.5, 0.5)
            )
        return best - most_ms + between, float(fits[best] - np.median(fits))

    def _onsets(self, mono: Floats) -> Floats:
        """Return the rise of the level in bands [bands, ms]."""
        step = max(1, self.rate_hz // 1000)
        whole = len(mono) // step * step
        smooth = np.hanning(9) / np.hanning(9).sum()
        rises = []
        for low_hz, high_hz in _BANDS_HZ:
            if low_hz >= 0.44 * self.rate_hz:
                continue
            band = [low_hz, min(high_hz, 0.45 * self.rate_hz)]
            sections = signal.butter(2, band, "band", fs=self.rate_hz, output="sos")
            heard = signal.sosfilt(sections, mono)[:whole].reshape(-1, step)
            level = np.log(np.sqrt((heard**2).mean(1)) + self.rms * 0.01)
            level = np.convolve(level, smooth, "same")
            rises.append(np.diff(level, prepend=level[0]))
        return np.asarray(np.maximum(np.stack(rises), 0))


@dataclass(frozen=True, slots=True)
class Lag:
    """How far one wave lags behind another, and how alike they are then (-1 to 1)."""

    frames: int
    likeness: float


def wave_lag(one: Floats, other: Floats, most: int) -> Lag:
    """Return by how many frames, up to `most` either way, `other` lags behind `one`."""
    size = min(len(one), len(other))
    if size < 4 * most:
        return Lag(0, 0.0)
    core = one[most : size - most]
    room = 1 << (size + len(core)).bit_length()
    spectrum = np.fft.rfft(other[:size], room) * np.conj(np.fft.rfft(core, room))
    products = np.fft.irfft(spectrum)[: 2 * most + 1]
    energy = np.concatenate([[0], np.cumsum(other[:size] ** 2)])
    there = energy[len(core) : len(core) + 2 * most + 1] - energy[: 2 * most + 1]
    norm = np.sqrt(np.maximum(there, 1e-12)) * np.sqrt((core**2).sum()) + 1e-12
    likeness = products / norm
    best = int(likeness.argmax())
    return Lag(best - most, float(likeness[best]))
