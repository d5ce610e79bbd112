"""The local view of watched jobs: frames of a watch, folded in. Knows no channel.

The rules, from the contract of WatchJobs:

- A snapshot, once its last page is there, is the whole truth and replaces the view.
- An event applies only if its rev is greater than the rev known, so that what comes
  twice counts once. What was deleted stays deleted, whatever is replayed.
- Queues that are paused come with the snapshot; of the changes of one the last counts.
- The cursor moves only when a whole frame is applied. After a reset there is none
  until the snapshot that follows is complete.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from musicgen.api.jobs.v1 import job_event_pb2, job_pb2, job_service_pb2

TERMINAL_STATES = frozenset(
    {job_pb2.Job.STATE_SUCCEEDED, job_pb2.Job.STATE_FAILED, job_pb2.Job.STATE_CANCELLED}
)
"""A job in one of these has ended."""


class Kind(enum.Enum):
    """What a change did to a job in the view."""

    CHANGED = "changed"
    """It is new, its state is another, or it waits at another place."""
    PREVIEWED = "previewed"
    """More of it can be heard."""
    PROGRESSED = "progressed"
    """Only its progress is another."""
    DELETED = "deleted"
    """Its record is gone."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change of the view. `job` is as it now is, or was last if it is DELETED, with the
    rev of that if it was told."""

    kind: Kind
    job: job_pb2.Job


@dataclass(frozen=True, slots=True)
class Applied:
    """What one frame did. `synced` says that it completed a snapshot."""

    changes: tuple[Change, ...] = ()
    queues: tuple[job_event_pb2.QueueChange, ...] = ()
    synced: bool = False


class JobsView:
    """The watched jobs as far as this client knows them.

    The messages in it are replaced, never changed: one that was read stays as it was.
    """

    def __init__(self) -> None:
        self._jobs: dict[str, job_pb2.Job] = {}
        self._deleted_revs: dict[str, int] = {}
        self._paused: frozenset[str] = frozenset()
        self._pages: list[job_pb2.Job] = []
        self._cursor = ""
        self._synced = False

    @property
    def jobs(self) -> Mapping[str, job_pb2.Job]:
        """The jobs by id. Between a reset and the next snapshot: as known before."""
        return MappingProxyType(self._jobs)

    @property
    def paused_queues(self) -> frozenset[str]:
        """The queues that are paused by name; "all" stands for every queue."""
        return self._paused

    @property
    def cursor(self) -> str:
        """Where to resume; empty means with a snapshot."""
        return self._cursor

    @property
    def synced(self) -> bool:
        """Whether the view holds a complete snapshot and all that followed so far."""
        return self._synced

    def disconnected(self) -> None:
        """Drop the pages of a snapshot that broke off; they are sent again."""
        self._pages.clear()

    def restart(self) -> None:
        """Forget the cursor, so that the next watch begins with a snapshot."""
        self._pages.clear()
        self._cursor = ""
        self._synced = False

    def apply(self, frame: job_service_pb2.WatchJobsResponse) -> Applied:
        """Fold a frame in and move the cursor. A body that this version does not know
        changes nothing but the cursor."""
        body = frame.WhichOneof("body")
        applied = Applied()
        if body == "reset":
            self.restart()
            return applied
        if body == "snapshot":
            self._pages.extend(frame.snapshot.jobs)
            if not frame.snapshot.complete:
                return applied
            queues = self._pause(frozenset(frame.snapshot.paused_queues))
            applied = Applied(self._replace(), queues, synced=True)
        elif body == "events":
            changes = (self._fold(event) for event in frame.events.events)
            changed = tuple(change for change in changes if change is not None)
            paused = set(self._paused)
            for each in frame.events.queues:
                (paused.add if each.paused else paused.discard)(each.queue)
            applied = Applied(changed, self._pause(frozenset(paused)))
        if frame.cursor:
            self._cursor = frame.cursor
        return applied

    def _pause(self, queues: frozenset[str]) -> tuple[job_event_pb2.QueueChange, ...]:
        """Make these the paused queues, and return what that changed."""
        known, self._paused = self._paused, queues
        return tuple(
            job_event_pb2.QueueChange(queue=queue, paused=queue in queues)
            for queue in sorted(known ^ queues)
        )

    def _replace(self) -> tuple[Change, ...]:
        known, self._jobs = self._jobs, {job.job_id: job for job in self._pages}
        self._pages = []
        self._deleted_revs.clear()
        self._synced = True
        gone = [
            Change(Kind.DELETED, job) for job_id, job in known.items() if job_id not in self._jobs
        ]
        new = [
            Change(Kind.CHANGED, job)
            for job_id, job in self._jobs.items()
            if known.get(job_id) != job
        ]
        return (*gone, *new)

    def _fold(self, event: job_event_pb2.JobEvent) -> Change | None:
        job_id, known = event.job_id, self._jobs.get(event.job_id)
        known_rev = known.rev if known else self._deleted_revs.get(job_id, 0)
        if event.rev <= known_rev:
            return None
        match event.WhichOneof("event"):
            case "changed":
                job = _copy(event.changed)
                job.rev = event.rev
                self._jobs[job_id] = job
                return Change(_kind(known, job), job)
            case "progressed" if known:
                job = _copy(known)
                job.rev = event.rev
                job.progress.CopyFrom(event.progressed)
                job.update_time.CopyFrom(event.time)
                self._jobs[job_id] = job
                return Change(Kind.PROGRESSED, job)
            case "deleted":
                self._deleted_revs[job_id] = event.rev
                if known is None:
                    return None
                job = _copy(self._jobs.pop(job_id))
                job.rev = event.rev
                return Change(Kind.DELETED, job)
        return None


def _kind(known: job_pb2.Job | None, job: job_pb2.Job) -> Kind:
    """Return what a whole new record tells."""
    if known and known.state == job.state and len(known.previews) < len(job.previews):
        return Kind.PREVIEWED
    return Kind.CHANGED


def _copy(job: job_pb2.Job) -> job_pb2.Job:
    copy = job_pb2.Job()
    copy.CopyFrom(job)
    return copy
