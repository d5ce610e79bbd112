"""Settings from the environment."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from musicgen.settings import SettingsError, load

pytestmark = pytest.mark.unit


@dataclass(frozen=True)
class Example:
    """One field of each type."""

    name: str
    folder: Path
    count: int = 1
    share: float = 0.5
    flag: bool = False
    other: Path | None = None

    def __post_init__(self) -> None:
        """Refuse a negative count."""
        if self.count < 0:
            raise ValueError("count must not be negative")


REQUIRED = {"MUSICGEN_NAME": "n", "MUSICGEN_FOLDER": "/tmp"}  # noqa: S108 - only a path's text


def test_types_and_defaults() -> None:
    """Each field gets its type; what is not set has its default."""
    assert load(Example, REQUIRED) == Example("n", Path("/tmp"))  # noqa: S108 - only a path's text
    full = load(
        Example,
        REQUIRED
        | {
            "MUSICGEN_COUNT": "7",
            "MUSICGEN_SHARE": "0.25",
            "MUSICGEN_FLAG": "yes",
            "MUSICGEN_OTHER": "/o",
        },
    )
    assert (full.count, full.share, full.flag, full.other) == (7, 0.25, True, Path("/o"))


def test_all_faults_at_once() -> None:
    """Everything that is missing or wrong is named in one error."""
    with pytest.raises(SettingsError) as caught:
        load(Example, {"MUSICGEN_COUNT": "x", "MUSICGEN_FLAG": "perhaps"})
    assert len(str(caught.value).splitlines()) == 4
    with pytest.raises(SettingsError, match="must not be negative"):
        load(Example, REQUIRED | {"MUSICGEN_COUNT": "-1"})
