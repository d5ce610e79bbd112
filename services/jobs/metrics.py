"""What the jobs service tells of queues, jobs and watches. Every process of the service
tells the queues as the store has them, and its own part of all else."""

from prometheus_client import Counter, Gauge, Histogram

# From a moment to ten hours.
_SECONDS = (0.1, 0.3, 1, 3, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 18_000, 36_000)

QUEUE_WAITING = Gauge("musicgen_queue_waiting", "Jobs that could start now.", ["queue"])
QUEUE_DELAYED = Gauge(
    "musicgen_queue_delayed", "Jobs that wait for the delay before an attempt.", ["queue"]
)
QUEUE_RUNNING = Gauge("musicgen_queue_running", "Jobs that workers hold.", ["queue"])
QUEUE_OLDEST = Gauge(
    "musicgen_queue_oldest_seconds",
    "How long the first of those that could start has waited since it was accepted.",
    ["queue"],
)
QUEUE_PAUSED = Gauge("musicgen_queue_paused", "1 while its jobs wait to be resumed.", ["queue"])

JOBS_ENDED = Counter("musicgen_jobs_ended_total", "Jobs that ended.", ["queue", "state"])
JOB_WAIT = Histogram(
    "musicgen_job_wait_seconds",
    "From a job's acceptance to its first start.",
    ["queue"],
    buckets=_SECONDS,
)
JOB_SECONDS = Histogram(
    "musicgen_job_seconds",
    "From a job's first start to its end.",
    ["queue", "state"],
    buckets=_SECONDS,
)
JOB_ATTEMPTS = Histogram(
    "musicgen_job_attempts",
    "Attempts that an ended job took.",
    ["queue"],
    buckets=(1, 2, 3, 5, 10),
)

OUTBOX_WAITING = Gauge("musicgen_outbox_waiting", "Results that the library does not have yet.")
WORKERS_ALIVE = Gauge("musicgen_workers_alive", "Runners that said lately that they live.")
STORE_UP = Gauge("musicgen_store_up", "1 if the job store answered last time.")
HISTORY_CHANGES = Gauge("musicgen_history_changes", "Changes that a watch can go back over.")

WATCHERS = Gauge("musicgen_watchers", "Watches that are open.")
WATCH_RESETS = Counter("musicgen_watch_resets_total", "Watches that were too slow.")
WATCH_LAG = Histogram(
    "musicgen_watch_lag_seconds",
    "From a change's writing, by the store's clock, to its handing to the watches.",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5),
)
WATCH_FRAMES = Counter("musicgen_watch_frames_total", "Frames sent to watches.")
