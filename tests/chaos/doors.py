"""The ways into the studio: native gRPC to any jobs process or through Envoy, gRPC-Web, REST."""

from __future__ import annotations

import abc
import asyncio
from collections.abc import Callable
from typing import Any

import grpc
from google.protobuf import json_format
from google.protobuf.message import Message

from musicgen.api.jobs.v1 import job_pb2, job_service_pb2, queue_service_pb2
from musicgen.rpc.channel import connect
from tests.chaos.web import Refused, grpc_web, rest

JOBS = "/musicgen.api.jobs.v1.JobService/"
QUEUES = "/musicgen.api.jobs.v1.QueueService/"
CALL_S = 6.0

_Answers = dict[str, tuple[str, Callable[[bytes], Any]]]
_ANSWERS: _Answers = {
    "CreateJob": (JOBS, job_service_pb2.CreateJobResponse.FromString),
    "BatchCreateJobs": (JOBS, job_service_pb2.BatchCreateJobsResponse.FromString),
    "GetJob": (JOBS, job_service_pb2.GetJobResponse.FromString),
    "GetJobBatch": (JOBS, job_service_pb2.GetJobBatchResponse.FromString),
    "ListJobs": (JOBS, job_service_pb2.ListJobsResponse.FromString),
    "CancelJob": (JOBS, job_service_pb2.CancelJobResponse.FromString),
    "CancelJobBatch": (JOBS, job_service_pb2.CancelJobBatchResponse.FromString),
    "RetryJob": (JOBS, job_service_pb2.RetryJobResponse.FromString),
    "MoveJob": (JOBS, job_service_pb2.MoveJobResponse.FromString),
    "PauseQueue": (QUEUES, queue_service_pb2.PauseQueueResponse.FromString),
    "ResumeQueue": (QUEUES, queue_service_pb2.ResumeQueueResponse.FromString),
}
_INSIDE = {
    **dict.fromkeys(("CreateJob", "CancelJob", "RetryJob", "MoveJob", "GetJob"), "job"),
    "CancelJobBatch": "batch",
}
"""Methods whose REST answer is this field of the response."""
_PATHS = {
    "GetJob": "/v1/jobs/{job_id}",
    "CreateJob": "/v1/jobs",
    "BatchCreateJobs": "/v1/jobs:batchCreate",
    "CancelJob": "/v1/jobs/{job_id}:cancel",
    "RetryJob": "/v1/jobs/{job_id}:retry",
    "MoveJob": "/v1/jobs/{job_id}:move",
    "CancelJobBatch": "/v1/batches/{batch_id}:cancel",
    "PauseQueue": "/v1/queues/{queue}:pause",
    "ResumeQueue": "/v1/queues/{queue}:resume",
}


class Door(abc.ABC):
    """One way in."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def call(self, method: str, request: Any) -> Any:
        """Call a method once. Raises Refused; what was asked may have been done all the same."""
        try:
            return await asyncio.wait_for(self._call(method, request), CALL_S)
        except TimeoutError as error:
            raise Refused("DEADLINE_EXCEEDED") from error

    @abc.abstractmethod
    async def _call(self, method: str, request: Any) -> Any: ...

    async def close(self) -> None:  # noqa: B027  # most hold nothing
        """Give up what it holds."""


class Native(Door):
    """gRPC."""

    def __init__(self, name: str, address: str) -> None:
        super().__init__(name)
        self.channel = connect(address)

    async def _call(self, method: str, request: Message) -> Any:
        service, read = _ANSWERS[method]
        call = self.channel.unary_unary(
            service + method,
            request_serializer=type(request).SerializeToString,
            response_deserializer=read,
        )
        try:
            return await call(request, timeout=CALL_S)
        except grpc.aio.AioRpcError as error:
            raise Refused(error.code().name, error.details() or "") from error

    async def close(self) -> None:
        """Close the channel."""
        await self.channel.close()


class Web(Door):
    """gRPC-Web through Envoy, as the page speaks it."""

    def __init__(self, port: int) -> None:
        super().__init__("gRPC-Web")
        self._port = port

    async def _call(self, method: str, request: Message) -> Any:
        service, read = _ANSWERS[method]
        async with grpc_web(self._port, service + method, request.SerializeToString()) as reply:
            async for message in reply.messages():
                return read(message)
        raise Refused("UNAVAILABLE", "no message")


class Rest(Door):
    """JSON through Envoy."""

    def __init__(self, port: int) -> None:
        super().__init__("REST")
        self._port = port

    async def _call(self, method: str, request: Message) -> Any:
        body = json_format.MessageToDict(request)
        path = _PATHS[method]
        for name, place in (("jobId", "{job_id}"), ("batchId", "{batch_id}"), ("queue", "{queue}")):
            if place in path:
                path = path.replace(place, body.pop(name))
        answer = await rest(self._port, "GET" if method == "GetJob" else "POST", path, body)
        if method in _INSIDE:
            answer = {_INSIDE[method]: answer}
        response = type(_ANSWERS[method][1](b""))()
        json_format.ParseDict(answer, response)
        return response


async def list_jobs(door: Door) -> dict[str, job_pb2.Job]:
    """Return all jobs as a client lists them. Raises Refused."""
    jobs: dict[str, job_pb2.Job] = {}
    token = ""
    while True:
        request = job_service_pb2.ListJobsRequest(page_size=200, page_token=token)
        page = await door.call("ListJobs", request)
        jobs |= {job.job_id: job for job in page.jobs}
        token = page.next_page_token
        if not token:
            return jobs
