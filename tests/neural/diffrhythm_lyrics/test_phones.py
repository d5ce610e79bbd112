"""Phones of English by espeak-ng, and of Chinese by pypinyin."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import stat
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from musicgen.errors import EngineCrashed, EnvironmentBroken
from services.inference.engines.diffrhythm.lyrics import chinese, espeak
from services.inference.engines.diffrhythm.lyrics.check import Code, check
from services.inference.engines.diffrhythm.lyrics.english import english_phones
from services.inference.engines.diffrhythm.lyrics.espeak import Espeak
from services.inference.engines.diffrhythm.lyrics.sheet import read_lyrics
from services.inference.engines.diffrhythm.lyrics.symbols import token_ids, unknown_phones
from services.inference.engines.diffrhythm.lyrics.tokenizer import Tokenizer

pytestmark = pytest.mark.unit
pytest.importorskip("espeak_english")

GOLDEN = Path(__file__).parents[2] / "unit" / "diffrhythm_lyrics" / "golden" / "lrc.json"
WORDS = json.loads(GOLDEN.read_text("utf-8"))["words"]


@pytest.fixture(scope="module")
def speaker() -> Iterator[Espeak]:
    """espeak-ng, for all tests that don't harm it."""
    with Espeak() as running:
        yield running


@pytest.mark.parametrize("case", WORDS, ids=[case["text"] for case in WORDS])
def test_golden_phones(case: dict[str, object], speaker: Espeak) -> None:
    """Phones and tokens equal the golden values."""
    phones = english_phones(str(case["text"]), speaker)
    assert "".join(f"{phone}|" for phone in phones) == case["phones"]
    assert token_ids(phones) == case["token_ids"]
    assert Tokenizer(speaker).tokenize(str(case["text"])) == case["token_ids"]


def test_odd_english(speaker: Espeak) -> None:
    """No line of odd characters is an error, and nearly all sounds are the model's."""
    odd = ["", "!!!", "ДА", "x" * 3000, "a\0b", "🎵 la", "naïve café", "Zhōngguó", "ﬁne", "\n\t"]
    for text in odd:
        phones = english_phones(text, speaker)
        assert len(unknown_phones(phones)) <= 1


def test_a_line_in_two_languages(speaker: Espeak) -> None:
    """English is parted from the Chinese after it by a gap, as within English."""
    pytest.importorskip("pypinyin")
    phones = "aɪ _ ɡ oʊ _ n i↑ x ɑʊ↓↑ b eɪ b i"
    reading = Tokenizer(speaker).read("I go 你好 baby")
    assert reading.phones == tuple(phones.split())
    assert not reading.unknown
    assert reading.has_chinese


def test_chinese_is_marked_unverified(speaker: Espeak) -> None:
    """Chinese can be sung, and the check says that nobody has compared how."""
    pytest.importorskip("pypinyin")
    assert not chinese.VERIFIED
    sheet = read_lyrics("[00:10.00]月亮代表我的心\n[00:14.00]hello\n[00:18.00]", 95.0)
    assert [one.code for one in check(sheet, 2048, 2048, Tokenizer(speaker).read)] == [
        Code.CHINESE_UNVERIFIED
    ]
    phones = chinese.chinese_phones("我有3个，不是一个。")
    assert not unknown_phones(phones)
    assert [phone for phone in phones if phone in ",."] == [",", "."]


def test_from_several_threads(speaker: Espeak) -> None:
    """Threads that ask at once get their own answers."""
    answers: dict[int, list[str]] = {}

    def ask(number: int) -> None:
        answers[number] = [english_phones(WORDS[number]["text"], speaker) for _ in range(20)][-1]

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(len(WORDS))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [token_ids(answers[number]) for number in range(len(WORDS))] == [
        case["token_ids"] for case in WORDS
    ]


def test_a_killed_process_is_replaced(tmp_path: Path) -> None:
    """When espeak-ng's process dies, the next question starts another."""
    pid_file = tmp_path / "pid"
    with Espeak(_script(tmp_path, f'echo $$ > {pid_file}; exec {sys.executable} "$@"')) as running:
        before = running.phones(["hello"])
        first = int(pid_file.read_text())
        os.kill(first, signal.SIGKILL)
        assert running.phones(["hello"]) == before
        assert int(pid_file.read_text()) != first


def test_it_ends_with_its_owner(tmp_path: Path) -> None:
    """Closing ends the process; asking again starts another."""
    pid_file = tmp_path / "pid"
    running = Espeak(_script(tmp_path, f'echo $$ > {pid_file}; exec {sys.executable} "$@"'))
    running.phones(["hello"])
    running.close()
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid_file.read_text()), 0)
    assert running.phones([""]) == [""]
    running.close()


def test_an_environment_without_it(tmp_path: Path) -> None:
    """A missing package, and another version, are told with how to repair them."""
    without = _script(tmp_path, f'exec {sys.executable} -S "$@"')
    with Espeak(without) as running, pytest.raises(EnvironmentBroken, match="not installed") as one:
        running.phones(["hello"])
    assert "setup" in one.value.remedy
    newer = _script(tmp_path, """echo '{"version": "1.52"}'; cat""")
    with Espeak(newer) as running, pytest.raises(EnvironmentBroken, match=r"1\.52"):
        running.phones(["hello"])


@pytest.mark.parametrize(
    "answer",
    ["no json", "[]", '{"phones": []}', '{"phones": 3}', ""],
)
def test_an_answer_that_is_none(answer: str, tmp_path: Path) -> None:
    """What is no answer is an error that can be tried again, not a hang or a wrong song."""
    script = f"""echo '{{"version": "{espeak.VERSION}"}}'; read row; echo '{answer}'"""
    with Espeak(_script(tmp_path, script)) as running, pytest.raises(EngineCrashed):
        running.phones(["hello"])


def test_a_program_that_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hang ends after a time."""
    monkeypatch.setattr(espeak, "_LONGEST_WAIT_S", 0.2)
    with Espeak(_script(tmp_path, "exec sleep 60")) as running, pytest.raises(EngineCrashed):
        running.phones(["hello"])


def test_a_long_path(tmp_path: Path) -> None:
    """espeak-ng finds its data also where the path is longer than it can take."""
    spec = importlib.util.find_spec("espeak_english")
    assert spec is not None
    assert spec.origin is not None
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    deep.mkdir(parents=True)
    (deep / "espeak_english").symlink_to(Path(spec.origin).parent)
    code = f"import sys; sys.path.insert(0, {str(deep)!r})"
    (tmp_path / "site").mkdir()
    (tmp_path / "run.py").write_text(
        f"{code}\nimport runpy\nsys.argv = sys.argv[1:]\n"
        "runpy.run_path(sys.argv[0], run_name='__main__')\n"
    )
    script = _script(tmp_path, f'shift; exec {sys.executable} -S {tmp_path / "run.py"} "$@"')
    with Espeak(script) as running:
        assert running.phones(["hello"])[0].startswith("h_")


def _script(folder: Path, body: str) -> str:
    """Write a program that stands for the interpreter."""
    path = folder / "python"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)
