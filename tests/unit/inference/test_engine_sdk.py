from __future__ import annotations

import asyncio
import dataclasses
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from musicgen.api.engine.v1 import engine_pb2, engine_service_pb2
from musicgen.engine import determinism
from musicgen.engine.base import (
    CheckedLyrics,
    Checkpoint,
    ExtraFile,
    ExtraRole,
    Generation,
    LyricsFinding,
    Parameters,
    Preview,
    Report,
    Reported,
    Severity,
    TimeRange,
)
from musicgen.engine.convert import (
    checked_to_proto,
    checkpoint_from_proto,
    dict_from_struct,
    generation_from_proto,
    generation_to_proto,
    manifest_from_proto,
    manifest_to_proto,
    parameters_from_proto,
    parameters_to_proto,
    parts_from_proto,
    parts_to_proto,
    preview_from_proto,
    preview_to_proto,
    struct_from_dict,
)
from musicgen.engine.host import load_engine
from musicgen.engine.threaded import ThreadedWork
from musicgen.engine.waiting import to_the_end
from musicgen.errors import Cancelled, EngineCrashed, InvalidField
from musicgen.progress import Progress
from musicgen.testing.fake_engine import MANIFEST, FakeEngine, expected_samples
from musicgen.testing.signals import sine

pytestmark = pytest.mark.unit

EXTRAS = (ExtraFile("score.mid", "midi", "Score"), ExtraFile("stem-drums.wav", "stem", "Drums"))


def test_values_survive_the_wire() -> None:
    """Manifest, parameters and result are the same after a round trip."""
    assert manifest_from_proto(manifest_to_proto(MANIFEST)) == MANIFEST
    parameters = Parameters(
        "p", "l", 12.5, 0, {"a": [1, 2.5, None, True, {"b": "c"}], "n": -3, "big": 2**60}
    )
    assert parameters_from_proto(parameters_to_proto(parameters)) == parameters
    made = Generation(
        "t", "g", 82.0, "A minor", (10, 20), True, {"plan": {"bars": 8}}, EXTRAS, "offload"
    )
    assert generation_from_proto(generation_to_proto(made, "mix.wav")) == (made, "mix.wav")
    preview = Preview("part-1.wav", 2**40)
    assert preview_from_proto(preview_to_proto(preview)) == preview
    bare = Generation("t")
    assert generation_from_proto(generation_to_proto(bare, "m")) == (bare, "m")


def test_parts_survive_the_wire() -> None:
    """Parts are the same after a round trip; 0 is an end, and so is none."""
    parts = (TimeRange(0.0, 1.5), TimeRange(2.0, 0.0), TimeRange(7.25))
    assert parts_from_proto(parts_to_proto(parts)) == parts
    assert parts_from_proto([]) == ()


def test_findings_reach_the_wire() -> None:
    """Each severity has its number there, and none is lost."""
    severities: tuple[Severity, ...] = ("note", "warning", "error")
    found = [LyricsFinding(n, s, f"c{n}", "what", "help") for n, s in enumerate(severities)]
    message = checked_to_proto(CheckedLyrics(found, "[00:00.00]la"))
    kinds = engine_pb2.LyricsFinding
    assert [finding.severity for finding in message.findings] == [
        kinds.SEVERITY_NOTE,
        kinds.SEVERITY_WARNING,
        kinds.SEVERITY_ERROR,
    ]
    last = message.findings[2]
    assert (last.line, last.code, last.message, last.remedy) == (2, "c2", "what", "help")
    assert message.timed_lyrics == "[00:00.00]la"


def test_whole_numbers_come_back_whole() -> None:
    """A Struct knows doubles only; 4 is an int again, so that range(bars) works."""
    back = dict_from_struct(struct_from_dict({"bars": 4, "swing": 0.5, "flag": False}))
    assert back == {"bars": 4, "swing": 0.5, "flag": False}
    assert {name: type(value) for name, value in back.items()} == {
        "bars": int,
        "swing": float,
        "flag": bool,
    }


def test_refuses_what_is_no_json() -> None:
    """Decisions must be plain values: anything else is a defect of the engine."""
    with pytest.raises(TypeError, match="ndarray"):
        struct_from_dict({"x": np.zeros(2)})


def test_absent_seed() -> None:
    """Parameters without a seed are not complete; a seed of 0 is."""
    message = engine_pb2.GenerationParameters(prompt="p")
    with pytest.raises(InvalidField) as caught:
        parameters_from_proto(message, at="spec.parameters")
    assert list(caught.value.fields) == ["spec.parameters.seed"]
    message.seed = 0
    assert parameters_from_proto(message).seed == 0


@pytest.mark.parametrize(
    ("name", "role"),
    [("../a.wav", "stem"), (".a.wav", "stem"), ("a.mid", "stem"), ("a.wav", "midi"), ("", "stem"),
     ("a/b.wav", "stem"), ("x" * 100 + ".wav", "stem"), ("a.wav", "mix")],
)  # fmt: skip
def test_files_beside_the_mix_have_plain_names(name: str, role: ExtraRole) -> None:
    """An engine can name neither what lies elsewhere nor a kind that nobody keeps."""
    with pytest.raises(ValueError, match=r"role|name"):
        ExtraFile(name, role, "Label")


@pytest.mark.parametrize(
    "names", [["../a.wav"], ["a.wav", "a.wav"], ["mix.wav"], [f"{n}.wav" for n in range(65)]]
)
def test_result_with_files_that_cannot_be_kept(names: list[str]) -> None:
    """Files outside, twice or too many are the fault of the host."""
    kinds = engine_pb2.GeneratedFile
    message = engine_pb2.Generation(files=[kinds(name="mix.wav", role=kinds.ROLE_MIX)])
    message.files.extend(kinds(name=n, role=kinds.ROLE_STEM, label="x") for n in names)
    with pytest.raises(EngineCrashed):
        generation_from_proto(message)


@pytest.mark.parametrize(
    ("name", "start_frame"),
    [("../a.wav", 0), (".a.wav", 0), ("a/b.wav", 0), ("a.flac", 0), ("", 0), ("a.wav", -1),
     ("x" * 100 + ".wav", 0)],
)  # fmt: skip
def test_previews_have_plain_names(name: str, start_frame: int) -> None:
    """An engine can't make one that lies elsewhere or begins before the piece; a host that
    sends one is broken."""
    with pytest.raises(ValueError, match="preview"):
        Preview(name, start_frame)
    with pytest.raises(EngineCrashed):
        preview_from_proto(engine_pb2.EnginePreview(name=name, start_frame=start_frame))


@pytest.mark.parametrize("name", ["../a", ".a", "a/b", "", "x" * 101, "a\n"])
def test_checkpoints_have_plain_names(name: str) -> None:
    """An engine can't make one that lies elsewhere; a host that sends one is broken."""
    with pytest.raises(ValueError, match="checkpoint"):
        Checkpoint(name)
    with pytest.raises(EngineCrashed):
        checkpoint_from_proto(engine_service_pb2.EngineCheckpoint(name=name))


@pytest.mark.parametrize("names", [[], ["../x"], [""], [".."], ["a", "b"]])
def test_result_without_a_plain_mix(names: list[str]) -> None:
    """A host can't point outside its scratch folder, nor leave the mix out."""
    role = engine_pb2.GeneratedFile.ROLE_MIX
    files = [engine_pb2.GeneratedFile(name=name, role=role) for name in names]
    with pytest.raises(EngineCrashed):
        generation_from_proto(engine_pb2.Generation(files=files))


async def test_threaded_work_reports_and_returns() -> None:
    """Stages get through, fast reports are thinned, the result is there at the end."""

    def work(report: Callable[[Progress], None]) -> int:
        for stage in ("a", "b"):
            for step in range(200):
                report(Progress(stage, step, 200, 0.0))
                time.sleep(0.001)
        return 42

    threaded = ThreadedWork(work, interval_s=0.05)
    seen = [progress async for progress in threaded.run()]
    assert threaded.result == 42
    assert {progress.stage for progress in seen} == {"a", "b"}
    assert 4 <= len(seen) < 60


async def test_previews_are_never_thinned_and_keep_their_place() -> None:
    """However fast reports come and however slow the reader is, every preview arrives, in
    order; of the progress around it the reader gets the newest."""
    goes_on = threading.Event()

    def work(report: Report) -> None:
        for number in range(1, 65):
            report(Progress("a", number, 64, 0.0))
            report(Progress(f"b{number}", number, 64, 0.0))
            report(Preview(f"{number}.wav", number))
        goes_on.set()

    seen = []
    async for event in ThreadedWork(work).run():
        await asyncio.to_thread(goes_on.wait, 5)
        seen.append(event)
    previews = [event.start_frame for event in seen if isinstance(event, Preview)]
    assert previews == list(range(1, 65))
    assert seen[-2:] == [Progress("b64", 64, 64, 0.0), Preview("64.wav", 64)]
    told = 0
    for event in seen:
        if isinstance(event, Progress):
            assert event.step == told + 1  # not before the preview that came first
        elif isinstance(event, Preview):
            told = event.start_frame


async def test_threaded_work_raises() -> None:
    """What the work raises is raised to the reader; even sys.exit() ends only the work."""

    def fail(report: Report) -> None:
        report(Progress("a", 0, 1, 0.0))
        raise KeyError("x")

    with pytest.raises(KeyError):
        [_ async for _ in ThreadedWork(fail).run()]
    with pytest.raises(RuntimeError, match="SystemExit"):
        [_ async for _ in ThreadedWork(lambda report: sys.exit(1)).run()]  # noqa: ARG005  # the shape of work


@pytest.mark.parametrize(
    "event", [Progress("a", 0, 1, 0.0), Preview("a.wav", 0), Checkpoint("a.state")]
)
async def test_threaded_work_is_cancelled_and_awaited(event: Reported) -> None:
    """A reader that leaves makes the next report raise, whatever it tells, and waits for the
    thread's end."""
    ended = threading.Event()

    def work(report: Report) -> None:
        try:
            while True:
                report(event)
                time.sleep(0.01)
        except Cancelled:
            time.sleep(0.1)
            ended.set()
            raise

    steps = ThreadedWork(work).run()
    await anext(steps)
    await steps.aclose()
    assert ended.is_set()


async def test_to_the_end_outlasts_cancellation() -> None:
    """Cleaning up goes on under repeated cancellation, which is raised afterwards."""
    done = asyncio.Event()

    async def clean() -> None:
        await asyncio.sleep(0.1)
        done.set()

    task = asyncio.create_task(to_the_end(clean()))
    for _ in range(3):
        await asyncio.sleep(0.01)
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done.is_set()


def test_load_engine() -> None:
    """A reference names a class of engines, nothing else."""
    assert load_engine("musicgen.testing.fake_engine:FakeEngine") is FakeEngine
    for wrong in ("musicgen.testing.fake_engine:Script", "musicgen.testing.fake_engine"):
        with pytest.raises(ValueError, match="Engine"):
            load_engine(wrong)


def test_sine_is_what_it_says() -> None:
    """The sine has its frequency and level, and a piece of it is the same piece."""
    tone = sine(441.0, 44_100)
    spectrum = np.abs(np.fft.rfft(tone[:, 0]))
    assert int(spectrum.argmax()) == 441
    assert tone.dtype == np.float32
    assert np.abs(tone).max() == 0.5
    assert (tone[1000:2000] == sine(441.0, 1000, start_frame=1000)).all()
    assert (expected_samples(0, 0.1) != expected_samples(1, 0.1)).any()


def test_pinned_variables() -> None:
    """What is pinned depends on the machine and on numpy's names for its kernels."""
    new = determinism.variables("x86_64-v3", "2.4.6")
    old = determinism.variables("x86_64-v3", "2.3.1")
    weak = determinism.variables("x86_64", "2.4.6")
    arm = determinism.variables("aarch64", "2.4.6")
    assert "X86_V4" in new["NPY_DISABLE_CPU_FEATURES"]
    assert "AVX512_SKX" in old["NPY_DISABLE_CPU_FEATURES"]
    assert new["OPENBLAS_CORETYPE"] == "Haswell"
    assert "OPENBLAS_CORETYPE" not in weak  # Haswell's kernels would crash there
    assert set(arm) == {"OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"}


def test_cpu_flags(tmp_path: Path) -> None:
    """Flags are read where Linux has them; elsewhere there are none."""
    (tmp_path / "cpuinfo").write_text("processor : 0\nflags\t\t: fpu avx2 fma\n\nflags: x\n")
    assert determinism._cpu_flags(tmp_path / "cpuinfo") == {"fpu", "avx2", "fma"}
    assert determinism._cpu_flags(tmp_path / "nowhere") == frozenset()


def test_pin_must_come_first() -> None:
    """Pinning after numpy was loaded is refused: it would do nothing."""
    with pytest.raises(RuntimeError, match="numpy"):
        determinism.pin()


@pytest.mark.parametrize(
    "outside",
    [{}, {"NPY_DISABLE_CPU_FEATURES": "AVX512_ICL"}, {"OPENBLAS_CORETYPE": "SkylakeX"}],
)
def test_same_results_at_every_level(outside: dict[str, str]) -> None:
    """Whatever the machine could do beyond AVX2, and whatever was set outside, a pinned
    process loads numpy without a warning and computes the same."""
    program = (
        "from musicgen.engine.determinism import pin; pin();"
        "import hashlib, numpy as np; x = np.linspace(0.01, 80, 300_001);"
        "a = np.sin(np.arange(90_000.0)).reshape(300, 300);"
        "f = x.astype('f4'); parts = np.exp(x), np.log1p(x), np.tanh(f), a @ a.T, f @ f;"
        "print(hashlib.sha256(b''.join(np.asarray(p).tobytes() for p in parts)).hexdigest())"
    )

    def digest(extra: dict[str, str]) -> str:
        ran = subprocess.run(
            [sys.executable, "-W", "error", "-c", program],
            env={**os.environ, **extra},
            check=True,
            capture_output=True,
            text=True,
        )
        assert ran.stderr == ""
        return ran.stdout

    assert digest(outside) == digest({})


def test_runtime_names_the_machine() -> None:
    """The recipe can say what the samples depend on."""
    runtime = determinism.runtime()
    assert runtime["numpy_version"] == np.__version__
    assert runtime["device_class"] == "cpu"


def test_an_engine_says_what_it_computed_with() -> None:
    """Its word replaces what is true of numpy, or is added to it; the rest stays."""
    own = determinism.with_runtime({"bars": 8})
    assert own == {"bars": 8, "runtime": determinism.runtime()}
    told = {"device_class": "cuda", "gpu": "H100"}
    assert determinism.with_runtime({"bars": 8, "runtime": told}) == {
        "bars": 8,
        "runtime": {**determinism.runtime(), **told},
    }


@pytest.mark.parametrize("told", ["cuda", None, ["cuda"], {"device": 0}, {0: "cuda"}])
def test_what_an_engine_computed_with_is_text(told: object) -> None:
    """Anything else is a defect of the engine."""
    with pytest.raises(TypeError, match="runtime"):
        determinism.with_runtime({"runtime": told})


def test_engine_sdk_is_light() -> None:
    """A host can pin numpy because nothing of the SDK loads it."""
    program = (
        "import sys, musicgen.engine.host, musicgen.engine.client; sys.exit('numpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_manifest_is_immutable() -> None:
    """A manifest can be shared."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        MANIFEST.name = "x"  # type: ignore[misc]  # that is the point
