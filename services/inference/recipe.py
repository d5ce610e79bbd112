"""The recipe of a track: everything needed to make the same audio again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from musicgen import __version__
from musicgen.engine.base import Generation, Manifest, Parameters
from musicgen.engine.determinism import RUNTIME_KEY
from services.inference.encoder import Encoded

RECIPE_VERSION = 1


def build(
    manifest: Manifest,
    parameters: Parameters,
    made: Generation,
    encoded: Encoded,
    made_from: Mapping[str, Any],
) -> Mapping[str, Any]:
    """Return the recipe as JSON values.

    The same engine version, cpu_arch, device_class and numpy_version with the same
    parameters give the same audio_sha256; what the host computed with is in it as the
    host said. `made_from` is what audio in the parameters is.
    """
    decisions = dict(made.decisions)
    computed_with = decisions.pop(RUNTIME_KEY, {})
    return {
        "recipe_version": RECIPE_VERSION,
        "studio_version": __version__,
        "engine": manifest.name,
        "engine_version": manifest.version,
        "prompt": parameters.prompt,
        "lyrics": parameters.lyrics,
        "duration_seconds": parameters.duration_s,
        "seed": parameters.seed,
        "options": dict(parameters.options),
        **made_from,
        **{name: str(value) for name, value in computed_with.items()},
        **({"rung": made.rung} if made.rung else {}),
        "decisions": decisions,
        "audio_sha256": encoded.audio_sha256,
    }
