"""What sounds when in a rendered loop, independent of the format it is written in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from musicgen.audio.codecs import BLOCK_FRAMES, Samples
from services.looper.stretches import Stretch, cut


@dataclass(frozen=True, slots=True)
class Timeline:
    """A render: `head` sounds once, then `cycle` for `whole_cycles` times, then the ending,
    `length_frames` in sum.

    The last frame of `head` leads into the first of `cycle`, and so does the last of
    `cycle`. The ending is `outro` where there is one, else the cycle once more, as far as
    it goes; the last `fade_frames` of it fade out. `bits` are those of lossless output,
    16 or 24.
    """

    sample_rate_hz: int
    channels: int
    bits: int
    head: Stretch
    cycle: Stretch
    whole_cycles: int
    length_frames: int
    fade_frames: int
    outro: Stretch | None = None

    @property
    def ending_frames(self) -> int:
        """Frames after the last whole cycle, 0 or more."""
        return self.length_frames - self.head.frames - self.whole_cycles * self.cycle.frames

    def endless(self, phase_frame: int = 0) -> Iterator[Samples]:
        """Yield the cycle for ever, from its frame `phase_frame` on."""
        yield from self.cycle.blocks(phase_frame % self.cycle.frames)
        while True:
            yield from self.cycle.blocks()

    def ending(self, frames: int) -> Iterator[Samples]:
        """Yield exactly `frames` of what sounds after the last whole cycle, with the fade.

        Formats that can't cut where they please ask for a little more or less than
        `ending_frames`.
        """
        return _faded(cut(self._after_cycles(), frames), frames, self.fade_frames)

    def blocks(self) -> Iterator[Samples]:
        """Yield all of the output, `length_frames` in sum."""
        yield from self.head.blocks()
        for _ in range(self.whole_cycles):
            yield from self.cycle.blocks()
        yield from self.ending(self.ending_frames)

    def _after_cycles(self) -> Iterator[Samples]:
        if self.outro is None:
            yield from self.endless()
            return
        yield from self.outro.blocks()
        # Asked for more than there is: silence, as after any piece.
        while True:
            yield np.zeros((BLOCK_FRAMES, self.channels), np.float32)


def _faded(blocks: Iterator[Samples], frames: int, fade_frames: int) -> Iterator[Samples]:
    fade_start, position = frames - fade_frames, 0
    for block in blocks:
        end = position + len(block)
        if end > fade_start:
            frame = np.arange(position, end)
            gain = np.clip((frames - frame - 0.5) / max(1, fade_frames), 0, 1)
            yield (block * gain[:, None]).astype(np.float32)
        else:
            yield block
        position = end
