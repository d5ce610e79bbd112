"""The words the composer knows. Phrases are lower case; longer ones are tried first."""

from __future__ import annotations

GENRES: dict[str, tuple[str, float]] = {
    **dict.fromkeys(
        ("lofi", "lo-fi", "lo fi", "lofi hip hop", "lo-fi hip hop", "chillhop", "study beats"),
        ("lofi", 3.0),
    ),
    **dict.fromkeys(
        ("house", "deep house", "nu disco", "disco", "garage", "dance"), ("house", 2.0)
    ),
    **dict.fromkeys(("edm", "club", "eurodance", "progressive house"), ("house", 1.5)),
    **dict.fromkeys(("techno", "minimal techno", "acid", "trance", "industrial"), ("techno", 2.0)),
    **dict.fromkeys(
        ("ambient", "drone", "meditation", "new age", "soundscape", "sleep music"),
        ("ambient", 2.0),
    ),
    **dict.fromkeys(("sleep", "lullaby", "spa", "yoga", "asmr"), ("ambient", 1.5)),
    **dict.fromkeys(
        ("cinematic", "orchestral", "film score", "soundtrack", "trailer", "symphonic", "score"),
        ("cinematic", 2.0),
    ),
    **dict.fromkeys(
        ("synthwave", "retrowave", "outrun", "vaporwave", "80s", "eighties", "synth pop"),
        ("synthwave", 2.5),
    ),
    **dict.fromkeys(("trap", "drill", "phonk", "808s"), ("trap", 2.5)),
    **dict.fromkeys(
        ("trip hop", "trip-hop", "hip hop", "hip-hop", "hiphop", "boom bap", "rap"), ("hiphop", 2.0)
    ),
    **dict.fromkeys(("r&b", "rnb", "neo soul", "soul", "funk"), ("hiphop", 1.5)),
    **dict.fromkeys(("jazz", "bebop", "jazz trio", "smooth jazz", "lounge"), ("jazz", 2.0)),
    **dict.fromkeys(("jazzy", "bossa nova", "bossa", "swing", "blues"), ("jazz", 1.2)),
    **dict.fromkeys(
        ("rock", "indie rock", "punk", "metal", "grunge", "hard rock", "alternative"),
        ("rock", 2.0),
    ),
    **dict.fromkeys(("pop", "indie pop", "electropop", "k-pop", "summer hit"), ("pop", 1.6)),
    **dict.fromkeys(
        ("acoustic", "folk", "country", "singer-songwriter", "campfire", "indie folk", "celtic"),
        ("acoustic", 2.0),
    ),
    **dict.fromkeys(
        ("chiptune", "8-bit", "8 bit", "8bit", "video game", "nes", "arcade", "game boy"),
        ("chiptune", 2.5),
    ),
    **dict.fromkeys(("classical", "nocturne", "piano solo", "sonata", "etude"), ("piano", 2.0)),
}
"""Phrase → (family, weight of the evidence)."""

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
    **dict.fromkeys(("organ", "hammond", "church organ"), "organ"),
    **dict.fromkeys(
        ("guitar", "guitars", "acoustic guitar", "nylon guitar", "ukulele", "fingerpicked guitar"),
        "acoustic_guitar",
    ),
    **dict.fromkeys(("electric guitar", "clean guitar"), "electric_guitar"),
    **dict.fromkeys(("distorted guitar", "heavy guitar", "power chords"), "distorted_guitar"),
    **dict.fromkeys(("harp", "lyre", "koto"), "harp"),
    **dict.fromkeys(("kalimba", "thumb piano", "mbira"), "kalimba"),
    **dict.fromkeys(("music box", "glockenspiel", "celesta", "bells", "bell"), "bells"),
    **dict.fromkeys(("vibraphone", "vibes"), "vibraphone"),
    **dict.fromkeys(("marimba", "xylophone"), "marimba"),
    **dict.fromkeys(
        ("strings", "string section", "string quartet", "quartet", "violins", "orchestra"),
        "strings",
    ),
    **dict.fromkeys(("violin", "cello", "viola", "fiddle"), "violin"),
    **dict.fromkeys(("choir", "voices", "vocal pads"), "choir"),
    **dict.fromkeys(("brass", "horns", "trombones", "french horn"), "brass"),
    **dict.fromkeys(("trumpet", "muted trumpet"), "trumpet"),
    **dict.fromkeys(("sax", "saxophone", "tenor sax"), "sax"),
    **dict.fromkeys(("clarinet", "oboe"), "clarinet"),
    **dict.fromkeys(("flute", "pan flute", "whistle", "ocarina"), "flute"),
    **dict.fromkeys(("pad", "pads", "synth pad", "warm pads"), "warm_pad"),
    **dict.fromkeys(("glass pad", "shimmer", "glassy pads"), "glass_pad"),
    **dict.fromkeys(("synth", "synths", "synth lead", "lead synth"), "saw_lead"),
    **dict.fromkeys(("supersaw", "saw chords"), "supersaw"),
    **dict.fromkeys(("arp", "arpeggio", "arpeggios", "arpeggiator", "plucks"), "synth_pluck"),
    **dict.fromkeys(("square lead", "square wave", "pulse wave"), "square_lead"),
    **dict.fromkeys(("808", "808 bass", "sub bass", "sub"), "sub_bass"),
    **dict.fromkeys(("synth bass", "moog bass", "reese"), "synth_bass"),
    **dict.fromkeys(("upright bass", "double bass", "contrabass"), "upright_bass"),
    **dict.fromkeys(("bass guitar", "electric bass", "slap bass", "fretless"), "electric_bass"),
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
    **dict.fromkeys(("rain", "rainy", "rainfall", "thunderstorm", "storm"), "rain"),
    **dict.fromkeys(("vinyl", "crackle", "record noise", "dusty", "vinyl crackle"), "vinyl"),
    **dict.fromkeys(("tape", "tape hiss", "cassette", "hiss"), "tape"),
    **dict.fromkeys(("ocean", "waves", "sea", "beach", "shore"), "ocean"),
    **dict.fromkeys(("wind", "windy", "breeze", "mountain air"), "wind"),
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

# fmt: off
FILLERS = frozenset({
    "a", "an", "and", "the", "of", "in", "on", "at", "to", "for", "with", "by", "from", "my",
    "your", "some", "it", "is", "are", "this", "that", "as", "music", "song", "track", "piece",
    "tune", "sound", "sounds", "instrumental", "style", "vibe", "vibes", "feel", "feeling",
    "mood", "like", "please", "make", "me", "create", "generate", "write", "very", "really",
    "quite", "bit", "little", "slightly", "then", "i", "want", "need", "would", "about",
    "something", "into", "over", "under", "through", "up", "down", "but", "or", "not", "no",
    "without", "only", "just", "solo", "key", "tempo", "bpm", "minor", "major", "beat", "time",
})
# fmt: on
"""Words without musical meaning of their own; never reported as not understood."""
