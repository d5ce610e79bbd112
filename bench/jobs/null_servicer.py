"""An inference service that does nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import grpc

from bench.jobs.creating import ENGINE
from musicgen.api.inference.v1 import inference_service_pb2, inference_service_pb2_grpc
from musicgen.errors import InvalidField

Context = grpc.aio.ServicerContext[Any, Any]


class NullServicer(inference_service_pb2_grpc.InferenceServiceServicer):
    """An inference service that notes when it was asked, and refuses."""

    def __init__(self) -> None:
        self.asked_ns: asyncio.Queue[tuple[str, int]] = asyncio.Queue()

    async def ListEngines(
        self, request: inference_service_pb2.ListEnginesRequest, context: Context
    ) -> inference_service_pb2.ListEnginesResponse:
        """Name the one engine."""
        engine = inference_service_pb2.Engine(manifest=ENGINE)
        return inference_service_pb2.ListEnginesResponse(engines=[engine])

    async def Generate(
        self, request: inference_service_pb2.GenerateRequest, context: Context
    ) -> AsyncIterator[inference_service_pb2.GenerateResponse]:
        """Note the time."""
        self.asked_ns.put_nowait((request.job_id, time.monotonic_ns()))
        raise InvalidField("Nothing is made here.", fields={"spec": "not done"})
        yield  # it is a stream
