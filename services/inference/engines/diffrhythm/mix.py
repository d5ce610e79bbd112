"""The audio of a song as it is decoded: kept, let be heard, and at the end brought to its peak."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import torch
from torch import Tensor

from musicgen.engine.base import MIX_FILE, Preview, Report
from services.inference.engines.diffrhythm.config import SAMPLE_RATE_HZ

PEAK = 0.944
"""-0.5 dBFS: what the loudest sample is brought to."""

PREVIEW_S = 5.0
FADE_S = 1.5
"""How the end of a song sounds that was cut out of something longer."""

BLOCK_SAMPLES = 65_536
_SILENT = 1e-6


class Mix:
    """A mix of `samples` samples in `scratch`. How loud it is is known only at its end, so it
    is written as it comes and scaled then; memory holds one stretch. One that `fades` is cut
    out of something longer."""

    def __init__(self, scratch: Path, samples: int, report: Report, *, fades: bool = False) -> None:
        self._scratch, self._report = scratch, report
        self._fade_samples = min(samples, int(FADE_S * SAMPLE_RATE_HZ)) if fades else 0
        self._raw = scratch / "raw.wav"
        self._file = soundfile.SoundFile(self._raw, "w", SAMPLE_RATE_HZ, 2, "FLOAT")
        self._left = samples
        self._loudest = _SILENT
        self._unheard: list[Tensor] = []
        self._previews, self._heard = 0, 0

    def add(self, stretch: Tensor) -> None:
        """Take the next [channels, samples]; what is beyond the end is dropped. Where memory
        runs out in it nothing was taken."""
        audio = self._faded(stretch[:, : self._left].float().cpu())
        loudest = max(self._loudest, float(audio.abs().max()))
        interleaved = audio.T.contiguous().numpy()
        self._file.write(interleaved)
        self._left -= audio.shape[1]
        self._loudest = loudest
        self._unheard.append(audio)

    def finish(self, tick: Callable[[], None]) -> None:
        """Write MIX_FILE; what `tick` raises ends it."""
        self._file.close()
        gain = np.float32(PEAK / self._loudest)
        with (
            soundfile.SoundFile(self._raw) as raw,
            soundfile.SoundFile(
                self._scratch / MIX_FILE, "w", SAMPLE_RATE_HZ, 2, "FLOAT"
            ) as finished,
        ):
            while len(block := raw.read(BLOCK_SAMPLES, dtype="float32", always_2d=True)):
                finished.write(block * gain)
                tick()
        self._raw.unlink()

    def close(self) -> None:
        """Close what is still open."""
        self._file.close()

    def _faded(self, audio: Tensor) -> Tensor:
        """Let what belongs to the end fall to nothing."""
        if self._left - audio.shape[1] >= self._fade_samples:
            return audio
        to_end = torch.arange(self._left, self._left - audio.shape[1], -1)
        return audio * ((to_end - 1) / self._fade_samples).clamp(0, 1)

    def let_be_heard(self) -> None:
        """Report what was added as a preview, once it is long enough. Each is brought to the
        peak of all so far."""
        unheard = sum(one.shape[1] for one in self._unheard)
        if not unheard or (unheard < PREVIEW_S * SAMPLE_RATE_HZ and self._left):
            return
        name = f"preview-{self._previews}.wav"
        audio = torch.cat(self._unheard, dim=1)
        samples = (audio * (PEAK / self._loudest)).T.contiguous().numpy()
        soundfile.write(self._scratch / name, samples, SAMPLE_RATE_HZ, subtype="FLOAT")
        self._report(Preview(name, self._heard))
        self._previews += 1
        self._heard += audio.shape[1]
        self._unheard = []


def write_whole(scratch: Path, audio: npt.NDArray[np.float32], tick: Callable[[], None]) -> None:
    """Write [channels, samples] as MIX_FILE, as it is; what `tick` raises ends it."""
    with soundfile.SoundFile(scratch / MIX_FILE, "w", SAMPLE_RATE_HZ, 2, "FLOAT") as file:
        for start in range(0, audio.shape[1], BLOCK_SAMPLES):
            file.write(audio[:, start : start + BLOCK_SAMPLES].T)
            tick()
