"""How fresh the page is: click → first progress, and event → screen, beside a 1 s poll.

    make bench-latency

Needs a running studio (MUSICGEN_GATEWAY) and a browser. An event's time is when the store
wrote it, by the same machine's clock, to the millisecond; the screen's is the frame after
the page's document changed. The poll asks GET /v1/jobs/{job} once a second, as a page
without streams would, and counts how old what it newly learns is.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import time
import urllib.request
from collections.abc import Sequence
from typing import Any

from playwright.async_api import Page, async_playwright

from musicgen.api.jobs.v1 import job_service_pb2, job_service_pb2_grpc
from musicgen.rpc.channel import connect
from tests import browser

WATCH_PAGE = """
window.seen = [];
const note = (card) => {
  const entry = [card.dataset.jobId, Number(card.dataset.rev), card.dataset.state,
    !!card.querySelector('[data-testid=job-percent]')?.textContent.includes('%')];
  requestAnimationFrame(() => setTimeout(() => window.seen.push([...entry, Date.now()])));
};
new MutationObserver((changes) => {
  for (const change of changes) {
    if (change.type === 'attributes') note(change.target);
    for (const node of change.addedNodes ?? [])
      if (node.querySelectorAll) {
        if (node.dataset?.testid === 'job-card') note(node);
        node.querySelectorAll('[data-testid=job-card]').forEach(note);
      }
  }
}).observe(document, {subtree: true, childList: true, attributes: true,
  attributeFilter: ['data-rev']});
document.addEventListener('click', () => { window.clicked = Date.now(); }, true);
"""


async def make(page: Page, seconds: int) -> dict[str, Any]:
    """Make a track by hand; return what the page saw and when."""
    await page.evaluate("window.seen = []")
    await page.get_by_test_id("prompt").fill("calm piano")
    await page.get_by_test_id("length").fill(str(seconds))
    await page.get_by_test_id("make").click()
    while True:
        await asyncio.sleep(0.2)
        result: dict[str, Any] = await page.evaluate(
            "({seen: window.seen, clicked: window.clicked})"
        )
        new = [entry for entry in result["seen"] if entry[4] >= result["clicked"]]
        if any(entry[2] == "succeeded" for entry in new):
            return {"seen": new, "clicked": result["clicked"]}


async def poll(base: str, times_ms: dict[tuple[str, int], int], done: asyncio.Event) -> list[float]:
    """Poll the newest job once a second; return how old each newly learnt state was, in ms."""
    ages, known = [], (None, 0)

    def newest() -> dict[str, Any]:
        with urllib.request.urlopen(f"{base}/v1/jobs?pageSize=1", timeout=5) as answer:  # noqa: S310 - our own address
            jobs = json.load(answer).get("jobs") or [{}]
            return dict(jobs[0])

    while not done.is_set():
        job = await asyncio.to_thread(newest)
        now_ms = time.time() * 1000
        state = (job.get("jobId"), int(job.get("rev", 0)))
        if state[0] and state != known:
            first = known[1] + 1 if state[0] == known[0] else 1
            learnt = [(str(state[0]), rev) for rev in range(first, state[1] + 1)]
            ages += [now_ms - times_ms[key] for key in learnt if key in times_ms]
            known = state
        await asyncio.sleep(1.0)
    return ages


def line(name: str, values_ms: Sequence[float]) -> str:
    """Describe a distribution."""
    if len(values_ms) < 2:
        return f"{name:34} n={len(values_ms)}"
    ordered = sorted(values_ms)
    p99 = ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]
    return (
        f"{name:34} n={len(ordered):<4} p50 {statistics.median(ordered):7.1f} ms   "
        f"p99 {p99:7.1f} ms   max {ordered[-1]:7.1f} ms"
    )


async def measure(address: str, tracks: int, seconds: int) -> None:
    """Make some tracks by hand and print the figures."""
    times_ms: dict[tuple[str, int], int] = {}
    done = asyncio.Event()
    async with async_playwright() as playwright, connect(address) as channel:

        async def watch() -> None:
            stub = job_service_pb2_grpc.JobServiceStub(channel)
            async for frame in stub.WatchJobs(job_service_pb2.WatchJobsRequest()):
                for event in frame.events.events:
                    times_ms[event.job_id, event.rev] = event.time.ToMilliseconds()

        running = await playwright.chromium.launch(
            executable_path=browser.find(),
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        page = await running.new_page()
        await page.add_init_script(WATCH_PAGE)
        await page.goto(f"http://{address}/")
        await page.get_by_test_id("connection").and_(page.locator("[data-state=live]")).wait_for()
        watching = asyncio.create_task(watch())
        polling = asyncio.create_task(poll(f"http://{address}", times_ms, done))
        first_state, first_progress, screen = [], [], []
        for _ in range(tracks):
            made = await make(page, seconds)
            clicked = made["clicked"]
            first_state.append(made["seen"][0][4] - clicked)
            first_progress.append(next(entry[4] for entry in made["seen"] if entry[3]) - clicked)
            await asyncio.sleep(0.3)
            screen += [
                at_ms - times_ms[job, rev]
                for job, rev, _, _, at_ms in made["seen"]
                if (job, rev) in times_ms
            ]
        done.set()
        ages = await polling
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await running.close()
    print(line("click -> card on the screen", first_state))
    print(line("click -> first progress on the screen", first_progress))
    print(line("event -> screen", screen))
    print(line("event -> known by a 1 s poll", ages))
    if screen and ages:
        ratio = statistics.median(ages) / max(statistics.median(screen), 0.5)
        print(f"the page is {ratio:.0f} times fresher than the poll (medians)")


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--address", default=os.environ.get("MUSICGEN_GATEWAY", "127.0.0.1:8400"))
    parser.add_argument("--tracks", type=int, default=10)
    parser.add_argument("--seconds", type=int, default=20)
    arguments = parser.parse_args()
    asyncio.run(measure(arguments.address, arguments.tracks, arguments.seconds))


if __name__ == "__main__":
    main()
