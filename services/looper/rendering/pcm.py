"""Samples as the little-endian PCM bytes that WAV holds and that FLAC's MD5 is taken of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from musicgen.audio.codecs import Samples


def to_pcm(samples: Samples, bits: int) -> memoryview:
    """Return samples of shape [frames, channels] as PCM of 16 or 24 bits, rounded to the
    nearest step and clipped beyond full scale; what is no number becomes 0. What came from
    such PCM is unchanged."""
    steps = np.float32(1 << (bits - 1))
    whole = np.minimum(np.rint(np.nan_to_num(np.clip(samples, -1.0, 1.0)) * steps), steps - 1)
    if bits == 16:
        return memoryview(whole.astype("<i2").tobytes())
    wide = whole.astype("<i4").reshape(-1, 1).view(np.uint8)
    return memoryview(wide[:, :3].tobytes())


def pcm_pieces(blocks: Iterable[Samples], bits: int, skip_frames: int = 0) -> Iterator[memoryview]:
    """Yield blocks as PCM, without the first `skip_frames`. What is skipped comes as empty
    pieces: whoever looks up at each piece does so then, too."""
    for block in blocks:
        yield to_pcm(block[skip_frames:], bits)
        skip_frames = max(0, skip_frames - len(block))
