"""AAC in a process of its own: files of others, broken files, and its end."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from musicgen.audio import aac
from musicgen.audio.codecs import AudioReader, AudioWriter, Format, Samples, probe
from musicgen.errors import InvalidAudio, UnsupportedFormat

pytestmark = pytest.mark.unit

FRAMES = 100_003
FRAGMENTS = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}


def sweep(frames: int = FRAMES) -> Samples:
    """Return a rising tone in stereo, each moment of which is like no other, [frames, 2]."""
    left = 0.4 * np.sin(np.arange(frames) * (0.01 + 1e-6 * np.arange(frames)))
    return np.stack([left, -left], axis=1).astype(np.float32)


def foreign(
    path: Path, codec: str = "aac", options: Mapping[str, str] | None = None, *, video: bool = False
) -> Path:
    """Write the sweep with FFmpeg's own muxer."""
    with av.open(str(path), "w", options=dict(options or {})) as file:
        stream: Any = file.add_stream(codec, rate=44_100)
        if video:
            pictures: Any = file.add_stream("mpeg4", rate=25)
            pictures.width = pictures.height = 16
            black = av.VideoFrame(16, 16, "yuv420p")
            file.mux(pictures.encode(black))
            file.mux(pictures.encode(None))
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(sweep().T), format="fltp", layout="stereo"
        )
        frame.sample_rate, frame.pts = 44_100, 0
        packed = av.AudioResampler(format=stream.codec_context.format).resample(frame)
        for one in packed:
            file.mux(stream.encode(one))
        file.mux(stream.encode(None))
    return path


def late_frames(path: Path) -> int:
    """Read a file and return by how many frames its sound lags behind the sweep."""
    with AudioReader(path) as reader:
        read = np.concatenate(list(reader.blocks(10_007)))[:, 0]
    size = 1 << 18
    spectrum = np.fft.rfft(read, size) * np.conj(np.fft.rfft(sweep()[:, 0], size))
    lag = int(np.argmax(np.fft.irfft(spectrum, size)))
    return lag if lag < size // 2 else lag - size


@pytest.mark.parametrize("expected_frames", [0, FRAMES, 7])
def test_our_own_files_are_exact(tmp_path: Path, expected_frames: int) -> None:
    """The length and the place are right, however well the length was foretold."""
    path = tmp_path / "x.m4a"
    with AudioWriter(path, Format.M4A, 44_100, 2, expected_frames=expected_frames) as writer:
        writer.write(sweep())
    assert probe(path).duration_frames == FRAMES
    assert late_frames(path) == 0


@pytest.mark.parametrize(
    ("codec", "options"),
    [("aac", {}), ("aac", {"movflags": "faststart"}), ("alac", {}), ("aac", {"use_editlist": "0"})],
)
def test_files_of_others(tmp_path: Path, codec: str, options: dict[str, str]) -> None:
    """AAC and ALAC by another muxer are read from where their sound begins; only AAC is
    what the studio writes."""
    path = foreign(tmp_path / "x.m4a", codec, options)
    facts = probe(path)
    assert facts.format is (Format.M4A if codec == "aac" else None)
    assert (facts.sample_rate_hz, facts.channels) == (44_100, 2)
    delay = 1024 if options.get("use_editlist") else 0  # nothing says that it is one
    assert facts.duration_frames == FRAMES + delay
    assert late_frames(path) == delay


def test_fragments_are_read(tmp_path: Path) -> None:
    """A file in fragments, as streams are, is read whole: at most a frame is too much."""
    path = foreign(tmp_path / "x.mp4", options=FRAGMENTS)
    assert 0 <= probe(path).duration_frames - FRAMES <= 2048
    assert late_frames(path) in (0, 1024)


def test_adts_is_read(tmp_path: Path) -> None:
    """Bare AAC frames are read from their first one on, and can be seeked in."""
    path = foreign(tmp_path / "x.aac")
    assert probe(path).format is None
    assert late_frames(path) == 1024
    with AudioReader(path) as reader:
        whole = reader.read(1_000_000)
        assert len(whole) == reader.properties.duration_frames
        for frame in (70_000, 5):
            reader.seek(frame)
            # FFmpeg's own settings leave some noise for the decoder to invent.
            np.testing.assert_allclose(reader.read(1000), whole[frame : frame + 1000], atol=0.01)


def test_sound_of_a_video(tmp_path: Path) -> None:
    """The sound of a video is read, but it is no format that the studio writes."""
    path = foreign(tmp_path / "x.mp4", video=True)
    assert probe(path).format is None
    assert late_frames(path) == 0


def test_other_codecs_are_refused(tmp_path: Path) -> None:
    """Of all that an MP4 may hold only AAC and ALAC are decoded."""
    with pytest.raises(InvalidAudio, match="AAC"):
        probe(foreign(tmp_path / "x.mp4", "ac3"))


@pytest.mark.parametrize("cut", ["tables", "sound", "garbage", "head"])
def test_broken_files_are_invalid_audio(tmp_path: Path, cut: str) -> None:
    """A file that is cut off or garbled is refused, at once or while it is read, and
    nobody is told where it lies."""
    path = foreign(tmp_path / "x.m4a", options={"movflags": "faststart"})
    content = bytearray(path.read_bytes())
    if cut == "tables":
        content = content[:400]
    elif cut == "sound":
        content = content[: len(content) // 2]
    elif cut == "garbage":
        place = content.index(b"mdat") + 5000
        content[place : place + 5000] = np.random.default_rng(1).bytes(5000)
    else:
        content = content[:12]
    path.write_bytes(content)
    with pytest.raises(InvalidAudio) as refused, AudioReader(path) as reader:
        for _ in reader.blocks():
            pass
    assert str(tmp_path) not in refused.value.message


def test_without_the_extra_the_remedy_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without PyAV M4A is refused with what to install; everything else works."""
    path = foreign(tmp_path / "x.m4a")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)  # noqa: ARG005 - none is found
    for work in (
        lambda: probe(path),
        lambda: AudioWriter(tmp_path / "y.m4a", Format.M4A, 44_100, 2),
    ):
        with pytest.raises(UnsupportedFormat) as refused:
            work()
        assert "musicgen-local[m4a]" in refused.value.remedy
    assert not (tmp_path / "y.m4a").exists()
    with AudioWriter(tmp_path / "y.ogg", Format.OGG, 44_100, 2) as writer:
        writer.write(sweep())
    assert probe(tmp_path / "y.ogg").duration_frames == FRAMES


@pytest.mark.parametrize("command", ["encode", "decode"])
def test_the_process_ends_with_its_pipe(tmp_path: Path, command: str) -> None:
    """When whoever asked is gone, so is the process, without a word."""
    arguments = ["44100", "2", "192000"]
    if command == "decode":
        arguments = [str(foreign(tmp_path / "x.m4a")), "mov"]
    done = subprocess.run(
        [sys.executable, "-m", "musicgen.audio.aac_process", command, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.startswith(b"H")
    assert not done.stderr


def test_a_killed_process_is_an_error(tmp_path: Path) -> None:
    """If the process dies, the decoder says InvalidAudio and the encoder OSError; neither
    waits for ever."""
    decoder = aac.Decoder(foreign(tmp_path / "x.m4a"), "mov")
    decoder._process._process.kill()
    decoder._process._process.wait()
    with pytest.raises(InvalidAudio):
        decoder.read(100)
    decoder.close()
    encoder = aac.Encoder(44_100, 2, 192_000)
    encoder._process._process.kill()
    encoder._process._process.wait()
    with pytest.raises(OSError, match="AAC"):
        encoder.encode(sweep(10_000))
    encoder.close()
    encoder.close()


def test_a_failed_write_leaves_no_process(tmp_path: Path) -> None:
    """A folder that isn't there, or an error while writing, ends the encoder."""
    with pytest.raises(OSError, match="No such file"):
        AudioWriter(tmp_path / "no" / "x.m4a", Format.M4A, 44_100, 2)
    writer = AudioWriter(tmp_path / "x.m4a", Format.M4A, 44_100, 2)
    assert writer._m4a is not None
    process = writer._m4a._encoder._process._process
    with pytest.raises(RuntimeError), writer:
        raise RuntimeError
    assert process.returncode is not None
