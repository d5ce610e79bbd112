"""What a loop is made of, as it is named on the command line."""

from __future__ import annotations

from pathlib import Path

from musicgen.api.audio.v1 import audio_pb2
from musicgen.cli.exits import FileNotFound
from musicgen.cli.work import Worker
from musicgen.client.sendable import checked_text


class Source:
    """A local audio file, or a track by its id."""

    def __init__(self, text: str) -> None:
        """Raises FileNotFound for what is neither."""
        self.text = text
        self._file = Path(text) if Path(text).is_file() else None
        if self._file is None and not text.isalnum():  # no id of a track looks like that
            raise FileNotFound(f"There is no file {text!r}.")

    async def send(self, worker: Worker) -> audio_pb2.AudioRef:
        """Return the reference to it; a file is sent to the studio for that."""
        if self._file:
            return await worker.upload(self._file)
        return audio_pb2.AudioRef(track_id=checked_text("source", self.text))
