"""Where the studio is: what was asked for, else the one that runs here, else the default."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from musicgen.errors import InvalidField
from musicgen.home import data_root, read_run_file

DEFAULT_ADDRESS = "127.0.0.1:8400"
ENVIRONMENT_VARIABLE = "MUSICGEN_GATEWAY"
API_KEY_VARIABLE = "MUSICGEN_API_KEY"
API_KEY_HEADER = "x-api-key"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The studio's gateway. `address` ("host:port") is for gRPC, `url` for HTTP."""

    address: str
    url: str


def parse_endpoint(text: str) -> Endpoint:
    """Read "host:port", "[v6]:port" or "http://host:port". Raises InvalidField."""
    address = text.strip().removeprefix("http://").rstrip("/")
    host, _, port = address.rpartition(":")
    plain = host.startswith("[") or ":" not in host
    # Printable: a byte that is no UTF-8 reaches us as half a character, which isn't.
    valid = host and plain and host.isprintable() and not set(host) & set("/?#@ ")
    if not (valid and port.isascii() and port.isdigit() and 0 < int(port) < 65_536):
        raise InvalidField(
            f"{text!r} is no address of a studio.",
            remedy=f"Give it as host:port, such as {DEFAULT_ADDRESS}.",
            fields={"address": "must be host:port"},
        )
    return Endpoint(address, f"http://{address}")


def find_endpoint(asked: str | None, environ: Mapping[str, str]) -> Endpoint:
    """Return where to go: `asked`, else $MUSICGEN_GATEWAY, else the running studio of
    this user's data folder, else the default address. Raises InvalidField."""
    if chosen := asked or environ.get(ENVIRONMENT_VARIABLE):
        return parse_endpoint(chosen)
    if running := read_run_file(data_root(environ)):
        return Endpoint(running.address, running.url)
    return parse_endpoint(DEFAULT_ADDRESS)
