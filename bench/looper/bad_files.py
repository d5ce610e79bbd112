"""Files that no finder likes: each must be answered cleanly, and soon."""

from __future__ import annotations

import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile

from bench.looper.instruments import Floats

RATE_HZ = 44_100


def _noise(seconds: float, channels: int = 2, rate_hz: int = RATE_HZ) -> Floats:
    chance = np.random.default_rng(7)
    return 0.1 * chance.standard_normal((int(seconds * rate_hz), channels))


def _beats(seconds: float, channels: int, rate_hz: int) -> Floats:
    """Return a bar of 2 s, again and again."""
    bar = np.zeros((2 * rate_hz, channels))
    decay = np.exp(-np.arange(rate_hz // 4) / (0.05 * rate_hz))[:, None]
    bar[: len(decay)] = _noise(0.25, channels, rate_hz)[: len(decay)] * decay * 3
    bar[rate_hz : rate_hz + len(decay)] = bar[: len(decay)] * 0.5
    return np.tile(bar, (int(seconds / 2), 1))


def _silence(path: Path) -> None:
    soundfile.write(path, np.zeros((30 * RATE_HZ, 2)), RATE_HZ)


def _white(path: Path) -> None:
    soundfile.write(path, _noise(30), RATE_HZ)


def _short(path: Path) -> None:
    soundfile.write(path, _noise(0.5), RATE_HZ)


def _empty(path: Path) -> None:
    soundfile.write(path, np.zeros((0, 2)), RATE_HZ)


def _constant(path: Path) -> None:
    soundfile.write(path, np.full((20 * RATE_HZ, 2), 0.5), RATE_HZ)


def _not_numbers(path: Path) -> None:
    samples = _beats(20, 2, RATE_HZ)
    samples[RATE_HZ : RATE_HZ + 100] = np.nan
    samples[3 * RATE_HZ] = np.inf
    soundfile.write(path, samples, RATE_HZ, subtype="FLOAT")


def _huge(path: Path) -> None:
    soundfile.write(path, _beats(20, 2, RATE_HZ) * 1e30, RATE_HZ, subtype="FLOAT")


def _eight_bits(path: Path) -> None:
    soundfile.write(path, _beats(30, 1, 8_000), 8_000, subtype="PCM_U8")


def _fast(path: Path) -> None:
    soundfile.write(path, _beats(30, 2, 192_000), 192_000)


def _six_channels(path: Path) -> None:
    soundfile.write(path, _beats(30, 6, 48_000), 48_000)


def _truncated(path: Path) -> None:
    soundfile.write(path, _beats(30, 2, RATE_HZ), RATE_HZ)
    path.write_bytes(path.read_bytes()[: 10 * RATE_HZ * 4])


def _cut_flac(path: Path) -> None:
    soundfile.write(path, _beats(30, 2, RATE_HZ), RATE_HZ, format="FLAC")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def _lying(path: Path) -> None:
    """Write a header that tells of 4 GiB where there are 2 s."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes((_noise(2) * 32_767).astype("<i2").tobytes())
    content = bytearray(path.read_bytes())
    content[4:8] = content[40:44] = b"\xf0\xff\xff\xff"
    path.write_bytes(content)


def _text(path: Path) -> None:
    path.write_text("This is no sound.\n" * 1000, encoding="utf-8")


BAD_FILES: dict[str, tuple[Callable[[Path], None], bool]] = {
    "silence": (_silence, False),
    "white_noise": (_white, False),
    "half_second": (_short, False),
    "empty": (_empty, False),
    "constant": (_constant, False),
    "not_numbers": (_not_numbers, False),
    "huge": (_huge, False),
    "eight_bits_8khz": (_eight_bits, True),
    "192khz": (_fast, True),
    "six_channels": (_six_channels, True),
    "truncated": (_truncated, False),
    "cut_flac": (_cut_flac, False),
    "lying_header": (_lying, False),
    "text": (_text, False),
    "missing": (lambda _: None, False),
}
"""By name: how it is written, and whether it is sound music that has a loop of 2 s."""


def write(folder: Path) -> list[Path]:
    """Write all of them; returns their paths. One is of a file that doesn't exist."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, (make, _) in BAD_FILES.items():
        path = folder / f"{name}.wav"
        make(path)
        paths.append(path)
    return paths
