"""Requests to orders, and what was found and made to messages."""

from __future__ import annotations

from google.protobuf import json_format, struct_pb2

from musicgen.api.audio.v1 import audio_pb2
from musicgen.api.looper.v1 import loop_pb2, looper_service_pb2
from musicgen.artifacts import ArtifactStore, StoredFile
from musicgen.audio.codecs import Format, probe
from musicgen.errors import InvalidField
from musicgen.loop_limits import (
    DEFAULT_CANDIDATES,
    DEFAULT_FADE_S,
    MAX_CANDIDATES,
    MAX_CROSSFADE_MS,
    MAX_CYCLES,
    MAX_FADE_S,
    MAX_LENGTH_S,
    MIN_CYCLE_S,
    MIN_FADE_S,
    MIN_LENGTH_S,
    shortest_wanted_s,
    within,
)
from musicgen.rpc.convert_audio import artifact_to_proto, format_from_proto
from services.looper import recipe
from services.looper.analysis.finder import Wanted
from services.looper.loops import Candidate, Cycle, Kind, SeamReport, Transition
from services.looper.rendering.planning import Ending, Shape
from services.looper.rendering.tagging import LoopRegion, Tags
from services.looper.work import Found, Order, Rendered

Faults = dict[str, str]

_SPEC, _CANDIDATE, _REPORT = loop_pb2.LoopSpec, loop_pb2.LoopCandidate, loop_pb2.SeamReport
_ENDINGS = {
    _SPEC.ENDING_UNSPECIFIED: Ending.CUT,
    _SPEC.ENDING_CUT: Ending.CUT,
    _SPEC.ENDING_FADE: Ending.FADE,
    _SPEC.ENDING_OUTRO: Ending.OUTRO,
}
_KINDS = {
    Kind.GIVEN: _CANDIDATE.KIND_UNSPECIFIED,
    Kind.REPEAT: _CANDIDATE.KIND_REPEAT,
    Kind.WHOLE_FILE: _CANDIDATE.KIND_WHOLE_FILE,
    Kind.TAIL: _CANDIDATE.KIND_TAIL,
    Kind.OWN: _CANDIDATE.KIND_OWN,
}
_TRANSITIONS = {
    Transition.CUT: _REPORT.TRANSITION_CUT,
    Transition.CROSSFADE: _REPORT.TRANSITION_CROSSFADE,
    Transition.TAIL: _REPORT.TRANSITION_TAIL,
}
_METHODS = {
    "spliced": looper_service_pb2.LoopRender.METHOD_SPLICED,
    "encoded": looper_service_pb2.LoopRender.METHOD_ENCODED,
}


def order(store: ArtifactStore, request: looper_service_pb2.RenderLoopRequest) -> Order:
    """Check a request and translate it. Raises InvalidField naming every fault."""
    spec, faults = request.spec, Faults()
    check_claim(store, request.job_id, request.fence, faults)
    if not request.source.artifact.key:
        faults["source.artifact.key"] = "required"
    shape = _shape(spec, faults)
    crossfade_ms = spec.crossfade_ms if spec.HasField("crossfade_ms") else None
    if crossfade_ms is not None and not within(crossfade_ms, 0, MAX_CROSSFADE_MS):
        faults["spec.crossfade_ms"] = f"must be 0 to {MAX_CROSSFADE_MS:g}"
    cycle, points_from, points_field = None, "found", ""
    if spec.HasField("points"):
        points_from, points_field = "request", "spec.points"
        cycle = _cycle(spec.points, points_field, faults)
    elif request.source.HasField("loop_points"):
        points_from, points_field = "source", "source.loop_points"
        cycle = _cycle(request.source.loop_points, points_field, faults)
    if not spec.HasField("points"):
        faults |= {
            f"spec.{name}": "needs spec.points"
            for name in ("snap_points", "fold_tail")
            if getattr(spec, name)
        }
    elif spec.fold_tail and spec.HasField("crossfade_ms"):
        faults["spec.fold_tail"] = "does not go with spec.crossfade_ms"
    refuse(faults)
    return Order(
        source=store.existing(request.source.artifact.key),
        cycle=cycle,
        points_from=points_from,
        points_field=points_field,
        shape=shape,
        crossfade_ms=crossfade_ms,
        format=format_from_proto(spec.format),
        snap=spec.snap_points,
        fold_tail=spec.fold_tail,
        tags=_tags(request.source),
    )


def wanted(request: looper_service_pb2.FindLoopsRequest, faults: Faults) -> Wanted:
    """Translate what is looked for, and note what is wrong with it."""
    spec, source = request.spec, request.source
    own = None
    if source.HasField("loop_points"):
        own = _cycle(source.loop_points, "source.loop_points", faults)
    if not 0 <= spec.max_candidates <= MAX_CANDIDATES:
        faults["spec.max_candidates"] = f"must be 0 to {MAX_CANDIDATES}"
    longest = spec.max_seconds if spec.HasField("max_seconds") else MAX_LENGTH_S
    shortest = spec.min_seconds if spec.HasField("min_seconds") else shortest_wanted_s(longest)
    for name, value in (("min_seconds", shortest), ("max_seconds", longest)):
        if not within(value, MIN_CYCLE_S, MAX_LENGTH_S):
            faults[f"spec.{name}"] = f"must be {MIN_CYCLE_S:g} to {MAX_LENGTH_S:,.0f}"
    if shortest > longest:
        faults["spec.max_seconds"] = "must be min_seconds or more"
    return Wanted(spec.max_candidates or DEFAULT_CANDIDATES, shortest, longest, own)


def check_claim(store: ArtifactStore, job_id: str, fence: int, faults: Faults) -> None:
    """Note what is wrong with a claim."""
    try:
        store.path(store.job_prefix(job_id, 1))
    except InvalidField:
        faults["job_id"] = "must be an id of letters, digits, '.', '_' and '-'"
    if fence < 1:
        faults["fence"] = "must be 1 or more"


def refuse(faults: Faults) -> None:
    """Raise InvalidField if there are faults."""
    if faults:
        listed = "; ".join(f"{field} {fault}" for field, fault in faults.items())
        raise InvalidField(f"The request can't be served: {listed}.", fields=faults)


def analysis_to_proto(store: ArtifactStore, found: Found) -> loop_pb2.LoopAnalysis:
    """Return the candidates with their facts, and their seams where these were written; their
    facts are read from `store`."""
    analysis = loop_pb2.LoopAnalysis(
        candidates=[_candidate_to_proto(candidate) for candidate in found.candidates],
        sample_rate_hz=found.properties.sample_rate_hz,
        duration_frames=found.properties.duration_frames,
    )
    for message, file in zip(analysis.candidates, found.previews, strict=False):
        facts = probe(store.existing(file.key))
        message.seam.CopyFrom(artifact_to_proto(file, Format.FLAC.media_type, facts))
    return analysis


def render_to_proto(
    request: looper_service_pb2.RenderLoopRequest, order: Order, rendered: Rendered
) -> looper_service_pb2.LoopRender:
    """Return a rendered loop with its lineage."""
    source = request.source
    lineage = {
        "reference": json_format.MessageToDict(
            request.spec.source, preserving_proto_field_name=True
        ),
        "title": source.title,
        "sha256": source.artifact.sha256,
        "recipe": json_format.MessageToDict(source.recipe),
    }
    asked = json_format.MessageToDict(request.spec, preserving_proto_field_name=True)
    asked.pop("source", None)
    message = struct_pb2.Struct()
    message.update(recipe.recipe(source=lineage, order=order, rendered=rendered, shape=asked))
    length_s = rendered.timeline.length_frames / rendered.timeline.sample_rate_hz
    track = audio_pb2.ProducedTrack(
        artifact=artifact_to_proto(rendered.file, order.format.media_type, rendered.properties),
        title=recipe.title(source.title, length_s),
        genre=source.genre,
        recipe=message,
        musical_key=source.musical_key,
        parent_track_id=request.spec.source.track_id,
    )
    if source.HasField("tempo_bpm"):
        track.tempo_bpm = source.tempo_bpm
    if loop := rendered.written.rendered.loop:
        track.loop_points.CopyFrom(_region_to_proto(loop))
    return looper_service_pb2.LoopRender(
        track=track,
        candidate=_candidate_to_proto(rendered.candidate),
        seam=_seam_to_proto(rendered.seam.report),
        method=_METHODS[rendered.written.rendered.method],
    )


def _shape(spec: loop_pb2.LoopSpec, faults: Faults) -> Shape:
    length_s = spec.length_seconds if spec.HasField("length_seconds") else None
    cycles = spec.cycles if spec.HasField("cycles") else None
    if length_s is not None and not within(length_s, MIN_LENGTH_S, MAX_LENGTH_S):
        faults["spec.length_seconds"] = f"must be {MIN_LENGTH_S:g} to {MAX_LENGTH_S:,.0f}"
    if cycles is not None and not 1 <= cycles <= MAX_CYCLES:
        faults["spec.cycles"] = f"must be 1 to {MAX_CYCLES:,}"
    if length_s is None and cycles is None:
        faults["spec.length_seconds"] = "required, or spec.cycles"
    ending = _ENDINGS.get(spec.ending)
    if ending is None:
        faults["spec.ending"] = "must be one of ENDING_CUT, ENDING_FADE and ENDING_OUTRO"
    if spec.HasField("fade_seconds") and ending is not Ending.FADE:
        faults["spec.fade_seconds"] = "goes with ENDING_FADE only"
    fade_s = spec.fade_seconds if spec.HasField("fade_seconds") else DEFAULT_FADE_S
    if not within(fade_s, MIN_FADE_S, MAX_FADE_S):
        faults["spec.fade_seconds"] = f"must be {MIN_FADE_S:g} to {MAX_FADE_S:g}"
    return Shape(length_s, cycles, spec.skip_intro, ending or Ending.CUT, fade_s)


def _cycle(points: audio_pb2.LoopPoints, field: str, faults: Faults) -> Cycle:
    if points.start_frame < 0:
        faults[f"{field}.start_frame"] = "must be 0 or more"
    if points.end_frame <= points.start_frame:
        faults[f"{field}.end_frame"] = "must be greater than start_frame"
    return Cycle(points.start_frame, points.end_frame)


def _tags(source: audio_pb2.ProducedTrack) -> Tags:
    """Return what a file says of itself before the library writes its own tags."""
    return Tags(tuple({"TITLE": source.title, "GENRE": source.genre}.items()))


def _region_to_proto(region: LoopRegion) -> audio_pb2.LoopPoints:
    return audio_pb2.LoopPoints(start_frame=region.start_frame, end_frame=region.end_frame)


def _candidate_to_proto(candidate: Candidate) -> loop_pb2.LoopCandidate:
    cycle = candidate.cycle
    return loop_pb2.LoopCandidate(
        points=audio_pb2.LoopPoints(start_frame=cycle.start_frame, end_frame=cycle.end_frame),
        kind=_KINDS[candidate.kind],
        score=candidate.score,
        likeness_before=candidate.likeness_before,
        likeness_after=candidate.likeness_after,
        waveform_correlation=candidate.waveform_correlation,
        loudness_step_db=candidate.loudness_step_db,
        timing_spread_ms=candidate.timing_spread_ms,
        click_risk=candidate.click_risk,
        period_frames=candidate.period_frames,
        tempo_bpm=candidate.tempo_bpm,
        beats=candidate.beats,
        bars=candidate.bars,
        partial=candidate.partial,
    )


def _seam_to_proto(report: SeamReport) -> loop_pb2.SeamReport:
    return loop_pb2.SeamReport(
        crossfade_ms=report.crossfade_ms,
        discontinuity_ratio=report.discontinuity_ratio,
        loudness_step_db=report.loudness_step_db,
        clean=report.clean,
        transition=_TRANSITIONS[report.transition],
        flux_percentile=report.flux_percentile,
        beat_error_ms=report.beat_error_ms,
        faults=report.faults,
    )


def points_file_to_proto(
    file: StoredFile, media_type: str, file_name: str
) -> looper_service_pb2.PointsFile:
    """Describe a file with loop points."""
    return looper_service_pb2.PointsFile(
        artifact=artifact_to_proto(file, media_type), file_name=file_name
    )
