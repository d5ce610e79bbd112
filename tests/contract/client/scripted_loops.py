"""What a scripted studio finds in any audio: two cycles, their seams, and points files. In
the track "ringing" the first of them rings into its start."""

from __future__ import annotations

import hashlib

from musicgen.api.audio.v1 import audio_pb2
from musicgen.api.jobs.v1 import job_pb2
from musicgen.api.looper.v1 import loop_pb2
from musicgen.errors import NoLoopFound

RATE_HZ = 44_100
POINTS_FILES = ("loops.json", "loops.csv", "loops.txt", "loops.cue")


def find_loops(job: job_pb2.Job, made: dict[str, bytes]) -> None:
    """Write the result of a find_loops job into it, and the bytes of its files, by their
    paths, into `made`."""
    analysis = job.result.analysis
    analysis.sample_rate_hz, analysis.duration_frames = RATE_HZ, 60 * RATE_HZ
    kind = loop_pb2.LoopCandidate
    rings = job.spec.find_loops.source.track_id == "ringing"
    for number, (start_s, end_s, bars) in enumerate(((4, 36, 16), (4, 20, 8)), start=1):
        found = analysis.candidates.add(
            score=0.98 / number,
            likeness_before=0.99,
            likeness_after=0.98 / number,
            timing_spread_ms=0.5 * number,
            click_risk=0.8 * number,
            kind=kind.KIND_TAIL if rings and number == 1 else kind.KIND_REPEAT,
            period_frames=(end_s - start_s) * RATE_HZ + 0.25,
            tempo_bpm=120,
            beats=bars * 4,
            bars=bars,
            partial=number == 2,
        )
        found.points.start_frame, found.points.end_frame = start_s * RATE_HZ, end_s * RATE_HZ
        found.seam.CopyFrom(_file(job, f"seam-{number}.flac", made))
    del analysis.candidates[job.spec.find_loops.max_candidates or len(analysis.candidates) :]
    for name in POINTS_FILES:
        artifact = _file(job, name, made, query=f"?name={name}")
        job.result.downloads.add(
            artifact=artifact, file_name=name, path=f"/v1/{artifact.key}?name={name}"
        )


def no_loop() -> NoLoopFound:
    """Return the error of audio in which nothing repeats well enough."""
    return NoLoopFound(
        "No cycle repeats well enough: the best scores 0.61 of 0.80 needed.",
        metadata={"best": "0.6100", "best_start_frame": "44100", "best_end_frame": "441000"},
    )


def _file(
    job: job_pb2.Job, name: str, made: dict[str, bytes], query: str = ""
) -> audio_pb2.Artifact:
    key, content = f"artifacts/{job.job_id}/1/{name}", name.encode() * 100
    made[f"/v1/{key}"] = made[f"/v1/{key}{query}"] = content
    return audio_pb2.Artifact(
        key=key, sha256=hashlib.sha256(content).hexdigest(), size_bytes=len(content)
    )
