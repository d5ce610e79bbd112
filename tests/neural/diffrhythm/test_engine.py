from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from musicgen.engine.base import MIX_FILE, Parameters, Preview, Reported
from musicgen.engine.validation import check_schema, validate
from musicgen.errors import Cancelled, InvalidField, InvalidLyrics
from musicgen.progress import Progress
from services.inference.engines.diffrhythm.engine import DiffRhythmTiny
from services.inference.engines.diffrhythm.manifest import TINY_MANIFEST

pytestmark = pytest.mark.unit

LYRICS = "[00:00.50]Hello world\n[00:03.00]the rain is falling on the town\n"


@pytest.fixture(scope="module")
def engine() -> Iterator[DiffRhythmTiny]:
    """An engine, as a host makes it."""
    with contextlib.closing(DiffRhythmTiny()) as it:
        yield it


def parameters(lyrics: str = LYRICS, **options: Any) -> Parameters:
    """Ask for 8 s in a few steps."""
    seed = options.pop("seed", 7)
    asked = Parameters("warm rock", lyrics, 8.0, seed, {"steps": 4} | options)
    validate(asked, TINY_MANIFEST)
    return asked


def mix(
    engine: DiffRhythmTiny, folder: Path, lyrics: str = LYRICS, **options: Any
) -> np.ndarray[Any, Any]:
    """Make a song and return its samples."""
    folder.mkdir(exist_ok=True)
    engine.generate(parameters(lyrics, **options), folder, lambda _: None)
    samples, rate = soundfile.read(folder / MIX_FILE, always_2d=True)
    assert (rate, samples.shape) == (44_100, (8 * 44_100, 2))
    return np.asarray(samples)


def test_a_song_is_made(engine: DiffRhythmTiny, tmp_path: Path) -> None:
    """As long as asked for, at its peak, with progress step by step and previews that follow
    each other to its end."""
    told: list[Reported] = []
    made = engine.generate(parameters(), tmp_path, told.append)
    samples, _ = soundfile.read(tmp_path / MIX_FILE)
    assert np.abs(samples).max() == pytest.approx(0.944, abs=1e-4)
    assert np.isfinite(samples).all()
    assert made.title == "Hello world"
    assert "the rain" in made.decisions["lyrics"]
    progress = [one for one in told if isinstance(one, Progress)]
    fractions = [one.fraction for one in progress]
    assert fractions == sorted(fractions)
    assert list(dict.fromkeys(one.stage for one in progress)) == [
        "reading", "style", "loading", "refining", "decoding",
    ]  # fmt: skip
    assert [one.detail for one in progress if one.detail][-1] == "step 4 of 4"
    previews = [one for one in told if isinstance(one, Preview)]
    lengths = [soundfile.info(tmp_path / one.name).frames for one in previews]
    assert [one.start_frame for one in previews] == [0, *np.cumsum(lengths[:-1])]
    assert sum(lengths) == 8 * 44_100
    assert not (tmp_path / "raw.wav").exists()


def test_what_is_asked_for_decides_the_samples(engine: DiffRhythmTiny, tmp_path: Path) -> None:
    """The same again is the same bit for bit; another seed, other words and options are not."""
    first = mix(engine, tmp_path / "a")
    with contextlib.closing(DiffRhythmTiny()) as another:
        assert np.array_equal(first, mix(another, tmp_path / "b"))
    others: list[dict[str, Any]] = [
        {"seed": 8}, {"lyrics": ""}, {"guidance": 0.0}, {"solver": "midpoint"}, {"sway": -1.0},
        {"draft": True}, {"guidance_until": 0.5},
    ]  # fmt: skip
    for number, other in enumerate(others):
        assert not np.allclose(first, mix(engine, tmp_path / str(number), **other), atol=1e-3)


@pytest.mark.parametrize("after", [3, 12, 30])
def test_a_cancel_ends_it_anywhere(engine: DiffRhythmTiny, tmp_path: Path, after: int) -> None:
    """And the engine makes another song."""
    told = 0

    def cancel(_: object) -> None:
        nonlocal told
        told += 1
        if told > after:
            raise Cancelled("Stopped.")

    with pytest.raises(Cancelled):
        engine.generate(parameters(), tmp_path, cancel)
    assert told == after + 1
    assert not (tmp_path / MIX_FILE).exists()
    mix(engine, tmp_path / "next")


@pytest.mark.parametrize(
    "lyrics", ["", "\n\n", "[00:01.00]\n[00:02.00]???", "[ar:x]\n[00:90.00]late", "привет\n안녕"]
)
def test_odd_lines_never_end_a_song(engine: DiffRhythmTiny, tmp_path: Path, lyrics: str) -> None:
    """Empty, late and foreign ones are told, not fatal."""
    mix(engine, tmp_path / "odd", lyrics)


def test_lyrics_can_be_too_long(engine: DiffRhythmTiny, tmp_path: Path) -> None:
    """INVALID_LYRICS names the field."""
    with pytest.raises(InvalidLyrics) as refused:
        engine.generate(parameters("la la la\n" * 20_000), tmp_path, lambda _: None)
    assert list(refused.value.fields) == ["parameters.lyrics"]


@pytest.mark.parametrize("options", [{"steps": 0}, {"guidance": 11}, {"solver": "rk4"}, {"x": 1}])
def test_options_are_checked(options: dict[str, Any]) -> None:
    """Against the manifest's schema, which is one."""
    check_schema(TINY_MANIFEST)
    with pytest.raises(InvalidField):
        parameters(**options)
