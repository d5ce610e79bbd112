"""Stems: each part alone, and together the mix."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from services.inference.engines.composer.compose import compose
from services.inference.engines.composer.crew import Crew
from services.inference.engines.composer.mix import Desk, Mix
from services.inference.engines.composer.recording import (
    STEM_GAIN_DB,
    StemFiles,
    record,
    spans,
    stem_file,
    stem_names,
)
from services.inference.engines.composer.render import Band, Stem
from services.inference.engines.composer.soundcheck import soundcheck
from services.inference.engines.composer.streams import Streams
from tests.unit.composer.test_plan import plan_for

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("loop", [False, True])
def test_stems_add_up_to_the_mix(tmp_path: Path, loop: bool) -> None:
    """The stems are the mix before mastering, sample by sample, with room for their peaks."""
    plan = plan_for("intense lofi with rain", 20.0, loop=loop)
    streams, mix = Streams(1, "x"), Mix(plan)
    with Crew(lambda: None) as crew, StemFiles(plan, tmp_path) as files:
        band = Band(plan, compose(plan, streams), streams, None, mix.lead)
        channels = soundcheck(plan, band, crew, lambda _: None).channels
        parts = {part: Stem(part, band, band.played[part]) for part in plan.parts}
        places = spans(mix.frames, mix.lead)
        for block in record(parts, channels, Desk(plan, streams), places, crew):
            mix.write(block.mix, block.start)
            files.write(block)
    stems = [soundfile.read(tmp_path / stem_file(name))[0] for name in stem_names(plan)]
    gain = 10 ** (STEM_GAIN_DB / 20)
    assert max(np.abs(stem).max() for stem in stems) < 1.0
    assert np.abs(np.sum(stems, axis=0).T / gain - mix.heard(0, mix.frames)).max() < 1e-4


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts open files in /proc")
def test_one_stem_that_cannot_be_opened_leaves_none_open(tmp_path: Path) -> None:
    """The files that were opened before it are closed."""
    (tmp_path / stem_file("room")).mkdir()
    files = StemFiles(plan_for("pop", 10.0), tmp_path)
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(soundfile.LibsndfileError), files:
        raise AssertionError("it must not come this far")
    assert len(list(Path("/proc/self/fd").iterdir())) == before
