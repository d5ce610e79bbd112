"""The voices and the effects, one by one."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import signal

from services.inference.engines.composer.effects import (
    Amplifier,
    Delayed,
    Ducker,
    PingPong,
    Widener,
)
from services.inference.engines.composer.reverb import Room, make_room
from services.inference.engines.composer.streams import Streams
from services.inference.engines.composer.synth.drums import KITS, DrumKit
from services.inference.engines.composer.synth.filters import (
    Filter,
    high_shelf,
    highpass,
    low_shelf,
    lowpass,
    peak,
)
from services.inference.engines.composer.synth.instruments import NAMES, make_voice
from services.inference.engines.composer.synth.tables import level, sine
from services.inference.engines.composer.texture import LEVELS_DB, looped, make_texture
from services.inference.engines.composer.theory import frequency_hz
from tests.unit.composer.measure import RATE_HZ

pytestmark = pytest.mark.unit


def random(key: object) -> np.random.Generator:
    """A stream for a sound."""
    return Streams(1, "synth").layer(key)


@pytest.mark.parametrize("name", sorted(NAMES))
def test_voices_are_in_tune_clean_and_sized_alike(name: str) -> None:
    """A note has its pitch, no click at either end, no offset, and a usable level."""
    bass = "bass" in name or name == "low_strings"
    pitch = 45 if bass else 69
    note = make_voice(name, random).play(pitch, RATE_HZ, 0.9, 0)
    assert note.dtype == np.float32
    assert note.ndim == 2
    assert note.shape[0] in {1, 2}
    assert RATE_HZ // 4 < note.shape[1] <= 3 * RATE_HZ
    assert np.isfinite(note).all()
    assert np.abs(note[:, 0]).max() < 0.03
    assert np.abs(note[:, -1]).max() < 0.003
    assert abs(float(note.mean())) < 0.004
    assert 0.02 < level(note[:, : RATE_HZ // 2]) < 0.3
    # The strongest partial is the fundamental or a harmonic of it, within 12 cents.
    mono = note.mean(axis=0)[:RATE_HZ]
    spectrum = np.abs(np.fft.rfft(mono * np.hanning(len(mono)), 8 * RATE_HZ))
    found_hz = float(spectrum[: 8 * 5000].argmax()) / 8
    harmonic = max(1, round(found_hz / frequency_hz(pitch)))
    cents = 1200 * math.log2(found_hz / (harmonic * frequency_hz(pitch)))
    assert abs(cents) < 12


@pytest.mark.parametrize("name", sorted(KITS))
def test_kits_play_every_drum(name: str) -> None:
    """Each drum sounds, ends in silence, and a soft hit is softer."""
    kit = DrumKit(name, random)
    for sound in ("kick", "snare", "clap", "hat", "open_hat", "pedal_hat", "ride", "crash",
                  "rim", "shaker", "tom", "brush", "riser", "swell"):  # fmt: skip
        loud, _, _ = kit.hit(sound, 1.0, 0)
        soft, _, _ = kit.hit(sound, 0.3, 0)
        assert 0.01 < np.abs(loud).max() < 1.2
        assert np.abs(soft).max() < 0.5 * np.abs(loud).max()
        assert np.abs(loud[:, -1]).max() < 0.01


def test_sine_table_is_precise() -> None:
    """The table is as good as -80 dB."""
    cycles = np.linspace(-3, 5, 10_001)
    assert np.abs(sine(cycles) - np.sin(2 * np.pi * cycles)).max() < 1.1e-4


@pytest.mark.parametrize(
    ("row", "hz", "gain_db"),
    [
        (lowpass(1000.0), 4000.0, -24.5),
        (highpass(1000.0), 100.0, -40.0),
        (peak(1000.0, 6.0), 1000.0, 6.0),
        (low_shelf(200.0, -4.0), 20.0, -4.0),
        (high_shelf(2000.0, 5.0), 20_000.0, 5.0),
    ],
)
def test_filters_do_what_they_say(row: tuple[float, ...], hz: float, gain_db: float) -> None:
    """The response at a frequency is the one asked for."""
    _, response = signal.sosfreqz([row], [hz], fs=RATE_HZ)
    assert 20 * np.log10(abs(response[0])) == pytest.approx(gain_db, abs=1.5)


def test_filters_don_t_mind_blocks() -> None:
    """Two blocks give what one gives."""
    noise = random("noise").standard_normal((2, 1000)).astype(np.float32)
    whole = Filter(lowpass(500.0))(noise)
    half = Filter(lowpass(500.0))
    assert np.array_equal(
        whole, np.concatenate((half(noise[:, :300]), half(noise[:, 300:])), axis=1)
    )


def test_room_is_a_convolution() -> None:
    """Blocks through the room equal the plain convolution."""
    response = make_room(0.4, random("room"))
    noise = random("noise").standard_normal((2, 30_000)).astype(np.float32)
    room = Room(response)
    wet = np.concatenate([room(noise[:, i : i + 7000]) for i in range(0, 30_000, 7000)], axis=1)
    expected = signal.fftconvolve(noise, response, axes=1)[:, :30_000]
    assert np.abs(wet - expected).max() < 1e-4
    energies = (response.astype(np.float64) ** 2).sum(axis=1)
    shared = float((response[0] * response[1]).sum()) / float(energies.min())
    assert abs(shared) < 0.3


def test_effects_keep_time() -> None:
    """Delays delay, the ducker ducks at the kick, the widener vanishes in mono."""
    click = np.zeros((2, 5000), np.float32)
    click[:, 10] = 1.0
    assert Delayed(100)(click)[0].argmax() == 110
    assert np.abs(PingPong(1000, 0.5)(click)[0]).argmax() >= 1010
    ducked = Ducker([2000], -12.0, 0.03)(np.ones((2, 5000), np.float32), 0)
    assert ducked[0, 1999] == 1.0
    assert ducked[0].min() == pytest.approx(10 ** (-12 / 20), rel=0.02)
    wide = Widener(0.5, 10.0)(click)
    assert np.allclose(wide.sum(axis=0), click.sum(axis=0), atol=1e-6)
    assert np.abs(wide[0] - wide[1]).max() > 0.1
    assert np.abs(Amplifier(9.0)(click)).max() < 1.0


@pytest.mark.parametrize("name", sorted(LEVELS_DB))
def test_textures_loop_without_a_seam(name: str) -> None:
    """The step over the loop's end is no larger than steps elsewhere."""
    loop = make_texture(name, random(name))
    assert level(loop) == pytest.approx(1.0, rel=1e-3)
    steps = np.abs(loop[:, 1:] - loop[:, :-1])
    seam = np.abs(loop[:, 0] - loop[:, -1]).max()
    assert seam <= np.percentile(steps, 99.99)
    end = loop.shape[1]
    assert np.array_equal(looped(loop, end - 5, 10)[:, 5:], loop[:, :5])
