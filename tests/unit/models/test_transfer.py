from __future__ import annotations

import pytest

from musicgen.progress import Progress
from services.inference.models.transfer import TransferMeter

pytestmark = pytest.mark.unit


def test_rate_and_time_left() -> None:
    """The rate is that of the last seconds, and the time left comes from it; both are absent
    until they were measured."""
    now, told = [0.0], list[Progress]()
    meter = TransferMeter(told.append, 1000, 2, clock=lambda: now[0])
    meter.enter("downloading", "w.bin")
    assert told[-1].eta_s is None
    for _ in range(10):
        now[0] += 1.0
        meter.add(10)
    assert told[-1].transfer is not None
    assert told[-1].transfer.bytes_per_second == pytest.approx(10.0)
    assert told[-1].eta_s == pytest.approx(90.0)
    for _ in range(8):
        now[0] += 1.0
        meter.add(100)
    assert told[-1].transfer.bytes_per_second == pytest.approx(100.0)
    assert (told[-1].transfer.done_bytes, told[-1].step) == (900, 0)
    meter.finish_file()
    assert told[-1].step == 1


def test_the_share_never_falls() -> None:
    """Bytes that turn out to be of no use lower what is done, not the share."""
    told = list[Progress]()
    meter = TransferMeter(told.append, 100, 1)
    meter.add(60)
    meter.add(-60)
    assert told[-1].fraction == pytest.approx(0.6)
    assert told[-1].transfer is not None
    assert told[-1].transfer.done_bytes == 0
    meter.add(100)
    assert told[-1].fraction == 1.0
