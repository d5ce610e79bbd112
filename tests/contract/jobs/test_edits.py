"""Pieces that are made from music: what is checked before a job is accepted, and what the
runner tells inference."""

from __future__ import annotations

import asyncio
import dataclasses
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
import soundfile

from musicgen.api.jobs.v1 import job_outcome_pb2, job_pb2, job_service_pb2
from musicgen.engine.base import TimeRange
from musicgen.engine.convert import dict_from_struct, manifest_to_proto, parts_to_proto
from musicgen.errors import (
    InvalidField,
    ServiceUnavailable,
    StudioError,
    TrackNotFound,
    UploadNotFound,
)
from musicgen.rpc.channel import connect
from musicgen.rpc.status import from_error_proto, from_rpc_error
from musicgen.testing.fake_engine import MANIFEST, expected_edit
from services.jobs.runner.cancels import Cancels
from services.jobs.runner.lanes import GenerateLane
from services.jobs.runner.worker import Slot
from services.jobs.watch import WatchLimits
from tests.contract.inference.conftest import Running
from tests.contract.inference.conftest import running as inference_running
from tests.contract.inference.test_inputs import SOURCE, STYLE, Parts, noise, put
from tests.contract.jobs.conftest import ENGINE, Jobs, running
from tests.contract.jobs.fake_library import RATE_HZ, FakeLibrary, fake_library
from tests.valkey import Valkey

pytestmark = pytest.mark.contract

LIMITS = WatchLimits(watch_s=600, bookmark_s=0.2)
AT = "spec.generate.edit"


@dataclasses.dataclass
class Studio:
    """A jobs service that knows the fake engine, and its library."""

    jobs: Jobs
    library: FakeLibrary
    at_library: str

    async def create(self, spec: job_pb2.JobSpec) -> job_pb2.Job:
        """Return an accepted job."""
        request = job_service_pb2.CreateJobRequest(spec=spec)
        return (await self.jobs.stub.CreateJob(request)).job

    async def refusal(self, spec: job_pb2.JobSpec) -> StudioError:
        """Return why a job is not accepted."""
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await self.create(spec)
        return from_rpc_error(caught.value)


@pytest.fixture
async def studio(valkey: Valkey, short_tmp: Path) -> AsyncIterator[Studio]:
    """The service; "tones" can neither edit nor take a style from music, "fake" can."""
    library, address = fake_library(), f"unix:{short_tmp}/library.sock"
    async with library.serving(address), running(valkey, short_tmp, LIMITS, address) as jobs:
        fake = manifest_to_proto(MANIFEST).SerializeToString()
        await jobs.store.announce("fakes", {MANIFEST.name: fake}, ttl_s=60)
        yield Studio(jobs, library, address)


def asked(engine: str = "fake", prompt: str = "rain") -> job_pb2.JobSpec:
    """A spec without any music in it."""
    spec = job_pb2.JobSpec()
    spec.generate.engine, spec.generate.parameters.prompt = engine, prompt
    return spec


def anew(parts: Parts, engine: str = "fake", track_id: str = "t") -> job_pb2.JobSpec:
    """A spec that makes parts of a track anew."""
    spec = asked(engine)
    spec.generate.edit.source.track_id = track_id
    spec.generate.edit.regenerate.extend(parts_to_proto(TimeRange(*part) for part in parts))
    return spec


async def test_an_edit_is_as_long_as_its_source(studio: Studio) -> None:
    """The length that is asked for doesn't matter; the engine's range does. Times that were
    read off a page may be a hundredth of a second too late."""
    spec = anew([(0.0, 1.5), (59.0, 60.005)])
    spec.generate.parameters.duration_seconds = 7
    accepted = (await studio.create(spec)).spec.generate
    assert accepted.parameters.duration_seconds == 60.0
    assert accepted.parameters.HasField("seed")
    assert [part.start_seconds for part in accepted.edit.regenerate] == [0.0, 59.0]
    studio.library.hold("hours", "library/hours/audio.flac", 7200 * RATE_HZ)
    found = await studio.refusal(anew([(0.0, 1.0)], track_id="hours"))
    told = "lasts 7200 s; Fake makes parts of pieces of 0.1 to 600 s anew"
    assert found.fields == {f"{AT}.source": told}
    assert found.message == f"{AT}.source {told}."


async def test_a_source_that_was_rounded_up(studio: Studio) -> None:
    """A tenth of a second more than the engine makes is none too long; all of it can be made
    anew, and what is asked for is in the engine's range."""
    studio.library.hold("longest", "library/longest/audio.flac", round(600.09 * RATE_HZ))
    accepted = (await studio.create(anew([(599.0, 600.09)], track_id="longest"))).spec.generate
    assert accepted.parameters.duration_seconds == MANIFEST.max_duration_s
    studio.library.hold("longer", "library/longer/audio.flac", round(600.11 * RATE_HZ))
    found = await studio.refusal(anew([(599.0, None)], track_id="longer"))
    assert list(found.fields) == [f"{AT}.source"]


async def test_music_and_numbers_for_one_style(studio: Studio) -> None:
    """One of them would be ignored, so that neither is taken, before the library is asked; each
    alone is."""
    option = {"style": {"type": "array", "items": {"type": "number"}}}
    able = dataclasses.replace(
        MANIFEST, name="able", options_schema={"type": "object", "properties": option}
    )
    announced = {able.name: manifest_to_proto(able).SerializeToString()}
    await studio.jobs.store.announce("able", announced, ttl_s=60)
    spec = asked("able")
    spec.generate.parameters.options.update({"style": [0.5, 0.25]})
    await studio.create(spec)
    spec.generate.style_audio.track_id = "t"
    found = await studio.refusal(spec)
    assert found.fields == {"spec.generate.style_audio": "goes with no options.style"}
    assert studio.library.asked == []
    spec.generate.parameters.options.Clear()
    await studio.create(spec)


@pytest.mark.parametrize(
    ("parts", "field"),
    [
        ([], "regenerate"),
        ([(1.0, 0.5)], "regenerate[0]"),
        ([(-1.0, 2.0)], "regenerate[0]"),
        ([(0.0, 60.02)], "regenerate[0]"),
        ([(61.0, None)], "regenerate[0]"),
        ([(0.0, math.inf)], "regenerate[0]"),
        ([(math.nan, 2.0)], "regenerate[0]"),
        ([(5.0, 9.0), (8.0, 10.0)], "regenerate[1]"),
        ([(5.0, None), (8.0, 10.0)], "regenerate[1]"),
        ([(n / 2, n / 2 + 0.25) for n in range(65)], "regenerate"),
    ],
)
async def test_bad_parts(studio: Studio, parts: Parts, field: str) -> None:
    """Parts that don't lie one after the other within the piece make no job."""
    found = await studio.refusal(anew(parts))
    assert type(found) is InvalidField
    assert list(found.fields) == [f"{AT}.{field}"]
    assert found.message.startswith(f"{AT}.{field} ")


async def test_an_engine_that_cannot(studio: Studio) -> None:
    """It is refused by name, before the library is asked for anything."""
    found = await studio.refusal(anew([(0.0, 1.0)], engine=ENGINE.name))
    assert list(found.fields) == [f"{AT}.regenerate"]
    assert "Tones" in found.message
    spec = asked(ENGINE.name)
    spec.generate.style_audio.track_id = "t"
    assert list((await studio.refusal(spec)).fields) == ["spec.generate.style_audio"]
    assert studio.library.asked == []


async def test_music_that_is_not_there(studio: Studio) -> None:
    """A track or an upload that there isn't makes no job, nor does one that isn't named."""
    styled, nothing, unnamed = asked(), asked(), anew([(0.0, 1.0)])
    styled.generate.style_audio.upload_id = "u"
    nothing.generate.style_audio.SetInParent()
    unnamed.generate.edit.source.Clear()
    assert isinstance(await studio.refusal(styled), UploadNotFound)
    assert isinstance(await studio.refusal(anew([(0.0, 1.0)], track_id="gone")), TrackNotFound)
    assert list((await studio.refusal(nothing)).fields) == ["spec.generate.style_audio"]
    assert list((await studio.refusal(unnamed)).fields) == [f"{AT}.source"]
    studio.library.hold("u", STYLE, 10 * RATE_HZ)
    assert (await studio.create(styled)).spec.generate.style_audio.upload_id == "u"


async def test_while_the_library_is_away(valkey: Valkey, short_tmp: Path) -> None:
    """Nobody could say how long the source is."""
    async with running(valkey, short_tmp, LIMITS) as jobs:
        fake = manifest_to_proto(MANIFEST).SerializeToString()
        await jobs.store.announce("fakes", {MANIFEST.name: fake}, ttl_s=60)
        studio = Studio(jobs, fake_library(), "")
        assert isinstance(await studio.refusal(anew([(0.0, 1.0)])), ServiceUnavailable)
        await studio.create(asked())


@asynccontextmanager
async def working(studio: Studio, folder: Path) -> AsyncIterator[Running]:
    """Run a runner's slot, and an inference service that keeps its data in `folder`."""
    async with (
        inference_running(folder) as inference,
        connect(studio.at_library) as library,
        asyncio.timeout(30),
    ):
        cancels, lane = Cancels(studio.jobs.store), GenerateLane(inference.channel, library)
        slot = Slot(studio.jobs.store, lane, cancels, owner="w", lease_s=15.0)
        tasks = [asyncio.create_task(slot.run()), asyncio.create_task(cancels.run())]
        try:
            yield inference
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_runner_resolves_both(studio: Studio, short_tmp: Path) -> None:
    """From the accepted job to the samples: the runner asks what both references stand for
    when it begins, and inference reads those files."""
    samples, style = noise(2 * RATE_HZ, 1), noise(30_000, 2)
    studio.library.hold("song", SOURCE, len(samples), title="Song")
    studio.library.hold("u", STYLE, len(style))
    async with working(studio, short_tmp) as inference:
        put(inference, SOURCE, samples)
        put(inference, STYLE, style)
        spec = anew([(0.5, 1.0)], track_id="song")
        spec.generate.style_audio.upload_id = "u"
        spec.generate.parameters.seed = 3
        job = await studio.create(spec)
        assert studio.library.asked == ["u", "song"]
        while not (outcome := (await studio.jobs.store.get(job.job_id)).outcome):
            await asyncio.sleep(0.02)
        assert studio.library.asked == ["u", "song"] * 2
        [track] = job_outcome_pb2.JobOutcome.FromString(outcome).tracks
        made, _ = soundfile.read(inference.data_root / track.artifact.key, dtype="float32")
        assert (made == expected_edit(samples, [TimeRange(0.5, 1.0)], 3)).all()
        recipe = dict_from_struct(track.recipe)
        assert recipe["style_audio"]["reference"] == {"upload_id": "u"}
        assert recipe["edit"]["source"]["title"] == "Song"
        assert recipe["duration_seconds"] == 2


async def test_what_was_deleted_meanwhile(studio: Studio, short_tmp: Path) -> None:
    """A job whose source has gone since it was accepted fails with that, and once."""
    studio.library.hold("song", SOURCE, 2 * RATE_HZ)
    job = await studio.create(anew([(0.5, 1.0)], track_id="song"))
    del studio.library.held["song"]
    async with working(studio, short_tmp):
        while True:
            request = job_service_pb2.GetJobRequest(job_id=job.job_id)
            now = (await studio.jobs.stub.GetJob(request)).job
            if now.state == job_pb2.Job.STATE_FAILED:
                break
            await asyncio.sleep(0.02)
    assert isinstance(from_error_proto(now.error), TrackNotFound)
    assert now.attempt == 1
