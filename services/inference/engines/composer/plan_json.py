"""The plan as JSON: written for people to read and edit, and read back with care."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from musicgen.engine.validation import problems
from musicgen.errors import InvalidField
from services.inference.engines.composer.form import laid_out
from services.inference.engines.composer.harmony import Progression
from services.inference.engines.composer.plan import SAMPLE_RATE_HZ, Plan
from services.inference.engines.composer.plan_schema import SCHEMA, STYLES, TOLD
from services.inference.engines.composer.profiles import PARTS

MIN_DURATION_S, MAX_DURATION_S = 1.0, 610.0


def plan_to_json(plan: Plan) -> dict[str, Any]:
    """The plan as plain JSON values; `plan_from_json` reads them."""
    values = dataclasses.asdict(plan)
    values["sections"] = [
        {**dataclasses.asdict(section), "parts": list(section.parts), "late": list(section.late)}
        for section in plan.sections
    ]
    values["progressions"] = {
        kind: {
            "chords": chords.names(plan.tonic, plan.mode),
            "degrees": [degree + 1 for degree in chords.degrees],
            "raised": list(chords.raised),
            "tones": chords.tones,
        }
        for kind, chords in plan.progressions.items()
    }
    values["key"] = plan.key
    values["bars"] = plan.bars
    values["duration_s"] = round(plan.duration_frames / SAMPLE_RATE_HZ, 4)
    return values


def plan_from_json(values: object, at: str = "options.plan") -> Plan:
    """Read a plan. Raises InvalidField with the path of every value that can't be used."""
    wrong = dict(problems(values, SCHEMA, at))
    if not wrong and isinstance(values, Mapping):
        plan = _read(values)
        wrong = dict(_contradictions(plan, values, at))
        if not wrong:
            return plan
    raise InvalidField("The plan can't be used.", fields=wrong)


def _contradictions(plan: Plan, values: Mapping[str, Any], at: str) -> Iterator[tuple[str, str]]:
    """Yield what is wrong between fields that are each well-formed."""
    for name, (part, _) in STYLES.items():
        if part in plan.parts and name not in plan.styles:
            yield f"{at}.styles.{name}", f"is missing; the {part} need it"
    for index, section in enumerate(values["sections"]):
        yield from _strangers(section["parts"], plan.parts, f"{at}.sections[{index}].parts")
        yield from _strangers(
            section.get("late", ()), section["parts"], f"{at}.sections[{index}].late"
        )
    for kind, chords in plan.progressions.items():
        if len(chords.raised) != len(chords.degrees):
            yield f"{at}.progressions.{kind}.raised", "needs one value for each degree"
    if plan.loop and plan.ring_frames:
        yield f"{at}.ring_frames", "must be 0 in a loop"
    if plan.swing and not plan.bar.is_even:
        yield f"{at}.swing", f"must be 0 in {plan.metre}"
    duration_s = plan.duration_frames / SAMPLE_RATE_HZ
    if not MIN_DURATION_S <= duration_s <= MAX_DURATION_S:
        possible = f"{MIN_DURATION_S:g} to {MAX_DURATION_S:g} s are possible"
        yield f"{at}.sections", f"last {duration_s:.1f} s; {possible}"


def _strangers(parts: Sequence[str], known: Collection[str], at: str) -> Iterator[tuple[str, str]]:
    """Yield the parts that play nothing here."""
    for place, part in enumerate(parts):
        if part not in known:
            yield f"{at}[{place}]", f"must be one of {', '.join(known) or 'no parts'}"


def _read(values: Mapping[str, Any]) -> Plan:
    """Make a plan of values that fit the schema."""
    plain = {name: value for name, value in values.items() if name not in TOLD}
    plain |= {name: float(values[name]) for name in _REAL}
    sections = laid_out(
        [(item["kind"], int(item["bars"]), float(item["energy"])) for item in values["sections"]]
    )
    return Plan(
        **{
            **plain,
            "tonic": int(values["tonic"]),
            "ring_frames": int(values["ring_frames"]),
            "accent": values.get("accent", ""),
            "parts": {part: values["parts"][part] for part in _in_order(values["parts"])},
            "styles": {
                name: values["styles"][name]
                for name, (part, _) in STYLES.items()
                if part in values["parts"] and name in values["styles"]
            },
            "sections": tuple(
                dataclasses.replace(
                    section,
                    parts=_in_order(item["parts"]),
                    late=_in_order(item.get("late", ())),
                    rest_beats=float(item.get("rest_beats", 0)),
                )
                for section, item in zip(sections, values["sections"], strict=True)
            ),
            "progressions": {
                kind: Progression(
                    tuple(int(degree) - 1 for degree in item["degrees"]),
                    tuple(item["raised"]),
                    int(item["tones"]),
                )
                for kind, item in values["progressions"].items()
            },
            "seeds": {layer: int(seed) for layer, seed in values.get("seeds", {}).items()},
        }
    )


_REAL = ("tempo_bpm", "swing", "energy", "valence", "brightness", "bars_per_chord")


def _in_order(parts: Collection[str]) -> tuple[str, ...]:
    return tuple(part for part in PARTS if part in parts)
