"""Small renders to write, and what they must sound like to the bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from musicgen.audio.codecs import AudioWriter, Format
from services.looper.rendering.timeline import Timeline
from services.looper.stretches import Held, Stretch
from tests.unit.looper.signals import Signal


def noise(frames: int, channels: int = 2, *, bits: int = 16, seed: int = 1) -> Signal:
    """Quiet noise that PCM of so many bits holds exactly."""
    rng = np.random.default_rng(seed)
    wave = 0.2 * np.sin(np.arange(frames) / 50)[:, None]
    whole = np.rint((wave + 0.001 * rng.standard_normal((frames, channels))) * 2.0 ** (bits - 1))
    return (whole / 2.0 ** (bits - 1)).astype(np.float32)


def timeline(
    cycle_frames: int,
    whole_cycles: int,
    *,
    rate_hz: int = 44_100,
    channels: int = 2,
    bits: int = 16,
    head_frames: int = 1234,
    ending_frames: int = 567,
    fade_frames: int = 100,
    outro_frames: int = 0,
) -> Timeline:
    """Build a render of noise."""

    def held(frames: int, seed: int) -> Stretch:
        return Held(noise(frames, channels, bits=bits, seed=seed))

    return Timeline(
        sample_rate_hz=rate_hz,
        channels=channels,
        bits=bits,
        head=held(head_frames, 1),
        cycle=held(cycle_frames, 2),
        whole_cycles=whole_cycles,
        length_frames=head_frames + whole_cycles * cycle_frames + ending_frames,
        fade_frames=fade_frames,
        outro=held(outro_frames, 3) if outro_frames else None,
    )


def pcm_of(timeline: Timeline) -> bytes:
    """Return all of a render as PCM, made sample by sample with whole numbers."""
    signal = np.concatenate([np.zeros((0, timeline.channels)), *timeline.blocks()])
    whole = np.rint(signal.astype(np.float64) * 2 ** (timeline.bits - 1)).astype("<i4")
    steps = whole.reshape(-1, 1).view(np.uint8)[:, : timeline.bits // 8]
    return bytes(steps.tobytes())


def write(path: Path, signal: Signal) -> Path:
    """Write a signal as WAV at 44.1 kHz and return the path."""
    with AudioWriter(path, Format.WAV, 44_100, signal.shape[1]) as writer:
        writer.write(signal)
    return path
