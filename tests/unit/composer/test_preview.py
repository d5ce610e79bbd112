"""Previews, and the threads that play side by side."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from musicgen.engine.base import MIX_FILE, Parameters, Preview, Reported
from musicgen.errors import Cancelled
from musicgen.progress import Progress
from services.inference.engines.composer import crew
from services.inference.engines.composer.compose import compose
from services.inference.engines.composer.crew import Crew
from services.inference.engines.composer.engine import Composer
from services.inference.engines.composer.master import Master
from services.inference.engines.composer.mix import Mix
from services.inference.engines.composer.streams import Streams
from tests.unit.composer.measure import RATE_HZ, Audio, loudness_lufs, make, true_peak_db
from tests.unit.composer.test_plan import plan_for

pytestmark = pytest.mark.unit


def previewed(folder: Path, prompt: str, duration_s: float) -> list[tuple[Preview, float, Audio]]:
    """Generate a piece; return each preview, the progress when it came, and its audio as it
    was at that moment."""
    found = []
    fraction = 0.0

    def report(told: Reported) -> None:
        nonlocal fraction
        if isinstance(told, Progress):
            fraction = told.fraction
        elif isinstance(told, Preview):
            audio, rate_hz = soundfile.read(folder / told.name, always_2d=True)
            assert rate_hz == RATE_HZ
            found.append((told, fraction, audio))

    Composer().generate(Parameters(prompt, "", duration_s, 2, {}), folder, report)
    return found


def test_previews_follow_each_other_and_sound_like_the_piece(tmp_path: Path) -> None:
    """They begin at 0, leave no gap, double what can be heard, come long before the end, and
    are the finished music at about its loudness."""
    found = previewed(tmp_path, "pop, 110 bpm", 60.0)
    assert len(found) == 4
    assert found[0][1] < 0.5
    end = 0
    for preview, _, audio in found:
        assert preview.start_frame == end
        end += len(audio)
        assert true_peak_db(audio) <= -0.5
    lengths = [len(audio) for _, _, audio in found]
    assert lengths[0] < 4 * RATE_HZ
    assert 20 * RATE_HZ < end < 60 * RATE_HZ
    heard = np.concatenate([audio for _, _, audio in found])
    mix, _ = soundfile.read(tmp_path / MIX_FILE, always_2d=True)
    beside = mix[:end]
    assert abs(loudness_lufs(heard) - loudness_lufs(beside)) < 2.5
    assert np.corrcoef(heard[:, 0], beside[:, 0])[0, 1] > 0.9
    for start in np.cumsum(lengths)[:-1]:
        step = np.abs(heard[start] - heard[start - 1]).max()
        assert step <= np.abs(np.diff(heard[start - 2000 : start + 2000], axis=0)).max()


def test_a_short_piece_needs_none(tmp_path: Path) -> None:
    """No preview comes where the whole is there as soon."""
    assert previewed(tmp_path, "pop", 12.0) == []
    assert len(previewed(tmp_path, "pop", 20.0)) == 3


@pytest.mark.parametrize("hands", [1, 3])
def test_the_number_of_threads_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hands: int
) -> None:
    """One thread or three: the same bits."""
    here = make(tmp_path, "cinematic piano and strings", 8.0)
    monkeypatch.setattr(crew, "_cores", lambda: hands)
    assert make(tmp_path, "cinematic piano and strings", 8.0).sha256 == here.sha256


def test_a_crew_stops_with_its_owner() -> None:
    """When the owner is cancelled while it waits, the threads learn of it and end."""
    began, ended = threading.Event(), threading.Event()

    def alive() -> None:
        if began.is_set():
            raise Cancelled("Cancelled by the test.")

    def work(owner: Crew) -> None:
        began.set()
        try:
            while True:
                owner.alive()
                time.sleep(0.001)
        except Cancelled:
            ended.set()
            raise

    with pytest.raises(Cancelled, match="by the test"), Crew(alive, 2) as owner:
        owner.start(work, [owner]).wait()
    assert ended.is_set()


def test_what_a_crew_raises_arrives() -> None:
    """A defect in a thread is a defect of the piece."""
    with pytest.raises(ZeroDivisionError), Crew(lambda: None, 2) as owner:
        owner.start(lambda number: 1 / number, [1, 0]).wait()


ALLOWED_S = 0.5
"""An engine looks up at least every half second of work; ours mostly do every tenth."""


class Gaps:
    """Measures how much work this thread does between two calls: other load does not count."""

    def __init__(self) -> None:
        self.longest_s = 0.0
        self._last_s = time.thread_time()

    def __call__(self, *_: object) -> None:
        """Take the place of `report` or `alive`."""
        now_s = time.thread_time()
        self.longest_s = max(self.longest_s, now_s - self._last_s)
        self._last_s = now_s


def test_a_piece_can_be_cancelled_at_any_time(tmp_path: Path) -> None:
    """From the first note to the last block, no step is longer than an engine's may be."""
    Composer().generate(Parameters("warm up", "", 10.0, 1, {}), tmp_path, Gaps())
    gaps = Gaps()
    Composer().generate(Parameters("ambient with rain", "", 90.0, 1, {}), tmp_path, gaps)
    assert gaps.longest_s < ALLOWED_S


def test_ten_minutes_can_be_cancelled_at_any_time() -> None:
    """Writing the notes of a long dense piece, and mastering a long loop, look up often."""
    gaps = Gaps()
    compose(plan_for("drum and bass", 600.0), Streams(1, "x"), gaps)
    assert gaps.longest_s < ALLOWED_S
    plan = plan_for("house", 600.0, loop=True)
    mix = Mix(plan)
    noise = np.random.default_rng(1).standard_normal((2, RATE_HZ)).astype(np.float32)
    for start in range(0, mix.frames - RATE_HZ, RATE_HZ):
        mix.write(0.2 * noise, start)
    mix.join()
    gaps = Gaps()
    master = Master(mix, plan, gaps)
    for step in (master.shape_tone, master.measure, master.blocks):
        for _ in step():
            gaps()
    assert gaps.longest_s < ALLOWED_S
