"""How good the join of a loop is, judged by the track alone and by no loop finder's means.

A loop is joined as it would repeat, and the join compared with the track:

    click     what a linear prediction can't foresee at the join, over what is usual for it
              there, over the 99th percentile of the same at random places: > 1 is unusual
    click_db  the same against the level there. A click counts where both are over their
              limits: an unusual one 35 dB below the music isn't heard
    flux      change of the spectrum across the join, as a percentile of the track's own
    transition  does it occur in the track? 2 s on either side of the join, as frames of
              spectrum, are laid beside every place of the track; of the best place, the
              worse side over the median place. 0 occurs, 1 is no better than by chance
    jump_ms   error of timing: by how much the part after the join is off against that place,
              less that of the part before. None where nothing can be laid side by side
    loud_db   error of level against that place, 0.4 s before and after
    seam      0…100, the product of penalties; `ok` if all is within its limit
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.looper.hearing import Ear, wave_lag
from bench.looper.instruments import Floats

CLICK, CLICK_DB, TRANSITION, JUMP_MS, LOUD_DB = 1.5, -30.0, 0.50, 12.0, 3.0
"""The limits."""

_SIDE_S = 2.0
_NULLS = 240
"""Random places by which it is known what is usual in a track."""
_LAG_S = 0.06
_LEVEL_S = 0.4


@dataclass(frozen=True, slots=True)
class Score:
    """What was measured of a join; the fields are told above."""

    click: float
    click_db: float
    clicked: bool
    flux: float
    transition: float
    jump_ms: float | None
    loud_db: float
    seam: float
    ok: bool


TOO_SHORT = Score(0.0, -120.0, False, 0.0, 1.0, None, 0.0, 0.0, False)


class Seam:
    """Scores joins of one track [frames, channels]."""

    def __init__(self, samples: Floats, rate_hz: int) -> None:
        self._samples, self._mono, self._rate_hz = samples, samples.mean(axis=1), rate_hz
        rms = float(np.sqrt((self._mono**2).mean())) + 1e-12
        self._ear = Ear(rate_hz, rms)
        self._spectra = self._ear.spectra(self._mono)
        self._energy = np.concatenate([[0], np.cumsum((self._spectra**2).sum(1))])
        self._side = round(_SIDE_S * 100)
        self._room = 1 << (len(self._spectra) + self._side).bit_length()
        self._transformed = np.fft.rfft(self._spectra, self._room, axis=0)
        self._usual_click, self._usual_flux = self._nulls()

    def _nulls(self) -> tuple[float, Floats]:
        """Return the 99th percentile of clicks, and all fluxes, at random places."""
        chance, ear = np.random.default_rng(0), self._ear
        margin = int(0.1 * self._rate_hz)
        clicks, fluxes = [], []
        for place in chance.integers(margin, len(self._mono) - margin, _NULLS):
            first = max(0, place - 3000)
            clicks.append(ear.click(self._samples[first : place + 3000], place - first)[0])
            first = max(0, place - 2000)
            fluxes.append(ear.flux_db(self._mono[first : place + 2000], place - first))
        return float(np.sort(clicks)[int(0.99 * (_NULLS - 1))]), np.sort(fluxes)

    def score(self, start: float, end: float, cycle: Floats | None = None) -> Score:
        """Score a loop; `cycle` [frames, channels] is it as rendered, if more than cut out."""
        first, last = max(0, round(start)), min(len(self._mono), round(end))
        heard = self._samples[first:last] if cycle is None else cycle
        rate_hz, ear, side = self._rate_hz, self._ear, self._side
        if len(heard) < int(0.2 * rate_hz):
            return TOO_SHORT
        reach = side * ear.hop
        place = reach + ear.window
        if len(heard) < place:
            heard = np.tile(heard, (place // len(heard) + 1, 1))
        joined = np.concatenate([heard[-place:], heard[:place]])
        mono = joined.mean(axis=1)
        strange, click_db = ear.click(joined, place)
        click = strange / (self._usual_click + 1e-9)
        flux_db = ear.flux_db(mono, place)
        flux = float(np.searchsorted(self._usual_flux, flux_db) / len(self._usual_flux))
        found = self._like(mono)
        if found is None:
            return TOO_SHORT
        transition, there = found
        jump_ms, loud_db = self._against(mono[place - reach : place + reach], there)
        clicked = click > CLICK and click_db > CLICK_DB
        return Score(
            click,
            click_db,
            clicked,
            flux,
            transition,
            jump_ms,
            loud_db,
            100
            * (_click_quality(click, click_db) if clicked else 1.0)
            * float(np.clip((0.85 - transition) / 0.55, 0, 1))
            * float(np.exp(-((max(0, abs(jump_ms or 0) - 5) / 15) ** 2)))
            * float(np.exp(-((max(0, loud_db - 1.5) / 4) ** 2))),
            ok=not clicked
            and transition <= TRANSITION
            and abs(jump_ms or 0) <= JUMP_MS
            and loud_db <= LOUD_DB,
        )

    def _like(self, mono: Floats) -> tuple[float, int] | None:
        """Return how well the track's best place fits what is around the join, and its frame."""
        ear, side = self._ear, self._side
        join = (len(mono) / 2) / ear.hop
        spectra = ear.spectra(mono)
        middle = round(join)
        before, after = spectra[middle - side : middle - 2], spectra[middle + 3 : middle + side]
        distances = np.maximum(self._distances(before, -side), self._distances(after, 3))
        there = np.isfinite(distances)
        if not there.any():
            return None
        best = int(distances.argmin())
        usual = float(np.median(distances[there]))
        off = round((join - middle) * ear.hop)
        return float(np.sqrt(distances[best] / (usual + 1e-12))), best * ear.hop - off

    def _distances(self, part: NDArray[np.float32], offset: int) -> Floats:
        """Return the mean squared distance of `part`, laid `offset` hops from every hop."""
        count, length = len(self._spectra), len(part)
        out = np.full(count, np.inf)
        places = count - length + 1
        if places < 1:
            return out
        spectrum = np.conj(np.fft.rfft(part, self._room, axis=0))
        products = np.fft.irfft((self._transformed * spectrum).sum(1), self._room)[:places]
        energy = self._energy[length : length + places] - self._energy[:places]
        found = np.maximum((part**2).sum() + energy - 2 * products, 0) / length
        hops = np.arange(places) - offset
        inside = (hops >= 0) & (hops < count)
        out[hops[inside]] = found[inside]
        return out

    def _against(self, around: Floats, there: int) -> tuple[float | None, float]:
        """Return the errors of timing (ms) and level (dB) against a place of the track."""
        ear, rate_hz, reach = self._ear, self._rate_hz, len(around) // 2
        before, after = around[:reach], around[reach:]
        short, most = int(_LEVEL_S * rate_hz), int(_LAG_S * rate_hz)
        if there - reach - most < 0 or there + reach + most > len(self._mono):
            return None, abs(ear.level_db(before[-short:]) - ear.level_db(after[:short]))
        past, future = self._mono[there - reach : there], self._mono[there : there + reach]
        loud_db = max(
            abs(ear.level_db(before[-short:]) - ear.level_db(past[-short:])),
            abs(ear.level_db(after[:short]) - ear.level_db(future[:short])),
        )
        one, other = wave_lag(before, past, most), wave_lag(after, future, most)
        if min(one.likeness, other.likeness) > 0.85:
            return (other.frames - one.frames) / rate_hz * 1000, loud_db
        one_ms, one_clear = ear.onset_lag_ms(before, past, 60)
        other_ms, other_clear = ear.onset_lag_ms(after, future, 60)
        if one_ms is None or other_ms is None or min(one_clear, other_clear) <= 0.35:
            return None, loud_db
        return other_ms - one_ms, loud_db


def _click_quality(click: float, click_db: float) -> float:
    return float(min(1.0, max(CLICK / click, 10 ** ((CLICK_DB - click_db) / 20))))


def ideal_db(cycle: Floats, ideal: Floats, rate_hz: int) -> float:
    """Return what a cycle differs from the ideal one by, in dB, after the best rotation.

    0 where their lengths differ by more than half a second.
    """
    one, other = cycle.mean(axis=1), ideal.mean(axis=1)
    size = len(other)
    if abs(len(one) - size) > 0.5 * rate_hz:
        return 0.0
    one = np.resize(one, size)
    products = np.fft.irfft(np.fft.rfft(other) * np.conj(np.fft.rfft(one)), size)
    rest = other - np.roll(one, int(products.argmax()))
    return float(10 * np.log10((rest**2).mean() / (other**2).mean() + 1e-12))
