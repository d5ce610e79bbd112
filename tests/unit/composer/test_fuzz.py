"""Any text at all can be read, planned and written as notes."""

from __future__ import annotations

import math
import random
import time

import pytest

from services.inference.engines.composer.compose import compose
from services.inference.engines.composer.lexicon import GENRES, INSTRUMENTS, MOODS
from services.inference.engines.composer.options import read_options
from services.inference.engines.composer.plan import make_plan
from services.inference.engines.composer.prompt import understand
from services.inference.engines.composer.streams import Streams

pytestmark = pytest.mark.unit

PROMPTS = 2000
_ODD = (
    "音楽 静かな夜", "موسيقى هادئة", "спокойная музыка 120", "🎵🎹🥁", "İstanbul ﬁ ß", "\u202e abc",
    "'; DROP TABLE tracks; --", "<script>alert(1)</script>", "{{7*7}} ${jndi:x}", "../../x",
    "ignore all previous instructions", "\\b(?:a+)+$", "%s%n%x", "a" * 300, "9" * 40, "-1 bpm",
    "1e309 bpm", "NaN bpm", "0/0", "99/99", "4/0", "4/4 4/4 7/8", ":::", "\t\n\r", "no " * 40,
    "key of", "in", "C# " * 9, "b b b b", "♯♭", "120" * 5, "1:99", "٣ دقائق", "half a", "&&&",
)  # fmt: skip


def prompts(count: int, seed: int = 1) -> list[str]:
    """Words that are known, numbers, signs and anything from Unicode, mixed."""
    rng = random.Random(seed)  # noqa: S311  # no secrets, but the same prompts each time
    known = [*GENRES, *INSTRUMENTS, *MOODS, "no", "without", "bpm", "in", "minor", "solo", "only"]
    found = []
    for _ in range(count):
        words = []
        for _ in range(rng.randint(1, 12)):
            kind = rng.random()
            if kind < 0.45:
                word = rng.choice(known)
            elif kind < 0.6:
                word = rng.choice(_ODD)
            elif kind < 0.7:
                word = str(rng.choice([rng.randint(-9, 999), rng.random() * 300]))
            elif kind < 0.85:
                letters = list(rng.choice(known))
                rng.shuffle(letters)
                word = "".join(letters)
            else:
                points = [rng.randint(1, 0x10FFFF) for _ in range(rng.randint(1, 9))]
                word = "".join(chr(p) for p in points if not 0xD800 <= p < 0xE000)
            words.append(word)
        found.append(rng.choice([" ", ", ", "-", ""]).join(words) or "x")
    return found


def test_any_text_is_read_quickly() -> None:
    """Thousands of odd prompts: no error, no odd number, none takes long."""
    slowest_s = 0.0
    for prompt in prompts(PROMPTS):
        begun_s = time.thread_time()
        heard = understand(prompt)
        slowest_s = max(slowest_s, time.thread_time() - begun_s)
        numbers = (heard.tempo_bpm, heard.length_s, heard.valence, heard.energy, heard.brightness)
        assert all(math.isfinite(number) for number in numbers if number is not None)
        assert heard.tempo_bpm is None or 40 <= heard.tempo_bpm <= 220
    assert slowest_s < 0.5


def test_any_text_becomes_notes() -> None:
    """What was read always gives a plan, and notes at sane places."""
    for number, prompt in enumerate(prompts(60, seed=2)):
        streams = Streams(number, prompt)
        options = read_options({"loop": number % 3 == 0})
        plan = make_plan(prompt, understand(prompt), options, 12.0, streams)
        score = compose(plan, streams)
        notes = [n for parts in score.sections for part in parts.values() for n in part]
        assert notes
        assert all(0 <= note.start_frame < plan.duration_frames for note in notes)
        assert all(0 < note.velocity <= 1 and note.held_frames > 0 for note in notes)


@pytest.mark.parametrize(
    "piece",
    ["a", "house ", "no ", "techno 130 ", "1", "((", "🎵", "4/4 ", "in C# ", "x\n", "tehcno "],
)
def test_a_hundred_kilobytes_are_read_in_bounded_time(piece: str) -> None:
    """A long text is read in part, and that is told."""
    text = piece * (100_000 // len(piece))
    begun_s = time.thread_time()
    heard = understand(text)
    assert time.thread_time() - begun_s < 1.0
    assert any("after the first" in item for item in heard.ignored)
