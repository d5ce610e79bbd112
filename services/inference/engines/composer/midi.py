"""The score as a standard MIDI file: format 1, one track a part."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from services.inference.engines.composer.plan import SAMPLE_RATE_HZ, Plan
from services.inference.engines.composer.score import Note, Score
from services.inference.engines.composer.theory import SCALES

TICKS_PER_QUARTER = 480
DRUM_CHANNEL = 9

PROGRAMS: dict[str, int] = {
    "piano": 0, "electric_piano": 4, "celesta": 8, "bells": 9, "vibraphone": 11, "marimba": 12,
    "organ": 16, "accordion": 21, "acoustic_guitar": 24, "electric_guitar": 27,
    "distorted_guitar": 30, "lead_guitar": 29, "upright_bass": 32, "electric_bass": 33,
    "fretless_bass": 35, "slap_bass": 36, "synth_bass": 38, "sub_bass": 39, "soft_bass": 39,
    "chip_bass": 38, "violin": 40, "low_strings": 43, "staccato_strings": 45, "harp": 46,
    "strings": 48, "choir": 52, "trumpet": 56, "brass": 61, "sax": 66, "clarinet": 71,
    "flute": 73, "square_lead": 80, "chip_pulse": 80, "chip_arp": 80, "saw_lead": 81,
    "supersaw": 90, "warm_pad": 89, "glass_pad": 92, "dark_pad": 95, "synth_pluck": 87,
    "kalimba": 108,
}  # fmt: skip
"""Instrument → General MIDI program, counted from 0; another one is a piano."""

DRUM_KEYS: dict[str, int] = {
    "kick": 36, "rim": 37, "snare": 38, "clap": 39, "hat": 42, "tom": 45, "pedal_hat": 44,
    "open_hat": 46, "crash": 49, "ride": 51, "brush": 40, "shaker": 70,
}  # fmt: skip
"""Drum → General MIDI percussion key; sounds that are no drums have none."""

_SIGNATURES = {0: 0, 7: 1, 2: 2, 9: 3, 4: 4, 11: 5, 6: 6, 1: -5, 8: -4, 3: -3, 10: -2, 5: -1}
"""Tonic of a major scale → sharps (flats are negative)."""

_MAJOR_BELOW = {
    "major": 0, "minor": 9, "dorian": 2, "phrygian": 4, "lydian": 5, "mixolydian": 7,
}  # fmt: skip
"""Mode → how far its tonic stands above that of the major scale with the same tones."""


def midi_file(plan: Plan, score: Score) -> bytes:
    """Return the whole score as a MIDI file, with tempo, metre, key and section names."""
    tracks = [_conductor(plan)]
    channels = iter(channel for channel in range(16) if channel != DRUM_CHANNEL)
    for part, instrument in plan.parts.items():
        notes = [note for section in score.sections for note in section.get(part, [])]
        channel = DRUM_CHANNEL if part == "drums" else next(channels)
        tracks.append(_part(plan, part, instrument, notes, channel))
    head = b"MThd" + struct.pack(">IHHH", 6, 1, len(tracks), TICKS_PER_QUARTER)
    return head + b"".join(tracks)


def ticks_per_beat(plan: Plan) -> int:
    """Ticks of one beat of the plan's tempo: a quarter, or a dotted one."""
    return TICKS_PER_QUARTER * plan.bar.division // 4


def _tick(plan: Plan, frame: int) -> int:
    beats = frame * plan.tempo_bpm / 60.0 / SAMPLE_RATE_HZ
    return round(beats * ticks_per_beat(plan))


def _conductor(plan: Plan) -> bytes:
    upper, lower = (int(number) for number in plan.metre.split("/"))
    quarter_us = round(60e6 / plan.tempo_bpm * TICKS_PER_QUARTER / ticks_per_beat(plan))
    clicks = 36 if plan.bar.division == 6 else 24 * 4 // lower if lower < 8 else 12
    signature = _SIGNATURES[(plan.tonic - _MAJOR_BELOW[plan.mode]) % 12]
    is_minor = SCALES[plan.mode][2] == 3
    events: list[tuple[int, int, bytes]] = [
        (0, 0, _meta(0x03, plan.title.encode())),
        (0, 0, _meta(0x51, quarter_us.to_bytes(3, "big"))),
        (0, 0, _meta(0x58, bytes((upper, lower.bit_length() - 1, clicks, 8)))),
        (0, 0, _meta(0x59, struct.pack(">bB", signature, is_minor))),
    ]
    bar_ticks = plan.bar.beats * ticks_per_beat(plan)
    events += [
        (round(section.start_bar * bar_ticks), 1, _meta(0x06, section.kind.encode()))
        for section in plan.sections
    ]
    end = max(_tick(plan, plan.duration_frames), round(plan.sections[-1].start_bar * bar_ticks))
    return _track(events, end)


def _part(plan: Plan, part: str, instrument: str, notes: Sequence[Note], channel: int) -> bytes:
    events: list[tuple[int, int, bytes]] = [
        (0, 0, _meta(0x03, part.encode())),
        (0, 0, bytes((0xC0 | channel, PROGRAMS.get(instrument, 0) if part != "drums" else 0))),
    ]
    sounding: dict[int, list[int]] = {}
    for note in notes:
        key = DRUM_KEYS.get(note.sound) if note.sound else note.pitch
        if key is not None:
            start = _tick(plan, note.start_frame)
            stop = max(start + 1, _tick(plan, note.start_frame + note.held_frames))
            velocity = max(1, min(127, round(127 * note.velocity)))
            sounding.setdefault(key, []).append(start << 40 | stop << 8 | velocity)
    last = _tick(plan, plan.duration_frames)
    for key, played in sounding.items():
        played.sort()
        for index, packed in enumerate(played):
            start, stop, velocity = packed >> 40, packed >> 8 & 0xFFFFFFFF, packed & 0xFF
            if index + 1 < len(played):
                following = played[index + 1] >> 40
                if following <= start:
                    continue  # the same key twice at once is one note
                stop = min(stop, following)
            stop = max(start + 1, min(stop, last))
            events.append((start, 2, bytes((0x90 | channel, key, velocity))))
            events.append((stop, 1, bytes((0x80 | channel, key, 64))))
    return _track(events, max([last, *(tick for tick, _, _ in events)]))


def _track(events: list[tuple[int, int, bytes]], end: int) -> bytes:
    """Write events given as (tick, order at the same tick, message)."""
    body = bytearray()
    now = 0
    for tick, _, message in sorted(events, key=lambda event: event[:2]):
        body += _quantity(tick - now) + message
        now = tick
    body += _quantity(max(0, end - now)) + _meta(0x2F, b"")
    return b"MTrk" + struct.pack(">I", len(body)) + bytes(body)


def _meta(kind: int, data: bytes) -> bytes:
    return bytes((0xFF, kind)) + _quantity(len(data)) + data


def _quantity(value: int) -> bytes:
    """A number in groups of seven bits, the last without the high bit."""
    groups = [value & 0x7F]
    while value := value >> 7:
        groups.append(value & 0x7F | 0x80)
    return bytes(reversed(groups))
