"""Timelines of synthetic music, and writing them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from musicgen.audio.codecs import Samples
from services.looper.rendering import layout
from services.looper.rendering.layout import Layout
from services.looper.rendering.sink import Sink
from services.looper.rendering.splice import Encoding, Method, Rendered
from services.looper.rendering.tagging import LoopRegion, Tags
from services.looper.rendering.timeline import Timeline
from services.looper.stretches import Held

Write = Callable[[Timeline, Sink, Tags, LoopRegion | None, Encoding], Rendered]

TAGS = Tags((("TITLE", "Für immer"), ("ARTIST", "A.N.")))


def shorten_units(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make units of 5 s instead of a minute, and rests of 1 s: less to encode, the same
    joints."""
    monkeypatch.setattr(layout, "UNIT_S", 5)
    monkeypatch.setattr(layout, "LEAST_REST_S", 1)


def music(frames: int, channels: int = 2, rate_hz: int = 44_100) -> Samples:
    """Return plucked notes and hits that go on at the start where they end."""
    rng = np.random.default_rng(frames)
    out = np.zeros((frames, channels))
    for start in range(0, frames, rate_hz // 6):
        time_s = np.arange(min(frames, rate_hz)) / rate_hz
        pitch_hz = 110 * 2 ** (rng.integers(36) / 12)
        note = np.sin(2 * np.pi * pitch_hz * time_s) + 0.3 * np.sin(7 * np.pi * pitch_hz * time_s)
        hit = rng.standard_normal(len(time_s)) * np.exp(-80 * time_s)
        sound = (note * np.exp(-5 * time_s) + 0.3 * hit) * np.minimum(1, 400 * time_s)
        places = (start + np.arange(len(sound))) % frames
        out[places] += sound[:, None] * rng.uniform(0.05, 0.2, channels)
    return out.astype(np.float32)


def timeline(
    cycle: Samples,
    repeats: int,
    *,
    head: int = 20_000,
    ending: int = 7_000,
    rate_hz: int = 44_100,
    outro: Samples | None = None,
) -> Timeline:
    """Return a render of a cycle that begins and ends within it."""
    before = np.resize(cycle, (len(cycle) * (head // len(cycle) + 1), cycle.shape[1]))
    length = head + repeats * len(cycle) + ending
    return Timeline(
        rate_hz,
        cycle.shape[1],
        16,
        Held(before[len(before) - head :]),
        Held(cycle),
        repeats,
        length,
        200,
        None if outro is None else Held(outro),
    )


def written(
    write: Write, what: Timeline, path: Path, loop: LoopRegion | None = None
) -> tuple[Method, bytes]:
    """Write a timeline to `path` and return how that was done, and the file."""
    with Sink(path, lambda _: None) as sink:
        rendered = write(what, sink, TAGS, loop, lambda _: None)
    return rendered.method, path.read_bytes()


def joints(where: Layout) -> list[tuple[int, int]]:
    """Return the samples at which units and the ending start, and how much of the cycle has
    been heard by then, in frames of the source."""
    found = [(where.joint, where.lead_source)]
    for frames in where.stretches:
        sample, source = found[-1]
        unit = (frames + where.rest_frames) * where.codec.frame_samples
        found.append((sample + unit, source + where.unit_source))
    found[-1] = where.ending_joint, where.ending_phase_source
    return found


def snr_db(heard: Samples, meant: Samples) -> float:
    """Return how far the error is below the music."""
    error = np.sum((heard.astype(np.float64) - meant) ** 2)
    return float(10 * np.log10(np.sum(meant.astype(np.float64) ** 2) / max(error, 1e-20)))


def lag(heard: Samples, meant: Samples) -> int:
    """Return how many frames late a stretch is, by cross-correlation."""
    size = 2 * len(heard)
    one, other = np.fft.rfft(heard[:, 0], size), np.fft.rfft(meant[:, 0], size)
    place = int(np.argmax(np.fft.irfft(one * np.conj(other))))
    return place if place < size // 2 else place - size
