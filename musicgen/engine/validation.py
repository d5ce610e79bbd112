"""Whether an engine can serve what it is asked for. Pure: the jobs service asks before
it accepts, the inference service and the host ask before they work."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import jsonschema
import referencing

from musicgen.engine.base import Manifest, Parameters, TimeRange
from musicgen.errors import InvalidField, InvalidLyrics, InvalidPrompt

MAX_PROMPT_CHARACTERS = 2_000
MAX_LYRICS_CHARACTERS = 20_000
"""Lyrics that come back with times have at least 10 more characters a line."""
MAX_SEED = (1 << 32) - 1
MAX_FIELDS_NAMED = 20
MAX_PARTS = 64
STYLE_OPTION = "style"
"""What an engine calls its option that is a style, as music is one."""
LENGTH_TOLERANCE_S = 0.01
"""Times that people read off a page are rounded."""
SOURCE_TOLERANCE_S = 0.1
"""A file may be this much shorter or longer than the piece that it holds."""
_MAX_TEXT = 200
_NO_OPTIONS: Mapping[str, Any] = {"type": "object", "additionalProperties": False}
_LAYOUT = frozenset("\n\r\t")
"""The control characters that people's text has."""


def validate(parameters: Parameters, manifest: Manifest, *, at: str = "parameters") -> None:
    """Check complete parameters against what the engine can do.

    `at` is the path of the parameters in the request; it begins the path of every field
    that is named. Raises InvalidPrompt, InvalidLyrics or InvalidField.
    """
    _check_prompt(parameters.prompt, f"{at}.prompt")
    _check_lyrics(parameters.lyrics, manifest, f"{at}.lyrics")
    fields = dict(_wrong_numbers(parameters, manifest, at))
    fields.update(_wrong_options(parameters.options, manifest, f"{at}.options"))
    if fields:
        path, text = next(iter(fields.items()))
        raise InvalidField(f"{path} {text}.", fields=fields)


def validate_inputs(
    parameters: Parameters,
    manifest: Manifest,
    *,
    style_at: str = "style_audio_path",
    parts_at: str = "regenerate",
) -> None:
    """Check what a host is given to read; `style_at` and `parts_at` are the paths of these
    in the request. Raises InvalidField."""
    if parameters.style_audio:
        check_style_audio(manifest, at=style_at)
    if parameters.edit:
        check_parts(parameters.edit.regenerate, manifest, None, at=parts_at)


def check_style_audio(manifest: Manifest, options: Iterable[str] = (), *, at: str) -> None:
    """Raise InvalidField unless the engine can take its style from music, and is given none
    among its `options`: the names of those that are set."""
    if not manifest.supports_style_audio:
        raise _unsupported(manifest, at, "takes no style from music")
    if STYLE_OPTION in options and STYLE_OPTION in manifest.options_schema.get("properties", {}):
        fault = f"goes with no options.{STYLE_OPTION}"
        raise InvalidField(
            f"{at} {fault}.", remedy="Give one of the two styles.", fields={at: fault}
        )


def edit_duration_s(length_s: float, manifest: Manifest, *, at: str) -> float:
    """Return the duration of an edit of a piece of `length_s`: as long, within the engine's
    range. Raises InvalidField if that is more than a rounding away."""
    low, high = manifest.min_duration_s, manifest.max_duration_s
    if not low - SOURCE_TOLERANCE_S <= length_s <= high + SOURCE_TOLERANCE_S:
        fault = (
            f"lasts {length_s:g} s; {manifest.display_name} makes parts of pieces of "
            f"{low:g} to {high:g} s anew"
        )
        raise InvalidField(f"{at} {fault}.", fields={at: fault})
    return min(max(length_s, low), high)


def check_parts(
    parts: Sequence[TimeRange], manifest: Manifest, length_s: float | None, *, at: str
) -> None:
    """Check the parts of a piece that are to be made anew; `length_s` is that of the piece.
    Raises InvalidField."""
    if not manifest.supports_edit:
        raise _unsupported(manifest, at, "can't make parts of a piece anew")
    faults = dict(_wrong_parts(parts, length_s, at))
    if not 1 <= len(parts) <= MAX_PARTS:
        faults[at] = f"must be 1 to {MAX_PARTS} parts"
    if faults:
        path, text = next(iter(faults.items()))
        raise InvalidField(f"{path} {text}.", fields=faults)


def _wrong_parts(
    parts: Sequence[TimeRange], length_s: float | None, at: str
) -> Iterator[tuple[str, str]]:
    before_s, last_s = 0.0, math.inf if length_s is None else length_s + LENGTH_TOLERANCE_S
    for number, part in enumerate(parts):
        path, end_s = f"{at}[{number}]", last_s if part.end_s is None else part.end_s
        # Written so that NaN is out of range.
        if not 0 <= part.start_s < end_s:
            yield path, "must begin at 0 or later, and before it ends"
        elif part.start_s < before_s:
            yield path, "must not begin before the part before it ends"
        elif part.end_s is not None and not part.end_s <= last_s:
            yield path, f"must end within the piece, which lasts {length_s:.2f} s"
        before_s = end_s


def _unsupported(manifest: Manifest, path: str, fault: str) -> InvalidField:
    return InvalidField(
        f"{manifest.display_name} {fault}.",
        remedy="Choose an engine that can: `musicgen engines` tells what each one can do.",
        fields={path: fault},
    )


def check_schema(manifest: Manifest) -> None:
    """Raise ValueError unless the manifest's options schema is a valid JSON Schema."""
    try:
        jsonschema.Draft202012Validator.check_schema(dict(manifest.options_schema))
    except jsonschema.SchemaError as error:
        raise ValueError(f"options_schema of {manifest.name}: {error.message}") from error


def _check_prompt(prompt: str, path: str) -> None:
    fault = ""
    if not prompt.strip():
        fault = "is empty"
    elif len(prompt) > MAX_PROMPT_CHARACTERS:
        fault = f"has {len(prompt):,} characters; {MAX_PROMPT_CHARACTERS:,} are allowed"
    elif name := _forbidden(prompt):
        fault = f"holds the character {name}"
    if fault:
        raise InvalidPrompt(f"The prompt {fault}.", fields={path: fault})


def _check_lyrics(lyrics: str, manifest: Manifest, path: str) -> None:
    fault = remedy = ""
    if lyrics and not manifest.supports_lyrics:
        fault = f"can't be sung by {manifest.display_name}"
        remedy = "Remove the lyrics, or choose an engine that sings."
    elif len(lyrics) > MAX_LYRICS_CHARACTERS:
        fault = f"have {len(lyrics):,} characters; {MAX_LYRICS_CHARACTERS:,} are allowed"
        remedy = "Shorten the lyrics."
    elif name := _forbidden(lyrics):
        fault = f"hold the character {name}"
        remedy = "Remove that character."
    if fault:
        raise InvalidLyrics(f"The lyrics {fault}.", remedy=remedy, fields={path: fault})


def _forbidden(text: str) -> str:
    """Name the first control character or lone surrogate, such as "U+0000"."""
    for character in text:
        if character not in _LAYOUT and unicodedata.category(character) in ("Cc", "Cs"):
            return f"U+{ord(character):04X}"
    return ""


def _wrong_numbers(
    parameters: Parameters, manifest: Manifest, at: str
) -> Iterator[tuple[str, str]]:
    low, high = manifest.min_duration_s, manifest.max_duration_s
    # Written so that NaN is out of range.
    if not low <= parameters.duration_s <= high:
        yield (
            f"{at}.duration_seconds",
            f"is {parameters.duration_s:g}; {manifest.display_name} makes {low:g} to {high:g} s",
        )
    if isinstance(parameters.seed, bool) or not 0 <= parameters.seed <= MAX_SEED:
        yield f"{at}.seed", f"is {parameters.seed}; 0 to {MAX_SEED} are allowed"


def _wrong_options(
    options: Mapping[str, Any], manifest: Manifest, at: str
) -> Iterator[tuple[str, str]]:
    return problems(dict(options), manifest.options_schema or _NO_OPTIONS, at)


def problems(value: object, schema: Mapping[str, Any], at: str) -> Iterator[tuple[str, str]]:
    """Yield (path, problem) for what of a JSON value does not fit a schema, MAX_FIELDS_NAMED
    at most. `at` is the value's own path."""
    unusable = list(_unusable(value, at))
    if unusable:  # the schema could not judge these
        yield from unusable[:MAX_FIELDS_NAMED]
        return
    # An empty registry, so that no $ref of a plugin's schema is ever fetched.
    validator = jsonschema.Draft202012Validator(dict(schema), registry=referencing.Registry())
    found: dict[str, str] = {}
    for error in validator.iter_errors(value):
        path = at + "".join(
            f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path
        )
        if error.validator == "required":
            missing = [name for name in error.validator_value if name not in error.instance]
            found.update((f"{path}.{name}", "is missing") for name in missing)
        elif error.validator == "additionalProperties" and error.validator_value is False:
            known = error.schema.get("properties", {})
            unknown = [name[:_MAX_TEXT] for name in error.instance if name not in known]
            found.update((f"{path}.{name}", "is not known") for name in unknown)
        else:
            found[path] = f"is not valid: {error.message[:_MAX_TEXT]}"
        if len(found) >= MAX_FIELDS_NAMED:
            break
    yield from list(found.items())[:MAX_FIELDS_NAMED]


def _unusable(value: object, path: str) -> Iterator[tuple[str, str]]:
    """Find what JSON can't say, and what no option needs."""
    if isinstance(value, float) and not math.isfinite(value):
        yield path, "is not a finite number"
    elif isinstance(value, str) and (name := _forbidden(value)):
        yield path, f"holds the character {name}"
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            if name := _forbidden(key):
                yield path, f"has a key with the character {name}"
            else:
                yield from _unusable(inner, f"{path}.{key[:_MAX_TEXT]}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _unusable(inner, f"{path}[{index}]")
