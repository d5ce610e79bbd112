from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
import soundfile

from musicgen.api.engine.v1 import engine_service_pb2 as pb
from musicgen.api.engine.v1.engine_service_pb2_grpc import (
    EngineServiceStub,
    add_EngineServiceServicer_to_server,
)
from musicgen.engine.base import (
    MAX_PREVIEWS,
    MIX_FILE,
    Generation,
    Parameters,
    Preview,
    Report,
)
from musicgen.engine.client import EngineClient, Made
from musicgen.engine.determinism import RUNTIME_KEY, runtime
from musicgen.engine.servicer import EngineServicer
from musicgen.engine.worker import EngineWorker
from musicgen.errors import (
    EngineCrashed,
    GenerationTimeout,
    InvalidField,
    ServiceUnavailable,
    Unauthenticated,
)
from musicgen.rpc.channel import connect
from musicgen.rpc.status import from_rpc_error
from musicgen.testing.fake_engine import MANIFEST, FakeEngine, expected_samples
from tests.contract.inference.conftest import FAKE_COMMAND

pytestmark = pytest.mark.contract
TOKEN = "correct-horse"  # noqa: S105  # opens nothing but the host of a test


@dataclass
class Host:
    """A host run by hand, as any program may."""

    process: subprocess.Popen[bytes]
    socket: Path
    client: EngineClient
    scratch: Path

    async def ended(self) -> int:
        """Wait for the exit code."""
        return await asyncio.to_thread(self.process.wait, 3)


@pytest.fixture
async def host(short_tmp: Path) -> AsyncIterator[Host]:
    """The fake engine's host."""
    socket = short_tmp / "e.sock"
    process = subprocess.Popen(  # noqa: ASYNC220  # returns at once
        [*FAKE_COMMAND, "--socket", socket], stdin=subprocess.PIPE
    )
    assert process.stdin
    process.stdin.write(f"{TOKEN}\n".encode())
    process.stdin.flush()
    client = EngineClient(socket, TOKEN)
    scratch = short_tmp / "scratch"
    scratch.mkdir()
    await client.describe(20.0)
    yield Host(process, socket, client, scratch)
    await client.close()
    process.kill()
    process.wait()
    process.stdin.close()


def parameters(**options: object) -> Parameters:
    """Parameters with this script."""
    return Parameters("a tone", "", 1.0, 3, options)


async def test_describes_and_generates(host: Host) -> None:
    """The manifest arrives whole, the mix bit for bit."""
    assert await host.client.describe(1.0) == MANIFEST
    events = [event async for event in host.client.generate(parameters(), host.scratch)]
    assert isinstance(events[-1], Made)
    assert events[-1].mix_name == MIX_FILE
    samples, _ = soundfile.read(host.scratch / MIX_FILE, dtype="float32")
    assert (samples == expected_samples(3, 1.0)).all()


class OnACard(FakeEngine):
    """Claims to compute elsewhere."""

    def generate(self, parameters: Parameters, scratch: Path, report: Report) -> Generation:
        """See Engine."""
        made = super().generate(parameters, scratch, report)
        told = {RUNTIME_KEY: {"device_class": "cuda", "torch_version": "2.9"}}
        return dataclasses.replace(made, decisions={**made.decisions, **told})


async def test_what_was_computed_with(host: Host, short_tmp: Path) -> None:
    """The host says it of each piece; an engine that knows better is believed."""
    server = grpc.aio.server()
    add_EngineServiceServicer_to_server(EngineServicer(EngineWorker(OnACard()), TOKEN), server)
    server.add_insecure_port(f"unix:{short_tmp}/card.sock")
    await server.start()
    card = EngineClient(short_tmp / "card.sock", TOKEN)
    told = []
    for client in (host.client, card):
        *_, made = [event async for event in client.generate(parameters(), host.scratch)]
        assert isinstance(made, Made)
        assert made.generation.decisions["steps"] == 4
        told.append(made.generation.decisions[RUNTIME_KEY])
    await card.close()
    await server.stop(None)
    assert told[0] == runtime()
    assert told[1] == {**runtime(), "device_class": "cuda", "torch_version": "2.9"}


async def test_previews_all_arrive_in_order(host: Host) -> None:
    """As many as there may be, reported at once, arrive one by one before the result, each
    in a file that is complete."""
    events = [
        event
        async for event in host.client.generate(
            parameters(steps=1, previews=MAX_PREVIEWS), host.scratch
        )
    ]
    assert isinstance(events[-1], Made)
    previews = [event for event in events if isinstance(event, Preview)]
    assert [preview.name for preview in previews] == [f"part-{n}.wav" for n in range(MAX_PREVIEWS)]
    whole = expected_samples(3, 1.0)
    for preview in previews:
        samples, _ = soundfile.read(host.scratch / preview.name, dtype="float32")
        assert (samples == whole[preview.start_frame :][: len(samples)]).all()


@pytest.mark.parametrize(
    "script", [{"previews": MAX_PREVIEWS + 1}, {"previews": 2, "wrong_preview": "again"}]
)
async def test_too_many_previews_or_one_twice_is_a_breach(
    host: Host, script: dict[str, object]
) -> None:
    """The call fails as that of an engine that crashed, and stops the engine."""
    with pytest.raises(EngineCrashed):
        async for _ in host.client.generate(parameters(**script, steps=1, hang_at=2), host.scratch):
            pass
    assert await host.client.describe(1.0) == MANIFEST


async def test_wrong_token(host: Host) -> None:
    """Every call without the right token is UNAUTHENTICATED."""
    for token in ("", "wrong", TOKEN + "x"):
        stranger = EngineClient(host.socket, token)
        with pytest.raises(Unauthenticated):
            await stranger.describe(2.0)
        with pytest.raises(Unauthenticated):
            async for _ in stranger.generate(parameters(), host.scratch):
                pass
        await stranger.close()
    async with connect(f"unix:{host.socket}") as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await EngineServiceStub(channel).Describe(pb.DescribeRequest())
        assert isinstance(from_rpc_error(caught.value), Unauthenticated)


async def test_token_is_nowhere_to_be_seen(host: Host) -> None:
    """The token is neither an argument nor in the environment of the host."""
    proc = Path(f"/proc/{host.process.pid}")
    for name in ("cmdline", "environ"):
        assert TOKEN.encode() not in (proc / name).read_bytes()


async def test_bad_parameters(host: Host) -> None:
    """The host checks for itself, and wants a scratch folder that is there."""
    for bad, folder, field in (
        (parameters(nosuch=1), host.scratch, "parameters.options.nosuch"),
        (parameters(), host.scratch / "nowhere", "scratch_directory"),
        (parameters(), Path("relative"), "scratch_directory"),
    ):
        with pytest.raises(InvalidField) as caught:
            async for _ in host.client.generate(bad, folder):
                pass
        assert field in caught.value.fields


async def test_ends_with_its_parent(host: Host) -> None:
    """The host ends at once when its standard input closes, also in the middle of work."""
    events = host.client.generate(parameters(hang_at=1), host.scratch)
    await anext(events)
    assert host.process.stdin
    host.process.stdin.close()
    assert await host.ended() == 0
    assert not host.socket.exists()
    with contextlib.suppress(ServiceUnavailable):
        await anext(events)


async def test_ends_on_sigterm(host: Host) -> None:
    """SIGTERM ends it even while the engine is deaf."""
    events = host.client.generate(parameters(hang_at=1), host.scratch)
    await anext(events)
    host.process.terminate()
    assert await host.ended() == 0
    with contextlib.suppress(Exception):
        await anext(events)


async def test_describe_waits_for_rest(host: Host) -> None:
    """Describe answers when no generation runs: soon after a cancellation, never while the
    engine ignores it."""
    events = host.client.generate(parameters(steps=1000, step_s=0.05), host.scratch)
    await anext(events)
    with pytest.raises(GenerationTimeout):
        await host.client.describe(0.2)
    await events.aclose()
    await host.client.describe(0.5)
    deaf = host.client.generate(
        parameters(steps=1000, step_s=0.05, ignore_cancel=True), host.scratch
    )
    await anext(deaf)
    await deaf.aclose()
    with pytest.raises(GenerationTimeout):
        await host.client.describe(0.5)


@pytest.mark.parametrize(
    ("arguments", "stdin", "words"),
    [
        (["musicgen.testing.fake_engine:FakeEngine"], b"", "no token"),
        (["musicgen.testing.fake_engine:FakeEngine"], b"unfinished", "no token"),
        (["musicgen.testing.fake_engine:MANIFEST"], b"t\n", "not a subclass"),
        (["nosuch.module:Engine"], b"t\n", "nosuch"),
    ],
)
def test_refuses_to_start(short_tmp: Path, arguments: list[str], stdin: bytes, words: str) -> None:
    """A host without a token or an engine ends, and says why."""
    reader, writer = os.pipe()
    os.write(writer, stdin)
    if not stdin.endswith(b"\n"):
        os.close(writer)
    with subprocess.Popen(
        [*FAKE_COMMAND[:3], *arguments, "--socket", short_tmp / "e.sock"],
        stdin=reader,
        stderr=subprocess.PIPE,
    ) as process:
        _, said = process.communicate(timeout=10)
    assert process.returncode
    assert words.encode() in said
    os.close(reader)
    if stdin.endswith(b"\n"):
        os.close(writer)
