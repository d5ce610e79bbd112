"""Which part of a render is made by repeating FLAC frames."""

from __future__ import annotations

import math
from dataclasses import dataclass

from services.looper.rendering.flac_encoder import BLOCK_SAMPLES
from services.looper.rendering.timeline import Timeline

_LEAST_BLOCK = 16
"""No block but a stream's last may have fewer samples."""

UNIT_FRAMES = 1 << 20
"""Short cycles are encoded several at a time: fewer short blocks, and larger pieces."""

FIXED_UNIT_FRAMES = 1 << 22
"""So much is encoded if whole cycles fill whole blocks then: all blocks are equal, which
is what most players have seen most of."""


@dataclass(frozen=True, slots=True)
class Plan:
    """[start_frame, end_frame) of the output repeats every `unit_frames`, which are whole
    cycles; the FLAC frames of one such unit repeat in it."""

    start_frame: int
    end_frame: int
    unit_frames: int

    @property
    def has_fixed_blocks(self) -> bool:
        """Whether all blocks of the output but the last are equal."""
        return self.unit_frames % BLOCK_SAMPLES == 0

    def stretches(self) -> list[tuple[int, int]]:
        """Return which spans of the output to encode, each by itself, for one unit: so that
        the last block of none is too short."""
        start, end = self.start_frame, self.start_frame + self.unit_frames
        if 0 < self.unit_frames % BLOCK_SAMPLES < _LEAST_BLOCK:
            middle = end - BLOCK_SAMPLES // 2
            return [(start, middle), (middle, end)]
        return [(start, end)]


def plan_of(timeline: Timeline) -> Plan | None:
    """Return None where so little repeats that all is encoded."""
    if not timeline.whole_cycles:
        return None
    head_frames, cycle_frames = timeline.head.frames, timeline.cycle.frames
    # Some more of the cycle fills the last block of what comes before.
    start_frame = -(-head_frames // BLOCK_SAMPLES) * BLOCK_SAMPLES
    end_frame = head_frames + timeline.whole_cycles * cycle_frames
    if timeline.outro is None:
        end_frame = max(end_frame, timeline.length_frames - timeline.fade_frames)
    unit_frames = cycle_frames * (BLOCK_SAMPLES // math.gcd(cycle_frames, BLOCK_SAMPLES))
    if unit_frames > FIXED_UNIT_FRAMES:
        unit_frames = cycle_frames
    unit_frames *= -(-UNIT_FRAMES // unit_frames)
    if end_frame - start_frame < 2 * unit_frames:
        return None
    return Plan(start_frame, end_frame, unit_frames)
