"""A title for a piece, drawn from its prompt where the prompt has an image to offer."""

from __future__ import annotations

import functools
import re

from services.inference.engines.composer import lexicon
from services.inference.engines.composer.streams import Streams, pick

MAX_WORDS = 5

_TECHNICAL = re.compile(
    r"\b\d+(?:\.\d+)?\s*-?(?:bpm|beats? per minute|seconds?|minutes?|min|s)\b|\b\d+/\d+\b"
    r"|\b(?:in|key of)?\s*[A-Ga-g](?:#|b|\s(?:sharp|flat))?\s+"
    r"(?:major|minor|dorian|lydian|phrygian|mixolydian)\b"
    r"|\bkey of [A-G][#b]?\b|\bin [A-G][#b]?m?\b"
    r"|\b(?:no|not|without)\s[^,.;]*",
    re.IGNORECASE,
)
_BREAKS = re.compile(r"[,.;:!?()\n]|\b(?:with|for|about)\b")
_WORD = re.compile(r"[^\W_][\w'’-]*")
_NOUNS = {
    "lofi": ("Window Seat", "Corner Lamp", "Last Train", "Second Coffee", "Quiet Block"),
    "house": ("Afterglow", "Rooftop", "Mirror Hall", "First Light", "Open Doors"),
    "techno": ("Concrete", "Strobe", "Machine Room", "Night Shift", "Pressure"),
    "ambient": ("Still Water", "Pale Sky", "Slow Orbit", "Snowfield", "Deep Rest"),
    "cinematic": ("The Crossing", "Old Kingdom", "Last Stand", "Horizon", "The Summit"),
    "synthwave": ("Neon Mile", "Chrome Sunset", "Grid Runner", "Night Drive", "Arcade Sky"),
    "trap": ("Cold Streets", "Low Beams", "No Sleep", "Black Ice", "Side Door"),
    "hiphop": ("Block Party", "Corner Store", "Brown Paper", "Crate Find", "Long Way Up"),
    "jazz": ("Blue Table", "After Hours", "Second Set", "Smoke Ring", "Late Taxi"),
    "rock": ("Open Road", "Loose Wire", "Burn Bright", "Gravel", "Loud Summer"),
    "pop": ("Paper Stars", "Good Day", "Confetti", "Golden Hour", "Say It Again"),
    "acoustic": ("Porch Light", "River Bend", "Wildflower", "Campfire", "Long Field"),
    "chiptune": ("Level Up", "Pixel Hero", "Bonus Stage", "Final Boss", "Coin Run"),
    "piano": ("Letter", "Empty Room", "First Snow", "Evening Study", "Small Hours"),
}
_NOUNS |= {
    "study": ("Open Notebook", "Library Hours", "Desk Light", "Margin Notes", "Third Chapter"),
    "reggae": ("Mango Street", "Easy Sunday", "Salt Air", "Slow Ferry", "Tin Roof"),
    "latin": ("Plaza", "Red Dress", "Corner of Sol", "Long Table", "Noche Clara"),
    "funk": ("Loose Change", "Back Pocket", "Roller Rink", "Sharp Suit", "Soul Kitchen"),
    "dnb": ("Undertow", "Fast Water", "Night Bus", "Pressure Drop", "Cloud Runner"),
    "bossa": ("Ipanema Rain", "Sand and Salt", "Blue Shutters", "Two Coffees", "Veranda"),
    "sleep": ("Soft Descent", "Pillow", "Far Shore", "Slow Tide", "Moonlit Room"),
    "meditation": ("Single Breath", "Stone Garden", "Inner Lake", "Bowl and Bell", "Stillness"),
    "nature": ("Wet Leaves", "Under the Eaves", "Green Hush", "Long Rain", "Moss"),
}
_SHADES = ("Amber", "Silver", "Distant", "Hidden", "Velvet", "Blue", "Quiet", "Endless")


def make_title(prompt: str, family: str, streams: Streams) -> str:
    """Return a title of one to five words in title case.

    An image in the prompt ("rainy night") makes the title; genres, instruments, tempi and
    keys don't. Where there is no image the family offers one.
    """
    best: list[str] = []
    best_score = 0.0
    for chunk in _BREAKS.split(_technical_words().sub(",", _TECHNICAL.sub(",", prompt))):
        words = _WORD.findall(chunk)
        while words and (words[0].lower() in lexicon.FILLERS or words[0].isdigit()):
            words.pop(0)
        words = words[:MAX_WORDS]
        while words and words[-1].lower() in lexicon.FILLERS:
            words.pop()
        images = sum(
            word.lower() not in lexicon.MOODS and word.lower() not in lexicon.FILLERS
            for word in words
        )
        score = images + 0.3 * min(len(words), 3)
        if images and score > best_score:
            best, best_score = words, score
    if best:
        return " ".join(
            word if i and word.lower() in lexicon.FILLERS else word[:1].upper() + word[1:]
            for i, word in enumerate(best)
        )
    rng = streams.layer("title")
    noun = pick(rng, _NOUNS[family])
    return noun if " " in noun else f"{pick(rng, _SHADES)} {noun}"


@functools.cache
def _technical_words() -> re.Pattern[str]:
    words = {
        *lexicon.GENRES,
        *lexicon.TEMPO_WORDS,
        *lexicon.PARTS,
        *lexicon.ABSENT_PARTS,
        *lexicon.INSTRUMENTS,
        "music",
        "song",
        "track",
        "theme",
    }
    longest_first = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
    return re.compile(rf"(?<!\w)(?:{longest_first})(?!\w)", re.IGNORECASE)
