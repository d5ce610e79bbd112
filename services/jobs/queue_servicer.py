"""QueueService: how the queues are doing, and pausing them."""

from __future__ import annotations

from typing import Any

import grpc

from musicgen.api.jobs.v1 import job_pb2, queue_service_pb2, queue_service_pb2_grpc
from musicgen.errors import QueueNotFound
from services.jobs.convert import queue_to_proto
from services.jobs.store import ALL_QUEUES, JobStore

Context = grpc.aio.ServicerContext[Any, Any]

_KINDS = tuple(
    field.name for field in job_pb2.JobSpec.DESCRIPTOR.fields if field.name != "generate"
)


async def known_queues(store: JobStore) -> list[str]:
    """Return the queues that workers could take jobs of, whether or not there are any."""
    return [*_KINDS, *(f"generate.{engine}" for engine in await store.engines())]


class QueueServicer(queue_service_pb2_grpc.QueueServiceServicer):
    """See queue_service.proto for what each method promises."""

    def __init__(self, store: JobStore) -> None:
        self._store = store

    async def ListQueues(
        self, request: queue_service_pb2.ListQueuesRequest, context: Context
    ) -> queue_service_pb2.ListQueuesResponse:
        """List the queues."""
        found = await self._store.queues(await known_queues(self._store))
        return queue_service_pb2.ListQueuesResponse(
            queues=[queue_to_proto(queue, found.all_paused) for queue in found.queues],
            all_paused=found.all_paused,
        )

    async def PauseQueue(
        self, request: queue_service_pb2.PauseQueueRequest, context: Context
    ) -> queue_service_pb2.PauseQueueResponse:
        """Let jobs wait."""
        listed = await self._set(request.queue, paused=True)
        return queue_service_pb2.PauseQueueResponse(
            queues=listed.queues, all_paused=listed.all_paused
        )

    async def ResumeQueue(
        self, request: queue_service_pb2.ResumeQueueRequest, context: Context
    ) -> queue_service_pb2.ResumeQueueResponse:
        """Let jobs start again."""
        listed = await self._set(request.queue, paused=False)
        return queue_service_pb2.ResumeQueueResponse(
            queues=listed.queues, all_paused=listed.all_paused
        )

    async def _set(self, queue: str, *, paused: bool) -> queue_service_pb2.ListQueuesResponse:
        """Pause or resume, and list. A queue's jobs may be of an engine that is gone."""
        known = await known_queues(self._store)
        names = [ALL_QUEUES, *(found.name for found in (await self._store.queues(known)).queues)]
        if queue not in names:
            available = ", ".join(names)
            raise QueueNotFound(
                f"There is no queue called {queue[:100]!r}.",
                remedy=f"Choose one of the queues: {available}.",
                metadata={"queue": queue[:100], "available": available},
            )
        await self._store.pause(queue, paused=paused)
        found = await self._store.queues(known)
        return queue_service_pb2.ListQueuesResponse(
            queues=[queue_to_proto(each, found.all_paused) for each in found.queues],
            all_paused=found.all_paused,
        )
