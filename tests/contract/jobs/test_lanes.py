"""What a lane takes work for, asked of a service on a real channel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc
import pytest

from musicgen.api.engine.v1 import engine_pb2
from musicgen.api.inference.v1 import inference_service_pb2, inference_service_pb2_grpc
from musicgen.rpc.channel import connect
from services.jobs.runner.lanes import GenerateLane

pytestmark = pytest.mark.contract

STATE = inference_service_pb2.Engine.State


class Servicer(inference_service_pb2_grpc.InferenceServiceServicer):
    """Knows an engine that failed to start and one whose manifest can't be read."""

    async def ListEngines(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802 - the contract's
        """List both."""
        failed = engine_pb2.EngineManifest(name="failed", sample_rate_hz=44_100)
        return inference_service_pb2.ListEnginesResponse(
            engines=[
                inference_service_pb2.Engine(manifest=failed, state=STATE.STATE_UNAVAILABLE),
                inference_service_pb2.Engine(
                    manifest=engine_pb2.EngineManifest(name="unreadable"),
                    state=STATE.STATE_UNAVAILABLE,
                ),
            ]
        )


async def test_an_engine_that_failed_once_is_tried_again(short_tmp: Path) -> None:
    """Jobs of an engine that could not be started don't wait for ever: only trying again can
    tell whether it starts now. One that nothing is known of takes no jobs."""
    server = grpc.aio.server()
    inference_service_pb2_grpc.add_InferenceServiceServicer_to_server(
        Servicer(),  # type: ignore[abstract]  # Generate is not called
        server,
    )
    address = f"unix:{short_tmp}/i.sock"
    server.add_insecure_port(address)
    await server.start()
    channel = connect(address)
    assert await GenerateLane(channel, channel).queues() == ["generate.failed"]
    await channel.close()
    await server.stop(None)
