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
    in_time,
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
        period_s = plan.duration_frames / SAMPLE_RATE_HZ if plan.loop else None
        self._tremolo = (
            Tremolo(in_time(4.6, period_s), 0.22) if instrument == "electric_piano" else None
        )
        sways = profile.wow_cents and part in ("chords", "lead", "pad")
        self._wow = Wow(profile.wow_cents, period_s=period_s) if sways else None
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


LEAD_FRAMES = 120 * HOP_FRAMES
"""How much of a loop's end is played before its start, so that all tails are there."""

TAIL_FRAMES = 2 * HOP_FRAMES
"""How much of a loop's start follows its end, for what the limiter sees ahead."""


@dataclass(slots=True)
class Desk:
    """The sums while rendering: `dry` and `send`, shape [2, lead + frames + tail].

    Only a loop has a lead (the end of the cycle before) and a tail (the start of the next).
    """

    dry: Floats
    send: Floats
    frames: int
    lead: int = 0
    kicks: list[int] = field(default_factory=list)

    @classmethod
    def for_piece(cls, plan: Plan, score: Score) -> Desk:
        """An empty desk that knows when the kick drum plays."""
        frames = plan.duration_frames
        lead, tail = (LEAD_FRAMES, TAIL_FRAMES) if plan.loop else (0, 0)
        kicks = sorted(
            note.start_frame - cycle * frames
            for parts in score.sections
            for note in parts.get("drums", [])
            if note.sound == "kick"
            for cycle in range(1 + math.ceil(lead / frames))
        )
        size = lead + frames + tail
        empty = np.zeros((2, size), np.float32), np.zeros((2, size), np.float32)
        return cls(*empty, frames, lead, kicks)

    def add(self, block: Floats, start: int, send: float) -> None:
        """Add a channel's stretch. `start` counts from the piece's start, less than 0 before."""
        start += self.lead
        end = start + block.shape[1]
        self.dry[:, start:end] += block
        self.send[:, start:end] += block * np.float32(send)

    def clear_send(self) -> None:
        """Give the memory of the send back, once the room has heard it."""
        self.send = np.zeros((2, 0), np.float32)

    def join(self) -> None:
        """Let the start of a loop follow its end."""
        end = self.lead + self.frames
        places = self.lead + np.arange(self.dry.shape[1] - end) % self.frames
        self.dry[:, end:] = np.take(self.dry, places, axis=1)


def balance_gain(part: str, plan: Plan, block: Floats) -> float:
    """Return the gain that brings a channel's loudest stretch to its place in the mix."""
    frames = block.shape[1] // HOP_FRAMES * HOP_FRAMES
    energies = list(hop_energies([block[:, :frames]]))
    lufs = integrated_lufs(energies[0]) if energies else SILENCE_LUFS
    if lufs <= -70.0:
        return 1.0
    target = TARGETS_LUFS[part] + plan.profile.levels_db.get(part, 0.0)
    return min(30.0, decibels(target - lufs))


def mix_blocks(desk_frames: int) -> int:
    """How many blocks `mix` takes for a desk's lead and frames."""
    return math.ceil(desk_frames / BLOCK_FRAMES)


def mix(desk: Desk, plan: Plan, streams: Streams, alive: Alive) -> Iterator[tuple[int, Floats]]:
    """Add room and texture into `desk.dry`, block by block; lows to the middle, fades.

    Yields what was added, and from which frame of the piece on.
    """
    profile = plan.profile
    frames = desk.lead + desk.frames
    dark = profile.air_db < -21.0
    reverb_s = profile.reverb_s * (1.0 + 0.3 * max(0.0, 0.4 - plan.energy))
    room = Room(make_room(reverb_s, streams.layer("room"), dark=dark))
    alive()
    bed = None
    if plan.texture:
        bed = make_texture(plan.texture, streams.layer("texture"))
        bed *= np.float32(decibels(LEVELS_DB[plan.texture] + profile.texture_db - 14.0))
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
        added = room(desk.send[:, start:end])
        if bed is not None:
            period = desk.frames if plan.loop else 0
            added += _bed(bed, start - desk.lead, end - start, period)
        block = tone(desk.dry[:, start:end] + added)
        middle = (block[0] + block[1]) * np.float32(0.5)
        side = low_cut((block[:1] - block[1:]) * np.float32(0.5))[0]
        desk.dry[0, start:end] = middle + side
        desk.dry[1, start:end] = middle - side
        yield start - desk.lead, added
    if plan.loop:
        desk.join()
    else:
        _fade(desk.dry, plan)


_BED_BLEND_FRAMES = 2 * SAMPLE_RATE_HZ


def _bed(bed: Floats, start: int, frames: int, period: int) -> Floats:
    """Return the texture from a frame on; in a loop of `period` frames its end joins its start."""
    if not period:
        return looped(bed, start, frames)
    places = np.arange(start, start + frames) % period
    found: Floats = np.take(bed, places % bed.shape[1], axis=1)
    size = min(_BED_BLEND_FRAMES, period // 2)
    late = np.flatnonzero(places >= period - size)
    if len(late):
        # What comes before the bed's first frame grows in while the rest goes.
        share = ((places[late] - (period - size) + 0.5) / size).astype(np.float32)
        coming = np.take(bed, (places[late] - period) % bed.shape[1], axis=1)
        found[:, late] = found[:, late] * np.sqrt(1.0 - share) + coming * np.sqrt(share)
    return found


def _fade(samples: Floats, plan: Plan) -> None:
    """Begin without a click and end in silence on the last frame."""
    head = min(220, samples.shape[1])
    samples[:, :head] *= rise(head)
    tail_s = min(plan.ring_s * 0.8, 3.0) if plan.ring_s > 0 else 1.0
    tail = min(samples.shape[1], max(2205, round(tail_s * SAMPLE_RATE_HZ)))
    samples[:, samples.shape[1] - tail :] *= rise(tail)[::-1]
