"""The cheapest transition that measures clean."""

from __future__ import annotations

import numpy as np

from musicgen.audio.codecs import AudioReader
from services.looper.analysis.alignment import read_span
from services.looper.loops import Cycle, Kind, SeamReport
from services.looper.seam.report import Inspector
from services.looper.seam.transition import Overlap, crossfade, cut, looped, tail

CROSSFADES_MS = (5.0, 10.0, 30.0, 60.0, 120.0)
"""Tried in this order, after a bare cut where the source itself plays on like this."""

COPIED_S = 0.01
COPIED_DB = -50.0


def choose(
    reader: AudioReader, cycle: Cycle, kind: Kind, crossfade_ms: float | None, inspector: Inspector
) -> tuple[Overlap, SeamReport]:
    """Return how to lead the cycle's end into its start, and how clean that is.

    `crossfade_ms` asks for a crossfade of that length, 0 for a bare cut; without it the
    first that measures clean is taken, or, if none does, the one with the least faults.
    """
    facts = reader.properties

    def crossfaded(milliseconds: float) -> Overlap:
        frames = round(milliseconds * facts.sample_rate_hz / 1000)
        return crossfade(cycle, facts.duration_frames, frames) if frames else cut(cycle)

    if crossfade_ms is not None:
        zones = [crossfaded(crossfade_ms)]
    elif kind is Kind.TAIL:
        zones = [tail(cycle, facts.duration_frames, facts.sample_rate_hz)]
    else:
        zones = [crossfaded(milliseconds) for milliseconds in CROSSFADES_MS]
        if kind in {Kind.WHOLE_FILE, Kind.OWN} or _is_copied(reader, cycle):
            zones.insert(0, cut(cycle))
    tried = []
    for zone in dict.fromkeys(zones):
        report = inspector.inspect(cycle, zone, looped(reader, cycle, zone))
        if report.clean:
            return zone, report
        tried.append((zone, report))
    return min(tried, key=lambda one: (len(one[1].faults), one[1].discontinuity_ratio))


def _is_copied(reader: AudioReader, cycle: Cycle) -> bool:
    """Whether the music around the end is that around the start, but for what nobody hears."""
    side = round(COPIED_S * reader.properties.sample_rate_hz)
    before = min(side, cycle.start_frame)
    after = min(side, reader.properties.duration_frames - cycle.end_frame)
    if before + after < side:
        return False
    here = read_span(reader, cycle.start_frame - before, cycle.start_frame + after)
    there = read_span(reader, cycle.end_frame - before, cycle.end_frame + after)
    power = float(np.square(here, dtype=np.float64).mean())
    off = float(np.square(here - there, dtype=np.float64).mean())
    return bool(10 * np.log10((off + 1e-12) / (power + 1e-9)) < COPIED_DB)
