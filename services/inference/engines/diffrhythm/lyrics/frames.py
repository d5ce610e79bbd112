"""Seconds and the model's frames: one latent stands for 2,048 samples at 44.1 kHz."""

from __future__ import annotations

import math

import numpy as np

from musicgen.errors import InvalidField

SAMPLE_RATE_HZ = 44_100
SAMPLES_A_FRAME = 2048
FRAMES_A_SECOND = SAMPLE_RATE_HZ / SAMPLES_A_FRAME

BASE_FRAMES = 2048
BASE_SONG_S = 95.0
"""What a base model makes, always; its frames are 95.1 s."""

FULL_FRAMES = 6144
MIN_FULL_SONG_S = 96.0
MAX_FULL_SONG_S = 285.0


def frame_at(time_s: float) -> int:
    """Return the frame that is on at a time."""
    return int(time_s * SAMPLE_RATE_HZ / SAMPLES_A_FRAME)


def seconds_of(frames: int) -> float:
    """Return how long some frames last."""
    return frames * SAMPLES_A_FRAME / SAMPLE_RATE_HZ


def song_frames(song_s: float, max_frames: int) -> int:
    """Return the number of frames of a song. Raises InvalidField for a length that the
    model can't make: a base model (2048 frames) makes 95 s, a full one 96 to 285 s."""
    if max_frames == BASE_FRAMES:
        if song_s != BASE_SONG_S:
            raise _wrong_length(f"this model makes songs of {BASE_SONG_S:g} s only")
        return BASE_FRAMES
    if not (math.isfinite(song_s) and MIN_FULL_SONG_S <= song_s <= MAX_FULL_SONG_S):
        raise _wrong_length(
            f"this model makes songs of {MIN_FULL_SONG_S:g} to {MAX_FULL_SONG_S:g} s"
        )
    return min(frame_at(song_s), max_frames)


def song_seconds(frames: int, max_frames: int) -> float:
    """Return the length in which lines may begin: for the whole of a base model 95 s, else
    what the frames last."""
    return BASE_SONG_S if frames == max_frames == BASE_FRAMES else seconds_of(frames)


def duration_fraction(frames: int, max_frames: int) -> float:
    """Return the duration as the model is told it: a share of the longest song, in the
    half precision that it was trained with."""
    return float(np.float16(frames / max_frames))


def _wrong_length(fault: str) -> InvalidField:
    return InvalidField(
        f"The length can't be had: {fault}.",
        remedy="Choose another length, or another model.",
        fields={"duration_s": fault},
    )
