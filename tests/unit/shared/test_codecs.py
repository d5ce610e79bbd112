"""Audio files: what is written is what is read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from musicgen.audio import codecs
from musicgen.audio.codecs import AudioReader, AudioWriter, Format, probe
from musicgen.errors import InvalidAudio

pytestmark = pytest.mark.unit


def tone(frames: int) -> codecs.Samples:
    """Return a stereo tone, [frames, 2]."""
    left = 0.5 * np.sin(np.arange(frames) * 0.06)
    return np.stack([left, -left], axis=1).astype(np.float32)


@pytest.mark.parametrize("format", list(Format))
def test_round_trip(tmp_path: Path, format: Format) -> None:
    """Every format keeps rate, channels and length; lossless ones keep the samples."""
    path, samples = tmp_path / "x", tone(100_003)
    with AudioWriter(path, format, 44_100, 2) as writer:
        writer.write(samples)
    facts = probe(path)
    assert (facts.format, facts.sample_rate_hz, facts.channels) == (format, 44_100, 2)
    with AudioReader(path) as reader:
        read = np.concatenate(list(reader.blocks(10_000)))
    if format is Format.MP3:
        assert abs(len(read) - len(samples)) <= 2 * 1152
    else:
        assert facts.duration_frames == len(samples)
        assert facts.duration_s == pytest.approx(100_003 / 44_100)
        np.testing.assert_allclose(read, samples, atol=1 / 32_767)


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
