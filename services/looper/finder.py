"""Finds the cycles of a piece, or says that there is none."""

from __future__ import annotations

import dataclasses

from musicgen.audio.codecs import AudioReader
from musicgen.errors import InvalidAudio, NoLoopFound
from musicgen.progress import ProgressMeter
from services.looper import candidates, measure
from services.looper.alignment import align
from services.looper.candidates import Repetition
from services.looper.features import SILENT_RMS, Features, extract
from services.looper.loops import Candidate, Cycle, Report
from services.looper.whole_file import whole_cycle

DEFAULT_CROSSFADE_MS = 30.0
MIN_SOURCE_S = 1.0
MIN_RATE_HZ, MAX_RATE_HZ = 1_000, 384_000
"""Below, there is nothing to compare; above, formats can't hold it."""

ALIGNED = 8
"""Repetitions that are aligned and measured."""

MIN_RUN_S = 3.0
"""A shorter repetition is a figure, not a cycle of the piece."""

NEARLY_BEST = 0.85

PASSING_SCORE = 0.75
"""Found by measurement; the tests repeat it on synthetic music and on signals that do
not repeat."""


def analyse(reader: AudioReader, meter: ProgressMeter, report: Report) -> Features:
    """Decode and describe a source in the stage "analysing" (steps: seconds of audio).

    Raises InvalidAudio for what can't be read, is shorter than a second or has a sample
    rate that no music has.
    """
    report(meter.enter("analysing"))
    rate_hz = reader.properties.sample_rate_hz
    if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
        raise InvalidAudio(
            f"The audio's sample rate is {rate_hz:,} Hz; a loop needs {MIN_RATE_HZ:,} to"
            f" {MAX_RATE_HZ:,} Hz.",
            remedy="Convert it to 44,100 or 48,000 Hz.",
        )
    if reader.properties.duration_s < MIN_SOURCE_S:
        raise InvalidAudio(
            f"The audio is {reader.properties.duration_s:.2f} s long; a loop needs at least"
            f" {MIN_SOURCE_S:g} s.",
            remedy="Use a longer piece.",
        )
    return extract(reader, meter, report)


def find(
    reader: AudioReader,
    features: Features,
    limit: int,
    meter: ProgressMeter,
    report: Report,
    *,
    crossfade_ms: float = DEFAULT_CROSSFADE_MS,
) -> list[Candidate]:
    """Return up to `limit` cycles that pass, best first, in the stages "comparing"
    (candidates.STEPS steps) and "aligning" (ALIGNED + 1 steps). If nothing repeats, the
    file may be a single cycle itself; its score is then that of the rhythm across its join.

    Raises NoLoopFound, with the best near-miss in its metadata, if none passes.
    """
    if features.rms < SILENT_RMS:
        raise NoLoopFound("The audio is silent.", remedy="Use audio that can be heard.")
    report(meter.enter("comparing"))
    repetitions = candidates.repetitions(features, ALIGNED, meter, report)
    report(meter.enter("aligning"))
    measured: list[tuple[float, Candidate]] = []
    for repetition in repetitions:
        candidate = _refined(reader, features, repetition, crossfade_ms)
        if candidate:
            measured.append((repetition.utility * candidate.score, candidate))
        report(meter.advance())
    passing = _ranked([entry for entry in measured if entry[1].score >= PASSING_SCORE])
    if not passing and (whole := whole_cycle(reader, features)):
        cycle, rhythm = whole
        ends = measure.measure(reader, features, cycle, crossfade_ms)
        passing = [dataclasses.replace(ends, score=rhythm)]
    if not passing:
        raise _no_loop([candidate for _, candidate in measured])
    return passing[:limit]


def _ranked(measured: list[tuple[float, Candidate]]) -> list[Candidate]:
    """Sort best first; of cycles about as good as the best, the shortest comes first,
    because twice a cycle is as good a cycle."""
    if not measured:
        return []
    near = NEARLY_BEST * max(value for value, _ in measured)
    measured = sorted(
        measured,
        key=lambda entry: (0, entry[1].cycle.period_frames) if entry[0] >= near else (1, -entry[0]),
    )
    return [candidate for _, candidate in measured]


def _refined(
    reader: AudioReader, features: Features, repetition: Repetition, crossfade_ms: float
) -> Candidate | None:
    """Choose where the repetition is cut, to the frame, and measure it there."""
    rate = features.sample_rate_hz
    run_s = repetition.end_s - repetition.start_s
    if run_s < MIN_RUN_S:
        return None
    # As early as the music around the seam lies inside the repetition: the listener
    # gets to the loop soon, and intro and outro stay outside of it.
    inside_s = min(measure.LIKENESS_S, run_s / 2)
    start = round((repetition.start_s + inside_s) * rate)
    coarse = Cycle(start, start + round(repetition.lag_s * rate))
    if coarse.end_frame > features.duration_frames:
        return None
    # Half a hop of doubt on either side of each of the two hops compared.
    cycle, _ = align(reader, coarse, 2 * features.hop_frames)
    if cycle.end_frame > features.duration_frames or cycle.period_frames <= 0:
        return None
    return measure.measure(reader, features, cycle, crossfade_ms)


def _no_loop(missed: list[Candidate]) -> NoLoopFound:
    if not missed:
        return NoLoopFound(
            "Nothing in the audio repeats.", metadata={"passing_score": str(PASSING_SCORE)}
        )
    best = max(missed, key=lambda candidate: candidate.score)
    return NoLoopFound(
        f"No cycle repeats well enough: the best scores {best.score:.2f} of"
        f" {PASSING_SCORE:.2f} needed.",
        metadata={
            "best": f"{best.score:.4f}",
            "best_start_frame": str(best.cycle.start_frame),
            "best_end_frame": str(best.cycle.end_frame),
            "passing_score": str(PASSING_SCORE),
        },
    )
