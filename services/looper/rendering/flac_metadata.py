"""The metadata blocks of a FLAC file, up to the first frame."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.looper.rendering.crc import Ints
from services.looper.rendering.flac_encoder import BLOCK_SAMPLES, Form

_STREAMINFO, _PADDING, _SEEKTABLE, _COMMENT = 0, 1, 3, 4
_LAST = 0x80
_PADDING_BYTES = 8192
"""Room for a tag editor to work in without moving the audio."""

_POINT = np.dtype([("sample", ">u8"), ("offset", ">u8"), ("samples", ">u2")])
_NO_POINT = 0xFFFFFFFFFFFFFFFF
_POINT_EVERY_S = 10
_POINTS_AT_MOST = 4096


@dataclass(frozen=True, slots=True)
class Index:
    """All frames of a file: first samples, samples and bytes of each, shape [frames]."""

    starts: Ints
    samples: Ints
    bytes: Ints


def join_indexes(parts: Sequence[Index]) -> Index:
    """Return the index of all parts, one after the other."""
    return Index(
        np.concatenate([part.starts for part in parts]),
        np.concatenate([part.samples for part in parts]),
        np.concatenate([part.bytes for part in parts]),
    )


def head_bytes(form: Form, total_samples: int, comment: bytes) -> int:
    """Return how long `head` will be: it depends on nothing else."""
    points = len(_wanted(form, total_samples)) * _POINT.itemsize
    return 4 + (4 + 34) + (4 + points) + (4 + len(comment)) + (4 + _PADDING_BYTES)


def head(form: Form, total_samples: int, comment: bytes, index: Index, md5: bytes) -> bytes:
    """Return all that comes before the first frame. `md5` is that of the PCM."""
    return b"".join(
        (
            b"fLaC",
            _block(_STREAMINFO, _streaminfo(form, total_samples, index, md5)),
            _block(_SEEKTABLE, _seektable(_wanted(form, total_samples), index)),
            _block(_COMMENT, comment),
            _block(_PADDING | _LAST, bytes(_PADDING_BYTES)),
        )
    )


def _block(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + len(body).to_bytes(3, "big") + body


def _streaminfo(form: Form, total_samples: int, index: Index, md5: bytes) -> bytes:
    # The last block may be shorter than the least. Equal numbers mean fixed blocks.
    least = index.samples[:-1].min(initial=BLOCK_SAMPLES)
    sizes = struct.pack(">HH", least, BLOCK_SAMPLES)
    sizes += int(index.bytes.min()).to_bytes(3, "big") + int(index.bytes.max()).to_bytes(3, "big")
    # 20 bits, 3, 5 and 36.
    facts = form.sample_rate_hz << 44 | (form.channels - 1) << 41 | (form.bits - 1) << 36
    return sizes + (facts | total_samples).to_bytes(8, "big") + md5


def _wanted(form: Form, total_samples: int) -> Ints:
    """Samples that seek points should be near."""
    step = max(_POINT_EVERY_S * form.sample_rate_hz, -(-total_samples // _POINTS_AT_MOST))
    return np.arange(0, total_samples, step)


def _seektable(wanted: Ints, index: Index) -> bytes:
    points = np.zeros(len(wanted), _POINT)
    points["sample"] = _NO_POINT
    found = np.unique(np.searchsorted(index.starts, wanted, side="right") - 1)
    offsets = np.cumsum(index.bytes) - index.bytes
    points["sample"][: len(found)] = index.starts[found]
    points["offset"][: len(found)] = offsets[found]
    points["samples"][: len(found)] = index.samples[found]
    return points.tobytes()
