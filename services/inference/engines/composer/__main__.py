"""Compose one piece without the studio: writes mix.wav and plan.json."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from musicgen.engine.base import MIX_FILE, Parameters
from musicgen.errors import StudioError
from musicgen.progress import Progress
from services.inference.engines.composer.engine import Composer

_EXAMPLES = """examples:
  python -m services.inference.engines.composer "warm lofi hip hop, 82 bpm, rainy night"
  python -m services.inference.engines.composer "solo piano in E minor" --duration 90 --seed 7
  python -m services.inference.engines.composer "deep house" --options '{"tempo_bpm": 122}'
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit status: 0 done, 2 refused."""
    parser = argparse.ArgumentParser(
        prog="python -m services.inference.engines.composer",
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("prompt", help="description of the music, in plain words")
    parser.add_argument("--duration", type=float, default=60.0, help="seconds (default: 60)")
    parser.add_argument("--seed", type=int, default=1, help="seed of all randomness (default: 1)")
    parser.add_argument("--options", type=json.loads, default={}, help="JSON of engine options")
    parser.add_argument("--out", type=Path, default=Path(), help="folder (default: this one)")
    chosen = parser.parse_args(arguments)

    def show(progress: Progress) -> None:
        line = f"{progress.fraction:4.0%} {progress.stage} {progress.detail}"
        print(f"\r{line:<76.76}", end="", file=sys.stderr, flush=True)

    chosen.out.mkdir(parents=True, exist_ok=True)
    parameters = Parameters(chosen.prompt, "", chosen.duration, chosen.seed, chosen.options)
    try:
        made = Composer().generate(parameters, chosen.out, show)
    except StudioError as error:
        fields = "".join(f"\n  {name}: {problem}" for name, problem in error.fields.items())
        print(f"{error.message} {error.remedy}{fields}", file=sys.stderr)
        return 2
    plan_file = chosen.out / "plan.json"
    decisions = json.dumps(dict(made.decisions), indent=2, ensure_ascii=False)
    plan_file.write_text(decisions + "\n", encoding="utf-8")
    print(file=sys.stderr)
    tempo = f"{made.tempo_bpm:g} bpm" if made.tempo_bpm else ""
    print(f"“{made.title}” · {made.genre} · {tempo} · {made.musical_key}")
    print(f"{chosen.out / MIX_FILE}\n{plan_file}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
