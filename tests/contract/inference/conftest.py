from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import grpc
import pytest

from musicgen.api.inference.v1 import inference_service_pb2 as pb
from musicgen.api.inference.v1 import inference_service_pb2_grpc as rpc
from musicgen.engine.convert import struct_from_dict
from musicgen.rpc.channel import connect
from musicgen.testing.fake_engine import MANIFEST, FakeEngine
from services.inference.engine_process import EngineProcess
from services.inference.service import InferenceService
from services.inference.settings import Settings

FAKE_COMMAND = [
    sys.executable,
    "-m",
    "musicgen.engine.host",
    f"{FakeEngine.__module__}:{FakeEngine.__name__}",
]


def engines_file(path: Path, **changes: Any) -> Path:
    """Register the fake engine, as any third-party engine is; `changes` are to its manifest,
    except `command`."""
    command = changes.pop("command", FAKE_COMMAND)
    manifest = {**dataclasses.asdict(MANIFEST), **changes}
    path.write_text(json.dumps({"engines": [{"command": command, "manifest": manifest}]}))
    return path


def request(job_id: str = "job1", fence: int = 1, **fields: Any) -> pb.GenerateRequest:
    """A request for a second of the fake engine; `options` is its script."""
    options: Mapping[str, Any] = fields.pop("options", {})
    message = pb.GenerateRequest(job_id=job_id, fence=fence)
    message.spec.engine = fields.pop("engine", "fake")
    message.spec.format = fields.pop("format", 0)
    parameters = message.spec.parameters
    parameters.prompt = fields.pop("prompt", "a plain tone")
    parameters.duration_seconds = fields.pop("duration_s", 1.0)
    parameters.seed = fields.pop("seed", 7)
    parameters.lyrics = fields.pop("lyrics", "")
    parameters.options.CopyFrom(struct_from_dict(options))
    assert not fields
    return message


@dataclasses.dataclass
class Running:
    """A service in this process, on a real Unix socket."""

    service: InferenceService
    channel: grpc.aio.Channel
    stub: rpc.InferenceServiceAsyncStub
    data_root: Path
    address: str

    @property
    def fake(self) -> EngineProcess:
        """The fake engine, as the service sees it."""
        return self.service.engines["fake"]

    def scratch_left(self) -> list[Path]:
        """What is in the scratch area beside its lock."""
        return [p for p in self.data_root.glob("scratch/inference-*/*") if p.name != "lock"]

    def artifacts(self) -> list[str]:
        """Every file under artifacts/."""
        root = self.data_root / "artifacts"
        return sorted(str(p.relative_to(root)) for p in root.rglob("*") if p.is_file())

    async def generate(self, message: pb.GenerateRequest) -> list[pb.GenerateResponse]:
        """All events of a generation."""
        return [event async for event in self.stub.Generate(message)]


@contextlib.asynccontextmanager
async def running(folder: Path, **settings: Any) -> AsyncIterator[Running]:
    """Run the service with the fake engine until the block ends."""
    address = f"unix:{folder}/i.sock"
    settings.setdefault("engines_file", engines_file(folder / "engines.json"))
    settings.setdefault("prewarm", "")
    data_root = folder / "data"
    service = InferenceService(
        Settings(address=address, data_root=data_root, runtime_dir=folder, **settings)
    )
    task = asyncio.create_task(service.run())
    channel = connect(address)
    try:
        yield Running(service, channel, rpc.InferenceServiceStub(channel), data_root, address)
    finally:
        await channel.close()
        service.server.draining.set()
        await task


@pytest.fixture
async def inference(short_tmp: Path) -> AsyncIterator[Running]:
    """The service, with a stall timeout of a second."""
    async with running(short_tmp, stall_timeout_s=3.0) as service:
        yield service
