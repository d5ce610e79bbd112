"""The plan as JSON: written for people to read and edit, and read back with care."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from musicgen.errors import InvalidField
from services.inference.engines.composer.form import ENERGY, Section, laid_out
from services.inference.engines.composer.harmony import Progression
from services.inference.engines.composer.options import MAX_SEED, TEXTURES
from services.inference.engines.composer.patterns.arp import ARPS
from services.inference.engines.composer.patterns.bass import BASSES
from services.inference.engines.composer.patterns.comping import COMPINGS
from services.inference.engines.composer.patterns.grooves import GROOVES
from services.inference.engines.composer.plan import SAMPLE_RATE_HZ, Plan
from services.inference.engines.composer.profiles import PARTS, PROFILES
from services.inference.engines.composer.quantities import MAX_TEMPO_BPM, MIN_TEMPO_BPM
from services.inference.engines.composer.streams import LAYERS
from services.inference.engines.composer.synth.drums import KITS
from services.inference.engines.composer.synth.instruments import NAMES
from services.inference.engines.composer.theory import METRES, PITCH_NAMES, SCALES

MAX_DURATION_S = 610.0
_MAX_SECTIONS = 400
_STYLES: dict[str, tuple[str, Iterable[str]]] = {
    "groove": ("drums", GROOVES), "bass": ("bass", BASSES), "comping": ("chords", COMPINGS),
    "arp": ("arp", ARPS),
}  # fmt: skip
_CURVES = ("", "rising", "falling", "arch", "steady")
_TOLD = frozenset({"key", "bars", "duration_s"})
"""Written for the reader, not read back: they follow from the rest."""


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
    reader = _Reader()
    plan = reader.plan(values, at)
    if reader.wrong or plan is None:
        raise InvalidField("The plan can't be used.", fields=reader.wrong)
    return plan


class _Reader:
    """Reads values, and collects what is wrong by path."""

    def __init__(self) -> None:
        self.wrong: dict[str, str] = {}

    def plan(self, values: object, at: str) -> Plan | None:
        names = [item.name for item in dataclasses.fields(Plan)]
        found = self._object(values, at, {*names, *_TOLD}, _OPTIONAL | _TOLD)
        if self.wrong:
            return None
        parts = self._parts(found["parts"], f"{at}.parts")
        plan = Plan(
            title=self._text(found["title"], f"{at}.title"),
            family=self._choice(found["family"], PROFILES, f"{at}.family"),
            accent=self._choice(found.get("accent", ""), ("", *PROFILES), f"{at}.accent"),
            tempo_bpm=self._number(
                found["tempo_bpm"], MIN_TEMPO_BPM, MAX_TEMPO_BPM, f"{at}.tempo_bpm"
            ),
            tonic=self._whole(found["tonic"], 0, len(PITCH_NAMES) - 1, f"{at}.tonic"),
            mode=self._choice(found["mode"], SCALES, f"{at}.mode"),
            metre=self._choice(found["metre"], METRES, f"{at}.metre"),
            swing=self._number(found["swing"], 0, 0.6, f"{at}.swing"),
            energy=self._number(found["energy"], 0, 1, f"{at}.energy"),
            valence=self._number(found["valence"], -1, 1, f"{at}.valence"),
            brightness=self._number(found["brightness"], -1, 1, f"{at}.brightness"),
            parts=parts,
            styles=self._styles(found["styles"], parts, f"{at}.styles"),
            texture=self._choice(found["texture"], ("", *TEXTURES[:-1]), f"{at}.texture"),
            ring_frames=self._whole(
                found["ring_frames"], -20 * SAMPLE_RATE_HZ, 60 * SAMPLE_RATE_HZ,
                f"{at}.ring_frames",
            ),
            sections=self._sections(found["sections"], parts, f"{at}.sections"),
            progressions=self._progressions(found["progressions"], f"{at}.progressions"),
            bars_per_chord=self._number(found["bars_per_chord"], 0.25, 8, f"{at}.bars_per_chord"),
            loop=self._flag(found.get("loop", False), f"{at}.loop"),
            curve=self._choice(found.get("curve", ""), _CURVES, f"{at}.curve"),
            words=self._text(found.get("words", ""), f"{at}.words"),
            seeds=self._seeds(found.get("seeds", {}), f"{at}.seeds"),
        )  # fmt: skip
        if self.wrong:
            return None
        self._length(plan, at)
        return plan

    def _length(self, plan: Plan, at: str) -> None:
        duration_s = plan.duration_frames / SAMPLE_RATE_HZ
        if not 1.0 <= duration_s <= MAX_DURATION_S:
            self.wrong[f"{at}.sections"] = (
                f"They last {duration_s:.1f} s; between 1 and {MAX_DURATION_S:g} s is possible."
            )
        if plan.loop and plan.ring_frames:
            self.wrong[f"{at}.ring_frames"] = "Must be 0 in a loop."
        if not plan.bar.is_even and plan.swing:
            self.wrong[f"{at}.swing"] = f"Must be 0 in {plan.metre}."

    def _object(
        self, value: object, at: str, known: Iterable[str], optional: Iterable[str] = ()
    ) -> Mapping[str, Any]:
        if not isinstance(value, Mapping):
            self.wrong[at] = "An object is needed."
            return {}
        for name in set(known) - set(optional) - set(value):
            self.wrong[f"{at}.{name}"] = "Is missing."
        for name in set(value) - set(known):
            self.wrong[f"{at}.{name}"] = "There is no such field."
        return value

    def _text(self, value: object, at: str) -> str:
        if isinstance(value, str) and len(value) <= 200:
            return value
        self.wrong[at] = "A text of at most 200 characters is needed."
        return ""

    def _flag(self, value: object, at: str) -> bool:
        if not isinstance(value, bool):
            self.wrong[at] = "True or false is needed."
        return value is True

    def _number(self, value: object, low: float, high: float, at: str) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
            self.wrong[at] = "A number is needed."
            return low
        if not low <= value <= high:
            self.wrong[at] = f"Must lie between {low:g} and {high:g}."
            return low
        return float(value)

    def _whole(self, value: object, low: int, high: int, at: str) -> int:
        number = self._number(value, low, high, at)
        if at not in self.wrong and number != int(number):
            self.wrong[at] = "A whole number is needed."
        return int(number)

    def _choice(self, value: object, allowed: Iterable[str], at: str) -> str:
        names = list(allowed)
        if isinstance(value, str) and value in names:
            return value
        self.wrong[at] = f"Must be one of {', '.join(name or 'an empty text' for name in names)}."
        return names[0]

    def _list(self, value: object, at: str, most: int) -> Sequence[Any]:
        if not isinstance(value, list | tuple) or len(value) > most:
            self.wrong[at] = f"A list of at most {most} items is needed."
            return ()
        return value

    def _parts(self, value: object, at: str) -> dict[str, str]:
        found = self._object(value, at, PARTS, PARTS)
        if not found and at not in self.wrong:
            self.wrong[at] = "At least one part must play."
        return {
            part: self._choice(
                found[part], KITS if part == "drums" else sorted(NAMES), f"{at}.{part}"
            )
            for part in PARTS
            if part in found
        }

    def _styles(self, value: object, parts: Mapping[str, str], at: str) -> dict[str, str]:
        needed = [name for name, (part, _) in _STYLES.items() if part in parts]
        found = self._object(value, at, _STYLES, set(_STYLES) - set(needed))
        return {
            name: self._choice(found[name], _STYLES[name][1], f"{at}.{name}")
            for name in needed
            if name in found
        }

    def _sections(self, value: object, parts: Mapping[str, str], at: str) -> tuple[Section, ...]:
        plain: list[tuple[str, int, float]] = []
        extras: list[tuple[tuple[str, ...], tuple[str, ...], float]] = []
        derived = {"start_bar", "repeat"}
        known = {"kind", "bars", "energy", "parts", "late", "rest_beats"} | derived
        items = self._list(value, at, _MAX_SECTIONS)
        if not items and at not in self.wrong:
            self.wrong[at] = "At least one section is needed."
        for index, item in enumerate(items):
            place = f"{at}[{index}]"
            found = self._object(item, place, known, derived | {"late", "rest_beats"})
            if not {"kind", "bars", "energy", "parts"} <= set(found):
                continue
            plain.append(
                (
                    self._choice(found["kind"], ENERGY, f"{place}.kind"),
                    self._whole(found["bars"], 1, 1000, f"{place}.bars"),
                    self._number(found["energy"], 0, 1, f"{place}.energy"),
                )
            )
            playing = self._names(found["parts"], parts, f"{place}.parts")
            late = self._names(found.get("late", []), playing, f"{place}.late")
            rest = self._number(found.get("rest_beats", 0), 0, 64, f"{place}.rest_beats")
            extras.append((playing, late, rest))
        return tuple(
            dataclasses.replace(section, parts=playing, late=late, rest_beats=rest)
            for section, (playing, late, rest) in zip(laid_out(plain), extras, strict=True)
        )

    def _names(self, value: object, allowed: Iterable[str], at: str) -> tuple[str, ...]:
        names = list(allowed) or ["no part"]
        chosen = [
            self._choice(item, names, f"{at}[{index}]")
            for index, item in enumerate(self._list(value, at, len(PARTS)))
        ]
        return tuple(part for part in PARTS if part in chosen)

    def _progressions(self, value: object, at: str) -> dict[str, Progression]:
        found = self._object(value, at, ("A", "B", "C"))
        read: dict[str, Progression] = {}
        for kind, item in found.items():
            place = f"{at}.{kind}"
            fields = self._object(
                item, place, ("chords", "degrees", "raised", "tones"), ("chords",)
            )
            if not {"degrees", "raised", "tones"} <= set(fields):
                continue
            degrees = [
                self._whole(degree, 1, 7, f"{place}.degrees[{i}]") - 1
                for i, degree in enumerate(self._list(fields["degrees"], f"{place}.degrees", 16))
            ]
            raised = [
                self._flag(flag, f"{place}.raised[{i}]")
                for i, flag in enumerate(self._list(fields["raised"], f"{place}.raised", 16))
            ]
            if len(raised) != len(degrees):
                self.wrong.setdefault(f"{place}.raised", "Needs one value for each degree.")
            if len(degrees) < 3:
                self.wrong.setdefault(f"{place}.degrees", "At least three chords are needed.")
            tones = self._whole(fields["tones"], 3, 5, f"{place}.tones")
            read[kind] = Progression(tuple(degrees), tuple(raised), tones)
        return read

    def _seeds(self, value: object, at: str) -> dict[str, int]:
        found = self._object(value, at, LAYERS, LAYERS)
        return {
            layer: self._whole(seed, 0, MAX_SEED, f"{at}.{layer}")
            for layer, seed in found.items()
            if layer in LAYERS
        }


_OPTIONAL = frozenset({"accent", "loop", "curve", "words", "seeds"})
