"""From what a host left in its scratch folder to the stored files of a track."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from musicgen.artifacts import PREVIEW_PREFIX, ArtifactStore, StoredFile, sha256_of
from musicgen.audio.codecs import Format, Properties
from musicgen.engine.base import ExtraFile, Generation, Manifest
from musicgen.engine.client import Made
from musicgen.errors import EngineCrashed
from musicgen.progress import Progress, ProgressMeter, Stage
from services.inference.encoder import (
    Encoded,
    blocks_of,
    check_midi,
    check_mix,
    check_stem,
    encode,
)
from services.inference.scratch import no_space_is_disk_full

STAGE = "encoding"
MIDI_MEDIA_TYPE = "audio/midi"
_MIX = "mix"

Report = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class Extra:
    """A stored file beside the mix; `properties` if it is audio."""

    stored: StoredFile
    name: str
    label: str
    media_type: str
    properties: Properties | None = None


@dataclass(frozen=True, slots=True)
class Finished:
    """All files of a track, stored."""

    mix: Encoded
    stored: StoredFile
    extras: tuple[Extra, ...]


@dataclass(frozen=True, slots=True)
class _Part:
    """A file ready to be stored under `name`."""

    path: Path
    name: str
    sha256: str
    size_bytes: int


class Finishing:
    """Checks, encodes and stores what one generation left. Blocks; runs in a thread."""

    def __init__(self, store: ArtifactStore, prefix: str, format: Format) -> None:
        """`prefix` is the claim's; `format` that of the mix. Stems get it too, except
        that they stay lossless beside a lossy mix."""
        self._store = store
        self._prefix = prefix
        self._format = format
        self._stem_format = format if format.lossless else Format.FLAC

    def run(
        self, made: Made, folder: Path, manifest: Manifest, asked_duration_s: float, report: Report
    ) -> Finished:
        """Store the mix and all beside it, or nothing. Reports STAGE; what `report` raises
        ends the work. Raises EngineCrashed, DiskFull."""
        generation, mix = made.generation, folder / made.mix_name
        facts = check_mix(mix, manifest, generation, asked_duration_s)
        stems = _check_extras(generation, folder, facts)
        self._check_names(generation)

        count = blocks_of(facts) + sum(blocks_of(stem) for stem in stems.values())
        count += 1 + len(generation.files)  # to store them
        meter = ProgressMeter([Stage(STAGE, count, 1.0)])
        report(meter.enter(STAGE))
        # A dot begins no name that a host may give.
        target = folder / f".{_MIX}.{self._format.extension}"
        detail = "" if not stems else _MIX

        def tick() -> None:
            report(meter.advance(detail=detail))

        encoded = encode(mix, facts, self._format, target, tick)
        ready = [_Part(target, self._mix_name, encoded.sha256, encoded.size_bytes)]
        extras = []
        for file in generation.files:
            detail = file.label
            source, name = folder / file.name, self._name_of(file)
            if file.role == "midi":
                with no_space_is_disk_full():
                    copy = folder / f".{name}"
                    shutil.copyfile(source, copy)
                part = _Part(copy, name, sha256_of(copy), copy.stat().st_size)
                media_type, properties = MIDI_MEDIA_TYPE, None
            else:
                stem = encode(
                    source, stems[file.name], self._stem_format, folder / f".{name}", tick
                )
                source.unlink()  # the disk need not hold all of them twice
                part = _Part(stem.path, name, stem.sha256, stem.size_bytes)
                media_type, properties = self._stem_format.media_type, stem.properties
            ready.append(part)
            stored = StoredFile(f"{self._prefix}/{name}", part.sha256, part.size_bytes)
            extras.append(Extra(stored, name, file.label, media_type, properties))
        self._publish(ready, tick)
        key = f"{self._prefix}/{self._mix_name}"
        return Finished(encoded, StoredFile(key, encoded.sha256, encoded.size_bytes), tuple(extras))

    @property
    def _mix_name(self) -> str:
        return f"{_MIX}.{self._format.extension}"

    def _name_of(self, file: ExtraFile) -> str:
        if file.role == "midi":
            return file.name
        return f"{Path(file.name).stem}.{self._stem_format.extension}"

    def _check_names(self, made: Generation) -> None:
        names = [self._mix_name, *(self._name_of(file) for file in made.files)]
        if len(set(names)) < len(names):
            raise EngineCrashed("Two of the engine's files would get one name.")
        if any(name.startswith(PREVIEW_PREFIX) for name in names):
            raise EngineCrashed("One of the engine's files would be taken for a preview.")

    def _publish(self, ready: list[_Part], tick: Callable[[], None]) -> None:
        """Move all into the store; the mix comes last, so that it stands for all."""
        placed: list[Path] = []
        try:
            for part in reversed(ready):
                tick()
                key = f"{self._prefix}/{part.name}"
                with self._store.writing(key) as temporary:
                    shutil.move(part.path, temporary)  # artifacts may be on another disk
                placed.append(self._store.path(key))
        except BaseException:
            for path in placed:
                path.unlink(missing_ok=True)
            raise


def _check_extras(made: Generation, folder: Path, mix: Properties) -> dict[str, Properties]:
    """Return the facts of the stems by file name. Raises EngineCrashed for a file that
    isn't what it is said to be."""
    stems = {}
    for file in made.files:
        if file.role == "midi":
            check_midi(folder / file.name)
        else:
            stems[file.name] = check_stem(folder / file.name, mix)
    return stems
