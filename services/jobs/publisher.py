"""Publishes frozen outcomes: registers their tracks, then the job is SUCCEEDED.

The outcome is in the store and registering is idempotent, so a crash at any point only
means that it is done again.
"""

from __future__ import annotations

import asyncio

import grpc

from musicgen.api.jobs.v1 import job_outcome_pb2, job_pb2
from musicgen.api.library.v1 import library_service_pb2, library_service_pb2_grpc
from musicgen.errors import Internal, StoreUnavailable, StudioError, Unavailable
from musicgen.rpc import log
from musicgen.rpc.status import from_rpc_error, to_error_proto
from services.jobs.records import JobRecord
from services.jobs.store import JobStore

WAIT_S = 2.0
RETRY_S = 0.5
REGISTER_TIMEOUT_S = 600.0
"""A track of ten hours is hashed and tagged within this."""
_PASSING = ("UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED")


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
        try:
            while True:
                try:
                    return await self._publish(record)
                except Unavailable as error:
                    log.get().warning("not yet published", job_id=record.id, why=error.message)
                    await asyncio.sleep(RETRY_S)
                except Exception as defect:
                    # It would come again for ever, and take the process with it each time.
                    log.get().error("defect", job_id=record.id, exc_info=defect)
                    await self._give_up(record, Internal("The result can't be published."))
                    return None
        finally:
            self._at_work.discard(record.id)

    async def _publish(self, record: JobRecord) -> None:
        outcome = job_outcome_pb2.JobOutcome.FromString(record.outcome)
        result = job_pb2.JobResult(downloads=outcome.downloads)
        try:
            for index, track in enumerate(outcome.tracks):
                answer = await self._library.RegisterTrack(
                    library_service_pb2.RegisterTrackRequest(
                        job_id=record.id, output_index=index, track=track
                    ),
                    timeout=REGISTER_TIMEOUT_S,
                )
                result.track_ids.append(answer.track.track_id)
        except grpc.RpcError as rpc_error:
            error = from_rpc_error(rpc_error)
            if error.code in _PASSING:
                raise Unavailable(error.message) from rpc_error
            await self._give_up(record, error)
        else:
            await self._store.publish(record.id, result=result.SerializeToString())
            log.get().info("published", job_id=record.id, tracks=list(result.track_ids))

    async def _give_up(self, record: JobRecord, error: StudioError) -> None:
        log.get().error("can't be published", job_id=record.id, why=error.message)
        await self._store.publish(record.id, error=to_error_proto(error).SerializeToString())
