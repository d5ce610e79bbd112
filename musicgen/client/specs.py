"""Builds what a job is to do. The studio judges it; here only what can't be sent is refused."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from musicgen.api.audio.v1 import audio_pb2
from musicgen.api.engine.v1 import engine_pb2
from musicgen.api.inference.v1 import environment_pb2, inference_service_pb2, model_pb2
from musicgen.api.jobs.v1 import job_pb2
from musicgen.api.library.v1 import track_pb2
from musicgen.api.looper.v1 import loop_pb2
from musicgen.client import plans, recipes
from musicgen.client.sendable import (
    UTF8_REMEDY,
    check_options,
    checked_length,
    checked_text,
    invalid,
    is_unicode,
)
from musicgen.client.styles import STYLE_OPTION
from musicgen.errors import InvalidLyrics, InvalidPrompt, UnsupportedFormat

FORMATS: Mapping[str, audio_pb2.AudioFormat.ValueType] = {
    "flac": audio_pb2.AUDIO_FORMAT_FLAC,
    "wav": audio_pb2.AUDIO_FORMAT_WAV,
    "mp3": audio_pb2.AUDIO_FORMAT_MP3,
    "opus": audio_pb2.AUDIO_FORMAT_OPUS,
    "ogg": audio_pb2.AUDIO_FORMAT_OGG,
    "m4a": audio_pb2.AUDIO_FORMAT_M4A,
}
"""The formats by the file extension that goes with each."""

PRIORITIES: Mapping[str, job_pb2.Job.Priority.ValueType] = {
    "low": job_pb2.Job.PRIORITY_LOW,
    "normal": job_pb2.Job.PRIORITY_NORMAL,
    "high": job_pb2.Job.PRIORITY_HIGH,
}
"""How urgent a job can be: of all that a worker could start, the most urgent comes first."""

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
    style_audio: audio_pb2.AudioRef | None = None,
) -> job_pb2.JobSpec:
    """Ask for a track. `duration_s` None means the engine's default; `seed` (0 to
    2**32 - 1) None means that the studio draws one; `engine` "" means its default;
    `options` are the engine's own and of JSON's types; `parent_track_id` is the track that
    this one is a variation of; `style_audio` is music that the style is taken from instead
    of from the prompt, for engines that can.

    Raises InvalidPrompt or InvalidLyrics for text that is not Unicode, InvalidField.
    """
    if not prompt.strip():
        raise InvalidPrompt("The prompt is empty.")
    spec = inference_service_pb2.GenerateSpec(
        engine=checked_text("engine", engine),
        parameters=parameters(
            prompt, duration_s=duration_s, seed=seed, lyrics=lyrics, options=options
        ),
        parent_track_id=checked_text("parent_track_id", parent_track_id),
        style_audio=style_audio,
    )
    return job_pb2.JobSpec(generate=spec)


def parameters(
    prompt: str,
    *,
    duration_s: float | None = None,
    seed: int | None = None,
    lyrics: str = "",
    options: Mapping[str, Any] | None = None,
) -> engine_pb2.GenerationParameters:
    """Return what every engine is asked for, as in `generate`."""
    if not is_unicode(prompt):
        raise InvalidPrompt("The prompt is not valid UTF-8 text.", remedy=UTF8_REMEDY)
    if not is_unicode(lyrics):
        raise InvalidLyrics("The lyrics are not valid UTF-8 text.", remedy=UTF8_REMEDY)
    message = engine_pb2.GenerationParameters(prompt=prompt, lyrics=lyrics)
    if duration_s is not None:
        message.duration_seconds = checked_length("duration_seconds", duration_s)
    if seed is not None:
        if not 0 <= seed < 1 << 32:
            raise invalid("seed", "must be 0 to 4294967295")
        message.seed = seed
    if options:
        check_options(options, "options")
        try:
            message.options.update(options)
        except (ValueError, TypeError) as error:
            raise invalid("options", "must be of JSON's types") from error
    return message


def regenerate(
    track: track_pb2.Track,
    parts: Sequence[tuple[float, float | None]],
    *,
    prompt: str | None = None,
    lyrics: str | None = None,
    engine: str = "",
    seed: int | None = None,
    options: Mapping[str, Any] | None = None,
) -> job_pb2.JobSpec:
    """Ask for a track of which some parts are made anew and all else stays, sample by sample.
    A part is (start, end) in seconds; an end of None is that of the track.

    What isn't given is as in the track's recipe: prompt, lyrics with their times, engine and
    its options, to which `options` are added. A `prompt` also replaces music that the track's
    style was taken from, and so does an option "style". `seed` None means another one than
    before. Raises InvalidField if the recipe doesn't say what made the track.
    """
    asked = recipes.asked_of(track, engine)
    kept, style_audio = dict(asked.options), asked.style_audio
    if prompt is not None:
        kept.pop(STYLE_OPTION, None)
        style_audio = None
    kept.update(options or {})
    if STYLE_OPTION in kept:
        style_audio = None
    spec = generate(
        asked.prompt if prompt is None else prompt,
        seed=seed,
        engine=asked.engine,
        lyrics=asked.lyrics if lyrics is None else lyrics,
        options=kept,
        parent_track_id=track.track_id,
        style_audio=style_audio,
    )
    edit = spec.generate.edit
    edit.source.track_id = track.track_id
    for start_s, end_s in parts:
        edit.regenerate.add(start_seconds=start_s, end_seconds=end_s)
    return spec


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
            raise invalid("points", "must be two frames, the first before the second")
        spec.points.start_frame, spec.points.end_frame = start_frame, end_frame
    if crossfade_ms is not None:
        if not math.isfinite(crossfade_ms):
            raise invalid("crossfade_ms", "must be a finite number")
        spec.crossfade_ms = crossfade_ms
    if ending:
        if ending not in ENDINGS:
            raise invalid("ending", f"must be one of {', '.join(ENDINGS)}")
        spec.ending = ENDINGS[ending]
    if fade_s is not None:
        spec.fade_seconds = checked_length("fade_seconds", fade_s)
    spec.format = _format(format or "flac")
    return job_pb2.JobSpec(loop=spec)


def _set_extent(spec: loop_pb2.LoopSpec, length_s: float | None, cycles: int | None) -> None:
    if length_s is not None and cycles is None:
        spec.length_seconds = checked_length("length_seconds", length_s)
    elif cycles is not None and length_s is None:
        if not 0 < cycles < 1 << 31:
            raise invalid("cycles", "must be a positive number")
        spec.cycles = cycles
    else:
        raise invalid("length_seconds", "must be given, or cycles instead")


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
        raise invalid("max_candidates", "must be 0 or a positive number")
    spec = loop_pb2.FindLoopsSpec(source=source, max_candidates=max_candidates)
    if min_s is not None:
        spec.min_seconds = checked_length("min_seconds", min_s)
    if max_s is not None:
        spec.max_seconds = checked_length("max_seconds", max_s)
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
        raise invalid("action", f"must be one of {', '.join(ACTIONS)}")
    spec = environment_pb2.SetupEngineSpec(
        engine=checked_text("engine", engine), action=ACTIONS[action]
    )
    return job_pb2.JobSpec(setup_engine=spec)


def priority(name: str) -> job_pb2.Job.Priority.ValueType:
    """Return what one of PRIORITIES, or "", stands for. Raises InvalidField."""
    if name and name not in PRIORITIES:
        raise invalid("priority", f"must be one of {', '.join(PRIORITIES)}")
    return PRIORITIES[name] if name else job_pb2.Job.PRIORITY_UNSPECIFIED


def _format(name: str) -> audio_pb2.AudioFormat.ValueType:
    if name not in FORMATS:
        raise UnsupportedFormat(f"{name!r} is not a format that the studio writes.")
    return FORMATS[name]
