"""How soon a job starts: from asking for it until the engine service is asked to do it, by a
real runner. The engine refuses everything, so that nothing but the way is measured."""

from __future__ import annotations

import asyncio
import sys
import time

from bench.jobs.creating import create
from bench.jobs.null_servicer import NullServicer
from bench.jobs.studio import Studio
from musicgen.api.inference.v1 import inference_service_pb2_grpc
from musicgen.api.jobs.v1 import job_service_pb2_grpc
from musicgen.rpc import log
from musicgen.rpc.channel import connect
from musicgen.rpc.server import RpcServer

START_LIMIT_S = 20.0


async def measure(studio: Studio, count: int) -> list[int]:
    """Return how long each of `count` jobs took to start, in us, one after the other."""
    log.configure("bench", "WARNING")

    async def check() -> str:
        return ""

    servicer = NullServicer()  # type: ignore[abstract]  # a runner asks for no more
    server = RpcServer(["musicgen.api.inference.v1.InferenceService"], check)
    inference_service_pb2_grpc.add_InferenceServiceServicer_to_server(servicer, server.grpc)
    serving = asyncio.create_task(server.run(f"unix:{studio.folder}/inference.sock"))
    runner = studio.run(
        "runner",
        [sys.executable, "-m", "services.jobs.runner"],
        MUSICGEN_RUNNER_NAME="bench",
        MUSICGEN_LOG_LEVEL="WARNING",
        **studio.peers,
    )
    took_us = []
    try:
        async with connect(studio.jobs_address) as channel:
            stub = job_service_pb2_grpc.JobServiceStub(channel)
            for number in range(-1, count):
                begin_ns = time.monotonic_ns()
                job_id = await create(stub)
                async with asyncio.timeout(START_LIMIT_S):
                    while (asked := await servicer.asked_ns.get())[0] != job_id:
                        pass  # one that was left over
                if number >= 0:  # the first one waits for the runner to come up
                    took_us.append((asked[1] - begin_ns) // 1000)
                await asyncio.sleep(0.05)
    finally:
        runner.terminate()
        await asyncio.to_thread(runner.wait)
        server.draining.set()
        await serving
    return took_us
