from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from musicgen.audio.codecs import Samples
from musicgen.errors import Cancelled
from services.looper.rendering.frames import FrameStore, Run
from services.looper.rendering.layout import Codec, Layout, lay_out, samples_of
from services.looper.rendering.splice import Body, Encode, encoded_seconds, splice
from services.looper.rendering.timeline import Timeline
from services.looper.stretches import Held
from tests.unit.looper.rendering.music import shorten_units

pytestmark = pytest.mark.unit

PERIOD = 100_001
DELAY = 700
MP3_LIKE = Codec(44_100, 1152, 3)
OPUS_LIKE = Codec(48_000, 960, 3)


@pytest.fixture(autouse=True)
def short_units(monkeypatch: pytest.MonkeyPatch) -> None:
    """Less to encode."""
    shorten_units(monkeypatch)


def tones(phase: npt.ArrayLike, period: int = PERIOD, rate_hz: int = 44_100) -> Samples:
    """Return periodic music at (fractional) frames of its cycle, shape [frames, 2]."""
    turns = np.asarray(phase, np.float64)[:, None] / period
    total = np.zeros((len(turns), 2))
    for hertz in (110, 1303, 5003, 9001):
        cycles = round(hertz * period / rate_hz)
        total += 0.1 * np.sin(2 * np.pi * cycles * turns + np.array([0.0, 1.0]))
    return total.astype(np.float32)


def timeline(
    *, repeats: float = 16.3, head: int = 50_000, rate_hz: int = 44_100, outro: int = 0
) -> Timeline:
    """Return a render of PERIOD whose head leads into its cycle."""
    length = head + int(repeats * PERIOD) + outro
    return Timeline(
        rate_hz,
        2,
        16,
        Held(tones(np.arange(-head, 0), rate_hz=rate_hz)),
        Held(tones(np.arange(PERIOD), rate_hz=rate_hz)),
        int(repeats),
        length,
        100,
        Held(np.full((length, 2), 0.25, np.float32)) if outro else None,
    )


def plain(codec: Codec) -> Encode:
    """Return an encoder whose frames are the samples themselves, DELAY samples late."""

    def encode(blocks: Iterator[Samples]) -> Iterator[bytes]:
        audio = np.concatenate([np.zeros((DELAY, 2), np.float32), *blocks])
        audio = np.pad(audio, ((0, -len(audio) % codec.frame_samples), (0, 0)))
        for start in range(0, len(audio), codec.frame_samples):
            yield audio[start : start + codec.frame_samples].tobytes()

    return encode


def rendered(what: Timeline, codec: Codec, folder: Path) -> tuple[Body, Samples]:
    """Return what was spliced, and the decoder's output."""
    with FrameStore(folder) as store:
        body = splice(what, codec, plain(codec), store, lambda _: None)
        body = body.cut(-(-(DELAY + body.samples) // codec.frame_samples))
        data = b"".join(store.read(run) for run in body.runs)
    audio = np.frombuffer(data, np.float32).reshape(-1, 2)
    return body, audio[DELAY : DELAY + body.samples]


def phases(what: Timeline, layout: Layout) -> npt.NDArray[np.float64]:
    """Return which frame of the cycle should sound at each sample before the ending."""
    ratio = what.sample_rate_hz / layout.codec.sample_rate_hz
    samples, source = [0, layout.joint], [-float(what.head.frames), layout.lead_source]
    for stretch in layout.stretches:
        start, phase = samples[-1], source[-1]
        end = start + stretch * layout.codec.frame_samples
        samples += [start + layout.zone, end - layout.zone]
        source += [phase + layout.zone_source, phase + layout.stretch_source - layout.zone_source]
        samples.append(end + layout.rest_frames * layout.codec.frame_samples)
        source.append(phase + layout.unit_source)
    samples[-1], source[-1] = layout.ending_joint, layout.ending_phase_source
    samples.append(layout.length)
    source.append(source[-1] + (layout.length - layout.ending_joint) * ratio)
    return np.interp(np.arange(layout.length), samples, source)


@pytest.mark.parametrize(
    ("codec", "rate_hz"),
    [
        (Codec(44_100, 1152, 3), 44_100),
        (Codec(22_050, 576, 3), 22_050),
        (OPUS_LIKE, 44_100),
        (OPUS_LIKE, 48_000),
        (OPUS_LIKE, 44_101),
    ],
)
def test_every_sample_is_where_it_belongs(codec: Codec, rate_hz: int, tmp_path: Path) -> None:
    """Before, in and after each joint the cycle sounds at the phase that was laid out."""
    what = timeline(rate_hz=rate_hz)
    layout = lay_out(what, codec)
    assert layout is not None
    body, audio = rendered(what, codec, tmp_path)
    assert body.method == "spliced"
    assert len(audio) == samples_of(what, codec)
    expected = tones(phases(what, layout), rate_hz=rate_hz)
    # Where the audio begins and ends, resamplers ring and the ending fades.
    inside = slice(3000, -3000)
    error = audio[inside] - expected[inside]
    assert 20 * np.log10(np.std(error) / np.std(expected)) < -80
    assert np.abs(error).max() < 1e-3


@pytest.mark.parametrize("codec", [MP3_LIKE, OPUS_LIKE])
@pytest.mark.parametrize("outro", [0, 30_000])
def test_a_long_cycle_is_cut_short_where_the_output_ends(
    codec: Codec, outro: int, tmp_path: Path
) -> None:
    """The last unit is repeated as far as it goes, and only what comes after is encoded."""
    cycle = tones(np.arange(4 * PERIOD))
    repeats, ending = 4, outro or 290_000
    what = Timeline(
        44_100,
        2,
        16,
        Held(cycle[-50_000:]),
        Held(cycle),
        repeats,
        50_000 + repeats * len(cycle) + ending,
        100,
        Held(np.full((outro, 2), 0.25, np.float32)) if outro else None,
    )
    layout = lay_out(what, codec)
    assert layout is not None
    assert 0 < layout.last_rest_frames < layout.rest_frames
    # A zone of the cycle comes after each joint, also after the last one.
    encoded = layout.length - layout.ending_joint - layout.zone
    assert 0 < encoded < outro * 48_000 / 44_100 + 3000
    _, audio = rendered(what, codec, tmp_path)
    ratio = codec.sample_rate_hz / what.sample_rate_hz
    end = layout.ending_joint + round(layout.ending_cycle_source * ratio) - 300
    inside = slice(3000, end if outro else -3000)
    error = audio[inside] - tones(phases(what, layout)[inside])
    assert np.abs(error).max() < 2e-3


@pytest.mark.parametrize("codec", [MP3_LIKE, OPUS_LIKE])
def test_no_cycle_drifts(codec: Codec) -> None:
    """After any number of hours, a unit starts within half a frame of where it belongs."""
    what = timeline(repeats=16_000)
    layout = lay_out(what, codec)
    assert layout is not None
    frames = np.array(layout.stretches) + layout.rest_frames
    starts = layout.joint + np.cumsum(frames) * codec.frame_samples
    ratio = codec.sample_rate_hz / what.sample_rate_hz
    ideal = layout.joint + np.arange(1, len(frames) + 1) * layout.unit_source * ratio
    assert np.abs(starts - ideal).max() <= codec.frame_samples / 2
    assert len(layout.variants) == 2
    assert layout.variants[1] - layout.variants[0] == 1


def test_a_period_of_whole_frames_stays_as_it_is(tmp_path: Path) -> None:
    """Where nothing needs to be stretched, the samples are those of the timeline."""
    cycle = tones(np.arange(1152 * 90), 1152 * 90)
    what = Timeline(44_100, 2, 16, Held(cycle[-5000:]), Held(cycle), 12, 5000 + 12 * len(cycle), 0)
    body, audio = rendered(what, MP3_LIKE, tmp_path)
    assert body.method == "spliced"
    assert np.array_equal(audio, np.concatenate(list(what.blocks())))


@pytest.mark.parametrize("codec", [MP3_LIKE, OPUS_LIKE])
def test_the_outro_comes_after_whole_cycles(codec: Codec, tmp_path: Path) -> None:
    """An outro starts where a cycle ends, and has the last sample."""
    what = timeline(repeats=16, outro=30_000)
    layout = lay_out(what, codec)
    assert layout is not None
    body, audio = rendered(what, codec, tmp_path)
    ratio = codec.sample_rate_hz / what.sample_rate_hz
    # In the outro there is nothing but 0.25.
    start = layout.ending_joint + round(layout.ending_cycle_source * ratio)
    assert np.allclose(audio[start + 300 : -300], 0.25, atol=1e-3)
    before = audio[layout.joint + 300 : start - 300]
    expected = tones(phases(what, layout)[layout.joint + 300 : start - 300])
    assert np.abs(before - expected).max() < 2e-3
    assert abs(len(audio) - start - 30_000 * ratio) <= codec.frame_samples / 2 + 2
    assert body.samples == len(audio) == samples_of(what, codec)


@pytest.mark.parametrize("codec", [MP3_LIKE, OPUS_LIKE])
@pytest.mark.parametrize(("repeats", "head"), [(16.0, 0), (16.0001, 50_000), (17.99, 250_000)])
def test_the_length_is_exact(codec: Codec, repeats: float, head: int, tmp_path: Path) -> None:
    """Wherever the output is cut, it is as long as asked for, and it fades out."""
    what = timeline(repeats=repeats, head=head)
    body, audio = rendered(what, codec, tmp_path)
    assert body.method == "spliced"
    assert len(audio) == samples_of(what, codec)
    assert np.abs(audio[-1]).max() < 0.05


@pytest.mark.parametrize("repeats", [0.4, 1.0, 3.7])
def test_few_repetitions_are_encoded_whole(repeats: float, tmp_path: Path) -> None:
    """Where splicing would spare little, the output is the timeline to the sample."""
    what = timeline(repeats=repeats)
    body, audio = rendered(what, MP3_LIKE, tmp_path)
    assert body.method == "encoded"
    assert body.loop is None
    assert np.array_equal(audio, np.concatenate(list(what.blocks())))


def test_the_loop_repeats_exactly(tmp_path: Path) -> None:
    """What follows the loop's end is what follows its start."""
    body, audio = rendered(timeline(), MP3_LIKE, tmp_path)
    assert body.loop is not None
    start, end = body.loop
    likeness = audio[start : start + 10_000] - audio[end : end + 10_000]
    assert np.abs(likeness).max() == 0


def test_progress_counts_what_is_encoded(tmp_path: Path) -> None:
    """The seconds told never go back and end at what was announced."""
    what, told = timeline(), list[float]()
    with FrameStore(tmp_path) as store:
        splice(what, MP3_LIKE, plain(MP3_LIKE), store, told.append)
    assert told == sorted(told)
    assert told[-1] == pytest.approx(encoded_seconds(what, MP3_LIKE))
    assert max(np.diff(told)) < 0.5
    assert told[-1] < what.length_frames / what.sample_rate_hz / 2


def test_joints_move_to_frames_that_can_follow_them(tmp_path: Path) -> None:
    """Where a frame can't follow a joint, all joints move on by as many frames."""
    what = timeline()
    with FrameStore(tmp_path) as store:
        first = splice(what, MP3_LIKE, plain(MP3_LIKE), store, lambda _: None)
    refused = {first.runs[1].first, first.runs[2].first + 1}
    with FrameStore(tmp_path) as store:
        moved = splice(
            what, MP3_LIKE, plain(MP3_LIKE), store, lambda _: None, opens=lambda k: k not in refused
        )
    assert [run.first for run in moved.runs[1:]] == [run.first + 2 for run in first.runs[1:]]
    assert moved.frames == first.frames


def test_where_no_frame_can_follow_all_is_encoded(tmp_path: Path) -> None:
    """Such audio is not spliced."""
    what = timeline()
    with FrameStore(tmp_path) as store:
        body = splice(what, MP3_LIKE, plain(MP3_LIKE), store, lambda _: None, opens=lambda _: False)
        frame = store.read(Run(body.runs[0].first + 1, body.runs[0].first + 2))
    assert body.method == "encoded"
    source = np.concatenate(list(what.blocks()))
    assert frame == source[1152 - DELAY : 2304 - DELAY].tobytes()


def test_a_cancel_ends_the_encoding(tmp_path: Path) -> None:
    """What the callback raises comes out, and nothing stays behind."""

    def cancel(seconds: float) -> None:
        if seconds > 3:
            raise Cancelled("enough")

    with FrameStore(tmp_path) as store, pytest.raises(Cancelled):
        splice(timeline(), MP3_LIKE, plain(MP3_LIKE), store, cancel)
    assert list(tmp_path.iterdir()) == []


def test_frames_come_back_as_they_were_stored(tmp_path: Path) -> None:
    """One by one, in runs, and in pieces of a size."""
    frames = [bytes([size % 256]) * size for size in (0, 3, 700_000, 5, 600_000, 1)]
    with FrameStore(tmp_path) as store:
        run = store.extend(frames)
        assert run == Run(0, 6)
        assert store.read(run) == b"".join(frames)
        assert list(store.frames(Run(1, 5))) == frames[1:5]
        pieces = list(store.pieces(run, 700_003))
        assert pieces == [Run(0, 3), Run(3, 6)]
        assert store.sizes(Run(1, 4)).tolist() == [3, 700_000, 5]
        assert list(store.pieces(run, 10)) == [
            Run(0, 2),
            Run(2, 3),
            Run(3, 4),
            Run(4, 5),
            Run(5, 6),
        ]
