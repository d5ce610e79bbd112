"""The same parameters give the same bits."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.composer.measure import make

pytestmark = pytest.mark.unit

_PROMPT = "epic cinematic choir, piano, synth arp, distorted guitar and flute with drums, rain"
_SCRIPT = """
import sys
from pathlib import Path
import numpy as np
from tests.unit.composer.measure import make
from numpy._core._multiarray_umath import __cpu_features__ as features
print(int(features.get("X86_V3", features.get("AVX2", False))))
print(make(Path(sys.argv[1]), sys.argv[2], 10.0, 5).sha256)
"""


def test_same_parameters_same_bits(tmp_path: Path) -> None:
    """A second run in the same process gives the same file; another seed another one."""
    first, again, other = (make(tmp_path, "pop", 6.0, seed) for seed in (5, 5, 6))
    assert first.sha256 == again.sha256
    assert first.generation == again.generation
    assert first.sha256 != other.sha256


def test_same_bits_on_every_instruction_set(tmp_path: Path) -> None:
    """NumPy's dispatch turned down in steps changes no bit of the file."""
    here = make(tmp_path, _PROMPT, 10.0, 5).sha256
    levels = ["X86_V4 AVX512_ICL AVX512_SPR", "X86_V3 X86_V4 AVX512_ICL AVX512_SPR"]
    for disabled in levels:
        environment = {
            **os.environ,
            "NPY_DISABLE_CPU_FEATURES": disabled,
            "OPENBLAS_CORETYPE": "Prescott",
            "PYTHONWARNINGS": "ignore",  # features this processor hasn't got anyway
        }
        ran = subprocess.run(
            [sys.executable, "-c", _SCRIPT, str(tmp_path), _PROMPT],
            env=environment, capture_output=True, text=True, check=True,
        )  # fmt: skip
        has_avx2, digest = ran.stdout.split()
        assert digest == here
    assert has_avx2 == "0"
