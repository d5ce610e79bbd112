"""Previews, and the threads that play side by side."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from musicgen.engine.base import MIX_FILE, Parameters, Preview
from musicgen.errors import Cancelled
from musicgen.progress import Progress
from services.inference.engines.composer import crew
from services.inference.engines.composer.crew import Crew
from services.inference.engines.composer.engine import Composer
from tests.unit.composer.measure import RATE_HZ, Audio, loudness_lufs, make, true_peak_db

pytestmark = pytest.mark.unit


def previewed(folder: Path, prompt: str, duration_s: float) -> list[tuple[Preview, float, Audio]]:
    """Generate a piece; return each preview, the progress when it came, and its audio as it
    was at that moment."""
    found = []
    fraction = 0.0

    def report(told: Progress | Preview) -> None:
        nonlocal fraction
        if isinstance(told, Progress):
            fraction = told.fraction
        else:
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


def test_cancelling_takes_a_fifth_of_a_second(tmp_path: Path) -> None:
    """Wherever in the piece: between two reports there is never more, however long it is."""
    times: list[float] = []

    def report(_: Progress | Preview) -> None:
        times.append(time.monotonic())

    Composer().generate(Parameters("warm up", "", 10.0, 1, {}), tmp_path, report)
    times.clear()
    Composer().generate(Parameters("ambient with rain", "", 120.0, 1, {}), tmp_path, report)
    # A busy machine may hold up single ones.
    assert float(np.percentile(np.diff(times), 99)) < 0.2
