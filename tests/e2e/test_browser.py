"""The page in a real browser: prompt → live progress → play → tags → download."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import soundfile
from playwright.async_api import Browser, ConsoleMessage, Page, async_playwright, expect

from tests import browser
from tests.e2e.studio import Studio, thrice

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

FLAGS = [
    "--no-sandbox",  # CI runs as root
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--autoplay-policy=no-user-gesture-required",
]
SHOTS = Path(os.environ.get("SCREENSHOTS", "build/screenshots"))
LONG_MS = 90_000


class Tab:
    """A page and what its console said."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.errors: list[str] = []
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.errors.append(f"{message.text} ({message.location})")

    async def make(self, prompt: str, seconds: int) -> None:
        """Fill in the form and press Make."""
        await self.page.get_by_test_id("prompt").fill(prompt)
        await self.page.get_by_test_id("length").fill(str(seconds))
        await self.page.get_by_test_id("make").click()


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Run a browser."""
    executable = browser.find()
    if executable is None:
        pytest.fail(browser.REMEDY)
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=executable, args=FLAGS)
        yield running
        await running.close()


@asynccontextmanager
async def tab(running: Browser, studio: Studio) -> AsyncIterator[Tab]:
    """Open the studio in a fresh profile; at the end its console must be clean."""
    context = await running.new_context(accept_downloads=True)
    it = Tab(await context.new_page())
    await it.page.goto(studio.url)
    yield it
    await context.close()
    assert it.errors == []


async def test_from_prompt_to_download(shared_studio: Studio, tmp_path: Path) -> None:
    """A prompt becomes a track that plays, takes tags and downloads, all on one page."""
    async with chromium() as running, tab(running, shared_studio) as it:
        page = it.page
        await it.make("warm lofi hip hop, 82 bpm, rainy night", 60)
        # Other tests' tracks may lie on the bench: follow this job by its id.
        running_card = page.locator("[data-testid=job-card][data-state=running]").first
        job_id = await running_card.get_attribute("data-job-id", timeout=LONG_MS)
        card = page.locator(f'[data-job-id="{job_id}"]')
        await expect(card.get_by_test_id("job-percent")).to_contain_text("%", timeout=LONG_MS)
        await expect(card.get_by_test_id("job-stage")).not_to_be_empty()
        track = card.get_by_test_id("track-card")
        await expect(track.get_by_test_id("waveform")).to_be_visible(timeout=LONG_MS)

        await track.get_by_test_id("play").click()
        await expect(track.get_by_test_id("time")).to_contain_text("0:01", timeout=20_000)
        await track.get_by_test_id("play").click()

        await track.get_by_test_id("edit-tags").click()
        await page.get_by_label("Title", exact=True).fill("Nachtregen")
        await page.get_by_label("Artist", exact=True).fill("Ada")
        await page.get_by_test_id("save-tags").click()
        await expect(page.get_by_text("Nachtregen").first).to_be_visible()

        async with page.expect_download(timeout=LONG_MS) as waiting:
            await track.get_by_test_id("download-mp3").click()
        download = await waiting.value
        assert "Nachtregen" in download.suggested_filename
        await download.save_as(tmp_path / "x.mp3")
        assert abs(soundfile.info(tmp_path / "x.mp3").duration - 60) < 0.1


async def test_reload_in_the_middle_and_a_second_tab(shared_studio: Studio) -> None:
    """After a reload the card is there and goes on; a second tab shows the same."""
    async with chromium() as running, tab(running, shared_studio) as it:
        await it.make("long ambient drone", 240)
        percent = it.page.get_by_test_id("job-percent").first
        await expect(percent).to_contain_text("%", timeout=LONG_MS)
        await it.page.reload()
        await expect(percent).to_contain_text("%", timeout=LONG_MS)
        second = Tab(await it.page.context.new_page())
        await second.page.goto(shared_studio.url)
        await expect(second.page.get_by_test_id("job-percent").first).to_contain_text("%")
        before = await second.page.get_by_test_id("job-percent").first.inner_text()
        await expect(second.page.get_by_test_id("job-percent").first).not_to_have_text(
            before, timeout=LONG_MS
        )
        await it.page.close()  # the tab that held the watch: the other takes over
        await second.page.get_by_test_id("cancel").first.click()
        await expect(second.page.get_by_text("Cancelled").first).to_be_visible(timeout=20_000)
        assert second.errors == []


async def test_loops_are_found_heard_and_chosen(shared_studio: Studio) -> None:
    """At a track its loops are found, a seam is heard, and the chosen one becomes a track
    that says how clean its seam is."""
    made = await asyncio.to_thread(thrice, shared_studio)
    job_id = made["job"]["job_id"]
    async with chromium() as running, tab(running, shared_studio) as it:
        page = it.page
        track = page.locator(f'[data-job-id="{job_id}"]').get_by_test_id("track-card")
        await expect(track).to_be_visible(timeout=LONG_MS)
        await track.get_by_test_id("loop").click()
        form = track.get_by_test_id("loop-form")
        await form.get_by_test_id("find-loops").click()
        found = form.get_by_test_id("cycle-found").first
        await expect(found).to_be_visible(timeout=LONG_MS)
        await expect(found.get_by_test_id("cycle-wave")).to_be_visible()
        await expect(form.get_by_test_id("points-txt")).to_be_visible()

        seam = found.get_by_test_id("seam-play")
        await seam.click()
        await expect(seam).to_have_attribute("aria-label", "Pause the seam of loop 1")
        await seam.click()

        await found.get_by_role("radio").check()
        await form.get_by_test_id("loop-60").click()
        await form.get_by_test_id("loop-format").select_option(label="Opus, smallest")
        await form.get_by_test_id("loop-start").click()
        # The newest card; the one below is that of the track itself, which is a loop, too.
        looped = page.get_by_test_id("job-card").first
        await expect(looped).not_to_have_attribute("data-job-id", job_id)
        await expect(looped.get_by_test_id("seam-verdict")).to_have_text("clean", timeout=LONG_MS)
        await looped.get_by_test_id("play").click()
        await expect(looped.get_by_test_id("time")).to_contain_text("0:01", timeout=20_000)
        await looped.get_by_test_id("play").click()


async def test_a_bad_prompt_shows_its_remedy(shared_studio: Studio) -> None:
    """A prompt that the studio refuses is explained at its field."""
    async with chromium() as running, tab(running, shared_studio) as it:
        await it.make("x" * 2_100, 30)
        await expect(it.page.get_by_test_id("field-error").first).to_be_visible()
        await expect(it.page.get_by_test_id("remedy").first).to_be_visible()


async def test_looks(shared_studio: Studio) -> None:
    """The page fits a desktop and a phone in both themes; pictures are kept for people."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    async with chromium() as running:
        for scheme in ("light", "dark"):
            for width, height in ((1280, 900), (375, 812)):
                context = await running.new_context(
                    color_scheme="dark" if scheme == "dark" else "light",
                    viewport={"width": width, "height": height},
                )
                page = await context.new_page()
                await page.goto(shared_studio.url)
                await expect(page.get_by_test_id("prompt")).to_be_visible()
                await asyncio.sleep(0.5)
                await page.screenshot(path=SHOTS / f"{scheme}-{width}.png", full_page=True)
                wide = await page.evaluate("document.documentElement.scrollWidth")
                assert wide <= width, f"{scheme} {width}: scrolls sideways"
                await context.close()
