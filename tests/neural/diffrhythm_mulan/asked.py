"""What the encoder is asked: texts, and clips by formula."""

from __future__ import annotations

import numpy as np

from services.inference.engines.diffrhythm.style import Audio
from services.inference.engines.diffrhythm.synthetic import unit

FRAMES = 240_000

TEXTS = (
    "slow piano jazz, warm",
    "A warmer  playing of\tthe <pad> slow piano é",
    "piano ing " * 100,
)


def clips() -> dict[str, Audio]:
    """Return a rising tone, noise with clicks, and silence."""
    seconds = np.arange(FRAMES) / 24_000
    tone = 0.3 * np.sin(2 * np.pi * (110 * seconds + 300 * seconds**2))
    noise = 0.1 * unit("noise", FRAMES)
    noise[::12_000] = 0.9
    return {
        "tone": tone.astype(np.float32),
        "noise": noise.astype(np.float32),
        "silence": np.zeros(FRAMES, np.float32),
    }
