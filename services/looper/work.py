"""The two jobs of this service, from a source file to what was found or made."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path

from musicgen.artifacts import ArtifactStore, StoredFile
from musicgen.audio.codecs import AudioReader, Format, Properties
from musicgen.errors import InvalidField, NoLoopFound
from musicgen.loop_limits import MAX_SNAP_S
from musicgen.progress import Progress, ProgressMeter, Stage
from services.looper.analysis import finder, measure, repetition
from services.looper.analysis.alignment import match
from services.looper.analysis.features import extract
from services.looper.analysis.finder import Wanted
from services.looper.analysis.placing import Placed
from services.looper.loops import Candidate, Cycle, Kind, Report, SeamReport
from services.looper.rendering import render
from services.looper.rendering.planning import Shape, plan
from services.looper.rendering.render import Written
from services.looper.rendering.tagging import Tags
from services.looper.rendering.timeline import Timeline
from services.looper.seam.choice import choose
from services.looper.seam.preview import write_preview
from services.looper.seam.report import Inspector
from services.looper.seam.transition import Overlap, looped

# CPU milliseconds, measured on one core: they weigh the stages against each other.
ANALYSING_MS_PER_S = 2.0
COMPARING_MS = 60.0
ALIGNING_MS = 1_500.0
LISTENING_MS = 120.0
RENDERING_GUESS_MS = 5_000.0

NEIGHBOURHOOD_S = 60.0
"""Of music around given points, from which is known what the piece is like."""


@dataclass(frozen=True, slots=True)
class Order:
    """A render that was asked for; `cycle` is None where it has to be found.

    `points_from` says who chose the cycle: "request", "source" or "found". `snap` moves its
    end to where the music meets best, `fold_tail` adds what rings on after it to its start.
    """

    source: Path
    cycle: Cycle | None
    points_from: str
    points_field: str
    shape: Shape
    crossfade_ms: float | None
    format: Format
    snap: bool = False
    fold_tail: bool = False
    tags: Tags = field(default_factory=Tags)


@dataclass(frozen=True, slots=True)
class Seam:
    """How a cycle is joined: the transition, and what was measured of it."""

    zone: Overlap
    report: SeamReport


@dataclass(frozen=True, slots=True)
class Rendered:
    """A rendered loop: the file, its facts, and what was measured of it."""

    file: StoredFile
    properties: Properties
    written: Written
    timeline: Timeline
    candidate: Candidate
    seam: Seam


@dataclass(frozen=True, slots=True)
class Found:
    """What an analysis leaves: candidates and how each would be joined; `previews` are empty
    without a prefix to write them to."""

    candidates: list[Candidate]
    seams: list[Seam]
    properties: Properties
    previews: list[StoredFile]


def find_loops(
    source: Path,
    wanted: Wanted,
    report: Report,
    *,
    store: ArtifactStore | None = None,
    prefix: str = "",
) -> Found:
    """Return the cycles of a file, best first, and write the seam of each as
    "<prefix>/seam-<rank>.flac" if there is a store. Raises InvalidAudio, NoLoopFound."""
    with AudioReader(source) as reader:
        checking = Stage("checking", round(NEIGHBOURHOOD_S), ANALYSING_MS_PER_S * NEIGHBOURHOOD_S)
        listening = Stage("listening", wanted.limit, LISTENING_MS * wanted.limit)
        meter = ProgressMeter([*_finding(reader), checking, listening])
        candidates = _candidates(reader, wanted, meter, report)
        report(meter.enter("listening"))
        inspector = Inspector(reader)
        measured, seams, previews = [], [], []
        for rank, candidate in enumerate(candidates, 1):
            seam = _joined(reader, candidate, None, inspector)
            measured.append(_with_click_risk(candidate, inspector))
            seams.append(seam)
            if store:
                key = f"{prefix}/seam-{rank}.flac"
                previews.append(
                    write_preview(store, key, reader, looped(reader, candidate.cycle, seam.zone))
                )
            report(meter.advance())
        return Found(measured, seams, reader.properties, previews)


def _candidates(
    reader: AudioReader, wanted: Wanted, meter: ProgressMeter, report: Report
) -> list[Candidate]:
    """Return what is found, after what the source itself says, if it says something."""
    facts, own = reader.properties, wanted.own
    if own is None or not wanted.fits(own, facts.sample_rate_hz):
        return finder.find(reader, wanted, meter, report)
    own.check(facts.sample_rate_hz, facts.duration_frames, "source.loop_points")
    try:
        found = finder.find(reader, wanted, meter, report)
    except NoLoopFound:
        found = []
    report(meter.enter("checking"))
    first = _measured(reader, own, Kind.OWN, meter, report)
    same = facts.sample_rate_hz // 1000
    others = [one for one in found if abs(one.cycle.period_frames - own.period_frames) > same]
    return [first, *others][: wanted.limit]


def render_loop(order: Order, store: ArtifactStore, key: str, report: Report) -> Rendered:
    """Render `order` to `key`, complete and durable, or leave nothing there.

    Raises InvalidAudio, InvalidField for a cycle outside the source, NoLoopFound,
    UnsupportedFormat for a source that the format can't hold, DiskFull, or what `report`
    raises.
    """
    report = rising(report)
    with AudioReader(order.source) as reader:
        prepared = prepare(order, reader, report)
        timeline = prepared.timeline
        check_space(order, reader, timeline, store.root)
        with store.writing(key) as path:
            written = render.render(
                timeline, order.format, path, order.tags, meter=prepared.meter, report=report
            )
    file = StoredFile(key, written.sha256, written.size_bytes)
    properties = Properties(
        order.format, written.sample_rate_hz, timeline.channels, written.length_frames
    )
    return Rendered(file, properties, written, timeline, prepared.candidate, prepared.seam)


def check_space(order: Order, reader: AudioReader, timeline: Timeline, folder: Path) -> None:
    """Raise DiskFull if the render can't fit into `folder`."""
    ratio = None
    if reader.properties.format is Format.FLAC:
        ratio = order.source.stat().st_size / reader.properties.duration_frames
    render.check_space(timeline, order.format, folder, flac_bytes_per_frame=ratio)


@dataclass(frozen=True, slots=True)
class Prepared:
    """Everything about a render but its bytes."""

    timeline: Timeline
    candidate: Candidate
    seam: Seam
    meter: ProgressMeter


def rising(report: Report) -> Report:
    """Return a report whose fraction never falls: how long a render takes is known only
    when its cycle is."""
    highest = 0.0

    def told(progress: Progress) -> None:
        nonlocal highest
        highest = max(highest, progress.fraction)
        report(dataclasses.replace(progress, fraction=highest))

    return told


def prepare(order: Order, reader: AudioReader, report: Report) -> Prepared:
    """Find or check the cycle, join it, and plan what sounds when. Raises as `render_loop`."""
    facts = reader.properties
    if order.cycle:
        finder.check(reader)
        order.cycle.check(facts.sample_rate_hz, facts.duration_frames, order.points_field)
        if order.fold_tail and order.cycle.end_frame == facts.duration_frames:
            raise InvalidField(
                "Nothing rings on: the cycle ends where the source does.",
                remedy="Choose an end before the ringing, or leave it as it is.",
                fields={order.points_field: "must end before the source does to fold its tail"},
            )
        candidate = _given(reader, order, report)
    else:
        guess = Stage("encoding", 1, RENDERING_GUESS_MS)
        candidate = finder.find(
            reader, Wanted(limit=1), ProgressMeter([*_finding(reader), guess]), report
        )[0]
    inspector = Inspector(reader)
    candidate = _with_click_risk(candidate, inspector)
    seam = _joined(reader, candidate, order.crossfade_ms, inspector)
    timeline = plan(reader, candidate.cycle, seam.zone, order.shape)
    render.check(timeline, order.format)
    meter = ProgressMeter(
        [
            Stage("preparing", 1, _preparing_ms(reader, order)),
            *render.stages(timeline, order.format),
        ]
    )
    return Prepared(timeline, candidate, seam, meter)


def _preparing_ms(reader: AudioReader, order: Order) -> float:
    """What was done before the render began, so that the whole's share doesn't fall back."""
    if order.cycle:
        return ANALYSING_MS_PER_S * NEIGHBOURHOOD_S
    return ANALYSING_MS_PER_S * reader.properties.duration_s + COMPARING_MS + ALIGNING_MS


def _given(reader: AudioReader, order: Order, report: Report) -> Candidate:
    """Measure points that were given, snapped if that was asked for."""
    assert order.cycle is not None  # noqa: S101 - prepare asks only then
    cycle, rate = order.cycle, reader.properties.sample_rate_hz
    reach = round(MAX_SNAP_S * rate)
    around = match(reader, cycle.start_frame, cycle.period_frames, reach if order.snap else 0)
    if order.snap and around.correlation > 0:
        cycle = Cycle(cycle.start_frame, cycle.start_frame + around.lag_frames)
    meter = ProgressMeter([Stage("analysing", round(NEIGHBOURHOOD_S), 1.0)])
    report(meter.enter("analysing"))
    kind = Kind.OWN if order.points_from == "source" else Kind.GIVEN
    kind = Kind.TAIL if order.fold_tail else kind
    return _measured(reader, cycle, kind, meter, report, correlation=around.correlation)


def _measured(
    reader: AudioReader,
    cycle: Cycle,
    kind: Kind,
    meter: ProgressMeter,
    report: Report,
    *,
    correlation: float = 0.0,
) -> Candidate:
    """Measure a cycle that nobody had to find; `meter` is in a stage of NEIGHBOURHOOD_S steps."""
    first = max(
        0, cycle.start_frame - round(NEIGHBOURHOOD_S / 2 * reader.properties.sample_rate_hz)
    )
    features = extract(reader, meter, report, first_frame=first, seconds=NEIGHBOURHOOD_S)
    placed = Placed(cycle, float(cycle.period_frames), 0.0, correlation)
    candidate = measure.measure(reader, features, placed, kind)
    # Who made the source knows.
    return dataclasses.replace(candidate, score=1.0) if kind is Kind.OWN else candidate


def _joined(
    reader: AudioReader, candidate: Candidate, crossfade_ms: float | None, inspector: Inspector
) -> Seam:
    return Seam(*choose(reader, candidate.cycle, candidate.kind, crossfade_ms, inspector))


def _with_click_risk(candidate: Candidate, inspector: Inspector) -> Candidate:
    return dataclasses.replace(candidate, click_risk=inspector.click_risk(candidate.cycle))


def _finding(reader: AudioReader) -> list[Stage]:
    duration_s = reader.properties.duration_s
    return [
        Stage("analysing", max(1, int(duration_s)), duration_s * ANALYSING_MS_PER_S),
        Stage("comparing", repetition.STEPS, COMPARING_MS),
        Stage("aligning", finder.ALIGNED + 1, ALIGNING_MS),
    ]
