"""Styles as files, without NumPy on the reading side."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from musicgen.client.styles import STYLE_NUMBERS, read_style
from musicgen.errors import InvalidField

pytestmark = pytest.mark.unit

STYLE = np.random.default_rng(1).normal(size=STYLE_NUMBERS)


def npy(array: npt.ArrayLike, version: tuple[int, int] = (1, 0)) -> bytes:
    """Return what NumPy writes."""
    file = io.BytesIO()
    np.lib.format.write_array(file, np.asarray(array), version=version, allow_pickle=True)
    return file.getvalue()


@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
@pytest.mark.parametrize("kind", ["<f2", "<f4", "<f8"])
@pytest.mark.parametrize("shape", [(512,), (1, 512), (512, 1)])
def test_what_numpy_writes(kind: str, version: tuple[int, int], shape: tuple[int, ...]) -> None:
    """Half, single and double precision, in one row or column, come back number by number."""
    written = STYLE.astype(kind).reshape(shape)
    found = read_style(npy(written, version))
    assert found == [float(number) for number in written.ravel()]


def test_fortran_order_is_the_same_row() -> None:
    """One row has one order."""
    assert read_style(npy(np.asfortranarray(STYLE.reshape(1, 512)))) == STYLE.tolist()


def test_json() -> None:
    """An array of numbers, or one in an array; whole numbers too."""
    row = STYLE.tolist()
    assert read_style(json.dumps(row).encode()) == row
    assert read_style(json.dumps([row]).encode()) == row
    assert read_style(json.dumps([1] * STYLE_NUMBERS).encode()) == [1.0] * STYLE_NUMBERS


BAD: dict[str, tuple[Any, str]] = {
    "empty": (b"", "neither"),
    "text": (b"rain", "neither"),
    "binary": (bytes(range(256)), "neither"),
    "deep": (b"[" * 100_000, "neither"),
    "object": (b'{"style": []}', "no array"),
    "texts": (json.dumps(["1"] * 512).encode(), "no array"),
    "booleans": (json.dumps([True] * 512).encode(), "no array"),
    "json nan": (json.dumps([0.5] * 511 + [float("nan")]).encode(), "finite"),
    "json too great": (b"[" + b"1" * 400 + b"]", "too great"),
    "511": (json.dumps([0.5] * 511).encode(), "511 numbers"),
    "no numbers": (b"[]", "0 numbers"),
    "513": (npy(np.zeros(513)), "513 numbers"),
    "a number": (npy(np.float32(1.0)), "1 numbers"),
    "table": (npy(np.zeros((2, 256))), "2 × 256"),
    "million": (npy(np.zeros(1_000_000, np.float16)), "1,000,000 numbers"),
    "whole": (npy(np.zeros(512, np.int32)), "'<i4'"),
    "big-endian": (npy(np.zeros(512, ">f4")), "'>f4'"),
    "fields": (npy(np.zeros(512, [("a", "<f4")])), "can be read"),
    "objects": (npy(np.array([{}] * 512, dtype=object)), "'|O'"),
    "npy nan": (npy(np.full(512, np.nan)), "finite"),
    "npy inf": (npy(np.full(512, -np.inf)), "finite"),
    "cut off": (npy(STYLE)[:-1], "as long as it says"),
    "longer": (npy(STYLE) + b"x", "as long as it says"),
    "magic": (b"\x93NUMPY", "version"),
    "version": (b"\x93NUMPY\x09\x00" + npy(STYLE)[8:], "version"),
    "no header": (b"\x93NUMPY\x01\x00", "no valid"),
    "short header": (npy(STYLE)[:40], "no valid"),
    "long header": (b"\x93NUMPY\x02\x00\xff\xff\xff\x7f{}", "no valid"),
    "header of code": (npy(STYLE).replace(b"'<f8'", b"abs(5"), "no valid"),
    "header of text": (b"\x93NUMPY\x01\x00\x04\x00'ab'", "its header is none"),
    "no shape": (npy(STYLE).replace(b"'shape'", b"'shapf'"), "how many"),
    "shape of text": (npy(STYLE).replace(b"(512,)", b"'512' "), "how many"),
    "shape below 0": (npy(STYLE).replace(b"(512,)", b"(-12,)"), "how many"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_style_is_refused(name: str) -> None:
    """Whatever bytes come, the answer says what is wrong with them and what is wanted."""
    data, words = BAD[name]
    with pytest.raises(InvalidField) as caught:
        read_style(data)
    assert words in caught.value.message
    assert "numpy.save" in caught.value.remedy
    assert list(caught.value.fields) == ["style"]


def test_needs_no_numpy() -> None:
    """The SDK installs without it."""
    program = (
        "import sys, json; sys.modules['numpy'] = None;"
        "from musicgen.client import styles;"
        "styles.read_style(sys.stdin.buffer.read())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], input=npy(STYLE), check=False, capture_output=True
    )
    assert (done.returncode, done.stderr) == (0, b"")
