"""The style of a song: 512 numbers of unit length, from words, from music, or from a file.

Words and music need an encoder, whose gigabytes are loaded only for a style that is not in the
cache: `mulan` is one.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import soxr

from musicgen.audio.codecs import AudioReader
from musicgen.errors import InvalidAudio, InvalidField, InvalidPrompt

Style = npt.NDArray[np.float32]
"""[1, 512], unit length."""

STYLE_NUMBERS = 512
CLIP_RATE_HZ = 24_000
CLIP_S = 10
MAX_CHANNELS = 8
MAX_TEXT_CHARACTERS = 2000
_MAX_FILE_BYTES = 1 << 16
_LENGTH_TOLERANCE = 0.01
"""Of the unit length: half precision, and a mean of vectors that are nearly the same."""

Audio = npt.NDArray[np.float32]


class Encoder(Protocol):
    """Makes styles. `name` changes with whatever changes them."""

    @property
    def name(self) -> str:
        """What the cache keeps its styles under."""

    def of_text(self, text: str) -> npt.NDArray[Any]:
        """Return the style of a description, [512] or [1, 512]."""

    def of_clip(self, clip: Audio) -> npt.NDArray[Any]:
        """Return the style of 10 s of mono music at 24 kHz, [240000]."""


def validated(values: npt.NDArray[Any], field: str = "style") -> Style:
    """Return a style as [1, 512] float32. Raises InvalidField for what is none."""
    fault = ""
    if values.shape not in ((STYLE_NUMBERS,), (1, STYLE_NUMBERS)):
        fault = f"has the shape {list(values.shape)}, not [1, {STYLE_NUMBERS}] or [{STYLE_NUMBERS}]"
    elif values.dtype.kind != "f":
        fault = f"holds {values.dtype}, not floating-point numbers"
    elif not np.isfinite(values).all():
        fault = "holds values that are no numbers"
    else:
        length = float(np.linalg.norm(values.astype(np.float64)))
        if abs(length - 1) > _LENGTH_TOLERANCE:
            fault = f"has the length {length:.4g}, not 1"
    if fault:
        raise InvalidField(
            f"The style {fault}.",
            remedy="Give a style that MuQ-MuLan made, as it made it.",
            fields={field: fault},
        )
    return np.ascontiguousarray(values.reshape(1, STYLE_NUMBERS), np.float32)


def load_style(path: Path, field: str = "style") -> Style:
    """Read a style from a .npy file. Raises InvalidField for what is none."""
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_FILE_BYTES + 1)
        if len(content) > _MAX_FILE_BYTES:
            raise ValueError("too large")
        values = np.load(io.BytesIO(content), allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        fault = "is no .npy file with one style"
        raise InvalidField(
            f"{path.name} {fault}.",
            remedy="Give a .npy file of 512 numbers, without pickled objects.",
            fields={field: fault},
        ) from error
    if not isinstance(values, np.ndarray):  # an archive of several
        raise InvalidField(
            f"{path.name} holds several arrays.",
            remedy="Give a .npy file of 512 numbers.",
            fields={field: "holds several arrays"},
        )
    return validated(values, field)


def synthetic_style(name: str, salt: str = "") -> Style:
    """Return a style made from its name alone, by the rule of the synthetic weights: for the tiny
    model and for tests."""
    from services.inference.engines.diffrhythm.synthetic import unit  # noqa: PLC0415  # torch

    values = unit(name, STYLE_NUMBERS, salt)
    return (values / np.linalg.norm(values)).astype(np.float32).reshape(1, STYLE_NUMBERS)


def middle_clip(path: Path) -> Audio:
    """Return the 10 s in the middle of a music file, as the encoder wants them: [240000].

    Raises InvalidAudio for a file that is shorter or can't be read.
    """
    with AudioReader(path) as reader:
        rate_hz = reader.properties.sample_rate_hz
        duration_s = reader.properties.duration_frames / rate_hz
        if reader.properties.channels > MAX_CHANNELS:
            raise InvalidAudio(
                f"The music has {reader.properties.channels} channels; up to {MAX_CHANNELS} are "
                "taken.",
                remedy="Mix it to stereo.",
                fields={"style_audio": f"must have at most {MAX_CHANNELS} channels"},
            )
        if duration_s < CLIP_S:
            raise InvalidAudio(
                f"The music lasts {duration_s:.1f} s; a style needs {CLIP_S} s.",
                remedy=f"Give a piece of {CLIP_S} s or more, or describe the style in words.",
                fields={"style_audio": f"must last {CLIP_S} s or more"},
            )
        first_s = max(0, int(duration_s / 2) - CLIP_S // 2)
        reader.seek(first_s * rate_hz)
        mono = reader.read(CLIP_S * rate_hz).mean(axis=1, dtype=np.float32)
    clip = soxr.resample(mono, rate_hz, CLIP_RATE_HZ, quality="HQ").astype(np.float32)
    wanted = CLIP_S * CLIP_RATE_HZ
    if not clip.size or not np.isfinite(clip).all():
        raise InvalidAudio("The music holds samples that are no sound.")
    return np.resize(clip, wanted)  # a few samples short: from the start again


class StyleCache:
    """Styles on disk, each in a file named by what it was made from. Safe to share."""

    def __init__(self, folder: Path) -> None:
        """`folder` is made when the first style is kept."""
        self._folder = folder

    def of_text(self, text: str, name: str, encoder: Callable[[], Encoder]) -> Style:
        """Return the style of a description; the encoder `name` is only made if need be.

        Raises InvalidPrompt for an empty text or one of more than MAX_TEXT_CHARACTERS.
        """
        words = " ".join(text.split())
        if not 1 <= len(words) <= MAX_TEXT_CHARACTERS:
            raise InvalidPrompt(
                f"A style needs 1 to {MAX_TEXT_CHARACTERS:,} characters; there are {len(words):,}.",
                fields={"prompt": "is empty or too long"},
            )
        return self._kept(name, b"text", words.encode(), lambda: encoder().of_text(words))

    def of_audio(self, path: Path, name: str, encoder: Callable[[], Encoder]) -> Style:
        """Return the style of the middle of a music file. Raises InvalidAudio."""
        clip = middle_clip(path)
        return self._kept(name, b"clip", clip.tobytes(), lambda: encoder().of_clip(clip))

    def _kept(
        self, name: str, kind: bytes, content: bytes, make: Callable[[], npt.NDArray[Any]]
    ) -> Style:
        digest = hashlib.sha256(b"\0".join([name.encode(), kind, content])).hexdigest()
        target = self._folder / f"{digest}.npy"
        # A file that was broken by a fault of the disk is made again.
        with contextlib.suppress(InvalidField):
            return load_style(target)
        style = validated(make())
        self._folder.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{digest}.{os.getpid()}.{threading.get_ident()}.part")
        try:
            with temporary.open("wb") as file:
                np.save(file, style, allow_pickle=False)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
        return style
