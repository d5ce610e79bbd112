"""Clients that ask once a second how their job is doing: what watching is measured beside.

    python -m bench.jobs.pollers ADDRESS POLLERS JOB,JOB,… [INTERVAL_S]

Plain HTTP/1.1 with a connection each, which is kept. Each line of input begins a measurement
or ends it, which is answered by what was learnt in it.
"""

from __future__ import annotations

import heapq
import json
import os
import random
import selectors
import socket
import sys
import time
from typing import Any

from bench.jobs.wire import READ_BYTES


class Poller:
    """One client and what it knows."""

    def __init__(self, address: str, job_id: str) -> None:
        host, _, port = address.rpartition(":")
        self.socket = socket.create_connection((host, int(port)))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._request = f"GET /v1/jobs/{job_id} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode()
        self._buffer = b""
        self._known = ""
        self._asked = False

    def ask(self) -> None:
        """Send one request, unless the one before is not answered yet."""
        if not self._asked:
            self._asked = True
            self.socket.sendall(self._request)

    def read(self, at_ns: int) -> tuple[bool, int | None]:
        """Return whether an answer is complete, and how old what it newly tells is, in us."""
        self._buffer += self.socket.recv(READ_BYTES)
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return False, None
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(head.decode(errors="replace"))
        size = next(
            int(line.partition(b":")[2])
            for line in head.lower().split(b"\r\n")
            if line.startswith(b"content-length:")
        )
        if len(body) < size:
            return False, None
        self._buffer, self._asked = b"", False
        job: dict[str, Any] = json.loads(body)
        told = str(job.get("progress", {}).get("detail", ""))
        if not told or told == self._known:
            return True, None
        first, self._known = not self._known, told
        return True, None if first else (at_ns - int(told)) // 1000


def poll(address: str, count: int, jobs: list[str], interval_s: float) -> None:
    """Poll until the input ends."""
    pollers = [Poller(address, jobs[number % len(jobs)]) for number in range(count)]
    selector = selectors.DefaultSelector()
    for poller in pollers:
        selector.register(poller.socket, selectors.EVENT_READ, poller)
    selector.register(0, selectors.EVENT_READ, None)
    now_s = time.monotonic()
    # They come at any time of their second, as people do.
    due = [
        (now_s + random.random() * interval_s, number)  # noqa: S311  # guards nothing
        for number in range(count)
    ]
    heapq.heapify(due)
    print(json.dumps({"synced": True}), flush=True)
    answers, age_us, measuring = 0, list[int](), False
    while True:
        while due[0][0] <= time.monotonic():
            at_s, number = due[0]
            pollers[number].ask()
            heapq.heapreplace(due, (at_s + interval_s, number))
        for key, _ in selector.select(max(0.0, due[0][0] - time.monotonic())):
            if key.data is None:
                if not os.read(0, 4096):
                    return
                if measuring:
                    print(json.dumps({"answers": answers, "age_us": age_us}), flush=True)
                answers, age_us, measuring = 0, [], not measuring
                continue
            answered, age = key.data.read(time.monotonic_ns())
            answers += answered
            if age is not None:
                age_us.append(age)


def main() -> None:
    """Read the arguments and poll."""
    address, count, jobs, *interval = sys.argv[1:]
    poll(address, int(count), jobs.split(","), float(interval[0]) if interval else 1.0)


if __name__ == "__main__":
    main()
