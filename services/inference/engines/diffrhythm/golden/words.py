"""Golden values of the lyrics' front end: which token at which frame, and English phones."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from services.inference.engines.diffrhythm.golden.values import Finding
from services.inference.engines.diffrhythm.lyrics.alignment import align
from services.inference.engines.diffrhythm.lyrics.english import english_phones
from services.inference.engines.diffrhythm.lyrics.espeak import Espeak
from services.inference.engines.diffrhythm.lyrics.frames import BASE_FRAMES, FULL_FRAMES
from services.inference.engines.diffrhythm.lyrics.lrc import parse_lrc
from services.inference.engines.diffrhythm.lyrics.symbols import SYMBOLS, token_ids

_TOKENS = "_tokens"


def lyrics_findings(file: Path) -> Iterator[Finding]:
    """Compare what an lrc.json and the lrc.npz beside it hold; the error is the number of
    tokens or lines that differ."""
    facts = json.loads(file.read_text(encoding="utf-8"))
    lines = parse_lrc(facts["stub_text"])
    with np.load(file.with_suffix(".npz")) as arrays:
        for name in arrays.files:
            if not name.endswith(_TOKENS):
                continue
            wanted = arrays[name][0]
            longest = BASE_FRAMES if len(wanted) == BASE_FRAMES else FULL_FRAMES
            given = lines if wanted.any() else []
            aligned = align(given, len(wanted), longest, _stub)
            different = int((aligned.tokens != wanted).sum())
            yield Finding(file.stem, name, float(different), 0)
            duration = f"{name.removesuffix(_TOKENS)}_duration_fp16"
            off = abs(aligned.duration - float(arrays[duration][0]))
            yield Finding(file.stem, duration, off, 0)
    with Espeak() as speaker:
        for case in facts["words"]:
            same = token_ids(english_phones(case["text"], speaker)) == case["token_ids"]
            yield Finding(file.stem, case["text"][:22], float(not same), 0)


def _stub(text: str) -> list[int]:
    """Make a token of each character, as the golden values' front end did."""
    return [ord(character) % len(SYMBOLS) + 1 for character in text]
