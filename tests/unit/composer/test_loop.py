"""Loops: whole bars whose end joins their start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from services.inference.engines.composer.form import sections
from tests.unit.composer.measure import RATE_HZ, Audio, loudness_lufs, make, true_peak_db
from tests.unit.composer.test_plan import plan_for

pytestmark = pytest.mark.unit


def flux(audio: Audio, place: int) -> float:
    """How much the spectrum changes at a place of a cycle played twice."""
    window = np.hanning(2048)[:, None]
    before = np.abs(np.fft.rfft(audio[place - 2048 : place] * window, axis=0))
    after = np.abs(np.fft.rfft(audio[place : place + 2048] * window, axis=0))
    return float(np.abs(after - before).sum() / (after + before).sum())


@pytest.mark.parametrize(
    ("prompt", "duration_s"),
    [("lofi hip hop 82", 24.0), ("techno 131", 8.0), ("ambient with wind", 16.0),
     ("7/8 jazz, 140 bpm", 14.0), ("rock 120 with vinyl", 5.0)],
)  # fmt: skip
def test_a_loop_joins_like_any_bar_line(tmp_path: Path, prompt: str, duration_s: float) -> None:
    """Exact bars, no step at the seam, tails there at the start, the master's targets met."""
    made = make(tmp_path, prompt, duration_s, loop=True)
    plan, frames = made.plan, len(made.audio)
    bar = {"7/8": 3.5}.get(plan["metre"], 4.0) * 60.0 / plan["tempo_bpm"] * RATE_HZ
    assert frames == round(plan["bars"] * bar)
    assert made.generation.loop_frames == (0, frames)
    assert f"{plan['bars']} bars" in made.generation.decisions["length"]["note"]
    twice = np.concatenate((made.audio, made.audio))
    # A click would stand out in the fourth difference, which leaves music nearly nothing.
    rough = np.abs(np.diff(twice, n=4, axis=0)).max(axis=1)
    assert rough[frames - 4 : frames].max() <= np.percentile(rough, 99.9)
    inner = [flux(twice, round(k * bar)) for k in range(1, plan["bars"])]
    if len(inner) > 2:
        assert flux(twice, frames) <= max(inner) + 0.05
    assert loudness_lufs(made.audio) == pytest.approx(-14.0, abs=0.6)
    assert true_peak_db(twice) <= -1.0
    assert np.sqrt((made.audio[:2000] ** 2).mean()) > 1e-3


@pytest.mark.parametrize("slow", [{}, {"tempo_bpm": 40, "metre": "5/4"}])
def test_a_held_chord_goes_on_over_the_seam(tmp_path: Path, slow: dict[str, Any]) -> None:
    """Right after the seam there is the tail of the end, not silence fading in; also where a
    chord of two bars is longer than what is played ahead of the loop."""
    made = make(tmp_path, "ambient", 16.0, loop=True, texture="none", **slow)
    level = [float(np.sqrt((part**2).mean())) for part in np.array_split(made.audio, 64)]
    assert min(level[0], level[-1]) > 0.35 * float(np.median(level))


def test_the_tempo_wins_over_the_length() -> None:
    """An asked tempo stays, and the nearest whole number of bars is made."""
    plan = plan_for("house", 31.0, tempo_bpm=123.0, loop=True)
    assert plan.tempo_bpm == 123.0
    assert plan.bars == round(31.0 * 123 / 240)
    assert plan.ring_frames == 0
    assert not {"intro", "outro"} & {section.kind for section in plan.sections}
    assert all(s.kind not in {"intro", "outro"} for s in sections(64, "club", loop=True))
