"""How clean a seam came out, measured on the samples that are rendered."""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

from musicgen.audio.codecs import AudioReader, Samples
from services.looper.analysis import onsets
from services.looper.analysis.alignment import match, read_span
from services.looper.analysis.levels import blocks_of
from services.looper.analysis.measure import loudness_limit_db, loudness_step_db
from services.looper.analysis.surprise import (
    CONTEXT_FRAMES,
    click,
    is_stroke,
    sharpest_stroke,
    usual_clicks,
)
from services.looper.loops import Cycle, SeamReport, Transition
from services.looper.seam.transition import Overlap
from services.looper.stretches import Stretch, taken

CLICK_LIMIT = 1.5
BEAT_LIMIT_MS = 12.0
FLUX_S = 0.012
FLUX_PLACES = 200
FLUX_BANDS = 20
FLUX_LIMIT_PERCENTILE = 99.5
MATCHING = 0.5
MATCH_REACH_S = 0.02
TIED = 0.02
"""A sustained tone matches itself period after period; of places as good, the nearer counts."""


class Inspector:
    """Inspects seams of one file; what is usual in it is measured once."""

    def __init__(self, reader: AudioReader) -> None:
        self._reader = reader
        self._usual = max(float(np.percentile(usual_clicks(reader), 99)), 1.0)
        self._changes = _usual_changes(reader)

    def click_risk(self, cycle: Cycle) -> float:
        """Return how a bare cut would compare with the music's sharpest joints."""
        ends = ends_of(self._reader, cycle)
        return click(ends) / self._usual_at(cycle, ends)

    def inspect(self, cycle: Cycle, zone: Overlap, repeated: Stretch) -> SeamReport:
        """Measure the seam of `repeated`, the cycle as it is rendered with `zone`.

        It is clean if neither its join nor the edges of its crossfade break more sharply
        than the track's own joints, the loudness changes no more than the music itself
        does, and the start comes on the beat.
        """
        rate = self._reader.properties.sample_rate_hz
        joined, middle = _around(repeated, zone.frames)
        edges = {middle}
        if zone.frames and zone.transition is Transition.CROSSFADE:
            edges.add(middle + zone.frames if zone.at_start else middle - zone.frames)
        near = [joined[edge - CONTEXT_FRAMES : edge + CONTEXT_FRAMES] for edge in edges]
        usual = self._usual_at(cycle, joined[middle - CONTEXT_FRAMES : middle + CONTEXT_FRAMES])
        sharpest = max(click(samples) for samples in near) / usual
        heard = max(click(samples, masked=True) for samples in near) / usual
        step_db = loudness_step_db(self._reader, cycle)
        flux = _percentile(self._changes, _change(joined, middle, rate))
        beat_ms = beat_error_ms(self._reader, cycle)
        faults = []
        if heard > CLICK_LIMIT:
            faults.append(f"a click: {heard:.1f} times as sharp as the music's own joints")
        if zone.transition is not Transition.TAIL and abs(step_db) > loudness_limit_db(
            self._reader, cycle
        ):
            faults.append(f"a step in loudness of {step_db:+.1f} dB")
        if beat_ms is not None and abs(beat_ms) > BEAT_LIMIT_MS:
            faults.append(f"the beat stumbles by {beat_ms:+.0f} ms")
        if np.abs(joined).max(initial=0.0) > 1.0 and zone.transition is Transition.TAIL:
            faults.append("the folded tail clips")
        return SeamReport(
            transition=zone.transition,
            crossfade_ms=1000 * zone.frames / rate,
            discontinuity_ratio=sharpest,
            flux_percentile=flux,
            loudness_step_db=step_db,
            beat_error_ms=beat_ms,
            faults=tuple(faults),
        )

    @functools.cached_property
    def _stroke(self) -> float:
        return sharpest_stroke(self._reader)

    def _usual_at(self, cycle: Cycle, joined: Samples) -> float:
        """Return the sharpest of the music's usual joints and of what it does itself where
        the cycle starts: a stroke that begins there is no click. At the start of a file,
        where nothing leads to it, that is what the music's other strokes do."""
        total, start = self._reader.properties.duration_frames, cycle.start_frame
        if CONTEXT_FRAMES <= start <= total - CONTEXT_FRAMES:
            around = (start - CONTEXT_FRAMES, start + CONTEXT_FRAMES)
            return max(self._usual, click(read_span(self._reader, *around)))
        if is_stroke(joined, self._reader.properties.sample_rate_hz):
            return max(self._usual, self._stroke)
        return self._usual


def ends_of(reader: AudioReader, cycle: Cycle) -> Samples:
    """Return the end of a cycle and its start, cut together; the seam in the middle."""
    side = min(CONTEXT_FRAMES, cycle.period_frames)
    end = read_span(reader, cycle.end_frame - side, cycle.end_frame)
    return np.concatenate([end, read_span(reader, cycle.start_frame, cycle.start_frame + side)])


def beat_error_ms(reader: AudioReader, cycle: Cycle) -> float | None:
    """Return how much later the music after the start comes, against the end, than what
    followed the end in the source; None if nothing comparable follows or leads there."""
    rate = reader.properties.sample_rate_hz
    found = match(reader, cycle.start_frame, cycle.period_frames, round(MATCH_REACH_S * rate))
    if found.correlation >= MATCHING:
        reach = round(BEAT_LIMIT_MS / 1000 * rate)
        near = match(reader, cycle.start_frame, cycle.period_frames, reach)
        if near.correlation >= found.correlation - TIED:
            found = near
        return 1000 * (found.lag_frames - cycle.period_frames) / rate
    side, reach = round(2 * onsets.WINDOW_S * rate), round(onsets.SEARCH_S * rate)
    first = max(cycle.start_frame - side, reach)
    last = min(cycle.start_frame + side, reader.properties.duration_frames - cycle.period_frames)
    last -= reach
    shifted = first + cycle.period_frames
    timing = onsets.compare(
        blocks_of(reader, first, last),
        blocks_of(reader, shifted - reach, last + cycle.period_frames + reach),
        rate,
    )
    if timing is None or timing.likeness.max() < MATCHING:
        return None
    return 1000 * timing.steady_lag_s


def _around(repeated: Stretch, zone_frames: int) -> tuple[Samples, int]:
    """Return the end of a cycle and its start, and where they meet."""
    side = min(CONTEXT_FRAMES + zone_frames + 64, repeated.frames)
    before = taken(repeated.blocks(repeated.frames - side), side)
    return np.concatenate([before, taken(repeated.blocks(), side)]), side


def _usual_changes(reader: AudioReader) -> npt.NDArray[np.float64]:
    rate, total = reader.properties.sample_rate_hz, reader.properties.duration_frames
    side = round(FLUX_S * rate)
    places = np.random.default_rng(1).integers(side, total - side, FLUX_PLACES)
    return np.sort(
        [
            _change(read_span(reader, at - side, at + side), side, rate)
            for at in np.sort(places).tolist()
        ]
    )


def _change(samples: Samples, middle: int, sample_rate_hz: int) -> float:
    """Return how much the spectrum changes at `middle`, in dB a band."""
    side = min(round(FLUX_S * sample_rate_hz), middle, len(samples) - middle)
    window = np.hanning(side)[:, None]
    spectra = [
        np.square(np.abs(np.fft.rfft(part * window, axis=0))).sum(axis=1)
        for part in (samples[middle - side : middle], samples[middle : middle + side])
    ]
    edges = np.unique(np.geomspace(1, len(spectra[0]), FLUX_BANDS + 1).astype(int))
    bands = [np.add.reduceat(spectrum, edges[:-1]) for spectrum in spectra]
    floor = 1e-4 * side * float(np.square(samples, dtype=np.float64).mean()) + 1e-12
    return float(np.abs(np.diff(10 * np.log10(np.array(bands) + floor), axis=0)).mean())


def _percentile(usual: npt.NDArray[np.float64], value: float) -> float:
    return 100 * float(np.searchsorted(usual, value)) / len(usual)
