"""Harmony, melody and the score."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from services.inference.engines.composer.compose import compose
from services.inference.engines.composer.harmony import (
    choose_progressions,
    chord_name,
    lead_voices,
    spell,
)
from services.inference.engines.composer.patterns.grooves import GROOVES
from services.inference.engines.composer.profiles import PROFILES
from services.inference.engines.composer.score import Clock
from services.inference.engines.composer.streams import Streams, weighted
from services.inference.engines.composer.theory import SCALES
from tests.unit.composer.test_plan import plan_for

pytestmark = pytest.mark.unit


def test_chords_are_named_by_their_intervals() -> None:
    """Stacked thirds give the usual names."""
    names = [chord_name(spell(degree, 9, "minor", 4)) for degree in (0, 2, 3, 6)]
    assert names == ["Am7", "Cmaj7", "Dm7", "G7"]
    assert [chord_name(spell(0, 8, mode, 3)) for mode in ("major", "minor")] == ["Ab", "G#m"]
    assert chord_name(spell(4, 9, "minor", 3, raised=True)) == "E"


@pytest.mark.parametrize("mode", SCALES)
def test_progressions_begin_on_the_tonic(mode: str) -> None:
    """Every loop is anchored, and its chords belong to the mode."""
    for family, profile in PROFILES.items():
        for seed in range(5):
            chosen = choose_progressions(profile, mode, Streams(seed, family))
            for progression in chosen.values():
                assert progression.degrees[0] == 0
                plain = [
                    c
                    for c, r in zip(progression.chords(0, mode), progression.raised, strict=True)
                    if not r
                ]
                assert all(p in SCALES[mode] for chord in plain for p in chord.pitch_classes)


def test_voices_move_little() -> None:
    """Voice leading keeps the top voice within a fifth and all within the range."""
    chords = [spell(degree, 0, "major", 4) for degree in (0, 5, 1, 4, 0, 3, 4, 0)]
    voicings = lead_voices(chords, low=53, high=77, voices=4)
    assert all(53 <= pitch <= 77 for voicing in voicings for pitch in voicing)
    assert all(abs(a[-1] - b[-1]) <= 7 for a, b in itertools.pairwise(voicings))


@pytest.mark.parametrize("family", PROFILES)
@pytest.mark.parametrize("metre", ["4/4", "3/4", "6/8", "5/4", "7/8", "12/8", "7/16"])
def test_every_family_writes_every_part(family: str, metre: str) -> None:
    """All parts that play have notes, inside the piece, at sane pitches."""
    plan = plan_for("music", 30.0, genre=family, metre=metre)
    score = compose(plan, Streams(1, "music"))
    for section, parts in zip(plan.sections, score.sections, strict=True):
        for part in section.parts:
            assert parts[part], (part, section)
    notes = [n for parts in score.sections for part in parts.values() for n in part]
    assert all(0 <= note.start_frame < plan.duration_frames for note in notes)
    assert all(24 <= note.pitch <= 108 for note in notes if not note.sound)
    assert all(0 < note.velocity <= 1 for note in notes)


def test_the_melody_keeps_to_the_scale() -> None:
    """The lead sings only tones of the key, or of a chord with a raised third."""
    plan = plan_for("synthwave in D minor", 60.0)
    score = compose(plan, Streams(1, "x"))
    tones = {(plan.tonic + step) % 12 for step in SCALES[plan.mode]}
    lead = [note for parts in score.sections for note in parts.get("lead", [])]
    assert len(lead) > 20
    assert all(note.pitch % 12 in tones for note in lead)


def test_the_motif_returns() -> None:
    """The rhythm of the verse's first two bars comes back in the next verse."""
    plan = plan_for("pop", 150.0, tempo_bpm=100)
    verses = [s for s in plan.sections if s.kind == "A" and "lead" in s.parts]
    assert len(verses) >= 2
    score = compose(plan, Streams(1, "pop"))
    bar = round(4 * 60 / 100 * 44100)
    rhythms = []
    for section in verses[:2]:
        start = section.start_bar * bar
        lead = score.sections[plan.sections.index(section)]["lead"]
        rhythms.append(
            {
                round((n.start_frame - start) / (bar / 16))
                for n in lead
                if n.start_frame < start + 1.98 * bar
            }
        )
    assert rhythms[0] == rhythms[1]


def test_swing_delays_only_off_beats() -> None:
    """Beats stay where they are; the second sixteenth comes late by the share asked."""
    plan = plan_for("lofi", tempo_bpm=60)
    clock = Clock(plan)
    assert plan.swing > 0
    assert clock.frame(0, 1.0) == 44100
    assert clock.frame(0, 0.5) == 22050
    assert clock.frame(0, 0.25) == pytest.approx(11025 * (1 + plan.swing), abs=1)


def test_grooves_have_sixteen_known_steps() -> None:
    """Each pattern fits a bar of four and uses known marks."""
    for drums in GROOVES.values():
        assert all(len(steps) == 16 and set(steps) <= set("Xxo?.") for steps in drums.values())


def test_streams_are_independent_and_stable() -> None:
    """A layer's stream depends on seed, prompt and name, and on nothing else."""
    first = Streams(1, "a  b").layer("x").random(4)
    assert np.array_equal(first, Streams(1, "a b").layer("x").random(4))
    others = [
        Streams(2, "a b").layer("x"),
        Streams(1, "c").layer("x"),
        Streams(1, "a b").layer("y"),
    ]
    assert all(not np.array_equal(first, other.random(4)) for other in others)
    assert weighted(Streams(1, "").layer("w"), {"only": 1.0}) == "only"
