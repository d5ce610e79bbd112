"""The plan of a piece: every decision that can be named, as plain data."""

from __future__ import annotations

from dataclasses import dataclass, field

from services.inference.engines.composer.form import Length, Section, fit, fit_loop, sections
from services.inference.engines.composer.harmony import Progression, choose_progressions
from services.inference.engines.composer.options import Options
from services.inference.engines.composer.orchestration import Feel, cast_sections, choose_parts
from services.inference.engines.composer.profiles import PROFILES, Profile
from services.inference.engines.composer.prompt import Understanding
from services.inference.engines.composer.streams import Streams, pick, weighted
from services.inference.engines.composer.theory import METRES, Metre, is_dark, key_label
from services.inference.engines.composer.title import make_title

SAMPLE_RATE_HZ = 44_100


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be composed. Plain data: it can be printed, stored and edited."""

    title: str
    family: str
    accent: str
    """A second family the prompt named, or ""."""
    tempo_bpm: float
    tonic: int
    mode: str
    metre: str
    swing: float
    energy: float
    valence: float
    brightness: float
    parts: dict[str, str]
    """Part → instrument."""
    styles: dict[str, str]
    """Layer → pattern it plays: groove, bass, comping, arp."""
    texture: str
    ring_frames: int
    """Frames after the last bar; negative where the piece is cut within it, 0 in a loop."""
    sections: tuple[Section, ...]
    progressions: dict[str, Progression]
    """"A" (verse), "B" (chorus) and "C" (bridge) → their chords."""
    bars_per_chord: float
    loop: bool = False
    """Whether the end joins the start: no intro, no last chord, tails wrapped round."""
    curve: str = ""
    words: str = ""
    """What stands for the prompt in the random streams; see streams.digest_of."""
    seeds: dict[str, int] = field(default_factory=dict)
    """Layer → a seed of its own, where it has one."""

    @property
    def profile(self) -> Profile:
        """The family's profile."""
        return PROFILES[self.family]

    @property
    def bar(self) -> Metre:
        """The metre as a grid."""
        return METRES[self.metre]

    @property
    def key(self) -> str:
        """The key's name."""
        return key_label(self.tonic, self.mode)

    @property
    def bars(self) -> int:
        """Bars of all sections."""
        return sum(section.bars for section in self.sections)

    @property
    def duration_frames(self) -> int:
        """Length of the whole piece."""
        return bar_frames(self.bars, self.bar.beats, self.tempo_bpm) + self.ring_frames

    @property
    def ring_s(self) -> float:
        """How long the last chord rings after the last bar."""
        return self.ring_frames / SAMPLE_RATE_HZ

    def streams(self, seed: int) -> Streams:
        """The random streams of this plan for a seed."""
        return Streams(seed, self.words, self.seeds)


def bar_frames(bars: int, beats: float, tempo_bpm: float) -> int:
    """Length of some bars, rounded to a frame."""
    return round(bars * beats * 60.0 / tempo_bpm * SAMPLE_RATE_HZ)


def make_plan(
    prompt: str, heard: Understanding, options: Options, duration_s: float, streams: Streams
) -> Plan:
    """Decide everything that isn't a single note. Options win over the prompt."""
    family = options.genre or _family(heard, streams)
    profile = PROFILES[family]
    accent = next((name for name in heard.genres if name != family), "")
    rng = streams.layer("plan", "feel")
    energy = _energy(profile, heard, options)
    mode = options.mode or heard.mode or _mode(profile, heard, streams)
    tonic = options.tonic if options.tonic is not None else heard.tonic
    if tonic is None:
        tonic = int(streams.layer("plan", "tonic").integers(12))
    metre = options.metre or heard.metre or weighted(rng, profile.metres)
    bar = METRES[metre]
    length = _length(
        profile, heard, options, duration_s=duration_s, bar=bar, energy=energy, streams=streams
    )
    parts = choose_parts(profile, heard, options, accent, streams)
    feel = Feel(energy, "" if options.loop else heard.curve, profile.form, bar.beats)
    form = sections(length.bars, profile.form, loop=options.loop)
    filled = 0 if options.loop else round(duration_s * SAMPLE_RATE_HZ)
    played = bar_frames(length.bars, bar.beats, length.tempo_bpm)
    swing = round(float(rng.uniform(*profile.swing)), 4) if bar.is_even else 0.0
    return Plan(
        title=make_title(prompt, family, streams),
        family=family,
        accent=accent,
        tempo_bpm=length.tempo_bpm,
        tonic=tonic,
        mode=mode,
        metre=metre,
        swing=swing,
        energy=round(energy, 3),
        valence=round(heard.valence, 3),
        brightness=round(heard.brightness, 3),
        parts=parts,
        styles=_styles(profile, parts, streams),
        texture=_texture(profile, heard, options),
        ring_frames=0 if options.loop else filled - played,
        sections=tuple(cast_sections(form, parts, feel, streams)),
        progressions=choose_progressions(profile, mode, streams),
        bars_per_chord=pick(streams.layer("plan", "harmonic rhythm"), profile.bars_per_chord),
        loop=options.loop,
        curve=heard.curve,
        words=streams.words,
        seeds=dict(streams.seeds),
    )


def _length(
    profile: Profile, heard: Understanding, options: Options, *,
    duration_s: float, bar: Metre, energy: float, streams: Streams,
) -> Length:  # fmt: skip
    asked_bpm = options.tempo_bpm or heard.tempo_bpm
    pace = 0.64 if bar.division == 6 else 1.0  # a dotted beat is a long one
    tempo_bpm = asked_bpm or float(round(pace * _tempo(profile, heard, energy, streams)))
    fitting = fit_loop if options.loop else fit
    return fitting(duration_s, tempo_bpm, bar.beats, fixed=asked_bpm is not None)


def _family(heard: Understanding, streams: Streams) -> str:
    """The strongest genre named, else one that suits the instruments and the mood."""
    if heard.genres:
        return next(iter(heard.genres))
    if heard.era_family:
        return heard.era_family
    if heard.solo:
        return "piano" if heard.instruments == ("piano",) else "acoustic"
    by_instrument = {
        "piano": "piano",
        "acoustic_guitar": "acoustic",
        "distorted_guitar": "rock",
        "electric_guitar": "rock",
        "strings": "cinematic",
        "brass": "cinematic",
        "choir": "cinematic",
        "sax": "jazz",
        "upright_bass": "jazz",
        "saw_lead": "synthwave",
        "synth_bass": "synthwave",
        "sub_bass": "trap",
        "square_lead": "chiptune",
        "electric_piano": "lofi",
        "warm_pad": "ambient",
    }
    for instrument in heard.instruments:
        if instrument in by_instrument:
            return by_instrument[instrument]
    if heard.textures and not heard.instruments and heard.energy <= 0:
        return "nature"
    return pick(streams.layer("plan", "family"), _families_of_mood(heard))


def _families_of_mood(heard: Understanding) -> tuple[str, ...]:
    if heard.energy > 0.4:
        return ("cinematic", "techno", "rock") if heard.valence < 0 else ("house", "pop", "rock")
    if heard.energy < -0.2:
        return ("ambient", "piano", "lofi") if heard.valence < 0.3 else ("ambient", "acoustic")
    if heard.valence < -0.3:
        return ("piano", "cinematic", "synthwave")
    if heard.valence > 0.3:
        return ("pop", "acoustic", "house")
    return ("lofi", "synthwave", "pop", "acoustic", "cinematic", "ambient")


def _energy(profile: Profile, heard: Understanding, options: Options) -> float:
    if options.energy is not None:
        return options.energy
    return min(1.0, max(0.05, profile.energy + 0.4 * heard.energy))


def _mode(profile: Profile, heard: Understanding, streams: Streams) -> str:
    """A mode of the family, bent by the mood: sad ones dark, happy ones bright."""
    weights = dict(profile.modes)
    if abs(heard.valence) > 0.25:
        weights.setdefault("major" if heard.valence > 0 else "minor", 1.0)
        weights = {
            mode: weight * (6.0 if is_dark(mode) == (heard.valence < 0) else 0.3)
            for mode, weight in weights.items()
        }
    return weighted(streams.layer("plan", "mode"), weights)


def _tempo(profile: Profile, heard: Understanding, energy: float, streams: Streams) -> float:
    low, high = profile.tempo_bpm
    if heard.tempo_word_bpm is not None:
        # A word bends the family's tempo towards what it means, beyond the usual range.
        middle = (low + high) / 2
        return float(round(0.7 * heard.tempo_word_bpm + 0.3 * middle))
    share = 0.5 + 0.55 * (energy - profile.energy)
    share += 0.35 * (streams.layer("plan", "tempo").random() - 0.5) * 2
    return float(round(low + (high - low) * min(1.0, max(0.0, share))))


def _texture(profile: Profile, heard: Understanding, options: Options) -> str:
    if options.texture is not None:
        return "" if options.texture == "none" else options.texture
    wanted = heard.textures[0] if heard.textures else profile.texture
    return "" if wanted in heard.without_textures else wanted


def _styles(profile: Profile, parts: dict[str, str], streams: Streams) -> dict[str, str]:
    rng = streams.layer("plan", "styles")
    choices = {
        "drums": ("groove", profile.grooves or ("shaker",)),
        "bass": ("bass", profile.bass),
        "chords": ("comping", profile.comping),
        "arp": ("arp", profile.arps),
    }
    drawn = {part: (name, pick(rng, items)) for part, (name, items) in choices.items()}
    return dict(drawn[part] for part in drawn if part in parts)
