"""Times for lyrics that came without."""

from __future__ import annotations

import itertools

import pytest

from services.inference.engines.diffrhythm.lyrics.sheet import read_lyrics
from services.inference.engines.diffrhythm.lyrics.syllables import count_syllables
from services.inference.engines.diffrhythm.lyrics.timing import fastest_seconds, natural_seconds

pytestmark = pytest.mark.unit

VERSE = """Moonlight spills through broken blinds
Your shadow dances on the dashboard shrine
Neon ghosts in gasoline rain
I hear your laughter down the midnight train
"""


def gaps_s(text: str, song_s: float) -> list[float]:
    """Return the times from line to line; the last is that of the end mark."""
    times = [line.time_s for line in read_lyrics(text, song_s).lines]
    return [after - before for before, after in itertools.pairwise(times)]


@pytest.mark.parametrize(
    ("words", "syllables"),
    [
        ("Moonlight spills through broken blinds", 7),
        ("the little table", 5),
        ("loved", 1),
        ("it's a kind of magic", 6),
        ("你好世界", 4),
        ("hello 世界", 4),
        ("♪ ... !", 0),
        ("", 0),
    ],
)
def test_syllables(words: str, syllables: int) -> None:
    """Syllables are counted well enough to time a line."""
    assert count_syllables(words) == syllables


@pytest.mark.parametrize("song_s", [95.0, 130.0, 285.0])
def test_lines_are_neither_close_nor_far(song_s: float) -> None:
    """A verse is sung at a natural pace in a song of any length, not spread over all of it."""
    lines = VERSE.splitlines()
    for line, gap_s in zip(lines, gaps_s(VERSE, song_s), strict=True):
        assert natural_seconds(line) - 0.02 <= gap_s <= 1.5 * natural_seconds(line)


def test_sections_are_apart() -> None:
    """A pause stands between sections, a longer one where a mark says that nobody sings."""
    plain = gaps_s("one two three\nfour five six\nseven eight nine", 95.0)
    section = gaps_s("one two three\n\n\n[Chorus]\nfour five six\nseven eight nine", 95.0)
    solo = gaps_s("one two three\n[Guitar Solo]\nfour five six\nseven eight nine", 95.0)
    assert plain[0] + 1 < section[0] < solo[0] - 3
    assert plain[1] == pytest.approx(section[1], abs=0.02)


def test_much_text_is_sung_faster() -> None:
    """Where time is short lines come closer together, but never closer than can be heard."""
    relaxed, dense = gaps_s(VERSE, 95.0), gaps_s(VERSE * 7, 95.0)
    assert all(fast < slow for fast, slow in zip(dense, relaxed, strict=False))
    assert read_lyrics(VERSE * 7, 95.0).lines[-1].time_s < 95.0
    for line, gap_s in zip((VERSE * 40).splitlines(), gaps_s(VERSE * 40, 95.0), strict=True):
        assert gap_s >= fastest_seconds(line) - 0.02


def test_an_empty_line_ends_the_last() -> None:
    """Placed lyrics end with an empty line, so that a model that drops the last loses nothing."""
    lines = read_lyrics(VERSE, 95.0).lines
    assert [bool(line.text) for line in lines] == [True] * 4 + [False]
    assert read_lyrics("[Intro]\n\n♪", 95.0).lines == ()
