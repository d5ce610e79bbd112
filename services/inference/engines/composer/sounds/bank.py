"""The bank file: recordings as FLAC, so that they decode to the same integers everywhere.

Layout: MAGIC, the header's length (4 bytes, little endian), the CRC of all that follows the
length's neighbour (4 bytes), the header as JSON, then the recordings one after the other.
"""

from __future__ import annotations

import functools
import hashlib
import io
import json
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile

Shorts = npt.NDArray[np.int16]
Floats = npt.NDArray[np.float32]

MAGIC = b"MGSOUND1"
BANK_PATH = Path(__file__).parent / "bank" / "sounds.bank"
"""Where `build.py` puts the bank and the composer looks for it."""


class BankUnusable(Exception):
    """There is no bank, or it is damaged; the text says which."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """Loudness over time: rises, holds, falls by 100 dB in `decay_s` down to `sustain_db`."""

    attack_s: float = 0.0
    hold_s: float = 0.0
    decay_s: float = 0.0
    sustain_db: float = 0.0
    release_s: float = 0.1


@dataclass(frozen=True, slots=True)
class Cut:
    """One recording and the keys that it plays."""

    low_key: int
    high_key: int
    root: float
    """The pitch at which it plays at its own rate, as a MIDI number with a fraction."""
    rate_hz: int
    loop: tuple[int, int] | None
    """Frames, end exclusive; None for a recording that ends."""
    envelope: Envelope
    at: int = 0
    size: int = 0


class Bank:
    """A bank opened for reading. Recordings are decoded one by one, when asked for."""

    def __init__(self, path: Path) -> None:
        """Read the header. Raises BankUnusable."""
        try:
            content = path.read_bytes()
        except OSError as error:
            raise BankUnusable("The bank of sampled sounds is not installed.") from error
        start = len(MAGIC) + 8
        if content[: len(MAGIC)] != MAGIC or len(content) < start:
            raise BankUnusable("The bank of sampled sounds has another format.")
        size, crc = struct.unpack_from("<II", content, len(MAGIC))
        if zlib.crc32(memoryview(content)[start:]) != crc:
            raise BankUnusable("The bank of sampled sounds is damaged; build it again.")
        header: dict[str, Any] = json.loads(content[start : start + size])
        self.digest = str(header["digest"])
        """SHA-256 of everything that can be heard."""
        self.instruments: dict[str, tuple[Cut, ...]] = {
            name: tuple(_cut(values) for values in cuts)
            for name, cuts in header["instruments"].items()
        }
        self._hits: dict[str, tuple[int, int]] = {
            name: (at, length) for name, (at, length) in header["hits"].items()
        }
        self._path = path
        self._data_at = start + size

    @property
    def hits(self) -> frozenset[str]:
        """Names of the single drum hits."""
        return frozenset(self._hits)

    def read(self, cut: Cut) -> Floats:
        """Decode a recording, shape [1 or 2, frames], full scale 1."""
        return self._decode(cut.at, cut.size)[0]

    def read_hit(self, name: str) -> Floats:
        """Decode a drum hit at 44.1 kHz, shape [1 or 2, frames]."""
        return self._decode(*self._hits[name])[0]

    def _decode(self, at: int, size: int) -> tuple[Floats, int]:
        with self._path.open("rb") as file:
            file.seek(self._data_at + at)
            frames, rate_hz = soundfile.read(
                io.BytesIO(file.read(size)), dtype="int16", always_2d=True
            )
        scaled = np.ascontiguousarray(frames.T).astype(np.float32)
        return scaled * np.float32(1.0 / 32_768.0), int(rate_hz)


def installed(path: Path | None = None) -> Bank:
    """The bank of this installation; the header is read once. Raises BankUnusable."""
    chosen = path or BANK_PATH
    try:
        status = chosen.stat()
    except OSError as error:
        raise BankUnusable("The bank of sampled sounds is not installed.") from error
    return _opened(chosen, status.st_mtime_ns, status.st_size)


@functools.lru_cache(maxsize=2)
def _opened(path: Path, changed_ns: int, size: int) -> Bank:  # noqa: ARG001  # the cache's key
    return Bank(path)


def write_bank(
    path: Path,
    instruments: Mapping[str, Sequence[tuple[Cut, Shorts]]],
    hits: Mapping[str, Shorts],
    notes: Mapping[str, Any],
) -> str:
    """Write a bank from cuts and their recordings, shape [frames, channels]; returns its digest.

    `notes` are kept in the header. The same content gives the same file.
    """
    body = bytearray()
    heard = hashlib.sha256()
    header: dict[str, Any] = {"instruments": {}, "hits": {}, **notes}
    for name in sorted(instruments):
        rows = []
        for cut, frames in instruments[name]:
            at, size = _append(body, frames, cut.rate_hz)
            values = {**asdict(cut), "at": at, "size": size}
            described = {key: values[key] for key in values if key not in ("at", "size")}
            heard.update(json.dumps([name, described], sort_keys=True).encode())
            heard.update(np.ascontiguousarray(frames, "<i2").tobytes())
            rows.append(values)
        header["instruments"][name] = rows
    for name in sorted(hits):
        header["hits"][name] = _append(body, hits[name], 44_100)
        heard.update(name.encode() + np.ascontiguousarray(hits[name], "<i2").tobytes())
    header["digest"] = heard.hexdigest()
    text = json.dumps(header, separators=(",", ":"), sort_keys=True).encode()
    rest = text + bytes(body)
    partial = path.with_suffix(".partial")
    partial.write_bytes(MAGIC + struct.pack("<II", len(text), zlib.crc32(rest)) + rest)
    partial.replace(path)
    return heard.hexdigest()


def _append(body: bytearray, frames: Shorts, rate_hz: int) -> tuple[int, int]:
    packed = io.BytesIO()
    soundfile.write(packed, frames, rate_hz, format="FLAC", subtype="PCM_16", compression_level=1.0)
    at = len(body)
    body += packed.getvalue()
    return at, len(body) - at


def _cut(values: Mapping[str, Any]) -> Cut:
    loop = values["loop"]
    return Cut(
        **{
            **values,
            "loop": (loop[0], loop[1]) if loop else None,
            "envelope": Envelope(**values["envelope"]),
        }
    )
