"""Audio at another rate, block by block."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]


class Resampler:
    """Converts audio of shape [frames, channels] from one rate to another, in phase and to
    a length of exactly frames x out / in, rounded."""

    def __init__(self, in_rate_hz: int, out_rate_hz: int, channels: int) -> None:
        import soxr  # noqa: PLC0415 - few need it, and those that do have it

        self._stream = soxr.ResampleStream(in_rate_hz, out_rate_hz, channels, dtype="float32")
        self._in_rate_hz, self._out_rate_hz, self._channels = in_rate_hz, out_rate_hz, channels
        self._taken, self._given = 0, 0

    def convert(self, block: Samples) -> Samples:
        """Take a block and return what is ready."""
        self._taken += len(block)
        return self._cut(self._stream.resample_chunk(np.ascontiguousarray(block, np.float32)))

    def finish(self) -> Samples:
        """Return the rest."""
        rest = self._cut(self._stream.resample_chunk(self._empty(), last=True))
        missing = self._frames - self._given
        self._given += missing
        return np.concatenate((rest, np.zeros((missing, self._channels), np.float32)))

    @property
    def _frames(self) -> int:
        """How many frames what was taken comes to."""
        return (2 * self._taken * self._out_rate_hz + self._in_rate_hz) // (2 * self._in_rate_hz)

    def _cut(self, block: Samples) -> Samples:
        block = block.reshape(-1, self._channels)[: self._frames - self._given]
        self._given += len(block)
        return block

    def _empty(self) -> Samples:
        return np.zeros((0, self._channels), np.float32)
