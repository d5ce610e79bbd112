"""What a genre family is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

PARTS = ("drums", "bass", "chords", "pad", "arp", "lead")
"""Every part a piece can have, in the order in which they are rendered."""


@dataclass(frozen=True, slots=True)
class Profile:
    """One genre family."""

    label: str
    tempo_bpm: tuple[float, float]
    modes: Mapping[str, float]
    """Mode → weight."""
    instruments: Mapping[str, tuple[str, ...]]
    """Part → instruments to choose from; a part that is absent never plays."""
    kit: str = ""
    grooves: tuple[str, ...] = ()
    bass: tuple[str, ...] = ("roots",)
    comping: tuple[str, ...] = ("block",)
    arps: tuple[str, ...] = ("up",)
    metres: Mapping[str, float] = field(default_factory=lambda: {"4/4": 1.0})
    loops: tuple[str, ...] = ()
    """Idiomatic chord loops as scale degrees ("1 6 2 5"); the grammar makes others."""
    grammar: float = 0.35
    """Chance that a section's chords come from the grammar, not from `loops`."""
    chord_tones: int = 3
    bars_per_chord: tuple[float, ...] = (1.0,)
    leading_tone: float = 0.0
    """Chance that a dominant in a minor key gets its major third."""
    swing: tuple[float, float] = (0.0, 0.0)
    """How late the off-beats come, as a share of the swing unit."""
    swing_division: int = 4
    """What swings: 4 the sixteenths, 2 the eighths."""
    humanise_ms: float = 4.0
    melody_density: float = 0.45
    form: str = "song"
    """How its sections follow each other: "song", "club" (builds and drops) or "drift"."""
    has_pulse: bool = True
    """Whether the beat is plain enough to be measured in the audio."""
    energy: float = 0.5
    levels_db: Mapping[str, float] = field(default_factory=dict)
    """Part → change of its level in the mix."""
    reverb_s: float = 1.8
    reverb_db: float = -14.0
    sidechain_db: float = 0.0
    air_db: float = -22.0
    """Level above 5 kHz against 200 Hz–2 kHz that the master's shelf aims at."""
    sparkle_db: float | None = -19.0
    """Least energy above 8 kHz against all; None where darkness belongs to the family."""
    width_db: float = -6.0
    """The side against the middle."""
    texture: str = ""
    texture_db: float = 0.0
    """How much louder than usual the bed of sound is."""
    wow_cents: float = 0.0
    """How far the pitch of chords and lead sways, as on a worn tape."""
    transition: str = ""
    """The sound that leads into a chorus: "riser" or "swell"."""
