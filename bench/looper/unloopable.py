"""Tracks that hold no loop: what is heard never returns, at the same speed, pitch and level."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bench.looper.composition import (
    SCALES,
    STYLES,
    Chance,
    Key,
    Note,
    Style,
    compose,
    draw_key,
    moved,
    timed,
)
from bench.looper.instruments import Floats, Played, filtered, play, reverb
from bench.looper.made import Made
from bench.looper.truth import Truth

RATE_HZ = 44_100


def _made(samples: Floats, klass: str, *, loopable: bool | None = False) -> Made:
    frames = len(samples)
    return Made(samples, Truth(klass, loopable=loopable, body=(0, frames)))


def _stereo(wave: Floats) -> Floats:
    return np.stack([wave, wave], axis=1)


def composed(chance: Chance) -> Made:
    """Through-composed: the tempo rises, key, metre and instruments change, nothing returns."""
    leads = ("piano", "bell", "organ", "pluck", "square")
    notes, start = [], 0.0
    for section in range(8):
        style = Style(
            lead=leads[section % 5],
            bass="bass" if section % 2 else None,
            pad="pad" if section % 3 == 0 else None,
            drums="full" if section in (3, 6) else None,
        )
        bars, metre = int(chance.integers(3, 6)), int(chance.choice([3, 4, 5]))
        key = Key(50 + (section * 5) % 12, str(chance.choice(list(SCALES))))
        part, _ = compose(chance, bars, metre, style, key)
        beat = RATE_HZ * 60 / (70 + 9 * section + float(chance.uniform(-3, 3)))
        notes += timed(part, beat, RATE_HZ, start)
        start += (max(note.beat for note in part) + 1) * beat
    frames = int(start)
    samples, _ = reverb(play(notes, frames, RATE_HZ)[:frames], RATE_HZ, 1.5, 0.25, chance)
    return _made(samples, "none")


def speech(chance: Chance) -> Made:
    """Speech-like babble: syllables of voice or noise through formants, without music."""
    frames = 60 * RATE_HZ
    wave, start = np.zeros(frames), 0
    while start < frames - RATE_HZ:
        length = int(chance.uniform(0.08, 0.3) * RATE_HZ)
        time = np.arange(length) / RATE_HZ
        hz = chance.uniform(95, 210)
        wobble = np.sin(2 * np.pi * chance.uniform(2, 5) * time + chance.uniform(0, 6))
        if chance.random() > 0.3:
            turns = np.cumsum(hz * (1 + 0.15 * wobble)) / RATE_HZ
            source = np.sign(np.sin(2 * np.pi * turns)) * 0.5
        else:
            source = chance.standard_normal(length) * 0.4
        formants = (
            chance.uniform(300, 800),
            chance.uniform(900, 2200),
            chance.uniform(2300, 3200),
        )
        syllable = sum(
            filtered(source, [formant * 0.9, formant * 1.1], RATE_HZ, "band", 1)
            for formant in formants
        )
        loud = syllable * np.hanning(length) * chance.uniform(0.4, 1)
        wave[start : start + length] += loud
        start += length + int(chance.exponential(0.09) * RATE_HZ)
    return _made(_stereo(wave) + chance.standard_normal((frames, 2)) * 1e-3, "none-speech")


def wandering(chance: Chance, style: str, metre: int = 4, rt60_s: float = 1.0) -> Made:
    """Through-composed for one set of instruments: from section to section the tempo is
    another, never one from before, and the key, too; nothing is repeated."""
    notes, start = [], 0.0
    sections = 7
    paces = chance.permutation(np.linspace(0.82, 1.2, sections))
    roots = chance.permutation(np.arange(52, 52 + sections))
    bpm = float(chance.uniform(88, 120))
    for pace, root in zip(paces, roots, strict=True):
        bars = int(chance.integers(3, 6))
        key = Key(int(root), str(chance.choice(list(SCALES))))
        part, _ = compose(chance, bars, metre, STYLES[style], key)
        beat = RATE_HZ * 60 / (bpm * pace)
        notes += timed(part, beat, RATE_HZ, start)
        start += bars * metre * beat
    return _roomy(chance, notes, int(start), rt60_s, f"none: through-composed {style}")


def _roomy(chance: Chance, notes: list[Played], frames: int, rt60_s: float, klass: str) -> Made:
    samples, _ = reverb(play(notes, frames, RATE_HZ)[:frames], RATE_HZ, rt60_s, 0.25, chance)
    return _made(samples, klass)


def changing_tempo(chance: Chance, style: str, factor: float) -> Made:
    """One passage again and again, while the tempo changes all the time, `factor` in all."""
    bars, metre, times = 4, 4, 6
    body, _ = compose(chance, bars, metre, STYLES[style])
    beats = bars * metre * times
    places = np.arange(beats + 1, dtype=float)
    lengths_s = 60 / float(chance.uniform(84, 110)) * factor ** (0.5 - places / beats)
    times_s = np.concatenate([[0], np.cumsum(lengths_s[:-1])])
    notes = [
        _bent(note, places, times_s)
        for repeat in range(times)
        for note in moved(body, repeat * bars * metre)
    ]
    frames = int(times_s[-1] * RATE_HZ)
    klass = "accelerating" if factor > 1 else "slowing down"
    return _roomy(chance, notes, frames, 0.8, f"none: {klass} {style}")


def _bent(note: Note, places: Floats, times_s: Floats) -> Played:
    on_s = float(np.interp(note.beat, places, times_s))
    off_s = float(np.interp(note.beat + note.beats, places, times_s))
    return Played(
        on_s * RATE_HZ, note.instrument, note.pitch, off_s - on_s, note.velocity, note.pan
    )


def rising(chance: Chance, style: str, semitones: int) -> Made:
    """A passage that is repeated higher each time; without drums, as these would repeat."""
    plain = STYLES[style]
    players = Style(lead=plain.lead, keys=plain.keys, bass=plain.bass, pad=plain.pad)
    bars, metre = int(chance.integers(5, 8)), 4
    beat = RATE_HZ * 60 / float(chance.uniform(84, 120))
    root = 50 if semitones > 0 else 66
    body, _ = compose(chance, bars, metre, players, Key(root, draw_key(chance).scale))
    notes = [
        note
        for repeat in range(6)
        for note in timed(moved(body, repeat * bars * metre, repeat * semitones), beat, RATE_HZ)
    ]
    return _roomy(chance, notes, int(6 * bars * metre * beat), 0.8, f"none: modulating {style}")


def variations(chance: Chance, style: str) -> Made:
    """Strophes of one form, each of other melody and harmony, in its own key."""
    plain = STYLES[style]
    players = Style(lead=plain.lead, keys=plain.keys, bass=plain.bass, pad=plain.pad)
    bars, metre = 6, 4
    beat = RATE_HZ * 60 / float(chance.uniform(84, 120))
    notes = []
    for number, root in enumerate(chance.permutation(np.arange(52, 64))[:6]):
        key = Key(int(root), list(SCALES)[number % len(SCALES)])
        part, _ = compose(chance, bars, metre, players, key)
        notes += timed(part, beat, RATE_HZ, number * bars * metre * beat)
    return _roomy(chance, notes, int(6 * bars * metre * beat), 0.8, f"none: variations {style}")


def drifting(chance: Chance, *, wind: bool) -> Made:
    """Pads and bells that rise through keys, none coming twice; perhaps with growing wind."""
    notes, start_s = [], 0.0
    root = int(chance.integers(38, 43))
    for number in range(25):
        key = Key(root + number, str(chance.choice(list(SCALES))))
        length_s = float(chance.uniform(1.8, 2.4))  # no chord holds for long enough to be a loop
        for step in (0, 2, 4, int(chance.integers(5, 9))):
            velocity, pan = float(chance.uniform(0.5, 1)), float(chance.uniform(-0.8, 0.8))
            notes.append(Played(start_s * RATE_HZ, "pad", key.pitch(step), length_s, velocity, pan))
        on = (start_s + float(chance.uniform(0, length_s))) * RATE_HZ
        pitch, loud = key.pitch(int(chance.integers(7, 15))), float(chance.uniform(0.5, 1))
        notes.append(Played(on, "bell", pitch, 0.5, loud, 0.0))
        start_s += length_s
    frames = int(start_s * RATE_HZ)
    samples, _ = reverb(play(notes, frames, RATE_HZ)[:frames], RATE_HZ, 2.0, 0.4, chance)
    if wind:
        noise = filtered(chance.standard_normal((frames, 2)), [200, 1500], RATE_HZ, "band")
        swell = np.geomspace(0.02, 1.0, frames)[:, None] * np.sqrt((samples**2).mean())
        samples = samples + noise / noise.std() * swell
    return _made(samples, "none: ambient drifting" + (", wind" if wind else ""))


def drone(chance: Chance, *, fall: bool) -> Made:
    """A drone that fades in by 50 dB and climbs a fifth, or the reverse."""
    frames = int(chance.uniform(20, 25) * RATE_HZ)
    way = np.linspace(0, 1, frames)
    way = way[::-1] if fall else way
    hz = float(chance.uniform(60, 110)) * 2 ** (way * 7 / 12)
    turns = np.cumsum(hz) / RATE_HZ
    wave = sum(
        np.sin(2 * np.pi * turns * number + chance.uniform(0, 6)) / number**1.2
        for number in range(1, 13)
    )
    return _made(
        _stereo(wave * 10 ** (-2.5 * (1 - way))), f"none: drone, {'fall' if fall else 'fade-in'}"
    )


def blast(chance: Chance) -> Made:
    """One sound effect: a blast that rolls away."""
    frames = int(chance.uniform(6, 9) * RATE_HZ)
    time = np.arange(frames) / RATE_HZ
    low = filtered(
        chance.standard_normal((frames, 2)), float(chance.uniform(120, 260)), RATE_HZ, "low"
    )
    high = filtered(chance.standard_normal((frames, 2)), 2000, RATE_HZ, "low")
    rise = np.minimum(1, time / 0.004)[:, None]
    fading = np.exp(-time * chance.uniform(0.9, 1.3))[:, None]
    quick = np.exp(-time * 6)[:, None]
    return _made((4 * low * fading + high * quick) * rise, "none: blast")


def gong(chance: Chance) -> Made:
    """One stroke that dies away."""
    frames = int(chance.uniform(9, 12) * RATE_HZ)
    time = np.arange(frames) / RATE_HZ
    base_hz = float(chance.uniform(90, 180))
    wave = np.zeros(frames)
    for ratio in (1, 1.48, 2.09, 2.56, 3.39, 4.08, 5.2):
        loss = chance.uniform(0.45, 0.7) + 0.25 * ratio
        wave += np.exp(-time * loss) * np.sin(2 * np.pi * base_hz * ratio * time) / ratio
    return _made(_stereo(wave * np.minimum(1, time / 0.003)), "none: gong")


def sweep(chance: Chance) -> Made:
    """A riser: noise whose band climbs five octaves while it grows."""
    frames = int(chance.uniform(10, 16) * RATE_HZ)
    steps = 60
    noise = chance.standard_normal(frames)
    edges = np.linspace(0, frames, steps + 1).astype(int)
    wave = np.zeros(frames)
    for number in range(steps):
        hz = 150 * 2 ** (5 * number / steps)
        span = edges[1] - edges[0]
        part = slice(max(0, edges[number] - span), edges[number + 1])
        band = filtered(noise[part], [hz, hz * 1.6], RATE_HZ, "band")
        wave[part] += band / (band.std() + 1e-9) * np.hanning(len(band))
    return _made(_stereo(wave * np.geomspace(0.03, 1, frames)), "none: riser")


def approach(chance: Chance) -> Made:
    """A train that comes nearer: its rumble grows by 45 dB and brightens."""
    frames = int(chance.uniform(18, 24) * RATE_HZ)
    near = np.linspace(0, 1, frames)[:, None]
    rumble = filtered(chance.standard_normal((frames, 2)), 250, RATE_HZ, "low")
    bright = filtered(chance.standard_normal((frames, 2)), [800, 7000], RATE_HZ, "band")
    samples = rumble * 10 ** (-2.25 * (1 - near)) + bright * 10 ** (-3.2 * (1 - near))
    return _made(samples, "none: approaching train")


def field(chance: Chance) -> Made:
    """Out of doors: wind in gusts and birds at random. A crossfade may well loop it."""
    frames = 45 * RATE_HZ
    noise = filtered(chance.standard_normal((frames, 2)), [150, 1200], RATE_HZ, "band")
    gusts = np.interp(np.arange(frames), np.linspace(0, frames, 30), chance.uniform(0.2, 1, 30))
    samples = noise * gusts[:, None] / noise.std() * 0.05
    for _ in range(60):
        length = int(chance.uniform(0.08, 0.4) * RATE_HZ)
        start = int(chance.uniform(0, frames - length))
        time = np.arange(length) / RATE_HZ
        hz, bend = chance.uniform(2000, 5500), chance.uniform(-6000, 6000)
        chirp = np.sin(2 * np.pi * (hz * time + bend * time**2 / 2)) * np.hanning(length)
        angle = chance.uniform(0, np.pi / 2)
        pan = np.array([np.cos(angle), np.sin(angle)])
        samples[start : start + length] += chirp[:, None] * pan * chance.uniform(0.05, 0.4)
    return _made(samples, "unscored: field recording", loopable=None)


def rain(chance: Chance) -> Made:
    """Rain: drops so many that they are noise. Any crossfade loops it."""
    frames = 40 * RATE_HZ
    drops = np.zeros((frames, 2))
    places = chance.integers(0, frames, 20_000)
    np.add.at(drops, (places, chance.integers(0, 2, 20_000)), chance.exponential(1, 20_000))
    ring = np.exp(-np.arange(800) / 90) * np.sin(np.arange(800) * 0.6)
    wave = np.stack([np.convolve(drops[:, side], ring)[:frames] for side in (0, 1)], axis=1)
    return _made(wave + chance.standard_normal((frames, 2)) * 0.2, "unscored: rain", loopable=None)


def hiss(chance: Chance) -> Made:
    """White noise. Any crossfade loops it."""
    return _made(chance.standard_normal((30 * RATE_HZ, 2)), "unscored: white noise", loopable=None)


def _with(make: Callable[..., Made], *given: object, **named: object) -> Callable[[Chance], Made]:
    return lambda chance: make(chance, *given, **named)


UNLOOPABLE: dict[tuple[int, str], Callable[[Chance], Made]] = {
    (101, "through_piano"): _with(wandering, "piano"),
    (102, "through_band"): _with(wandering, "band"),
    (103, "through_edm"): _with(wandering, "edm"),
    (104, "through_orch"): _with(wandering, "orch", rt60_s=2.0),
    (105, "through_waltz"): _with(wandering, "waltz", metre=3),
    (106, "through_chip"): _with(wandering, "chip", rt60_s=0.3),
    (107, "ambient_upwards"): _with(drifting, wind=False),
    (108, "upwards_in_wind"): _with(drifting, wind=True),
    (109, "faster_edm"): _with(changing_tempo, "edm", 2.0),
    (110, "faster_band"): _with(changing_tempo, "band", 2.0),
    (111, "slower_piano"): _with(changing_tempo, "piano", 0.5),
    (112, "modulating_band"): _with(rising, "band", 1),
    (113, "modulating_piano"): _with(rising, "piano", 2),
    (114, "modulating_down"): _with(rising, "waltz", -1),
    (115, "variations_band"): _with(variations, "band"),
    (116, "variations_piano"): _with(variations, "piano"),
    (117, "drone_rising"): _with(drone, fall=False),
    (118, "drone_falling"): _with(drone, fall=True),
    (119, "blast"): blast,
    (120, "gong"): gong,
    (121, "riser"): sweep,
    (122, "train"): approach,
    (123, "speech"): speech,
    (124, "composed"): composed,
    (131, "field"): field,
    (132, "rain"): rain,
    (133, "white_noise"): hiss,
}
"""By number and name. The last three are a matter of taste: they aren't scored."""
