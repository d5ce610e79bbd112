"""One token a frame."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from musicgen.errors import InvalidField
from services.inference.engines.diffrhythm.lyrics.alignment import Aligned, Fate, align
from services.inference.engines.diffrhythm.lyrics.frames import song_frames
from services.inference.engines.diffrhythm.lyrics.lrc import Line, parse_lrc
from services.inference.engines.diffrhythm.lyrics.symbols import NUMBERS, SYMBOLS

pytestmark = pytest.mark.unit

GOLDEN = Path(__file__).parent / "golden"
VOCABULARY = Path(__file__).parents[4] / "shared" / "diffrhythm" / "data" / "vocab.json"
"""Lies beside some checkouts."""


def stub(text: str) -> list[int]:
    """Make a token of each character."""
    return [ord(character) % 363 + 1 for character in text]


def fates(aligned: Aligned) -> list[Fate]:
    """Return what became of each line."""
    return [placed.fate for placed in aligned.placed]


@pytest.mark.parametrize(
    ("case", "song_s", "max_frames"),
    [
        ("stub_base", 95.0, 2048),
        ("stub_full130", 130.0, 6144),
        ("stub_full285", 285.0, 6144),
        ("empty", 95.0, 2048),
    ],
)
def test_golden(case: str, song_s: float, max_frames: int) -> None:
    """Tokens and duration equal the golden values."""
    facts = json.loads((GOLDEN / "lrc.json").read_text("utf-8"))
    lines = [] if case == "empty" else parse_lrc(facts["stub_text"])
    aligned = align(lines, song_frames(song_s, max_frames), max_frames, stub)
    with np.load(GOLDEN / "lrc.npz") as golden:
        assert aligned.tokens.dtype == np.int64
        np.testing.assert_array_equal(aligned.tokens, golden[f"{case}_tokens"][0])
        assert aligned.duration == golden[f"{case}_duration_fp16"][0]


def test_symbols_are_those_of_the_model() -> None:
    """363 symbols, each once, under the model's numbers."""
    assert len(SYMBOLS) == len(set(SYMBOLS)) == 363
    assert [NUMBERS[name] for name in (",", "_", "iː", "ɥ↓", "…")] == [*(0, 4, 5, 282, 362)]
    if VOCABULARY.is_file():
        assert dict(NUMBERS) == json.loads(VOCABULARY.read_text("utf-8"))["vocab"]


def test_odd_lines_take_no_frames() -> None:
    """Empty lines, and lines without anything to sing, leave the others as they are."""
    lines = [Line(0.0, "one"), Line(1.0, ""), Line(2.0, "?"), Line(3.0, "two")]
    odd = align(lines, 2799, 6144, lambda text: [] if text == "?" else stub(text))
    plain = align([lines[0], lines[3]], 2799, 6144, stub)
    np.testing.assert_array_equal(odd.tokens, plain.tokens)
    assert fates(odd) == [Fate.SUNG, Fate.SILENT, Fate.SILENT, Fate.SUNG]


def test_a_base_model_drops_an_empty_last_line_at_no_loss() -> None:
    """The last line within a base song is left out; if it is empty, all others are sung."""
    lines = [Line(0.0, "one"), Line(10.0, "two"), Line(94.0, ""), Line(95.0, "late")]
    assert fates(align(lines, 2048, 2048, stub)) == [
        *(Fate.SUNG, Fate.SUNG, Fate.SILENT, Fate.BEYOND_END)
    ]
    assert fates(align(lines[:2], 2048, 2048, stub)) == [Fate.SUNG, Fate.LAST_DROPPED]
    assert fates(align(lines[:2], 6144, 6144, stub)) == [Fate.SUNG, Fate.SUNG]


def test_a_full_song_cuts_what_is_too_long() -> None:
    """Tokens stop at the song's end; lines pushed past it aren't sung."""
    lines = [Line(0.0, "x" * 2100), Line(1.0, "y" * 100), Line(2.0, "zero")]
    aligned = align(lines, 2150, 6144, stub)
    assert fates(aligned) == [Fate.SUNG, Fate.CUT, Fate.BEYOND_END]
    assert aligned.tokens[2100] == 2
    assert (aligned.tokens[2101:] == stub("y")[0]).all()


def test_full_stops_end_lines_only() -> None:
    """Within a line a full stop becomes a comma: it says that the line is over."""
    aligned = align([Line(0.0, "ab")], 100, 6144, lambda _: [2, 9, 2])
    assert aligned.tokens[:5].tolist() == [1, 9, 1, 2, 0]


@pytest.mark.parametrize(
    ("song_s", "max_frames", "frames"),
    [(95.0, 2048, 2048), (285.0, 6144, 6136), (130.0, 6144, 2799), (177.0, 6144, 3811)],
)
def test_lengths(song_s: float, max_frames: int, frames: int) -> None:
    """A base song has 2,048 frames, another as many as its seconds hold."""
    assert song_frames(song_s, max_frames) == frames


@pytest.mark.parametrize(
    ("song_s", "max_frames"),
    [(96.0, 2048), (95.0, 6144), (286.0, 6144), (float("nan"), 6144), (float("nan"), 2048)],
)
def test_lengths_that_a_model_cannot_make(song_s: float, max_frames: int) -> None:
    """The error names the field and what can be had."""
    with pytest.raises(InvalidField) as caught:
        song_frames(song_s, max_frames)
    assert "duration_s" in caught.value.fields
