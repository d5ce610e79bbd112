"""The parts of jobs that need no server: pace, thinning, ids, settings."""

from __future__ import annotations

import asyncio

import pytest

from musicgen.api.progress.v1 import progress_pb2
from musicgen.errors import InvalidField
from musicgen.settings import SettingsError, load
from services.jobs.admission import check_request_id, new_job_id
from services.jobs.coalesce import Coalescer
from services.jobs.hub import Subscription
from services.jobs.records import Change
from services.jobs.runner.pace import Pace
from services.jobs.runner.settings import Settings as RunnerSettings
from services.jobs.settings import Settings
from services.jobs.store import age, is_position, just_before
from services.jobs.watch import Telling

pytestmark = pytest.mark.unit


def progressed(rev: int, job: str = "a") -> Change:
    """Return a progress change."""
    return Change(f"1-{rev}", job, rev, 0, progress=b"p")


def deleted(rev: int, job: str = "a") -> Change:
    """Return a change that is none of progress."""
    return Change(f"1-{rev}", job, rev, 0)


def test_coalescer_passes_everything_by_default() -> None:
    """Without an interval nothing is held back."""
    changes = [progressed(1), deleted(2), progressed(3)]
    assert Coalescer(0).pass_on(changes, 0.0) == changes


def test_coalescer_keeps_the_newest_progress_and_every_state() -> None:
    """Held progress is replaced by newer, dropped before a state, and let go in time."""
    coalescer = Coalescer(1.0)
    assert coalescer.pass_on([progressed(1), progressed(2)], 0.0) == [progressed(2)]
    assert coalescer.pass_on([progressed(3)], 0.5) == []
    assert coalescer.wait_s(0.5, 10.0) == pytest.approx(0.5)
    assert coalescer.pass_on([progressed(4), progressed(1, "b")], 0.6) == [progressed(1, "b")]
    assert coalescer.pass_on([], 1.0) == [progressed(4)]
    assert coalescer.pass_on([progressed(5), deleted(6)], 1.1) == [deleted(6)]
    assert coalescer.wait_s(1.1, 10.0) == 10.0


async def test_progress_waits_its_time_and_states_take_it_along() -> None:
    """While a watcher wants quiet, progress waits until then; a state ends the waiting."""
    loop = asyncio.get_running_loop()
    subscription = Subscription("0-0")
    subscription.offer(progressed(1))
    assert await subscription.take(5.0) == [progressed(1)]
    quiet_until_s = loop.time() + 0.1
    subscription.keep_quiet(quiet_until_s)
    subscription.offer(progressed(2))
    assert await subscription.take(0.01) == []
    assert not subscription.empty
    assert await subscription.take(5.0) == [progressed(2)]
    assert loop.time() >= quiet_until_s
    subscription.keep_quiet(loop.time() + 5.0)
    subscription.offer(progressed(3))
    loop.call_later(0.02, subscription.offer, deleted(4))
    assert await subscription.take(5.0) == [progressed(3), deleted(4)]


async def test_who_wants_no_progress_is_not_woken_by_it() -> None:
    """Progress passes by those who left it out; a watcher is woken when it is asked to end."""
    subscription = Subscription("0-0", progress=False)
    subscription.offer(progressed(1))
    assert subscription.empty
    asyncio.get_running_loop().call_later(0.02, subscription.wake)
    async with asyncio.timeout(1.0):
        assert await subscription.take(5.0) == []


def test_a_change_is_told_to_all_in_the_same_message() -> None:
    """What a change is as a message is made once for all watchers, also as a whole frame; a
    change at the same place of another store is another one."""
    telling = Telling()
    change, other = deleted(1), deleted(1)
    assert telling.of(change) is telling.of(change)
    assert telling.of(change).alone("e") is telling.of(change).alone("e")
    assert telling.of(change).alone("f").cursor == "f.1-1"
    assert telling.of(other) is not telling.of(change)


def test_pace_writes_the_newest_and_beats_in_silence() -> None:
    """Progress goes out at most every 250 ms, a bare beat when nothing is told."""
    pace = Pace(beat_s=3.0, now_s=0.0)
    assert pace.wait_s(0.0) == 3.0
    pace.hold(progress_pb2.Progress(step=1))
    assert pace.wait_s(0.0) == 0.0
    assert pace.take(0.0)
    pace.hold(progress_pb2.Progress(step=2))
    pace.hold(progress_pb2.Progress(step=3))
    assert pace.wait_s(0.1) == pytest.approx(0.15)
    assert progress_pb2.Progress.FromString(pace.take(0.25)).step == 3
    assert pace.take(3.25) == b""


def test_job_ids_are_unique_and_sort_by_age() -> None:
    """Ids are 20 lower-case letters and digits; a later one sorts later."""
    ids = [new_job_id() for _ in range(200)]
    assert len(set(ids)) == 200
    assert all(len(id) == 20 and id.isalnum() and id == id.lower() for id in ids)
    assert [id[:8] for id in ids] == sorted(id[:8] for id in ids)


def test_request_id() -> None:
    """A request id is a UUID or absent."""
    check_request_id("")
    check_request_id("123e4567-e89b-12d3-a456-426614174000")
    with pytest.raises(InvalidField):
        check_request_id("one")


@pytest.mark.parametrize("text", ["", "1", "a-b", "1-2-3", "-1-0", "1" * 30 + "-0"])
def test_what_is_no_position(text: str) -> None:
    """Only two numbers that fit make a position."""
    assert not is_position(text)
    assert is_position("1700000000000-0")


def test_settings_name_everything_that_is_wrong() -> None:
    """Missing and wrong settings are all listed at once, with what they are for."""
    with pytest.raises(SettingsError) as caught:
        load(Settings, {"MUSICGEN_MAX_ATTEMPTS": "many"})
    text = str(caught.value)
    assert "MUSICGEN_ADDRESS is not set" in text
    assert "MUSICGEN_REDIS_URL is not set" in text
    assert "MUSICGEN_MAX_ATTEMPTS='many'" in text
    with pytest.raises(SettingsError):
        load(
            RunnerSettings,
            {
                "MUSICGEN_REDIS_URL": "u",
                "MUSICGEN_LIBRARY_ADDRESS": "l",
                "MUSICGEN_RUNNER_NAME": "n",
                "MUSICGEN_LEASE_S": "0",
            },
        )


def test_what_is_held_back_comes_again_after_a_reconnect() -> None:
    """Changes leave in order, and a cursor never lies beyond progress that is held back."""
    coalescer = Coalescer(1.0)
    coalescer.pass_on([progressed(1)], 0.0)
    coalescer.pass_on([progressed(2)], 0.5)
    assert coalescer.pass_on([deleted(3, "b")], 0.6) == [deleted(3, "b")]
    assert coalescer.cursor("1-3") == "1-1"
    assert coalescer.pass_on([deleted(4, "b")], 1.0) == [progressed(2), deleted(4, "b")]
    assert coalescer.cursor("1-4") == "1-4"
    assert age(just_before("7-0")) < (7, 0)
    assert is_position(just_before("7-0"))
