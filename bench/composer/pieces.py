"""Draws what to ask for, renders it, and measures what came out."""

from __future__ import annotations

import random
import resource
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import soundfile

from bench.composer.keys import NAMES, key, relative
from bench.composer.measures import Floats, Measures, measure, tempo_bpm
from bench.composer.midifile import Score, read_score
from bench.composer.musicnn import Heard, hear
from musicgen.engine.base import MIX_FILE, Generation, Parameters, Report
from services.inference.engines.composer.engine import Composer
from services.inference.engines.composer.profiles import PROFILES

RATE_HZ = 44_100
METRES = {
    "acoustic": ("4/4", "3/4", "6/8"),
    "piano": ("4/4", "3/4", "6/8"),
    "cinematic": ("4/4", "3/4", "6/8"),
    "jazz": ("4/4", "4/4", "3/4"),
    "sleep": ("4/4", "3/4", "6/8"),
    "nature": ("4/4", "3/4"),
}
"""Families that are played in several metres, and what to ask of them."""
_LENGTHS_S = (30.0, 45.5, 60.0, 90.0)
_TWINS = 3
"""Of so many pieces of a family one is another's prompt again, with another seed."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for."""

    family: str
    prompt: str
    bpm: int
    key: str
    metre: str
    """Empty where none is asked for."""
    seconds: float
    seed: int


@dataclass(frozen=True, slots=True)
class Piece:
    """What came of a wish."""

    wish: Wish
    measures: Measures
    frames: int
    bpm_heard: float
    key_heard: str
    heard: Heard | None
    cpu_s: float
    score: Score | None = None
    bpm_told: float = 0.0
    metre_told: str = ""
    texture: str = ""
    sections: tuple[str, ...] = ()
    """The kinds of the plan's sections."""

    @property
    def metre_written(self) -> str:
        """The metre that stands in the score."""
        return self.score.metre if self.score else ""

    @property
    def bpm_near(self) -> bool:
        """Whether the tempo heard is the one asked for, within 1 %."""
        return abs(self.bpm_heard / self.wish.bpm - 1) <= 0.01

    @property
    def is_exactly_long(self) -> bool:
        """Whether it has the length asked for, to the frame."""
        return self.frames == round(self.wish.seconds * RATE_HZ)

    @property
    def key_near(self) -> bool:
        """Whether the key asked for, or its relative, was heard."""
        return self.key_heard in (self.wish.key, relative(self.wish.key))

    @property
    def metre_holds(self) -> bool:
        """Whether plan and score agree on the metre, and on the one that was asked for."""
        told = self.metre_told
        return told == self.metre_written == (self.wish.metre or told) != ""

    @property
    def speed(self) -> float:
        """Seconds of audio per CPU-second."""
        return self.frames / RATE_HZ / self.cpu_s

    def as_json(self) -> dict[str, object]:
        """Everything but the score and the features, as plain values."""
        names = ("frames", "bpm_heard", "key_heard", "cpu_s", "speed", "bpm_told", "metre_told",
                 "metre_written", "texture")  # fmt: skip
        told = {name: getattr(self, name) for name in names}
        return {**asdict(self.wish), **asdict(self.measures), **told}


def draw(family: str, each: int, seed: int) -> list[Wish]:
    """Draw what to ask of a family. A third, rounded down, are twins of the first ones."""
    # Each family has its own chance, so that leaving one out changes no other.
    chance = random.Random(f"{seed} {family}")  # noqa: S311 - a bench's draw
    twins = each // _TWINS
    wishes = [_wish(family, chance) for _ in range(each - twins)]
    return wishes + [replace(wish, seed=chance.getrandbits(32)) for wish in wishes[:twins]]


def _wish(family: str, chance: random.Random) -> Wish:
    profile = PROFILES[family]
    low, high = profile.tempo_bpm
    bpm, tonic = chance.randint(int(low), int(high)), chance.choice(NAMES)
    mode = chance.choice(("major", "minor"))
    seconds, seed = chance.choice(_LENGTHS_S), chance.getrandbits(32)
    metre = chance.choice(METRES.get(family, ("",)))
    named = f", {metre}" if metre else ""
    prompt = f"{profile.label}, {bpm} bpm, {tonic} {mode}{named}"
    return Wish(family, prompt, bpm, f"{tonic} {mode}", metre, seconds, seed)


def generate(
    parameters: Parameters, folder: Path, report: Report = lambda _: None
) -> tuple[Generation, Floats, float]:
    """Compose into a folder: what was made, the mix [frames, 2], and the CPU-seconds it took."""
    before_s = cpu_s()
    made = Composer().generate(parameters, folder, report)
    spent_s = cpu_s() - before_s
    samples, _ = soundfile.read(folder / MIX_FILE, dtype="float64")
    return made, samples, spent_s


def cpu_s() -> float:
    """CPU-seconds of this process, its threads, and its children that have ended."""
    uses = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(use.ru_utime + use.ru_stime for use in uses)


def render(wish: Wish, *, judged: bool) -> Piece:
    """Compose a wish and measure it."""
    options = {"genre": wish.family}
    with tempfile.TemporaryDirectory() as name:
        made, samples, spent_s = generate(
            Parameters(wish.prompt, "", wish.seconds, wish.seed, options), Path(name)
        )
        score = read_score(Path(name) / "score.mid")
    plan = made.decisions["plan"]
    return replace(
        assess(wish, samples, spent_s, score, judged=judged),
        bpm_told=made.tempo_bpm or 0.0,
        metre_told=plan["metre"],
        texture=plan.get("texture", ""),
        sections=tuple(section["kind"] for section in plan["sections"]),
    )


def assess(
    wish: Wish, samples: Floats, spent_s: float, score: Score | None, *, judged: bool
) -> Piece:
    """Measure a mix, whoever made it. `spent_s` are the CPU-seconds it took."""
    division = 3 if wish.metre == "6/8" else 2
    return Piece(
        wish,
        measure(samples, RATE_HZ, strokes(score) if score else None),
        frames=len(samples),
        bpm_heard=tempo_bpm(samples, RATE_HZ, wish.bpm, division),
        key_heard=key(samples, RATE_HZ)[0],
        heard=hear(samples, RATE_HZ) if judged else None,
        cpu_s=spent_s,
        score=score,
    )


def strokes(score: Score) -> Floats:
    """Return the frames of drum hits."""
    ticks = [note.start for note in score.tracks.get("drums", ())]
    return np.array([score.seconds(tick) for tick in ticks]) * RATE_HZ


def pool(jobs: int) -> ProcessPoolExecutor:
    """Processes to render in, each started anew, so that none inherits a thread's lock."""
    return ProcessPoolExecutor(jobs, mp_context=get_context("spawn"))
