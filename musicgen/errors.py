"""The studio's exceptions. Each knows its reason and its gRPC status code by name.

    StudioError
    ├── InvalidRequest ─ InvalidField, MalformedMessage, InvalidPrompt, InvalidLyrics,
    │                    InvalidAudio, UnsupportedFormat, RequestIdReused
    ├── NotFound ─────── ModelNotFound, JobNotFound, TrackNotFound, UploadNotFound,
    │                    ArtifactNotFound, NoLoopFound, RouteNotFound, DeviceNotFound,
    │                    BatchNotFound, QueueNotFound
    ├── WrongState ───── JobAlreadyTerminal, JobNotTerminal, JobNotWaiting,
    │                    ModelNotInstalled, ModelUnusable, ModelInUse, LicenceNotAccepted,
    │                    EnvironmentMissing, EnvironmentBroken, DownloadRefused
    ├── Exhausted ────── MessageTooLarge, QueueFull, RateLimited, DiskFull, OutOfMemory
    ├── Unavailable ──── ServiceUnavailable, StoreUnavailable, ModelLoading, EngineCrashed,
    │                    DownloadFailed
    ├── Conflict ─────── ClaimLost, EditConflict
    └── Internal, Cancelled, GenerationTimeout, ChecksumMismatch, WatchCursorCompacted,
        Unauthenticated, Forbidden

Domain code raises these and knows no gRPC; `musicgen.rpc.status` puts them on the wire.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar


class StudioError(Exception):
    """What went wrong, what to do about it, and the facts.

    `message` and `remedy` are sentences for people; `metadata` is for programs.
    `fields` maps a request's field path to what is wrong with it.
    """

    reason: ClassVar[str] = "INTERNAL"
    code: ClassVar[str] = "INTERNAL"
    retryable: ClassVar[bool] = False
    default_remedy: ClassVar[str] = ""

    def __init__(
        self,
        message: str,
        *,
        remedy: str = "",
        metadata: Mapping[str, str] | None = None,
        fields: Mapping[str, str] | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy or self.default_remedy
        self.metadata = dict(metadata or {})
        self.fields = dict(fields or {})
        self.retry_after_s = retry_after_s


class Internal(StudioError):
    """A defect of the studio itself."""

    reason = "INTERNAL"
    retryable = True
    default_remedy = "Look into the service's log; if it happens again, report it as a bug."


class InvalidRequest(StudioError):
    """The request can't be served as it is, now or later."""

    code = "INVALID_ARGUMENT"


class InvalidField(InvalidRequest):
    """Some fields are missing, out of range or of the wrong form."""

    reason = "INVALID_FIELD"
    default_remedy = "Correct what is named and ask again."


class MalformedMessage(InvalidRequest):
    """The bytes are no valid message."""

    reason = "MALFORMED_MESSAGE"
    default_remedy = "Send a valid protobuf message; every string must be UTF-8."


class InvalidPrompt(InvalidRequest):
    """The prompt is empty or too long."""

    reason = "INVALID_PROMPT"
    default_remedy = "Describe the music in 1 to 2,000 characters."


class InvalidLyrics(InvalidRequest):
    """The lyrics can't be sung by the engine."""

    reason = "INVALID_LYRICS"


class InvalidAudio(InvalidRequest):
    """The audio can't be read."""

    reason = "INVALID_AUDIO"
    default_remedy = "Use a WAV, FLAC, MP3, Opus, OGG or M4A file that plays elsewhere."


class UnsupportedFormat(InvalidRequest):
    """The format is not one that the operation can use."""

    reason = "UNSUPPORTED_FORMAT"
    default_remedy = "Choose FLAC, WAV or MP3."


class RequestIdReused(InvalidRequest):
    """The request id belongs to another request."""

    reason = "REQUEST_ID_REUSED"
    default_remedy = "Use a new UUID for a new request."


class NotFound(StudioError):
    """Nothing goes by that name."""

    code = "NOT_FOUND"


class ModelNotFound(NotFound):
    """No engine or model of that name."""

    reason = "MODEL_NOT_FOUND"
    default_remedy = "Choose one of the engines that `musicgen engines` lists."


class JobNotFound(NotFound):
    """No job of that id."""

    reason = "JOB_NOT_FOUND"
    default_remedy = "`musicgen jobs` lists the jobs that are kept."


class BatchNotFound(NotFound):
    """No batch of that id."""

    reason = "BATCH_NOT_FOUND"
    default_remedy = "`musicgen batches` lists the batches that are kept."


class QueueNotFound(NotFound):
    """No queue of that name."""

    reason = "QUEUE_NOT_FOUND"
    default_remedy = "`musicgen queue` lists the queues."


class TrackNotFound(NotFound):
    """No track of that id."""

    reason = "TRACK_NOT_FOUND"
    default_remedy = "`musicgen tracks` lists the library."


class UploadNotFound(NotFound):
    """No finished upload of that id."""

    reason = "UPLOAD_NOT_FOUND"
    default_remedy = "Finish the upload, or upload the file again."


class ArtifactNotFound(NotFound):
    """The artifact store holds no such file."""

    reason = "ARTIFACT_NOT_FOUND"
    default_remedy = "Run the job again."


class NoLoopFound(NotFound):
    """No cycle in the audio would repeat well."""

    reason = "NO_LOOP_FOUND"
    default_remedy = "Give the loop points yourself, or choose music with a steady beat."


class DeviceNotFound(NotFound):
    """There is no such device, or the chosen one is not there any more."""

    reason = "DEVICE_NOT_FOUND"
    default_remedy = "Choose one of the devices that `musicgen devices` lists."


class RouteNotFound(NotFound):
    """The gateway exposes nothing there."""

    reason = "ROUTE_NOT_FOUND"
    default_remedy = "Check the path and the method; /v1/health tells whether the studio answers."


class WrongState(StudioError):
    """Not possible in the present state."""

    code = "FAILED_PRECONDITION"


class JobAlreadyTerminal(WrongState):
    """The job has ended."""

    reason = "JOB_ALREADY_TERMINAL"
    default_remedy = "Nothing needs to be done; retry the job if you want its work again."


class JobNotTerminal(WrongState):
    """The job has not ended."""

    reason = "JOB_NOT_TERMINAL"
    default_remedy = "Cancel the job first, or wait for its end."


class JobNotWaiting(WrongState):
    """The job does not wait in its queue any more."""

    reason = "JOB_NOT_WAITING"
    default_remedy = "Only jobs that wait can be moved."


class ModelNotInstalled(WrongState):
    """The engine is known, but its weights are missing."""

    reason = "MODEL_NOT_INSTALLED"
    default_remedy = "Install the model first: `musicgen models install` with its name."


class ModelUnusable(WrongState):
    """The files of a model are there, but are not what it needs."""

    reason = "MODEL_UNUSABLE"
    default_remedy = "Install the model again."


class ModelInUse(WrongState):
    """The model is being used or installed, or another one needs it."""

    reason = "MODEL_IN_USE"
    default_remedy = "Wait until it is free, then try again."


class LicenceNotAccepted(WrongState):
    """The licence must be accepted first."""

    reason = "LICENCE_NOT_ACCEPTED"
    default_remedy = "Read the licence and accept it, then try again."


class EnvironmentMissing(WrongState):
    """The engine's environment has not been made."""

    reason = "ENVIRONMENT_MISSING"
    default_remedy = "Set the engine up first: `musicgen engines setup` with its name."


class EnvironmentBroken(WrongState):
    """The engine's environment was made, but does not work."""

    reason = "ENVIRONMENT_BROKEN"
    default_remedy = "Repair it: `musicgen engines setup` with the engine's name and --repair."


class DownloadRefused(WrongState):
    """The hub gives the files only to people it knows."""

    reason = "DOWNLOAD_REFUSED"
    default_remedy = (
        "Agree to the terms on the model's page, log in with `hf auth login`, then try again."
    )


class Exhausted(StudioError):
    """Something ran out."""

    code = "RESOURCE_EXHAUSTED"


class MessageTooLarge(Exhausted):
    """The message exceeds the limit."""

    reason = "MESSAGE_TOO_LARGE"
    default_remedy = "Send less in one message; upload audio with PUT /v1/uploads."


class QueueFull(Exhausted):
    """Too many jobs are waiting."""

    reason = "QUEUE_FULL"
    default_remedy = "Wait until some jobs have ended, or cancel some."


class RateLimited(Exhausted):
    """Too many requests in a short time."""

    reason = "RATE_LIMITED"
    retryable = True
    default_remedy = "Wait a little, then try again."


class DiskFull(Exhausted):
    """No space for the result."""

    reason = "DISK_FULL"
    default_remedy = "Free some disk space, then retry the job."


class OutOfMemory(Exhausted):
    """Memory of the host or the device ran out."""

    reason = "OUT_OF_MEMORY"
    default_remedy = "Close other programs, or ask for a shorter piece."


class Unavailable(StudioError):
    """Not now; the same request may succeed later."""

    code = "UNAVAILABLE"
    retryable = True
    default_remedy = "Try again in a few seconds."


class ServiceUnavailable(Unavailable):
    """A service that is needed can't be reached."""

    reason = "SERVICE_UNAVAILABLE"
    default_remedy = "Check that the studio runs (`musicgen doctor`), then try again."


class StoreUnavailable(Unavailable):
    """The job store can't be reached or refuses writes."""

    reason = "STORE_UNAVAILABLE"


class ModelLoading(Unavailable):
    """A model is being brought into memory."""

    reason = "MODEL_LOADING"
    default_remedy = "Wait until it is loaded, then try again: `musicgen models` says when."


class EngineCrashed(Unavailable):
    """The process that did the work died."""

    reason = "ENGINE_CRASHED"
    default_remedy = (
        "A job is tried three times by itself. If it failed for good, retry it; the log says more."
    )


class DownloadFailed(Unavailable):
    """A download broke off."""

    reason = "DOWNLOAD_FAILED"
    default_remedy = "Check the network, then try again: it goes on where it stopped."


class GenerationTimeout(StudioError):
    """Work stopped making progress."""

    reason = "GENERATION_TIMEOUT"
    code = "DEADLINE_EXCEEDED"
    retryable = True
    default_remedy = "Retry the job; ask for a shorter piece if it happens again."


class ChecksumMismatch(StudioError):
    """Bytes are not those that were promised."""

    reason = "CHECKSUM_MISMATCH"
    code = "DATA_LOSS"
    retryable = True
    default_remedy = "Retry; if it happens again, check the disk."


class Conflict(StudioError):
    """Somebody else was faster."""

    code = "ABORTED"


class ClaimLost(Conflict):
    """Another worker holds the job now."""

    reason = "CLAIM_LOST"
    default_remedy = "Stop this work; the newer claim goes on with the job."


class EditConflict(Conflict):
    """The resource changed since it was read."""

    reason = "EDIT_CONFLICT"
    default_remedy = "Load it again and repeat the edit."


class Cancelled(StudioError):
    """Somebody asked for the work to stop."""

    reason = "CANCELLED"
    code = "CANCELLED"


class WatchCursorCompacted(StudioError):
    """The cursor is outside the history that is kept."""

    reason = "WATCH_CURSOR_COMPACTED"
    code = "OUT_OF_RANGE"
    default_remedy = "Watch again without a cursor."


class Unauthenticated(StudioError):
    """The token is missing or wrong."""

    reason = "UNAUTHENTICATED"
    code = "UNAUTHENTICATED"


class Forbidden(StudioError):
    """The request comes from where nothing is accepted from."""

    reason = "FORBIDDEN"
    code = "PERMISSION_DENIED"


def _tree(root: type[StudioError]) -> Iterator[type[StudioError]]:
    yield root
    for child in root.__subclasses__():
        yield from _tree(child)


def by_reason(reason: str) -> type[StudioError]:
    """Return the exception class that carries `reason`, or StudioError if none does."""
    for error in _tree(StudioError):
        # Not the root, whose reason is only a default: it would hide Internal.
        if error is not StudioError and vars(error).get("reason") == reason:
            return error
    return StudioError
