"""The seam: where it is blended, by which gain law, and how clean it came out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from musicgen.audio.codecs import AudioReader, Samples
from services.looper.alignment import correlate, read_span
from services.looper.loops import Cycle, SeamReport

STEP_PERCENTILE = 99.9
SAMPLED_STRETCHES = 64
STRETCH_S = 0.5
MARGIN_S = 0.005
"""The music's own steps this near to the seam are what the ear compares it with."""

NATURAL_MARGIN = 1.1


@dataclass(frozen=True, slots=True)
class Overlap:
    """A zone of the cycle that is blended, in frames of the source.

    The zone [zone_frame, zone_frame + frames) lies inside the cycle. There the music
    that leaves comes from leaving_frame on and the music that enters from
    entering_frame on. Blending never changes the period.
    """

    zone_frame: int
    leaving_frame: int
    entering_frame: int
    frames: int

    @property
    def at_start(self) -> bool:
        """Whether the zone opens the cycle; then the very first pass is not blended."""
        return self.zone_frame == self.entering_frame


def overlap(cycle: Cycle, duration_frames: int, crossfade_frames: int) -> Overlap:
    """Place the crossfade: at the cycle's end, into what leads to its start; or, if
    nothing leads there, at the start, out of what follows the end. It is shorter than
    asked for where the file holds less, and at most half the cycle."""
    wanted = min(crossfade_frames, cycle.period_frames // 2)
    lead_in = min(wanted, cycle.start_frame)
    lead_out = min(wanted, duration_frames - cycle.end_frame)
    if lead_in >= lead_out:
        zone = cycle.end_frame - lead_in
        return Overlap(zone, zone, cycle.start_frame - lead_in, lead_in)
    return Overlap(cycle.start_frame, cycle.end_frame, cycle.start_frame, lead_out)


def blend(leaving: Samples, entering: Samples) -> Samples:
    """Crossfade two stretches [frames, channels] of equal length.

    The gains keep the power of the sum constant for the correlation that is measured:
    for equal waveforms they add up to one (so that equal input comes out unchanged), for
    unrelated ones their squares do.
    """
    frames = len(leaving)
    if frames == 0:
        return leaving
    correlation = float(np.clip(correlate(leaving, entering)[0], 0, 1))
    enter = np.square(np.sin(np.pi / 2 * (np.arange(frames) + 0.5) / frames))
    leave = 1 - enter
    power = np.square(enter) + np.square(leave) + 2 * correlation * enter * leave
    gain = 1 / np.sqrt(power)
    mixed = leaving * (leave * gain)[:, None] + entering * (enter * gain)[:, None]
    return np.asarray(mixed, np.float32)


def blended_zone(reader: AudioReader, zone: Overlap) -> Samples:
    """Read and blend the zone. Shape [zone.frames, channels]."""
    return blend(
        read_span(reader, zone.leaving_frame, zone.leaving_frame + zone.frames),
        read_span(reader, zone.entering_frame, zone.entering_frame + zone.frames),
    )


def inspect(
    reader: AudioReader,
    cycle: Cycle,
    zone: Overlap,
    *,
    loudness_step_db: float,
    loudness_limit_db: float,
) -> SeamReport:
    """Measure the seam as it is rendered against the track's own steps.

    It is clean if no sample-to-sample step in it exceeds the track's 99.9th percentile
    or what the music itself does beside it (a drum on the downbeat is no click), and
    the loudness changes by no more than its limit.
    """
    rate = reader.properties.sample_rate_hz
    margin = round(MARGIN_S * rate)
    joined = seam_audio(reader, cycle, zone, 1)
    typical = _typical_step(reader)
    step = _largest_step(joined)
    reach = zone.frames + margin
    natural = max(
        _largest_step(read_span(reader, edge - reach, edge + reach))
        for edge in (cycle.start_frame, cycle.end_frame)
    )
    limit = max(typical, NATURAL_MARGIN * natural)
    return SeamReport(
        crossfade_ms=1000 * zone.frames / rate,
        discontinuity_ratio=step / typical,
        loudness_step_db=loudness_step_db,
        clean=step <= limit and abs(loudness_step_db) <= loudness_limit_db,
    )


def seam_audio(reader: AudioReader, cycle: Cycle, zone: Overlap, margin_frames: int) -> Samples:
    """Return the seam as rendered: the zone, the join, and a margin on both sides."""
    mixed = blended_zone(reader, zone)
    if zone.at_start:
        before = read_span(reader, cycle.end_frame - margin_frames, cycle.end_frame)
        rest = zone.zone_frame + zone.frames
        after = read_span(reader, rest, rest + margin_frames)
    else:
        before = read_span(reader, zone.zone_frame - margin_frames, zone.zone_frame)
        after = read_span(reader, cycle.start_frame, cycle.start_frame + margin_frames)
    return np.concatenate([before, mixed, after])


def _largest_step(samples: Samples) -> float:
    return float(np.abs(np.diff(samples, axis=0)).max(initial=0.0))


def _typical_step(reader: AudioReader) -> float:
    """Return the 99.9th percentile of the steps in stretches spread over the track."""
    facts = reader.properties
    length = round(STRETCH_S * facts.sample_rate_hz)
    last = max(0, facts.duration_frames - length)
    starts = np.unique(np.linspace(0, last, SAMPLED_STRETCHES).astype(int))
    steps = [
        np.abs(np.diff(read_span(reader, int(at), int(at) + length), axis=0)).ravel()
        for at in starts
    ]
    # Half a step of 16-bit audio: below that everything is silence.
    return max(float(np.percentile(np.concatenate(steps), STEP_PERCENTILE)), 2.0**-16)
