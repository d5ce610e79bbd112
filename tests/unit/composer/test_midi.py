"""The MIDI file, read back by a small reader of its own."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from services.inference.engines.composer.compose import compose
from services.inference.engines.composer.midi import TICKS_PER_QUARTER, midi_file
from services.inference.engines.composer.streams import Streams
from tests.unit.composer.test_plan import plan_for

pytestmark = pytest.mark.unit


@dataclass
class Track:
    """A track's (tick, kind, data) metas and (tick, status, first, second) messages."""

    metas: list[tuple[int, int, bytes]] = field(default_factory=list)
    messages: list[tuple[int, int, int, int]] = field(default_factory=list)


def read(data: bytes) -> list[Track]:
    """Read a file of format 1 without running status."""
    assert data[:4] == b"MThd"
    size, kind, count, division = struct.unpack(">IHHH", data[4:14])
    assert (size, kind, division) == (6, 1, TICKS_PER_QUARTER)
    tracks, place = [], 14
    for _ in range(count):
        assert data[place : place + 4] == b"MTrk"
        length = struct.unpack(">I", data[place + 4 : place + 8])[0]
        tracks.append(_track(iter(data[place + 8 : place + 8 + length])))
        place += 8 + length
    assert place == len(data)
    return tracks


def _quantity(stream: Iterator[int]) -> int:
    value = 0
    for byte in stream:
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            break
    return value


def _track(stream: Iterator[int]) -> Track:
    track, tick = Track(), 0
    while True:
        tick += _quantity(stream)
        status = next(stream)
        if status == 0xFF:
            kind = next(stream)
            track.metas.append((tick, kind, bytes(next(stream) for _ in range(_quantity(stream)))))
            if kind == 0x2F:
                assert next(stream, None) is None
                return track
        elif status >> 4 == 0xC:
            track.messages.append((tick, status, next(stream), 0))
        else:
            track.messages.append((tick, status, next(stream), next(stream)))


@pytest.mark.parametrize(
    ("prompt", "metre", "sharps", "minor"),
    [("rock in E minor, 121 bpm", (4, 2), 1, 1), ("6/8 folk in Eb major, 60 bpm", (6, 3), -3, 0),
     ("7/8 jazz in D dorian, 90 bpm", (7, 3), 0, 1)],
)  # fmt: skip
def test_the_file_tells_what_the_plan_says(
    prompt: str, metre: tuple[int, int], sharps: int, minor: int
) -> None:
    """Tempo, metre, key and sections are there; every note ends, and none overlaps itself."""
    plan = plan_for(prompt, 30.0)
    score = compose(plan, Streams(1, prompt))
    conductor, *parts = read(midi_file(plan, score))
    metas = {kind: data for _, kind, data in reversed(conductor.metas)}
    quarters_per_minute = plan.tempo_bpm * (1.5 if plan.metre == "6/8" else 1.0)
    assert int.from_bytes(metas[0x51], "big") == pytest.approx(60e6 / quarters_per_minute, abs=1)
    assert tuple(metas[0x58][:2]) == metre
    assert struct.unpack(">bB", metas[0x59]) == (sharps, minor)
    assert sum(kind == 0x06 for _, kind, _ in conductor.metas) == len(plan.sections)
    assert len(parts) == len(plan.parts)
    end_s = conductor.metas[-1][0] / TICKS_PER_QUARTER / quarters_per_minute * 60
    assert end_s == pytest.approx(plan.duration_frames / 44_100, abs=0.01)
    for part, track in zip(plan.parts, parts, strict=True):
        sounding: set[int] = set()
        for _, status, key, velocity in track.messages[1:]:
            assert (status & 0xF == 9) == (part == "drums")
            if status >> 4 == 9:
                assert key not in sounding
                assert 0 < velocity < 128
                sounding.add(key)
            else:
                sounding.remove(key)
        assert not sounding
        assert len(track.messages) > 3
