"""What a call ended with, said better where the studio said nothing."""

from __future__ import annotations

import grpc

from musicgen.errors import ServiceUnavailable, StudioError
from musicgen.rpc.status import from_rpc_error


def explained(caught: grpc.RpcError, address: str, deadline_s: float) -> StudioError:
    """Rebuild the error of a call to `address` that was to last `deadline_s` at most."""
    error = from_rpc_error(caught)
    code, cause = caught.code(), caught.details() or ""
    if type(error) is ServiceUnavailable and not error.metadata:
        return unreachable(address, cause)
    if code is grpc.StatusCode.DEADLINE_EXCEEDED and not error.metadata:
        return ServiceUnavailable(f"The studio at {address} did not answer in {deadline_s:g} s.")
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return ServiceUnavailable(
            f"What answers at {address} is no studio, or one of another version.",
            remedy="Check the address; `musicgen up` prints that of the studio it starts.",
        )
    return error


def unreachable(address: str, cause: str) -> ServiceUnavailable:
    """Say that there is no studio at `address`, or no such part of it, and what to do."""
    if "upstream" in cause:  # the gateway answers for a service that doesn't
        return ServiceUnavailable(
            f"The studio at {address} runs, but the part asked for doesn't answer.",
            remedy="Try again in a few seconds; `musicgen health` shows which part is down.",
            metadata={"address": address, "cause": cause},
        )
    return ServiceUnavailable(
        f"No studio answers at {address}.",
        remedy="Start one with `musicgen up`, or name another with --address or "
        "$MUSICGEN_GATEWAY; `musicgen doctor` looks for what is wrong.",
        metadata={"address": address, "cause": cause},
    )
