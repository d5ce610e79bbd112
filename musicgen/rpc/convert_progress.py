"""Progress to and from its message. Apart from `convert`, which needs numpy: engine hosts
must not load numpy before they have pinned how it computes."""

from __future__ import annotations

from google.protobuf import duration_pb2

from musicgen.api.progress.v1 import progress_pb2
from musicgen.progress import Progress, Transfer


def progress_to_proto(progress: Progress) -> progress_pb2.Progress:
    """Convert measured progress."""
    message = progress_pb2.Progress(
        stage=progress.stage,
        step=progress.step,
        steps=progress.steps,
        fraction=progress.fraction,
        detail=progress.detail,
    )
    if progress.eta_s is not None:
        eta = duration_pb2.Duration()
        eta.FromNanoseconds(int(progress.eta_s * 1e9))
        message.eta.CopyFrom(eta)
    if progress.transfer is not None:
        message.transfer.CopyFrom(
            progress_pb2.Transfer(
                done_bytes=progress.transfer.done_bytes,
                total_bytes=progress.transfer.total_bytes,
                bytes_per_second=progress.transfer.bytes_per_second,
            )
        )
    return message


def progress_from_proto(message: progress_pb2.Progress) -> Progress:
    """Convert measured progress."""
    moved = message.transfer
    return Progress(
        stage=message.stage,
        step=message.step,
        steps=message.steps,
        fraction=message.fraction,
        eta_s=message.eta.ToNanoseconds() / 1e9 if message.HasField("eta") else None,
        detail=message.detail,
        transfer=(
            Transfer(moved.done_bytes, moved.total_bytes, moved.bytes_per_second)
            if message.HasField("transfer")
            else None
        ),
    )
