"""The words the composer knows. Phrases are lower case; longer ones are tried first."""

from __future__ import annotations

from services.inference.engines.composer.genre_words import GENRES

MOODS: dict[str, tuple[float, float, float]] = {
    **dict.fromkeys(("happy", "joyful", "cheerful", "uplifting", "sunny"), (0.8, 0.25, 0.3)),
    **dict.fromkeys(("playful", "fun", "bouncy", "quirky", "cute"), (0.6, 0.3, 0.3)),
    **dict.fromkeys(("hopeful", "inspiring", "triumphant", "heroic", "bright"), (0.6, 0.2, 0.35)),
    **dict.fromkeys(("romantic", "tender", "sweet", "love", "gentle"), (0.3, -0.3, -0.05)),
    **dict.fromkeys(("warm", "cozy", "cosy", "mellow", "soft", "smooth"), (0.15, -0.25, -0.35)),
    **dict.fromkeys(("calm", "peaceful", "relaxing", "serene", "quiet"), (0.2, -0.5, -0.25)),
    **dict.fromkeys(("chill", "chilled", "laid back", "laid-back", "lazy"), (0.1, -0.3, -0.2)),
    **dict.fromkeys(("dreamy", "ethereal", "floating", "spacey", "hazy"), (0.1, -0.35, 0.0)),
    **dict.fromkeys(("sleepy", "soothing", "meditative", "slow-burning"), (0.1, -0.6, -0.4)),
    **dict.fromkeys(
        ("sad", "melancholic", "melancholy", "sorrowful", "lonely"), (-0.8, -0.3, -0.2)
    ),
    **dict.fromkeys(("nostalgic", "bittersweet", "wistful", "moody"), (-0.4, -0.15, -0.15)),
    **dict.fromkeys(("dark", "ominous", "sinister", "gloomy", "haunting"), (-0.8, 0.05, -0.45)),
    **dict.fromkeys(("mysterious", "tense", "suspense", "eerie", "cold"), (-0.6, 0.0, -0.15)),
    **dict.fromkeys(
        ("angry", "aggressive", "brutal", "heavy", "intense", "hard"), (-0.5, 0.6, 0.1)
    ),
    **dict.fromkeys(("epic", "dramatic", "massive", "powerful", "huge"), (-0.2, 0.55, 0.1)),
    **dict.fromkeys(("energetic", "driving", "upbeat", "pumping", "hype"), (0.25, 0.55, 0.25)),
    **dict.fromkeys(("groovy", "funky", "danceable", "catchy"), (0.3, 0.25, 0.1)),
    **dict.fromkeys(("minimal", "sparse", "intimate", "delicate"), (0.0, -0.4, 0.0)),
}
"""Word → how it moves (valence, energy, brightness), each -1 to 1."""

INSTRUMENTS: dict[str, str] = {
    **dict.fromkeys(("piano", "grand piano", "pianos", "felt piano", "upright piano"), "piano"),
    **dict.fromkeys(
        ("electric piano", "rhodes", "wurlitzer", "wurli", "e-piano", "keys"), "electric_piano"
    ),
    **dict.fromkeys(("organ", "hammond", "drawbar organ"), "organ"),
    **dict.fromkeys(("church organ", "pipe organ", "cathedral organ"), "church_organ"),
    **dict.fromkeys(
        (
            "guitar",
            "guitars",
            "acoustic guitar",
            "nylon guitar",
            "ukulele",
            "fingerpicked guitar",
            "classical guitar",
            "spanish guitar",
        ),
        "acoustic_guitar",
    ),
    **dict.fromkeys(("steel guitar", "steel string guitar", "western guitar"), "steel_guitar"),
    **dict.fromkeys(("jazz guitar", "archtop", "hollow body guitar"), "jazz_guitar"),
    **dict.fromkeys(("banjo", "mandolin"), "banjo"),
    **dict.fromkeys(("sitar",), "sitar"),
    **dict.fromkeys(("electric guitar", "clean guitar"), "electric_guitar"),
    **dict.fromkeys(("distorted guitar", "heavy guitar", "power chords"), "distorted_guitar"),
    **dict.fromkeys(("harp", "lyre"), "harp"),
    **dict.fromkeys(("koto", "guzheng", "shamisen"), "koto"),
    **dict.fromkeys(("harpsichord", "clavecin"), "harpsichord"),
    **dict.fromkeys(("kalimba", "thumb piano", "mbira"), "kalimba"),
    **dict.fromkeys(("bells", "bell", "chimes"), "bells"),
    **dict.fromkeys(("music box",), "music_box"),
    **dict.fromkeys(("glockenspiel",), "glockenspiel"),
    **dict.fromkeys(("celesta", "celeste"), "celesta"),
    **dict.fromkeys(("vibraphone", "vibes"), "vibraphone"),
    **dict.fromkeys(("marimba",), "marimba"),
    **dict.fromkeys(("xylophone",), "xylophone"),
    **dict.fromkeys(("steel drums", "steel drum", "steelpan", "steel pan"), "steel_drums"),
    **dict.fromkeys(
        ("strings", "string section", "string quartet", "quartet", "violins", "orchestra"),
        "strings",
    ),
    **dict.fromkeys(("violin", "viola", "fiddle"), "violin"),
    **dict.fromkeys(("cello", "violoncello", "cellos"), "cello"),
    **dict.fromkeys(("pizzicato", "pizzicato strings", "plucked strings"), "pizzicato"),
    **dict.fromkeys(("choir", "voices", "vocal pads"), "choir"),
    **dict.fromkeys(("oohs", "vocal oohs", "humming"), "voice"),
    **dict.fromkeys(("brass", "horns", "brass section"), "brass"),
    **dict.fromkeys(("french horn", "french horns"), "french_horn"),
    **dict.fromkeys(("trombone", "trombones"), "trombone"),
    **dict.fromkeys(("trumpet",), "trumpet"),
    **dict.fromkeys(("muted trumpet", "harmon mute"), "muted_trumpet"),
    **dict.fromkeys(("sax", "saxophone", "tenor sax"), "sax"),
    **dict.fromkeys(("clarinet",), "clarinet"),
    **dict.fromkeys(("oboe", "english horn"), "oboe"),
    **dict.fromkeys(("accordion", "bandoneon", "concertina"), "accordion"),
    **dict.fromkeys(("harmonica", "blues harp", "mouth organ"), "harmonica"),
    **dict.fromkeys(("flute", "whistle", "ocarina"), "flute"),
    **dict.fromkeys(("pan flute", "panpipes", "pan pipes"), "pan_flute"),
    **dict.fromkeys(("pad", "pads", "synth pad", "warm pads"), "warm_pad"),
    **dict.fromkeys(("glass pad", "shimmer", "glassy pads"), "glass_pad"),
    **dict.fromkeys(("synth", "synths", "synth lead", "lead synth"), "saw_lead"),
    **dict.fromkeys(("supersaw", "saw chords"), "supersaw"),
    **dict.fromkeys(("arp", "arpeggio", "arpeggios", "arpeggiator", "plucks"), "synth_pluck"),
    **dict.fromkeys(("square lead", "square wave", "pulse wave"), "square_lead"),
    **dict.fromkeys(("808", "808 bass", "sub bass", "sub"), "sub_bass"),
    **dict.fromkeys(("synth bass", "moog bass", "reese"), "synth_bass"),
    **dict.fromkeys(("upright bass", "double bass", "contrabass"), "upright_bass"),
    **dict.fromkeys(("bass guitar", "electric bass"), "electric_bass"),
    **dict.fromkeys(("fretless", "fretless bass"), "fretless_bass"),
    **dict.fromkeys(("slap bass", "slapped bass", "slap"), "slap_bass"),
}
"""Phrase → instrument."""

PARTS: dict[str, str] = {
    **dict.fromkeys(
        ("drums", "drum", "beat", "beats", "percussion", "drum kit", "drum machine"), "drums"
    ),
    **dict.fromkeys(("bass", "bassline", "bass line"), "bass"),
    **dict.fromkeys(("chords", "harmony"), "chords"),
    **dict.fromkeys(("melody", "lead", "tune"), "lead"),
}
"""Phrase → part."""

ABSENT_PARTS = {"drumless": "drums", "beatless": "drums", "percussionless": "drums"}

TEXTURES: dict[str, str] = {
    **dict.fromkeys(
        ("rain", "rainy", "rainfall", "thunderstorm", "storm", "drizzle", "raindrops"), "rain"
    ),
    **dict.fromkeys(("vinyl", "crackle", "record noise", "dusty", "vinyl crackle"), "vinyl"),
    **dict.fromkeys(("tape", "tape hiss", "cassette", "hiss"), "tape"),
    **dict.fromkeys(("ocean", "waves", "sea", "beach", "shore"), "ocean"),
    **dict.fromkeys(("wind", "windy", "breeze", "mountain air", "forest"), "wind"),
}
"""Phrase → texture under the music."""

TEMPO_WORDS: dict[str, float] = {
    **dict.fromkeys(("very slow", "largo", "lento", "grave"), 52.0),
    **dict.fromkeys(("slow", "slowly", "adagio", "downtempo"), 66.0),
    **dict.fromkeys(("andante", "walking pace"), 84.0),
    **dict.fromkeys(("moderato", "mid tempo", "mid-tempo", "midtempo", "medium tempo"), 104.0),
    **dict.fromkeys(("fast", "allegro", "uptempo", "up-tempo", "quick"), 138.0),
    **dict.fromkeys(("very fast", "presto", "vivace", "breakneck"), 168.0),
}
"""Phrase → a typical tempo in beats per minute; the genre's range bends it."""

ERAS: dict[str, tuple[str, str, str]] = {
    **dict.fromkeys(
        ("50s", "1950s", "fifties", "60s", "1960s", "sixties"), ("1960s", "jazz", "vinyl")
    ),
    **dict.fromkeys(("70s", "1970s", "seventies"), ("1970s", "hiphop", "tape")),
    **dict.fromkeys(("80s", "1980s", "eighties"), ("1980s", "synthwave", "")),
    **dict.fromkeys(("90s", "1990s", "nineties"), ("1990s", "hiphop", "")),
    **dict.fromkeys(("y2k", "2000s"), ("2000s", "pop", "")),
    **dict.fromkeys(("baroque", "renaissance", "medieval"), ("baroque", "piano", "")),
    **dict.fromkeys(("romantic era", "victorian"), ("romantic era", "piano", "")),
    **dict.fromkeys(("vintage", "old-fashioned", "old time"), ("vintage", "", "vinyl")),
    **dict.fromkeys(("modern", "contemporary", "futuristic"), ("modern", "", "")),
}
"""Phrase → (era, family where no genre is named, texture)."""

CURVES: dict[str, str] = {
    **dict.fromkeys(
        (
            "building",
            "builds",
            "build up",
            "builds up",
            "building up",
            "build-up",
            "buildup",
            "crescendo",
            "growing",
            "rising",
            "intensifying",
            "gets louder",
            "escalating",
            "slowly builds",
            "gradually builds",
            "starts quiet",
            "starts quietly",
            "starts soft",
            "starts softly",
            "starts small",
            "quiet to loud",
            "soft to loud",
            "ends huge",
            "ends big",
            "big ending",
            "huge ending",
        ),
        "rising",
    ),
    **dict.fromkeys(
        (
            "calm down",
            "calms down",
            "calming down",
            "winding down",
            "wind down",
            "winds down",
            "fading",
            "fade out",
            "fades out",
            "fades away",
            "diminuendo",
            "decrescendo",
            "gets quieter",
            "getting calmer",
            "slowing down",
            "starts loud",
            "starts big",
            "loud to quiet",
            "ends quietly",
            "ends softly",
        ),
        "falling",
    ),
    **dict.fromkeys(
        (
            "steady",
            "constant",
            "unchanging",
            "monotonous",
            "repetitive",
            "hypnotic",
            "loopable",
            "looping",
            "seamless loop",
        ),
        "steady",
    ),
    **dict.fromkeys(("rise and fall", "rises and falls", "arc", "waves of intensity"), "arch"),
}
"""Phrase → how the energy moves through the piece."""

# Ordinary words one slip away from a word above: never taken for a typing error.
# fmt: off
NOT_TYPOS = frozenset({
    "horse", "mouse", "houses", "peace", "place", "plain", "piece", "danger", "dancer", "trains",
    "stories", "store", "stormy", "strong", "heart", "hearts", "organs", "organic", "beaches",
    "beast", "boats", "bears", "bells", "belly", "bread", "breath", "dream", "dreams", "happen",
    "lonely", "lovely", "glove", "clove", "lover", "lovers", "loves", "loved", "drunk", "drums",
    "coast", "spare", "space", "spaces", "spicy", "class", "chair", "chairs", "coral", "floor",
    "guiding", "gently", "gentler", "gentleman", "harder", "hardly", "heaven", "heavily",
    "miner", "minors", "mining", "wined", "winds", "window", "winding", "tapes", "shape", "share",
    "shored", "sheep", "sleepy", "sleeps", "sweep", "steep", "sweat", "tender", "tenders",
    "tense", "sense", "tension", "lounger", "retail", "trail", "trailers", "voice", "brain",
    "brains", "trainer", "rainy", "grain", "drain", "bassoon", "country", "county", "courtly",
    "cartoon", "flutter", "quite", "quiet", "quietly", "darker", "darkest", "darkness", "black",
    "brighter", "brightest", "brightness", "softer", "softly", "warmer", "warmth", "colder",
    "slower", "slowest", "faster", "fastest", "quicker", "quickly", "stringy", "spring", "springs",
    "string", "thing", "things", "serious", "series", "actor", "acrid", "avoid", "stead", "study",
    "studio", "students", "sundry", "sunday", "metals", "mental", "medal", "petal", "music",
    "musical", "magic", "comic", "basic", "public", "opera", "score", "scored", "scope", "chord",
    "chore", "chorus", "church", "chimes", "crime", "prime", "change", "charge", "growing",
    "grooving", "driven", "driver", "diving", "during", "living", "riding", "reading", "leading",
    "heading", "beading", "breeding", "feeling", "healing", "dealing", "sailing", "falling",
    "calling", "filling", "finding", "minimum", "animal", "signal", "digital", "marine", "machine",
    "ancient", "anthem", "romance", "romantics", "dramatics", "melodic", "melody", "rhythm",
})
# fmt: on

# fmt: off
FILLERS = frozenset({
    "a", "an", "and", "the", "of", "in", "on", "at", "to", "for", "with", "by", "from", "my",
    "your", "some", "it", "is", "are", "this", "that", "as", "music", "song", "track", "piece",
    "tune", "sound", "sounds", "instrumental", "style", "vibe", "vibes", "feel", "feeling",
    "mood", "like", "please", "make", "me", "create", "generate", "write", "very", "really",
    "quite", "bit", "little", "slightly", "then", "i", "want", "need", "would", "about",
    "something", "into", "over", "under", "through", "up", "down", "but", "or", "not", "no",
    "any", "instead", "rather", "than", "don't", "avoid", "long", "lasting", "length", "exclude",
    "skip", "leave", "out", "off",
    "without", "only", "just", "solo", "key", "tempo", "bpm", "minor", "major", "beat", "time",
})
# fmt: on
"""Words without musical meaning of their own; never reported as not understood."""

__all__ = [
    "ABSENT_PARTS", "CURVES", "ERAS", "FILLERS", "GENRES", "INSTRUMENTS", "MOODS", "NOT_TYPOS",
    "PARTS", "TEMPO_WORDS", "TEXTURES",
]  # fmt: skip
