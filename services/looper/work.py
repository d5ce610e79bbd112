"""The two jobs of this service, from a source file to what was found or made."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from musicgen.artifacts import ArtifactStore, StoredFile
from musicgen.audio.codecs import AudioReader, Format, Properties
from musicgen.errors import UnsupportedFormat
from musicgen.progress import ProgressMeter, Stage
from services.looper import candidates, finder, measure, render, seam
from services.looper.loops import Candidate, Cycle, Report, SeamReport
from services.looper.render import Plan

# CPU milliseconds, measured on one core: they weigh the stages against each other.
ANALYSING_MS_PER_S = 2.0
COMPARING_MS = 30.0
ALIGNING_MS = 200.0
RENDERING_MS_PER_S = {Format.WAV: 0.4, Format.FLAC: 1.4, Format.MP3: 12.0}
CHECKING_MS_PER_S = 0.2

MP3_RATES_HZ = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
MOST_CHANNELS = {Format.WAV: 1024, Format.FLAC: 8, Format.MP3: 2}


@dataclass(frozen=True, slots=True)
class Order:
    """A render that was asked for; `cycle` is None where it has to be found.

    `points_from` says who chose the cycle: "request", "source" or "found".
    """

    source: Path
    cycle: Cycle | None
    points_from: str
    points_field: str
    length_s: float
    crossfade_ms: float
    format: Format


@dataclass(frozen=True, slots=True)
class Rendered:
    """A rendered loop: the file, its facts, and what was measured of it."""

    file: StoredFile
    properties: Properties
    plan: Plan
    candidate: Candidate
    seam: SeamReport


def find_loops(source: Path, limit: int, report: Report) -> list[Candidate]:
    """Return up to `limit` cycles of a file, best first. Raises InvalidAudio, NoLoopFound."""
    with AudioReader(source) as reader:
        meter = ProgressMeter(_finding(reader.properties.duration_s))
        features = finder.analyse(reader, meter, report)
        return finder.find(reader, features, limit, meter, report)


def render_loop(order: Order, store: ArtifactStore, key: str, report: Report) -> Rendered:
    """Render `order` to `key`, complete and durable, or leave nothing there.

    Raises InvalidAudio, InvalidField for a cycle outside the source, NoLoopFound,
    UnsupportedFormat for a source that the format can't hold, DiskFull, or what
    `report` raises.
    """
    with AudioReader(order.source) as reader:
        facts = reader.properties
        _check_format(facts, order.format)
        if order.cycle:
            order.cycle.check(facts.sample_rate_hz, facts.duration_frames, order.points_field)
        meter = ProgressMeter(
            [
                *_finding(facts.duration_s, given=order.cycle is not None),
                Stage(
                    "rendering",
                    max(1, int(order.length_s)),
                    order.length_s * RENDERING_MS_PER_S[order.format],
                ),
                Stage("checking", render.CHECKING_STEPS, order.length_s * CHECKING_MS_PER_S),
            ]
        )
        features = finder.analyse(reader, meter, report)
        if order.cycle:
            candidate = measure.measure(reader, features, order.cycle, order.crossfade_ms)
        else:
            candidate = finder.find(
                reader, features, 1, meter, report, crossfade_ms=order.crossfade_ms
            )[0]
        zone = seam.overlap(
            candidate.cycle,
            facts.duration_frames,
            round(order.crossfade_ms * facts.sample_rate_hz / 1000),
        )
        length_frames = round(order.length_s * facts.sample_rate_hz)
        plan = Plan(candidate.cycle, zone, length_frames, order.format)
        seam_report = seam.inspect(
            reader,
            candidate.cycle,
            zone,
            loudness_step_db=candidate.loudness_step_db,
            loudness_limit_db=measure.loudness_limit_db(reader, candidate.cycle),
        )
        source_bytes = order.source.stat().st_size
        file = render.render(reader, source_bytes, plan, store, key, meter=meter, report=report)
    properties = Properties(order.format, facts.sample_rate_hz, facts.channels, length_frames)
    return Rendered(file, properties, plan, candidate, seam_report)


def _finding(duration_s: float, *, given: bool = False) -> list[Stage]:
    stages = [Stage("analysing", max(1, int(duration_s)), duration_s * ANALYSING_MS_PER_S)]
    if not given:
        stages += [
            Stage("comparing", candidates.STEPS, COMPARING_MS),
            Stage("aligning", finder.ALIGNED + 1, ALIGNING_MS),
        ]
    return stages


def _check_format(facts: Properties, format: Format) -> None:
    if facts.channels > MOST_CHANNELS[format]:
        raise UnsupportedFormat(
            f"{format.name} can't hold {facts.channels} channels.",
            remedy="Choose FLAC (up to 8 channels) or WAV.",
        )
    if format is Format.MP3 and facts.sample_rate_hz not in MP3_RATES_HZ:
        raise UnsupportedFormat(
            f"MP3 can't hold {facts.sample_rate_hz} Hz.", remedy="Choose FLAC or WAV."
        )
