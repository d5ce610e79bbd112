"""The composer as an engine: reads what is asked for, plans, performs, and tells."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from musicgen.engine.base import Engine, ExtraFile, Generation, Manifest, Parameters, Report
from musicgen.errors import InvalidField, InvalidPrompt
from services.inference.engines.composer.form import body
from services.inference.engines.composer.options import SCHEMA, Options, read_options
from services.inference.engines.composer.performance import SCORE_FILE, Performance
from services.inference.engines.composer.plan import SAMPLE_RATE_HZ, Plan, make_plan
from services.inference.engines.composer.plan_json import plan_from_json, plan_to_json
from services.inference.engines.composer.plan_schema import SCHEMA as PLAN_SCHEMA
from services.inference.engines.composer.prompt import Understanding, understand
from services.inference.engines.composer.recording import STEM_GAIN_DB, stem_file, stem_names
from services.inference.engines.composer.score import Clock
from services.inference.engines.composer.sounds.bank import Bank, BankUnusable, installed
from services.inference.engines.composer.streams import Streams, digest_of

VERSION = "0.3.0"

_UNSUNG = ("lyrics (the composer does not sing)",)


class Composer(Engine):
    """Composes from the prompt and plays it with its own synths. No model, no download."""

    manifest = Manifest(
        name="composer",
        display_name="Composer",
        version=VERSION,
        description=(
            "Writes and plays instrumental music from a description: tempo, key, mood, genre "
            "and instruments are read from plain words. Works at once, on any processor."
        ),
        license="Apache-2.0",
        sample_rate_hz=SAMPLE_RATE_HZ,
        channels=2,
        min_duration_s=5.0,
        max_duration_s=600.0,
        default_duration_s=60.0,
        supports_lyrics=False,
        options_schema={
            **SCHEMA,
            "properties": {**SCHEMA["properties"], "plan": PLAN_SCHEMA},
        },
    )

    def generate(self, parameters: Parameters, scratch: Path, report: Report) -> Generation:
        """See Engine. Raises InvalidPrompt and InvalidField for what can't be composed."""
        if not parameters.prompt.strip():
            raise InvalidPrompt("The prompt is empty.")
        low_s, high_s = self.manifest.min_duration_s, self.manifest.max_duration_s
        if not low_s <= parameters.duration_s <= high_s:
            problem = f"Must lie between {low_s:g} and {high_s:g} seconds."
            raise InvalidField(
                "The composer can't make a piece of that length.",
                fields={"parameters.duration_seconds": problem},
            )
        options = read_options(parameters.options)
        heard = understand(parameters.prompt)
        plan, unused = _plan(parameters, heard, options)
        streams = plan.streams(parameters.seed)
        bank, sounds = _sounds()
        performance = Performance(plan, streams, bank, scratch, report)
        lufs = performance.perform(stems=options.stems)
        sung = _UNSUNG[: bool(parameters.lyrics.strip())]
        return Generation(
            title=plan.title,
            genre=plan.profile.label,
            tempo_bpm=plan.tempo_bpm,
            musical_key=plan.key,
            loop_frames=_loop_frames(plan),
            decides_length=plan.loop or options.plan is not None,
            files=_files(plan, stems=options.stems),
            decisions={
                "plan": plan_to_json(plan),
                "understood": understood(heard),
                "ignored": [*heard.ignored, *unused, *sung],
                "length": _length_told(plan, parameters.duration_s, heard),
                "loudness_lufs": round(lufs, 2),
                "sounds": sounds,
                **({"stem_gain_db": STEM_GAIN_DB} if options.stems else {}),
            },
        )


def _plan(parameters: Parameters, heard: Understanding, options: Options) -> tuple[Plan, list[str]]:
    """Make the plan, or read the one that was given; and say which wishes it overrules."""
    if options.plan is None:
        words = digest_of(parameters.prompt)
        streams = Streams(parameters.seed, words, options.seeds)
        return make_plan(parameters.prompt, heard, options, parameters.duration_s, streams), []
    plan = plan_from_json(options.plan)
    changes: dict[str, Any] = {"seeds": {**plan.seeds, **options.seeds}}
    if options.tempo_bpm is not None:
        changes["tempo_bpm"] = options.tempo_bpm
    if options.tonic is not None:
        changes["tonic"] = options.tonic
    if options.mode is not None:
        changes["mode"] = options.mode
    if options.texture is not None:
        changes["texture"] = "" if options.texture == "none" else options.texture
    overruled = {"genre", "metre", "energy", "instruments", "without", "loop"}
    unused = sorted(overruled & set(parameters.options))
    told = [f"options.{name} (the plan decides it)" for name in unused]
    return dataclasses.replace(plan, **changes), told


def _length_told(plan: Plan, asked_s: float, heard: Understanding) -> dict[str, object]:
    """What became of the length that was asked for."""
    made_s = plan.duration_frames / SAMPLE_RATE_HZ
    told: dict[str, object] = {
        "asked_s": asked_s, "made_s": round(made_s, 4), "bars": plan.bars, "loop": plan.loop,
    }  # fmt: skip
    if plan.loop:
        told["note"] = (
            f"A loop of exactly {plan.bars} bars at {plan.tempo_bpm:g} bpm: {made_s:.2f} s."
        )
    elif heard.length_s is not None and abs(heard.length_s - made_s) > 0.5:
        told["note"] = f"The prompt says {heard.length_s:g} s; the length asked for wins."
    return told


def understood(heard: Understanding) -> dict[str, object]:
    """What a prompt was taken to say, as plain JSON, without what it didn't say."""
    values: dict[str, object] = {}
    for name in heard.__dataclass_fields__:
        value = getattr(heard, name)
        if name != "ignored" and value not in (None, (), {}, 0.0, False, ""):
            values[name] = list(value) if isinstance(value, tuple) else value
    if heard.corrected:
        values["corrected"] = dict(heard.corrected)
    if heard.tonic == 0:
        values["tonic"] = 0
    return values


def _files(plan: Plan, *, stems: bool) -> list[ExtraFile]:
    """What lies beside the mix: the score, and the stems if they were wanted."""
    names = stem_names(plan) if stems else ()
    return [
        ExtraFile(SCORE_FILE, "midi", "Score"),
        *(
            ExtraFile(stem_file(name), "stem", name.replace("_", " ").capitalize())
            for name in names
        ),
    ]


def _sounds() -> tuple[Bank | None, dict[str, str]]:
    """The recorded sounds, if there are any, and what the decisions say of them."""
    try:
        bank = installed()
    except BankUnusable as problem:
        return None, {"bank": "", "note": f"{problem} Synthesised voices play instead."}
    return bank, {"bank": bank.digest}


def _loop_frames(plan: Plan) -> tuple[int, int] | None:
    """All of a loop; else whole bars without intro and outro, None where a bar is cut."""
    if plan.loop:
        return 0, plan.duration_frames
    clock = Clock(plan)
    start, end = (clock.frame(bar, 0.0) for bar in body(plan.sections))
    return (start, end) if start < end <= plan.duration_frames else None
