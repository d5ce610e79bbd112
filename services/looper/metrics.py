"""What the looper tells of itself."""

from prometheus_client import Counter

RENDERED_SECONDS = Counter(
    "musicgen_loop_rendered_seconds_total", "Length of the audio of all loops rendered."
)
