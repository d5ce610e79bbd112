"""How a Chinese syllable, given in pinyin, is written in the model's symbols."""

from __future__ import annotations

import re
from collections.abc import Mapping

from services.inference.engines.diffrhythm.lyrics.symbols import TONES

_INITIALS: Mapping[str, str] = {
    "zh": "ts`⁼", "ch": "ts`ʰ", "sh": "s`", "r": "ɹ`", "z": "ts⁼", "c": "tsʰ", "s": "s",
    "b": "p⁼", "p": "pʰ", "m": "m", "f": "f", "d": "t⁼", "t": "tʰ", "n": "n", "l": "l",
    "g": "k⁼", "k": "kʰ", "h": "x", "j": "tʃ⁼", "q": "tʃʰ", "x": "ʃ",
}  # fmt: skip
_FINALS: Mapping[str, str] = {
    "a": "a", "o": "o", "e": "ə", "ê": "ɛ", "ai": "aɪ", "ei": "eɪ", "ao": "ɑʊ", "ou": "oʊ",
    "an": "an", "en": "ən", "ang": "ɑŋ", "eng": "əŋ", "er": "əɹ", "ong": "ʊŋ",
    "i": "i", "ia": "ia", "ie": "iɛ", "iao": "iɑʊ", "iu": "ioʊ", "ian": "jɛn", "in": "in",
    "iang": "iɑŋ", "ing": "iŋ", "iong": "jʊŋ",
    "u": "u", "ua": "ua", "uo": "uo", "uai": "uaɪ", "ui": "ueɪ", "uan": "uan", "un": "uən",
    "uang": "uɑŋ", "ueng": "ʊŋ", "v": "ɥ", "ve": "ɥɛ", "van": "ɥæn", "vn": "ɥn",
}  # fmt: skip
_WITHOUT_INITIAL: Mapping[str, str] = {
    "yi": "i", "ya": "ia", "ye": "ie", "yao": "iao", "you": "iu", "yan": "ian", "yin": "in",
    "yang": "iang", "ying": "ing", "yong": "iong", "yu": "v", "yue": "ve", "yuan": "van",
    "yun": "vn", "yo": "o", "wu": "u", "wa": "ua", "wo": "uo", "wai": "uai", "wei": "ui",
    "wan": "uan", "wen": "un", "wang": "uang", "weng": "ueng",
}  # fmt: skip
_ROUNDED: Mapping[str, str] = {"u": "v", "ue": "ve", "uan": "van", "un": "vn"}
"""After j, q and x, which no plain u follows; `ue` stands for it after n and l as well."""

_BUZZED = ("zh", "ch", "sh", "r", "z", "c", "s")
_SYLLABLE = re.compile(
    rf"({'|'.join(sorted(_INITIALS, key=len, reverse=True))})?([a-zêü]*?)([0-5])?"
)


def sounds(pinyin: str) -> list[str]:
    """Return the symbols of a syllable such as "zhong1"; none for what is no pinyin.

    A syllable without a figure has the first tone; 5 and 0 are the neutral one.
    """
    match = _SYLLABLE.fullmatch(pinyin.replace("ü", "v"))
    if match is None:
        return []
    initial, final, figure = match[1] or "", match[2], int(match[3] or 1)
    tone = TONES[figure % 5]
    if not initial:
        name = _FINALS.get(_WITHOUT_INITIAL.get(final, final))
        return [name + tone] if name else []
    if final == "i" and initial in _BUZZED:
        return [f"{_INITIALS[initial]}ɹ{tone}"]
    if final == "o" and initial in ("b", "p", "m", "f"):
        return [f"{_INITIALS[initial]}wo{tone}"]
    if not final:
        return [_INITIALS[initial]]  # hummed: m, n
    if initial in ("j", "q", "x") or final == "ue":
        final = _ROUNDED.get(final, final)
    name = _FINALS.get(final)
    return [_INITIALS[initial], name + tone] if name else []
