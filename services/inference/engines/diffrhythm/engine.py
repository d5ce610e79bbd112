"""The engines of this family, as their hosts hold them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from musicgen.engine.base import Engine, Generation, Parameters, Report
from services.inference.engines.diffrhythm.config import SAMPLE_RATE_HZ
from services.inference.engines.diffrhythm.lyrics.check import check
from services.inference.engines.diffrhythm.lyrics.espeak import Espeak
from services.inference.engines.diffrhythm.lyrics.sheet import read_lyrics
from services.inference.engines.diffrhythm.lyrics.tokenizer import Tokenizer
from services.inference.engines.diffrhythm.manifest import OPTIONS, TINY_MANIFEST
from services.inference.engines.diffrhythm.model import TINY_SALT, Model, tiny_model
from services.inference.engines.diffrhythm.sampler import Course
from services.inference.engines.diffrhythm.song import Wanted, make_song
from services.inference.engines.diffrhythm.style import synthetic_style

MAX_TITLE_CHARACTERS = 60


class DiffRhythmTiny(Engine):
    """Sings noise: the engine with weights that the project makes itself."""

    manifest = TINY_MANIFEST

    def __init__(self) -> None:
        """The model is made with the first song."""
        self._model: Model | None = None
        self._espeak = Espeak()
        self._tokenizer = Tokenizer(self._espeak)

    def generate(self, parameters: Parameters, scratch: Path, report: Report) -> Generation:
        """See Engine. Raises InvalidLyrics for lyrics that are too long."""
        sheet = read_lyrics(parameters.lyrics, parameters.duration_s)
        self._model = self._model or tiny_model()
        options = with_defaults(parameters.options)
        wanted = Wanted(
            sheet,
            torch.from_numpy(synthetic_style(parameters.prompt, TINY_SALT)),
            round(parameters.duration_s * SAMPLE_RATE_HZ),
            parameters.seed,
            Course(options["steps"] + 1, options["guidance"], options["solver"], options["sway"]),
        )
        tokenize = self._tokenizer.tokenize
        aligned = make_song(self._model, wanted, tokenize, scratch, report)
        found = check(sheet, wanted.frames, aligned.max_frames, self._tokenizer.read)
        return Generation(
            title=title_of(parameters),
            decisions={
                "model": self._model.name,
                "lyrics": sheet.as_lrc(),
                "lyrics_findings": [one.as_json() for one in found],
            },
        )

    def close(self) -> None:
        """End the process that reads English; a host's end does so, too."""
        self._espeak.close()


def with_defaults(options: Any) -> dict[str, Any]:
    """Return options, each with a value of its type."""
    filled = {}
    for name, rule in OPTIONS["properties"].items():
        value = options.get(name, rule["default"])
        filled[name] = {"integer": int, "number": float, "string": str}[rule["type"]](value)
    return filled


def title_of(parameters: Parameters) -> str:
    """Return the first line that is sung, or what the prompt begins with."""
    lines = read_lyrics(parameters.lyrics, parameters.duration_s).lines
    sung = next((line.text for line in lines if line.text.strip()), "")
    text = sung or parameters.prompt.split(",")[0]
    return text.strip(" ,.;:!?").capitalize()[:MAX_TITLE_CHARACTERS] or "Song"
