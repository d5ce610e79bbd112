"""Styles from files, and what is kept of those that an encoder made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from musicgen.errors import InvalidAudio, InvalidField, InvalidPrompt
from services.inference.engines.diffrhythm.style import (
    Audio,
    StyleCache,
    load_style,
    middle_clip,
    validated,
)

pytestmark = pytest.mark.unit

NEGATIVE = Path(__file__).parents[4] / "shared" / "diffrhythm" / "data" / "vocal.npy"
"""Lies beside some checkouts."""


def unit(seed: int = 0) -> npt.NDArray[np.float32]:
    """Return a style, [1, 512]."""
    values = np.random.default_rng(seed).standard_normal((1, 512))
    style: npt.NDArray[np.float32] = (values / np.linalg.norm(values)).astype(np.float32)
    return style


class Counting:
    """An encoder whose styles follow from what it is given; it counts what it was asked."""

    name = "counting"

    def __init__(self) -> None:
        self.asked = 0

    def of_text(self, text: str) -> npt.NDArray[Any]:
        """Return a style for a text."""
        self.asked += 1
        return unit(len(text)).reshape(512)

    def of_clip(self, clip: Audio) -> npt.NDArray[Any]:
        """Return a style for a clip."""
        self.asked += 1
        assert clip.shape == (240_000,)
        return unit(int(abs(clip[1000]) * 1e6))


@pytest.mark.parametrize("form", [unit(), unit()[0], unit().astype(np.float16), unit() * 1.004])
def test_styles_that_are_taken(form: npt.NDArray[Any], tmp_path: Path) -> None:
    """A file of 512 floating-point numbers of about unit length is a style."""
    np.save(tmp_path / "style.npy", form)
    style = load_style(tmp_path / "style.npy")
    assert style.shape == (1, 512)
    assert style.dtype == np.float32


@pytest.mark.parametrize(
    "broken",
    [
        unit()[:, :511], unit().repeat(2, axis=0), unit() * 2, unit() * 0, unit() * np.nan,
        np.full((1, 512), np.inf), np.ones(512, np.int64), np.array(1.0), np.array(["a"] * 512),
        unit().astype(np.complex64), np.array([{}] * 512, object), np.zeros((600, 512)),
    ],
)  # fmt: skip
def test_styles_that_are_refused(broken: npt.NDArray[Any], tmp_path: Path) -> None:
    """Anything else is refused, with a reason; pickled objects are never loaded."""
    np.save(tmp_path / "style.npy", broken, allow_pickle=True)
    with pytest.raises(InvalidField) as caught:
        load_style(tmp_path / "style.npy", "options.style")
    assert "options.style" in caught.value.fields
    assert caught.value.remedy


def test_files_that_are_no_style(tmp_path: Path) -> None:
    """Text, archives of several arrays, empty and missing files are refused."""
    (tmp_path / "text.npy").write_text("no numbers")
    (tmp_path / "empty.npy").touch()
    (tmp_path / "cut.npy").write_bytes(b"\x93NUMPY\x01\x00v\x00{'descr'")
    np.savez(tmp_path / "several.npz", a=unit(), b=unit())
    for name in ("text.npy", "empty.npy", "cut.npy", "several.npz", "missing.npy"):
        with pytest.raises(InvalidField):
            load_style(tmp_path / name)


@pytest.mark.skipif(not NEGATIVE.is_file(), reason="the published style is not there")
def test_the_published_negative_style() -> None:
    """The model's own negative style is one."""
    assert load_style(NEGATIVE).shape == (1, 512)


def test_a_style_is_made_once(tmp_path: Path) -> None:
    """The same words, and the same music, are encoded once; others anew."""
    encoder = Counting()
    cache = StyleCache(tmp_path / "styles")
    first = cache.of_text("warm  piano\n", encoder.name, lambda: encoder)
    again = StyleCache(tmp_path / "styles").of_text("warm piano", encoder.name, lambda: encoder)
    np.testing.assert_array_equal(first, again)
    assert encoder.asked == 1
    cache.of_text("warm piano", "another", lambda: encoder)
    cache.of_text("cold piano", encoder.name, lambda: encoder)
    assert encoder.asked == 3
    assert len(list((tmp_path / "styles").iterdir())) == 3


def test_a_broken_file_of_the_cache_is_made_again(tmp_path: Path) -> None:
    """What a fault of the disk left behind is never used."""
    encoder = Counting()
    cache = StyleCache(tmp_path)
    style = cache.of_text("jazz", encoder.name, lambda: encoder)
    (kept,) = tmp_path.iterdir()
    kept.write_bytes(kept.read_bytes()[:500])
    np.testing.assert_array_equal(cache.of_text("jazz", encoder.name, lambda: encoder), style)
    assert encoder.asked == 2


@pytest.mark.parametrize("words", ["", " \n", "x" * 2001])
def test_words_that_describe_nothing(words: str, tmp_path: Path) -> None:
    """An empty or endless description is refused before anything is loaded."""
    never: Callable[[], Counting] = Counting
    with pytest.raises(InvalidPrompt):
        StyleCache(tmp_path).of_text(words, "counting", never)


def test_an_encoder_that_fails_leaves_nothing(tmp_path: Path) -> None:
    """Numbers that are no style aren't kept."""

    class Broken(Counting):
        def of_text(self, text: str) -> npt.NDArray[Any]:
            return np.full(len(text) * 128, np.nan)

    with pytest.raises(InvalidField):
        StyleCache(tmp_path).of_text("jazz", "broken", Broken)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("rate_hz", [24_000, 44_100, 48_000])
def test_music_is_heard_in_its_middle(rate_hz: int, tmp_path: Path) -> None:
    """Ten seconds from the middle, mono, at 24 kHz; the cache knows them again."""
    time_s = np.arange(31 * rate_hz) / rate_hz
    tone = np.where((time_s >= 10) & (time_s < 20), np.sin(2 * np.pi * 440 * time_s), 0.0)
    path = tmp_path / "music.wav"
    soundfile.write(path, np.stack([tone, tone * 0.5], axis=1) * 0.5, rate_hz, subtype="FLOAT")
    clip = middle_clip(path)
    assert clip.shape == (240_000,)
    expected = 0.375 * np.sin(2 * np.pi * 440 * np.arange(240_000) / 24_000)
    np.testing.assert_allclose(clip[2000:-2000], expected[2000:-2000], atol=2e-3)
    encoder = Counting()
    cache = StyleCache(tmp_path / "styles")
    for _ in range(2):
        cache.of_audio(path, encoder.name, lambda: encoder)
    assert encoder.asked == 1


def test_music_that_is_too_short(tmp_path: Path) -> None:
    """Less than ten seconds are refused, with what to do instead."""
    soundfile.write(tmp_path / "short.wav", np.zeros(9 * 44_100), 44_100)
    with pytest.raises(InvalidAudio, match=r"9\.0 s"):
        middle_clip(tmp_path / "short.wav")


def test_a_style_stays_what_it_was() -> None:
    """Checking changes no number."""
    np.testing.assert_array_equal(validated(unit(4)), unit(4))
