"""A runner counts how its attempts end, and keeps each in the trace of its job."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

import pytest
from prometheus_client import REGISTRY

from musicgen.errors import InvalidPrompt
from musicgen.rpc import tracing
from services.jobs.records import Claim, State
from services.jobs.runner.lanes import Event
from services.jobs.store import JobStore
from tests.contract.jobs.test_runner import OUTCOME, Script, done, hang, slot, until
from tests.otlp import PAGE_SPAN, TRACEPARENT, collector
from tests.valkey import Valkey

pytestmark = pytest.mark.contract


@pytest.fixture
async def store(valkey: Valkey) -> AsyncIterator[JobStore]:
    """A store on an empty server, with one job that came in a trace."""
    store = JobStore.connect(valkey.url)
    await store.create(
        id="a", queue="q", spec=b"", max_attempts=2, queue_limit=10, trace=TRACEPARENT
    )
    yield store
    await store.close()


def attempts(outcome: str) -> float:
    """How many attempts of the tests' lane ended so."""
    labels = {"lane": "scripted", "outcome": outcome}
    found = REGISTRY.get_sample_value("musicgen_attempts_total", labels) or 0.0
    assert found == (REGISTRY.get_sample_value("musicgen_attempt_seconds_count", labels) or 0.0)
    return found


def busy() -> float:
    """How many slots of the tests' lane have a job."""
    return REGISTRY.get_sample_value("musicgen_slots_busy", {"lane": "scripted"}) or 0.0


async def refuse(claim: Claim) -> AsyncGenerator[Event, None]:  # noqa: ARG001 - a script's signature
    """Fail for good."""
    raise InvalidPrompt("It is empty.")
    yield Event(outcome=OUTCOME)


@pytest.mark.parametrize(
    ("script", "outcome"), [(done, "committed"), (refuse, "failed"), (hang, "cancelled")]
)
async def test_each_end_of_an_attempt_is_counted(
    store: JobStore, script: Script, outcome: str
) -> None:
    """What is committed, fails or is cancelled is counted as that, once."""
    before = attempts(outcome)
    async with slot(store, script):
        if outcome == "cancelled":
            await until(store, lambda record: bool(record.progress))
            assert busy() == 1
            await store.cancel("a")
        at_work = (State.QUEUED, State.RUNNING)
        await until(store, lambda record: bool(record.outcome) or record.state not in at_work)
        async with asyncio.timeout(5):
            while busy():
                await asyncio.sleep(0.01)
    assert attempts(outcome) == before + 1


async def test_what_is_given_back_is_counted(store: JobStore) -> None:
    """A runner that is stopped in the middle of a job gives it back, and says so."""
    before = attempts("given_back")
    async with slot(store, hang):
        await until(store, lambda record: bool(record.progress))
    assert (attempts("given_back"), busy()) == (before + 1, 0)


async def test_an_attempt_is_in_the_trace_of_its_job(
    store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store keeps the trace of the request that made the job; its attempt goes on with
    it, with the job's id and nothing of its spec."""
    with collector() as traces:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", traces.endpoint)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
        monkeypatch.setattr(tracing, "_spans", None)
        assert tracing.configure("runner") == ""
        async with slot(store, refuse):
            (span,) = await asyncio.to_thread(traces.wait_for, "runner scripted attempt")
        assert tracing._spans is not None
        tracing._spans._provider.shutdown()
    assert (span.parent, span.failed) == (PAGE_SPAN, True)
    assert (span.facts["musicgen.job_id"], span.facts["musicgen.outcome"]) == ("a", "failed")
