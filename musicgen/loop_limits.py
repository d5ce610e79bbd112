"""What can be asked of a loop; jobs checks it on admission, the looper once more."""

MIN_LENGTH_S, MAX_LENGTH_S = 60.0, 36_000.0
"""One minute to ten hours."""

MAX_CROSSFADE_MS = 500.0
