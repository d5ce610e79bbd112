"""The program that asks espeak-ng for phones, run by espeak.py as a process of its own.

espeak-ng is GPL-3; the wheel `espeak-english` carries it, in the engine's optional environment.
Nothing of the studio is imported here, and nothing imports this. JSON, an object a line:

    ← {"version": "1.51"}                 once, when it is ready, or {"error": "…"}
    → {"texts": ["hello world"]}
    ← {"phones": ["h_ə_l_ˈoʊ w_ˈɜː_l_d"]}     phones with _ between them, words with a space

It ends when stdin does.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from importlib import metadata, util
from pathlib import Path
from typing import Any

_PACKAGE = "espeak_english"
_LIBRARIES = ("libespeak-ng.so", "libespeak-ng.dylib", "espeak-ng.dll", "libespeak-ng.dll")
_VOICE = b"en-us"
_NO_SOUND = 2
_UTF8 = 1
_IPA_WITH_UNDERSCORES = 0x02 | ord("_") << 8
_LONGEST_PATH = 130
"""espeak-ng cuts longer paths of its data off without a word and looks elsewhere."""


class _Espeak:
    """The library, with the American English voice."""

    def __init__(self, library: Path, data: Path) -> None:
        self._library: Any = ctypes.CDLL(str(library))
        start = self._library.espeak_Initialize
        start.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_int]
        if start(_NO_SOUND, 0, os.fsencode(data.parent), 0) <= 0:
            raise RuntimeError("espeak-ng can't read its data")
        if self._library.espeak_SetVoiceByName(_VOICE) != 0:
            raise RuntimeError("espeak-ng has no American English voice")
        self._library.espeak_Info.restype = ctypes.c_char_p
        self._library.espeak_Info.argtypes = [ctypes.c_void_p]
        self._to_phones: Any = self._library.espeak_TextToPhonemes
        self._to_phones.restype = ctypes.c_char_p
        self._to_phones.argtypes = [ctypes.POINTER(ctypes.c_void_p), ctypes.c_int, ctypes.c_int]

    @property
    def version(self) -> str:
        """As the library says it, such as "1.51"."""
        return str(self._library.espeak_Info(None).decode().split(" ")[0])

    def phones(self, text: str) -> str:
        """Return the phones of a text; the library takes a clause of it at a time."""
        buffer = ctypes.create_string_buffer(text.replace("\0", " ").encode())
        rest = ctypes.c_void_p(ctypes.addressof(buffer))
        clauses = []
        while rest.value:
            clauses.append(self._to_phones(ctypes.byref(rest), _UTF8, _IPA_WITH_UNDERSCORES))
        return " ".join(clause.decode() for clause in clauses if clause)


@contextlib.contextmanager
def _found() -> Iterator[tuple[Path, Path]]:
    """Give the paths of the wheel's library and data. Raises RuntimeError if they aren't there."""
    spec = util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("the package espeak-english is not installed")
    folder = Path(spec.submodule_search_locations[0])
    library = next((folder / name for name in _LIBRARIES if (folder / name).is_file()), None)
    data = folder / "espeak-ng-data"
    if library is None or not data.is_dir():
        release = metadata.version("espeak-english")
        raise RuntimeError(f"espeak-english {release} has no library for {sys.platform}")
    if len(os.fsencode(folder)) <= _LONGEST_PATH:
        yield library, data
        return
    shortcut = Path(tempfile.mkdtemp(prefix="espeak-"))
    try:
        (shortcut / data.name).symlink_to(data, target_is_directory=True)
        yield library, shortcut / data.name
    finally:
        shutil.rmtree(shortcut, ignore_errors=True)


def _say(answer: dict[str, Any]) -> None:
    sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n")
    sys.stdout.buffer.flush()


def main() -> int:
    """Answer until stdin ends."""
    try:
        with _found() as (library, data):
            espeak = _Espeak(library, data)
            _say({"version": espeak.version})
            for row in sys.stdin.buffer:
                _say({"phones": [espeak.phones(text) for text in json.loads(row)["texts"]]})
    except (RuntimeError, OSError) as error:
        _say({"error": str(error)})
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
