from __future__ import annotations

import dataclasses
import errno
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from musicgen.artifacts import ArtifactStore
from musicgen.audio.codecs import Format, Properties
from musicgen.engine.base import ExtraFile, Generation, Parameters
from musicgen.engine.client import Made
from musicgen.errors import Cancelled, DiskFull, EngineCrashed
from musicgen.progress import Progress
from musicgen.settings import SettingsError, load
from musicgen.testing.fake_engine import MANIFEST, SCORE
from musicgen.testing.signals import sine
from services.inference import recipe
from services.inference.encoder import check_mix, encode, to_pcm_16_bit
from services.inference.finishing import Finishing
from services.inference.generator import _Course, at_rate
from services.inference.registry import load_registry
from services.inference.scratch import Scratch, no_space_is_disk_full
from services.inference.settings import Settings

pytestmark = pytest.mark.unit


def engines(path: Path, *entries: object) -> Path:
    """Write a registry file."""
    path.write_text(json.dumps({"engines": entries}))
    return path


def entry(**changes: Any) -> dict[str, Any]:
    """Return an entry of it; `changes` are to the manifest."""
    return {"command": ["run-it"], "manifest": {**dataclasses.asdict(MANIFEST), **changes}}


def test_registry_reads_a_file(tmp_path: Path) -> None:
    """Engines of the file stand beside the built-in ones; nothing is started or imported."""
    registry = load_registry(engines(tmp_path / "e.json", entry(name="my-engine-2")))
    assert set(registry) == {"composer", "diffrhythm", "diffrhythm-tiny", "my-engine-2"}
    assert registry["my-engine-2"].manifest().sample_rate_hz == 44_100
    assert registry["my-engine-2"].command == ("run-it",)
    assert registry["composer"].command[:3] == (sys.executable, "-m", "musicgen.engine.host")
    assert set(load_registry()) == {"composer", "diffrhythm", "diffrhythm-tiny"}


def test_registry_reads_what_an_engine_can_do(tmp_path: Path) -> None:
    """Each flag of the contract can be said in the file; what isn't said is not so."""
    flags = ("supports_lyrics", "supports_style_audio", "supports_edit", "checks_lyrics")
    told = entry(name="all")
    bare = entry(name="none")
    for flag in flags:
        assert told["manifest"][flag] is True
        del bare["manifest"][flag]
    registry = load_registry(engines(tmp_path / "e.json", told, bare))
    for name in ("all", "none"):
        manifest = registry[name].manifest()
        assert [getattr(manifest, flag) for flag in flags] == [name == "all"] * len(flags)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (entry(name="composer"), "two engines"),
        (entry(name="Bad Name"), "must be like"),
        (entry(sample_rate_hz="44100"), "sample_rate_hz"),
        (entry(channels=0), "positive"),
        (entry(supports_lyrics=1), "supports_lyrics"),
        (entry(supports_edit="yes"), "supports_edit"),
        (entry(channels=True), "channels"),
        (entry(min_duration_s=9, default_duration_s=1), "durations"),
        (entry(options_schema={"type": "nosuch"}), "options_schema"),
        (entry(nosuch=1), "nosuch"),
        ({"command": [], "manifest": dataclasses.asdict(MANIFEST)}, "command"),
        ({"manifest": dataclasses.asdict(MANIFEST)}, "'command' is missing"),
        ("text", "engines[0]"),
    ],
)
def test_registry_says_what_is_wrong(tmp_path: Path, wrong: object, words: str) -> None:
    """A wrong entry is refused at the start, with its place and its fault."""
    with pytest.raises(SettingsError) as caught:
        load_registry(engines(tmp_path / "e.json", wrong))
    assert words in str(caught.value)


@pytest.mark.parametrize("text", ["", "[]", "{}", "nonsense"])
def test_registry_file_must_be_one(tmp_path: Path, text: str) -> None:
    """Other files are refused too."""
    (tmp_path / "e.json").write_text(text)
    with pytest.raises(SettingsError, match=r"e\.json"):
        load_registry(tmp_path / "e.json")
    with pytest.raises(SettingsError, match="nowhere"):
        load_registry(tmp_path / "nowhere")


def test_settings() -> None:
    """Settings come from the environment, and nonsense is refused."""
    environ = {"MUSICGEN_ADDRESS": "unix:/a", "MUSICGEN_DATA_ROOT": "/d"}
    settings = load(Settings, {**environ, "MUSICGEN_PREWARM": " composer, other,"})
    assert settings.prewarmed == ["composer", "other"]
    assert load(Settings, {**environ, "MUSICGEN_PREWARM": ""}).prewarmed == []
    with pytest.raises(SettingsError, match="STALL"):
        load(Settings, {**environ, "MUSICGEN_STALL_TIMEOUT_S": "0"})


def test_scratch_is_private_and_goes(tmp_path: Path) -> None:
    """Folders are 0700, and gone when removed; the whole area goes at the end."""
    scratch = Scratch(tmp_path)
    folder = scratch.make()
    assert folder.stat().st_mode & 0o777 == 0o700
    (folder / "file").write_text("x")
    scratch.remove(folder)
    assert not folder.exists()
    assert scratch.probe() == ""
    scratch.close()
    assert list((tmp_path / "scratch").iterdir()) == []
    assert "can't be written" in scratch.probe()


def test_scratch_removes_only_what_is_stale(tmp_path: Path) -> None:
    """The area of a process that died is removed, that of a running one stays."""
    program = (
        "import os, sys; from pathlib import Path;"
        "from services.inference.scratch import Scratch;"
        "(Scratch(Path(sys.argv[1])).make() / 'f').write_text('x'); os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", program, tmp_path], check=False)
    (tmp_path / "scratch" / "inference-nolock").mkdir()
    (tmp_path / "scratch" / "of-somebody-else").mkdir()
    running = Scratch(tmp_path)
    kept = running.make()
    Scratch(tmp_path).close()
    assert kept.is_dir()
    assert len(list((tmp_path / "scratch").iterdir())) == 2
    running.close()


def test_no_space() -> None:
    """Only a full disk is a full disk."""
    with pytest.raises(DiskFull), no_space_is_disk_full():
        raise OSError(errno.ENOSPC, "full")
    with pytest.raises(PermissionError), no_space_is_disk_full():
        raise PermissionError(errno.EACCES, "no")


def write_mix(path: Path, duration_frames: int, rate_hz: int = 44_100) -> Path:
    """Write a mix like a host does."""
    soundfile.write(path, sine(440.0, duration_frames), rate_hz, "FLOAT", format="WAV")
    return path


@pytest.mark.parametrize("format", [Format.FLAC, Format.WAV])
def test_lossless_encoding_is_exact(tmp_path: Path, format: Format) -> None:
    """Both formats decode to the very PCM whose hash is the audio's, beyond full scale too."""
    rng = np.random.default_rng(1)
    samples = rng.uniform(-1.2, 1.2, (200_000, 2)).astype(np.float32)
    soundfile.write(tmp_path / "mix.wav", samples[:65_000], 44_100, "FLOAT")
    facts = Properties(Format.WAV, 44_100, 2, 65_000)
    encoded = encode(tmp_path / "mix.wav", facts, format, tmp_path / "out", lambda: None)
    decoded, _ = soundfile.read(encoded.path, dtype="int16")
    assert (decoded == to_pcm_16_bit(samples[:65_000])).all()
    assert encoded.properties == Properties(format, 44_100, 2, 65_000)


def test_encoding_can_be_cancelled(tmp_path: Path) -> None:
    """What the tick raises ends the encoding."""
    mix = write_mix(tmp_path / "mix.wav", 44_100)
    facts = Properties(Format.WAV, 44_100, 2, 44_100)

    def tick() -> None:
        raise Cancelled("now")

    with pytest.raises(Cancelled):
        encode(mix, facts, Format.FLAC, tmp_path / "out", tick)


def test_mix_is_checked(tmp_path: Path) -> None:
    """A mix has the length asked for, within 0.1 s, unless a plan decides; a loop is inside."""
    mix = write_mix(tmp_path / "mix.wav", 44_100 * 2)
    made = Generation("t")
    assert check_mix(mix, MANIFEST, made, 2.09).duration_frames == 88_200
    with pytest.raises(EngineCrashed, match=r"2\.00 s instead of 2\.20 s"):
        check_mix(mix, MANIFEST, made, 2.2)
    check_mix(mix, MANIFEST, Generation("t", decides_length=True), 2.2)
    check_mix(mix, MANIFEST, Generation("t", loop_frames=(0, 88_200)), 2.0)
    for points in ((5, 5), (-1, 9), (0, 88_201)):
        with pytest.raises(EngineCrashed):
            check_mix(mix, MANIFEST, Generation("t", loop_frames=points), 2.0)
    link = tmp_path / "link.wav"
    link.symlink_to(mix)
    with pytest.raises(EngineCrashed, match="left no mix"):
        check_mix(link, MANIFEST, made, 2.0)


def left_by_a_host(folder: Path, *names: str) -> Made:
    """What a host of a second leaves in its scratch folder: a mix, and files beside it."""
    folder.mkdir()
    files = []
    for name in ("mix.wav", *names):
        if name.endswith(".mid"):
            (folder / name).write_bytes(SCORE)
        else:
            write_mix(folder / name, 44_100)
        if name != "mix.wav":
            files.append(ExtraFile(name, "midi" if name.endswith(".mid") else "stem", name))
    return Made(Generation("t", files=files), "mix.wav")


def test_loop_points_are_those_of_the_file() -> None:
    """An engine's loop at 44.1 kHz is the same stretch of a file at 48 kHz."""
    made = Generation("t", loop_frames=(44_100, 88_201))
    assert at_rate(made, 44_100, 48_000).loop_frames == (48_000, 96_001)
    assert at_rate(made, 44_100, 44_100) == made
    assert at_rate(Generation("t"), 44_100, 48_000).loop_frames is None


@pytest.mark.parametrize("at", range(1, 7))
def test_finishing_stores_all_or_nothing(tmp_path: Path, at: int) -> None:
    """A cancellation between any two steps leaves no file in the store."""
    made = left_by_a_host(tmp_path / "scratch", "score.mid", "a.wav")
    store = ArtifactStore(tmp_path / "data")
    seen: list[Progress] = []

    def report(progress: Progress) -> None:
        seen.append(progress)
        if len(seen) == at:
            raise Cancelled("now")

    finishing = Finishing(store, "artifacts/j/1", Format.FLAC)
    with pytest.raises(Cancelled):
        finishing.run(made, tmp_path / "scratch", MANIFEST, 1.0, report)
    assert not [path for path in store.root.rglob("*") if path.is_file()]
    assert max(progress.fraction for progress in seen) <= 1.0


def test_stems_that_would_be_mistaken_for_the_mix_are_refused(tmp_path: Path) -> None:
    """Once encoded, each file still has a name of its own."""
    made = left_by_a_host(tmp_path / "scratch", "mix.mid", "a.wav", "encoded.wav")
    store = ArtifactStore(tmp_path / "data")
    wav = Finishing(store, "artifacts/j/1", Format.WAV)
    finished = wav.run(made, tmp_path / "scratch", MANIFEST, 1.0, lambda progress: None)  # noqa: ARG005  # nobody listens
    assert [extra.name for extra in finished.extras] == ["mix.mid", "a.wav", "encoded.wav"]
    left_by_a_host(tmp_path / "other", "whole.wav")
    other = Made(Generation("t", files=[ExtraFile("mix.wav", "stem", "Mix")]), "whole.wav")
    with pytest.raises(EngineCrashed, match="one name"):
        wav.run(other, tmp_path / "other", MANIFEST, 1.0, lambda progress: None)  # noqa: ARG005  # nobody listens
    third = left_by_a_host(tmp_path / "third", "preview-0.wav")
    with pytest.raises(EngineCrashed, match="preview"):
        wav.run(third, tmp_path / "third", MANIFEST, 1.0, lambda progress: None)  # noqa: ARG005  # nobody listens


def test_a_mix_that_breaks_after_it_was_looked_at(tmp_path: Path) -> None:
    """An engine that writes a file again while it is read is told from one that is asked for
    something wrong."""
    mix = write_mix(tmp_path / "mix.wav", 44_100)
    mix.write_bytes(b"")
    facts = Properties(Format.WAV, 44_100, 2, 44_100)
    with pytest.raises(EngineCrashed, match="broken"):
        encode(mix, facts, Format.FLAC, tmp_path / "out", lambda: None)
    assert not (tmp_path / "out").exists()


def test_recipe_has_what_reproduction_needs(tmp_path: Path) -> None:
    """Engine, versions, every parameter, what it was computed with, decisions, hash."""
    mix = write_mix(tmp_path / "mix.wav", 44_100)
    facts = Properties(Format.WAV, 44_100, 2, 44_100)
    encoded = encode(mix, facts, Format.FLAC, tmp_path / "out", lambda: None)
    made = Generation("t", decisions={"bars": 8, "runtime": {"cpu_arch": "x86_64-v3"}})
    parameters, lineage = Parameters("p", "", 1.0, 5, {"steps": 2}), {"title": "Rain"}
    found = recipe.build(MANIFEST, parameters, made, encoded, {"style_audio": lineage})
    assert found["cpu_arch"] == "x86_64-v3"
    assert found["decisions"] == {"bars": 8}
    assert (found["prompt"], found["seed"], found["options"]) == ("p", 5, {"steps": 2})
    assert found["audio_sha256"] == encoded.audio_sha256
    assert found["style_audio"] == lineage
    assert "rung" not in found
    offloaded = dataclasses.replace(made, rung="offload")
    assert recipe.build(MANIFEST, parameters, offloaded, encoded, {})["rung"] == "offload"
    sly = dataclasses.replace(made, decisions={"runtime": {"seed": "6", "gpu": "H100"}})
    kept = recipe.build(MANIFEST, parameters, sly, encoded, {})
    assert (kept["seed"], kept["gpu"]) == (5, "H100")
    assert json.loads(json.dumps(found)) == found


def test_course_never_falls() -> None:
    """Whatever a host sends, the whole moves on only, within 0 and 1."""
    course = _Course()
    sent = [0.2, 0.1, float("nan"), -3.0, 7.0, 0.5]
    fractions = [course.at(Progress("s", 5, 0, value), 0.0, 0.95).fraction for value in sent]
    assert fractions == pytest.approx([0.19, 0.19, 0.19, 0.19, 0.95, 0.95])
    step = course.at(Progress("e", 9, 3, 1.0), 0.95, 1.0)
    assert (step.fraction, step.step, step.steps) == (1.0, 3, 3)
