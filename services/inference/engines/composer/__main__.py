"""Compose one piece without the studio: writes mix.wav, stems/, score.mid and plan.json."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from musicgen.engine.base import MIX_FILE, Parameters, Reported
from musicgen.engine.validation import validate
from musicgen.errors import InvalidField, StudioError
from musicgen.progress import Progress
from services.inference.engines.composer.engine import Composer
from services.inference.engines.composer.performance import SCORE_FILE
from services.inference.engines.composer.prompt import understand

_EXAMPLES = """examples:
  python -m services.inference.engines.composer "warm lofi hip hop, 82 bpm, rainy night"
  python -m services.inference.engines.composer "solo piano in E minor" --duration 90 --seed 7
  python -m services.inference.engines.composer "deep house" --options '{"tempo_bpm": 122}'
  python -m services.inference.engines.composer "lofi 82" --loop --duration 30 --no-stems
  python -m services.inference.engines.composer --plan out/plan.json --out again
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit status: 0 done, 2 refused."""
    parser = argparse.ArgumentParser(
        prog="python -m services.inference.engines.composer",
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("prompt", nargs="?", default="", help="the music, in plain words")
    parser.add_argument(
        "--duration", type=float, help="seconds (default: what the prompt says, else 60)"
    )
    parser.add_argument("--seed", type=int, help="seed of all randomness (default: 1)")
    parser.add_argument("--plan", type=Path, help="a plan.json, edited or not: it wins")
    parser.add_argument("--loop", action="store_true", help="whole bars that join end to start")
    parser.add_argument(
        "--stems",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="each part as a file of its own, in stems/ (default: yes)",
    )
    parser.add_argument("--options", default="{}", help="JSON of engine options")
    parser.add_argument("--out", type=Path, default=Path(), help="folder (default: this one)")
    chosen = parser.parse_args(arguments)

    def show(told: Reported) -> None:
        if not isinstance(told, Progress):  # nobody waits for it here
            (chosen.out / told.name).unlink()
            return
        line = f"{told.fraction:4.0%} {told.stage} {told.detail}"
        print(f"\r{line:<76.76}", end="", file=sys.stderr, flush=True)

    try:
        parameters = _parameters(chosen)
        chosen.out.mkdir(parents=True, exist_ok=True)
        made = Composer().generate(parameters, chosen.out, show)
    except StudioError as error:
        fields = "".join(f"\n  {name}: {problem}" for name, problem in error.fields.items())
        print(f"{error.message} {error.remedy}{fields}", file=sys.stderr)
        return 2
    stems = [file.name for file in made.files if file.role == "stem"]
    if stems:
        (chosen.out / "stems").mkdir(exist_ok=True)
    for name in stems:
        (chosen.out / name).replace(chosen.out / "stems" / name.removeprefix("stem-"))
    plan_file = chosen.out / "plan.json"
    told = {"prompt": parameters.prompt, "seed": parameters.seed, **made.decisions}
    text = json.dumps(told, indent=2, ensure_ascii=False)
    plan_file.write_text(text + "\n", encoding="utf-8")
    print(file=sys.stderr)
    tempo = f"{made.tempo_bpm:g} bpm" if made.tempo_bpm else ""
    print(f"“{made.title}” · {made.genre} · {tempo} · {made.musical_key}")
    print(f"{chosen.out / MIX_FILE}\n{chosen.out / SCORE_FILE}\n{plan_file}")
    return 0


def _parameters(chosen: argparse.Namespace) -> Parameters:
    """Put together what the command line asks for. Raises StudioError."""
    options = _options(chosen.options)
    prompt, seed = chosen.prompt, 1
    if chosen.plan:
        told = _plan_file(chosen.plan)
        options["plan"] = told.get("plan", told)
        prompt = prompt or str(told.get("prompt", "")) or "a plan"
        seed = told.get("seed", seed)
        if not isinstance(seed, int):
            raise InvalidField("The plan can't be used.", fields={"seed": "is no whole number"})
    if chosen.loop:
        options["loop"] = True
    if chosen.stems:
        options["stems"] = True
    engine = Composer.manifest
    duration_s = chosen.duration
    if duration_s is None:
        asked_s = understand(prompt).length_s or engine.default_duration_s
        duration_s = min(engine.max_duration_s, max(engine.min_duration_s, asked_s))
    seed = seed if chosen.seed is None else chosen.seed
    parameters = Parameters(prompt, "", duration_s, seed, options)
    validate(parameters, engine)
    return parameters


def _options(text: str) -> dict[str, Any]:
    try:
        options = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidField("The options are no JSON.", fields={"--options": str(error)}) from error
    if not isinstance(options, dict):
        raise InvalidField("The options can't be used.", fields={"--options": "is no object"})
    return options


def _plan_file(path: Path) -> dict[str, Any]:
    """Read what this command wrote, or a plan alone."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InvalidField("The plan can't be read.", fields={"--plan": str(error)}) from error
    if not isinstance(told, dict):
        raise InvalidField("The plan can't be used.", fields={"--plan": "is no object"})
    return told


if __name__ == "__main__":
    sys.exit(main())
