"""A bank of pure tones, and a small SoundFont: recordings whose truth is known."""

from __future__ import annotations

import math
import struct
from pathlib import Path

import numpy as np
import numpy.typing as npt

from services.inference.engines.composer.sounds.bank import Bank, Cut, Envelope, write_bank

Shorts = npt.NDArray[np.int16]

DECAY_S = 4.0


def tone(hz: float, rate_hz: int, frames: int, phase: float = 0.0) -> Shorts:
    """A tone with three harmonics, shape [frames, 1]."""
    turn = 2 * np.pi * hz / rate_hz * np.arange(frames) + phase
    wave = np.sin(turn) + np.sin(2 * turn) / 2.8 + np.sin(3 * turn) / 5.2
    return np.asarray(np.rint(9000 * wave)[:, None], np.int16)


def looped(root: float, rate_hz: int) -> tuple[Shorts, tuple[int, int]]:
    """A tone of the pitch `root` and a loop whose ends fit, as whole frames allow."""
    hz = 440 * 2 ** ((root - 69) / 12)
    frames = round(0.6 * rate_hz)
    fits = [
        (abs(cycles * rate_hz / hz - round(cycles * rate_hz / hz)), cycles)
        for cycles in range(20, int(0.3 * hz))
    ]
    length = round(min(fits)[1] * rate_hz / hz)
    return tone(hz, rate_hz, frames, root), (frames - length, frames)


def tone_bank(path: Path) -> Bank:
    """Instruments "struck", "dying", "held" and "section", and two drum hits."""
    instruments: dict[str, list[tuple[Cut, Shorts]]] = {"held": [], "dying": [], "section": []}
    plan = ((0, 55, 50.0, 22_050), (56, 66, 60.2, 44_100), (67, 127, 71.9, 32_000))
    for low, high, root, rate_hz in plan:
        frames, loop = looped(root, rate_hz)
        steady = Envelope(release_s=0.2)
        dying = Envelope(hold_s=0.1, decay_s=DECAY_S, sustain_db=-100.0, release_s=0.2)
        for name, shape in (("held", steady), ("section", steady), ("dying", dying)):
            instruments[name].append((Cut(low, high, root, rate_hz, loop, shape), frames))
    once = tone(440.0, 44_100, 88_200)
    once[-4410:] = (once[-4410:] * np.linspace(1, 0, 4410)[:, None]).astype(np.int16)
    stereo = np.concatenate((once, once // 2), axis=1)
    instruments["struck"] = [(Cut(0, 127, 69.0, 44_100, None, Envelope()), stereo)]
    hit = (tone(190.0, 44_100, 8000)[:, 0] * np.exp(-np.arange(8000) / 1500)).astype(np.int16)
    write_bank(path, instruments, {"drum_snare_soft": hit[:, None], "jazz_ride": hit[:, None]}, {})
    return Bank(path)


def small_soundfont(path: Path) -> None:
    """Write a font with one preset (program 5): two zones, the upper one without a loop."""
    low, loop = looped(48.0, 22_050)
    high = tone(440 * 2 ** ((72.5 - 69) / 12), 22_050, 15_000)
    audio = np.concatenate((low[:, 0], np.zeros(46, np.int16), high[:, 0], np.zeros(46, np.int16)))
    second = len(low) + 46

    def bags(*generators: tuple[int, int]) -> bytes:
        return b"".join(struct.pack("<HH", number, value & 0xFFFF) for number, value in generators)

    def header(name: str, start: int, end: int, loop: tuple[int, int], root: int) -> bytes:
        fields = (start, end, loop[0], loop[1], 22_050, root, 0, 0, 1)
        return struct.pack("<20sIIIIIBbHH", name.encode(), *fields)

    instrument = [
        bags((54, 1), (36, 1200)),  # all: looped, a decay of two seconds
        bags((43, 60 << 8), (53, 0)),
        bags((43, 127 << 8 | 61), (54, 0), (52, -50), (53, 1)),
    ]
    starts = [0, *np.cumsum([len(each) // 4 for each in instrument]).tolist()]
    pdta = {
        "phdr": struct.pack("<20sHHHIII", b"Tones", 5, 0, 0, 0, 0, 0)
        + struct.pack("<20sHHHIII", b"EOP", 0, 0, 1, 0, 0, 0),
        "pbag": struct.pack("<HHHH", 0, 0, 2, 0),
        "pgen": bags((38, 12_000), (41, 0)) + bags((0, 0)),
        "inst": struct.pack("<20sH", b"Tones", 0) + struct.pack("<20sH", b"EOI", 3),
        "ibag": b"".join(struct.pack("<HH", start, 0) for start in starts),
        "igen": b"".join(instrument) + bags((0, 0)),
        "shdr": header("low", 0, len(low), loop, 48)
        + header("high", second, second + len(high), (second, second), 72)
        + header("EOS", 0, 0, (0, 0), 0),
    }

    def chunk(name: str, body: bytes) -> bytes:
        return name.encode() + struct.pack("<I", len(body)) + body + b"\0" * (len(body) & 1)

    lists = chunk("LIST", b"INFO" + chunk("INAM", b"Tones\0"))
    lists += chunk("LIST", b"sdta" + chunk("smpl", audio.astype("<i2").tobytes()))
    lists += chunk("LIST", b"pdta" + b"".join(chunk(*each) for each in pdta.items()))
    path.write_bytes(chunk("RIFF", b"sfbk" + lists))


def cents_off(samples: npt.NDArray[np.floating], pitch: float, rate_hz: int = 44_100) -> float:
    """How far a tone's fundamental is from a pitch, from a Fourier transform's peak."""
    hz = 440 * 2 ** ((pitch - 69) / 12)
    size = 1 << 21
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), size))
    low, high = (round(hz * 2 ** (cents / 1200) * size / rate_hz) for cents in (-90, 90))
    found = low + int(spectrum[low:high].argmax())
    return 1200 * math.log2(found * rate_hz / size / hz)
