"""The composer's plan in a real browser: previews, plans that are edited, variations."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from playwright.async_api import Locator, Page, expect

from services.inference.engines.composer.form import ENERGY
from services.inference.engines.composer.patterns.bass import BASSES
from services.inference.engines.composer.patterns.comping import COMPINGS
from services.inference.engines.composer.patterns.grooves import GROOVES
from services.inference.engines.composer.synth.drums import KITS
from services.inference.engines.composer.synth.instruments import NAMES
from tests.e2e.studio import Studio
from tests.e2e.test_browser import LONG_MS, Tab, chromium, tab

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

SOUNDING = """() => {
    const audio = [...document.querySelectorAll('audio')].find((one) => !one.paused);
    return audio ? {src: audio.currentSrc, time: audio.currentTime} : null;
}"""


async def make_track(it: Tab, prompt: str, seconds: int) -> Locator:
    """Make a track and return its card on the bench."""
    await it.make(prompt, seconds)
    newest = it.page.get_by_test_id("job-card").first
    await expect(newest).to_contain_text(prompt, timeout=LONG_MS)
    job_id = await newest.get_attribute("data-job-id")
    card = it.page.locator(f'[data-testid=job-card][data-job-id="{job_id}"]')
    await expect(card.get_by_test_id("track-card")).to_be_visible(timeout=LONG_MS)
    return card


async def next_card(page: Page, *known: Locator) -> Locator:
    """Return the card of the newest job on the bench once it is another than those known."""
    ids = [await card.get_attribute("data-job-id") for card in known]
    others = "".join(f':not([data-job-id="{job_id}"])' for job_id in ids)
    newest = page.locator(f"[data-testid=job-card][data-state=succeeded]{others}").first
    job_id = await newest.get_attribute("data-job-id", timeout=LONG_MS)
    return page.locator(f'[data-testid=job-card][data-job-id="{job_id}"]')


async def track_in(card: Locator, studio: Studio) -> dict[str, Any]:
    """Return the track of a card as the library has it."""
    track_id = await card.get_by_test_id("track-card").get_attribute("data-track-id")
    answer = studio.get(f"/v1/tracks/{track_id}")
    return dict(answer.get("track", answer))


async def test_a_long_piece_is_heard_while_it_is_made(shared_studio: Studio) -> None:
    """A preview sounds long before the end, goes on by itself, and becomes the track."""
    async with chromium() as running, tab(running, shared_studio) as it:
        page = it.page
        await it.make("slow synthwave, 96 bpm, night drive through the rain", 600)
        card = page.locator("[data-testid=job-card][data-state=running]").first
        job_id = await card.get_attribute("data-job-id", timeout=LONG_MS)
        card = page.locator(f'[data-job-id="{job_id}"]')
        await card.get_by_test_id("preview-play").click(timeout=LONG_MS)
        await expect(card.get_by_test_id("preview-time")).to_contain_text("0:01 / 10:00")
        first = await page.evaluate(SOUNDING)
        assert "/preview-" in first["src"]
        await expect(card.get_by_test_id("preview-time")).to_contain_text("0:08 /", timeout=20_000)
        later = await page.evaluate(SOUNDING)
        assert "/preview-" in later["src"]
        assert later["src"] != first["src"]  # the first stretch is some six seconds long
        assert await card.get_attribute("data-state") == "running"

        pause = card.get_by_test_id("track-card").get_by_role("button", name="Pause")
        await expect(pause).to_be_visible(timeout=2 * LONG_MS)
        await page.wait_for_function(
            f"() => (({SOUNDING})() || {{src: ''}}).src.includes('/v1/tracks/')", timeout=20_000
        )
        handed = await page.evaluate(SOUNDING)
        assert handed["time"] > 8
        await page.wait_for_function(
            f"(from) => (({SOUNDING})() || {{time: 0}}).time > from + 1", arg=handed["time"]
        )
        await pause.click()
        assert await page.evaluate(SOUNDING) is None


async def test_a_plan_is_edited_and_made(shared_studio: Studio) -> None:
    """Another tempo makes another track; what can't be is refused at once, at its field."""
    async with chromium() as running, tab(running, shared_studio) as it:
        page = it.page
        card = await make_track(it, "calm piano in D minor, 80 bpm, gentle unicorns", 60)
        await card.get_by_test_id("plan").click()
        panel = card.get_by_test_id("plan-panel")
        await expect(panel.get_by_test_id("understood")).to_contain_text("80 bpm")
        await expect(panel.get_by_test_id("ignored")).to_contain_text("unicorns")
        await panel.get_by_test_id("edit-plan").click()
        tempo = panel.get_by_test_id("plan-tempo")
        await tempo.fill("500")
        await panel.get_by_test_id("section-bars").fill("0")
        await panel.get_by_test_id("make-version").click()
        await expect(panel.get_by_text("It must be at most 220.")).to_be_visible()
        await expect(panel.get_by_text("It must be at least 1.")).to_be_visible()
        await expect(panel.get_by_test_id("made")).to_have_count(0)  # nothing was accepted
        await expect(panel.get_by_test_id("section-bars")).to_be_focused()
        await panel.get_by_test_id("section-bars").fill("4")
        await tempo.fill("100")
        await expect(panel.get_by_test_id("field-error")).to_have_count(0)
        told = await panel.get_by_test_id("plan-length").inner_text()
        await panel.get_by_test_id("make-version").click()
        await expect(panel.get_by_test_id("made")).to_have_text("It is made.", timeout=LONG_MS)

        version = await next_card(page, card)
        await expect(version).to_contain_text("100 bpm, D minor")
        await expect(version.get_by_test_id("lineage")).to_contain_text("Variation of")
        old, new = await track_in(card, shared_studio), await track_in(version, shared_studio)
        assert new["tempoBpm"] == 100
        assert new["parentTrackId"] == old["trackId"]
        frames = int(new["audio"]["durationFrames"])
        assert told.startswith(f"{round(frames / new['audio']['sampleRateHz'])} s ")


async def test_a_variation_has_only_another_melody(shared_studio: Studio) -> None:
    """Plan, prompt and seed stay; the melody's layer has a seed of its own."""
    async with chromium() as running, tab(running, shared_studio) as it:
        card = await make_track(it, "bright pop with flute melody, 110 bpm", 20)
        await card.get_by_test_id("variation").click()
        form = card.get_by_test_id("variation-form")
        await form.get_by_test_id("preset-melody").click()
        await form.get_by_test_id("make-variation").click()
        await expect(form.get_by_test_id("made")).to_have_text("It is made.", timeout=LONG_MS)
        variation = await next_card(it.page, card)
        await expect(variation.get_by_test_id("track-title")).to_contain_text("(new melody)")
        old, new = await track_in(card, shared_studio), await track_in(variation, shared_studio)
        assert new["parentTrackId"] == old["trackId"]
        assert list(new["recipe"]["options"]["seeds"]) == ["lead"]
        for name in ("prompt", "seed", "duration_seconds"):
            assert new["recipe"][name] == old["recipe"][name]
        plans = [track["recipe"]["decisions"]["plan"] for track in (old, new)]
        for plan in plans:
            plan["title"], plan["seeds"] = "", {}
        assert plans[0] == plans[1]
        assert new["recipe"]["audio_sha256"] != old["recipe"]["audio_sha256"]


async def test_the_editor_offers_all_that_the_composer_takes(shared_studio: Studio) -> None:
    """Kits, instruments, patterns and kinds of section are those of this very composer."""
    async with chromium() as running, tab(running, shared_studio) as it:
        card = await make_track(it, "pop with drums, bass, piano and flute, 100 bpm", 20)
        await card.get_by_test_id("plan").click()
        panel = card.get_by_test_id("plan-panel")
        await panel.get_by_test_id("edit-plan").click()
        known: dict[str, Iterable[str]] = {
            "instrument-drums": KITS,
            "instrument-lead": NAMES,
            "pattern-drums": GROOVES,
            "pattern-bass": BASSES,
            "pattern-chords": COMPINGS,
            "section-kind": ENERGY,
        }
        for test_id, names in known.items():
            options = panel.get_by_test_id(test_id).locator("option")
            await expect(options).to_have_count(len(set(names)))
            values = await options.evaluate_all("(all) => all.map(({value}) => value)")
            assert set(values) == set(names), test_id
