"""What the model can sing: 363 symbols, numbered by their place in this table.

A token is a symbol's number plus one; token 0 is filler, for frames that no line takes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

GAP = "_"
"""Between two words."""

_MARKS_AND_ENGLISH = """
    , . ? ! _
    iː ɪ ɜː ɚ oːɹ ɔː ɔːɹ ɑː uː ʊ ɑːɹ ʌ ɛ æ eɪ aɪ ɔɪ aʊ oʊ ɪɹ ɛɹ ʊɹ
    p b t d k ɡ f v θ ð s z ʃ ʒ h tʃ dʒ m n ŋ j w ɹ l tɹ dɹ ts dz
    i ɔ ə ɾ iə r u oː ɛː ɪː aɪə aɪɚ ɑ\u0303 \u00e7 ɔ\u0303 ææ ɐɐ ɡʲ nʲ iːː
"""
_CHINESE_INITIALS = "p⁼ pʰ t⁼ tʰ k⁼ kʰ x tʃ⁼ tʃʰ ts`⁼ ts`ʰ s` ɹ` ts⁼ tsʰ"
_CHINESE_FINALS = """
    p⁼wo pʰwo mwo fwo jɛn ɥæn in ɥn iŋ ʊŋ jʊŋ ia iɛ iɑʊ ioʊ iɑŋ ua uo uaɪ ueɪ uan uən uɑŋ ɥɛ
    a o ə ɛ aɪ eɪ ɑʊ oʊ an ən ɑŋ əŋ əɹ i u ɥ ts`⁼ɹ ts`ʰɹ s`ɹ ɹ`ɹ ts⁼ɹ tsʰɹ sɹ
"""
_OTHER_LANGUAGES = """
    ɯ e aː ɯː eː c\u0327 ɸ ɰᵝ ɴ g dʑ q ː bj tɕ dej tej gj gɯ c\u0327j kj kɯ mj nj pj ɾj ɕ tsɯ
    ɐ ɑ ɒ ɜ ɫ ʑ ʲ y ø œ ʁ \u0303 ɲ : ; ' …
"""
TONES = ("", "→", "↑", "↓↑", "↓")
"""Written after a Chinese final: the neutral tone, then the first to the fourth."""


def _table() -> tuple[str, ...]:
    toned = [final + tone for final in _CHINESE_FINALS.split() for tone in TONES]
    parts = (_MARKS_AND_ENGLISH.split(), _CHINESE_INITIALS.split(), toned, _OTHER_LANGUAGES.split())
    # Some finals without a tone are English vowels as well: each symbol counts where it is first.
    return tuple(dict.fromkeys(symbol for part in parts for symbol in part))


SYMBOLS: tuple[str, ...] = _table()
NUMBERS: Mapping[str, int] = MappingProxyType({name: i for i, name in enumerate(SYMBOLS)})

FILLER_TOKEN = 0
COMMA_TOKEN = NUMBERS[","] + 1
STOP_TOKEN = NUMBERS["."] + 1
LAST_TOKEN = len(SYMBOLS)


def token_ids(phones: Iterable[str]) -> list[int]:
    """Return the token of each phone; those that the model doesn't know are left out."""
    return [NUMBERS[phone] + 1 for phone in phones if phone in NUMBERS]


def unknown_phones(phones: Iterable[str]) -> tuple[str, ...]:
    """Return the phones that the model doesn't know, each once."""
    return tuple(dict.fromkeys(phone for phone in phones if phone not in NUMBERS))
