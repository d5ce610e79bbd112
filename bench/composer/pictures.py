"""Pictures of sound as PNG, from NumPy alone."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import numpy.typing as npt
from scipy import signal

Floats = npt.NDArray[np.float64]
Pixels = npt.NDArray[np.uint8]

# From black over blue and orange to white: equal steps of loudness look equally large.
_COLOURS = np.array(
    [[8, 10, 20], [24, 40, 92], [92, 48, 132], [196, 70, 92], [246, 148, 66], [255, 246, 214]],
    float,
)


def png(pixels: Pixels) -> bytes:
    """Encode an RGB image of shape [height, width, 3]."""
    height, width, _ = pixels.shape
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)  # 0: no filter

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 6)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def spectrogram(samples: Floats, rate_hz: int, width: int = 720, height: int = 180) -> bytes:
    """Draw 30 Hz to 18 kHz, logarithmic, over 80 dB. `samples`: [frames, channels]."""
    mono = samples.mean(axis=1)
    hop = max(1, len(mono) // width)
    frequencies, _, spectrum = signal.stft(
        mono, rate_hz, nperseg=4096, noverlap=4096 - min(hop, 4096)
    )
    level = 20 * np.log10(np.abs(spectrum) + 1e-9)
    rows = np.geomspace(18_000, 30, height)
    columns = np.linspace(0, level.shape[1] - 1, width).astype(int)
    picked = level[np.searchsorted(frequencies, rows).clip(max=len(frequencies) - 1)][:, columns]
    share = ((picked - picked.max() + 80) / 80).clip(0, 1) * (len(_COLOURS) - 1)
    low = np.floor(share).astype(int).clip(max=len(_COLOURS) - 2)
    part = (share - low)[..., None]
    return png((_COLOURS[low] * (1 - part) + _COLOURS[low + 1] * part).astype(np.uint8))


def waveform(samples: Floats, width: int = 720, height: int = 60) -> bytes:
    """Draw the peaks of a mix. `samples`: [frames, channels]."""
    mono = samples.mean(axis=1)
    step = max(1, len(mono) // width)
    columns = mono[: step * width].reshape(-1, step)
    middle = height / 2
    top = (middle - columns.max(axis=1) * middle).astype(int)
    bottom = (middle - columns.min(axis=1) * middle).astype(int)
    y = np.arange(height)[:, None]
    inside = (y >= top) & (y <= bottom)
    picture = np.where(inside[..., None], (147, 216, 238), (8, 19, 26))
    return png(picture.astype(np.uint8))
