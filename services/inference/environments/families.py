"""Which environments there are, and what each of them needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from musicgen.engine.hardware import Kind
from musicgen.errors import ModelNotFound

_GIB = 1 << 30
_HERE = Path(__file__).resolve()


def lock_path(name: str) -> Path:
    """Return where a lock lies: in a checkout under requirements/engines, else in this
    package."""
    in_checkout = _HERE.parents[3] / "requirements" / "engines" / name
    return in_checkout if in_checkout.exists() else _HERE.parent / "locks" / name


@dataclass(frozen=True, slots=True)
class Family:
    """Engines that share an environment. Its `name` is that of the folder.

    `imports` is what the smoke run imports. `disk_bytes` is what the set-up needs on the
    disk at its peak, by the kind of device that torch is built for.
    """

    name: str
    lock: Path
    engines: tuple[str, ...]
    imports: tuple[str, ...]
    disk_bytes: Mapping[Kind, int]


FAMILIES: Mapping[str, Family] = {
    family.name: family
    for family in (
        Family(
            name="diffrhythm",
            lock=lock_path("diffrhythm.txt"),
            engines=("diffrhythm", "diffrhythm-tiny"),
            imports=(
                "torch",
                "safetensors.torch",
                "tokenizers",
                "numpy",
                "soundfile",
                "soxr",
                "espeak_english",
                "musicgen.engine.host",
            ),
            disk_bytes={"cpu": 2 * _GIB, "mps": 2 * _GIB, "cuda": 14 * _GIB, "rocm": 30 * _GIB},
        ),
    )
}


def family_of(engine: str, families: Iterable[Family]) -> Family:
    """Return the family of an engine, or of that name. Raises ModelNotFound."""
    for family in families:
        if engine == family.name or engine in family.engines:
            return family
    raise ModelNotFound(
        f"No engine called {engine[:40]!r} has an environment of its own.",
        remedy="`musicgen engines` lists the engines.",
    )
