"""A neural engine from the page: set up, install, load, sing, cancel, make a part anew."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from playwright.async_api import Locator, Page, expect

from musicgen.testing.loopback_hub import LoopbackHub
from tests.e2e.studio import Studio, studio
from tests.e2e.test_browser import LONG_MS, SHOTS, chromium, tab

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

NEURAL_PYTHON = Path(os.environ.get("NEURAL_PYTHON", ".venv-neural/bin/python"))
"""With torch: writes the model that the hub has."""

ENGINE, MODEL = "diffrhythm-tiny", "diffrhythm-tiny-published"
SETUP_MS = 600_000
LYRICS = "Hello world\nthe rain is falling on the town"


@pytest.fixture(scope="module")
def hub() -> Iterator[LoopbackHub]:
    """A hub with a tiny model, and the catalogue that names it."""
    if not NEURAL_PYTHON.exists():
        pytest.fail(f"{NEURAL_PYTHON} is not there: `make .venv-neural/.stamp` makes it")
    folder = Path(tempfile.mkdtemp(prefix="mg-published-"))
    writer = "services.inference.engines.diffrhythm.publication"
    subprocess.run([NEURAL_PYTHON, "-m", writer, folder], check=True)
    with LoopbackHub() as running, pytest.MonkeyPatch.context() as patch:
        running.add_folder(folder)
        patch.setenv("HF_ENDPOINT", running.url)
        patch.setenv("MUSICGEN_MODELS_FILE", str(folder / "models.json"))
        yield running
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def neural_studio(hub: LoopbackHub) -> Iterator[Studio]:
    """A studio that knows this hub; no engine is set up in it yet."""
    del hub
    folder = Path(tempfile.mkdtemp(prefix="mg-neural-"))
    with studio(folder) as running:
        yield running
    shutil.rmtree(folder, ignore_errors=True)


async def test_from_nothing_to_a_part_made_anew(
    neural_studio: Studio, hub: LoopbackHub, tmp_path: Path
) -> None:
    """All that a person does, in one go on one page."""
    async with chromium() as running, tab(running, neural_studio) as it:
        page = it.page
        await set_up(page)
        await install(page, hub)
        await load(page)
        await page.get_by_test_id("engines-dialog-close").click()

        await page.get_by_test_id("engine").select_option(ENGINE)
        await page.get_by_text("Engine options").click()
        await page.get_by_test_id("lyrics").fill(LYRICS)
        await page.get_by_test_id("check-lyrics").click()
        await expect(page.get_by_test_id("lyrics-status")).not_to_be_empty(timeout=LONG_MS)

        card = await make(page, it, steps=200, seconds=60)
        await expect(card.get_by_test_id("job-stage")).to_contain_text("of 200", timeout=LONG_MS)
        await card.get_by_test_id("cancel").click()
        await expect(card.get_by_test_id("job-state")).to_have_text("Cancelled", timeout=20_000)

        card = await make(page, it, steps=12, seconds=12)
        track = card.get_by_test_id("track-card")
        await expect(track.get_by_test_id("waveform")).to_be_visible(timeout=LONG_MS)
        await expect(track).to_contain_text(MODEL)

        before = await saved(page, track, tmp_path / "before.wav")
        anew = await regenerate(page, track)
        after = await saved(page, anew, tmp_path / "after.wav")
        assert before.shape == after.shape
        # From 4 s to 6 s, and two latents to either side.
        touched = slice(int(3.8 * 44_100), int(6.2 * 44_100))
        outside = np.ones(len(before), bool)
        outside[touched] = False
        assert np.array_equal(before[outside], after[outside])
        assert not np.array_equal(before[touched], after[touched])
        SHOTS.mkdir(parents=True, exist_ok=True)
        await page.screenshot(path=SHOTS / "neural.png", full_page=True)


async def set_up(page: Page) -> None:
    """Open the engines and make the environment, watching it come."""
    await page.get_by_test_id("engines").click()
    card = page.locator(f"[data-testid=engine-card][data-engine={ENGINE}]")
    await card.get_by_test_id("setup").click()
    await expect(card.get_by_test_id("work-percent")).to_contain_text("%", timeout=LONG_MS)
    await expect(card.get_by_test_id("work-stage")).not_to_be_empty()
    state = card.get_by_test_id("environment-state")
    await expect(state).to_have_text("Ready", timeout=SETUP_MS)


async def install(page: Page, hub: LoopbackHub) -> None:
    """Read and accept the licences, cancel in the middle, and install what is left."""
    model = page.locator(f"[data-testid=model][data-model={MODEL}]")
    weights = hub.files["tiny/DiffRhythm", "cfm_model.pt"]
    weights.bytes_per_second = 1e6
    await model.get_by_test_id("install-open").click()
    await expect(model.get_by_test_id("licence-meaning").first).to_contain_text("tracks")
    await model.get_by_test_id("accept-licences").check()
    await model.get_by_test_id("install").click()
    await expect(model.get_by_test_id("work-transfer")).to_contain_text("MB", timeout=LONG_MS)
    await model.get_by_test_id("work-cancel").click()
    await expect(model.get_by_test_id("install-open")).to_be_visible(timeout=20_000)
    weights.bytes_per_second = 0.0
    await model.get_by_test_id("install-open").click()
    await model.get_by_test_id("install").click()
    await expect(model).to_have_attribute("data-state", "installed", timeout=LONG_MS)
    assert weights.sent_bytes < 1.5 * len(weights.data)


async def load(page: Page) -> None:
    """Load the model, and see that it is."""
    model = page.locator(f"[data-testid=model][data-model={MODEL}]")
    await model.get_by_test_id("load").click()
    await expect(model).to_have_attribute("data-state", "loaded", timeout=LONG_MS)


async def make(page: Page, it: Any, *, steps: int, seconds: int) -> Locator:
    """Ask for a song; return its card."""
    cards = page.get_by_test_id("job-card")
    there = await cards.count()
    await page.get_by_test_id("option-steps").fill(str(steps))
    await it.make("warm rock", seconds)
    await expect(cards).to_have_count(there + 1, timeout=LONG_MS)
    job_id = await cards.first.get_attribute("data-job-id")
    return page.locator(f'[data-job-id="{job_id}"]')


async def saved(page: Page, track: Locator, path: Path) -> np.ndarray[Any, Any]:
    """Download a track's audio; return its samples."""
    async with page.expect_download(timeout=LONG_MS) as waiting:
        await track.get_by_test_id("download-wav").click()
    await (await waiting.value).save_as(path)
    samples, _ = await asyncio.to_thread(soundfile.read, path, dtype="int32", always_2d=True)
    return np.asarray(samples)


async def regenerate(page: Page, track: Locator) -> Locator:
    """Make two seconds in the middle anew; return the new track's card."""
    cards = page.get_by_test_id("job-card")
    there = await cards.count()
    await track.get_by_test_id("regenerate").click()
    form = track.get_by_test_id("regenerate-form")
    await form.get_by_test_id("part-start").fill("0:04")
    await form.get_by_test_id("part-end").fill("0:06")
    await form.get_by_test_id("regenerate-start").click()
    await expect(cards).to_have_count(there + 1, timeout=LONG_MS)
    anew = cards.first.get_by_test_id("track-card")
    await expect(anew.get_by_test_id("waveform")).to_be_visible(timeout=LONG_MS)
    return anew
