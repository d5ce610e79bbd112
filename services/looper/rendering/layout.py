"""Where the pieces of a spliced output lie: whole numbers only, so that nothing drifts.

"Source" counts frames of the timeline, "samples" those at the codec's rate, "frames"
those of the codec.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from services.looper.rendering.timeline import Timeline

UNIT_S = 60
"""The least that a unit is long. Over a minute, half a frame is 435 ppm at most."""

LEAST_REST_S = 5
"""A shorter rest is not worth a joint of its own."""

SPARE_FRAMES = 12
"""Codec frames on each side of a joint that are encoded from the same samples, besides
those that a decoder needs to settle: encoders look ahead, and joints may move a little."""

WORTH_IT = 0.8
"""Splicing is done where it spares at least a fifth of the encoding."""


@dataclass(frozen=True, slots=True)
class Codec:
    """`frame_samples` per encoded frame; a decoder that starts anywhere is right after
    `settle_frames`."""

    sample_rate_hz: int
    frame_samples: int
    settle_frames: int


@dataclass(frozen=True, slots=True)
class Layout:
    """A spliced output: head and `lead_source` of the cycle up to the `joint`, then a unit
    per entry of `stretches`, then from `ending_joint` the ending.

    A unit is a stretch of so many codec frames, made of `stretch_source`, and a rest of
    `rest_frames`, which may be 0; that of the last unit is cut to `last_rest_frames`.
    Within `zone` samples of each joint, `zone_source` of the source, nothing is stretched.
    The ending is encoded from `warm_up` samples before its joint; it is
    `ending_cycle_source` of the cycle, from `ending_phase_source` on, then `ending_source`
    as the timeline ends.
    """

    codec: Codec
    joint: int
    lead_source: int
    unit_source: int
    stretch_source: int
    rest_frames: int
    last_rest_frames: int
    stretches: tuple[int, ...]
    zone: int
    zone_source: int
    warm_up: int
    ending_joint: int
    ending_phase_source: int
    ending_cycle_source: int
    ending_source: int
    length: int

    @property
    def variants(self) -> list[int]:
        """The different stretches, in codec frames: one, or two that differ by one."""
        return sorted(set(self.stretches))

    @property
    def encoded(self) -> int:
        """Samples to be encoded in all."""
        frames = sum(self.variants) + self.rest_frames
        once = self.joint + frames * self.codec.frame_samples + self.zone
        return once + self.warm_up + self.length - self.ending_joint


def samples_of(timeline: Timeline, codec: Codec) -> int:
    """Return the length of a timeline at the codec's rate."""
    return _rounded(
        Fraction(timeline.length_frames * codec.sample_rate_hz, timeline.sample_rate_hz)
    )


def lay_out(timeline: Timeline, codec: Codec) -> Layout | None:
    """Return how to splice a timeline, or None where encoding all of it costs no more."""
    rate = Fraction(codec.sample_rate_hz, timeline.sample_rate_hz)
    frame = codec.frame_samples
    grid = math.lcm(frame, rate.numerator)
    zone = _up((codec.settle_frames + SPARE_FRAMES) * frame, rate.numerator)
    head = timeline.head.frames
    # The joint falls on a whole frame of the source and a whole sample of the codec.
    lead_source = _up(head + _source(zone, rate), rate.denominator) - head
    joint = int((head + lead_source) * rate)

    period = timeline.cycle.frames
    unit_source = period * -(-UNIT_S * timeline.sample_rate_hz // period)
    spare = int(unit_source * rate) - UNIT_S * codec.sample_rate_hz
    rest = spare // grid * grid if spare >= LEAST_REST_S * codec.sample_rate_hz else 0

    length = samples_of(timeline, codec)
    zone_source = _source(zone, rate)
    least_ending = max(1, min(timeline.fade_frames, timeline.ending_frames))
    # From the first joint, the last one can be so far away that a zone of the cycle follows.
    reach = timeline.length_frames - head - least_ending
    if timeline.outro:
        reach = timeline.whole_cycles * period
    reach -= lead_source + zone_source
    for units in range(reach // unit_source + 1, 1, -1):
        # Where each unit ends, to the nearest frame.
        ends = [_rounded(unit * unit_source * rate / frame) for unit in range(units + 1)]
        ending_joint = joint + ends[-1] * frame
        # Of the last unit's rest, what the ending leaves.
        if timeline.outro:
            over = (units * unit_source - reach) * rate
        else:
            over = ending_joint + zone + least_ending * rate - length
        cut = _up(max(0, math.ceil(over)), grid)
        ending_joint -= cut
        ending_phase = lead_source + units * unit_source - _source(cut, rate)
        cycle_source = timeline.whole_cycles * period - ending_phase if timeline.outro else 0
        ending_source = math.ceil((length - ending_joint) / rate) - cycle_source
        if cut > rest or ending_source < least_ending:
            continue
        layout = Layout(
            codec=codec,
            joint=joint,
            lead_source=lead_source,
            unit_source=unit_source,
            stretch_source=unit_source - _source(rest, rate),
            rest_frames=rest // frame,
            last_rest_frames=(rest - cut) // frame,
            stretches=tuple(end - start - rest // frame for start, end in pairwise(ends)),
            zone=zone,
            zone_source=zone_source,
            warm_up=joint % grid + _up(max(0, zone - joint % grid), grid),
            ending_joint=ending_joint,
            ending_phase_source=ending_phase,
            ending_cycle_source=cycle_source,
            ending_source=ending_source,
            length=length,
        )
        return layout if layout.encoded <= WORTH_IT * length else None
    return None


def _source(samples: int, rate: Fraction) -> int:
    return int(samples / rate)


def _rounded(value: Fraction) -> int:
    return math.floor(value + Fraction(1, 2))


def _up(value: int, step: int) -> int:
    return -(-value // step) * step
