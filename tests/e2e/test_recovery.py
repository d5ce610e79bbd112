"""kill -9 of any part in the middle of a job: one result all the same."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
import urllib.request

import pytest

from tests.e2e.studio import Studio, descendants, processes

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

# Long enough that every part is killed in the middle.
SPEC = {"generate": {"parameters": {"prompt": "slow ambient pads", "durationSeconds": 180}}}


def post(studio: Studio, path: str, body: object) -> dict[str, object]:
    """POST JSON and return the answer."""
    request = urllib.request.Request(  # noqa: S310 - our own address
        studio.url + path,
        json.dumps(body).encode(),
        {"content-type": "application/json"},
        method="POST",
    )
    with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310 - our own address
        return json.load(answer)  # type: ignore[no-any-return]  # JSON


async def until(
    studio: Studio, job_id: str, done: object, timeout_s: float = 150
) -> dict[str, object]:
    """Wait until the job's state is one of `done` or it has progress, if that is asked."""
    async with asyncio.timeout(timeout_s):
        while True:
            try:
                job = await asyncio.to_thread(studio.get, f"/v1/jobs/{job_id}")
            except OSError:
                job = {}  # the part that answers is being restarted
            if job.get("state") in done if isinstance(done, set) else done(job):  # type: ignore[operator]  # a test's shorthand
                return job
            await asyncio.sleep(0.1)


def under_way(job: dict[str, object]) -> bool:
    """Whether the work itself has begun."""
    progress = job.get("progress")
    return isinstance(progress, dict) and progress.get("fraction", 0) > 0.05


@pytest.mark.parametrize(
    "part",
    [
        "musicgen.engine.host",
        "services.inference",
        "services.jobs.runner",
        "services.jobs ",
        "valkey-server",
        "envoy",
        "services.library",
    ],
)
async def test_a_killed_part_costs_no_job(own_studio: Studio, part: str) -> None:
    """After kill -9 of any part the job ends SUCCEEDED, with one track."""
    job_id = str(post(own_studio, "/v1/jobs", {"spec": SPEC})["jobId"])
    await until(own_studio, job_id, under_way)
    own_studio.kill(part)
    job = await until(own_studio, job_id, {"STATE_SUCCEEDED", "STATE_FAILED"})
    assert job["state"] == "STATE_SUCCEEDED", job
    tracks = own_studio.get("/v1/tracks")["tracks"]
    assert len(tracks) == 1
    folders = [path for path in (own_studio.folder / "artifacts").glob("*/*") if path.is_dir()]
    published = [path for folder in folders for path in folder.iterdir()]
    assert not [path for path in published if path.name.startswith(".")], published


async def test_everything_goes_on_after_a_restart(own_studio: Studio) -> None:
    """Ctrl-C in the middle of a job ends everything; the next start goes on with the job."""
    job_id = str(post(own_studio, "/v1/jobs", {"spec": SPEC})["jobId"])
    await until(own_studio, job_id, under_way)
    family = {process.pid for process in descendants(own_studio.pid)}
    assert own_studio.interrupt() == 0
    left = [process for process in processes() if process.pid in family]
    assert not left
    own_studio.start()
    job = await until(own_studio, job_id, {"STATE_SUCCEEDED", "STATE_FAILED"})
    assert (job["state"], job["attempt"]) == ("STATE_SUCCEEDED", 1)


def test_a_killed_launcher_leaves_no_orphan(own_studio: Studio) -> None:
    """Even kill -9 of the launcher ends everything that it started."""
    family = {process.pid for process in descendants(own_studio.pid)}
    assert len(family) >= 7
    os.kill(own_studio.pid, signal.SIGKILL)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        left = [process for process in processes() if process.pid in family]
        if not left:
            return
        time.sleep(0.2)
    pytest.fail(f"still running: {left}")
