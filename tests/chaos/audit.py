"""What must hold when everything is quiet again: the store, the disk and every promise agree."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import soundfile

from musicgen.api.errors.v1 import error_pb2, error_reason_pb2
from musicgen.api.jobs.v1 import job_outcome_pb2, job_pb2
from musicgen.artifacts import PREVIEW_PREFIX, sha256_of
from musicgen.testing.fake_engine import SAMPLE_RATE_HZ
from services.jobs.records import BatchRecord, JobRecord, State
from services.jobs.store import JobStore, all_records
from services.jobs.store.connection import PREFIX
from services.library.sweep import PREVIEWS_KEEP_S, Sweeper
from services.library.track import track_id_of
from tests.chaos.ledger import Ledger
from tests.chaos.recorder import Recorder

_KEEPS_WAITING = ("q:*", "delayed:*", "running:*", "due", "outbox")


@dataclass(slots=True)
class Findings:
    """Everything that is wrong, by what it breaks; empty lists are as it should be."""

    lost: list[str] = field(default_factory=list)
    unended: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    request_ids_with_two_jobs: list[str] = field(default_factory=list)
    torn: list[str] = field(default_factory=list)
    orphaned: list[str] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    """Results of a claim that was not the newest of its job."""
    rev_gaps: list[str] = field(default_factory=list)
    fence_regressions: list[str] = field(default_factory=list)
    left_in_queues: list[str] = field(default_factory=list)
    batch_miscounts: list[str] = field(default_factory=list)
    attempts_over_limit: list[str] = field(default_factory=list)
    wrong_ends: list[str] = field(default_factory=list)
    """Poison that did not fail, jobs that were cancelled though nobody asked, and the like."""
    watchers_wrong: list[str] = field(default_factory=list)
    watchers_doubled: list[str] = field(default_factory=list)
    slow_recoveries: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Facts:
    """What was found that is neither right nor wrong."""

    unpromised: int = 0
    """Jobs that exist though their client never heard so."""
    ends: Counter[str] = field(default_factory=Counter)
    failed_because: Counter[str] = field(default_factory=Counter)
    """Why jobs failed that would have succeeded without faults."""
    tracks: int = 0
    exports: int = 0
    files_of_dead_claims: int = 0
    started_more_than_once: int = 0


class Audit:
    """Compares promises, store, history and disk."""

    def __init__(
        self, store: JobStore, recorder: Recorder, ledger: Ledger, data_root: Path
    ) -> None:
        self._store = store
        self._recorder = recorder
        self._ledger = ledger
        self._root = data_root
        self.findings = Findings()
        self.facts = Facts()

    async def run(self) -> None:
        """Look at everything. The fleet must be at rest; the store must answer."""
        records = {r.id: r async for page in all_records(self._store) for r in page}
        self._promises(records)
        self._history(records)
        await self._queues()
        await self._batches(records)
        for record in records.values():
            self._end(record)
            self._exports(record)
        self._tracks(records)
        self._artifacts(records)

    # ---- promises ------------------------------------------------------------------

    def _promises(self, records: Mapping[str, JobRecord]) -> None:
        found = self.findings
        promises = self._ledger.promises
        found.lost += [f"job {id} was promised and is gone" for id in promises.keys() - records]
        found.unended += [
            f"job {record.id} is {record.state.value}"
            for record in records.values()
            if not record.state.terminal
        ]
        self.facts.unpromised = len(records.keys() - promises.keys())
        found.request_ids_with_two_jobs += [
            f"request {request_id} was answered with {', '.join(sorted(made))}"
            for request_id, made in self._ledger.made_by.items()
            if len(made) > 1
        ]
        # Every prompt carries its request id, so that jobs nobody was told of count, too.
        asked: dict[str, list[str]] = {}
        for record in records.values():
            if record.batch or record.retry_of or not _makes_track(record):
                continue
            prompt = _spec(record).generate.parameters.prompt
            asked.setdefault(prompt, []).append(record.id)
        known = {id for id, made in self._ledger.made_by.items() if len(made) > 1}
        found.request_ids_with_two_jobs += [
            f"{prompt!r} was made into {', '.join(sorted(jobs))}"
            for prompt, jobs in asked.items()
            if len(jobs) > 1 and prompt.split()[-1] not in known
        ]

    # ---- the store -----------------------------------------------------------------

    def _history(self, records: Mapping[str, JobRecord]) -> None:
        found, stories = self.findings, self._recorder.stories
        found.rev_gaps += self._recorder.rev_gaps
        found.fence_regressions += self._recorder.fence_regressions
        for record in records.values():
            story = stories[record.id]
            if record.rev != story.rev:
                found.rev_gaps.append(
                    f"job {record.id}: rev is {record.rev}, its history ends at {story.rev}"
                )
            if len(story.ended) > 1:
                found.doubled.append(f"job {record.id} ended {len(story.ended)} times")
            self.facts.started_more_than_once += story.claims > 1

    async def _queues(self) -> None:
        redis = self._recorder.redis
        for pattern in _KEEPS_WAITING:
            async for key in redis.scan_iter(f"{PREFIX}{pattern}"):
                kind = (await redis.type(key)).decode()
                left = await (redis.scard(key) if kind == "set" else redis.zcard(key))
                if left:
                    name = key.decode().removeprefix(PREFIX)
                    self.findings.left_in_queues.append(f"{name} still has {left}")

    async def _batches(self, records: Mapping[str, JobRecord]) -> None:
        before: int | None = None
        while page := await self._store.batch_page(before):
            for batch in page:
                members = await self._store.batch_job_ids(batch.id)
                self._batch(batch, members, records)
            before = page[-1].seq
        for batch_id, ids in self._ledger.batches.items():
            if missing := [id for id in ids if id not in records]:
                self.findings.lost.append(f"batch {batch_id} lacks {len(missing)} jobs")

    def _batch(
        self, batch: BatchRecord, members: list[str], records: Mapping[str, JobRecord]
    ) -> None:
        truth = Counter(records[id].state for id in members if id in records)
        if dict(batch.counts) != dict(truth) or batch.size != len(members):
            self.findings.batch_miscounts.append(
                f"batch {batch.id} of {len(members)} counts {_counts(batch.counts)}, "
                f"its jobs are {_counts(truth)}"
            )

    # ---- jobs ----------------------------------------------------------------------

    def _end(self, record: JobRecord) -> None:
        found, state = self.findings, record.state
        self.facts.ends[state.value] += 1
        if record.attempt > record.max_attempts:
            found.attempts_over_limit.append(f"job {record.id} had {record.attempt} attempts")
        promise = self._ledger.promises.get(record.id)
        kind = promise.kind if promise else ""
        reason = _reason(record)
        if kind == "poison" and state is State.SUCCEEDED:
            found.wrong_ends.append(f"poison {record.id} succeeded")
        if kind == "failing" and state is State.SUCCEEDED:
            found.wrong_ends.append(f"job {record.id} should have failed and succeeded")
        if state is State.CANCELLED and promise and record.id not in self._ledger.cancelled:
            found.wrong_ends.append(f"job {record.id} was cancelled and nobody asked for it")
        if state is State.FAILED:
            if not reason:
                found.wrong_ends.append(f"job {record.id} failed and doesn't say why")
            if kind in ("quick", "slow", "export", ""):
                self.facts.failed_because[reason] += 1
        if state is State.SUCCEEDED and not record.result:
            found.torn.append(f"job {record.id} succeeded and has no result")

    def _exports(self, record: JobRecord) -> None:
        found = self.findings
        for download in _result(record).downloads:
            self.facts.exports += 1
            path = self._root / download.artifact.key
            if not path.is_file():
                found.torn.append(f"job {record.id}: {download.artifact.key} is missing")
            elif sha256_of(path) != download.artifact.sha256:
                found.torn.append(f"job {record.id}: {download.artifact.key} has other bytes")

    # ---- the disk ------------------------------------------------------------------

    def _tracks(self, records: Mapping[str, JobRecord]) -> None:
        found, library = self.findings, self._root / "library"
        folders = {p.name: p for p in library.glob("[a-z2-7]*") if p.is_dir()}
        self.facts.tracks = len(folders)
        expected: dict[str, str] = {}
        by_job: Counter[str] = Counter()
        for record in records.values():
            for index, track_id in enumerate(_result(record).track_ids):
                expected[track_id] = record.id
                if track_id != track_id_of(record.id, index):
                    found.doubled.append(f"job {record.id} has a track of another id: {track_id}")
                if track_id not in folders:
                    found.torn.append(f"job {record.id} succeeded without its track {track_id}")
        for track_id, folder in folders.items():
            try:
                sidecar = json.loads((folder / "track.json").read_text(encoding="utf-8"))
            except (OSError, ValueError) as error:
                found.torn.append(f"track {track_id} can't be read: {error}")
                continue
            by_job[sidecar["job_id"]] += 1
            owner = records.get(sidecar["job_id"])
            if track_id not in expected:
                found.orphaned.append(f"track {track_id} of job {sidecar['job_id']} is nobody's")
            elif owner is not None:
                self._track(folder, sidecar, owner)
        found.doubled += [f"job {id} has {n} tracks" for id, n in by_job.items() if n > 1]
        found.torn += [
            f"{path.relative_to(self._root)} was left in the library"
            for path in library.rglob("*")
            if path.is_file() and (path.name.endswith(".part") or ".staging" in path.parts)
        ]

    def _track(self, folder: Path, sidecar: dict[str, Any], record: JobRecord) -> None:
        found = self.findings
        outcome = job_outcome_pb2.JobOutcome.FromString(record.outcome)
        made = outcome.tracks[sidecar["output_index"]].artifact
        fence = int(made.key.split("/")[2])
        newest = self._recorder.stories[record.id].fence
        if fence != newest:
            found.stale.append(
                f"job {record.id}: claim {fence} was published, the newest was {newest}"
            )
        if sidecar["source_sha256"] != made.sha256:
            found.doubled.append(f"job {record.id}: its track is not what was committed")
        audio = [path for path in folder.glob("audio.*") if path.is_file()]
        if len(audio) != 1:
            found.torn.append(f"track {folder.name} has {len(audio)} audio files")
            return
        frames = made.audio.duration_frames
        if (problem := _unreadable(audio[0], frames)) or (
            audio[0].stat().st_size != sidecar["size_bytes"] and (problem := "another size")
        ):
            found.torn.append(f"track {folder.name}: {problem}")

    def _artifacts(self, records: Mapping[str, JobRecord]) -> None:
        """Files under final names are whole; those of dead claims go with the next sweep."""
        folder = self._root / "artifacts"
        left = [path for path in folder.rglob("*") if path.is_file()]
        self.facts.files_of_dead_claims = len(left)
        for path in left:
            if path.name.startswith(".") or path.suffix not in (".flac", ".wav"):
                continue
            name = path.relative_to(self._root)
            maker = records.get(name.parts[1])
            is_mix = not path.name.startswith(PREVIEW_PREFIX)
            whole = _frames(maker) if maker and is_mix and _makes_track(maker) else None
            if problem := _unreadable(path, whole):
                self.findings.torn.append(f"{name}: {problem}")
        sweeper = Sweeper(self._root, 0.0)
        sweeper.sweep(time.time() + 2 * PREVIEWS_KEEP_S)
        self.findings.orphaned += [
            f"{path.relative_to(self._root)} outlives a sweep"
            for path in folder.rglob("*")
            if path.is_file()
        ]


def _unreadable(path: Path, frames: int | None) -> str:
    """Return why a piece of audio is not whole, or ""."""
    try:
        samples, _ = soundfile.read(path, dtype="int16")
    except (soundfile.LibsndfileError, OSError, ValueError, MemoryError) as error:
        return f"can't be read ({error})"  # what was cut off may claim any length
    if frames is not None and len(samples) != frames:
        return f"has {len(samples)} frames instead of {frames}"
    return ""


def _spec(record: JobRecord) -> job_pb2.JobSpec:
    return job_pb2.JobSpec.FromString(record.spec)


def _frames(record: JobRecord) -> int:
    return round(_spec(record).generate.parameters.duration_seconds * SAMPLE_RATE_HZ)


def _makes_track(record: JobRecord) -> bool:
    return _spec(record).WhichOneof("kind") == "generate"


def _result(record: JobRecord) -> job_pb2.JobResult:
    return job_pb2.JobResult.FromString(record.result)


def _reason(record: JobRecord) -> str:
    if not record.error:
        return ""
    reason = error_pb2.Error.FromString(record.error).reason
    return error_reason_pb2.ErrorReason.Name(reason).removeprefix("ERROR_REASON_")


def _counts(counts: Mapping[State, int]) -> str:
    return ", ".join(f"{n} {state.value}" for state, n in counts.items() if n) or "none"
