"""The queue on the page, in a real browser: order, priorities, pauses, batches."""

from __future__ import annotations

import pytest
from playwright.async_api import Locator, Page, expect

from tests.e2e.studio import Studio
from tests.e2e.test_browser import LONG_MS, Tab, chromium, tab

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

SOON_MS = 20_000


def waiting(page: Page) -> Locator:
    """The titles of single jobs that wait, in the order that the page shows."""
    return page.locator("[data-testid=job-card][data-state=queued] h3")


def row(page: Page, prompt: str) -> Locator:
    """The card of the job with this prompt."""
    return page.get_by_test_id("job-card").filter(has=page.get_by_role("heading", name=prompt))


def stored(studio: Studio) -> list[str]:
    """The prompts of what waits, in the order in which the store would start it."""
    jobs = studio.get("/v1/jobs?filter.states=STATE_QUEUED&page_size=200").get("jobs", [])
    urgency = {"PRIORITY_HIGH": 0, "PRIORITY_NORMAL": 1, "PRIORITY_LOW": 2}
    jobs.sort(key=lambda job: (urgency[job["priority"]], int(job["rank"])))
    return [job["spec"]["generate"]["parameters"]["prompt"] for job in jobs]


async def drag(page: Page, prompt: str, above: str) -> None:
    """Drag a waiting job by its grip to right above another, as a hand would."""
    grip = row(page, prompt).get_by_test_id("grip")
    await grip.scroll_into_view_if_needed()
    box = await grip.bounding_box()
    goal = await row(page, above).bounding_box()
    assert box
    assert goal
    await page.mouse.move(box["x"] + 8, box["y"] + 8)
    await page.mouse.down()
    await page.mouse.move(box["x"] + 8, box["y"] - 20, steps=4)
    await page.mouse.move(box["x"] + 8, goal["y"] + 4, steps=8)
    await expect(page.get_by_test_id("drop-mark")).to_be_visible()
    await page.mouse.up()


async def test_a_queue_is_steered_by_people(own_studio: Studio) -> None:
    """Paused, jobs line up; buttons, mouse, keyboard and priority put them in another order,
    which a reload and a second tab show too; resumed, the first of them starts."""
    async with chromium() as running, tab(running, own_studio) as it:
        page = it.page
        await it.make("tune zero", 240)
        zero = row(page, "tune zero")
        await expect(zero).to_have_attribute("data-state", "running", timeout=LONG_MS)
        await page.get_by_test_id("pause").click()
        banner = page.get_by_test_id("pause-banner")
        await expect(banner).to_contain_text("The queue is paused")
        for name in ("tune one", "tune two", "tune three", "tune four"):
            await it.make(name, 30)
            await expect(row(page, name)).to_be_visible()
        await zero.get_by_test_id("cancel").click()
        await expect(zero).to_have_attribute("data-state", "cancelled", timeout=SOON_MS)

        await row(page, "tune four").get_by_test_id("move-up").click()
        order = ["tune one", "tune two", "tune four", "tune three"]
        await expect(waiting(page)).to_have_text(order)
        await drag(page, "tune three", above="tune two")
        order = ["tune one", "tune three", "tune two", "tune four"]
        await expect(waiting(page)).to_have_text(order)
        grip = row(page, "tune one").get_by_test_id("grip")
        await grip.focus()
        for key in ("Enter", "ArrowDown", "Enter"):
            await page.keyboard.press(key)
        order = ["tune three", "tune one", "tune two", "tune four"]
        await expect(waiting(page)).to_have_text(order)
        await expect(page.get_by_test_id("announcer")).to_contain_text("2nd of 4 in line")
        await expect(grip).to_be_focused()
        await row(page, "tune two").get_by_test_id("priority").select_option(label="High")
        order = ["tune two", "tune three", "tune one", "tune four"]
        await expect(waiting(page)).to_have_text(order)
        assert stored(own_studio) == order

        second = Tab(await page.context.new_page())
        await second.page.goto(own_studio.url)
        await expect(waiting(second.page)).to_have_text(order)
        await expect(second.page.get_by_test_id("pause-banner")).to_be_visible()
        await page.reload()
        await expect(waiting(page)).to_have_text(order)
        two = await row(page, "tune two").get_attribute("data-job-id")
        await second.page.get_by_test_id("resume").click()
        await expect(banner).to_have_count(0)
        made = page.locator(f'[data-job-id="{two}"]').get_by_test_id("track-card")
        await expect(made).to_be_visible(timeout=LONG_MS)
        assert second.errors == []


async def test_versions_are_one_batch(own_studio: Studio) -> None:
    """Several versions are one card with counters; all of them are cancelled together."""
    async with chromium() as running, tab(running, own_studio) as it:
        page = it.page
        await page.get_by_test_id("versions-3").click()
        await it.make("slow waltz", 240)
        batch = page.get_by_test_id("batch-card")
        await expect(batch).to_contain_text("3 versions")
        await expect(batch.get_by_test_id("batch-counts")).to_contain_text(
            "1 working", timeout=LONG_MS
        )
        await expect(batch.get_by_test_id("job-card")).to_have_count(3)
        listed = own_studio.get("/v1/batches")["batches"]
        assert [one["size"] for one in listed] == [3]
        await page.reload()
        await batch.get_by_test_id("batch-cancel").click()
        await batch.get_by_test_id("batch-cancel-sure").click()
        await expect(batch.get_by_test_id("batch-counts")).to_contain_text(
            "cancelled", timeout=SOON_MS
        )
        await expect(batch.get_by_test_id("batch-cancel")).to_have_count(0, timeout=SOON_MS)
        counts = own_studio.get("/v1/batches")["batches"][0]["counts"]
        assert counts.get("cancelled", 0) + counts.get("succeeded", 0) == 3


async def test_a_long_line_fits_a_phone(own_studio: Studio) -> None:
    """Of a hundred that wait a phone shows the first and the last, and never scrolls sideways."""
    async with chromium() as running:
        context = await running.new_context(viewport={"width": 390, "height": 844})
        it = Tab(await context.new_page())
        await it.page.goto(own_studio.url)
        await it.page.evaluate(
            """async () => {
                const pause = {method: 'POST', body: '{}'};
                await fetch('/v1/queues/all:pause', pause);
                for (let i = 1; i <= 100; i += 1) {
                  const parameters = {prompt: `tune ${i}`, duration_seconds: 5};
                  const body = JSON.stringify({spec: {generate: {parameters}}});
                  await fetch('/v1/jobs', {method: 'POST', body});
                }
            }"""
        )
        await expect(it.page.get_by_role("button", name="and 79 more")).to_be_visible()
        assert await waiting(it.page).count() == 21
        await expect(waiting(it.page).last).to_have_text("tune 100")
        wide = await it.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 390
        await it.page.get_by_role("button", name="and 79 more").click()
        assert await waiting(it.page).count() == 71
        assert it.errors == []
        await context.close()
