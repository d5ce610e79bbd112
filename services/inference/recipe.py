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

    What the host computed with is in it as the host said, such as cpu_arch, device_class and
    numpy_version. The same engine version with the same parameters and `made_from`, which is
    what audio in the parameters is, gives the same audio_sha256 where all of these facts that
    are named are the same, and so is the rung.
    """
    decisions = dict(made.decisions)
    computed_with = decisions.pop(RUNTIME_KEY, {})
    return {
        # First, so that they replace nothing.
        **{name: str(value) for name, value in computed_with.items()},
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
        **({"rung": made.rung} if made.rung else {}),
        "decisions": decisions,
        "audio_sha256": encoded.audio_sha256,
    }
