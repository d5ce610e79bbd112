"""The soundcheck: each part plays its fullest seconds, and its channel's gain is set."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from services.inference.engines.composer.channel import Channel
from services.inference.engines.composer.crew import Crew
from services.inference.engines.composer.effects import decibels
from services.inference.engines.composer.loudness import group_energies, integrated_lufs
from services.inference.engines.composer.plan import SAMPLE_RATE_HZ, Plan
from services.inference.engines.composer.render import Band, Cue, Stem
from services.inference.engines.composer.synth.tables import Floats

TARGETS_LUFS = {
    "drums": -18.5,
    "bass": -20.0,
    "chords": -21.5,
    "pad": -25.5,
    "arp": -26.0,
    "lead": -21.0,
}
"""Part → its loudness where it plays fully."""

_EXCERPT_S = 8.0
_MOST_GAIN = 30.0


@dataclass(frozen=True, slots=True)
class Soundcheck:
    """What a sound check gives."""

    channels: dict[str, Channel]
    """Each part's channel, balanced and not used yet."""
    together: Floats
    """The fullest seconds of all parts at once, dry, shape [2, frames]: about what the loud
    sections of the mix will be."""


def soundcheck(plan: Plan, band: Band, crew: Crew, told: Callable[[str], None]) -> Soundcheck:
    """Balance the parts. Calls `told` with a part when it is done."""

    def check(part: str) -> tuple[float, Floats]:
        start, end = _fullest(plan, band.played[part])
        excerpt = [cue for cue in band.played[part] if start <= cue.at < end]
        trial = Stem(part, band, excerpt).render(start, end, crew.alive)
        heard = Channel(part, plan, band.kicks)(trial, start)
        return _gain(part, plan, heard), heard

    channels: dict[str, Channel] = {}
    excerpts: list[Floats] = []
    checks = {part: crew.start(check, [part]) for part in plan.parts}
    for part, pending in checks.items():
        gain, heard = pending.wait()[0]
        channels[part] = Channel(part, plan, band.kicks)
        channels[part].gain = gain
        excerpts.append(heard * np.float32(gain))
        told(part)
    frames = min(excerpt.shape[1] for excerpt in excerpts)
    together = sum((excerpt[:, :frames] for excerpt in excerpts), np.zeros((2, frames), np.float32))
    return Soundcheck(channels, together)


def _target_lufs(part: str, plan: Plan) -> float:
    return TARGETS_LUFS[part] + plan.profile.levels_db.get(part, 0.0)


def _fullest(plan: Plan, played: Sequence[Cue]) -> tuple[int, int]:
    """The frames of the excerpt in which a part is strongest by its notes; whole bars."""
    bar = plan.bar.beats * 60.0 / plan.tempo_bpm * SAMPLE_RATE_HZ
    bars = max(1, round(_EXCERPT_S * SAMPLE_RATE_HZ / bar))
    strength = [0.0] * (plan.bars + 1)
    for cue in played:
        if cue.at >= 0:
            strength[min(plan.bars, int(cue.at / bar))] += cue.note.velocity**2
    sums = [sum(strength[first : first + bars]) for first in range(max(1, plan.bars - bars + 1))]
    first = max(range(len(sums)), key=lambda bar: (sums[bar], -bar))
    start = round(first * bar)
    return start, min(plan.duration_frames, start + round(bars * bar))


def _gain(part: str, plan: Plan, block: Floats) -> float:
    """The gain that brings an excerpt to the part's place in the mix."""
    lufs = integrated_lufs(next(group_energies([block])))
    if lufs <= -70.0:
        return 1.0
    return min(_MOST_GAIN, decibels(_target_lufs(part, plan) - lufs))
