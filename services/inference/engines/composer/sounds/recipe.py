"""Which sounds the bank holds, and where each is taken from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Package:
    """A file of a package registry, pinned."""

    registry: str
    """"pypi" or "npm"."""
    name: str
    version: str
    file: str
    sha256: str


FONT_PACKAGE = Package(
    "pypi",
    "ambient-gen",
    "1.2.0",
    "ambient_gen-1.2.0-py3-none-any.whl",
    "e165d92de4100897ce13aca5d5485ebd3f703c679be76ce55e19e6e190bc9ac3",
)
FONT_ARCHIVE = "ambient_gen/soundfonts.tar.xz"
FONT = "FluidR3_GM.sf3"
HIT_PACKAGE = Package(
    "npm",
    "supersonic-scsynth-samples",
    "0.84.2",
    "supersonic-scsynth-samples-0.84.2.tgz",
    "aff0b03208adb5dc7612dc7a4e86d55161188326bcff4dbc2d20ce9e1b94238c",
)


@dataclass(frozen=True, slots=True)
class Preset:
    """An instrument to cut from the font."""

    program: int
    low: int
    high: int
    """Lowest and highest MIDI key that it will play."""
    apart: int = 4
    """Least distance between recorded keys, in semitones: fewer recordings where it is large."""
    longest_s: float = 4.0
    velocity: int = 100
    """The layer taken: the one that this velocity would play."""
    held: bool = False
    """Sounds as long as the key is held: the loop must be there."""


PRESETS: dict[str, Preset] = {
    "piano": Preset(0, 24, 103, 5, 4.5, velocity=110),
    "electric_piano": Preset(4, 28, 100, 5, 4.0),
    "harpsichord": Preset(6, 36, 88, 6, 2.0),
    "celesta": Preset(8, 48, 108, 5, 2.0),
    "glockenspiel": Preset(9, 60, 108, 5, 2.5),
    "music_box": Preset(10, 55, 103, 5, 2.0),
    "vibraphone": Preset(11, 48, 96, 5, 3.0),
    "marimba": Preset(12, 40, 96, 5, 2.0),
    "xylophone": Preset(13, 55, 103, 5, 1.0),
    "church_organ": Preset(19, 36, 90, 9, held=True),
    "accordion": Preset(21, 53, 90, 8, held=True),
    "harmonica": Preset(22, 55, 91, 5, held=True),
    "nylon_guitar": Preset(24, 36, 84, 4, 3.5),
    "steel_guitar": Preset(25, 36, 86, 4, 3.0),
    "jazz_guitar": Preset(26, 36, 86, 5, 3.0),
    "clean_guitar": Preset(27, 36, 86, 5, 3.0),
    "upright_bass": Preset(32, 24, 60, 4, 2.5),
    "electric_bass": Preset(33, 24, 62, 4, 2.5),
    "fretless_bass": Preset(35, 24, 62, 4, 2.5),
    "slap_bass": Preset(36, 24, 60, 5, 2.5),
    "violin": Preset(40, 55, 98, 4, held=True),
    "cello": Preset(42, 36, 76, 4, held=True),
    "contrabass": Preset(43, 28, 55, 5, held=True),
    "pizzicato": Preset(45, 36, 96, 4, 1.6),
    "harp": Preset(46, 31, 100, 5, 3.0),
    "timpani": Preset(47, 36, 60, 5, 3.0),
    "strings": Preset(48, 31, 91, 4, held=True),
    "choir": Preset(52, 43, 84, 4, held=True),
    "voice": Preset(53, 45, 84, 5, held=True),
    "trumpet": Preset(56, 52, 88, 4, held=True),
    "trombone": Preset(57, 36, 74, 5, held=True),
    "muted_trumpet": Preset(59, 52, 88, 4, held=True),
    "french_horn": Preset(60, 40, 76, 6, held=True),
    "brass": Preset(61, 40, 84, 6, held=True),
    "sax": Preset(65, 48, 84, 4, held=True),
    "oboe": Preset(68, 58, 91, 5, held=True),
    "clarinet": Preset(71, 48, 91, 5, held=True),
    "flute": Preset(73, 58, 98, 4, held=True),
    "pan_flute": Preset(75, 58, 96, 5, held=True),
    "sitar": Preset(104, 43, 84, 4, 2.5),
    "banjo": Preset(105, 48, 84, 5, 2.0),
    "koto": Preset(107, 48, 86, 4, 2.0),
    "kalimba": Preset(108, 50, 96, 5, 2.0),
    "steel_drums": Preset(114, 50, 91, 5, 1.5),
}
"""Instrument → where it is in the font."""

KIT_HITS: dict[str, tuple[int, int, float]] = {
    "brush_tap": (40, 38, 0.8),
    "brush_slap": (40, 39, 0.8),
    "brush_swirl": (40, 40, 1.2),
    "jazz_ride": (32, 51, 2.2),
    "jazz_kick": (32, 36, 0.7),
    "concert_drum": (48, 36, 2.4),
    "side_stick": (0, 37, 0.4),
    "maracas": (0, 70, 0.3),
}
"""Hit → (drum kit, key, seconds) in the font."""

HITS: dict[str, float] = {
    "bd_jazz": 0.8, "bd_zum": 0.5, "bd_haus": 0.4, "bd_boom": 1.6, "bd_klub": 0.5,
    "drum_heavy_kick": 0.5, "drum_bass_soft": 0.6, "drum_bass_hard": 0.6,
    "drum_snare_soft": 0.6, "drum_snare_hard": 0.7, "sn_dolf": 0.5, "sn_generic": 0.6,
    "sn_zome": 0.6, "drum_cymbal_closed": 0.35, "drum_cymbal_open": 1.4,
    "drum_cymbal_pedal": 0.4, "drum_cymbal_soft": 1.8, "drum_cymbal_hard": 2.2,
    "drum_splash_soft": 2.0, "drum_splash_hard": 2.4, "ride_tri": 2.0, "ride_via": 2.0,
    "drum_tom_hi_soft": 0.7, "drum_tom_mid_soft": 0.8, "drum_tom_lo_soft": 1.0,
    "drum_tom_hi_hard": 0.8, "drum_tom_mid_hard": 0.9, "drum_tom_lo_hard": 1.1,
    "hat_snap": 0.3, "hat_raw": 0.25, "hat_zild": 0.3, "hat_cab": 0.25, "elec_hi_snare": 0.5,
    "perc_snap": 0.4, "perc_snap2": 0.4, "drum_cowbell": 0.5, "misc_cineboom": 3.0,
    "perc_swash": 0.6,
}  # fmt: skip
"""Hit of the CC0 collection → the longest part of it that is kept, in seconds."""
