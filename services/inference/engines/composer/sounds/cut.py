"""Cutting: a few recordings of each preset, made small."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
from scipy import signal

from services.inference.engines.composer.sounds import soundfont as sf
from services.inference.engines.composer.sounds.bank import Cut, Envelope, Shorts
from services.inference.engines.composer.sounds.recipe import Preset
from services.inference.engines.composer.sounds.soundfont import SoundFont, Zone

HIT_RATE_HZ = 44_100
_PEAK = 0.89
_FADE_S = 0.35
_BLEND_S = 0.012
_RISE_FRAMES = 48
_FLAC_FRAMES = 4096
"""How many frames FLAC packs at a time."""
_HIDDEN = 1.0 / 400.0
"""Step of the numbers against the stretch's level: noise 63 dB below it, or less."""


def cut_preset(font: SoundFont, preset: Preset) -> list[tuple[Cut, Shorts]]:
    """Cut one instrument; the cuts cover all keys, from low to high."""
    groups = _groups(font, preset)
    chosen: list[tuple[float, list[Zone]]] = []
    for root, zones in sorted(groups.items()):
        if not preset.low - 6 <= root <= preset.high + 6:
            continue
        if not chosen or root - chosen[-1][0] >= preset.apart - 0.5:
            chosen.append((root, zones))
    cuts = []
    for index, (root, zones) in enumerate(chosen):
        low = 0 if index == 0 else math.floor((chosen[index - 1][0] + root) / 2.0) + 1
        last = index == len(chosen) - 1
        high = 127 if last else math.floor((root + chosen[index + 1][0]) / 2.0)
        cuts.append(_cut(font, zones, preset, low, high))
    return cuts


def cut_kit_hit(font: SoundFont, kit: int, key: int, longest_s: float) -> Shorts:
    """Cut one drum of a kit as it sounds at velocity 100, shape [frames, 1] at 44.1 kHz."""
    zone = next(
        zone
        for zone in font.zones(128, kit)
        if zone.low_key <= key <= zone.high_key and zone.low_velocity <= 100 <= zone.high_velocity
    )
    sample = font.samples[zone.sample]
    frames = sample.read().astype(np.float64) / 32_768.0
    # A drum far from its recording's key is played faster or slower: part of its sound.
    semitones = key - _root(font, zone)
    ratio = sample.rate_hz * 2.0 ** (semitones / 12.0) / HIT_RATE_HZ
    return shorten(_resampled(frames[:, None], ratio), longest_s)


def shorten(frames: npt.NDArray[np.float64], longest_s: float) -> Shorts:
    """Make a drum hit mono, begin at its start, cut its end, and fill the range."""
    mono = frames.mean(axis=1)
    loud = np.flatnonzero(np.abs(mono) > 0.004 * np.abs(mono).max())
    start = max(0, int(loud[0]) - 16)
    mono = mono[start : min(int(loud[-1]) + 1, start + round(longest_s * HIT_RATE_HZ))].copy()
    _fade_end(mono[:, None], 0.25 * len(mono))
    return _shorts(mono[:, None])


def resample_hit(frames: npt.NDArray[np.float64], rate_hz: int) -> npt.NDArray[np.float64]:
    """Bring a hit, shape [frames, channels], to 44.1 kHz."""
    return frames if rate_hz == HIT_RATE_HZ else _resampled(frames, rate_hz / HIT_RATE_HZ)


def _resampled(frames: npt.NDArray[np.float64], ratio: float) -> npt.NDArray[np.float64]:
    if abs(ratio - 1.0) < 1e-4:
        return frames
    count = round(1000.0 / ratio)
    made = signal.resample_poly(frames, count, 1000, axis=0)
    return np.asarray(made, np.float64)


def _root(font: SoundFont, zone: Zone) -> float:
    """The key at which the recording plays as it is, with a fraction."""
    sample = font.samples[zone.sample]
    key = zone.get(sf.ROOT_KEY)
    key = sample.root_key if key < 0 else key
    cents = 100 * zone.get(sf.COARSE_TUNE) + zone.get(sf.FINE_TUNE) + sample.correction_cents
    return key - cents / 100.0


def _groups(font: SoundFont, preset: Preset) -> dict[float, list[Zone]]:
    """Root → the zones that sound together there: one, or the two of a stereo recording."""
    groups: dict[float, list[Zone]] = {}
    for zone in font.zones(0, preset.program):
        if not zone.low_velocity <= preset.velocity <= zone.high_velocity:
            continue
        if preset.held and not zone.get(sf.MODES) & 1:
            continue
        group = groups.setdefault(round(_root(font, zone), 2), [])
        if not group or (
            len(group) == 1
            and zone.sample != group[0].sample
            and zone.low_key == group[0].low_key
            and zone.get(sf.PAN) * group[0].get(sf.PAN) < 0
        ):
            group.append(zone)
    return groups


def _cut(
    font: SoundFont, zones: Iterable[Zone], preset: Preset, low: int, high: int
) -> tuple[Cut, Shorts]:
    pair = sorted(zones, key=lambda zone: zone.get(sf.PAN))
    first = pair[0]
    sample = font.samples[first.sample]
    sides = [font.samples[zone.sample].read() for zone in pair]
    length = min(len(side) for side in sides)
    frames = np.stack([side[:length] for side in sides], axis=1).astype(np.float64) / 32_768.0
    looped = bool(first.get(sf.MODES) & 1) and sample.loop_end - sample.loop_start > 8
    loop = (sample.loop_start, min(length, sample.loop_end)) if looped else None
    if not preset.held:
        late = _late(frames, sample.rate_hz)
        frames = frames[late:].copy()
        frames[:_RISE_FRAMES] *= (np.arange(_RISE_FRAMES) / _RISE_FRAMES)[:, None]
        loop = (loop[0] - late, loop[1] - late) if loop else None
    longest = round(preset.longest_s * sample.rate_hz)
    if loop and (preset.held or loop[1] <= longest):
        frames = frames[: loop[1]]
        _close_loop(frames, loop, sample.rate_hz)
    else:
        loop = None
        frames = frames[:longest].copy()
        _fade_end(frames, min(0.5 * len(frames), 3.0 * _FADE_S * sample.rate_hz))
    envelope = Envelope(
        attack_s=round(first.seconds(sf.ATTACK), 4),
        hold_s=round(first.seconds(sf.HOLD), 4),
        decay_s=round(first.seconds(sf.DECAY), 4),
        sustain_db=round(-min(1000, max(0, first.get(sf.SUSTAIN))) / 10.0, 2),
        release_s=round(first.seconds(sf.RELEASE), 4),
    )
    root = round(_root(font, first), 4)
    return Cut(low, high, root, sample.rate_hz, loop, envelope), _shorts(frames)


def _late(frames: npt.NDArray[np.float64], rate_hz: int) -> int:
    """How many frames pass before the sound begins in earnest, so that notes are on time."""
    head = np.abs(frames[: rate_hz // 4]).max(axis=1)
    begin = int(np.argmax(head > 0.1 * head.max()))
    return max(0, begin - round(0.003 * rate_hz))


def _close_loop(frames: npt.NDArray[np.float64], loop: tuple[int, int], rate_hz: int) -> None:
    """Let the loop's end lead into its start as what comes before the start does, in place.

    Compression has roughened the seams of the font's loops; a short blend makes them smooth.
    """
    start, end = loop
    blend = min(start, end - start, round(_BLEND_S * rate_hz))
    if blend < 8:
        return
    share = np.array([0.5 - 0.5 * math.cos(math.pi * (i + 1) / blend) for i in range(blend)])
    led = frames[start - blend : start]
    frames[end - blend : end] += share[:, None] * (led - frames[end - blend : end])


def _fade_end(frames: npt.NDArray[np.float64], count: float) -> None:
    """Fade out the last `count` frames, in place."""
    fade = max(1, int(count))
    curve = np.array([0.5 + 0.5 * math.cos(math.pi * (i + 1) / fade) for i in range(fade)])
    frames[len(frames) - fade :] *= curve[:, None]


def _shorts(frames: npt.NDArray[np.float64]) -> Shorts:
    """Fill the range, and spare the bits that loud stretches hide: FLAC leaves them out."""
    peak = max(1e-9, float(np.abs(frames).max()))
    scaled = frames * (_PEAK * 32_767.0 / peak)
    for start in range(0, len(scaled), _FLAC_FRAMES):
        block = scaled[start : start + _FLAC_FRAMES]
        loud = math.sqrt(float(np.mean(block * block)))
        step = 2.0 ** max(0, math.floor(math.log2(max(1.0, loud * _HIDDEN))))
        block[:] = np.rint(block / step) * step
    return np.clip(np.rint(scaled), -32_768, 32_767).astype(np.int16)
