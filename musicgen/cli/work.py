"""Work that takes a while: jobs and transfers, with progress, and Ctrl-C that means it."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar

from musicgen.api.audio.v1 import audio_pb2
from musicgen.api.jobs.v1 import job_pb2, job_service_pb2
from musicgen.api.library.v1 import track_pb2
from musicgen.cli.display import Display, display_for
from musicgen.cli.exits import WorkFailed
from musicgen.cli.interrupts import Interrupts
from musicgen.cli.jsonable import track_file_to_json
from musicgen.cli.shell import Shell, run_async
from musicgen.client import specs
from musicgen.client.saving import check_target, saving
from musicgen.client.studio import Studio
from musicgen.client.view import TERMINAL_STATES
from musicgen.errors import (
    ArtifactNotFound,
    Cancelled,
    JobAlreadyTerminal,
    JobNotFound,
    ServiceUnavailable,
    StudioError,
)

REPLY_S = 3.0
"""How long an interrupted command waits for the id of the job that it asked for."""

STOP_S = 15.0
"""How long it waits for a cancelled job to end. Workers stop within about a second."""

Result = TypeVar("Result")


class Link:
    """Tells once that the studio is away, until it is back."""

    def __init__(self, display: Display) -> None:
        self._display = display
        self._away = False

    def is_away(self, _: StudioError) -> None:
        """Take note."""
        if not self._away:
            self._display.note("The studio is away; reconnecting …")
        self._away = True

    def is_back(self) -> None:
        """Take note."""
        self._away = False


class Worker:
    """Does long work for one command."""

    def __init__(
        self, studio: Studio, display: Display, interrupts: Interrupts, priority: str = ""
    ) -> None:
        self.studio = studio
        self.priority = priority
        self.display = display
        self._interrupts = interrupts

    async def submit(self, spec: job_pb2.JobSpec) -> job_pb2.Job:
        """Have a job accepted. After Ctrl-C it is cancelled if it was accepted."""
        creating = asyncio.ensure_future(
            self.studio.create_job(spec, str(uuid.uuid4()), priority=self.priority)
        )
        if await self._interrupts.interrupted(creating):
            with contextlib.suppress(StudioError, TimeoutError):
                await self._cancel((await asyncio.wait_for(creating, REPLY_S)).job_id)
            raise Cancelled("Stopped before the job was accepted.")
        return creating.result()

    async def run(self, spec: job_pb2.JobSpec, label: str) -> job_pb2.Job:
        """Run a job to its end. Ctrl-C cancels it. Raises WorkFailed if it fails."""
        job = await self.submit(spec)
        self.display.job(label, job)
        link = Link(self.display)

        def changed(now: job_pb2.Job) -> None:
            nonlocal job
            job = now
            link.is_back()
            self.display.job(label, now)

        waiting = asyncio.ensure_future(
            self.studio.wait(
                job.job_id,
                changed,
                on_disconnect=link.is_away,
            )
        )
        interrupted = await self._interrupts.interrupted(waiting)
        try:
            if interrupted:
                self.display.note("Cancelling … Ctrl-C again leaves at once.")
                await self._cancel(job.job_id)
            done = await (asyncio.wait_for(waiting, STOP_S) if interrupted else waiting)
        except TimeoutError:
            raise Cancelled(
                f"The studio was asked to cancel job {job.job_id}; it has not ended yet."
            ) from None
        except StudioError as error:
            if job.state == job_pb2.Job.STATE_FAILED:
                raise WorkFailed(error) from error
            if isinstance(error, ServiceUnavailable):
                error.remedy = f"The job goes on by itself: `musicgen watch {job.job_id}`."
            raise
        finally:
            waiting.cancel()
        if interrupted:
            made = ", ".join(done.result.track_ids)
            raise Cancelled(f"The job had ended before it could be cancelled ({made or 'done'}).")
        return done

    async def submit_all(
        self, wanted: Sequence[job_pb2.JobSpec]
    ) -> job_service_pb2.BatchCreateJobsResponse:
        """Have a batch accepted. After Ctrl-C it is cancelled if it was accepted."""
        creating = asyncio.ensure_future(
            self.studio.batch_create(wanted, str(uuid.uuid4()), priority=self.priority)
        )
        if await self._interrupts.interrupted(creating):
            with contextlib.suppress(StudioError, TimeoutError):
                accepted = await asyncio.wait_for(creating, REPLY_S)
                await self.studio.cancel_batch(accepted.batch.batch_id)
            raise Cancelled("Stopped before the jobs were accepted.")
        return creating.result()

    async def run_all(
        self, pieces: Sequence[tuple[str, job_pb2.JobSpec]]
    ) -> AsyncGenerator[job_pb2.Job, None]:
        """Run the jobs of a batch, each with its label, and yield them in their order as they
        ended, well or not. Ctrl-C cancels all that have not ended, and so does whoever closes
        this early. Raises JobNotFound for one whose record went meanwhile."""
        accepted = await self.submit_all([spec for _, spec in pieces])
        batch_id, job_ids = accepted.batch.batch_id, list(accepted.job_ids)
        labels = dict(zip(job_ids, (label for label, _ in pieces), strict=True))
        ends = {job_id: asyncio.get_running_loop().create_future() for job_id in job_ids}
        for label in labels.values():
            self.display.job(label, job_pb2.Job(state=job_pb2.Job.STATE_QUEUED))
        link = Link(self.display)

        def changed(now: job_pb2.Job) -> None:
            link.is_back()
            self.display.job(labels[now.job_id], now)
            if now.state in TERMINAL_STATES and not ends[now.job_id].done():
                ends[now.job_id].set_result(now)

        waiting = asyncio.ensure_future(
            self.studio.wait_all(job_ids, changed, batch_ids=[batch_id], on_disconnect=link.is_away)
        )
        try:
            for job_id, end in ends.items():
                either = asyncio.wait({end, waiting}, return_when=asyncio.FIRST_COMPLETED)
                if await self._interrupts.interrupted(asyncio.ensure_future(either)):
                    raise Cancelled("The jobs that had not ended were cancelled.")
                if not end.done():
                    waiting.result()  # the studio was away for too long
                    raise JobNotFound(f"There is no job {job_id} any more.")
                yield end.result()
        except ServiceUnavailable as error:
            error.remedy = f"The jobs go on by themselves: `musicgen watch --batch {batch_id}`."
            batch_id = ""  # there is nobody to cancel it
            raise
        finally:
            try:
                if batch_id and not all(end.done() for end in ends.values()):
                    await self._cancel_batch(batch_id, waiting)
            finally:
                waiting.cancel()
                await asyncio.wait([waiting])  # whatever it says comes too late

    async def _cancel_batch(self, batch_id: str, waiting: asyncio.Future[Any]) -> None:
        """Cancel what is left of a batch, and wait until it has stopped."""
        self.display.note("Cancelling … Ctrl-C again leaves at once.")
        with contextlib.suppress(StudioError, TimeoutError):
            await self.studio.cancel_batch(batch_id)
            await asyncio.wait_for(waiting, STOP_S)

    async def upload(self, file: Path) -> audio_pb2.AudioRef:
        """Send a local file to the studio."""
        label = f"Sending {file.name}"
        return await self._stoppable(
            self.studio.upload(file, lambda done, total: self.display.transfer(label, done, total))
        )

    async def track_of(self, job: job_pb2.Job) -> track_pb2.Track:
        """Return the first track that a job made."""
        if not job.result.track_ids:
            raise ArtifactNotFound(f"Job {job.job_id} made no track.")
        return await self._stoppable(self.studio.get_track(job.result.track_ids[0]))

    async def save(
        self, track_id: str, output: str | None, format: str, *, overwrite: bool
    ) -> tuple[job_pb2.Job, dict[str, Any]]:
        """Export a track, so that its tags are in the file, and save that to `output`
        ("-" is stdout; None takes the name that the studio gives it). Returns the export
        job, and what was saved for `--json`."""
        job = await self.run(specs.export(track_id, format), f"Exporting {format.upper()}")
        if not job.result.downloads:
            raise ArtifactNotFound(f"Job {job.job_id} made no file.")
        download = job.result.downloads[0]
        # Only a name, wherever the studio's answer may point to.
        output = output or Path(download.file_name).name or f"{track_id}.{format}"

        async def fetch() -> None:
            def show(done: int, total: int) -> None:
                self.display.transfer("Saving", done, total)

            if output == "-":
                await self.studio.download(download, sys.stdout.buffer, show)
                sys.stdout.buffer.flush()
                return
            with saving(Path(output), overwrite=overwrite) as sink:
                await self.studio.download(download, sink, show)

        await self._stoppable(fetch())
        saved = {
            "path": output,
            "format": format,
            "size_bytes": download.artifact.size_bytes,
            "sha256": download.artifact.sha256,
        }
        return job, saved

    async def save_files(
        self, track: track_pb2.Track, folder: Path, *, overwrite: bool
    ) -> list[dict[str, Any]]:
        """Save all files beside a track's audio in `folder`, which is made if need be.
        Returns what was saved for `--json`. Nothing is fetched if one can't be saved."""
        # Only a name, wherever the studio's answer may point to.
        targets = [folder / (Path(file.name).name or "file") for file in track.files]
        if targets:
            await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
        for target in targets:
            check_target(target, overwrite=overwrite)
        for file, target in zip(track.files, targets, strict=True):
            await self._stoppable(self._fetch_file(file, target, overwrite=overwrite))
        return [
            {**track_file_to_json(file), "path": str(target)}
            for file, target in zip(track.files, targets, strict=True)
        ]

    async def _fetch_file(
        self, file: track_pb2.TrackFile, target: Path, *, overwrite: bool
    ) -> None:
        def show(done: int, total: int) -> None:
            self.display.transfer(f"Saving {file.label}", done, total)

        with saving(target, overwrite=overwrite) as sink:
            await self.studio.download_file(file, sink, show)

    async def fetch(self, artifact: audio_pb2.Artifact, target: Path, *, overwrite: bool) -> None:
        """Save a file that a job left."""

        def show(done: int, total: int) -> None:
            self.display.transfer(f"Saving {target.name}", done, total)

        async def into() -> None:
            with saving(target, overwrite=overwrite) as sink:
                await self.studio.download_artifact(artifact, sink, show)

        await self._stoppable(into())

    async def _stoppable(self, work: Coroutine[Any, Any, Result]) -> Result:
        running = asyncio.ensure_future(work)
        if await self._interrupts.interrupted(running):
            running.cancel()
            await asyncio.wait([running])
            raise Cancelled("Stopped.")
        return running.result()

    async def _cancel(self, job_id: str) -> None:
        with contextlib.suppress(JobAlreadyTerminal):
            await self.studio.cancel_job(job_id)


@contextlib.asynccontextmanager
async def working(shell: Shell) -> AsyncIterator[Worker]:
    """Connect, show progress, and take Ctrl-C as a request, until the work is done."""
    async with shell.studio() as studio:
        with Interrupts() as interrupts, display_for(as_json=shell.json) as display:
            yield Worker(studio, display, interrupts, shell.priority)


def run_job(shell: Shell, spec: job_pb2.JobSpec, label: str) -> job_pb2.Job:
    """Run one job to its end, with progress. Ctrl-C cancels it. Raises WorkFailed."""

    async def run() -> job_pb2.Job:
        async with working(shell) as worker:
            return await worker.run(spec, label)

    return run_async(run())
