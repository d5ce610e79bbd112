"""When a model can't be loaded, or not now."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from typing import Any

import pytest

from musicgen.api.inference.v1 import model_pb2
from musicgen.api.inference.v1 import model_service_pb2 as pb
from musicgen.engine import hardware
from musicgen.engine.hardware import Card, Hardware, Processor
from musicgen.errors import ModelLoading, OutOfMemory
from tests.contract.models.test_service import State, failure, get, install, service
from tests.hub import Place, entry

pytestmark = pytest.mark.contract

TEN_TB = 10 * 10**12


def load(stub: Any, name: str) -> Any:
    """Call LoadModel."""
    return stub.LoadModel(pb.LoadModelRequest(model=name))


async def installed(stub: Any, *names: str) -> None:
    """Install models."""
    for number, name in enumerate(names):
        message = install(name)
        message.job_id = f"install{number}"
        async for _ in stub.InstallModel(message):
            pass


async def becomes(stub: Any, name: str, state: model_pb2.Model.State.ValueType) -> None:
    """Wait until a model is in a state."""
    async with asyncio.timeout(10):
        while (await get(stub, name)).state != state:
            await asyncio.sleep(0.02)


async def test_while_one_is_loaded(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another model of the engine has to wait, and so has all work on the one that is loaded;
    to ask for that one again does no harm. All is told as what soon passes."""
    async with service(place, monkeypatch) as (inference, stub):
        await installed(stub, "big", "part")
        await inference.fake.start()
        pid = inference.fake.host_pid
        assert pid
        os.kill(pid, signal.SIGSTOP)  # so that loading takes until it may go on
        assert (await load(stub, "big")).model.state == State.STATE_LOADING
        verify = pb.VerifyModelRequest(
            job_id="job2", fence=1, spec=model_pb2.VerifyModelSpec(model="big")
        )
        for call in (
            load(stub, "part"),
            stub.RemoveModel(pb.RemoveModelRequest(model="big")),
            stub.VerifyModel(verify),
            stub.InstallModel(install("big", 2)),
        ):
            found = await failure(call)
            assert isinstance(found, ModelLoading)
            assert found.metadata == {"model": "big", "engine": "fake"}
            assert (found.retryable, bool(found.remedy)) == (True, True)
        assert (await load(stub, "big")).model.state == State.STATE_LOADING
        os.kill(pid, signal.SIGCONT)
        await becomes(stub, "big", State.STATE_LOADED)
        async for _ in stub.VerifyModel(verify):
            pass
        assert (await stub.RemoveModel(pb.RemoveModelRequest(model="big"))).model.state == (
            State.STATE_NOT_INSTALLED
        )


async def test_more_memory_than_there_is(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model of 10 TB is refused at once, and no host is started; one that fits into all
    memory together, that of the cards too, is left to its engine."""
    models = json.loads(place.models_file.read_text())
    models["models"].append(entry("huge", "me/part", "deep/part.bin", memory_bytes=TEN_TB))
    place.models_file.write_text(json.dumps(models))
    async with service(place, monkeypatch) as (inference, stub):
        await installed(stub, "huge")
        found = await failure(load(stub, "huge"))
        assert isinstance(found, OutOfMemory)
        assert "10,000.0 GB" in found.message
        assert int(found.metadata["memory_bytes"]) < TEN_TB
        assert found.remedy
        assert inference.fake.host_pid is None

        card = Card("cuda", 0, "A card", TEN_TB - (8 << 30), "bf16")
        processor = Processor("A processor", 8 << 30, "none")
        monkeypatch.setattr(hardware, "look_at_processor", lambda: processor)
        monkeypatch.setattr(hardware, "look", lambda: Hardware(processor, (card,)))
        await load(stub, "huge")
        monkeypatch.setattr(hardware, "look", lambda: Hardware(processor))
        assert isinstance(await failure(load(stub, "huge")), OutOfMemory)
        unknown = Processor("A processor", 0, "none")
        monkeypatch.setattr(hardware, "look_at_processor", lambda: unknown)
        await load(stub, "huge")
