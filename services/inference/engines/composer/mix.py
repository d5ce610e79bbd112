"""The mixing desk: one channel a part, a room, the texture, and the sum."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from services.inference.engines.composer.effects import (
    Amplifier,
    Ducker,
    PingPong,
    Tremolo,
    Widener,
    Wow,
    decibels,
)
from services.inference.engines.composer.loudness import (
    HOP_FRAMES,
    SILENCE_LUFS,
    hop_energies,
    integrated_lufs,
)
from services.inference.engines.composer.plan import SAMPLE_RATE_HZ, Plan
from services.inference.engines.composer.render import Alive
from services.inference.engines.composer.reverb import BLOCK_FRAMES, Room, make_room
from services.inference.engines.composer.score import Score
from services.inference.engines.composer.streams import Streams
from services.inference.engines.composer.synth.filters import (
    Filter,
    Row,
    high_shelf,
    highpass,
    low_shelf,
    lowpass,
    peak,
)
from services.inference.engines.composer.synth.instruments import DISTORTED, MONO
from services.inference.engines.composer.synth.tables import Floats, rise
from services.inference.engines.composer.texture import LEVELS_DB, looped, make_texture

TARGETS_LUFS = {
    "drums": -18.5,
    "bass": -20.0,
    "chords": -21.5,
    "pad": -25.5,
    "arp": -26.0,
    "lead": -21.0,
}
"""Part → its loudness where it plays fully."""

_SENDS_DB = {"drums": -11.0, "bass": -40.0, "chords": -3.0, "pad": 0.0, "arp": 0.0, "lead": -1.0}
"""Part → how much of it goes into the room, against the family's level."""

_EQ: dict[str, tuple[Row, ...]] = {
    "drums": (peak(380.0, -2.0), high_shelf(7000.0, 2.0)),
    "bass": (highpass(30.0), peak(220.0, -1.5)),
    "chords": (highpass(140.0), peak(320.0, -1.5)),
    "pad": (highpass(190.0), peak(420.0, -2.5), high_shelf(6000.0, 2.0)),
    "arp": (highpass(260.0), high_shelf(5000.0, 2.5)),
    "lead": (highpass(160.0), peak(2500.0, 1.5)),
}
_WIDTHS = {
    "drums": (0.14, 6.3),
    "chords": (0.55, 11.3),
    "pad": (0.3, 15.1),
    "arp": (0.55, 16.7),
    "lead": (0.24, 8.9),
}
"""Part → how much side it gets, and from how late an echo in ms."""


class Channel:
    """One part's strip: amplifier, equaliser, width, ducking, echo, gain."""

    def __init__(self, part: str, plan: Plan, kicks: list[int]) -> None:
        instrument = plan.parts[part]
        profile = plan.profile
        self.part = part
        self.gain = 1.0
        self._mono = part == "bass" and instrument in MONO
        self._amplifier = Amplifier(DISTORTED[instrument]) if instrument in DISTORTED else None
        rows = _EQ[part]
        if instrument == "piano" and {"bass", "chords"} <= {
            name for name, played in plan.parts.items() if played == "piano"
        }:
            rows = (highpass(32.0),)  # one piano, whole
        self._eq = Filter(*rows)
        self._widener = Widener(*_WIDTHS[part]) if part in _WIDTHS else None
        self._tremolo = Tremolo(4.6, 0.22) if instrument == "electric_piano" else None
        sways = profile.wow_cents and part in ("chords", "lead", "pad")
        self._wow = Wow(profile.wow_cents) if sways else None
        self._ducker = None
        if kicks and profile.sidechain_db and part != "drums":
            depth = profile.sidechain_db * (0.45 if part == "lead" else 1.0)
            beat_s = 60.0 / plan.tempo_bpm
            self._ducker = Ducker(kicks, depth, min(0.34, 0.62 * beat_s))
        self._echo = None
        if part in ("lead", "arp") and plan.family not in ("piano", "chiptune", "jazz"):
            three_sixteenths = 0.75 * 60.0 / plan.tempo_bpm * SAMPLE_RATE_HZ
            self._echo = PingPong(round(three_sixteenths), 0.3 if part == "lead" else 0.24)
        self.send = decibels(_SENDS_DB[part] + profile.reverb_db)

    def __call__(self, stem: Floats, start: int) -> Floats:
        """Process the stem's next stretch, beginning at frame `start`. Shape [2, frames]."""
        block = stem
        if self._mono:
            middle = (block[:1] + block[1:]) * np.float32(0.5)
            block = np.concatenate((middle, middle))
        if self._amplifier:
            block = self._amplifier(block)
        block = self._eq(block)
        if self._wow:
            block = self._wow(block, start)
        if self._tremolo:
            block = self._tremolo(block, start)
        if self._widener:
            block = self._widener(block)
        if self._echo:
            block = block + self._echo(block)
        if self._ducker:
            block = self._ducker(block, start)
        return block * np.float32(self.gain)


@dataclass(slots=True)
class Desk:
    """The sums while rendering: `dry` and `send`, shape [2, frames] of the whole piece."""

    dry: Floats
    send: Floats
    kicks: list[int] = field(default_factory=list)

    @classmethod
    def for_piece(cls, frames: int, score: Score) -> Desk:
        """An empty desk that knows when the kick drum plays."""
        kicks = sorted(
            note.start_frame
            for parts in score.sections
            for note in parts.get("drums", [])
            if note.sound == "kick"
        )
        return cls(np.zeros((2, frames), np.float32), np.zeros((2, frames), np.float32), kicks)

    def add(self, block: Floats, start: int, send: float) -> None:
        """Add a channel's stretch."""
        end = start + block.shape[1]
        self.dry[:, start:end] += block
        self.send[:, start:end] += block * np.float32(send)


def balance_gain(part: str, plan: Plan, block: Floats) -> float:
    """Return the gain that brings a channel's loudest stretch to its place in the mix."""
    frames = block.shape[1] // HOP_FRAMES * HOP_FRAMES
    energies = list(hop_energies([block[:, :frames]]))
    lufs = integrated_lufs(energies[0]) if energies else SILENCE_LUFS
    if lufs <= -70.0:
        return 1.0
    target = TARGETS_LUFS[part] + plan.profile.levels_db.get(part, 0.0)
    return min(30.0, decibels(target - lufs))


def mix_blocks(frames: int) -> int:
    """How many blocks `mix` takes for a piece."""
    return math.ceil(frames / BLOCK_FRAMES)


def mix(desk: Desk, plan: Plan, streams: Streams, alive: Alive) -> Iterator[None]:
    """Add room and texture into `desk.dry`, block by block; lows to the middle, fades."""
    profile = plan.profile
    frames = desk.dry.shape[1]
    dark = profile.air_db < -21.0
    reverb_s = profile.reverb_s * (1.0 + 0.3 * max(0.0, 0.4 - plan.energy))
    room = Room(make_room(reverb_s, streams.layer("room"), dark=dark))
    alive()
    bed = None
    if plan.texture:
        bed = make_texture(plan.texture, streams.layer("texture"))
        bed *= np.float32(decibels(LEVELS_DB[plan.texture] - 14.0))
    alive()
    low_cut = Filter(highpass(120.0), highpass(120.0), channels=1)
    tone = Filter(
        highpass(26.0),
        low_shelf(110.0, 1.0 - 1.5 * plan.brightness),
        high_shelf(4500.0, 2.5 * plan.brightness),
        lowpass(19_000.0),
    )
    for start in range(0, frames, BLOCK_FRAMES):
        end = min(frames, start + BLOCK_FRAMES)
        block = desk.dry[:, start:end] + room(desk.send[:, start:end])
        if bed is not None:
            block += looped(bed, start, end - start)
        block = tone(block)
        middle = (block[0] + block[1]) * np.float32(0.5)
        side = low_cut((block[:1] - block[1:]) * np.float32(0.5))[0]
        desk.dry[0, start:end] = middle + side
        desk.dry[1, start:end] = middle - side
        yield
    _fade(desk.dry, plan)


def _fade(samples: Floats, plan: Plan) -> None:
    """Begin without a click and end in silence on the last frame."""
    head = min(220, samples.shape[1])
    samples[:, :head] *= rise(head)
    tail_s = min(plan.ring_s * 0.8, 3.0) if plan.ring_s > 0 else 1.0
    tail = min(samples.shape[1], max(2205, round(tail_s * SAMPLE_RATE_HZ)))
    samples[:, samples.shape[1] - tail :] *= rise(tail)[::-1]
