"""The recording: blocks of all parts, played side by side and mixed one after the other."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from musicgen.audio.codecs import AudioWriter, Format
from services.inference.engines.composer.channel import Channel
from services.inference.engines.composer.crew import Crew, Pending
from services.inference.engines.composer.effects import decibels
from services.inference.engines.composer.mix import Desk, Edges
from services.inference.engines.composer.plan import SAMPLE_RATE_HZ, Plan
from services.inference.engines.composer.render import Stem
from services.inference.engines.composer.reverb import BLOCK_FRAMES
from services.inference.engines.composer.synth.tables import Floats

ROOM_STEM = "room"
"""The stem of reverb and texture."""
STEM_GAIN_DB = -8.0
"""Single parts have peaks that the limiter takes from the mix: room for them."""


@dataclass(frozen=True, slots=True)
class Block:
    """A stretch of the piece. `start` counts from its first frame, below 0 in a loop's lead."""

    start: int
    mix: Floats
    """Shape [2, frames]."""
    stems: Mapping[str, Floats]
    """Part, or ROOM_STEM, → shape [2, frames]."""

    @property
    def end(self) -> int:
        """The frame after its last one."""
        return self.start + int(self.mix.shape[1])


def spans(frames: int, lead: int) -> list[tuple[int, int]]:
    """Divide a lead, and then the piece, into blocks: (start, end)."""
    return [
        (start, min(end, start + BLOCK_FRAMES))
        for first, end in ((-lead, 0), (0, frames))
        for start in range(first, end, BLOCK_FRAMES)
    ]


def record(
    stems: Mapping[str, Stem],
    channels: Mapping[str, Channel],
    desk: Desk,
    places: list[tuple[int, int]],
    crew: Crew,
) -> Iterator[Block]:
    """Yield the blocks of the piece. While one is mixed the next is being played."""

    def playing(place: tuple[int, int]) -> Pending[Floats]:
        start, end = place

        def play(part: str) -> Floats:
            return channels[part](stems[part].render(start, end, crew.alive), start)

        return crew.start(play, stems)

    coming = playing(places[0])
    for place, following in itertools.zip_longest(places, places[1:]):
        played = dict(zip(stems, coming.wait(), strict=True))
        if following:
            coming = playing(following)
        mixed, added = desk.mix(played, place[0])
        yield Block(place[0], mixed, {**played, ROOM_STEM: added})


def stem_names(plan: Plan) -> tuple[str, ...]:
    """The parts that have a stem, and the room."""
    return (*plan.parts, ROOM_STEM)


def stem_file(name: str) -> str:
    """The file of a stem in the scratch folder."""
    return f"stem-{name}.wav"


class StemFiles(contextlib.ExitStack):
    """Writes each stem into a file of its own, within `with`.

    Added up they are the mix before mastering, lower by STEM_GAIN_DB.
    """

    def __init__(self, plan: Plan, folder: Path) -> None:
        super().__init__()
        self._frames = plan.duration_frames
        self._paths = {name: folder / stem_file(name) for name in stem_names(plan)}
        self._edges = {name: Edges(plan) for name in self._paths}
        self._gain = np.float32(decibels(STEM_GAIN_DB))
        self._writers: dict[str, AudioWriter] = {}

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as opened:  # closes all if one can't be opened
            for name, path in self._paths.items():
                self._writers[name] = opened.enter_context(
                    AudioWriter(
                        path, Format.WAV, SAMPLE_RATE_HZ, 2, bits=24, expected_frames=self._frames
                    )
                )
            self.push(opened.pop_all())
        return self

    def write(self, block: Block) -> None:
        """Append a block; a loop's lead only prepares the filters."""
        for name, stem in block.stems.items():
            finished = self._edges[name](stem, block.start)
            if block.start >= 0:
                self._writers[name].write((finished * self._gain).T)
