"""Which instruments are played by recordings, how, and what joins them."""

from __future__ import annotations

from collections.abc import Mapping

from services.inference.engines.composer.synth.sampled import Manner

MANNERS: dict[str, Manner] = {
    "piano": Manner("piano", 0.25, dark_hz=1700.0),
    "electric_piano": Manner("electric_piano", 0.2, 0.3, 1400.0),
    "acoustic_guitar": Manner("nylon_guitar", 0.16, 0.3, 1700.0),
    "steel_guitar": Manner("steel_guitar", 0.16, 0.3, 1800.0),
    "electric_guitar": Manner("clean_guitar", 0.14, 0.3, 1700.0),
    "jazz_guitar": Manner("jazz_guitar", 0.14, 0.2, 1200.0),
    "distorted_guitar": Manner("clean_guitar", 0.06, 0.0, 2500.0),
    "lead_guitar": Manner("clean_guitar", 0.1, 0.0, 2500.0),
    "harp": Manner("harp", 0.7, 0.7, 2000.0),
    "harpsichord": Manner("harpsichord", 0.1, 0.4, 3500.0),
    "kalimba": Manner("kalimba", 0.4, 0.5, 2200.0),
    "celesta": Manner("celesta", 0.5, 0.6, 3000.0),
    "glockenspiel": Manner("glockenspiel", 0.7, 0.6, 4000.0),
    "music_box": Manner("music_box", 0.6, 0.6, 4000.0),
    "vibraphone": Manner("vibraphone", 0.4, 0.5, 2000.0),
    "marimba": Manner("marimba", 0.25, 0.6, 1800.0),
    "xylophone": Manner("xylophone", 0.25, 0.6, 3000.0),
    "steel_drums": Manner("steel_drums", 0.3, 0.5, 2500.0),
    "sitar": Manner("sitar", 0.3, 0.3, 2500.0),
    "banjo": Manner("banjo", 0.12, 0.3, 2500.0),
    "koto": Manner("koto", 0.4, 0.4, 2500.0),
    "pizzicato": Manner("pizzicato", 0.3, 0.5, 1800.0),
    "upright_bass": Manner("upright_bass", 0.1, 0.0, 700.0),
    "electric_bass": Manner("electric_bass", 0.07, 0.0, 800.0),
    "fretless_bass": Manner("fretless_bass", 0.09, 0.0, 700.0),
    "slap_bass": Manner("slap_bass", 0.06, 0.0, 1500.0),
    "church_organ": Manner("church_organ", 0.35, 0.0, 3000.0, held=True, wide=True),
    "accordion": Manner("accordion", 0.12, 0.0, 2500.0, held=True, wide=True, attack_s=0.02),
    "harmonica": Manner("harmonica", 0.1, 0.0, 2500.0, held=True, attack_s=0.03, vibrato_cents=9.0),
    "violin": Manner("violin", 0.22, 0.0, 2200.0, held=True, attack_s=0.05, skip_s=0.03),
    "cello": Manner("cello", 0.25, 0.0, 1600.0, held=True, attack_s=0.05, skip_s=0.05),
    "strings": Manner("strings", 0.7, 0.0, 2200.0, held=True, wide=True, attack_s=0.22),
    "staccato_strings": Manner(
        "strings", 0.17, 0.0, 2600.0, held=True, wide=True, attack_s=0.012, skip_s=0.16
    ),
    "low_strings": Manner("contrabass", 0.45, 0.0, 900.0, held=True, wide=True, attack_s=0.1),
    "choir": Manner("choir", 0.9, 0.0, 1800.0, held=True, wide=True, attack_s=0.3),
    "voice": Manner("voice", 0.8, 0.0, 1800.0, held=True, wide=True, attack_s=0.2),
    "brass": Manner("brass", 0.3, 0.0, 1500.0, held=True, wide=True, attack_s=0.03),
    "french_horn": Manner("french_horn", 0.35, 0.0, 1200.0, held=True, wide=True, attack_s=0.05),
    "trumpet": Manner("trumpet", 0.12, 0.0, 1600.0, held=True, attack_s=0.01),
    "muted_trumpet": Manner(
        "muted_trumpet", 0.12, 0.0, 2200.0, held=True, attack_s=0.01, vibrato_cents=8.0
    ),
    "trombone": Manner("trombone", 0.14, 0.0, 1200.0, held=True, attack_s=0.02, vibrato_cents=7.0),
    "sax": Manner("sax", 0.14, 0.0, 1500.0, held=True, attack_s=0.015),
    "oboe": Manner("oboe", 0.13, 0.0, 2200.0, held=True, attack_s=0.03),
    "clarinet": Manner("clarinet", 0.12, 0.0, 1600.0, held=True, attack_s=0.03, vibrato_cents=5.0),
    "flute": Manner("flute", 0.14, 0.0, 2200.0, held=True, attack_s=0.03),
    "pan_flute": Manner("pan_flute", 0.16, 0.0, 2200.0, held=True, attack_s=0.02),
}
"""Instrument → its recording and how it is played."""

LAYERS: dict[str, float] = {
    "electric_piano": 0.5,
    "kalimba": 0.5,
    "harp": 0.5,
    "vibraphone": 0.25,
    "flute": 0.3,
    "upright_bass": 0.25,
    "electric_bass": 0.3,
    "strings": 0.35,
    "staccato_strings": 0.35,
    "low_strings": 0.35,
    "choir": 0.35,
    "brass": 0.2,
}
"""Instrument → how much of the synthesised voice of that name sounds with the recording."""

STAND_INS: dict[str, str] = {
    "steel_guitar": "acoustic_guitar",
    "jazz_guitar": "electric_guitar",
    "harpsichord": "harp",
    "celesta": "bells",
    "glockenspiel": "bells",
    "music_box": "kalimba",
    "xylophone": "marimba",
    "steel_drums": "marimba",
    "sitar": "acoustic_guitar",
    "banjo": "acoustic_guitar",
    "koto": "harp",
    "pizzicato": "marimba",
    "fretless_bass": "electric_bass",
    "slap_bass": "electric_bass",
    "church_organ": "organ",
    "accordion": "organ",
    "harmonica": "clarinet",
    "cello": "violin",
    "voice": "choir",
    "french_horn": "brass",
    "muted_trumpet": "trumpet",
    "trombone": "trumpet",
    "oboe": "clarinet",
    "pan_flute": "flute",
}
"""Instrument that only exists as a recording → the synthesised one that plays without a bank."""

Hits = Mapping[str, tuple[tuple[str, ...], float]]

_ACOUSTIC: Hits = {
    "kick": (("drum_bass_soft",), 0.7),
    "snare": (("drum_snare_soft",), 0.8),
    "hat": (("drum_cymbal_closed",), 0.8),
    "pedal_hat": (("drum_cymbal_pedal",), 0.9),
    "open_hat": (("drum_cymbal_open",), 0.85),
    "ride": (("jazz_ride",), 0.9),
    "crash": (("drum_splash_soft", "drum_cymbal_soft"), 0.85),
    "rim": (("side_stick",), 0.85),
    "tom": (("drum_tom_mid_soft", "drum_tom_lo_soft", "drum_tom_hi_soft"), 0.85),
    "brush": (("brush_tap", "brush_tap", "brush_slap"), 0.75),
    "shaker": (("maracas",), 0.4),
}
_STRONG: Hits = {
    **_ACOUSTIC,
    "kick": (("drum_heavy_kick",), 0.6),
    "snare": (("drum_snare_hard",), 0.75),
    "crash": (("drum_splash_hard", "drum_cymbal_hard"), 0.85),
    "ride": (("ride_via",), 0.85),
    "tom": (("drum_tom_mid_hard", "drum_tom_lo_hard", "drum_tom_hi_hard"), 0.8),
}

KIT_HITS: dict[str, Hits] = {
    "jazz": {
        **_ACOUSTIC,
        "kick": (("jazz_kick",), 0.75),
    },
    "acoustic": _ACOUSTIC,
    "rock": _STRONG,
    "lofi": {
        "kick": (("bd_jazz",), 0.45),
        "snare": (("sn_dolf",), 0.6),
        "hat": (("drum_cymbal_closed",), 0.6),
        "open_hat": (("drum_cymbal_open",), 0.6),
        "rim": (("side_stick",), 0.7),
        "crash": (("drum_splash_soft",), 0.7),
        "shaker": (("maracas",), 0.4),
    },
    "hiphop": {
        "kick": (("drum_heavy_kick",), 0.4),
        "snare": (("sn_generic",), 0.55),
        "hat": (("drum_cymbal_closed",), 0.5),
        "open_hat": (("drum_cymbal_open",), 0.6),
        "crash": (("drum_splash_hard",), 0.7),
        "ride": (("ride_via",), 0.7),
        "rim": (("side_stick",), 0.6),
    },
    "pop": {
        "snare": (("sn_generic",), 0.45),
        "clap": (("perc_snap",), 0.35),
        "open_hat": (("drum_cymbal_open",), 0.5),
        "crash": (("drum_splash_hard", "drum_cymbal_hard"), 0.75),
        "ride": (("ride_via",), 0.7),
        "tom": (("drum_tom_mid_hard", "drum_tom_lo_hard"), 0.6),
    },
    "cinematic": {
        "kick": (("concert_drum",), 0.5),
        "tom": (("concert_drum", "drum_tom_lo_hard"), 0.5),
        "crash": (("drum_cymbal_hard", "drum_splash_hard"), 0.75),
        "snare": (("drum_snare_hard",), 0.5),
    },
}
"""Kit → drum → (recordings played in turn, how much of them against the synthesised drum).

Electronic kits are synthesised, as theirs were.
"""
