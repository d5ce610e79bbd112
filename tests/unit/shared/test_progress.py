"""Measured progress."""

from __future__ import annotations

import pytest

from musicgen.progress import ProgressMeter, Stage

pytestmark = pytest.mark.unit


class Clock:
    """A clock that is set by hand."""

    now_s = 100.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now_s


def test_fraction_follows_the_weights_and_the_eta_the_measured_speed() -> None:
    """A stage's weight is its share; time left comes from what was timed, not before."""
    clock = Clock()
    meter = ProgressMeter([Stage("write", 1, 1.0), Stage("render", 3, 3.0)], clock=clock)
    first = meter.enter("write")
    assert (first.stage, first.step, first.steps, first.fraction) == ("write", 0, 1, 0.0)
    assert first.eta_s is None
    clock.now_s += 2
    one = meter.advance()
    assert (one.fraction, one.eta_s) == (0.25, None)
    assert meter.enter("render", detail="intro").detail == "intro"
    clock.now_s += 2
    two = meter.advance()
    assert two.fraction == pytest.approx(0.5)
    assert two.eta_s == pytest.approx(4.0)
    clock.now_s += 4
    last = meter.advance(2)
    assert (last.fraction, last.eta_s) == (1.0, 0.0)
    assert meter.advance().fraction == 1.0


def test_steps_of_an_earlier_run_tell_no_speed() -> None:
    """They count as done, and the time left is that of what this run does itself."""
    clock = Clock()
    meter = ProgressMeter([Stage("render", 10, 10.0)], clock=clock)
    meter.enter("render")
    skipped = meter.skip(6, detail="going on")
    assert (skipped.step, skipped.fraction, skipped.detail) == (6, 0.6, "going on")
    for _ in range(2):
        clock.now_s += 3
        last = meter.advance()
    assert last.step == 8
    assert last.fraction == pytest.approx(0.8)
    assert last.eta_s == pytest.approx(6.0)
    assert meter.skip(99).step == 10
