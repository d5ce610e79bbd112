"""What can be asked of loops. Faults are named by the field's path in the request."""

from __future__ import annotations

from collections.abc import Mapping

from musicgen.api.audio.v1 import audio_pb2
from musicgen.api.looper.v1 import loop_pb2
from musicgen.errors import InvalidField
from musicgen.loop_limits import (
    DEFAULT_CANDIDATES,
    DEFAULT_FADE_S,
    MAX_CANDIDATES,
    MAX_CROSSFADE_MS,
    MAX_CYCLES,
    MAX_FADE_S,
    MAX_LENGTH_S,
    MAX_SNAP_S,
    MIN_CYCLE_S,
    MIN_FADE_S,
    MIN_LENGTH_S,
    shortest_wanted_s,
    within,
)

LOOP, FIND_LOOPS = "spec.loop", "spec.find_loops"


def fill_loop(spec: loop_pb2.LoopSpec) -> None:
    """Check what can be judged without the source, and fill in the defaults. An absent
    crossfade stays absent: the looper measures which one is needed. Raises InvalidField."""
    faults: dict[str, str] = {}
    match spec.WhichOneof("extent"):
        case "length_seconds" if not MIN_LENGTH_S <= spec.length_seconds <= MAX_LENGTH_S:
            faults["length_seconds"] = (
                f"must be from {MIN_LENGTH_S:.0f} (1 minute) to {MAX_LENGTH_S:.0f} (10 hours)"
            )
        case "cycles" if not 1 <= spec.cycles <= MAX_CYCLES:
            faults["cycles"] = f"must be from 1 to {MAX_CYCLES}"
        case None:
            faults["length_seconds"] = "must be given, or cycles instead"
    _check_joining(spec, faults)
    if spec.ending not in loop_pb2.LoopSpec.Ending.values():
        faults["ending"] = "must be one of the contract's"
    spec.ending = spec.ending or loop_pb2.LoopSpec.ENDING_CUT
    fades = spec.ending == loop_pb2.LoopSpec.ENDING_FADE
    if fades and not spec.HasField("fade_seconds"):
        spec.fade_seconds = DEFAULT_FADE_S
    if spec.HasField("fade_seconds") and not fades:
        faults["fade_seconds"] = "goes with ENDING_FADE only"
    elif fades and not within(spec.fade_seconds, MIN_FADE_S, MAX_FADE_S):
        faults["fade_seconds"] = f"must be from {MIN_FADE_S:g} to {MAX_FADE_S:.0f}"
    _refuse(LOOP, faults)


def _check_joining(spec: loop_pb2.LoopSpec, faults: dict[str, str]) -> None:
    """Note what is wrong with how the end is to meet the start."""
    if spec.HasField("crossfade_ms") and not within(spec.crossfade_ms, 0, MAX_CROSSFADE_MS):
        faults["crossfade_ms"] = f"must be from 0 to {MAX_CROSSFADE_MS:.0f}"
    if spec.snap_points and not spec.HasField("points"):
        faults["snap_points"] = "needs points to move"
    if spec.fold_tail and not spec.HasField("points"):
        faults["fold_tail"] = "needs points after which something rings on"
    elif spec.fold_tail and spec.HasField("crossfade_ms"):
        faults["fold_tail"] = "does not go with crossfade_ms"


def check_loop_of(spec: loop_pb2.LoopSpec, source: audio_pb2.ProducedTrack) -> None:
    """Check what depends on the source. Raises InvalidField."""
    faults: dict[str, str] = {}
    audio, points = source.artifact.audio, spec.points
    if spec.HasField("points"):
        if not 0 <= points.start_frame < points.end_frame <= audio.duration_frames:
            faults["points"] = (
                "must satisfy 0 <= start_frame < end_frame <= "
                f"{audio.duration_frames}, the source's length"
            )
        elif points.end_frame - points.start_frame < MIN_CYCLE_S * audio.sample_rate_hz:
            faults["points"] = f"must be at least {MIN_CYCLE_S:g} seconds apart"
    elif source.HasField("loop_points"):
        points = source.loop_points
    if spec.cycles and not faults:
        most = _most_cycles(points, audio.sample_rate_hz, snaps=spec.snap_points)
        if spec.cycles > most:
            faults["cycles"] = f"must be {most} at most: ten hours of this cycle"
    _refuse(LOOP, faults)


def fill_find(spec: loop_pb2.FindLoopsSpec) -> None:
    """Check what can be judged without the source, and fill in the defaults. Raises
    InvalidField."""
    faults: dict[str, str] = {}
    if not 0 <= spec.max_candidates <= MAX_CANDIDATES:
        faults["max_candidates"] = f"must be from 1 to {MAX_CANDIDATES}"
    spec.max_candidates = spec.max_candidates or DEFAULT_CANDIDATES
    if spec.HasField("max_seconds") and not within(spec.max_seconds, MIN_CYCLE_S, MAX_LENGTH_S):
        faults["max_seconds"] = f"must be from {MIN_CYCLE_S:g} to {MAX_LENGTH_S:.0f}"
    if not spec.HasField("min_seconds"):
        spec.min_seconds = shortest_wanted_s(
            spec.max_seconds if spec.HasField("max_seconds") else None
        )
    if not within(spec.min_seconds, MIN_CYCLE_S, MAX_LENGTH_S):
        faults["min_seconds"] = f"must be from {MIN_CYCLE_S:g} to {MAX_LENGTH_S:.0f}"
    elif spec.HasField("max_seconds") and spec.max_seconds < spec.min_seconds:
        faults.setdefault("max_seconds", "must not be less than min_seconds")
    _refuse(FIND_LOOPS, faults)


def _most_cycles(points: audio_pb2.LoopPoints, sample_rate_hz: int, *, snaps: bool) -> int:
    """Return how often a cycle fits into ten hours, or MAX_CYCLES where none is known yet."""
    frames = points.end_frame - points.start_frame
    if snaps:  # it may come out shorter
        frames -= round(MAX_SNAP_S * sample_rate_hz)
    if frames < 1:
        return MAX_CYCLES
    return min(MAX_CYCLES, int(MAX_LENGTH_S * sample_rate_hz) // frames)


def _refuse(at: str, faults: Mapping[str, str]) -> None:
    if faults:
        named = {f"{at}.{field}": rule for field, rule in faults.items()}
        listed = "; ".join(f"{field} {rule}" for field, rule in named.items())
        raise InvalidField(f"{listed}.", fields=named)
