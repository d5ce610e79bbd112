"""A FLAC file being written: numbers its frames, and knows where each is."""

from __future__ import annotations

from services.looper.rendering.crc import Ints
from services.looper.rendering.flac_encoder import BLOCK_SAMPLES, Form
from services.looper.rendering.flac_frames import Frames, put_together
from services.looper.rendering.flac_metadata import Index, head, head_bytes, join_indexes
from services.looper.rendering.sink import Sink
from services.looper.rendering.spool import Bytes


class FlacFile:
    """A file of `length_frames`. With `variable_blocks` its frames may have any sizes, else
    all but the last have BLOCK_SAMPLES. The head is written at last, into its place."""

    def __init__(
        self, form: Form, length_frames: int, sink: Sink, comment: bytes, variable_blocks: bool
    ) -> None:
        self._form, self._length_frames, self._sink = form, length_frames, sink
        self._comment, self._variable = comment, variable_blocks
        self._indexes: list[Index] = []
        self._head_is_written = False
        sink.write(bytes(head_bytes(form, length_frames, comment)), provisional=True)

    @property
    def head_is_written(self) -> bool:
        """Whether the file is complete but for its frames."""
        return self._head_is_written

    def announce(self, frames: Frames, from_frame: int) -> None:
        """Enter frames into the index; their `starts` count from a frame of the output.
        All must be announced in order; they may be written later."""
        starts = from_frame + frames.starts
        sizes = frames.bytes_with(self._numbers(starts))
        self._indexes.append(Index(starts, frames.sizes, sizes))

    def write(self, frames: Frames, bodies: Bytes, from_frame: int) -> None:
        """Append frames; their `starts` count from a frame of the output."""
        numbers = self._numbers(from_frame + frames.starts)
        self._sink.write(put_together(frames, bodies, numbers, self._variable))

    def write_head(self, md5: bytes) -> None:
        """Write the metadata, when all frames are announced. `md5` is that of the PCM."""
        index = join_indexes(self._indexes)
        self._sink.patch(0, head(self._form, self._length_frames, self._comment, index, md5))
        self._head_is_written = True

    def _numbers(self, starts: Ints) -> Ints:
        return starts if self._variable else starts // BLOCK_SAMPLES
