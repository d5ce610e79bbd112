"""The voices that play recordings, with recordings whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from services.inference.engines.composer.sounds.bank import Bank
from services.inference.engines.composer.streams import Streams
from services.inference.engines.composer.synth.drums import DrumKit
from services.inference.engines.composer.synth.instruments import NAMES, make_voice
from services.inference.engines.composer.synth.recorded import LAYERS, MANNERS, STAND_INS
from services.inference.engines.composer.synth.resample import read_at
from services.inference.engines.composer.synth.sampled import Layered, Manner, Sampled
from services.inference.engines.composer.synth.tables import level
from tests.unit.composer.measure import RATE_HZ
from tests.unit.composer.tones import DECAY_S, cents_off, tone_bank

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Bank:
    """A bank of pure tones."""
    return tone_bank(tmp_path_factory.mktemp("bank") / "tones.bank")


def random(key: object) -> np.random.Generator:
    """A stream for a sound."""
    return Streams(1, "sampler").layer("sound", key)


@pytest.mark.parametrize("pitch", [43, 50, 57, 60, 66, 69, 74, 83])
@pytest.mark.parametrize("source", ["held", "dying"])
def test_pitch_is_exact(bank: Bank, source: str, pitch: int) -> None:
    """Whatever the recording's key and rate, the note has its pitch within three cents."""
    note = Sampled(Manner(source, held=source == "held"), bank).play(pitch, 3 * RATE_HZ, 0.9, 0)
    assert abs(cents_off(note[0, : 2 * RATE_HZ], pitch)) < 3


def test_long_note_goes_round_its_loop_without_a_click(bank: Bank) -> None:
    """A note of eight seconds is as smooth and as loud at its end as at its start."""
    note = Sampled(Manner("held", held=True), bank).play(61, 8 * RATE_HZ, 1.0, 0)
    bends = np.abs(np.diff(note[0, 4000 : 8 * RATE_HZ], 2))
    assert bends.max() < 1.05 * np.percentile(bends, 99)
    halves = [level(note[:, at * RATE_HZ : (at + 1) * RATE_HZ]) for at in (1, 4, 7)]
    assert max(halves) < 1.01 * min(halves)
    assert level(note[:, RATE_HZ:-RATE_HZ]) == pytest.approx(0.1, rel=0.05)


def test_notes_fall_as_the_envelope_says(bank: Bank) -> None:
    """After the hold, 100 dB are lost in the decay's time; the release ends in silence."""
    note = Sampled(Manner("dying", release_s=0.1), bank).play(60, 2 * RATE_HZ, 1.0, 0)[0]
    early, late = (level(note[round(at * RATE_HZ) :][:2205]) for at in (0.3, 1.3))
    assert 20 * np.log10(early / late) == pytest.approx(100 / DECAY_S, abs=0.5)
    assert abs(note[0]) < 1e-3
    assert abs(note[-1]) < 1e-5
    rest = Sampled(Manner("dying"), bank).play(60, 60 * RATE_HZ, 1.0, 0)
    assert rest.shape[1] < 6 * RATE_HZ
    assert level(rest[:, -100:]) < 1e-4


def test_short_notes_and_long_ones_begin_alike(bank: Bank) -> None:
    """A sound that was made for a short note gives way to the whole one."""
    voice = Sampled(Manner("struck"), bank)
    short = voice.play(60, 20_000, 0.8, 0)
    long = voice.play(60, 4 * RATE_HZ, 0.8, 0)
    again = voice.play(60, 20_000, 0.8, 0)
    assert short.shape == again.shape
    assert long.shape[1] > 2 * RATE_HZ
    assert np.array_equal(short, again)
    # Left and right stay as they were recorded.
    assert level(long[0]) == pytest.approx(2 * level(long[1]), rel=0.01)


def test_soft_notes_are_softer_and_darker(bank: Bank) -> None:
    """Velocity changes the level and the highs."""
    voice = Sampled(Manner("held", held=True, dark_hz=400.0), bank)
    soft, loud = (voice.play(69, RATE_HZ, velocity, 0)[0, 4000:] for velocity in (0.3, 1.0))
    assert level(soft) < 0.4 * level(loud)
    shares = []
    for note in (soft, loud):
        spectrum = np.abs(np.fft.rfft(note[: RATE_HZ // 2] * np.hanning(RATE_HZ // 2)))
        shares.append(spectrum[655:665].max() / spectrum[215:225].max())
    assert shares[0] < 0.7 * shares[1]


def test_sections_stand_left_and_right(bank: Bank) -> None:
    """Two recordings of one pitch make a wide sound that also sounds in mono."""
    note = Sampled(Manner("section", held=True, wide=True), bank).play(60, 2 * RATE_HZ, 1.0, 0)
    assert note.shape[0] == 2
    assert abs(cents_off(note[0, :RATE_HZ], 60)) < 3
    assert abs(cents_off(note[1, :RATE_HZ], 60)) < 3
    assert level(note[:1] - note[1:]) > 0.01
    assert level(note.mean(axis=0)) > 0.04


def test_vibrato_sways_around_the_pitch(bank: Bank) -> None:
    """The pitch goes up and down by the cents asked for, and is right on the whole."""
    manner = Manner("held", held=True, vibrato_cents=20.0)
    note = Sampled(manner, bank).play(69, 4 * RATE_HZ, 1.0, 0)[0, 2 * RATE_HZ : 4 * RATE_HZ]
    assert abs(cents_off(note, 69)) < 6
    crossings = np.flatnonzero((note[:-1] < 0) & (note[1:] >= 0))
    exact = crossings + note[crossings] / (note[crossings] - note[crossings + 1])
    periods = np.diff(exact[::8]) / 8
    sway = 1200 * np.log2(periods.max() / periods.min())
    assert 25 < sway < 50


def test_reading_faster_keeps_out_what_would_fold_back() -> None:
    """A tone that would land beyond half the rate is gone; one below is where it belongs."""
    high = np.sin(2 * np.pi * 0.42 * np.arange(30_000))[None, :].astype(np.float32)
    assert level(read_at(high, 1.9, 12_000)[:, 100:-100]) < 0.03
    low = np.sin(2 * np.pi * 0.05 * np.arange(30_000))[None, :].astype(np.float32)
    made = read_at(low, 1.37, 20_000)[0, 100:-100]
    truth = np.sin(2 * np.pi * 0.05 * 1.37 * np.arange(20_000))[100:-100]
    assert np.abs(made - truth).max() < 2e-3


def test_one_voice_beside_another_is_as_loud_as_one(bank: Bank) -> None:
    """A layered instrument keeps its level and plays both."""
    recorded = Sampled(Manner("held", held=True), bank)
    layered = Layered(recorded, make_voice("strings", random), 0.4)
    note = layered.play(64, 2 * RATE_HZ, 1.0, 0)
    assert note.shape[0] == 2
    assert level(note[:, RATE_HZ : 2 * RATE_HZ]) == pytest.approx(0.1, rel=0.25)


def test_memory_stays_small(bank: Bank) -> None:
    """Sixty pitches of a stereo instrument with long notes take less than 60 MB."""
    voice = Sampled(Manner("section", held=True, wide=True), bank)
    for pitch in range(36, 96):
        voice.play(pitch, 10 * RATE_HZ, 0.8, 0)
    kept = [sound for sounds in voice._made.values() for sound in sounds]
    assert sum(sound.dark.nbytes + sound.edge.nbytes for sound in kept) < 60e6


def test_without_a_bank_every_instrument_is_synthesised(bank: Bank) -> None:
    """Each name plays without a bank, and with one that hasn't got its recording."""
    assert set(STAND_INS) <= set(MANNERS)
    assert set(LAYERS) <= set(MANNERS) - set(STAND_INS)
    assert set(MANNERS) <= NAMES
    for name in sorted(STAND_INS):
        plain = make_voice(name, random).play(57, 8000, 0.8, 0)
        other = make_voice(STAND_INS[name], random, bank).play(57, 8000, 0.8, 0)
        assert np.array_equal(plain, other)


def test_acoustic_kits_mix_in_recordings(bank: Bank) -> None:
    """A recorded snare changes the jazz kit's snare, keeps its level, and leaves house alone."""
    for name, changes in (("jazz", True), ("house", False)):
        plain, mixed = (DrumKit(name, random, each).hit("snare", 1.0, 0)[0]
                        for each in (None, bank))  # fmt: skip
        assert np.array_equal(plain, mixed) is not changes
        ratio_db = 20 * np.log10(np.linalg.norm(mixed) / np.linalg.norm(plain))
        assert abs(ratio_db) < 1.5
        assert np.array_equal(mixed, DrumKit(name, random, bank).hit("snare", 1.0, 3)[0])
