"""What a finder says of a track, and what came of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.looper.scorer import Score
from bench.looper.truth import Verdict


@dataclass(frozen=True, slots=True)
class Answer:
    """What a finder says of a track."""

    track: str
    found: bool = False
    top: tuple[tuple[float, float], ...] = ()
    """Start and end in frames, the best first."""
    cycle: Path | None = None
    """A file with one cycle as it would repeat."""
    error: str = ""
    crossfaded: bool = False
    """The bench lays a crossfade over the first choice."""

    @classmethod
    def read(cls, told: dict[str, Any]) -> Answer:
        """Read an answer from JSON."""
        top = tuple((float(one[0]), float(one[1])) for one in told.get("top") or ())
        cycle = told.get("cycle")
        found = bool(top) and told.get("found", True)
        track = str(told["track"]).rpartition("/")[2].removesuffix(".wav")
        return cls(track, found, top, Path(cycle) if cycle else None, told.get("error") or "")


@dataclass(frozen=True, slots=True)
class Row:
    """What came of a track."""

    track: str
    klass: str
    group: str
    loopable: bool | None
    found: bool
    good: bool
    """Right to 10 ms and a good join; of a track without a loop: none was found."""
    verdict: Verdict | None = None
    score: Score | None = None
    hit10_any: bool = False
    hit50_any: bool = False
    """Of one of the first choices."""
    ideal_db: float | None = None
    """Difference to the ideal cycle, where that is known."""
    error: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)
