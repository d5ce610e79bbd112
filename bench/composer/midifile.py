"""Reads a standard MIDI file: what a score says, without the code that wrote it."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Note:
    """A note: where it starts and how long it is held, in ticks; MIDI pitch and velocity."""

    start: int
    ticks: int
    pitch: int
    velocity: int


@dataclass(slots=True)
class Score:
    """A file's notes by the name of their track, and what its first track says."""

    ticks_per_quarter: int
    tracks: dict[str, list[Note]] = field(default_factory=dict)
    quarter_us: int = 500_000
    metre: str = ""
    markers: list[tuple[int, str]] = field(default_factory=list)
    """Tick and text: the sections."""
    end: int = 0
    """The last tick."""

    @property
    def tempo_bpm(self) -> float:
        """Quarters a minute; in 6/8 and the like a beat is a dotted quarter."""
        return 60e6 / self.quarter_us

    @property
    def bar_ticks(self) -> int:
        """Ticks of a bar."""
        upper, lower = (int(number) for number in (self.metre or "4/4").split("/"))
        return self.ticks_per_quarter * 4 * upper // lower

    def seconds(self, tick: int) -> float:
        """Return when a tick is played."""
        return tick / self.ticks_per_quarter * self.quarter_us / 1e6


def read_score(path: Path) -> Score:
    """Read a file of format 0 or 1 with one tempo and one metre. Raises ValueError."""
    data = path.read_bytes()
    if data[:4] != b"MThd":
        raise ValueError(f"{path} is no MIDI file")
    count, division = struct.unpack(">HH", data[10:14])
    score, place = Score(division), 14
    for number in range(count):
        length = struct.unpack(">I", data[place + 4 : place + 8])[0]
        name, notes = _track(data[place + 8 : place + 8 + length], score)
        if notes:
            score.tracks[name or f"track {number}"] = notes
        place += 8 + length
    return score


def _track(data: bytes, score: Score) -> tuple[str, list[Note]]:
    name, notes = "", list[Note]()
    sounding: dict[tuple[int, int], list[tuple[int, int]]] = {}
    place = tick = status = 0
    while place < len(data):
        wait, place = _quantity(data, place)
        tick += wait
        if data[place] & 0x80:
            status = data[place]
            place += 1
        if status == 0xFF:
            kind = data[place]
            size, place = _quantity(data, place + 1)
            text = data[place : place + size]
            if kind == 0x03 and not name:
                name = text.decode("utf-8", "replace")
            _meta(score, kind, text, tick)
            place += size
        elif status in (0xF0, 0xF7):
            size, place = _quantity(data, place)
            place += size
        else:
            kind, channel = status >> 4, status & 15
            first = data[place]
            second = data[place + 1] if kind not in (0xC, 0xD) else 0
            place += 1 if kind in (0xC, 0xD) else 2
            if kind == 9 and second:
                sounding.setdefault((channel, first), []).append((tick, second))
            elif kind in (8, 9) and sounding.get((channel, first)):
                start, velocity = sounding[channel, first].pop(0)
                notes.append(Note(start, tick - start, first, velocity))
    score.end = max(score.end, tick)
    return name, sorted(notes, key=lambda note: (note.start, note.pitch))


def _meta(score: Score, kind: int, data: bytes, tick: int) -> None:
    if kind == 0x51:
        score.quarter_us = int.from_bytes(data, "big")
    elif kind == 0x58:
        score.metre = f"{data[0]}/{1 << data[1]}"
    elif kind == 0x06:
        score.markers.append((tick, data.decode("utf-8", "replace")))


def _quantity(data: bytes, place: int) -> tuple[int, int]:
    value = 0
    while True:
        byte = data[place]
        place += 1
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, place
