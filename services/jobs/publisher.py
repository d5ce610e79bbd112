"""Publishes frozen outcomes: registers their tracks, then the job is SUCCEEDED.

The outcome is in the store and registering is idempotent, so a crash at any point only
means that it is done again.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools

import grpc

from musicgen.api.jobs.v1 import job_outcome_pb2, job_pb2
from musicgen.api.library.v1 import library_service_pb2, library_service_pb2_grpc
from musicgen.errors import ChecksumMismatch, StoreUnavailable, StudioError
from musicgen.rpc import log
from musicgen.rpc.status import from_rpc_error, to_error_proto
from services.jobs.records import JobRecord
from services.jobs.store import JobStore

WAIT_S = 2.0
RETRY_S, RETRY_LIMIT_S = 0.5, 10.0
PATIENCE = 8
"""Tries that a defect of the library gets; it may only be in the middle of something."""
REGISTER_TIMEOUT_S = 600.0
"""A track of ten hours is hashed and tagged within this."""
_PASSING = ("UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED", "RESOURCE_EXHAUSTED")
"""Ends of a call after which it is repeated for as long as it takes: a finished song is
not thrown away because the disk is full."""


class Publisher:
    """One of these runs in every jobs process; any number may run at once."""

    def __init__(
        self, store: JobStore, library: library_service_pb2_grpc.LibraryServiceAsyncStub
    ) -> None:
        self._store = store
        self._library = library
        self._at_work: set[str] = set()

    async def run(self) -> None:
        """Publish until cancelled; a long registration doesn't hold up the short ones."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                try:
                    for record in await self._store.outbox():
                        if record.id not in self._at_work:
                            self._at_work.add(record.id)
                            tasks.create_task(self._until_published(record))
                    await self._store.wait_for_work(["outbox"], WAIT_S)
                except StoreUnavailable as error:
                    log.get().warning("nothing published", why=error.message)
                    await asyncio.sleep(RETRY_S)

    async def _until_published(self, record: JobRecord) -> None:
        """Publish one job, however long it takes, unless it can never be done."""
        try:
            for tries in itertools.count(1):
                try:
                    return await self._publish(record)
                except Exception as caught:
                    # A defect would come again for ever, and take the process with it.
                    error = caught if isinstance(caught, StudioError) else _defect(record, caught)
                    passing = error.code in _PASSING or (
                        error.code == "INTERNAL" and tries < PATIENCE
                    )
                    log.get().warning(
                        "not yet published" if passing else "can't be published",
                        job_id=record.id,
                        why=error.message,
                    )
                    if not passing:
                        data = to_error_proto(error).SerializeToString()
                        with contextlib.suppress(StoreUnavailable):  # then it comes back
                            await self._store.publish(record.id, error=data)
                        return None
                await asyncio.sleep(min(RETRY_S * 2 ** (tries - 1), RETRY_LIMIT_S))
        finally:
            self._at_work.discard(record.id)

    async def _publish(self, record: JobRecord) -> None:
        outcome = job_outcome_pb2.JobOutcome.FromString(record.outcome)
        result = job_pb2.JobResult(downloads=outcome.downloads)
        if outcome.HasField("analysis"):
            result.analysis.CopyFrom(outcome.analysis)
        if outcome.HasField("model"):
            result.model.CopyFrom(outcome.model)
        if outcome.HasField("environment"):
            result.environment.CopyFrom(outcome.environment)
        for index, track in enumerate(outcome.tracks):
            try:
                answer = await self._library.RegisterTrack(
                    library_service_pb2.RegisterTrackRequest(
                        job_id=record.id, output_index=index, track=track
                    ),
                    timeout=REGISTER_TIMEOUT_S,
                )
            except grpc.RpcError as error:
                raise from_rpc_error(error) from error
            result.track_ids.append(answer.track.track_id)
        await self._store.publish(record.id, result=result.SerializeToString())
        log.get().info("published", job_id=record.id, tracks=list(result.track_ids))


def _defect(record: JobRecord, cause: Exception) -> StudioError:
    log.get().error("defect", job_id=record.id, exc_info=cause)
    return ChecksumMismatch("The result that was frozen can't be read.")
