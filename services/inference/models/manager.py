"""Which models are on the disk, and bringing them there, checking them and removing them.

<root>/hub/…                  repositories, see `cache`
<root>/installed/<name>.json  what is complete, see `records`
<root>/licences.json          what was accepted
"""

from __future__ import annotations

import contextlib
import enum
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from musicgen.artifacts import publish
from musicgen.errors import (
    ChecksumMismatch,
    DiskFull,
    InvalidField,
    LicenceNotAccepted,
    ModelInUse,
    ModelNotInstalled,
)
from services.inference.models.cache import Repository, full_disk_is_told, hash_for, read_into
from services.inference.models.catalogue import Catalogue
from services.inference.models.licences import Acceptances
from services.inference.models.model import Model, ModelFile
from services.inference.models.records import Placed, Record, Records
from services.inference.models.sources import Folder, Found, Hub, Source
from services.inference.models.transfer import Report, TransferMeter
from services.inference.models.undo import Undo

TURN_S = 5.0
"""How long an install waits for another one of the same repository: one that was killed, or
whose job was taken over, needs a moment to let go."""
SPARE_BYTES = 16 << 20
"""Space that an install leaves free: the job store must go on writing."""


class State(enum.Enum):
    """How a model stands on the disk; named as in the contract."""

    NOT_INSTALLED = "NOT_INSTALLED"
    INSTALLED = "INSTALLED"
    CORRUPT = "CORRUPT"


@dataclass(frozen=True, slots=True)
class Status:
    """How a model stands, and its record if there is one. `sizes` are of the files that are
    complete, by path."""

    state: State
    detail: str
    record: Record | None
    installed_bytes: int
    sizes: Mapping[str, int]


class ModelManager:
    """The models of one folder. All methods block."""

    def __init__(self, root: Path, catalogue: Catalogue) -> None:
        self.root = root
        self.catalogue = catalogue
        self.hub_cache = root / "hub"
        self._records = Records(root / "installed")
        self._accepted = Acceptances(root / "licences.json")

    # ---- what is there ----------------------------------------------------------------

    def status(self, name: str) -> Status:
        """Return how a model stands; what it needs counts. Raises ModelNotFound."""
        model = self.catalogue.get(name)
        own = self._own_status(model)
        if own.state is not State.INSTALLED:
            return own
        for need in self.catalogue.with_needs(name)[:-1]:
            status = self._own_status(need)
            if status.state is not State.INSTALLED:
                detail = status.detail or f"{need.display_name}, which it needs, is missing."
                return Status(status.state, detail, own.record, own.installed_bytes, own.sizes)
        return own

    def _own_status(self, model: Model) -> Status:
        repository, record = self._repository(model), self._records.read(model.name)
        taken = repository.size_bytes()
        if record is None or not record.is_of(model):
            detail = "Another version of it is installed." if record else ""
            return Status(State.NOT_INSTALLED, detail, None, taken, {})
        sizes, wrong = {}, ""
        for file in record.files:
            try:
                size_bytes = repository.pointer(record.commit, file.path).stat().st_size
            except OSError:
                wrong = wrong or f"{file.path} is missing."
                continue
            if size_bytes == file.size_bytes:
                sizes[file.path] = size_bytes
            else:
                wrong = wrong or f"{file.path} has {size_bytes} bytes, not {file.size_bytes}."
        return Status(State.CORRUPT if wrong else State.INSTALLED, wrong, record, taken, sizes)

    def folder(self, name: str) -> Path:
        """Return the folder with a model's files under their paths. Raises ModelNotFound,
        ModelNotInstalled."""
        status = self.status(name)
        if status.state is not State.INSTALLED or status.record is None:
            raise self._missing(name, status)
        return self._repository(self.catalogue.get(name)).pointer(status.record.commit, "")

    def licence_accepted(self, name: str) -> bool:
        """Whether a model's own licence needs no acceptance or has it."""
        return self._accepted.covers(name, self.catalogue.get(name).licence)

    def accept(self, name: str, licence_id: str) -> None:
        """Accept a model's licence. Raises ModelNotFound, InvalidField if it has another."""
        licence = self.catalogue.get(name).licence
        if licence_id != licence.id:
            raise InvalidField(
                f"The licence of {name} is {licence.id}, not {licence_id[:100]!r}.",
                fields={"licence_id": f"must be {licence.id}"},
            )
        self._accepted.accept(name, licence)

    # ---- changing it --------------------------------------------------------------------

    def install(
        self, name: str, report: Report, *, accept_licence: bool = False, folder: Path | None = None
    ) -> None:
        """Bring a model and all that it needs, verified; what is there is not brought again.

        Raises ModelNotFound, LicenceNotAccepted, InvalidField for a folder without the
        files, ModelInUse, DiskFull, DownloadFailed, DownloadRefused, ChecksumMismatch, and
        what `report` raises. After DiskFull all is as it was.
        """
        models = self.catalogue.with_needs(name)
        self._check_licences(models, accept=accept_licence)
        wanted = [m for m in models if self._own_status(m).state is not State.INSTALLED]
        meter = TransferMeter(report, 0, 1)
        if not wanted:
            return
        source: Source = Folder(folder) if folder else Hub()
        repositories = list({m.repository: self._repository(m) for m in wanted}.values())
        with full_disk_is_told("the model"), contextlib.ExitStack() as locks:
            for repository in repositories:
                locks.enter_context(repository.locked(TURN_S))
            found = {}
            for model in wanted:
                meter.enter("looking", model.display_name)
                found[model.name] = source.find(model)
            self._check_space(wanted, found)
            files = [file for listed in found.values() for file in listed]
            meter = TransferMeter(report, sum(f.size_bytes for f in files), len(files))
            with Undo(repositories) as undo:
                for model in wanted:
                    self._bring(model, found[model.name], source, meter, undo)
                for model in wanted:
                    self._show(model, found[model.name], undo)

    def _bring(
        self, model: Model, found: list[Found], source: Source, meter: TransferMeter, undo: Undo
    ) -> None:
        repository = self._repository(model)
        repository.blobs.mkdir(parents=True, exist_ok=True)
        for file in found:
            blob, part = repository.blob(file.etag), repository.part(file.etag)
            if not self._holds(blob, file, meter):
                undo.remember(part)
                meter.enter(source.stage, f"{model.display_name}: {file.file.path}")
                source.bring(model, file, part, meter.add)
                undo.remember(blob)
                publish(part, blob)
            meter.finish_file()

    def _show(self, model: Model, found: list[Found], undo: Undo) -> None:
        """Make files that are there visible under their names; the record comes last."""
        repository, commit = self._repository(model), found[0].commit
        for file in found:
            undo.remember(repository.pointer(commit, file.file.path))
            repository.link(commit, file.file.path, file.etag)
        # What loads a model by its name alone asks for "main".
        for branch in {model.revision, "main"} - {commit}:
            undo.remember(repository.ref(branch))
            repository.point(branch, commit)
        placed = tuple(Placed(f.file.path, f.etag, f.size_bytes) for f in found)
        record = Record(model.repository, model.revision, commit, placed)
        self._records.write(model.name, record)

    def _holds(self, blob: Path, found: Found, meter: TransferMeter) -> bool:
        """Whether the bytes are there and right; what is wrong is removed."""
        if not blob.is_file():
            return False
        meter.enter("verifying", found.file.path)
        before = blob.stat().st_size
        hashed = hash_for(found.etag, before)
        if before == found.size_bytes:
            read_into(hashed, blob, meter.add)
            if hashed.hexdigest() == found.etag:
                return True
            meter.add(-before)
        blob.unlink()
        return False

    def verify(self, name: str, report: Report) -> None:
        """Read all files of a model and of what it needs. Raises ModelNotFound,
        ModelNotInstalled, ModelInUse, and ChecksumMismatch, which names the files that are
        wrong; these are removed, so that an install brings only them again."""
        models = self.catalogue.with_needs(name)
        records = {}
        for model in models:
            record = self._own_status(model).record
            if record is None:
                raise self._missing(model.name, self._own_status(model))
            records[model.name] = record
        files = [file for record in records.values() for file in record.files]
        meter = TransferMeter(report, sum(file.size_bytes for file in files), len(files))
        wrong: list[str] = []
        for model in models:
            repository, record = self._repository(model), records[model.name]
            with repository.locked(TURN_S):
                for file in record.files:
                    meter.enter("verifying", f"{model.display_name}: {file.path}")
                    found = Found(_named(model, file), file.etag, file.size_bytes, record.commit)
                    if not self._holds(repository.blob(file.etag), found, meter):
                        wrong.append(f"{model.repository}: {file.path}")
                    meter.finish_file()
        if wrong:
            raise ChecksumMismatch(
                f"{', '.join(wrong)}: not what was installed.",
                remedy=f"`musicgen models install {name}` fetches what is wrong again.",
                metadata={"model": name, "files": ", ".join(wrong)},
            )

    def remove(self, name: str) -> list[str]:
        """Remove a model and what only it needed; return the names of those removed. Fine if
        nothing is there. Raises ModelNotFound, ModelInUse."""
        model = self.catalogue.get(name)
        if users := self._users(model, besides=()):
            raise ModelInUse(
                f"{model.display_name} is needed by {', '.join(users)}.",
                remedy="Remove those first.",
                metadata={"model": name, "users": ", ".join(users)},
            )
        gone = [model]
        for need in reversed(self.catalogue.with_needs(name)[:-1]):
            if not need.variant and not self._users(need, besides=[m.name for m in gone]):
                gone.append(need)
        for going in gone:
            repository = self._repository(going)
            if not repository.folder.exists():
                self._records.remove(going.name)
                continue
            with repository.locked():
                self._records.remove(going.name)  # first: half of a model is none
                if not self._shared(going):
                    repository.remove()
        return [going.name for going in gone]

    # ---- inside -------------------------------------------------------------------------

    def _repository(self, model: Model) -> Repository:
        return Repository(self.hub_cache, model)

    def _users(self, model: Model, besides: list[str] | tuple[()]) -> list[str]:
        """Return the installed models that need this one."""
        return [
            other.name
            for other in self.catalogue
            if other.name not in besides
            and model.name in [m.name for m in self.catalogue.with_needs(other.name)[:-1]]
            and self._records.read(other.name)
        ]

    def _shared(self, model: Model) -> bool:
        """Whether another installed model has its files in the same repository."""
        return any(
            other.repository == model.repository and self._records.read(other.name)
            for other in self.catalogue
            if other.name != model.name
        )

    def _check_licences(self, models: list[Model], *, accept: bool) -> None:
        left = [m for m in models if not self._accepted.covers(m.name, m.licence)]
        if left and not accept:
            terms = {m.licence.id: m.licence for m in left}
            raise LicenceNotAccepted(
                "These licences must be accepted first: "
                + ", ".join(f"{licence.title} ({licence.url})" for licence in terms.values())
                + ".",
                metadata={
                    "models": ", ".join(m.name for m in left),
                    "licences": ", ".join(terms),
                },
            )
        for model in left:
            self._accepted.accept(model.name, model.licence)

    def _check_space(self, models: list[Model], found: Mapping[str, list[Found]]) -> None:
        needed = 0
        for model in models:
            repository = self._repository(model)
            for file in found[model.name]:
                blob, part = repository.blob(file.etag), repository.part(file.etag)
                there = blob if blob.exists() else part
                held = there.stat().st_size if there.exists() else 0
                needed += max(0, file.size_bytes - held)
        free = shutil.disk_usage(self.hub_cache).free
        if needed and needed + SPARE_BYTES > free:
            raise DiskFull(
                f"The model needs {needed / 1e9:.2f} GB more, and {free / 1e9:.2f} GB are free.",
                remedy="Free some disk space, then install the model again.",
                metadata={"needed_bytes": str(needed), "free_bytes": str(free)},
            )

    def _missing(self, name: str, status: Status) -> ModelNotInstalled:
        return ModelNotInstalled(
            f"The model {name} is not installed. {status.detail}".rstrip(),
            remedy=f"`musicgen models install {name}` installs it.",
            metadata={"model": name, "state": status.state.value},
        )


def _named(model: Model, placed: Placed) -> ModelFile:
    return next(file for file in model.files if file.path == placed.path)
