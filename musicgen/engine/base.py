"""What an engine is: a manifest and one method that writes a WAV file."""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from musicgen.progress import Progress

MIX_FILE = "mix.wav"
"""The name of the finished mix in the scratch folder."""

Report = Callable[[Progress], None]
"""Tells how far work has come. Raises musicgen.errors.Cancelled once the caller has
cancelled: an engine calls it at least every half second of work and lets it raise."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an engine is and can do; the fields are those of EngineManifest."""

    name: str
    display_name: str
    version: str
    description: str
    license: str
    sample_rate_hz: int
    channels: int
    min_duration_s: float
    max_duration_s: float
    default_duration_s: float
    supports_lyrics: bool = False
    options_schema: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Parameters:
    """What to generate. Complete: the duration and the seed are set."""

    prompt: str
    lyrics: str
    duration_s: float
    seed: int
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Generation:
    """What an engine made besides MIX_FILE. `loop_frames` is (start, end), end exclusive."""

    title: str
    genre: str = ""
    tempo_bpm: float | None = None
    musical_key: str = ""
    loop_frames: tuple[int, int] | None = None
    decisions: Mapping[str, Any] = field(default_factory=dict)
    """The engine's plan, as plain JSON values, for the track's recipe."""


class Engine(abc.ABC):
    """One engine. Created once in its host process; generates one piece at a time."""

    manifest: Manifest

    @abc.abstractmethod
    def generate(self, parameters: Parameters, scratch: Path, report: Report) -> Generation:
        """Write `scratch / MIX_FILE` (WAV, float32 or PCM, at the manifest's rate and
        channels) and return what was made. The same parameters give the same samples.

        Runs in a thread. Raises a StudioError for anything a person can act on, and lets
        what `report` raises pass.
        """
