"""More than one machine: cables are pulled in the middle of jobs."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.network import why_not
from tests.e2e.two_workers import JOBS_GRPC, LEASE_S, START_S, Studio, two_workers, wait

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

SUCCEEDED = "STATE_SUCCEEDED"
NOTICED_S = 10.0
"""How long programs may take to see that a cable is back: each waits at most five seconds for
an answer, and then connects anew."""

WATCH_NATIVELY = """
import asyncio, sys, grpc
from musicgen.api.jobs.v1 import job_service_pb2 as pb, job_service_pb2_grpc as rpc
from musicgen.rpc.channel import connect
async def main():
    try:
        async for _ in rpc.JobServiceStub(connect(sys.argv[1])).WatchJobs(pb.WatchJobsRequest()):
            print("frame", flush=True)
    except grpc.aio.AioRpcError as error:
        print(error.code().name, flush=True)
asyncio.run(main())
"""
WATCH_THROUGH_ENVOY = """
import sys, urllib.request
try:
    for line in urllib.request.urlopen(sys.argv[1], timeout=60):
        print("frame", flush=True)
except OSError:
    pass
print("ended", flush=True)
"""


@pytest.fixture(scope="module")
def running() -> Iterator[Studio]:
    """One studio for all tests of this module."""
    if why := why_not():
        pytest.skip(f"no networks of one's own here: {why}")
    folder = Path(tempfile.mkdtemp(prefix="mg-two-"))
    with two_workers(folder) as studio:
        yield studio
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def studio(running: Studio) -> Studio:
    """The studio, with every cable in its place."""
    for host in running.hosts:
        host.plug()
    wait(lambda: running.ask("GET", "/v1/jobs")[0] == 200, START_S)
    return running


def under_way(studio: Studio, job_id: str) -> str:
    """Wait until a job's work has begun; return who does it."""
    wait(lambda: studio.job(job_id).get("progress", {}).get("fraction", 0) > 0.05, 30)
    ((who, fence),) = studio.claims(job_id)
    assert fence == 1
    return who


def check_once(studio: Studio, job_id: str) -> None:
    """Check that a job has one result: one track, one last change, no gap before it."""
    job = studio.job(job_id)
    assert job["state"] == SUCCEEDED
    assert len(job["result"]["trackIds"]) == 1
    tracks = studio.get("/v1/tracks?pageSize=200")["tracks"]
    assert [track["jobId"] for track in tracks].count(job_id) == 1
    history = studio.history(job_id)
    assert [rev for rev, _ in history] == list(range(1, len(history) + 1))
    assert [state for _, state in history if state].count("SUCCEEDED") == 1
    assert history[-1][1] == "SUCCEEDED"


def test_a_worker_that_is_cut_off_loses_its_job_to_the_other(studio: Studio) -> None:
    """The job is finished on the other worker, once; the first one stops its own work as soon
    as it can see that it lost the job, and then takes work again."""
    job_id = studio.make(steps=60)
    first = under_way(studio, job_id)
    other = "b" if first == "a" else "a"
    studio.workers[first].pull()
    moved_s = wait(lambda: len(studio.claims(job_id)) == 2, 30)
    assert studio.claims(job_id) == [(first, 1), (other, 2)]
    assert moved_s < LEASE_S + 2 + NOTICED_S
    assert len(studio.scratch(first)) == 1, "nobody can have told it to stop"

    studio.workers[first].plug()
    wait(lambda: not studio.scratch(first), NOTICED_S)
    stops = [line for line in studio.said("runner", first) if line.get("event") == "stopped"]
    assert [(line["job_id"], line["why"]) for line in stops] == [(job_id, "LOST")]

    pair = [studio.make(steps=8), studio.make(steps=8)]
    wait(lambda: all(studio.job(one)["state"] == SUCCEEDED for one in (job_id, *pair)), 60)
    check_once(studio, job_id)
    assert studio.claims(job_id) == [(first, 1), (other, 2)]
    assert first in {who for one in pair for who, _ in studio.claims(one)}


def test_work_that_is_finished_behind_a_cut_cable_is_not_published_twice(studio: Studio) -> None:
    """A worker that finishes a job which is another's by then is refused when it comes back."""
    job_id = studio.make(steps=24)
    first = under_way(studio, job_id)
    studio.workers[first].pull()
    wait(lambda: studio.job(job_id)["state"] == SUCCEEDED, 60)
    wait(lambda: not studio.scratch(first), 10)
    assert (studio.shared / "artifacts" / job_id / "1").is_dir(), "the folder is everybody's"

    studio.workers[first].plug()
    wait(lambda: _committed(studio, first, job_id), NOTICED_S)
    assert _committed(studio, first, job_id) == ["LOST"]
    check_once(studio, job_id)
    assert [fence for _, fence in studio.claims(job_id)] == [1, 2]


def test_the_jobs_service_may_be_away(studio: Studio) -> None:
    """Without it workers go on and their work is safe; it is published when it is back."""
    job_id = studio.make(steps=12)
    first = under_way(studio, job_id)
    studio.front.pull()
    wait(lambda: _committed(studio, first, job_id), 30)
    assert _committed(studio, first, job_id) == ["OK"]
    assert studio.ask("GET", "/v1/jobs")[0] in (0, 503, 504)

    studio.front.plug()
    wait(lambda: studio.ask("GET", f"/v1/jobs/{job_id}")[1].get("state") == SUCCEEDED, 30)
    check_once(studio, job_id)
    assert studio.claims(job_id) == [(first, 1)]


def test_the_store_may_be_away_for_longer_than_a_lease(studio: Studio) -> None:
    """Everybody waits; then the job ends once, by whoever comes first."""
    job_id = studio.make(steps=40)
    under_way(studio, job_id)
    studio.control.pull()
    time.sleep(2 * LEASE_S)
    studio.control.plug()
    wait(lambda: studio.ask("GET", f"/v1/jobs/{job_id}")[1].get("state") == SUCCEEDED, 60)
    check_once(studio, job_id)
    assert len(studio.claims(job_id)) <= 2


def test_a_dead_connection_is_noticed(studio: Studio) -> None:
    """Streams that run over a cable that was pulled end within half a minute, natively and
    through the gateway, though nobody closed them."""
    front = f"{studio.front.address}:{JOBS_GRPC}"
    watchers = {
        "native": studio.workers["b"].pipe(sys.executable, "-c", WATCH_NATIVELY, front),
        "gateway": studio.control.pipe(
            sys.executable, "-S", "-c", WATCH_THROUGH_ENVOY, studio.url("/v1/jobs:watch")
        ),
    }
    for watcher in watchers.values():
        assert _line(watcher) == "frame"
    studio.front.pull()
    began = time.monotonic()
    last = {name: watcher.communicate(timeout=60)[0] for name, watcher in watchers.items()}
    took_s = time.monotonic() - began
    assert last["native"].split()[-1] == "UNAVAILABLE"
    assert last["gateway"].split()[-1] == "ended"
    assert took_s < 32


def _committed(studio: Studio, worker: str, job_id: str) -> list[str]:
    """Return what the store said to a worker that committed a job."""
    return [
        line["hold"]
        for line in studio.said("runner", worker)
        if line.get("event") == "committed" and line["job_id"] == job_id
    ]


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()
