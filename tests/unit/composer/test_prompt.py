"""What is read from plain words."""

from __future__ import annotations

from typing import Any

import pytest

from services.inference.engines.composer.prompt import understand

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("warm lofi hip hop, 82 bpm, rainy night", {"tempo_bpm": 82.0, "textures": ("rain",)}),
        ("120BPM house", {"tempo_bpm": 120.0}),
        ("techno at 132", {"tempo_bpm": 132.0}),
        ("tempo: 95.5, moody", {"tempo_bpm": 95.5}),
        ("a tune of 100 beats per minute", {"tempo_bpm": 100.0}),
        ("slow ballad", {"tempo_bpm": None, "tempo_word_bpm": 66.0}),
        ("very slow drone", {"tempo_word_bpm": 52.0}),
        ("allegro for strings", {"tempo_word_bpm": 138.0}),
        ("Bb minor jazz", {"tonic": 10, "mode": "minor"}),
        ("E flat major quartet", {"tonic": 3, "mode": "major"}),
        ("C sharp minor nocturne", {"tonic": 1, "mode": "minor"}),
        ("in F# major", {"tonic": 6, "mode": "major"}),
        ("in C#-minor", {"tonic": 1, "mode": "minor"}),
        ("D dorian funk", {"tonic": 2, "mode": "dorian"}),
        ("house in Am", {"tonic": 9, "mode": "minor"}),
        ("folk, key of G", {"tonic": 7, "mode": None}),
        ("key of Bb", {"tonic": 10}),
        ("in a minor key", {"tonic": None, "mode": "minor"}),
        ("a minor masterpiece of sorrow", {"tonic": None, "mode": "minor"}),
        ("lofi in a minor", {"tonic": 9, "mode": "minor"}),
        ("A minor techno", {"tonic": 9, "mode": "minor"}),
        ("a lydian dream", {"tonic": None, "mode": "lydian"}),
        ("a waltz", {"metre": "3/4"}),
        ("6/8 folk", {"metre": "6/8"}),
        ("beat in 4/4", {"metre": "4/4"}),
        ("ambient without drums or bass, with soft piano",
         {"without": ("drums", "bass"), "instruments": ("piano",)}),
        ("no drums, bass guitar and flute",
         {"without": ("drums",), "instruments": ("electric_bass", "flute")}),
        ("drumless boom bap", {"without": ("drums",)}),
        ("jazz but no saxophone", {"without": ("sax",), "instruments": ()}),
        ("solo piano", {"solo": True, "instruments": ("piano",)}),
        ("just an acoustic guitar", {"solo": True, "instruments": ("acoustic_guitar",)}),
        ("piano and violin only", {"solo": False, "instruments": ("piano", "violin")}),
        ("lofi, no rain", {"textures": (), "without_textures": ("rain",)}),
        ("calm ocean waves", {"textures": ("ocean",)}),
        ("techno 130", {"tempo_bpm": 130.0}),
        ("dnb, 174", {"tempo_bpm": 174.0}),
        ("92 hip hop", {"tempo_bpm": 92.0}),
        ("techno 130 people", {"tempo_bpm": None}),
        ("house for 90 seconds", {"tempo_bpm": None, "length_s": 90.0}),
        ("90s hip hop", {"tempo_bpm": None, "length_s": None, "era": "1990s"}),
        ("two minutes and 5 seconds of jazz", {"length_s": 125.0}),
        ("two minutes and a half of rain", {"length_s": 150.0}),
        ("1:30 of folk", {"length_s": 90.0}),
        ("7/8 rock", {"metre": "7/8"}),
        ("12/8 blues", {"metre": "12/8"}),
        ("five four jazz", {"metre": "5/4"}),
        ("a trailer that slowly builds", {"curve": "rising"}),
        ("folk, calm down at the end", {"curve": "falling"}),
        ("drum-free jazz", {"without": ("drums",)}),
        ("jazz, don't use piano or drums", {"without": ("piano", "drums"), "instruments": ()}),
        ("drum and bass", {"instruments": (), "with_parts": ()}),
        ("electric piano and upright bass", {"instruments": ("electric_piano", "upright_bass")}),
    ],
)  # fmt: skip
def test_phrases(prompt: str, expected: dict[str, Any]) -> None:
    """Tempo, key, metre, instruments and textures are read as people write them."""
    heard = understand(prompt)
    assert {name: getattr(heard, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("prompt", "family"),
    [
        ("lo-fi beats to study to", "lofi"),
        ("deep house", "house"),
        ("dark techno", "techno"),
        ("ambient drone", "ambient"),
        ("epic orchestral trailer", "cinematic"),
        ("80s synthwave", "synthwave"),
        ("hard trap with 808s", "trap"),
        ("boom bap hip-hop", "hiphop"),
        ("smooth jazz", "jazz"),
        ("punk", "rock"),
        ("k-pop", "pop"),
        ("campfire folk", "acoustic"),
        ("8-bit game", "chiptune"),
        ("a nocturne", "piano"),
        ("jazzy house", "house"),
        ("tehcno", "techno"),
        ("synthwve with guitr", "synthwave"),
        ("liquid drum & bass", "dnb"),
        ("bossa nova", "bossa"),
        ("music to sleep to", "sleep"),
        ("study music", "study"),
        ("rain sounds", "nature"),
        ("zen meditation", "meditation"),
    ],
)
def test_genres(prompt: str, family: str) -> None:
    """The strongest genre named comes first."""
    assert next(iter(understand(prompt).genres)) == family


def test_moods_pull_in_their_direction() -> None:
    """Sad is the opposite of happy; a negated mood pulls the other way, but less."""
    sad, happy, not_sad = (understand(p).valence for p in ("sad", "happy", "not sad"))
    assert sad < 0 < not_sad < happy
    assert understand("calm").energy < 0 < understand("aggressive").energy
    assert understand("warm").brightness < 0 < understand("bright").brightness


def test_what_is_not_understood_is_listed() -> None:
    """Unknown words and values out of range are reported, not dropped in silence."""
    ignored = understand("gloomy castle at 400 bpm in 9/7").ignored
    assert "castle" in ignored
    assert any("400 bpm" in item for item in ignored)
    assert any("9/7" in item for item in ignored)
    assert "gloomy" not in ignored


@pytest.mark.parametrize(
    "prompt", ["音楽 静かな夜", "🎵🎵", "İstanbul", "((", "\\b", "a" * 2000, "in", "no"]
)
def test_odd_prompts_are_no_error(prompt: str) -> None:
    """Any text can be read."""
    understand(prompt)


@pytest.mark.parametrize(
    "prompt", ["a horse and a mouse", "peace in this place", "strong hearts", "jaz", "rok", "trp"]
)
def test_ordinary_and_short_words_are_no_typing_errors(prompt: str) -> None:
    """Words near a known one are left alone, and short ones always."""
    heard = understand(prompt)
    assert not heard.corrected
    assert not heard.genres


def test_typing_errors_are_told() -> None:
    """What was taken for a typing error is listed with what it was read as."""
    assert understand("pinao and ambiant pads").corrected == {
        "pinao": "piano",
        "ambiant": "ambient",
    }
