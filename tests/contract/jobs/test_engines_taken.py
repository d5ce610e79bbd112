"""A runner that takes the jobs of some engines only, as where hosts are not all alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc
import pytest

from musicgen.api.engine.v1 import engine_pb2
from musicgen.api.inference.v1 import inference_service_pb2, inference_service_pb2_grpc
from musicgen.rpc.channel import connect
from musicgen.settings import load
from services.jobs.runner.lanes import GenerateLane
from services.jobs.runner.settings import Settings

pytestmark = pytest.mark.contract

REQUIRED = {
    "MUSICGEN_REDIS_URL": "redis://store",
    "MUSICGEN_LIBRARY_ADDRESS": "library:50051",
    "MUSICGEN_RUNNER_NAME": "worker",
}


class Servicer(inference_service_pb2_grpc.InferenceServiceServicer):
    """Knows two engines."""

    async def ListEngines(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802 - the contract's
        """List both."""
        manifests = [
            engine_pb2.EngineManifest(name=name, sample_rate_hz=44_100) for name in ("one", "two")
        ]
        return inference_service_pb2.ListEnginesResponse(
            engines=[inference_service_pb2.Engine(manifest=manifest) for manifest in manifests]
        )


@pytest.mark.parametrize(
    ("engines", "queues"),
    [
        ("", ["generate.one", "generate.two"]),
        ("two", ["generate.two"]),
        (" two , one", ["generate.one", "generate.two"]),
        ("three", []),
    ],
)
async def test_only_jobs_of_these_engines_are_taken(
    short_tmp: Path, engines: str, queues: list[str]
) -> None:
    """All engines are announced, so that jobs of each are accepted; those taken are named."""
    settings = load(Settings, {**REQUIRED, "MUSICGEN_GENERATE_ENGINES": engines})
    server = grpc.aio.server()
    inference_service_pb2_grpc.add_InferenceServiceServicer_to_server(
        Servicer(),  # type: ignore[abstract]  # Generate is not called
        server,
    )
    address = f"unix:{short_tmp}/i.sock"
    server.add_insecure_port(address)
    await server.start()
    channel = connect(address)
    lane = GenerateLane(channel, channel, settings.engines_taken)
    assert await lane.queues() == queues
    assert sorted(await lane.engines()) == ["one", "two"]
    await channel.close()
    await server.stop(None)
