"""From what was asked for to what sounds when: how often, and how it ends."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass

from musicgen.audio.codecs import AudioReader
from musicgen.errors import InvalidField
from musicgen.loop_limits import MAX_LENGTH_S
from services.looper.loops import Cycle
from services.looper.rendering.tagging import LoopRegion
from services.looper.rendering.timeline import Timeline
from services.looper.seam.transition import Overlap, lead, looped
from services.looper.stretches import Joined, Span, Stretch

CUT_FADE_S = 0.005
OUTRO_FADE_S = 3.0
LEAST_OUTRO_S = 2.0
"""Less than this of an outro is a snippet; the cycle fades out instead."""

MISSED_OUTRO_FADE_S = 5.0


class Ending(enum.Enum):
    """How a render ends; see LoopSpec.Ending."""

    CUT = "cut"
    FADE = "fade"
    OUTRO = "outro"


@dataclass(frozen=True, slots=True)
class Shape:
    """How long and in what form: exactly one of `length_s` and `cycles` is set."""

    length_s: float | None = None
    cycles: int | None = None
    skip_intro: bool = False
    ending: Ending = Ending.CUT
    fade_s: float = MISSED_OUTRO_FADE_S


def plan(reader: AudioReader, cycle: Cycle, zone: Overlap, shape: Shape) -> Timeline:
    """Return what sounds when. Raises InvalidField for more cycles than MAX_LENGTH_S holds."""
    rate = reader.properties.sample_rate_hz
    head = lead(reader, cycle, zone, skip_intro=shape.skip_intro)
    repeated = looped(reader, cycle, zone)
    total = reader.properties.duration_frames
    outro = Span(reader, cycle.end_frame, total)
    # A seam that changes the end leads to the start; the last pass leads to the outro.
    leads_back = zone.frames > 0 and not zone.at_start
    last = Span(reader, cycle.start_frame, total) if leads_back else None
    fade_frames = round((shape.fade_s if shape.ending is Ending.FADE else CUT_FADE_S) * rate)
    parts = _Parts(reader, head, repeated, fade_frames)
    wants_outro = shape.ending is Ending.OUTRO and outro.frames > 0
    if shape.cycles is not None:
        # A head that ends with a whole pass counts as one.
        more = shape.cycles - (1 if zone.frames and zone.at_start else 0)
        frames = head.frames + more * repeated.frames
        if frames > MAX_LENGTH_S * rate:
            raise InvalidField(
                f"{shape.cycles} cycles are longer than ten hours.",
                fields={"spec.cycles": "must fit into ten hours"},
            )
        if wants_outro:
            return parts.with_outro(outro, last, more, frames + outro.frames)
        return parts.filling(frames)
    length_frames = round((shape.length_s or 0.0) * rate)
    if wants_outro:
        left = length_frames - head.frames
        whole = max(0, math.ceil((left - outro.frames) / repeated.frames))
        heard = left - whole * repeated.frames
        if heard >= min(outro.frames, LEAST_OUTRO_S * rate):
            return parts.with_outro(outro, last, whole, length_frames)
        parts = _Parts(reader, head, repeated, round(MISSED_OUTRO_FADE_S * rate))
    return parts.filling(length_frames)


def region_of(timeline: Timeline) -> LoopRegion | None:
    """Return the first cycle of the output that repeats exactly; None if it holds none."""
    if not timeline.whole_cycles:
        return None
    start = timeline.head.frames
    return LoopRegion(start, start + timeline.cycle.frames)


@dataclass(frozen=True, slots=True)
class _Parts:
    reader: AudioReader
    head: Stretch
    cycle: Stretch
    fade_frames: int

    def filling(self, length_frames: int) -> Timeline:
        """Repeat the cycle until the length is reached, the last fade_frames faded."""
        left = length_frames - self.head.frames - self.fade_frames
        if left < 0:
            # Nothing but the head fits, or less, and some of the cycle fades with it.
            often = -(-self.fade_frames // self.cycle.frames)
            everything = Joined(self.head, *[self.cycle] * often)
            return self._timeline(Joined(), 0, length_frames, self.fade_frames, everything)
        whole = left // self.cycle.frames
        return self._timeline(self.head, whole, length_frames, self.fade_frames)

    def with_outro(
        self, outro: Stretch, last: Stretch | None, whole_cycles: int, length_frames: int
    ) -> Timeline:
        """End with an outro, faded where the length cuts it short; after `last`, the pass and
        the outro in one, where there is that."""
        if last and whole_cycles:
            whole_cycles, outro = whole_cycles - 1, last
        heard = length_frames - self.head.frames - whole_cycles * self.cycle.frames
        rate = self.reader.properties.sample_rate_hz
        fade_s = CUT_FADE_S if heard >= outro.frames else OUTRO_FADE_S
        fade_frames = min(round(fade_s * rate), heard)
        return self._timeline(self.head, whole_cycles, length_frames, fade_frames, outro)

    def _timeline(
        self,
        head: Stretch,
        whole_cycles: int,
        length_frames: int,
        fade_frames: int,
        outro: Stretch | None = None,
    ) -> Timeline:
        facts = self.reader.properties
        return Timeline(
            sample_rate_hz=facts.sample_rate_hz,
            channels=facts.channels,
            bits=self.reader.bits,
            head=head,
            cycle=self.cycle,
            whole_cycles=whole_cycles,
            length_frames=length_frames,
            fade_frames=min(fade_frames, length_frames),
            outro=outro,
        )
