"""What an engine is: a manifest and one method that writes a WAV file."""

from __future__ import annotations

import abc
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from musicgen.errors import InvalidField, ModelNotFound
from musicgen.progress import Progress

MIX_FILE = "mix.wav"
"""The name of the finished mix in the scratch folder."""

MAX_PREVIEWS = 64
"""More of one piece are a breach of the contract."""
MAX_CHECKPOINT_BYTES = 64 << 20
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True, slots=True)
class Preview:
    """A stretch of the mix that can be heard before the rest is done.

    `name` is a WAV file in the scratch folder at the manifest's rate and channels, complete
    and not touched again; it ends in ".wav", and each preview has another. Previews follow
    each other from frame 0 without a gap. Raises ValueError for what can't be one.
    """

    name: str
    start_frame: int

    def __post_init__(self) -> None:
        if not _FILE_NAME.fullmatch(self.name) or not self.name.endswith(".wav"):
            raise ValueError(f"{self.name[:100]!r} can't be the file name of a preview")
        if self.start_frame < 0:
            raise ValueError(f"a preview can't begin at frame {self.start_frame}")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What another attempt at the same piece can go on from.

    `name` is a file in the scratch folder of 1 to MAX_CHECKPOINT_BYTES bytes, complete and not
    touched again; each one has another name than the one before, which it replaces. Raises
    ValueError for what can't be one.
    """

    name: str

    def __post_init__(self) -> None:
        if not _FILE_NAME.fullmatch(self.name):
            raise ValueError(f"{self.name[:100]!r} can't be the file name of a checkpoint")


Reported = Progress | Preview | Checkpoint
Report = Callable[[Reported], None]
"""Tells how far work has come, that a stretch can be heard, or that another attempt could go
on from here. Raises musicgen.errors.Cancelled once the caller has cancelled: an engine calls
it at least every half second of work and lets it raise."""


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
    supports_style_audio: bool = False
    supports_edit: bool = False
    checks_lyrics: bool = False


@dataclass(frozen=True, slots=True)
class TimeRange:
    """A part of a piece, in seconds from its start; `end_s` None: to its end."""

    start_s: float
    end_s: float | None = None


@dataclass(frozen=True, slots=True)
class Edit:
    """A piece of which parts are made anew. `source` is a file to be read only; `regenerate`
    are in order and apart from each other."""

    source: Path
    regenerate: Sequence[TimeRange]


@dataclass(frozen=True, slots=True)
class Parameters:
    """What to generate. Complete: the duration and the seed are set.

    `style_audio` is music, to be read only, that the style is taken from instead of from the
    prompt. With an `edit` the duration is about that of its source, which decides.

    `checkpoint` is the newest Checkpoint of an earlier attempt, a file to be read only, which
    may be gone. An engine goes on from it if all fits that the samples depend on, and begins
    anew otherwise: it changes how long the work takes, and nothing else.
    """

    prompt: str
    lyrics: str
    duration_s: float
    seed: int
    options: Mapping[str, Any]
    style_audio: Path | None = None
    edit: Edit | None = None
    checkpoint: Path | None = None


Severity = Literal["note", "warning", "error"]
"""Nothing may be lost; words may be skipped, rushed or repeated; words aren't sung."""


@dataclass(frozen=True, slots=True)
class LyricsFinding:
    """What a person should know about a line, counted from 1 (0: all of them). `code` is a
    stable lower-case name."""

    line: int
    severity: Severity
    code: str
    message: str
    remedy: str


@dataclass(frozen=True, slots=True)
class CheckedLyrics:
    """What of lyrics won't be sung as it stands, and all lines with their times as LRC."""

    findings: Sequence[LyricsFinding]
    timed_lyrics: str


ExtraRole = Literal["midi", "stem"]
"""A score as a Standard MIDI File, or one part of the mix alone."""

EXTRA_SUFFIXES: Mapping[ExtraRole, str] = {"midi": ".mid", "stem": ".wav"}
MAX_EXTRA_FILES = 64
MAX_LABEL_CHARACTERS = 100


@dataclass(frozen=True, slots=True)
class ExtraFile:
    """A file beside the mix in the scratch folder, kept with the track.

    `name` has no separators and ends as EXTRA_SUFFIXES says; `label` is for people, such
    as "Drums". A stem is a WAV file with the mix's rate, channels and length. Raises
    ValueError for a name or a label that isn't one.
    """

    name: str
    role: ExtraRole
    label: str

    def __post_init__(self) -> None:
        suffix = EXTRA_SUFFIXES.get(self.role)
        if suffix is None:
            raise ValueError(f"{self.role!r} is no role of a file beside the mix")
        if not _FILE_NAME.fullmatch(self.name) or not self.name.endswith(suffix):
            raise ValueError(f"{self.name[:100]!r} can't be the file name of a {self.role}")
        if not 1 <= len(self.label) <= MAX_LABEL_CHARACTERS:
            raise ValueError(
                f"the label of {self.name} needs 1 to {MAX_LABEL_CHARACTERS} characters"
            )


@dataclass(frozen=True, slots=True)
class Generation:
    """What an engine made besides MIX_FILE. `loop_frames` is (start, end), end exclusive."""

    title: str
    genre: str = ""
    tempo_bpm: float | None = None
    musical_key: str = ""
    loop_frames: tuple[int, int] | None = None
    decides_length: bool = False
    """Whether the engine's own plan (whole bars, say) wins over the length asked for."""
    decisions: Mapping[str, Any] = field(default_factory=dict)
    """The engine's plan, as plain JSON values, for the track's recipe. Under
    determinism.RUNTIME_KEY, a mapping of str to str: what the samples depend on besides the
    parameters, which is added to determinism.runtime() or replaces facts of it, such as
    {"device_class": "cuda"}."""
    files: Sequence[ExtraFile] = ()
    """What lies beside the mix: up to MAX_EXTRA_FILES, each with a name of its own."""
    rung: str = ""
    """How the engine made do with the memory that there was, such as "full" or "offload", for
    the recipe; "" from an engine that knows one way only."""


class Engine(abc.ABC):
    """One engine. Created once in its host process; generates one piece at a time."""

    manifest: Manifest

    @abc.abstractmethod
    def generate(self, parameters: Parameters, scratch: Path, report: Report) -> Generation:
        """Write `scratch / MIX_FILE` (WAV, float32 or PCM, at the manifest's rate and
        channels), beside it what the result's `files` name, and return what was made. The
        same parameters give the same samples.

        Runs in a thread. Raises a StudioError for anything a person can act on, and lets
        what `report` raises pass.
        """

    def check_lyrics(self, parameters: Parameters) -> CheckedLyrics:
        """Say which lines won't be sung as they stand; what isn't about the words doesn't
        matter. For engines whose manifest `checks_lyrics`.

        Runs in a thread, also beside `generate`. Raises InvalidLyrics.
        """
        del parameters
        raise InvalidField(
            f"{self.manifest.display_name} checks no lyrics.",
            remedy="Choose an engine that sings.",
            fields={"engine": "checks no lyrics"},
        )

    def load(self, model: str, report: Report) -> None:
        """Load a model of the studio's catalogue, so that the next piece begins at once;
        others may be dropped for it. For engines that have models.

        Runs in a thread, never beside `generate`. Raises ModelNotFound for a model that is
        not this engine's, ModelNotInstalled, OutOfMemory.
        """
        del report
        raise ModelNotFound(
            f"{self.manifest.display_name} has no model called {model[:100]!r}.",
            metadata={"engine": self.manifest.name, "model": model[:100]},
        )

    def loaded_models(self) -> Sequence[str]:
        """Return the names of the models that are in memory. Called between pieces."""
        return ()
