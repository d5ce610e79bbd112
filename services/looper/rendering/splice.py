"""Hours of a lossy format from a minute or two of encoding: frames are encoded once and
repeated.

A writer of a format gives the facts of its codec and a function that encodes, and gets
the frames of the whole output back, as runs over a store on disk:

    codec = Codec(sample_rate_hz=44_100, frame_samples=1152, settle_frames=4)
    with FrameStore(sink.path.parent) as store:
        body = splice(timeline, codec, encode, store, encoding)
        for run in body.runs:            # in the order of the output
            ... store.read(run) ...      # frames [run.first, run.end), back to back;
                                         # store.sizes(run), store.pieces(run), ...

`encode` takes blocks of audio at the codec's rate, float32 [frames, channels] within
-1 to 1, and yields every encoded frame of them in order, as bytes, the flushed ones at
the end included: frame k decodes to samples [k x frame_samples, ...) of the decoder's raw
output, which is `delay` samples late. It is called once or twice, each time for a stream
of its own, and must begin from a fresh encoder. The delay is the writer's own affair:
splicing needs only that it is the same for each stream.

`body.samples` is the exact length, without the encoder's delay. The runs hold all frames
for it and maybe a few more: those that decode to `delay + body.samples` raw samples are
needed, and `body.cut(frames)` drops the rest. `body.loop` is the region of the output
that repeats, in samples of the codec's rate without the delay.

How. A cycle is no whole number of codec frames. So K cycles of a minute or more make a
unit. The first minute of a unit, the *stretch*, is resampled by 435 ppm at most to a
whole number of frames, in up to two variants that differ by one frame; the *rest* of a
unit is as it is and the same in each. A sequence of the two variants keeps every unit
within half a frame of where it belongs, after any number of hours. All frames around a
joint are encoded from the same, unstretched samples, on the same grid of frames. The
ending, from the last rest that must be cut short or from the last unit on, is encoded
from a little before its joint, on that grid too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal

import numpy as np

from musicgen.audio.codecs import Samples
from services.looper.rendering.fitting import Fitter
from services.looper.rendering.frames import FrameStore, Run
from services.looper.rendering.layout import Codec, Layout, lay_out, samples_of
from services.looper.rendering.tagging import LoopRegion
from services.looper.rendering.timeline import Timeline

Encode = Callable[[Iterator[Samples]], Iterator[bytes]]
Encoding = Callable[[float], None]
"""Told how many seconds of audio have been encoded in all; what it raises ends the work."""

Method = Literal["spliced", "encoded"]
Opens = Callable[[int], bool]
"""Whether the frame of this index in the store can follow a joint."""

ENCODED_AT_ONCE = 16_384
"""Samples; a cancel waits no longer than for these."""

MOST_MOVED_FRAMES = 8
"""How far all joints move together where a frame can't follow one."""

__all__ = [
    "Body",
    "Codec",
    "Encode",
    "Encoding",
    "Method",
    "Rendered",
    "encoded_seconds",
    "loop_of",
    "splice",
]


@dataclass(frozen=True, slots=True)
class Rendered:
    """How a format's writer did it, and where the output repeats, in its own samples."""

    method: Method
    loop: LoopRegion | None


@dataclass(frozen=True, slots=True)
class Body:
    """The frames of an output: `runs` of a store, in order."""

    runs: tuple[Run, ...]
    samples: int
    method: Method
    loop: tuple[int, int] | None
    """Where the output repeats: [start, end) in samples; None if nothing was spliced."""

    @property
    def frames(self) -> int:
        """Frames of the output."""
        return sum(run.end - run.first for run in self.runs)

    def cut(self, frames: int) -> Body:
        """Return this without the frames after the first so many, which must be there."""
        runs, left = [], frames
        for run in self.runs:
            if left > 0:
                runs.append(Run(run.first, min(run.end, run.first + left)))
            left -= run.end - run.first
        if left > 0:
            raise ValueError(f"The encoder yielded {left} frames too few.")
        return replace(self, runs=tuple(runs))


def splice(
    timeline: Timeline,
    codec: Codec,
    encode: Encode,
    store: FrameStore,
    encoding: Encoding,
    *,
    opens: Opens | None = None,
) -> Body:
    """Encode what has to be encoded, once, into `store`, and return how it is repeated.

    `opens` tells whether a frame can follow a joint, if not every frame can. Raises
    OSError, InvalidAudio, and what `encoding` raises, which is told of every block.
    """
    fitter = Fitter(timeline, codec.sample_rate_hz)
    done = 0

    def told(blocks: Iterator[Samples]) -> Iterator[Samples]:
        nonlocal done
        for whole in blocks:
            for start in range(0, len(whole), ENCODED_AT_ONCE):
                block = whole[start : start + ENCODED_AT_ONCE]
                yield np.clip(block, -1.0, 1.0)
                done += len(block)
                encoding(done / codec.sample_rate_hz)

    if layout := lay_out(timeline, codec):
        once = store.extend(encode(told(_once(fitter, layout))))
        ending = store.extend(encode(told(fitter.ending(layout))))
        if runs := _runs(layout, once, ending, opens):
            unit = layout.stretches[0] + layout.rest_frames
            loop = (layout.joint, layout.joint + unit * codec.frame_samples)
            return Body(runs, layout.length, "spliced", loop)
        done = 0
    length = samples_of(timeline, codec)
    run = store.extend(encode(told(fitter.whole(length))))
    return Body((run,), length, "encoded", None)


def encoded_seconds(timeline: Timeline, codec: Codec) -> float:
    """Return how much audio `splice` will encode, which nearly all of its time goes to."""
    layout = lay_out(timeline, codec)
    samples = layout.encoded if layout else samples_of(timeline, codec)
    return samples / codec.sample_rate_hz


def loop_of(
    timeline: Timeline, codec: Codec, body: Body, loop: LoopRegion | None
) -> LoopRegion | None:
    """Return the loop points for a file's tags, in samples of the codec's rate: `loop` as
    it is or, where cycles are stretched, the first unit. None stays None."""
    if loop is None or body.loop is None:
        rate = Fraction(codec.sample_rate_hz, timeline.sample_rate_hz)
        return loop and LoopRegion(round(loop.start_frame * rate), round(loop.end_frame * rate))
    return LoopRegion(*body.loop)


def _once(fitter: Fitter, layout: Layout) -> Iterator[Samples]:
    """Yield the first stream: up to the joint, a stretch, the rest, the other stretch, and
    what an encoder and a joint look ahead at."""
    zone, frame_samples = layout.zone, layout.codec.frame_samples
    first, *others = layout.variants
    zone_source = layout.zone_source

    def stretch(frames: int) -> Iterator[Samples]:
        return fitter.stretched(
            layout.lead_source + zone_source,
            layout.stretch_source - 2 * zone_source,
            frames * frame_samples - 2 * zone,
        )

    yield from fitter.opening(layout.joint + zone)
    yield from stretch(first)
    stretched = layout.lead_source + layout.stretch_source
    between = zone + layout.rest_frames * frame_samples + zone
    yield from fitter.cycle(stretched - zone_source, between)
    for frames in others:
        yield from stretch(frames)
        yield from fitter.cycle(stretched - zone_source, 2 * zone)


def _runs(layout: Layout, once: Run, ending: Run, opens: Opens | None) -> tuple[Run, ...] | None:
    """Return the output's runs, or None if no frame near the joints can follow one."""
    frame_samples = layout.codec.frame_samples
    joint = once.first - (-layout.joint // frame_samples)
    first, *others = layout.variants
    rest = joint + first
    starts = {first: joint} | dict.fromkeys(others, rest + layout.rest_frames)
    last = ending.first + (joint - once.first) + (layout.warm_up - layout.joint) // frame_samples
    for moved in range(MOST_MOVED_FRAMES):
        following = [*starts.values(), last] + [rest] * bool(layout.rest_frames)
        if opens and not all(opens(frame + moved) for frame in following):
            continue
        runs = [Run(once.first, joint + moved)]
        rests = [layout.rest_frames] * (len(layout.stretches) - 1) + [layout.last_rest_frames]
        for frames, rest_frames in zip(layout.stretches, rests, strict=True):
            start = starts[frames] + moved
            runs.append(Run(start, start + frames))
            if rest_frames:
                runs.append(Run(rest + moved, rest + moved + rest_frames))
        return (*runs, Run(last + moved, ending.end))
    return None
