"""English and Chinese text before it becomes phones."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from services.inference.engines.diffrhythm.lyrics.chinese_numbers import write_numbers
from services.inference.engines.diffrhythm.lyrics.chinese_sounds import sounds
from services.inference.engines.diffrhythm.lyrics.english import english_phones
from services.inference.engines.diffrhythm.lyrics.english_numbers import spell_numbers
from services.inference.engines.diffrhythm.lyrics.english_text import normalise
from services.inference.engines.diffrhythm.lyrics.segments import split
from services.inference.engines.diffrhythm.lyrics.symbols import unknown_phones

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("figures", "words"),
    [
        ("0", "zero"),
        ("99", "ninety-nine"),
        ("110", "one hundred ten"),
        ("1000", "one thousand"),
        ("1001", "ten oh one"),
        ("1999", "nineteen ninety-nine"),
        ("1900", "nineteen hundred"),
        ("1905", "nineteen oh five"),
        ("2000", "two thousand"),
        ("2007", "two thousand seven"),
        ("2024", "twenty twenty-four"),
        ("12,345", "twelve thousand, three hundred forty-five"),
        ("1,000,000", "one million"),
        ("$5.50", "five dollars, fifty cents"),
        ("$1", "one dollar"),
        ("£0.01", "one penny"),
        ("1/2", "one half"),
        ("2/3", "two thirds"),
        ("24/7", "twenty-four seven"),
        ("1/0", "one zero"),
        ("3.14", "three point one four"),
        ("50%", "fifty percent"),
        (
            "1st 2nd 3rd 4th 12th 20th 21st",
            "first second third fourth twelfth twentieth twenty-first",
        ),
        ("'90s", "'nineties"),
        ("at 5:30", "at five thirty"),
        ("7:00", "seven o'clock"),
        ("9" * 16, " ".join(["nine"] * 16)),
        ("no figures", "no figures"),
    ],
)
def test_english_numbers(figures: str, words: str) -> None:
    """Figures are read as people say them."""
    assert spell_numbers(figures) == words


@pytest.mark.parametrize(
    "figures", ["9" * 9000, "1/" * 3000, "1." * 3000, "$" + "9" * 5000 + ".99", "1," * 999]
)
def test_absurd_numbers_are_read_all_the_same(figures: str) -> None:
    """No figure is too long, and none is left."""
    assert not any(character.isdigit() for character in spell_numbers(figures))


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("It's 3 o'clock, Dr. Smith!", "It's three o'clock,doctor.Smith!"),
        ("rock'n'roll... yeah ?", "rock'n'roll…yeah?"),
        ("\u2018Cause I\u2019m \u2014 gone", "'Cause I'm,gone"),
        ("MR and mrs, misters", "mister and misess,misters"),
        ("you & me (oh)", "you and me oh"),
        ("  a   b ", "a b"),
        ("♪ 🎵", ""),
    ],
)
def test_english_text(text: str, normal: str) -> None:
    """Marks come in one form, short forms as words, and what can't be sung goes."""
    assert normalise(text) == normal


@pytest.mark.parametrize(
    ("text", "segments", "foreign"),
    [
        ("Hello world", [("Hello world", "en")], ()),
        ("I love 你 baby", [("I love ", "en"), ("你 ", "zh"), ("baby", "en")], ()),
        ("...你好 3", [("...你好 3", "zh")], ()),
        ("1999!", [("1999!", "en")], ()),
        ("café", [("café", "en")], ()),
        ("привет hello", [("       hello", "en")], ("Cyrillic",)),
        ("カタカナ 사랑", [], ("Japanese", "Korean")),
        ("♪ !?", [], ()),
        ("", [], ()),
    ],
)
def test_segments(text: str, segments: list[tuple[str, str]], foreign: tuple[str, ...]) -> None:
    """A line is split by language; scripts that can't be sung are named and left out."""
    found = split(text)
    assert [(segment.text, segment.language) for segment in found.segments] == segments
    assert found.foreign == foreign


class Scripted:
    """Says what espeak-ng says of a few words."""

    def phones(self, texts: Sequence[str]) -> list[str]:
        """Return the phones of each text."""
        said = {
            "outside trees": "aʊ_t_s_ˈaɪ_d t_ɹ_ˈiː_z",
            "reruns": "ɹ_ᵻ_ɹ_ˈʌ_n_z",
            "é": "(fr)__ə_k",
        }
        return [said[text] for text in texts]


@pytest.mark.parametrize(
    ("text", "phones"),
    [
        ("outside trees", "aʊ ts aɪ d _ tɹ iː z"),
        ("reruns", "ɹ ɪ ɹ ʌ n z"),
        ("é", "ə k"),
        ("?! !!... reruns", "? ! … ɹ ɪ ɹ ʌ n z"),
        ("'", "'"),
        ("", ""),
    ],
)
def test_phones_are_joined(text: str, phones: str) -> None:
    """Neighbours that are one symbol of the model become it, within a word, in order."""
    assert english_phones(text, Scripted()) == phones.split()


@pytest.mark.parametrize(
    ("figures", "numerals"),
    [
        ("0", "零"), ("10", "十"), ("11", "十一"), ("20", "二十"), ("105", "一百零五"),
        ("1050", "一千零五十"), ("10005", "一万零五"), ("100500", "十万零五百"),
        ("2005年", "二零零五年"),
        ("10100000", "一千零一十万"), ("3.5%", "百分之三点五"), ("1,000", "一千"),
        ("1" * 17, "一" * 17),
    ],
)  # fmt: skip
def test_chinese_numbers(figures: str, numerals: str) -> None:
    """Figures are written as Chinese numerals."""
    assert write_numbers(figures) == numerals


@pytest.mark.parametrize(
    ("pinyin", "phones"),
    [
        ("ni3", "n i↓↑"), ("shi4", "s`ɹ↓"), ("zi5", "ts⁼ɹ"), ("bo1", "p⁼wo→"), ("xue2", "ʃ ɥɛ↑"),
        ("jun1", "tʃ⁼ ɥn→"), ("lve4", "l ɥɛ↓"), ("nü3", "n ɥ↓↑"), ("yuan2", "ɥæn↑"),
        ("zhong", "ts`⁼ ʊŋ→"), ("xiong2", "ʃ jʊŋ↑"), ("er2", "əɹ↑"), ("liu2", "l ioʊ↑"),
        ("n2", "n"), ("wo3", "uo↓↑"), ("hng5", ""), ("", ""), ("?", ""), ("xyz", ""),
    ],
)  # fmt: skip
def test_chinese_syllables(pinyin: str, phones: str) -> None:
    """A syllable becomes its initial and its final with the tone, in the model's symbols."""
    found = sounds(pinyin)
    assert found == phones.split()
    assert not unknown_phones(found)
