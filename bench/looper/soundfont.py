"""Tracks played by FluidSynth with a General MIDI soundfont, where both are installed."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from bench.composer.packages import Unavailable
from bench.looper.composition import STYLES, Chance, Note, Style, compose, moved
from bench.looper.instruments import Floats
from bench.looper.made import Made
from bench.looper.truth import Truth

SOUNDFONT = Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")
_TICKS = 480
_DRUM_CHANNEL = 9
_DRUM_KEYS = {"kick": 36, "snare": 38, "hat": 42, "tom": 45}

Part = tuple[int, int]
"""Of a piece: its MIDI channel and program."""


def require() -> None:
    """Raise Unavailable if FluidSynth or the soundfont is missing."""
    if not (shutil.which("fluidsynth") and SOUNDFONT.exists()):
        raise Unavailable(f"FluidSynth or {SOUNDFONT} is missing.")


@dataclass(frozen=True, slots=True)
class Played:
    """A kind of track.

    `live`: FluidSynth plays the whole piece; its chorus, reverb and steps of 64 samples make
    the repeats differ. Else it plays one cycle, which is laid down at whole frames.
    """

    style: str
    programs: dict[str, int]
    """Of lead, keys, bass and pad."""
    rate_hz: int = 44_100
    metre: int = 4
    bars: tuple[int, int] = (8, 14)
    times: int = 2
    human: tuple[float, float] | None = None
    """Deviations of onset (beats) and velocity (log)."""
    live: bool = False

    def make(self, chance: Chance) -> Made:
        """Make a track by chance. Raises Unavailable without FluidSynth."""
        require()
        rate_hz, metre, outro_bars = self.rate_hz, self.metre, 4
        bpm = float(chance.uniform(82, 132))
        bars, intro_bars = int(chance.integers(*self.bars)), int(chance.integers(2, 5))
        style = STYLES[self.style]
        quiet = Style(keys=style.keys, bass=style.bass, pad=style.pad)
        body, key = compose(chance, bars, metre, style)
        intro, _ = compose(chance, intro_bars, metre, quiet, key)
        outro, _ = compose(chance, outro_bars, metre, style, key)
        bpm = 60e6 / round(60e6 / bpm)  # MIDI's whole microseconds
        beat = rate_hz * 60 / bpm
        if self.live:
            notes = self._parts(intro)
            repeats = [
                note
                for repeat in range(self.times)
                for note in moved(body, (intro_bars + repeat * bars) * metre)
            ]
            _add(notes, self._parts(repeats, chance if self.human else None))
            _add(notes, self._parts(moved(outro, (intro_bars + self.times * bars) * metre)))
            period, start = bars * metre * beat, intro_bars * metre * beat
        else:
            period = float(round(bars * metre * beat))
            beat = period / (bars * metre)
            start = float(round(intro_bars * metre * beat))
        end = start + self.times * period
        frames = int(end + outro_bars * metre * beat + 2 * rate_hz)
        samples = np.zeros((frames, 2))
        if self.live:
            _lay(samples, _render(notes, bpm, rate_hz), 0)
        else:
            exact_bpm = rate_hz * 60 / beat
            cycle = _render(self._parts(body), exact_bpm, rate_hz)
            _lay(samples, _render(self._parts(intro), exact_bpm, rate_hz), 0)
            for repeat in range(self.times):
                _lay(samples, cycle, int(start + repeat * period))
            _lay(samples, _render(self._parts(outro), exact_bpm, rate_hz), int(end))
        first, last = int(start), int(end)
        truth = Truth(
            "gm-live" if self.live else "gm",
            loopable=True,
            body=(first, last),
            period_frames=period,
            grid=[[start, 0.0], [end, float(self.times)]],
            cycles=self.times,
            beat_frames=beat,
            exact=not self.live,
            sample_rate_hz=rate_hz,
        )
        if self.live:
            truth.match = (first + rate_hz // 2, int(last - period))
        return Made(samples, truth)

    def _parts(self, notes: Iterable[Note], chance: Chance | None = None) -> dict[Part, list[Note]]:
        """Sort notes by part; with `chance` they are humanised, and velocities are MIDI's."""
        style = STYLES[self.style]
        channels = {"lead": 0, "keys": 1, "pad": 2, "bass": 3}
        part_of: dict[str, Part] = {}
        for role, program in self.programs.items():
            if instrument := getattr(style, role):
                part_of[instrument] = (self._channel(channels, role), program)
        parts: dict[Part, list[Note]] = {}
        for note in notes:
            is_drum = note.instrument in _DRUM_KEYS
            part = (_DRUM_CHANNEL, 0) if is_drum else part_of[note.instrument]
            beat, velocity = note.beat, note.velocity
            if chance and self.human:
                beat = max(0.0, beat + chance.normal(0, self.human[0]))
                velocity *= np.exp(chance.normal(0, self.human[1]))
                velocity = float(np.clip(velocity, 0.2, 1.2))
            parts.setdefault(part, []).append(
                note._replace(
                    beat=beat,
                    pitch=_DRUM_KEYS[note.instrument] if is_drum else note.pitch,
                    beats=max(0.1, note.beats),
                    velocity=int(np.clip(60 * velocity + 40, 20, 127)),
                )
            )
        return parts

    def _channel(self, channels: dict[str, int], role: str) -> int:
        """Return a role's channel: all share one where all have one program."""
        return 0 if len(set(self.programs.values())) == 1 else channels[role]


def _add(parts: dict[Part, list[Note]], more: dict[Part, list[Note]]) -> None:
    for part, notes in more.items():
        parts.setdefault(part, []).extend(notes)


def _lay(samples: Floats, wave: Floats, frame: int) -> None:
    length = min(len(wave), len(samples) - frame)
    samples[frame : frame + length] += wave[:length]


def _render(parts: dict[Part, list[Note]], bpm: float, rate_hz: int) -> Floats:
    """Return what FluidSynth plays [frames, 2]. Raises Unavailable if it fails."""
    with tempfile.TemporaryDirectory() as name:
        midi, wave = Path(name, "piece.mid"), Path(name, "piece.wav")
        midi.write_bytes(_midi(parts, bpm))
        command = ["fluidsynth", "-ni", "-q", "-g", "0.6", "-R", "1", "-C", "1", "-T", "wav",
                   "-O", "float", "-r", str(rate_hz), "-F", str(wave),
                   str(SOUNDFONT), str(midi)]  # fmt: skip
        done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603 - our words
        if done.returncode or not wave.exists():
            raise Unavailable("FluidSynth failed.")
        samples, _ = soundfile.read(wave, always_2d=True)
    return np.asarray(samples)


def _midi(parts: dict[Part, list[Note]], bpm: float) -> bytes:
    """Return a standard MIDI file with a chunk a part, after one with the tempo."""
    tempo = b"\0\xff\x51\3" + round(60e6 / bpm).to_bytes(3, "big") + _END
    chunks = [tempo]
    for (channel, program), notes in parts.items():
        events = [] if channel == _DRUM_CHANNEL else [(0, bytes([0xC0 | channel, program]))]
        for note in notes:
            on = round(note.beat * _TICKS)
            off = max(round((note.beat + note.beats) * _TICKS), on + 1)
            events.append((on, bytes([0x90 | channel, note.pitch, int(note.velocity)])))
            events.append((off, bytes([0x80 | channel, note.pitch, 0])))
        events.sort(key=lambda event: (event[0], event[1][0] & 0xF0 != 0x80))  # ends come first
        chunk, last = b"", 0
        for tick, message in events:
            chunk, last = chunk + _varying(tick - last) + message, tick
        chunks.append(chunk + _END)
    numbers = (1, len(chunks), _TICKS)
    head = b"MThd" + (6).to_bytes(4, "big") + b"".join(one.to_bytes(2, "big") for one in numbers)
    return head + b"".join(b"MTrk" + len(chunk).to_bytes(4, "big") + chunk for chunk in chunks)


_END = b"\0\xff\x2f\0"


def _varying(value: int) -> bytes:
    """Return a number in groups of seven bits, all but the last with the high bit set."""
    groups = [value & 0x7F]
    while value := value >> 7:
        groups.append(0x80 | value & 0x7F)
    return bytes(reversed(groups))


SOUNDFONT_PLAYED = {
    (25, "gm_band"): Played("band", {"lead": 73, "keys": 0, "pad": 48, "bass": 33}),
    (26, "gm_piano_human_live"): Played(
        "piano", {"lead": 0, "keys": 0, "bass": 0}, times=3, human=(0.010, 0.10), live=True
    ),
    (27, "gm_orch_live_48k"): Played(
        "orch", {"lead": 60, "pad": 48, "bass": 43}, rate_hz=48_000, live=True
    ),
    (28, "gm_waltz"): Played("waltz", {"lead": 24, "keys": 46, "bass": 32}, metre=3, bars=(16, 24)),
}
"""By number and name."""
