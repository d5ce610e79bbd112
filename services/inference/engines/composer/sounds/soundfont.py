"""Reading a SoundFont 2 or 3 file: presets, and the zones of keys that they are made of."""

from __future__ import annotations

import io
import itertools
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

Shorts = npt.NDArray[np.int16]

_VORBIS_FLAG = 0x10
"""In a sample's type: it is stored as Ogg Vorbis (version 3 of the format)."""

# Numbers of the generators that are read.
FINE_TUNE, COARSE_TUNE, ROOT_KEY = 52, 51, 58
PAN, MODES = 17, 54
ATTACK, HOLD, DECAY, SUSTAIN, RELEASE = 34, 35, 36, 37, 38
INSTRUMENT, KEYS, VELOCITIES, SAMPLE = 41, 43, 44, 53

_DEFAULTS = {ROOT_KEY: -1, ATTACK: -12_000, HOLD: -12_000, DECAY: -12_000,
             RELEASE: -12_000}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Zone:
    """One sample over a range of keys and velocities."""

    sample: int
    low_key: int
    high_key: int
    low_velocity: int
    high_velocity: int
    values: Mapping[int, int] = field(repr=False)
    """Generator → value, preset and instrument added up."""

    def get(self, generator: int) -> int:
        """The generator's value, or its default."""
        return self.values.get(generator, _DEFAULTS.get(generator, 0))

    def seconds(self, generator: int) -> float:
        """A time in seconds."""
        cents = self.get(generator)
        return 0.0 if cents <= -12_000 else float(2.0 ** (cents / 1200.0))


@dataclass(frozen=True, slots=True)
class Sample:
    """A recording. Loop points in frames from its start; the end is exclusive."""

    name: str
    rate_hz: int
    root_key: int
    correction_cents: int
    loop_start: int
    loop_end: int
    data: bytes = field(repr=False)
    compressed: bool

    def read(self) -> Shorts:
        """Decode, shape [frames]."""
        if not self.compressed:
            return np.frombuffer(self.data, "<i2").astype(np.int16)
        frames, _ = soundfile.read(io.BytesIO(self.data), dtype="float32")
        scaled = np.rint(np.asarray(frames, np.float64) * 32_768.0)
        return np.clip(scaled, -32_768, 32_767).astype(np.int16)


class SoundFont:
    """A font opened for reading; samples are decoded one by one."""

    def __init__(self, path: Path) -> None:
        content = path.read_bytes()
        chunks = dict(_chunks(content))
        self.info = {
            key.removeprefix("INFO/"): value.split(b"\0")[0].decode("latin-1")
            for key, value in chunks.items()
            if key.startswith("INFO/") and key != "INFO/ifil"
        }
        self.samples = list(_samples(chunks["pdta/shdr"], chunks["sdta/smpl"]))
        self._instruments = [
            _zones(chunks, "i", first, last, SAMPLE)
            for first, last in _spans(chunks["pdta/inst"], "<20sH")
        ]
        self._presets: dict[tuple[int, int], tuple[str, int, int]] = {}
        rows = list(struct.iter_unpack("<20sHHHIII", chunks["pdta/phdr"]))
        for row, following in itertools.pairwise(rows):
            name = row[0].split(b"\0")[0].decode("latin-1")
            self._presets[row[2], row[1]] = name, row[3], following[3]
        self._chunks = {key: chunks[key] for key in chunks if key.startswith("pdta/p")}

    def presets(self) -> dict[tuple[int, int], str]:
        """(bank, program) → name."""
        return {key: value[0] for key, value in self._presets.items()}

    def zones(self, bank: int, program: int) -> list[Zone]:
        """All zones of a preset. Raises KeyError if there is no such preset."""
        _, first, last = self._presets[bank, program]
        found = []
        for outer in _zones(self._chunks, "p", first, last, INSTRUMENT):
            for inner in self._instruments[outer.sample]:
                low = max(outer.low_key, inner.low_key)
                high = min(outer.high_key, inner.high_key)
                soft = max(outer.low_velocity, inner.low_velocity)
                hard = min(outer.high_velocity, inner.high_velocity)
                if low > high or soft > hard:
                    continue
                values = dict(inner.values)
                for generator, value in outer.values.items():
                    if generator not in (INSTRUMENT, KEYS, VELOCITIES):
                        values[generator] = inner.get(generator) + value
                found.append(Zone(inner.sample, low, high, soft, hard, values))
        return found


def _chunks(content: bytes, start: int = 12, path: str = "") -> Iterator[tuple[str, bytes]]:
    """All leaves of a RIFF tree as ("LIST type/name", content)."""
    if not path and (content[:4] != b"RIFF" or content[8:12] != b"sfbk"):
        raise ValueError("This is no SoundFont.")
    while start + 8 <= len(content):
        name = content[start : start + 4].decode("latin-1")
        (size,) = struct.unpack_from("<I", content, start + 4)
        body = content[start + 8 : start + 8 + size]
        if name == "LIST":
            yield from _chunks(body, 4, body[:4].decode("latin-1"))
        else:
            yield f"{path}/{name}", body
        start += 8 + size + (size & 1)


def _spans(table: bytes, layout: str) -> list[tuple[int, int]]:
    """First and last + 1 of each entry's bags."""
    rows = [row[-1] for row in struct.iter_unpack(layout, table)]
    return list(itertools.pairwise(rows))


def _zones(
    chunks: Mapping[str, bytes], kind: str, first: int, last: int, target: int
) -> list[Zone]:
    """Zones of one preset ("p") or instrument ("i"); the global zone's values are inherited."""
    bags = list(struct.iter_unpack("<HH", chunks[f"pdta/{kind}bag"]))
    generators = chunks[f"pdta/{kind}gen"]
    inherited: dict[int, int] = {}
    zones = []
    for index in range(first, last):
        values: dict[int, int] = {}
        for place in range(bags[index][0], bags[index + 1][0]):
            (number,) = struct.unpack_from("<H", generators, 4 * place)
            layout = "<H" if number in (KEYS, VELOCITIES, target) else "<h"
            (values[number],) = struct.unpack_from(layout, generators, 4 * place + 2)
        if target not in values:
            if index == first:
                inherited = values
            continue
        values = {**inherited, **values}
        keys = values.get(KEYS, 127 << 8)
        velocities = values.get(VELOCITIES, 127 << 8)
        zones.append(
            Zone(values[target], keys & 255, keys >> 8, velocities & 255, velocities >> 8, values)
        )
    return zones


def _samples(table: bytes, audio: bytes) -> Iterator[Sample]:
    """All samples but the last, which only marks the end."""
    rows = list(struct.iter_unpack("<20sIIIIIBbHH", table))
    for name, start, end, loop_start, loop_end, rate_hz, root, cents, _, kind in rows[:-1]:
        label = name.split(b"\0")[0].decode("latin-1")
        if kind & _VORBIS_FLAG:
            # Offsets are bytes here, and the loop counts from the sample's start.
            data = audio[start:end]
            loop = loop_start, loop_end
        else:
            data = audio[2 * start : 2 * end]
            loop = loop_start - start, loop_end - start
        yield Sample(label, rate_hz, root, cents, *loop, data, bool(kind & _VORBIS_FLAG))
