"""The publisher against a real store: what can't be published harms nothing else."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from musicgen.api.errors.v1 import error_pb2, error_reason_pb2
from musicgen.api.jobs.v1 import job_outcome_pb2, job_pb2
from musicgen.api.library.v1 import library_service_pb2_grpc
from musicgen.rpc.channel import connect
from services.jobs.publisher import Publisher
from services.jobs.records import State
from services.jobs.store import JobStore
from tests.valkey import Valkey

pytestmark = pytest.mark.contract


async def test_an_outcome_that_makes_no_sense_fails_its_job_only(
    valkey: Valkey, short_tmp: Path
) -> None:
    """A poisoned outbox entry ends as FAILED; the publisher lives and publishes the next."""
    store = JobStore.connect(valkey.url)
    nowhere = connect(f"unix:{short_tmp}/nowhere.sock")
    publisher = Publisher(store, library_service_pb2_grpc.LibraryServiceStub(nowhere))
    good = job_outcome_pb2.JobOutcome(downloads=[job_pb2.Download(file_name="f")])
    for id, outcome in (("bad", b"\xff\xff"), ("good", good.SerializeToString())):
        await store.create(id=id, queue="q", spec=b"", max_attempts=2, queue_limit=10)
        held = await store.claim("w", ["q"], 30)
        assert held is not None
        await store.commit(held, outcome)
    task = asyncio.create_task(publisher.run())
    async with asyncio.timeout(5):
        while await store.outbox():
            await asyncio.sleep(0.01)
    assert not task.done()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    bad = await store.get("bad")
    reason = error_pb2.Error.FromString(bad.error).reason
    assert (bad.state, reason) == (State.FAILED, error_reason_pb2.ERROR_REASON_INTERNAL)
    assert (await store.get("good")).state is State.SUCCEEDED
    await nowhere.close()
    await store.close()
