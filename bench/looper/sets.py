"""Sets of tracks: which there are, and how a seed's set is made and kept.

Each track has chance of its own, [seed, number], so that leaving one out changes no other.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import soundfile

from bench.composer.packages import FOLDER, Unavailable
from bench.looper import copies, studio
from bench.looper.composition import Chance
from bench.looper.instruments import Floats
from bench.looper.made import Made
from bench.looper.recorded import RECORDED
from bench.looper.repeats import REPEATS
from bench.looper.soundfont import SOUNDFONT_PLAYED
from bench.looper.truth import Truth
from bench.looper.unloopable import UNLOOPABLE, composed, speech
from bench.looper.unusual import ambient, rubato, single_tail, whole_file

SETS = FOLDER / "looper" / "sets"
VERSION = "1"
"""Of the sets; another one is made anew."""
GROUPS = ("standard", "none", "composer", "recorded")

Make = Callable[[Chance], Made]
Change = Callable[[Floats, Truth, Chance], Made]


@dataclass(frozen=True, slots=True)
class Entry:
    """A track of every set."""

    number: int
    name: str
    group: str
    make: Make | None = None
    source: str = ""
    """Of a copy, the track it is made of by `change`."""
    change: Change | None = None

    @property
    def file(self) -> str:
        """The file's name, without suffix."""
        return f"{self.number:02}_{self.name}"


def _lossy(codec: str) -> Change:
    return lambda samples, truth, _: copies.lossy(samples, truth, codec)


def _faster(samples: Floats, truth: Truth, chance: Chance) -> Made:
    return copies.faster(samples, truth, float(chance.choice([-1, 1]) * chance.uniform(200, 500)))


_CHANGES: tuple[tuple[str, Change], ...] = (
    ("mp3", _lossy("mp3")),
    ("opus", _lossy("opus")),
    ("faster", _faster),
    ("drifting", copies.drifting),
)


@functools.cache
def entries() -> dict[str, Entry]:
    """Return all tracks by their files' names."""
    found = [Entry(*key, "standard", kind.make) for key, kind in REPEATS.items()]
    found += [Entry(*key, "standard", kind.make) for key, kind in SOUNDFONT_PLAYED.items()]
    unusual: tuple[tuple[int, str, Make], ...] = (
        (6, "ambient_exact", ambient),
        (7, "ambient_noise", functools.partial(ambient, wind=True)),
        (8, "rubato_same", rubato),
        (9, "rubato_drift", functools.partial(rubato, same=False)),
        (13, "single_tail", single_tail),
        (18, "none_composed", composed),
        (19, "none_speech", speech),
        (31, "whole_loop", whole_file),
        (32, "whole_loop_padded", functools.partial(whole_file, padded=True)),
    )
    found += [Entry(*one[:2], "standard", one[2]) for one in unusual]
    found.append(Entry(29, "lossy_mp3_128", "standard", None, "01_edm_intro", _lossy("mp3")))
    found.append(Entry(30, "lossy_opus_96", "standard", None, "10_waltz_3_4", _lossy("opus")))
    found += [Entry(*key, "none", make) for key, make in UNLOOPABLE.items()]
    for place in range(studio.FAMILIES):
        whole = functools.partial(studio.whole_file, place=place)
        tiled = functools.partial(studio.tiled, place=place)
        found.append(Entry(201 + place, f"composer_{place + 1}_file", "composer", whole))
        found.append(Entry(211 + place, f"composer_{place + 1}_tiled", "composer", tiled))
        name, change = _CHANGES[place % len(_CHANGES)]
        found.append(Entry(221 + place, f"composer_{place + 1}_{name}", "composer", None,
                           found[-1].file, change))  # fmt: skip
    found += [Entry(*key, "recorded", kind.make) for key, kind in RECORDED.items()]
    sources = [one.file for one in found if one.group == "recorded"]
    for place, (name, change) in enumerate(_CHANGES):
        file = sources[2 * place]
        found.append(Entry(311 + place, f"{file[4:]}_{name}", "recorded", None, file, change))
    return {one.file: one for one in sorted(found, key=lambda one: one.number)}


def make(seed: int, file: str, folder: Path) -> str:
    """Make a track if it isn't there; returns why it can't be made, or ""."""
    entry = entries()[file]
    if (folder / f"{file}.json").exists():
        return ""
    chance = np.random.default_rng([seed, entry.number])
    try:
        if entry.make:
            made = entry.make(chance)
        else:
            make(seed, entry.source, folder)
            truth = Truth.read(folder / f"{entry.source}.json")
            samples, _ = soundfile.read(folder / f"{entry.source}.wav", always_2d=True)
            assert entry.change  # noqa: S101 - an entry is made, or changed
            made = entry.change(samples, truth, chance)
    except Unavailable as problem:
        return str(problem)
    made.truth.group = entry.group
    made.write(folder, file)
    return ""


def build(seed: int, groups: Iterable[str], jobs: int = 2) -> tuple[list[Truth], list[str]]:
    """Make what is missing of a seed's set; returns its tracks, and what can't be had."""
    folder = folder_of(seed)
    chosen = [one for one in entries().values() if one.group in set(groups)]
    # A copy's source must be there before, or two processes might write it.
    problems: list[str] = []
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as workers:
        for is_copy in (False, True):
            files = [one.file for one in chosen if (one.make is None) == is_copy]
            work = functools.partial(make, seed, folder=folder)
            results = zip(files, workers.map(work, files), strict=True)
            problems += [f"{file}: {problem}" for file, problem in results if problem]
    paths = [folder / f"{one.file}.json" for one in chosen]
    return [Truth.read(path) for path in paths if path.exists()], problems


def folder_of(seed: int) -> Path:
    """Return the folder of a seed's set, emptied if another version filled it."""
    folder = SETS / str(seed)
    folder.mkdir(parents=True, exist_ok=True)
    stamp = folder / "version"
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != VERSION:
        for path in folder.iterdir():
            path.unlink()
        stamp.write_text(VERSION, encoding="utf-8")
    return folder


def drawn(count: int) -> list[int]:
    """Draw seeds that nobody has seen."""
    return [int.from_bytes(os.urandom(3), "big") for _ in range(count)]
