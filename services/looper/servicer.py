"""LooperService: translates between the contract and the domain."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import math
import os
import weakref
from collections.abc import AsyncGenerator, AsyncIterator

import grpc
from google.protobuf import json_format, struct_pb2

from musicgen.api.audio.v1 import audio_pb2
from musicgen.api.looper.v1 import loop_pb2, looper_service_pb2, looper_service_pb2_grpc
from musicgen.artifacts import ArtifactStore
from musicgen.claims import ClaimGuard
from musicgen.errors import InvalidField
from musicgen.loop_limits import MAX_CROSSFADE_MS, MAX_LENGTH_S, MIN_LENGTH_S
from musicgen.progress import Progress
from musicgen.rpc.convert_audio import artifact_to_proto, format_from_proto
from musicgen.rpc.convert_progress import progress_to_proto
from musicgen.rpc.work import during
from services.looper import recipe
from services.looper.finder import DEFAULT_CROSSFADE_MS
from services.looper.loops import Candidate, Cycle, SeamReport
from services.looper.threads import Finished, in_thread
from services.looper.work import Order, Rendered, find_loops, render_loop

SERVICE = "musicgen.api.looper.v1.LooperService"
DEFAULT_CANDIDATES, MAX_CANDIDATES = 5, 8

Context = grpc.aio.ServicerContext[object, object]


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
        faults: dict[str, str] = {}
        if not request.source.key:
            faults["source.key"] = "required"
        if not 0 <= request.max_candidates <= MAX_CANDIDATES:
            faults["max_candidates"] = f"must be 0 to {MAX_CANDIDATES}"
        _refuse(faults)
        path = self._store.existing(request.source.key)
        limit = request.max_candidates or DEFAULT_CANDIDATES
        work = in_thread(self._executor, lambda report: find_loops(path, limit, report))
        async for event in during(context, work):
            if isinstance(event, Progress):
                yield looper_service_pb2.FindLoopsResponse(progress=progress_to_proto(event))
                continue
            analysis = looper_service_pb2.LoopAnalysis(
                candidates=[_candidate_to_proto(found) for found in event.result]
            )
            yield looper_service_pb2.FindLoopsResponse(result=analysis)

    async def RenderLoop(
        self, request: looper_service_pb2.RenderLoopRequest, context: Context
    ) -> AsyncIterator[looper_service_pb2.RenderLoopResponse]:
        """Stream progress, then the rendered track."""
        order = self._order(request)
        work = self._claimed(request.job_id, request.fence, order)
        async for event in during(context, work):
            if isinstance(event, Progress):
                yield looper_service_pb2.RenderLoopResponse(progress=progress_to_proto(event))
                continue
            result = _render_to_proto(request, order, event.result)
            yield looper_service_pb2.RenderLoopResponse(result=result)

    async def _claimed(
        self, job_id: str, fence: int, order: Order
    ) -> AsyncGenerator[Progress | Finished[Rendered], None]:
        """Render under a claim; what is not finished leaves nothing."""
        prefix = self._store.job_prefix(job_id, fence)
        key = f"{prefix}/loop.{order.format.extension}"
        # A second call under the same fence stops the first, and must not begin to write
        # before the first has cleaned up.
        lock = self._prefixes.setdefault(prefix, asyncio.Lock())
        async with self._claims.hold(job_id, fence), lock:
            work = in_thread(
                self._executor, lambda report: render_loop(order, self._store, key, report)
            )
            finished = False
            try:
                async with contextlib.aclosing(work) as events:
                    async for event in events:
                        finished = isinstance(event, Finished)
                        yield event
            finally:
                if not finished:
                    self._store.remove_prefix(prefix)

    def _order(self, request: looper_service_pb2.RenderLoopRequest) -> Order:
        """Check a request and translate it. Raises InvalidField naming every fault."""
        spec, faults = request.spec, dict[str, str]()
        try:
            self._store.path(self._store.job_prefix(request.job_id, 1))
        except InvalidField:
            faults["job_id"] = "must be an id of letters, digits, '.', '_' and '-'"
        if request.fence < 1:
            faults["fence"] = "must be 1 or more"
        if not request.source.artifact.key:
            faults["source.artifact.key"] = "required"
        length_s = spec.length_seconds
        if not (math.isfinite(length_s) and MIN_LENGTH_S <= length_s <= MAX_LENGTH_S):
            faults["spec.length_seconds"] = f"must be {MIN_LENGTH_S:g} to {MAX_LENGTH_S:,.0f}"
        crossfade_ms = spec.crossfade_ms if spec.HasField("crossfade_ms") else DEFAULT_CROSSFADE_MS
        if not (math.isfinite(crossfade_ms) and 0 <= crossfade_ms <= MAX_CROSSFADE_MS):
            faults["spec.crossfade_ms"] = f"must be 0 to {MAX_CROSSFADE_MS:g}"
        cycle, points_from, points_field = None, "found", ""
        if spec.HasField("points"):
            points_from, points_field = "request", "spec.points"
            cycle = _cycle(spec.points, points_field, faults)
        elif request.source.HasField("loop_points"):
            points_from, points_field = "source", "source.loop_points"
            cycle = _cycle(request.source.loop_points, points_field, faults)
        _refuse(faults)
        return Order(
            source=self._store.existing(request.source.artifact.key),
            cycle=cycle,
            points_from=points_from,
            points_field=points_field,
            length_s=length_s,
            crossfade_ms=crossfade_ms,
            format=format_from_proto(spec.format),
        )


def _refuse(faults: dict[str, str]) -> None:
    if faults:
        listed = "; ".join(f"{field} {fault}" for field, fault in faults.items())
        raise InvalidField(f"The request can't be served: {listed}.", fields=faults)


def _cycle(points: audio_pb2.LoopPoints, field: str, faults: dict[str, str]) -> Cycle:
    if points.start_frame < 0:
        faults[f"{field}.start_frame"] = "must be 0 or more"
    if points.end_frame <= points.start_frame:
        faults[f"{field}.end_frame"] = "must be greater than start_frame"
    return Cycle(points.start_frame, points.end_frame)


def _points_to_proto(cycle: Cycle) -> audio_pb2.LoopPoints:
    return audio_pb2.LoopPoints(start_frame=cycle.start_frame, end_frame=cycle.end_frame)


def _candidate_to_proto(candidate: Candidate) -> loop_pb2.LoopCandidate:
    return loop_pb2.LoopCandidate(
        points=_points_to_proto(candidate.cycle),
        score=candidate.score,
        spectral_similarity=candidate.spectral_similarity,
        waveform_correlation=candidate.waveform_correlation,
        loudness_step_db=candidate.loudness_step_db,
    )


def _seam_to_proto(seam: SeamReport) -> loop_pb2.SeamReport:
    return loop_pb2.SeamReport(
        crossfade_ms=seam.crossfade_ms,
        discontinuity_ratio=seam.discontinuity_ratio,
        loudness_step_db=seam.loudness_step_db,
        clean=seam.clean,
    )


def _render_to_proto(
    request: looper_service_pb2.RenderLoopRequest, order: Order, rendered: Rendered
) -> looper_service_pb2.LoopRender:
    source = request.source
    lineage = {
        "reference": json_format.MessageToDict(
            request.spec.source, preserving_proto_field_name=True
        ),
        "title": source.title,
        "sha256": source.artifact.sha256,
        "recipe": json_format.MessageToDict(source.recipe),
    }
    made = recipe.recipe(
        source=lineage,
        points_from=order.points_from,
        candidate=rendered.candidate,
        seam=rendered.seam,
        plan=rendered.plan,
        length_s=order.length_s,
        crossfade_asked_ms=order.crossfade_ms,
    )
    message = struct_pb2.Struct()
    message.update(made)
    track = audio_pb2.ProducedTrack(
        artifact=artifact_to_proto(rendered.file, order.format.media_type, rendered.properties),
        title=recipe.title(source.title, order.length_s),
        genre=source.genre,
        recipe=message,
        musical_key=source.musical_key,
        parent_track_id=request.spec.source.track_id,
    )
    if source.HasField("tempo_bpm"):
        track.tempo_bpm = source.tempo_bpm
    if cycle := rendered.plan.output_cycle(rendered.properties.sample_rate_hz):
        track.loop_points.CopyFrom(_points_to_proto(cycle))
    return looper_service_pb2.LoopRender(
        track=track,
        candidate=_candidate_to_proto(rendered.candidate),
        seam=_seam_to_proto(rendered.seam),
    )
