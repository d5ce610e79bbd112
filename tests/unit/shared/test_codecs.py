"""Audio files: what is written is what is read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from musicgen.audio import codecs
from musicgen.audio.codecs import AudioReader, AudioWriter, Format, probe
from musicgen.errors import InvalidAudio, UnsupportedFormat

pytestmark = pytest.mark.unit


def tone(frames: int) -> codecs.Samples:
    """Return a stereo tone, [frames, 2]."""
    left = 0.5 * np.sin(np.arange(frames) * 0.06)
    return np.stack([left, -left], axis=1).astype(np.float32)


@pytest.mark.parametrize("format", list(Format))
def test_round_trip(tmp_path: Path, format: Format) -> None:
    """Every format keeps rate, channels, length and place; lossless ones keep the samples."""
    path, samples = tmp_path / "x", tone(100_003)
    rate_hz = 48_000 if format is Format.OPUS else 44_100
    with AudioWriter(path, format, rate_hz, 2) as writer:
        writer.write(samples)
    facts = probe(path)
    assert (facts.format, facts.sample_rate_hz, facts.channels) == (format, rate_hz, 2)
    assert facts.duration_frames == len(samples)
    assert facts.duration_s == pytest.approx(100_003 / rate_hz)
    with AudioReader(path) as reader:
        assert reader.bits == 16
        read = np.concatenate(list(reader.blocks(10_000)))
        reader.seek(0)
        np.testing.assert_allclose(reader.read(200_000), read, atol=1e-5)
    if format.lossless:
        np.testing.assert_allclose(read, samples, atol=1 / 32_767)
    else:
        assert len(read) == len(samples)
        error = read[5_000:-5_000] - samples[5_000:-5_000]
        assert np.sqrt(np.mean(error**2)) < 0.05 * np.sqrt(np.mean(samples**2))


@pytest.mark.parametrize("format", list(Format))
def test_a_seek_leads_to_the_same_samples(tmp_path: Path, format: Format) -> None:
    """What is read after a seek is what is read there without one, noise included."""
    path = tmp_path / "x"
    noise = np.random.default_rng(1).uniform(-0.5, 0.5, (200_000, 2)).astype(np.float32)
    with AudioWriter(path, format, 48_000, 2) as writer:
        writer.write(noise)
    with AudioReader(path) as reader:
        whole = np.concatenate(list(reader.blocks()))
        for frame in (150_001, 3, 77_777, 0, 199_000, 120_345):
            reader.seek(frame)
            read = reader.read(2_000)
            np.testing.assert_allclose(read, whole[frame : frame + 2_000], atol=1e-5)


def test_opus_becomes_48_khz(tmp_path: Path) -> None:
    """Audio of a rate that Opus lacks is resampled: in phase, and to the exact length."""
    seconds = np.arange(100_003) / 44_100
    sweep = 0.5 * np.sin(2 * np.pi * (200 + 100 * seconds) * seconds)
    path = tmp_path / "x.opus"
    with AudioWriter(path, Format.OPUS, 44_100, 1) as writer:
        for block in np.array_split(sweep.astype(np.float32)[:, None], 7):
            writer.write(block)
    assert probe(path).sample_rate_hz == 48_000 == codecs.written_rate_hz(44_100, Format.OPUS)
    seconds = np.arange(round(100_003 * 48_000 / 44_100)) / 48_000
    expected = 0.5 * np.sin(2 * np.pi * (200 + 100 * seconds) * seconds)
    with AudioReader(path) as reader:
        read = reader.read(1_000_000)[:, 0]
    assert len(read) == len(expected)
    assert np.sqrt(np.mean((read - expected)[5_000:-5_000] ** 2)) < 0.01


@pytest.mark.parametrize(
    ("format", "rate_hz", "channels"),
    [
        (Format.MP3, 96_000, 2),
        (Format.MP3, 44_100, 3),
        (Format.OPUS, 48_000, 3),
        (Format.OGG, 48_000, 6),
        (Format.M4A, 44_100, 3),
        (Format.M4A, 192_000, 2),
        (Format.FLAC, 44_100, 9),
    ],
)
def test_what_a_format_can_not_hold(
    tmp_path: Path, format: Format, rate_hz: int, channels: int
) -> None:
    """Rates and channels that a format lacks are refused before a file is made."""
    with pytest.raises(UnsupportedFormat) as refused:
        AudioWriter(tmp_path / "x", format, rate_hz, channels)
    assert "Choose" in refused.value.remedy
    assert not (tmp_path / "x").exists()


def test_beyond_full_scale_is_clipped_not_wrapped(tmp_path: Path) -> None:
    """Samples beyond full scale are clipped."""
    with AudioWriter(tmp_path / "x.wav", Format.WAV, 8_000, 1) as writer:
        writer.write(np.array([[2.0], [-2.0]], np.float32))
    with AudioReader(tmp_path / "x.wav") as reader:
        assert reader.read(2).ravel() == pytest.approx([1.0, -1.0], abs=1e-4)


def test_a_long_wav_is_rf64(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A WAV that would outgrow its 32-bit sizes is written as RF64."""
    monkeypatch.setattr(codecs, "RIFF_LIMIT_BYTES", 1000)
    with AudioWriter(tmp_path / "x.wav", Format.WAV, 44_100, 2, expected_frames=1000) as writer:
        writer.write(tone(1000))
    assert soundfile.info(tmp_path / "x.wav").format == "RF64"
    assert probe(tmp_path / "x.wav").format is Format.WAV


@pytest.mark.parametrize("content", [b"", b"not audio", b"RIFF\x00\x00\x00\x00WAVE"])
def test_garbage_is_invalid_audio(tmp_path: Path, content: bytes) -> None:
    """What can't be read is said to be so."""
    (tmp_path / "x").write_bytes(content)
    for name in ("x", "missing"):
        with pytest.raises(InvalidAudio) as refused:
            probe(tmp_path / name)
        assert str(tmp_path) not in refused.value.message


def test_broken_audio_is_invalid_audio(tmp_path: Path) -> None:
    """Audio that breaks off in the middle is said to be broken, without the file's path."""
    path = tmp_path / "x.flac"
    with AudioWriter(path, Format.FLAC, 44_100, 2) as writer:
        writer.write(tone(100_000))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2] + bytes(1000))
    with pytest.raises(InvalidAudio) as refused, AudioReader(path) as reader:
        for _ in reader.blocks():
            pass
    assert str(tmp_path) not in refused.value.message
