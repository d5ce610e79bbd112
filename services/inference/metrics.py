"""What the inference service tells of its engines."""

from prometheus_client import Counter, Gauge

ENGINE_STATE = Gauge(
    "musicgen_engine_state", "1 at the state that the engine is in.", ["engine", "state"]
)
ENGINE_STARTS = Counter("musicgen_engine_starts_total", "Starts of the engine's host.", ["engine"])
GENERATION_SECONDS = Counter(
    "musicgen_generation_seconds_total", "Time spent on pieces that were finished.", ["engine"]
)
GENERATED_SECONDS = Counter(
    "musicgen_generated_audio_seconds_total", "Length of those pieces.", ["engine"]
)
