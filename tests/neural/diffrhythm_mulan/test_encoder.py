from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from musicgen.errors import InvalidAudio, InvalidPrompt, ModelUnusable
from services.inference.engines.diffrhythm.mulan import MuqMulan
from services.inference.engines.diffrhythm.mulan.mel import filter_bank
from services.inference.engines.diffrhythm.mulan.tiny import Folders, write_tiny_mulan
from services.inference.engines.diffrhythm.style import Encoder, StyleCache, validated
from tests.neural.diffrhythm_mulan.asked import FRAMES, TEXTS, clips

pytestmark = pytest.mark.unit


def test_the_cache_makes_styles_with_it(
    tmp_path: Path, encoder: MuqMulan, folders: Folders
) -> None:
    """Of words and of a file; a second time the encoder isn't needed."""
    as_protocol: Encoder = encoder
    cache, music = StyleCache(tmp_path / "styles"), tmp_path / "music.wav"
    soundfile.write(music, np.repeat(clips()["tone"][:, None], 2, axis=1), 24_000)
    made = [
        cache.of_text(TEXTS[0], encoder.name, lambda: as_protocol),
        cache.of_audio(music, encoder.name, lambda: as_protocol),
    ]
    assert np.array_equal(validated(encoder.of_text(TEXTS[0])), made[0])
    (folders.mulan / "pytorch_model.bin").unlink()
    again = MuqMulan.from_folders(*folders)
    assert np.array_equal(cache.of_text(TEXTS[0], again.name, lambda: again), made[0])
    assert np.array_equal(cache.of_audio(music, again.name, lambda: again), made[1])


def test_a_style_is_of_unit_length_and_the_same_again(encoder: MuqMulan, folders: Folders) -> None:
    """Whatever was asked before."""
    words, music = encoder.of_text(TEXTS[0]), encoder.of_clip(clips()["noise"])
    for style in (words, music):
        assert style.shape == (512,)
        assert style.dtype == np.float32
        assert float(np.linalg.norm(style)) == pytest.approx(1, abs=1e-6)
    other = MuqMulan.from_folders(*folders)
    assert np.array_equal(other.of_clip(clips()["noise"]), music)
    assert np.array_equal(other.of_text(TEXTS[0]), words)


def test_its_name_changes_with_each_revision(tmp_path: Path, folders: Folders) -> None:
    """Of the weights, and of what belongs to them."""
    names = {MuqMulan.from_folders(*folders).name}
    for number, folder in enumerate(folders):
        moved = list(folders)
        moved[number] = folder.rename(tmp_path / "2e01c796b71d")
        names.add(MuqMulan.from_folders(*moved).name)
        moved[number].rename(folder)
    assert len(names) == 4
    assert all(name.startswith("muq-mulan-large@") for name in names)


def test_other_weights_make_other_styles(tmp_path: Path, encoder: MuqMulan) -> None:
    """Nothing is fixed in the code."""
    other = MuqMulan.from_folders(*write_tiny_mulan(tmp_path / "other", "other:"))
    assert float(other.of_text(TEXTS[0]) @ encoder.of_text(TEXTS[0])) < 0.9


@pytest.mark.parametrize("text", ["", " ", "\n\t"])
def test_no_words_are_refused(encoder: MuqMulan, text: str) -> None:
    """An empty text has no style."""
    with pytest.raises(InvalidPrompt):
        encoder.of_text(text)


def test_of_a_long_text_the_beginning_counts(encoder: MuqMulan) -> None:
    """As much as has positions: 512 tokens, two of which mark the ends."""
    style = encoder.of_text("x " * 2_000)
    assert np.array_equal(style, encoder.of_text("x " * 255))
    assert not np.array_equal(style, encoder.of_text("x " * 254))


@pytest.mark.parametrize(
    "clip",
    [
        np.zeros(FRAMES - 1, np.float32),
        np.zeros(0, np.float32),
        np.zeros((1, FRAMES), np.float32),
        np.zeros(FRAMES, np.int16),
        np.full(FRAMES, np.nan, np.float32),
        np.full(FRAMES, np.inf, np.float32),
    ],
    ids=["short", "empty", "shape", "integers", "nan", "infinite"],
)
def test_what_is_no_clip_is_refused(encoder: MuqMulan, clip: np.ndarray) -> None:
    """Ten seconds of one channel, in numbers."""
    with pytest.raises(InvalidAudio):
        encoder.of_clip(clip)


def test_only_what_is_asked_for_is_loaded(folders: Folders) -> None:
    """A file with one tower makes the styles of that tower; nothing is read before."""
    path = folders.mulan / "pytorch_model.bin"
    weights = torch.load(path, weights_only=True)
    encoder = MuqMulan.from_folders(*folders)
    torch.save({name: one for name, one in weights.items() if ".audio" not in name}, path)
    assert encoder.of_text("jazz").any()
    with pytest.raises(ModelUnusable, match=r"missing: audio\.model\.model\.conv"):
        encoder.of_clip(clips()["tone"])
    torch.save({name: one for name, one in weights.items() if ".text" not in name}, path)
    assert encoder.of_clip(clips()["tone"]).any()


def test_each_filter_hears_its_band() -> None:
    """Triangles, the higher the wider; where two overlap they add up to 1."""
    bank = filter_bank(128, 1025, 24_000)
    assert bank.shape == (128, 1025)
    peaks = bank.argmax(dim=1)
    assert bool((peaks.diff() >= 0).all())
    assert int(peaks[-1]) > 900
    overlapping = bank.sum(dim=0)[5 : int(peaks[-1])]
    torch.testing.assert_close(overlapping, torch.ones_like(overlapping), atol=1e-4, rtol=0)
