"""Builds what a job is to do. The studio judges it; here only what can't be sent is refused."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from typing import Any

from musicgen.api.audio.v1 import audio_pb2
from musicgen.api.engine.v1 import engine_pb2
from musicgen.api.inference.v1 import environment_pb2, inference_service_pb2, model_pb2
from musicgen.api.jobs.v1 import job_pb2
from musicgen.api.library.v1 import track_pb2
from musicgen.api.looper.v1 import loop_pb2
from musicgen.client import plans
from musicgen.errors import InvalidField, InvalidLyrics, InvalidPrompt, UnsupportedFormat

FORMATS: Mapping[str, audio_pb2.AudioFormat.ValueType] = {
    "flac": audio_pb2.AUDIO_FORMAT_FLAC,
    "wav": audio_pb2.AUDIO_FORMAT_WAV,
    "mp3": audio_pb2.AUDIO_FORMAT_MP3,
    "opus": audio_pb2.AUDIO_FORMAT_OPUS,
    "ogg": audio_pb2.AUDIO_FORMAT_OGG,
    "m4a": audio_pb2.AUDIO_FORMAT_M4A,
}
"""The formats by the file extension that goes with each."""

ENDINGS: Mapping[str, loop_pb2.LoopSpec.Ending.ValueType] = {
    "cut": loop_pb2.LoopSpec.ENDING_CUT,
    "fade": loop_pb2.LoopSpec.ENDING_FADE,
    "outro": loop_pb2.LoopSpec.ENDING_OUTRO,
}
"""How a loop ends: wherever its length is reached, fading out, or as the source does."""


def generate(
    prompt: str,
    *,
    duration_s: float | None = None,
    seed: int | None = None,
    engine: str = "",
    lyrics: str = "",
    options: Mapping[str, Any] | None = None,
    parent_track_id: str = "",
) -> job_pb2.JobSpec:
    """Ask for a track. `duration_s` None means the engine's default; `seed` (0 to
    2**32 - 1) None means that the studio draws one; `engine` "" means its default;
    `options` are the engine's own and of JSON's types; `parent_track_id` is the track that
    this one is a variation of.

    Raises InvalidPrompt or InvalidLyrics for text that is not Unicode, InvalidField.
    """
    if not _is_unicode(prompt):
        raise InvalidPrompt("The prompt is not valid UTF-8 text.", remedy=_UTF8_REMEDY)
    if not _is_unicode(lyrics):
        raise InvalidLyrics("The lyrics are not valid UTF-8 text.", remedy=_UTF8_REMEDY)
    if not prompt.strip():
        raise InvalidPrompt("The prompt is empty.")
    if not _is_unicode(engine):
        raise _invalid("engine", "must be valid UTF-8 text")
    parameters = engine_pb2.GenerationParameters(prompt=prompt, lyrics=lyrics)
    if duration_s is not None:
        parameters.duration_seconds = _length("duration_seconds", duration_s)
    if seed is not None:
        if not 0 <= seed < 1 << 32:
            raise _invalid("seed", "must be 0 to 4294967295")
        parameters.seed = seed
    if options:
        _check_options(options, "options")
        try:
            parameters.options.update(options)
        except (ValueError, TypeError) as error:
            raise _invalid("options", "must be of JSON's types") from error
    spec = inference_service_pb2.GenerateSpec(
        engine=engine,
        parameters=parameters,
        parent_track_id=checked_text("parent_track_id", parent_track_id),
    )
    return job_pb2.JobSpec(generate=spec)


def vary(
    track: track_pb2.Track, seeds: Mapping[str, int], *, title: str | None = None
) -> job_pb2.JobSpec:
    """Ask for a variation of a track of the composer: the same plan, prompt and seed, but
    other seeds (0 to 2**32 - 1) for some layers, such as {"lead": 7}; the manifest lists
    them. `title` None means one that says what is new. Raises InvalidField if the track has
    no plan."""
    made = plans.plan_of(track)
    title = title if title is not None else plans.variation_title(track.title, seeds)
    spec = generate(
        made.prompt,
        duration_s=made.duration_s or plans.length_s(made.plan),
        seed=made.seed,
        engine=plans.COMPOSER,
        options={
            "plan": {**made.plan, "title": title},
            "seeds": dict(seeds),
            **({"stems": True} if made.stems else {}),
        },
        parent_track_id=track.track_id,
    )
    spec.generate.format = track.audio.format
    return spec


def loop(
    source: audio_pb2.AudioRef,
    length_s: float | None = None,
    *,
    cycles: int | None = None,
    points: tuple[int, int] | None = None,
    snap_points: bool = False,
    fold_tail: bool = False,
    crossfade_ms: float | None = None,
    skip_intro: bool = False,
    ending: str = "",
    fade_s: float | None = None,
    format: str = "",
) -> job_pb2.JobSpec:
    """Ask for `source`, repeated to `length_s` seconds or for `cycles` cycles: one of them.

    `points` is the cycle as first frame and first frame after it; None means the source's
    own, or the best. With `snap_points` its end is moved to where the music meets best,
    with `fold_tail` what rings on after it is added to its start (for a KIND_TAIL candidate).
    `crossfade_ms` None means as long as it takes. `skip_intro` leaves out what leads to the
    cycle. `ending` is one of ENDINGS and "" means "cut"; `fade_s` goes with "fade". `format`
    is one of FORMATS and "" means FLAC. Raises InvalidField, UnsupportedFormat."""
    spec = loop_pb2.LoopSpec(
        source=source, snap_points=snap_points, fold_tail=fold_tail, skip_intro=skip_intro
    )
    _set_extent(spec, length_s, cycles)
    if points is not None:
        start_frame, end_frame = points
        if not 0 <= start_frame < end_frame < 1 << 63:
            raise _invalid("points", "must be two frames, the first before the second")
        spec.points.start_frame, spec.points.end_frame = start_frame, end_frame
    if crossfade_ms is not None:
        if not math.isfinite(crossfade_ms):
            raise _invalid("crossfade_ms", "must be a finite number")
        spec.crossfade_ms = crossfade_ms
    if ending:
        if ending not in ENDINGS:
            raise _invalid("ending", f"must be one of {', '.join(ENDINGS)}")
        spec.ending = ENDINGS[ending]
    if fade_s is not None:
        spec.fade_seconds = _length("fade_seconds", fade_s)
    spec.format = _format(format or "flac")
    return job_pb2.JobSpec(loop=spec)


def _set_extent(spec: loop_pb2.LoopSpec, length_s: float | None, cycles: int | None) -> None:
    if length_s is not None and cycles is None:
        spec.length_seconds = _length("length_seconds", length_s)
    elif cycles is not None and length_s is None:
        if not 0 < cycles < 1 << 31:
            raise _invalid("cycles", "must be a positive number")
        spec.cycles = cycles
    else:
        raise _invalid("length_seconds", "must be given, or cycles instead")


def find_loops(
    source: audio_pb2.AudioRef,
    *,
    max_candidates: int = 0,
    min_s: float | None = None,
    max_s: float | None = None,
) -> job_pb2.JobSpec:
    """Ask for the cycles of `source`, best first: they are in `Job.result.analysis`.
    `max_candidates` 0 means five; `min_s` and `max_s` are the shortest and longest cycle
    wanted, in seconds. Raises InvalidField."""
    if not 0 <= max_candidates < 1 << 31:
        raise _invalid("max_candidates", "must be 0 or a positive number")
    spec = loop_pb2.FindLoopsSpec(source=source, max_candidates=max_candidates)
    if min_s is not None:
        spec.min_seconds = _length("min_seconds", min_s)
    if max_s is not None:
        spec.max_seconds = _length("max_seconds", max_s)
    return job_pb2.JobSpec(find_loops=spec)


def export(track_id: str, format: str = "flac") -> job_pb2.JobSpec:
    """Ask for a file of a track with its tags. `format` is one of FORMATS; raises
    UnsupportedFormat otherwise, InvalidField for an id that is no text."""
    return job_pb2.JobSpec(
        export=track_pb2.ExportSpec(
            track_id=checked_text("track_id", track_id), format=_format(format)
        )
    )


def install_model(model: str, *, accept_licence: bool = False, folder: str = "") -> job_pb2.JobSpec:
    """Ask for a model and all that it needs. `accept_licence` says that their licences were
    read and are accepted; `folder`, an absolute path on the studio's machine, has the files
    already. Raises InvalidField."""
    spec = model_pb2.InstallModelSpec(
        model=checked_text("model", model),
        accept_licence=accept_licence,
        folder=checked_text("folder", folder),
    )
    return job_pb2.JobSpec(install_model=spec)


def verify_model(model: str) -> job_pb2.JobSpec:
    """Ask whether a model's files are what was promised. Raises InvalidField."""
    spec = model_pb2.VerifyModelSpec(model=checked_text("model", model))
    return job_pb2.JobSpec(verify_model=spec)


ACTIONS: Mapping[str, environment_pb2.SetupEngineSpec.Action.ValueType] = {
    "make": environment_pb2.SetupEngineSpec.ACTION_MAKE,
    "repair": environment_pb2.SetupEngineSpec.ACTION_REPAIR,
    "remove": environment_pb2.SetupEngineSpec.ACTION_REMOVE,
}
"""What can be done with an engine's environment."""


def setup_engine(engine: str, action: str = "make") -> job_pb2.JobSpec:
    """Ask for an engine's environment; `action` is one of ACTIONS. Raises InvalidField."""
    if action not in ACTIONS:
        raise _invalid("action", f"must be one of {', '.join(ACTIONS)}")
    spec = environment_pb2.SetupEngineSpec(
        engine=checked_text("engine", engine), action=ACTIONS[action]
    )
    return job_pb2.JobSpec(setup_engine=spec)


def checked_text(field: str, value: str) -> str:
    """Return text that can be sent. Raises InvalidField for one that is not Unicode."""
    if not _is_unicode(value):
        raise _invalid(field, "must be valid UTF-8 text")
    return value


def checked_header(field: str, value: str) -> str:
    """Return text that can be sent in a header. Raises InvalidField, without repeating
    what may be a secret."""
    if not (value.isascii() and value.isprintable()):
        raise _invalid(field, "must be printable ASCII")
    return value


_UTF8_REMEDY = "Send text as UTF-8; set the terminal's or the file's encoding to UTF-8."


def _is_unicode(text: str) -> bool:
    """Whether `text` can be encoded: bytes that were no UTF-8 on a command line arrive
    as lone surrogates, which can't."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


_MOST_DEPTH = 20
"""How deep options may be nested. Messages carry about thirty levels of JSON."""


def _check_options(value: object, path: str, depth: int = 0) -> None:
    """Raise InvalidField, with its path, for what no message can carry."""
    if fault := _fault(value):
        raise _invalid(path, fault)
    if not isinstance(value, Mapping | list | tuple):
        return
    if depth == _MOST_DEPTH:
        raise _invalid("options", f"must not be nested deeper than {_MOST_DEPTH} levels")
    if isinstance(value, Mapping):
        inside = [(f"{path}.{name}", inner) for name, inner in value.items()]
    else:
        inside = [(f"{path}[{index}]", inner) for index, inner in enumerate(value)]
    for place, inner in inside:
        _check_options(inner, place, depth + 1)


def _fault(value: object) -> str:
    """Say what is wrong with a value by itself; nothing if it can be sent."""
    if isinstance(value, str) and not _is_unicode(value):
        return "must be valid UTF-8 text"
    # Written so that NaN can't be sent.
    if isinstance(value, int | float) and not abs(value) <= sys.float_info.max:
        return "is no number that can be sent"
    if isinstance(value, Mapping) and not all(
        isinstance(name, str) and _is_unicode(name) for name in value
    ):
        return "must have names that are valid UTF-8 text"
    return ""


def _length(field: str, seconds: float) -> float:
    # 0 would silently mean "the default", and NaN passes every comparison.
    if not (math.isfinite(seconds) and seconds > 0):
        raise _invalid(field, "must be a positive number of seconds")
    return seconds


def _format(name: str) -> audio_pb2.AudioFormat.ValueType:
    if name not in FORMATS:
        raise UnsupportedFormat(f"{name!r} is not a format that the studio writes.")
    return FORMATS[name]


def _invalid(field: str, what: str) -> InvalidField:
    return InvalidField(f"{field} {what}.", fields={field: what})
