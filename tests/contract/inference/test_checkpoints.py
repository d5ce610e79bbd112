"""Checkpoints through the service: stored, gone on from by another attempt, or passed over."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
from collections.abc import Mapping
from typing import Any

import grpc
import pytest
import soundfile

from musicgen.api.audio.v1 import audio_pb2
from musicgen.api.inference.v1 import inference_service_pb2 as pb
from musicgen.errors import EngineCrashed
from musicgen.rpc.status import from_rpc_error
from musicgen.testing.fake_engine import expected_samples
from services.inference.encoder import to_pcm_16_bit
from tests.contract.inference.conftest import Running, request
from tests.contract.inference.test_generate import failure, the_rest

pytestmark = pytest.mark.contract

SLOW: Mapping[str, Any] = {"steps": 6, "step_s": 0.4, "checkpoints": 1, "previews": 3}


async def until_checkpoint(call: Any, count: int = 1) -> audio_pb2.Artifact:
    """Read until so many have come; return the last."""
    found = audio_pb2.Artifact()
    while count:
        event = await call.read()
        if event.HasField("checkpoint"):
            found, count = event.checkpoint, count - 1
    return found


async def left_by_a_killed_host(inference: Running, message: pb.GenerateRequest) -> Any:
    """Let a host leave a checkpoint, kill it in the middle of the work, and return it."""
    call = inference.stub.Generate(message)
    checkpoint = await until_checkpoint(call)
    assert inference.fake.host_pid is not None
    os.kill(inference.fake.host_pid, signal.SIGKILL)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await the_rest(call)
    assert isinstance(from_rpc_error(caught.value), EngineCrashed)
    return checkpoint


def going_on(checkpoint: audio_pb2.Artifact, fence: int = 2, **fields: Any) -> pb.GenerateRequest:
    """Ask for the same again, under a newer claim."""
    message = request(fence=fence, **{"duration_s": 3.0, "options": SLOW, **fields})
    message.checkpoint.CopyFrom(checkpoint)
    return message


def steps_done(events: list[pb.GenerateResponse]) -> list[str]:
    """Return what was told of each step."""
    told = (event.progress.detail for event in events if event.progress.stage == "playing")
    return [detail for detail in dict.fromkeys(told) if detail]


async def test_work_goes_on_where_a_killed_host_was(inference: Running) -> None:
    """The next attempt begins at the newest checkpoint, says so, does no step again, and makes
    the very same piece with all its previews; the older checkpoints stay for a while."""
    checkpoint = await left_by_a_killed_host(inference, request(duration_s=3.0, options=SLOW))
    path = inference.data_root / checkpoint.key
    content = path.read_bytes()
    assert checkpoint.key == f"artifacts/job1/stages/{checkpoint.sha256}"
    assert hashlib.sha256(content).hexdigest() == checkpoint.sha256
    assert len(content) == checkpoint.size_bytes
    events = await inference.generate(going_on(checkpoint))
    assert steps_done(events) == [
        "going on from step 1 of 6", "step 2", "step 3", "step 4", "step 5", "step 6",
    ]  # fmt: skip
    progress = [event.progress for event in events if event.progress.stage == "playing"]
    assert next(step for step in progress if step.detail.startswith("going on")).step == 1
    track = events[-1].result
    decoded, _ = soundfile.read(inference.data_root / track.artifact.key, dtype="int16")
    assert (decoded == to_pcm_16_bit(expected_samples(7, 3.0))).all()
    assert sum(event.HasField("preview") for event in events) == 3
    newer = [event.checkpoint.key for event in events if event.HasField("checkpoint")]
    assert newer
    kept = [f"artifacts/{name}" for name in inference.artifacts() if "/stages/" in name]
    assert sorted(kept) == sorted([checkpoint.key, *newer])
    assert inference.scratch_left() == []


async def test_another_service_goes_on_too(inference: Running) -> None:
    """A cancelled attempt leaves its checkpoint, and a host that never knew the piece uses it."""
    call = inference.stub.Generate(request(duration_s=3.0, options=SLOW))
    checkpoint = await until_checkpoint(call)
    call.cancel()
    await inference.fake.stop()
    events = await inference.generate(going_on(checkpoint))
    assert steps_done(events)[0] == "going on from step 1 of 6"


@pytest.mark.parametrize("wrong", ["gone", "damaged", "of another job", "of another seed"])
async def test_what_does_not_fit_is_passed_over(inference: Running, wrong: str) -> None:
    """The work begins anew, and comes to the same."""
    quick = {**SLOW, "step_s": 0.0}
    events = await inference.generate(request(duration_s=3.0, options=quick, seed=7))
    checkpoint = next(event.checkpoint for event in events if event.HasField("checkpoint"))
    path = inference.data_root / checkpoint.key
    message = going_on(checkpoint, options=quick)
    match wrong:
        case "gone":
            path.unlink()
        case "damaged":
            path.write_bytes(b"{" + path.read_bytes()[1:-1] + b" ")
        case "of another job":
            message.job_id = "job2"
        case "of another seed":
            message.spec.parameters.seed = 8
    events = await inference.generate(message)
    assert not any(detail.startswith("going on") for detail in steps_done(events))
    decoded, _ = soundfile.read(inference.data_root / events[-1].result.artifact.key, dtype="int16")
    seed = message.spec.parameters.seed
    assert (decoded == to_pcm_16_bit(expected_samples(seed, 3.0))).all()


@pytest.mark.parametrize("wrong", ["missing", "empty", "large", "again"])
async def test_bad_checkpoints_are_a_breach(inference: Running, wrong: str) -> None:
    """An engine that sends what can't be one is stopped at once; its host lives on."""
    options = {"steps": 100, "step_s": 0.02, "checkpoints": 1, "wrong_checkpoint": wrong}
    error = await failure(inference, request(options=options))
    assert isinstance(error, EngineCrashed)
    pid = inference.fake.host_pid
    assert (await inference.generate(request("next")))[-1].HasField("result")
    assert pid == inference.fake.host_pid
    assert inference.scratch_left() == []
    assert not any(name.endswith(".part") for name in inference.artifacts())


async def test_a_flood_is_thinned(inference: Running) -> None:
    """However many a host leaves, few are stored, and none stays in the scratch folder."""
    options = {"steps": 300, "step_s": 0.005, "checkpoints": 1}
    most, found = 0, 0
    async with asyncio.timeout(30):
        async for event in inference.stub.Generate(request(options=options)):
            found += event.HasField("checkpoint")
            for folder in inference.scratch_left():
                most = max(most, sum(1 for _ in folder.glob("checkpoint-*")))
    assert 1 <= found <= 6
    assert most < 20
