"""What comes with a track beside its audio: checked, then put into its folder. Blocking."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from musicgen.artifacts import ArtifactStore, sha256_of
from musicgen.errors import ArtifactNotFound, ChecksumMismatch, InvalidField
from services.library import editing, files
from services.library.track import TrackFile

MAX_FILES = 64
LABEL_LIMIT = 100
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_MEDIA_TYPE = re.compile(r"[a-z]+/[a-z0-9][a-z0-9.+-]{0,99}")


@dataclass(frozen=True, slots=True)
class Attachment:
    """An artifact that is to lie beside a track's audio, and what its maker says of it."""

    artifact_key: str
    sha256: str
    name: str
    label: str
    media_type: str


@dataclass(frozen=True, slots=True)
class Verified:
    """An attachment whose bytes are those that were promised."""

    source: Path
    file: TrackFile


def verified(store: ArtifactStore, attachments: Sequence[Attachment]) -> tuple[Verified, ...]:
    """Check them all. Raises InvalidField, ArtifactNotFound, ChecksumMismatch."""
    if faults := dict(_faults(attachments)):
        raise InvalidField("The attachments can't be kept.", fields=faults)
    return tuple(_verified(store, attachment) for attachment in attachments)


def place(found: Iterable[Verified], folder: Path) -> None:
    """Put the files into a folder, which is made: as links where the disk can, because
    artifacts never change, else as copies."""
    folder.mkdir()
    for one in found:
        target = folder / one.file.name
        try:
            os.link(one.source, target)
        except OSError:
            shutil.copyfile(one.source, target)


def _verified(store: ArtifactStore, attachment: Attachment) -> Verified:
    key = attachment.artifact_key
    source = store.existing(key)
    if not files.is_contained(source, store.root / "artifacts"):
        raise ArtifactNotFound(f"{key} is no artifact.")
    source = source.resolve()  # a link is made to the file itself
    actual = sha256_of(source)
    if actual != attachment.sha256:
        raise ChecksumMismatch(
            f"{key} does not have the checksum that was promised.",
            metadata={"key": key, "actual": actual},
        )
    label = editing.one_line(attachment.label, LABEL_LIMIT) or attachment.name
    return Verified(
        source,
        TrackFile(attachment.name, label, source.stat().st_size, attachment.media_type, actual),
    )


def _faults(attachments: Sequence[Attachment]) -> Iterable[tuple[str, str]]:
    if len(attachments) > MAX_FILES:
        yield "track.attachments", f"up to {MAX_FILES}"
    # Two names that differ in case only are one file on some disks.
    names = [attachment.name.casefold() for attachment in attachments]
    for index, attachment in enumerate(attachments[:MAX_FILES]):
        path = f"track.attachments[{index}]"
        if not _NAME.fullmatch(attachment.name):
            yield f"{path}.name", "must be a plain file name"
        elif names.index(names[index]) < index:
            yield f"{path}.name", "is taken by another"
        if not _MEDIA_TYPE.fullmatch(attachment.media_type):
            yield f"{path}.artifact.media_type", "must be a media type"
        for field in ("artifact_key", "sha256"):
            if not getattr(attachment, field):
                name = field.removeprefix("artifact_")
                yield f"{path}.artifact.{name}", "must be set"
