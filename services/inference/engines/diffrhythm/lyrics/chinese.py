"""Chinese phones, by pypinyin. UNVERIFIED: made from the symbols' meaning.

The dictionary that the model was trained with could not be had, so characters with several
readings may get another one than there; no comparison with it has been made.
"""

from __future__ import annotations

import importlib.util
import re

from services.inference.engines.diffrhythm.lyrics.chinese_numbers import write_numbers
from services.inference.engines.diffrhythm.lyrics.chinese_sounds import sounds
from services.inference.engines.diffrhythm.lyrics.english_text import MARKS

VERIFIED = False
"""Whether these phones have been compared with those that the model was trained with."""

_ONE_FORM = str.maketrans(
    {
        "，": ",", "、": ",", "；": ",", "：": ",", "。": ".", "．": ".", "？": "?", "！": "!",
        "’": "'", "‘": "'", "⋯": "…", "·": ",", "～": "…", "—": ",", "–": ",",
    }
)  # fmt: skip
_DOTS = re.compile(r"\.{3,}|…+")
_PARTS = re.compile(rf"[\u4e00-\u9fa5]+|[{re.escape(MARKS)}]")


def is_available() -> bool:
    """Whether this environment has the package that knows how characters are read."""
    return importlib.util.find_spec("pypinyin") is not None


def chinese_phones(text: str) -> list[str]:
    """Return the phones and marks of a Chinese text. Raises ImportError without pypinyin."""
    # Its tables are 7 MB: not for songs without a Chinese word.
    from pypinyin import Style, lazy_pinyin  # noqa: PLC0415

    text = write_numbers(_DOTS.sub("…", text.translate(_ONE_FORM)))
    phones: list[str] = []
    for part in _PARTS.findall("".join(text.split())):
        if part in MARKS:
            if not phones or phones[-1] != part:
                phones.append(part)
            continue
        syllables = lazy_pinyin(
            part, style=Style.TONE3, neutral_tone_with_five=True, tone_sandhi=True, v_to_u=False
        )
        for syllable in syllables:
            phones += sounds(syllable)
    return phones
