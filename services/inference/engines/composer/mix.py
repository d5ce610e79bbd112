"""The mixing desk: the sum of all parts, the room, and the texture under them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from services.inference.engines.composer.channel import room_send
from services.inference.engines.composer.effects import decibels
from services.inference.engines.composer.loudness import HOP_FRAMES
from services.inference.engines.composer.plan import SAMPLE_RATE_HZ, Plan
from services.inference.engines.composer.reverb import Room, make_room
from services.inference.engines.composer.streams import Streams
from services.inference.engines.composer.synth.filters import Filter, highpass, lowpass
from services.inference.engines.composer.synth.tables import Floats, rise
from services.inference.engines.composer.texture import LEVELS_DB, looped, make_texture

LEAD_FRAMES = 120 * HOP_FRAMES
"""How much of a loop's end is played before its start, so that all tails are there."""

TAIL_FRAMES = 2 * HOP_FRAMES
"""How much of a loop's start follows its end, for what the limiter sees ahead."""


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

    def join(self) -> None:
        """Let the start of a loop follow its end."""
        end = self.lead + self.frames
        places = self.lead + np.arange(self.samples.shape[1] - end) % self.frames
        self.samples[:, end:] = np.take(self.samples, places, axis=1)


class Edges:
    """What happens to every sum: no rumble, lows in the middle, a soft start and end.

    All of it is linear, so that stems to which it happens one by one add up to the mix.
    """

    def __init__(self, plan: Plan) -> None:
        self._filter = Filter(highpass(26.0), lowpass(19_000.0))
        self._low_cut = Filter(highpass(170.0), highpass(170.0), channels=1)
        self._loop = plan.loop
        self._frames = plan.duration_frames
        tail_s = min(plan.ring_s * 0.8, 3.0) if plan.ring_s > 0 else 1.0
        self._head = rise(min(_HEAD_FRAMES, self._frames))
        self._tail = rise(min(self._frames, max(2205, round(tail_s * SAMPLE_RATE_HZ))))[::-1]

    def __call__(self, block: Floats, start: int) -> Floats:
        """Process the next block, which begins at frame `start` of the piece."""
        block = self._filter(block)
        middle = (block[0] + block[1]) * np.float32(0.5)
        side = self._low_cut((block[:1] - block[1:]) * np.float32(0.5))[0]
        block = np.stack((middle + side, middle - side))
        if not self._loop:
            _fade(block, start, self._head, 0)
            _fade(block, start, self._tail, self._frames - len(self._tail))
        return block


_HEAD_FRAMES = 220


def _fade(block: Floats, start: int, curve: Floats, at: int) -> None:
    """Lay a curve that begins at frame `at` over a block that begins at frame `start`."""
    first, last = max(start, at), min(start + block.shape[1], at + len(curve))
    if first < last:
        block[:, first - start : last - start] *= curve[first - at : last - at]


class Desk:
    """Sums the parts block by block, and adds room and texture."""

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
        self._edges = Edges(plan)

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
        return self._edges(dry + added, start), added


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
