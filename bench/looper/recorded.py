"""Recorded loops under CC0, from the package that the composer's hits are cut from.

Some are tiled as they are; over others, music is laid whose cycle holds the loop several times,
so that the drums alone would repeat sooner. Left out are loops whose own seam clicks (drone_g,
perc2, safari, weirdo), and those that repeat within (compus, garzul, mika, industrial).
"""

from __future__ import annotations

import io
import tarfile
from dataclasses import dataclass

import numpy as np
import soundfile

from bench.composer.packages import FOLDER, Unavailable
from bench.looper.composition import STYLES, Chance, Style, compose, timed
from bench.looper.instruments import Floats, play
from bench.looper.made import Made
from bench.looper.truth import Truth
from services.inference.engines.composer.sounds.fetch import SourceUnavailable, fetch
from services.inference.engines.composer.sounds.recipe import HIT_PACKAGE

RATE_HZ = 44_100
INTROS = ("ambi_choir", "ambi_haunted_hum", "ambi_lunar_land", "ambi_piano", "ambi_glass_hum")


def sample(name: str) -> Floats:
    """Return a sample of the package [frames, 2]. Raises Unavailable."""
    try:
        path = fetch(HIT_PACKAGE, FOLDER)
    except SourceUnavailable as problem:
        raise Unavailable(str(problem)) from problem
    with tarfile.open(path) as package:
        content = package.extractfile(f"package/samples/{name}.flac")
        if content is None:
            raise Unavailable(f"{HIT_PACKAGE.name} holds no {name}.")
        samples, _ = soundfile.read(io.BytesIO(content.read()), always_2d=True)
    return np.repeat(samples, 2, axis=1) if samples.shape[1] == 1 else samples[:, :2]


@dataclass(frozen=True, slots=True)
class Recorded:
    """A kind of track: an intro, and a cycle of one loop or of several with music."""

    loop: str
    times: tuple[float, float]
    """How often the cycle is played."""
    bars: int = 0
    """Of the music that lies over a cycle; none: the loop is the cycle."""
    loops: int = 1
    """In a cycle."""
    style: str = ""

    def make(self, chance: Chance) -> Made:
        """Make a track by chance. Raises Unavailable."""
        intro = sample(str(chance.choice(INTROS)))[: int(chance.uniform(3, 6) * RATE_HZ)].copy()
        fade = RATE_HZ // 4
        intro[-fade:] *= np.linspace(1, 0, fade)[:, None]
        cycle = np.tile(sample(self.loop), (self.loops, 1))
        if self.bars:
            cycle = cycle + self._music(chance, len(cycle))
        times = float(chance.uniform(*self.times))
        count, start = int(times * len(cycle)), len(intro)
        body = np.tile(cycle, (int(times) + 1, 1))[:count]
        truth = Truth(
            f"recorded: {self.loop}" + (f" and {self.style}" if self.bars else ""),
            loopable=True,
            body=(start, start + count),
            period_frames=float(len(cycle)),
            grid=[[float(start), 0.0], [float(start + count), count / len(cycle)]],
            match=(start, start + count - len(cycle)),
            cycles=times,
            exact=True,
            sample_rate_hz=RATE_HZ,
        )
        return Made(np.concatenate([intro, body]), truth)

    def _music(self, chance: Chance, period: int) -> Floats:
        """Return a cycle of music [period, 2] that rings on into the next."""
        plain = STYLES[self.style]
        players = Style(lead=plain.lead, keys=plain.keys, bass=plain.bass, pad=plain.pad)
        notes, _ = compose(chance, self.bars, 4, players)
        written = timed(notes, period / (self.bars * 4), RATE_HZ)
        once = [note._replace(frame=round(note.frame)) for note in written]
        twice = once + [note._replace(frame=note.frame + period) for note in once]
        return 0.6 * play(twice, 2 * period, RATE_HZ)[period : 2 * period]


RECORDED = {
    (301, "amen"): Recorded("loop_amen_full", (3.2, 5.5)),
    (302, "tabla"): Recorded("loop_tabla", (2.2, 3.6)),
    (303, "printer"): Recorded("loop_3d_printer", (2.5, 4.5)),
    (304, "fx_bed"): Recorded("tbd_fxbed_loop", (2.5, 4.5)),
    (305, "amen_band"): Recorded("loop_amen_full", (2, 2.8), bars=8, loops=2, style="band"),
    (306, "percussion_waltz"): Recorded("loop_perc1", (2, 2.8), bars=8, loops=8, style="waltz"),
    (307, "electronic_calm"): Recorded("loop_mehackit1", (2, 2.8), bars=8, loops=8, style="calm"),
    (308, "breakbeat_edm"): Recorded("loop_breakbeat", (2, 2.8), bars=8, loops=8, style="edm"),
}
"""By number and name."""
