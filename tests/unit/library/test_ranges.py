from __future__ import annotations

import pytest

from musicgen.errors import InvalidField
from services.library.uploads import Chunk
from services.library.web.ranges import Unsatisfiable, chunk_of, satisfiable

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("header", "kept"),
    [
        ("bytes=0-", "bytes=0-99"),
        ("bytes=0-0", "bytes=0-0"),
        ("bytes=90-200", "bytes=90-99"),
        ("bytes=-1", "bytes=99-99"),
        ("bytes=-500", "bytes=0-99"),
        ("Bytes=1-2, 4-5", "bytes=1-2,4-5"),
        ("bytes=1-2,100-", "bytes=1-2"),
        ("bytes=100-", Unsatisfiable()),
        ("bytes=-0", Unsatisfiable()),
        ("bytes=5-3", None),
        ("bytes=", None),
        ("bytes=-", None),
        ("bytes=a-b", None),
        ("bytes=1_0-2_0", None),
        ("bytes=+1-2", None),
        ("lines=1-2", None),
        ("bytes=" + ",".join(["0-1"] * 17), None),
    ],
)
def test_ranges_of_a_hundred_bytes(header: str, kept: object) -> None:
    """Ranges are kept, cut to the file, refused or ignored as RFC 9110 says."""
    assert satisfiable(header, 100) == kept


def test_an_empty_file_has_no_range() -> None:
    """No range of an empty file can be satisfied."""
    assert satisfiable("bytes=0-", 0) == Unsatisfiable()


@pytest.mark.parametrize(
    ("content_range", "length", "chunk"),
    [
        (None, "10", Chunk(0, None, 10)),
        (None, None, Chunk(0, None, None)),
        ("bytes 0-9/100", "10", Chunk(0, 10, 100)),
        ("bytes 5-9/*", None, Chunk(5, 10, None)),
        ("bytes */100", "0", None),
        ("bytes */*", None, None),
    ],
)
def test_content_range(content_range: str | None, length: str | None, chunk: Chunk | None) -> None:
    """Content-Range says which bytes come, or asks for the offset."""
    assert chunk_of(content_range, length) == chunk


@pytest.mark.parametrize(
    ("content_range", "length"),
    [
        ("bytes 5-3/10", None),
        ("bytes 0-10/10", None),
        ("bytes 0-9/100", "11"),
        ("items 0-9/100", None),
        ("bytes 0-9", None),
        ("bytes -9/10", None),
        ("", None),
    ],
)
def test_wrong_content_range(content_range: str, length: str | None) -> None:
    """A range that contradicts itself or the body is refused."""
    with pytest.raises(InvalidField):
        chunk_of(content_range, length)
