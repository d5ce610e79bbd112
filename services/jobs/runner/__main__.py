"""Runs a runner: `python -m services.jobs.runner`."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

import grpc

from musicgen.errors import EngineCrashed, StoreUnavailable
from musicgen.rpc import log, telemetry
from musicgen.rpc.channel import connect
from musicgen.rpc.status import to_error_proto
from musicgen.settings import SettingsError, load
from services.jobs.runner.cancels import Cancels
from services.jobs.runner.lanes import ExportLane, FindLoopsLane, GenerateLane, Lane, LoopLane
from services.jobs.runner.model_lanes import (
    InstallModelLane,
    SetupEngineLane,
    VerifyModelLane,
)
from services.jobs.runner.settings import Settings
from services.jobs.runner.worker import Slot
from services.jobs.store import JobStore

ANNOUNCE_S = 5.0
RETRY_S = 0.25


async def announce(store: JobStore, name: str, lanes: list[Lane]) -> None:
    """Say again and again that this runner lives and what it can do."""
    while True:
        engines: dict[str, bytes] = {}
        known, wait_s = True, ANNOUNCE_S
        for lane in lanes:
            try:
                engines |= await lane.engines()
            except grpc.aio.AioRpcError:
                known, wait_s = False, RETRY_S  # its service is starting
        try:
            await store.announce(name, engines if known else None, ttl_s=3 * ANNOUNCE_S)
        except StoreUnavailable as error:
            log.get().warning("not announced", why=error.message)
        await asyncio.sleep(wait_s)


async def release(store: JobStore, name: str) -> None:
    """Free what the runner that had this name before left behind."""
    error = EngineCrashed("The worker died in the middle of the job.")
    while True:
        try:
            freed = await store.release(name, to_error_proto(error).SerializeToString())
        except StoreUnavailable:
            await asyncio.sleep(RETRY_S)
        else:
            log.get().info("runner starts", name=name, freed=freed)
            return


async def run(settings: Settings) -> None:
    """Work until SIGTERM."""
    store = JobStore.connect(settings.redis_url)
    library = connect(settings.library_address)
    channels = [library]
    lanes: list[tuple[Lane, int]] = [(ExportLane(library), settings.export_slots)]
    if settings.inference_address:
        channels.append(connect(settings.inference_address))
        generate = GenerateLane(channels[-1], library, settings.engines_taken)
        lanes.append((generate, settings.generate_slots))
        lanes.append((InstallModelLane(channels[-1]), settings.install_slots))
        lanes.append((VerifyModelLane(channels[-1]), settings.verify_slots))
        lanes.append((SetupEngineLane(channels[-1]), settings.setup_slots))
    if settings.looper_address:
        channels.append(connect(settings.looper_address))
        lanes.append((LoopLane(channels[-1], library), settings.loop_slots))
        lanes.append((FindLoopsLane(channels[-1], library), settings.find_slots))
    cancels = Cancels(store)
    await release(store, settings.runner_name)

    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with asyncio.TaskGroup() as tasks:
        work = [tasks.create_task(cancels.run())]
        work.append(
            tasks.create_task(announce(store, settings.runner_name, [lane for lane, _ in lanes]))
        )
        for lane, slots in lanes:
            for _ in range(slots):
                slot = Slot(
                    store, lane, cancels, owner=settings.runner_name, lease_s=settings.lease_s
                )
                work.append(tasks.create_task(slot.run()))
        await stop.wait()
        for task in work:
            task.cancel()
    for channel in channels:
        await channel.close()
    await store.close()


def main() -> int:
    """Read the settings and work."""
    try:
        settings = load(Settings, os.environ)
        telemetry.start(
            "runner", log_level=settings.log_level, metrics_address=settings.metrics_address
        )
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    asyncio.run(run(settings))
    return 0


if __name__ == "__main__":
    sys.exit(main())
