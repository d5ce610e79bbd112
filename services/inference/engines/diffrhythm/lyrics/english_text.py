"""English lyrics made ready to be spoken: marks in one form, words for figures and short forms."""

from __future__ import annotations

import re

from services.inference.engines.diffrhythm.lyrics.english_numbers import spell_numbers

MARKS = ",.?!;:'…"
"""What stays in the text and is a symbol of its own."""

_SHORT_FORMS = {
    "mrs": "misess",  # this spelling gives the phones that the model knows for it
    "mr": "mister", "dr": "doctor", "st": "saint", "co": "company", "jr": "junior",
    "maj": "major", "gen": "general", "drs": "doctors", "rev": "reverend", "lt": "lieutenant",
    "hon": "honorable", "sgt": "sergeant", "capt": "captain", "esq": "esquire",
    "ltd": "limited", "col": "colonel", "ft": "fort", "etc": "et cetera", "btw": "by the way",
}  # fmt: skip
_SHORT_FORM = re.compile(rf"\b(?:{'|'.join(_SHORT_FORMS)})\b", re.IGNORECASE)

_ONE_FORM = str.maketrans(
    {
        "，": ",", "、": ",", "。": ".", "．": ".", "？": "?", "！": "!", "；": ";", "：": ":",
        "’": "'", "‘": "'", "´": "'", "`": "'", "＇": "'", "⋯": "…", "·": ",", "～": "…",
        "—": ",", "–": ",", "＄": "$", "％": "%", "&": " and ", "_": " ",
    }
)  # fmt: skip
_DOTS = re.compile(r"\.{3,}|…+")
_NOT_SUNG = re.compile(rf"[^\w\s{re.escape(MARKS)}]")
_AROUND_MARKS = re.compile(rf"\s*([{re.escape(MARKS)}])\s*")


def normalise(text: str) -> str:
    """Return the text as words, single spaces and MARKS, without spaces around marks."""
    text = text.translate(_ONE_FORM).replace("--", ",")
    text = _DOTS.sub("…", text)
    text = _SHORT_FORM.sub(lambda match: _SHORT_FORMS[match[0].lower()], text)
    text = spell_numbers(text)
    text = _NOT_SUNG.sub("", text)
    text = _AROUND_MARKS.sub(r"\1", text)
    return " ".join(text.split())
