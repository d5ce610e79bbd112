"""The bank of recordings: how it is cut, written and read, and what happens without it."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from services.inference.engines.composer.sounds import bank as bank_file
from services.inference.engines.composer.sounds import build, recipe
from services.inference.engines.composer.sounds.bank import Bank, BankUnusable, installed
from services.inference.engines.composer.sounds.cut import cut_preset, shorten
from services.inference.engines.composer.sounds.fetch import SourceUnavailable, fetch
from services.inference.engines.composer.sounds.recipe import Package, Preset
from services.inference.engines.composer.sounds.soundfont import SoundFont
from services.inference.engines.composer.streams import Streams
from services.inference.engines.composer.synth.drums import KITS, DrumKit
from services.inference.engines.composer.synth.instruments import make_voice
from services.inference.engines.composer.synth.recorded import KIT_HITS, MANNERS
from services.inference.engines.composer.synth.tables import level
from tests.unit.composer.measure import RATE_HZ, make
from tests.unit.composer.tones import cents_off, small_soundfont, tone, tone_bank

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a bank built from the real packages."""
    folder = tmp_path_factory.mktemp("sounds")
    try:
        build.build(folder / "out", folder / "packages")
    except SourceUnavailable as problem:
        pytest.skip(f"the registries of the sounds' packages can't be reached: {problem}")
    return folder


def random(key: object) -> np.random.Generator:
    """A stream for a sound."""
    return Streams(1, "sounds").layer("sound", key)


def test_bank_keeps_every_sample(tmp_path: Path) -> None:
    """What is written is read, bit by bit; the same content gives the same file."""
    first = tone_bank(tmp_path / "one.bank")
    again = tone_bank(tmp_path / "two.bank")
    assert (tmp_path / "one.bank").read_bytes() == (tmp_path / "two.bank").read_bytes()
    assert first.digest == again.digest
    cut = first.instruments["struck"][0]
    read = np.rint(first.read(cut)[0] * 32_768).astype(np.int16)
    assert np.array_equal(read[:80_000], tone(440.0, 44_100, 88_200)[:80_000, 0])
    assert first.read(cut).shape == (2, 88_200)
    assert first.hits == {"drum_snare_soft", "jazz_ride"}


def test_damaged_banks_are_refused(tmp_path: Path) -> None:
    """A bank that is missing, cut short, changed or of another kind is told from a good one."""
    path = tmp_path / "sounds.bank"
    with pytest.raises(BankUnusable, match="not installed"):
        installed(path)
    tone_bank(path)
    content = path.read_bytes()
    assert installed(path) is installed(path)
    changed = bytearray(content)
    changed[-1000] ^= 1
    for other, problem in ((content[:-5], "damaged"), (bytes(changed), "damaged"),
                           (b"RIFF" + content, "another format"), (b"", "another")):  # fmt: skip
        path.write_bytes(other)
        with pytest.raises(BankUnusable, match=problem):
            Bank(path)


def test_soundfonts_are_cut(tmp_path: Path) -> None:
    """Zones, tuning, loops and envelopes of a font come out as they were put in."""
    small_soundfont(tmp_path / "small.sf2")
    font = SoundFont(tmp_path / "small.sf2")
    assert font.presets() == {(0, 5): "Tones"}
    assert font.info["INAM"] == "Tones"
    (low, low_frames), (high, high_frames) = cut_preset(font, Preset(5, 40, 80, 4, 1.0))
    assert (low.low_key, low.high_key, high.low_key, high.high_key) == (0, 60, 61, 127)
    assert (low.root, high.root) == (48.0, 72.5)
    assert low.envelope.decay_s == pytest.approx(2.0)
    assert low.envelope.release_s == pytest.approx(1.0)
    assert low.loop is not None
    assert low.loop[1] == len(low_frames)
    assert high.loop is None
    assert high_frames[-1, 0] == 0
    assert abs(cents_off(low_frames[:, 0].astype(float), 48.0, low.rate_hz)) < 1
    assert abs(cents_off(high_frames[:, 0].astype(float), 72.5, high.rate_hz)) < 2
    (tmp_path / "not.sf2").write_bytes(b"nothing of the kind")
    with pytest.raises(ValueError, match="no SoundFont"):
        SoundFont(tmp_path / "not.sf2")


def test_hits_begin_at_once_and_end_in_silence() -> None:
    """Silence before a drum is cut, its end faded, its level brought up."""
    sound = np.zeros((30_000, 2))
    sound[9000:25_000] = 0.1 * np.exp(-np.arange(16_000) / 4000)[:, None]
    short = shorten(sound, 0.2)
    assert len(short) == round(0.2 * RATE_HZ)
    assert int(np.abs(short[:, 0]).argmax()) <= 20
    assert 28_000 < np.abs(short).max() < 30_000
    assert abs(int(short[-1, 0])) < 20


def test_only_the_pinned_package_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another file under the package's name is refused, and so is a registry without a client."""
    package = Package("npm", "sounds", "1.0.0", "sounds-1.0.0.tgz", "0" * 64)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SourceUnavailable, match="npm"):
        fetch(package, tmp_path)
    (tmp_path / package.file).write_bytes(b"something else")
    with pytest.raises(SourceUnavailable, match="pinned"):
        fetch(package, tmp_path)


def test_build_says_why_it_cannot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without its packages the command ends with its own status and leaves no bank."""
    (tmp_path / recipe.FONT_PACKAGE.file).write_bytes(b"half a download")
    monkeypatch.setenv("PATH", str(tmp_path))
    status = build.main(["--out", str(tmp_path / "out"), "--packages", str(tmp_path)])
    assert status == build.UNAVAILABLE
    assert "synths alone" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_pieces_say_which_sounds_played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The decisions name the bank, or say that there is none; both make music."""
    monkeypatch.setattr(bank_file, "BANK_PATH", tmp_path / "none.bank")
    plain = make(tmp_path, "jazz trio", 6.0, 3)
    assert plain.generation.decisions["sounds"]["bank"] == ""
    assert "Synthesised voices" in plain.generation.decisions["sounds"]["note"]
    monkeypatch.setattr(bank_file, "BANK_PATH", tmp_path / "some.bank")
    digest = tone_bank(tmp_path / "some.bank").digest
    mixed = make(tmp_path, "jazz trio", 6.0, 3)
    assert mixed.generation.decisions["sounds"] == {"bank": digest}
    assert mixed.sha256 != plain.sha256
    assert mixed.sha256 == make(tmp_path, "jazz trio", 6.0, 3).sha256


def test_real_packages_give_the_bank(real: Path) -> None:
    """All that instruments and kits ask for is there; small, quick to open, the same again."""
    path = real / "out" / "sounds.bank"
    assert path.stat().st_size < 20e6
    began_s = time.perf_counter()
    bank = Bank(path)
    assert time.perf_counter() - began_s < 0.3
    assert {manner.source for manner in MANNERS.values()} <= set(bank.instruments)
    wanted = {name for hits in KIT_HITS.values() for names, _ in hits.values() for name in names}
    assert wanted <= bank.hits
    content = path.read_bytes()
    assert build.main(["--out", str(real / "out"), "--packages", str(real / "packages")]) == 0
    assert path.read_bytes() == content
    for name, words in (("NOTICES.txt", "Frank Wen"), ("soundfont-license.txt", "Permission is"),
                        ("soundfont-package.txt", "FluidR3"), ("hits-license.txt", "CC0"),
                        ("hits-provenance.txt", "freesound")):  # fmt: skip
        assert words in (real / "out" / name).read_text(encoding="utf-8")


def test_real_instruments_are_in_tune_clean_and_sized_alike(real: Path) -> None:
    """Each recorded instrument: a usable level, no click, no offset, its pitch within 15 cents."""
    bank = Bank(real / "out" / "sounds.bank")
    for name, manner in MANNERS.items():
        deep = "bass" in name or name == "low_strings"
        pitch = 45 if deep else 57 if name in ("cello", "trombone", "french_horn") else 69
        note = make_voice(name, random, bank).play(pitch, RATE_HZ, 0.9, 0)
        assert np.isfinite(note).all(), name
        assert np.abs(note[:, 0]).max() < 0.03, name
        assert np.abs(note[:, -1]).max() < 0.003, name
        assert abs(float(note.mean())) < 0.004, name
        assert 0.02 < level(note[:, : RATE_HZ // 2]) < 0.3, name
        assert np.abs(note).max() < 1.2, name
        best = min(
            abs(cents_off(note.mean(axis=0)[:RATE_HZ], pitch + shift)) for shift in (0, 12, 19.02)
        )
        assert best < 15, (name, manner.source, best)


def test_real_kits_play_every_drum(real: Path) -> None:
    """Recorded drums start on time and keep the kits' levels."""
    bank = Bank(real / "out" / "sounds.bank")
    for name, hits in KIT_HITS.items():
        assert name in KITS
        kit, plain = DrumKit(name, random, bank), DrumKit(name, random)
        for sound in hits:
            for turn in range(3):
                hit, other = (each.hit(sound, 1.0, turn)[0][0] for each in (kit, plain))
                assert np.abs(hit).max() < 1.2
                assert np.abs(hit[-1]) < 0.01
                begin = int(np.argmax(np.abs(hit) > 0.3 * np.abs(hit).max()))
                assert begin < 0.02 * RATE_HZ, (name, sound)
                ratio_db = 20 * np.log10(np.linalg.norm(hit) / np.linalg.norm(other))
                assert abs(ratio_db) < 5, (name, sound)
