"""What makes a genre family: plain data that the planner draws from."""

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
    energy: float = 0.5
    levels_db: Mapping[str, float] = field(default_factory=dict)
    """Part → change of its level in the mix."""
    reverb_s: float = 1.8
    reverb_db: float = -14.0
    sidechain_db: float = 0.0
    air_db: float = -22.0
    """Level above 5 kHz against 200 Hz–2 kHz that the master's shelf aims at."""
    texture: str = ""
    wow_cents: float = 0.0
    """How far the pitch of chords and lead sways, as on a worn tape."""
    transition: str = ""
    """The sound that leads into a chorus: "riser" or "swell"."""


PROFILES: dict[str, Profile] = {
    "lofi": Profile(
        label="Lofi hip hop",
        tempo_bpm=(70, 90),
        modes={"minor": 3, "dorian": 2, "major": 3},
        instruments={
            "drums": ("lofi",),
            "bass": ("upright_bass", "electric_bass"),
            "chords": ("electric_piano", "electric_piano", "piano"),
            "pad": ("warm_pad",),
            "lead": ("vibraphone", "kalimba", "piano", "electric_guitar"),
        },
        kit="lofi",
        grooves=("boombap", "dusty"),
        bass=("laidback",),
        comping=("lofi", "rolled"),
        loops=("1 6 2 5", "1 4 3 6", "1 3 4 5", "1 7 6 7", "1 4 6 5"),
        chord_tones=5,
        swing=(0.16, 0.3),
        humanise_ms=11,
        melody_density=0.4,
        energy=0.4,
        reverb_s=1.3,
        reverb_db=-15,
        sidechain_db=-3,
        air_db=-20.5,
        texture="vinyl",
        wow_cents=7,
    ),
    "house": Profile(
        label="House",
        tempo_bpm=(118, 128),
        modes={"minor": 4, "dorian": 2, "major": 1},
        instruments={
            "drums": ("house",),
            "bass": ("synth_bass",),
            "chords": ("organ", "supersaw", "piano"),
            "pad": ("warm_pad", "glass_pad"),
            "arp": ("synth_pluck",),
            "lead": ("saw_lead", "bells", "synth_pluck"),
        },
        kit="house",
        grooves=("four_floor", "four_floor_shuffle"),
        bass=("offbeat", "house_roll"),
        comping=("stabs", "offbeat"),
        arps=("up", "updown", "random"),
        loops=("1 6 3 7", "1 4 6 7", "1 1 6 7", "1 3 7 4", "1 6 4 5"),
        chord_tones=4,
        swing=(0.04, 0.14),
        humanise_ms=2,
        melody_density=0.4,
        energy=0.75,
        reverb_s=1.5,
        reverb_db=-15,
        sidechain_db=-8,
        air_db=-14.5,
        transition="riser",
    ),
    "techno": Profile(
        label="Techno",
        tempo_bpm=(126, 138),
        modes={"minor": 3, "phrygian": 3},
        instruments={
            "drums": ("techno",),
            "bass": ("synth_bass", "sub_bass"),
            "chords": ("supersaw", "glass_pad"),
            "pad": ("dark_pad",),
            "arp": ("synth_pluck", "square_lead"),
            "lead": ("saw_lead",),
        },
        kit="techno",
        grooves=("techno", "techno_rolling"),
        bass=("rumble", "offbeat"),
        comping=("stabs",),
        arps=("random", "pulse"),
        loops=("1 1 1 2", "1 1 6 7", "1 1 1 1", "1 1 4 1"),
        grammar=0.1,
        bars_per_chord=(1.0, 2.0),
        humanise_ms=1,
        melody_density=0.25,
        energy=0.85,
        levels_db={"lead": -4, "drums": 1},
        reverb_s=2.0,
        reverb_db=-15,
        sidechain_db=-9,
        air_db=-14.5,
        transition="riser",
    ),
    "ambient": Profile(
        label="Ambient",
        tempo_bpm=(56, 72),
        modes={"major": 3, "lydian": 3, "dorian": 1, "minor": 1},
        instruments={
            "bass": ("soft_bass",),
            "chords": ("warm_pad", "strings"),
            "pad": ("glass_pad", "choir"),
            "arp": ("bells", "kalimba", "harp"),
            "lead": ("bells", "flute", "piano"),
        },
        bass=("pedal",),
        comping=("swell",),
        arps=("sparse",),
        loops=("1 4 1 5", "1 6 4 1", "1 2 1 4", "1 3 4 1"),
        chord_tones=5,
        bars_per_chord=(2.0,),
        humanise_ms=18,
        melody_density=0.16,
        energy=0.2,
        levels_db={"bass": -2, "chords": 2, "pad": 2},
        reverb_s=4.5,
        reverb_db=-7,
        air_db=-21.5,
        texture="wind",
    ),
    "cinematic": Profile(
        label="Cinematic",
        tempo_bpm=(72, 104),
        modes={"minor": 4, "dorian": 1, "phrygian": 1, "major": 1},
        instruments={
            "drums": ("cinematic",),
            "bass": ("low_strings",),
            "chords": ("staccato_strings", "piano"),
            "pad": ("strings", "choir"),
            "arp": ("harp", "staccato_strings"),
            "lead": ("brass", "violin", "choir"),
        },
        kit="cinematic",
        grooves=("taiko", "taiko_march"),
        bass=("pedal", "roots"),
        comping=("ostinato",),
        arps=("up", "updown"),
        metres={"4/4": 4.0, "3/4": 1.0, "6/8": 1.0},
        loops=("1 6 3 7", "1 4 6 5", "1 7 6 5", "1 6 4 5", "1 3 6 7"),
        leading_tone=0.6,
        humanise_ms=9,
        melody_density=0.28,
        energy=0.65,
        levels_db={"pad": 3, "drums": -1},
        reverb_s=3.2,
        reverb_db=-8,
        air_db=-18.5,
        transition="swell",
    ),
    "synthwave": Profile(
        label="Synthwave",
        tempo_bpm=(84, 112),
        modes={"minor": 4, "dorian": 1, "mixolydian": 1},
        instruments={
            "drums": ("synthwave",),
            "bass": ("synth_bass",),
            "chords": ("supersaw", "warm_pad"),
            "pad": ("warm_pad",),
            "arp": ("synth_pluck",),
            "lead": ("saw_lead", "square_lead"),
        },
        kit="synthwave",
        grooves=("gated", "gated_half"),
        bass=("eighths", "gallop"),
        comping=("block", "pushes"),
        arps=("up", "updown"),
        loops=("1 6 3 7", "1 7 6 7", "1 6 7 5", "1 3 7 4", "1 4 6 7"),
        humanise_ms=2,
        melody_density=0.42,
        energy=0.65,
        reverb_s=2.2,
        reverb_db=-12,
        sidechain_db=-4,
        air_db=-16,
        wow_cents=2,
        transition="riser",
    ),
    "trap": Profile(
        label="Trap",
        tempo_bpm=(132, 148),
        modes={"minor": 4, "phrygian": 2},
        instruments={
            "drums": ("trap",),
            "bass": ("sub_bass",),
            "chords": ("bells", "piano", "glass_pad"),
            "pad": ("dark_pad", "choir"),
            "arp": ("synth_pluck", "bells"),
            "lead": ("flute", "bells", "synth_pluck"),
        },
        kit="trap",
        grooves=("trap", "drill"),
        bass=("eight08",),
        comping=("rolled", "block"),
        arps=("sparse", "random"),
        loops=("1 6 1 7", "1 1 6 5", "1 4 1 5", "1 6 4 5"),
        bars_per_chord=(1.0, 2.0),
        leading_tone=0.3,
        humanise_ms=3,
        melody_density=0.36,
        energy=0.65,
        levels_db={"bass": 1.5},
        reverb_s=1.6,
        reverb_db=-13,
        air_db=-14.5,
        transition="swell",
    ),
    "hiphop": Profile(
        label="Hip hop",
        tempo_bpm=(84, 98),
        modes={"minor": 3, "dorian": 3, "mixolydian": 1},
        instruments={
            "drums": ("hiphop",),
            "bass": ("electric_bass", "sub_bass"),
            "chords": ("electric_piano", "organ", "electric_guitar"),
            "pad": ("strings",),
            "lead": ("trumpet", "flute", "vibraphone", "sax"),
        },
        kit="hiphop",
        grooves=("boombap", "funk"),
        bass=("laidback", "funk"),
        comping=("lofi", "charleston"),
        loops=("1 4 1 5", "1 6 2 5", "1 7 6 5", "1 4 7 3"),
        chord_tones=4,
        swing=(0.1, 0.22),
        humanise_ms=8,
        melody_density=0.38,
        energy=0.6,
        reverb_s=1.1,
        reverb_db=-16,
        sidechain_db=-2,
        air_db=-17,
    ),
    "jazz": Profile(
        label="Jazz",
        tempo_bpm=(96, 152),
        modes={"major": 3, "dorian": 3, "minor": 2},
        instruments={
            "drums": ("jazz",),
            "bass": ("upright_bass",),
            "chords": ("piano", "electric_guitar"),
            "lead": ("sax", "trumpet", "vibraphone", "clarinet"),
        },
        kit="jazz",
        grooves=("ride", "ride_brush"),
        bass=("walking",),
        comping=("charleston", "jazz"),
        loops=("1 6 2 5", "1 4 3 6", "1 2 3 6", "1 4 2 5", "1 3 2 5"),
        chord_tones=5,
        leading_tone=0.8,
        swing=(0.28, 0.34),
        swing_division=2,
        humanise_ms=9,
        melody_density=0.55,
        energy=0.5,
        reverb_s=1.2,
        reverb_db=-15,
        air_db=-19,
    ),
    "rock": Profile(
        label="Rock",
        tempo_bpm=(108, 148),
        modes={"minor": 3, "major": 2, "mixolydian": 2},
        instruments={
            "drums": ("rock",),
            "bass": ("electric_bass",),
            "chords": ("distorted_guitar",),
            "pad": ("organ",),
            "arp": ("electric_guitar",),
            "lead": ("lead_guitar",),
        },
        kit="rock",
        grooves=("rock", "rock_drive"),
        bass=("eighths",),
        comping=("power", "pushes"),
        arps=("updown",),
        loops=("1 6 3 7", "1 7 4 1", "1 5 6 4", "1 4 7 4", "1 3 4 5"),
        humanise_ms=6,
        melody_density=0.4,
        energy=0.8,
        levels_db={"drums": 1, "pad": -4},
        reverb_s=1.4,
        reverb_db=-16,
        air_db=-16,
        transition="swell",
    ),
    "pop": Profile(
        label="Pop",
        tempo_bpm=(96, 122),
        modes={"major": 4, "minor": 2},
        instruments={
            "drums": ("pop",),
            "bass": ("synth_bass", "electric_bass"),
            "chords": ("piano", "electric_guitar", "electric_piano"),
            "pad": ("warm_pad", "strings"),
            "arp": ("synth_pluck", "acoustic_guitar"),
            "lead": ("saw_lead", "bells", "marimba"),
        },
        kit="pop",
        grooves=("pop", "four_floor"),
        bass=("pushed", "eighths"),
        comping=("pushes", "block"),
        arps=("up", "updown"),
        loops=("1 5 6 4", "1 6 4 5", "1 3 4 5", "1 4 6 5"),
        humanise_ms=4,
        melody_density=0.5,
        energy=0.65,
        reverb_s=1.6,
        reverb_db=-13,
        sidechain_db=-4,
        air_db=-14.5,
        transition="swell",
    ),
    "acoustic": Profile(
        label="Acoustic",
        tempo_bpm=(84, 116),
        modes={"major": 5, "mixolydian": 1, "dorian": 1},
        instruments={
            "drums": ("acoustic",),
            "bass": ("upright_bass",),
            "chords": ("acoustic_guitar",),
            "pad": ("strings",),
            "arp": ("acoustic_guitar", "harp"),
            "lead": ("flute", "violin", "piano", "bells"),
        },
        kit="acoustic",
        grooves=("shaker", "train"),
        bass=("root_fifth",),
        comping=("strum", "fingerpick"),
        arps=("updown",),
        metres={"4/4": 5.0, "3/4": 1.0, "6/8": 1.0},
        loops=("1 5 6 4", "1 4 1 5", "1 6 4 5", "1 4 5 4", "1 2 4 1"),
        humanise_ms=9,
        melody_density=0.42,
        energy=0.45,
        levels_db={"pad": -3},
        reverb_s=1.5,
        reverb_db=-14,
        air_db=-18,
    ),
    "chiptune": Profile(
        label="Chiptune",
        tempo_bpm=(124, 164),
        modes={"major": 4, "minor": 3, "mixolydian": 1},
        instruments={
            "drums": ("chip",),
            "bass": ("chip_bass",),
            "chords": ("chip_pulse",),
            "arp": ("chip_arp",),
            "lead": ("square_lead",),
        },
        kit="chip",
        grooves=("chip", "chip_gallop"),
        bass=("octaves", "eighths"),
        comping=("offbeat", "pushes"),
        arps=("up", "updown"),
        loops=("1 5 6 4", "1 4 5 5", "1 6 4 5", "1 7 6 7", "1 3 4 5"),
        humanise_ms=0,
        melody_density=0.65,
        energy=0.75,
        levels_db={"lead": 1, "arp": -1},
        reverb_s=0.7,
        reverb_db=-24,
        air_db=-15,
    ),
    "piano": Profile(
        label="Piano",
        tempo_bpm=(64, 92),
        modes={"minor": 3, "major": 3, "lydian": 1},
        instruments={
            "bass": ("piano",),
            "chords": ("piano",),
            "lead": ("piano",),
        },
        bass=("roots",),
        comping=("broken",),
        metres={"4/4": 3.0, "3/4": 2.0, "6/8": 1.0},
        loops=("1 5 6 4", "1 6 4 5", "1 3 6 5", "1 4 2 5", "1 2 5 1"),
        chord_tones=4,
        leading_tone=0.7,
        humanise_ms=14,
        melody_density=0.4,
        energy=0.35,
        reverb_s=2.4,
        reverb_db=-9,
        air_db=-21,
    ),
}
"""Family → its profile."""
