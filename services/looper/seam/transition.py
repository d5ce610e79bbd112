"""How a cycle's end is led into its start: a bare cut, a crossfade, or the tail folded back.

None of them changes the period.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from musicgen.audio.codecs import AudioReader, Samples
from services.looper.analysis.alignment import correlate, read_span
from services.looper.loops import Cycle, Transition
from services.looper.stretches import Held, Joined, Span, Stretch

LONGEST_TAIL_S = 12.0
TAIL_FADE_SHARE = 0.25
"""Of the tail: where the file ends before the ringing has, it fades out."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """A zone of the cycle in which two stretches of the source sound, in frames of it.

    The zone [zone_frame, zone_frame + frames) lies inside the cycle. There the music that
    leaves comes from leaving_frame on and the music that enters from entering_frame on.
    Without frames the transition is a bare cut.
    """

    transition: Transition
    zone_frame: int
    leaving_frame: int
    entering_frame: int
    frames: int

    @property
    def at_start(self) -> bool:
        """Whether the zone opens the cycle; then the very first pass is not blended."""
        return self.zone_frame == self.entering_frame


def cut(cycle: Cycle) -> Overlap:
    """Let the end meet the start as they are."""
    return Overlap(Transition.CUT, cycle.end_frame, cycle.end_frame, cycle.start_frame, 0)


def crossfade(cycle: Cycle, duration_frames: int, frames: int) -> Overlap:
    """Place a crossfade: at the cycle's end, into what leads to its start; or, if nothing
    leads there, at the start, out of what follows the end. It is shorter than asked for
    where the file holds less, and at most half the cycle."""
    wanted = min(frames, cycle.period_frames // 2)
    lead_in = min(wanted, cycle.start_frame)
    lead_out = min(wanted, duration_frames - cycle.end_frame)
    if max(lead_in, lead_out) <= 0:
        return cut(cycle)
    if lead_in >= lead_out:
        zone = cycle.end_frame - lead_in
        return Overlap(Transition.CROSSFADE, zone, zone, cycle.start_frame - lead_in, lead_in)
    return Overlap(
        Transition.CROSSFADE, cycle.start_frame, cycle.end_frame, cycle.start_frame, lead_out
    )


def tail(cycle: Cycle, duration_frames: int, sample_rate_hz: int) -> Overlap:
    """Fold what rings on after the cycle's end back onto its start."""
    frames = min(
        duration_frames - cycle.end_frame,
        cycle.period_frames,
        round(LONGEST_TAIL_S * sample_rate_hz),
    )
    return Overlap(Transition.TAIL, cycle.start_frame, cycle.end_frame, cycle.start_frame, frames)


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


def fold(ringing: Samples, entering: Samples) -> Samples:
    """Add a tail to the start that it rings into; shapes [frames, channels]."""
    faded = round(TAIL_FADE_SHARE * len(ringing))
    gain = np.ones(len(ringing))
    gain[len(gain) - faded :] = np.square(np.cos(np.pi / 2 * np.arange(faded) / max(1, faded)))
    return np.asarray(entering + ringing * gain[:, None], np.float32)


def zone_samples(reader: AudioReader, zone: Overlap) -> Samples:
    """Read and mix the zone. Shape [zone.frames, channels]."""
    leaving = read_span(reader, zone.leaving_frame, zone.leaving_frame + zone.frames)
    entering = read_span(reader, zone.entering_frame, zone.entering_frame + zone.frames)
    mix = fold if zone.transition is Transition.TAIL else blend
    return mix(leaving, entering)


def looped(reader: AudioReader, cycle: Cycle, zone: Overlap) -> Stretch:
    """Return the cycle as it repeats."""
    if zone.frames == 0:
        return Span(reader, cycle.start_frame, cycle.end_frame)
    return Joined(
        Span(reader, cycle.start_frame, zone.zone_frame),
        Held(zone_samples(reader, zone)),
        Span(reader, zone.zone_frame + zone.frames, cycle.end_frame),
    )


def lead(reader: AudioReader, cycle: Cycle, zone: Overlap, *, skip_intro: bool) -> Stretch:
    """Return what sounds before the cycle repeats: the intro, and, where nothing rings into
    the first pass as into all others, that pass as the source has it."""
    first = cycle.start_frame if skip_intro else 0
    whole_pass = zone.frames > 0 and zone.at_start
    return Span(reader, first, cycle.end_frame if whole_pass else cycle.start_frame)
