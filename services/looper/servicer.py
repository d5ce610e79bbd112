"""LooperService: the two jobs as streams, each under the claim of its job."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import os
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from typing import TypeVar

import grpc

from musicgen.api.looper.v1 import looper_service_pb2, looper_service_pb2_grpc
from musicgen.artifacts import ArtifactStore
from musicgen.claims import ClaimGuard
from musicgen.progress import Progress
from musicgen.rpc.convert_progress import progress_to_proto
from musicgen.rpc.work import during
from services.looper import convert, metrics, points
from services.looper.loops import Report
from services.looper.threads import Finished, in_thread
from services.looper.work import Found, find_loops, render_loop

SERVICE = "musicgen.api.looper.v1.LooperService"
POINTS_TYPES = {
    "json": "application/json",
    "csv": "text/csv",
    "txt": "text/plain",
    "cue": "application/x-cue",
}

Context = grpc.aio.ServicerContext[object, object]
T = TypeVar("T")


class LooperServicer(looper_service_pb2_grpc.LooperServiceServicer):
    """Finds and renders in the threads of `executor`; files are those of `store`."""

    def __init__(self, store: ArtifactStore, executor: concurrent.futures.Executor) -> None:
        self._store = store
        self._executor = executor
        self._claims = ClaimGuard()
        self._prefixes: weakref.WeakValueDictionary[str, asyncio.Lock] = (
            weakref.WeakValueDictionary()
        )

    async def check(self) -> str:
        """Return why no loop could be rendered now, or ""."""
        root = self._store.root
        if not root.is_dir() or not os.access(root, os.R_OK | os.W_OK | os.X_OK):
            return f"the data root {root} can't be written"
        return ""

    async def FindLoops(
        self, request: looper_service_pb2.FindLoopsRequest, context: Context
    ) -> AsyncIterator[looper_service_pb2.FindLoopsResponse]:
        """Stream progress, then the candidates."""
        faults: convert.Faults = {}
        if not request.source.artifact.key:
            faults["source.artifact.key"] = "required"
        if request.job_id:
            convert.check_claim(self._store, request.job_id, request.fence, faults)
        wanted = convert.wanted(request, faults)
        convert.refuse(faults)
        path = self._store.existing(request.source.artifact.key)

        def find(report: Report) -> looper_service_pb2.LoopsFound:
            if not request.job_id:
                return self._found(find_loops(path, wanted, report))
            prefix = self._store.job_prefix(request.job_id, request.fence)
            found = find_loops(path, wanted, report, store=self._store, prefix=prefix)
            return self._found(found, self._points_files(prefix, request.source.title, found))

        work = (
            self._claimed(request.job_id, request.fence, find)
            if request.job_id
            else in_thread(self._executor, find)
        )
        async for event in during(context, work):
            if isinstance(event, Progress):
                yield looper_service_pb2.FindLoopsResponse(progress=progress_to_proto(event))
                continue
            yield looper_service_pb2.FindLoopsResponse(result=event.result)

    async def RenderLoop(
        self, request: looper_service_pb2.RenderLoopRequest, context: Context
    ) -> AsyncIterator[looper_service_pb2.RenderLoopResponse]:
        """Stream progress, then the rendered track."""
        order = convert.order(self._store, request)
        prefix = self._store.job_prefix(request.job_id, request.fence)
        key = f"{prefix}/loop.{order.format.extension}"
        work = self._claimed(
            request.job_id,
            request.fence,
            lambda report: render_loop(order, self._store, key, report),
        )
        async for event in during(context, work):
            if isinstance(event, Progress):
                yield looper_service_pb2.RenderLoopResponse(progress=progress_to_proto(event))
                continue
            metrics.RENDERED_SECONDS.inc(event.result.properties.duration_s)
            result = convert.render_to_proto(request, order, event.result)
            yield looper_service_pb2.RenderLoopResponse(result=result)

    async def _claimed(
        self, job_id: str, fence: int, do: Callable[[Report], T]
    ) -> AsyncGenerator[Progress | Finished[T], None]:
        """Work under a claim; what is not finished leaves nothing."""
        prefix = self._store.job_prefix(job_id, fence)
        # A second call under the same fence stops the first, and must not begin to write
        # before the first has cleaned up.
        lock = self._prefixes.setdefault(prefix, asyncio.Lock())
        async with self._claims.hold(job_id, fence), lock:
            finished = False
            try:
                async with contextlib.aclosing(in_thread(self._executor, do)) as events:
                    async for event in events:
                        finished = isinstance(event, Finished)
                        yield event
            finally:
                if not finished:
                    self._store.remove_prefix(prefix)

    def _found(
        self, found: Found, files: Sequence[looper_service_pb2.PointsFile] = ()
    ) -> looper_service_pb2.LoopsFound:
        analysis = convert.analysis_to_proto(self._store, found)
        return looper_service_pb2.LoopsFound(analysis=analysis, files=files)

    def _points_files(
        self, prefix: str, title: str, found: Found
    ) -> list[looper_service_pb2.PointsFile]:
        """Write the points for other programs as "<prefix>/loops.*"."""
        facts = found.properties
        messages = []
        for extension, text in points.files(
            title, found.candidates, facts.sample_rate_hz, facts.duration_frames
        ).items():
            key = f"{prefix}/loops.{extension}"
            with self._store.writing(key) as path:
                path.write_text(text, encoding="utf-8")
            messages.append(
                convert.points_file_to_proto(
                    self._store.stat(key), POINTS_TYPES[extension], f"loops.{extension}"
                )
            )
        return messages
