"""What an engine says of lyrics before it sings them."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
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
from services.inference.engine_process import EngineProcess, State
from tests.contract.inference.conftest import Running, engines_file, request, running
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


async def test_lyrics_come_back_with_times_and_are_taken_again(inference: Running) -> None:
    """Times make them longer, but not too long."""
    lyrics = "\n".join(["la la la la"] * 830)
    timed = (await inference.stub.CheckLyrics(check(lyrics))).timed_lyrics
    assert len(lyrics) < 10_000 < len(timed)
    assert (await inference.stub.CheckLyrics(check(timed))).timed_lyrics


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
        (check("x" * 20_001), InvalidLyrics, "parameters.lyrics"),
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


async def _until_it_starts(engine: EngineProcess) -> None:
    async with asyncio.timeout(5):
        while engine.state is not State.STARTING:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("end", [EngineProcess.renew, EngineProcess.unload, EngineProcess.stop])
async def test_an_engine_that_is_stopped_while_it_starts(
    short_tmp: Path, end: Callable[[EngineProcess], Awaitable[None]]
) -> None:
    """All who wait for it are told so at once, not when their time is up."""
    never = [sys.executable, "-c", "import time; time.sleep(60)"]
    file = engines_file(short_tmp / "e.json", command=never)
    async with running(short_tmp, engines_file=file) as inference, asyncio.timeout(10):
        checks = [asyncio.ensure_future(refused(inference, check())) for _ in range(2)]
        await _until_it_starts(inference.fake)
        await asyncio.sleep(0.1)
        await end(inference.fake)
        for found in await asyncio.gather(*checks):
            assert type(found) is EngineCrashed
            assert found.message == "The engine was stopped while it started."
            assert found.metadata == {"engine": "fake"}
        assert inference.fake.state is State.STOPPED


async def test_a_caller_that_leaves_while_the_engine_starts(inference: Running) -> None:
    """Its cancellation is its own, and the others get their host."""
    leaving, staying = (asyncio.create_task(inference.fake.start()) for _ in range(2))
    await _until_it_starts(inference.fake)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert (await staying).pid == inference.fake.host_pid


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
