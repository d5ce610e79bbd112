"""An engine at work in its host, without a host around it."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from pathlib import Path

import pytest
import soundfile

from musicgen.artifacts import sha256_of
from musicgen.engine.base import MIX_FILE, Edit, Engine, Generation, Parameters, TimeRange
from musicgen.engine.worker import EngineWorker
from musicgen.errors import DiskFull, InvalidField, InvalidLyrics, OutOfMemory
from musicgen.progress import Progress
from musicgen.testing.fake_engine import MANIFEST, FakeEngine, Script, expected_samples
from musicgen.testing.signals import sine

pytestmark = pytest.mark.unit


def parameters(**options: object) -> Parameters:
    """Parameters with this script."""
    return Parameters("a tone", "", 0.5, 3, options)


async def test_worker_runs_the_engine(tmp_path: Path) -> None:
    """The worker yields progress, then what was made; the mix is in the scratch folder."""
    worker = EngineWorker(FakeEngine(Script(steps=2)))
    events = [event async for event in worker.generate(parameters(), tmp_path)]
    assert isinstance(events[0], Progress)
    assert isinstance(events[-1], Generation)
    assert (tmp_path / MIX_FILE).is_file()


@pytest.mark.parametrize(
    ("fail_with", "error"),
    [("MEMORY", OutOfMemory), ("DISK", DiskFull), ("OUT_OF_MEMORY", OutOfMemory)],
)
async def test_worker_names_shortages(
    tmp_path: Path, fail_with: str, error: type[Exception]
) -> None:
    """Running out of memory or disk has its own reason, whoever noticed."""
    worker = EngineWorker(FakeEngine())
    with pytest.raises(error):
        async for _ in worker.generate(parameters(fail_at=1, fail_with=fail_with), tmp_path):
            pass


async def test_worker_checks_what_it_is_given_to_read(tmp_path: Path) -> None:
    """Music for an engine that does nothing with it is refused by name, and so are parts that
    can't be; the fake does with them what it says."""
    source = Path(tmp_path / "source.wav")
    soundfile.write(source, sine(300.0, 22_050), 44_100, "FLOAT")
    edited = dataclasses.replace(parameters(), edit=Edit(source, [TimeRange(0.1, 0.2)]))
    styled = dataclasses.replace(parameters(), style_audio=source)
    unordered = Edit(source, [TimeRange(0.2, 0.3), TimeRange(0.1, 0.2)])

    class Plain(FakeEngine):
        manifest = dataclasses.replace(MANIFEST, supports_edit=False, supports_style_audio=False)

    for engine, asked, field in (
        (Plain(), edited, "regenerate"),
        (Plain(), styled, "style_audio_path"),
        (FakeEngine(), dataclasses.replace(edited, edit=unordered), "regenerate[1]"),
    ):
        with pytest.raises(InvalidField) as caught:
            await anext(EngineWorker(engine).generate(asked, tmp_path))
        assert list(caught.value.fields) == [field]
    both = dataclasses.replace(edited, style_audio=source)
    *_, made = [event async for event in EngineWorker(FakeEngine()).generate(both, tmp_path)]
    assert isinstance(made, Generation)
    assert made.decides_length
    facts = {"sha256": sha256_of(source), "frames": 22_050}
    assert made.decisions["style_audio"] == facts
    assert made.decisions["edit"] == {"source": facts, "regenerate": [[0.1, 0.2]]}
    mix, _ = soundfile.read(tmp_path / MIX_FILE, dtype="float32")
    assert (mix[:4_410] == sine(300.0, 4_410)).all()
    assert (mix[4_410:8_820] == expected_samples(3, 0.5)[4_410:8_820]).all()


async def test_worker_checks_lyrics() -> None:
    """Checks need no turn, but parameters that can be; an engine that checks none says so."""
    worker = EngineWorker(FakeEngine())
    words = dataclasses.replace(parameters(), lyrics=f"la\n{'x' * 41}\n{'x' * 81}")
    checked = await worker.check_lyrics(words)
    assert [(found.line, found.severity) for found in checked.findings] == [
        (2, "warning"),
        (3, "error"),
    ]
    assert checked.timed_lyrics.startswith("[00:00.00]la\n[00:00.17]x")
    with pytest.raises(InvalidLyrics):
        await worker.check_lyrics(dataclasses.replace(words, lyrics="\0"))
    with pytest.raises(InvalidField, match="checks no lyrics"):
        Engine.check_lyrics(FakeEngine(), words)


async def test_worker_does_one_at_a_time(tmp_path: Path) -> None:
    """A second generation begins when the first has ended, cancelled or not."""
    worker = EngineWorker(FakeEngine())
    first = worker.generate(parameters(steps=100, step_s=0.02), tmp_path)
    await anext(first)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(worker.idle(), 0.1)
    await first.aclose()
    async with contextlib.aclosing(worker.generate(parameters(), tmp_path)) as second:
        assert [event async for event in second]
