"""What an engine says of lyrics before it sings them."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import grpc
import pytest

from musicgen.api.engine.v1 import engine_pb2
from musicgen.api.inference.v1 import inference_service_pb2 as pb
from musicgen.engine.base import Parameters
from musicgen.engine.client import EngineClient
from musicgen.errors import (
    EngineCrashed,
    EnvironmentMissing,
    InvalidField,
    InvalidLyrics,
    ModelNotFound,
    StudioError,
)
from musicgen.rpc.status import from_rpc_error
from tests.contract.inference.conftest import Running, request
from tests.contract.inference.test_generate import first_step, the_rest

pytestmark = pytest.mark.contract

Finding = engine_pb2.LyricsFinding
WORDS = f"short\n\n{'long ' * 10}\n{'longer still ' * 7}"


def check(lyrics: str = WORDS, engine: str = "fake", **fields: Any) -> pb.CheckLyricsRequest:
    """A request; `fields` are of its parameters."""
    parameters = engine_pb2.GenerationParameters(lyrics=lyrics, **fields)
    return pb.CheckLyricsRequest(engine=engine, parameters=parameters)


async def refused(inference: Running, message: pb.CheckLyricsRequest) -> StudioError:
    """What a check ends with."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await inference.stub.CheckLyrics(message)
    return from_rpc_error(caught.value)


async def test_finds_lines_that_are_not_sung(inference: Running) -> None:
    """Each finding has the line as it was given, how much is lost, and what would help; all
    lines have their times. Neither prompt nor seed nor length is needed."""
    answer = await inference.stub.CheckLyrics(check(duration_seconds=90))
    assert [(found.line, found.severity, found.code) for found in answer.findings] == [
        (3, Finding.SEVERITY_WARNING, "long_line"),
        (4, Finding.SEVERITY_ERROR, "not_sung"),
    ]
    assert all(found.message and found.remedy for found in answer.findings)
    times = [line.partition("]")[0] for line in answer.timed_lyrics.splitlines()]
    assert times == ["[00:00.00", "[00:30.00", "[01:00.00"]
    assert not (await inference.stub.CheckLyrics(check("all is well"))).findings
    assert inference.fake.host_pid is not None


async def test_while_a_piece_is_made(inference: Running) -> None:
    """A check waits for no generation, and disturbs none."""
    call = inference.stub.Generate(request(options={"steps": 40, "step_s": 0.05}))
    await first_step(call)
    async with asyncio.timeout(1.0):
        answers = await asyncio.gather(*(inference.stub.CheckLyrics(check()) for _ in range(5)))
    assert inference.fake.busy
    assert [len(answer.findings) for answer in answers] == [2] * 5
    await the_rest(call)
    assert inference.artifacts() == ["job1/1/mix.flac"]


@pytest.mark.parametrize(
    ("message", "error", "field"),
    [
        (check(engine="nosuch"), ModelNotFound, None),
        (check(engine=""), ModelNotFound, None),
        (check(engine="composer"), InvalidField, "engine"),
        (check("", engine="composer"), InvalidField, "engine"),
        (check("x" * 10_001), InvalidLyrics, "parameters.lyrics"),
        (check("a\x00b"), InvalidLyrics, "parameters.lyrics"),
        (check(duration_seconds=-1), InvalidField, "parameters.duration_seconds"),
        (check(duration_seconds=float("nan")), InvalidField, "parameters.duration_seconds"),
        (check(duration_seconds=1e9), InvalidField, "parameters.duration_seconds"),
    ],
)
async def test_refusals(
    inference: Running, message: pb.CheckLyricsRequest, error: type[StudioError], field: str | None
) -> None:
    """What can't be checked is refused before an engine is started, and the field named."""
    found = await refused(inference, message)
    assert type(found) is error
    assert field is None or field in found.fields
    assert inference.fake.host_pid is None


async def test_an_environment_that_is_not_there(inference: Running) -> None:
    """The engine's words can't be read before it is set up."""
    found = await refused(inference, check(engine="diffrhythm-tiny", duration_seconds=12))
    assert isinstance(found, EnvironmentMissing)


async def test_a_host_that_is_killed(inference: Running) -> None:
    """A check that the host does not survive is told as a crash, and the next one is
    answered by a new host."""
    await inference.stub.CheckLyrics(check())
    pid = inference.fake.host_pid
    assert pid
    os.kill(pid, signal.SIGSTOP)
    checking = asyncio.ensure_future(refused(inference, check()))
    await asyncio.sleep(0.2)
    assert not checking.done()
    os.kill(pid, signal.SIGKILL)
    async with asyncio.timeout(5):
        assert isinstance(await checking, EngineCrashed)
    assert len((await inference.stub.CheckLyrics(check())).findings) == 2
    assert inference.fake.host_pid not in (None, pid)


async def test_a_host_of_an_older_contract(short_tmp: Path) -> None:
    """One that knows no such method is told as an engine that checks no lyrics."""
    server = grpc.aio.server()
    server.add_insecure_port(f"unix:{short_tmp}/e.sock")
    await server.start()
    client = EngineClient(short_tmp / "e.sock", "token")
    with pytest.raises(InvalidField) as caught:
        await client.check_lyrics(Parameters("p", "la", 1.0, 0, {}), 10.0)
    assert list(caught.value.fields) == ["engine"]
    with pytest.raises(ModelNotFound):
        await client.load("big")
    await client.close()
    await server.stop(None)
