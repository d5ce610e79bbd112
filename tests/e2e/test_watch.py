"""Every front door tells the same story: the same events, in order, none missing."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections.abc import Callable
from functools import partial

import pytest

from musicgen.api.jobs.v1 import job_service_pb2, job_service_pb2_grpc
from musicgen.rpc.channel import connect
from tests.e2e.studio import Studio

pytestmark = pytest.mark.e2e

Seen = list[tuple[str, int]]


def server_sent_events(studio: Studio, seen: Seen, stop: Callable[[], bool]) -> None:
    """Read `curl -N …/v1/jobs:watch` into `seen`."""
    with urllib.request.urlopen(studio.url + "/v1/jobs:watch", timeout=30) as answer:  # noqa: S310 - our own address
        assert answer.headers["content-type"] == "text/event-stream"
        for line in answer:
            if line.startswith(b"data: "):
                frame = json.loads(line[6:])
                for event in frame.get("events", {}).get("events", []):
                    seen.append((event["jobId"], int(event["rev"])))
            if stop():
                return


async def grpc_watch(studio: Studio, seen: Seen) -> None:
    """Read WatchJobs into `seen`, breaking off and resuming after every frame."""
    cursor = ""
    async with connect(studio.address) as channel:
        stub = job_service_pb2_grpc.JobServiceStub(channel)
        while True:
            call = stub.WatchJobs(job_service_pb2.WatchJobsRequest(cursor=cursor))
            async for frame in call:
                seen += [(event.job_id, event.rev) for event in frame.events.events]
                cursor = frame.cursor or cursor
                if frame.events.events:
                    break
            call.cancel()


async def test_sse_and_grpc_see_the_same(shared_studio: Studio) -> None:
    """Two readers of server-sent events and a watch that keeps reconnecting agree."""
    lists: list[Seen] = [[], [], []]
    made: list[str] = []

    last: dict[str, int] = {}  # job → its rev when it had ended

    def complete(seen: Seen) -> bool:
        return bool(last) and all(entry in seen for entry in last.items())

    readers = [
        asyncio.create_task(
            asyncio.to_thread(
                server_sent_events, shared_studio, lists[n], partial(complete, lists[n])
            )
        )
        for n in range(2)
    ]
    watching = asyncio.create_task(grpc_watch(shared_studio, lists[2]))
    await asyncio.sleep(1)
    for prompt in ("calm piano", "house"):
        done = await asyncio.to_thread(
            shared_studio.cli, "generate", prompt, "--duration", "10", "--detach", "--json"
        )
        made.append(json.loads(done.stdout)["job"]["job_id"])
    async with asyncio.timeout(60):
        while True:
            jobs = [await asyncio.to_thread(shared_studio.get, f"/v1/jobs/{job}") for job in made]
            if all(job["state"] == "STATE_SUCCEEDED" for job in jobs):
                last.update({job["jobId"]: int(job["rev"]) for job in jobs})
                break
            await asyncio.sleep(0.2)
        await asyncio.gather(*readers)
        while not complete(lists[2]):
            await asyncio.sleep(0.1)
    watching.cancel()
    for seen in lists:
        mine = [entry for entry in seen if entry[0] in made]
        assert mine == [entry for entry in lists[0] if entry[0] in made]
        for job in made:
            assert [rev for id, rev in mine if id == job] == list(range(1, last[job] + 1))
