"""What the library tells of itself."""

from prometheus_client import Counter

TRACKS = Counter("musicgen_tracks_registered_total", "Artifacts that became tracks.")
TRACK_BYTES = Counter("musicgen_tracks_registered_bytes_total", "Bytes of their audio.")
