"""The mixing desk: the sum of all parts, the room, and the texture under them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from services.inference.engines.composer.channel import room_send
from services.inference.engines.composer.effects import decibels
from services.inference.engines.composer.loudness import HOP_FRAMES
from services.inference.engines.composer.plan import SAMPLE_RATE_HZ, Plan
from services.inference.engines.composer.reverb import BLOCK_FRAMES, Room, make_room
from services.inference.engines.composer.streams import Streams
from services.inference.engines.composer.synth.filters import Filter, highpass, lowpass
from services.inference.engines.composer.synth.tables import Floats, rise
from services.inference.engines.composer.texture import LEVELS_DB, looped, make_texture

LEAD_FRAMES = 120 * HOP_FRAMES
"""How much of a loop's end is played before its start, so that all tails are there."""

TAIL_FRAMES = 2 * HOP_FRAMES
"""How much of a loop's start follows its end, for what the limiter sees ahead."""

__all__ = ["BLOCK_FRAMES", "LEAD_FRAMES", "TAIL_FRAMES", "Desk", "Mix"]


class Mix:
    """The mix of a whole piece, `samples` of shape [2, lead + frames + tail].

    Only a loop has a lead (the end of the cycle before) and a tail (the start of the next).
    """

    def __init__(self, plan: Plan) -> None:
        """All silent."""
        self.frames = plan.duration_frames
        self.lead, tail = (LEAD_FRAMES, TAIL_FRAMES) if plan.loop else (0, 0)
        self.samples: Floats = np.zeros((2, self.lead + self.frames + tail), np.float32)

    def write(self, block: Floats, start: int) -> None:
        """Put a block where it belongs; `start` counts from the piece's first frame."""
        start += self.lead
        self.samples[:, start : start + block.shape[1]] = block

    def heard(self, start: int, end: int) -> Floats:
        """Frames of the piece, without the lead. A view."""
        return self.samples[:, self.lead + start : self.lead + end]

    def finish(self, plan: Plan) -> None:
        """Join the end of a loop to its start; let any other piece begin and end softly."""
        if not plan.loop:
            return _fade(self.samples, plan)
        end = self.lead + self.frames
        places = self.lead + np.arange(self.samples.shape[1] - end) % self.frames
        self.samples[:, end:] = np.take(self.samples, places, axis=1)
        return None


class Desk:
    """Sums the parts block by block, and adds room and texture; keeps the lows in the middle."""

    def __init__(self, plan: Plan, streams: Streams) -> None:
        profile = plan.profile
        dark = profile.air_db < -21.0
        reverb_s = profile.reverb_s * (1.0 + 0.3 * max(0.0, 0.4 - plan.energy))
        self._sends = {part: room_send(part, plan) for part in plan.parts}
        self._room = Room(make_room(reverb_s, streams.layer("room"), dark=dark))
        self._bed: Floats | None = None
        if plan.texture:
            loud = decibels(LEVELS_DB[plan.texture] + profile.texture_db - 14.0)
            self._bed = make_texture(plan.texture, streams.layer("texture")) * np.float32(loud)
        self._period = plan.duration_frames if plan.loop else 0
        self._low_cut = Filter(highpass(170.0), highpass(170.0), channels=1)
        self._edges = Filter(highpass(26.0), lowpass(19_000.0))

    def mix(self, parts: Mapping[str, Floats], start: int) -> tuple[Floats, Floats]:
        """Mix the next block, which begins at frame `start` of the piece (below 0 in a lead).

        Returns the mix and what was added to the parts, each of shape [2, frames ≤
        BLOCK_FRAMES]. The parts are summed in their order: it decides the last bit.
        """
        frames = next(iter(parts.values())).shape[1]
        dry = np.zeros((2, frames), np.float32)
        send = np.zeros((2, frames), np.float32)
        for part, block in parts.items():
            dry += block
            send += block * np.float32(self._sends[part])
        added = self._room(send)
        if self._bed is not None:
            added += _bed(self._bed, start, frames, self._period)
        block = self._edges(dry + added)
        middle = (block[0] + block[1]) * np.float32(0.5)
        side = self._low_cut((block[:1] - block[1:]) * np.float32(0.5))[0]
        return np.stack((middle + side, middle - side)), added


_BED_BLEND_FRAMES = 2 * SAMPLE_RATE_HZ


def _bed(bed: Floats, start: int, frames: int, period: int) -> Floats:
    """Return the texture from a frame on; in a loop of `period` frames its end joins its start."""
    if not period:
        return looped(bed, start, frames)
    places = np.arange(start, start + frames) % period
    found: Floats = np.take(bed, places % bed.shape[1], axis=1)
    size = min(_BED_BLEND_FRAMES, period // 2)
    late = np.flatnonzero(places >= period - size)
    if len(late):
        # What comes before the bed's first frame grows in while the rest goes.
        share = ((places[late] - (period - size) + 0.5) / size).astype(np.float32)
        coming = np.take(bed, (places[late] - period) % bed.shape[1], axis=1)
        found[:, late] = found[:, late] * np.sqrt(1.0 - share) + coming * np.sqrt(share)
    return found


def _fade(samples: Floats, plan: Plan) -> None:
    """Begin without a click and end in silence on the last frame."""
    head = min(220, samples.shape[1])
    samples[:, :head] *= rise(head)
    tail_s = min(plan.ring_s * 0.8, 3.0) if plan.ring_s > 0 else 1.0
    tail = min(samples.shape[1], max(2205, round(tail_s * SAMPLE_RATE_HZ)))
    samples[:, samples.shape[1] - tail :] *= rise(tail)[::-1]
