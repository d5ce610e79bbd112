"""Files that are no music, broken, or unusual: a verdict, a clear error, or a loop."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from musicgen.audio.codecs import AudioReader, Format, probe
from musicgen.errors import InvalidAudio, NoLoopFound, StudioError, UnsupportedFormat
from services.looper.loops import Cycle
from services.looper.rendering.planning import Ending
from services.looper.work import render_loop
from tests.unit.looper import signals
from tests.unit.looper.files import best_loop, empty_store, ignore, order, write

pytestmark = pytest.mark.unit

RATE_HZ = 44_100
PERIOD = 200_003


def music_file(path: Path, subtype: str, period: int, rate_hz: int, channels: int) -> Path:
    """Write two and a half cycles of a kind that our own writer doesn't make."""
    signal, _ = signals.music(period, 2.5, rate_hz=rate_hz, channels=channels, bars=4)
    soundfile.write(path, signal, rate_hz, subtype=subtype)
    return path


@pytest.mark.parametrize("length_s", [1.0, 1.5, 3.0, 6.0])
def test_a_few_seconds_of_noise_have_no_loop(tmp_path: Path, length_s: float) -> None:
    """A file too short for any comparison gets the verdict."""
    with pytest.raises(NoLoopFound):
        best_loop(write(tmp_path / "a.wav", signals.noise(length_s)))


def test_silence_has_no_loop(tmp_path: Path) -> None:
    """The verdict names it."""
    with pytest.raises(NoLoopFound, match="silent") as refused:
        best_loop(write(tmp_path / "a.wav", np.zeros((10 * RATE_HZ, 2), np.float32)))
    assert refused.value.remedy


@pytest.mark.parametrize("level", [1.0, -0.5, 0.001])
def test_a_constant_has_no_loop(tmp_path: Path, level: float) -> None:
    """Nothing sounds in it, however far from zero it lies."""
    with pytest.raises(NoLoopFound):
        best_loop(write(tmp_path / "a.wav", np.full((10 * RATE_HZ, 2), level, np.float32)))


def test_half_a_second_is_refused(tmp_path: Path) -> None:
    """It can't hold a loop, and the error says so; with points given, too."""
    path = write(tmp_path / "a.wav", signals.noise(0.5))
    with pytest.raises(InvalidAudio, match=r"0\.50 s long") as refused:
        best_loop(path)
    assert refused.value.remedy
    store = empty_store(tmp_path)
    with pytest.raises(InvalidAudio, match=r"0\.50 s long"):
        render_loop(order(path, Cycle(0, 22_050)), store, "a", ignore)
    assert list(store.root.iterdir()) == []


@pytest.mark.parametrize("rate_hz", [1, 40, 999, 700_000])
def test_a_rate_that_no_music_has_is_refused(tmp_path: Path, rate_hz: int) -> None:
    """Such a file is INVALID_AUDIO with a remedy, not a defect."""
    soundfile.write(tmp_path / "a.wav", np.full((2 * rate_hz, 2), 0.5, np.float32), rate_hz)
    with pytest.raises(InvalidAudio, match="sample rate") as refused:
        best_loop(tmp_path / "a.wav")
    assert refused.value.remedy


@pytest.mark.parametrize(
    ("subtype", "rate_hz", "channels"),
    [
        ("PCM_U8", RATE_HZ, 2),
        ("PCM_24", 192_000, 2),
        ("PCM_16", RATE_HZ, 6),
        ("DOUBLE", 8_000, 1),
        ("ULAW", RATE_HZ, 1),
    ],
    ids=["8 bits", "192 kHz", "six channels", "8 kHz of doubles", "u-law"],
)
def test_unusual_files_loop_like_any_other(
    tmp_path: Path, subtype: str, rate_hz: int, channels: int
) -> None:
    """Found to the frame, and rendered with the source's rate and channels."""
    period = round(4.535 * rate_hz)
    path = music_file(tmp_path / "a.wav", subtype, period, rate_hz, channels)
    store = empty_store(tmp_path)
    rendered = render_loop(order(path, None, cycles=3), store, "a.wav", ignore)
    assert abs(rendered.candidate.cycle.period_frames - period) <= (1 if subtype == "ULAW" else 0)
    facts = probe(store.existing("a.wav"))
    assert (facts.sample_rate_hz, facts.channels) == (rate_hz, channels)
    assert facts == rendered.properties


@pytest.mark.parametrize("rate_hz", [1_000, 384_000])
def test_the_lowest_and_the_highest_rate_render(tmp_path: Path, rate_hz: int) -> None:
    """A second of noise at either is enough for points that were given."""
    soundfile.write(tmp_path / "a.wav", signals.noise(1.0, rate_hz), rate_hz)
    cycle = Cycle(rate_hz // 10, rate_hz * 7 // 10)
    rendered = render_loop(
        order(tmp_path / "a.wav", cycle, cycles=3), empty_store(tmp_path), "a.wav", ignore
    )
    assert rendered.properties.duration_frames == cycle.start_frame + 3 * cycle.period_frames


def test_samples_that_are_no_numbers_are_invalid(tmp_path: Path) -> None:
    """NaN, infinity and absurdity in a float file are INVALID_AUDIO, and no render is left."""
    store = empty_store(tmp_path)
    for value in (np.nan, np.inf, -np.inf, 1e30):
        signal = signals.noise(5)
        signal[100_000, 1] = value
        soundfile.write(tmp_path / "a.wav", signal, RATE_HZ, subtype="FLOAT")
        with pytest.raises(InvalidAudio, match="no sound"):
            best_loop(tmp_path / "a.wav")
        with pytest.raises(InvalidAudio, match="no sound"):
            render_loop(order(tmp_path / "a.wav", Cycle(0, 50_000)), store, "a", ignore)
    assert list(store.root.iterdir()) == []


@pytest.mark.parametrize("format", [Format.WAV, Format.MP3, Format.OGG])
@pytest.mark.parametrize("ending", [Ending.CUT, Ending.OUTRO])
def test_they_are_found_wherever_they_are(tmp_path: Path, format: Format, ending: Ending) -> None:
    """Minutes from the cycle, where the intro or the outro holds them, and in any format."""
    signal = signals.noise(100, 8_000)
    signal[-1_000 if ending is Ending.OUTRO else 1_000] = np.nan
    soundfile.write(tmp_path / "a.wav", signal, 8_000, subtype="FLOAT")
    store = empty_store(tmp_path)
    what = order(tmp_path / "a.wav", Cycle(400_000, 408_000), format=format, ending=ending)
    with pytest.raises(InvalidAudio, match="no sound"):
        render_loop(what, store, "a", ignore)
    assert list(store.root.iterdir()) == []


def test_a_rate_that_ogg_can_not_hold_is_refused(tmp_path: Path) -> None:
    """Its encoder would crash, and the service with it."""
    soundfile.write(tmp_path / "a.wav", signals.noise(2.0, 200_001), 200_001)
    store = empty_store(tmp_path)
    what = order(tmp_path / "a.wav", Cycle(0, 200_001), format=Format.OGG)
    with pytest.raises(UnsupportedFormat, match="200,001 Hz"):
        render_loop(what, store, "a", ignore)


def test_a_name_that_is_no_text_can_be_read(tmp_path: Path) -> None:
    """File names are bytes."""
    path = write(tmp_path / "a.wav", signals.music(PERIOD, 2.5, bars=4)[0])
    odd = path.rename(tmp_path / os.fsdecode(b"bad\xff.wav"))
    assert best_loop(odd).cycle.period_frames == PERIOD


def cut_off(path: Path) -> None:
    """Keep the first half of a file."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def promising(path: Path) -> None:
    """Let a WAV file's header promise ten times the audio that follows."""
    data = bytearray(path.read_bytes())
    place = data.index(b"data") + 4
    struct.pack_into("<I", data, place, 10 * int.from_bytes(data[place : place + 4], "little"))
    struct.pack_into("<I", data, 4, 10 * len(data))
    path.write_bytes(data)


def lying(path: Path) -> None:
    """Let a FLAC file's header promise an hour."""
    data = bytearray(path.read_bytes())
    # The low 32 bits of STREAMINFO's number of samples, 14 bytes into it.
    struct.pack_into(">I", data, 8 + 14, 3600 * RATE_HZ)
    path.write_bytes(data)


def scrambled(path: Path) -> None:
    """Overwrite a part of a file's audio."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 4000] = bytes(4000)
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("format", "damage"),
    [(Format.FLAC, cut_off), (Format.FLAC, lying), (Format.FLAC, scrambled)],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_broken_file_is_invalid(
    tmp_path: Path, format: Format, damage: Callable[[Path], None]
) -> None:
    """Half a file is INVALID_AUDIO, not half a loop, and leaves nothing behind."""
    path = write(tmp_path / f"a.{format.extension}", signals.noise(20), format=format)
    damage(path)
    store = empty_store(tmp_path)
    with pytest.raises(InvalidAudio) as refused:
        best_loop(path)
    assert refused.value.remedy
    with pytest.raises(InvalidAudio):
        render_loop(order(path, Cycle(300_000, 800_000)), store, "a", ignore)
    assert [path for path in store.root.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("damage", [cut_off, promising], ids=["cut off", "lying header"])
def test_a_wav_file_is_what_it_holds(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    """A header that promises more than there is changes nothing."""
    signal, _ = signals.music(PERIOD, 4.5, bars=4)
    path = write(tmp_path / "a.wav", signal)
    damage(path)
    with AudioReader(path) as reader:
        held = reader.properties.duration_frames
    assert held <= len(signal)
    best = best_loop(path)
    assert best.cycle.period_frames == PERIOD
    assert best.cycle.end_frame <= held


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"RIFF",
        b"fLaC" + bytes(range(256)) * 40,
        b"This is a text.\n" * 100,
        b"ID3" + bytes(99),
    ],
    ids=["empty", "four bytes", "garbage", "text", "a tag alone"],
)
def test_what_is_no_audio_is_invalid(tmp_path: Path, data: bytes) -> None:
    """Whatever its name says; the error tells no path."""
    path = tmp_path / "a.wav"
    path.write_bytes(data)
    with pytest.raises(InvalidAudio) as refused:
        best_loop(path)
    assert str(tmp_path) not in refused.value.message
    assert refused.value.remedy


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    """A missing file and a folder are errors of ours, not Python's."""
    for path in (tmp_path / "none.wav", tmp_path):
        with pytest.raises(StudioError):
            best_loop(path)
