"""Many watchers in a process of their own, which cost little each.

    python -m bench.jobs.watchers < PLAN

PLAN is one line of JSON: see `Plan`. Says {"synced": N} when all have their snapshots. Then
each line of input begins a measurement or ends it, which is answered by what arrived in it.
"""

from __future__ import annotations

import json
import os
import selectors
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.jobs.wire import Connection, Http2, Web
from musicgen.api.jobs.v1 import job_pb2, job_service_pb2

PATH = "/musicgen.api.jobs.v1.JobService/WatchJobs"


@dataclass(frozen=True, slots=True)
class Plan:
    """Who watches what.

    `kind` is "native" or "web". Watcher i watches the i-th of `jobs`, from the first again
    after the last; all jobs if there are none. `calls` of them share a connection (native).
    """

    kind: str
    address: str
    count: int
    jobs: Sequence[str] = ()
    calls: int = 1
    interval_ms: int = 0


@dataclass(slots=True)
class Heard:
    """What arrived: frames by kind, and how old each progress was, in microseconds."""

    frames: int = 0
    bookmarks: int = 0
    resets: int = 0
    ended: int = 0
    age_us: list[int] = field(default_factory=list)


class Watchers:
    """Opens all watches and reads what comes."""

    def __init__(self, plan: Plan) -> None:
        self.heard = Heard()
        self._plan = plan
        self._synced = 0
        self._selector = selectors.DefaultSelector()
        kind = Http2 if plan.kind == "native" else Web
        connection: Connection | None = None
        for number in range(plan.count):
            if connection is None or number % plan.calls == 0:
                connection = kind(plan.address)
                self._selector.register(connection.socket, selectors.EVENT_READ, connection)
            connection.call(PATH, self._request(number))
            if number % 20 == 0:  # not all at once: nobody comes so
                self.read_for(0.02)
        while self._synced < plan.count:
            self.read_for(0.05)

    def _request(self, number: int) -> bytes:
        request = job_service_pb2.WatchJobsRequest()
        if self._plan.jobs:
            name = self._plan.jobs[number % len(self._plan.jobs)]
            request.filter.CopyFrom(job_pb2.JobFilter(job_ids=[name]))
        if self._plan.interval_ms:
            request.min_interval.FromMilliseconds(self._plan.interval_ms)
        return request.SerializeToString()

    def read_for(self, seconds: float) -> None:
        """Read for so long."""
        end_s = time.monotonic() + seconds
        while (left_s := end_s - time.monotonic()) > 0:
            self.read(left_s)

    def read(self, wait_s: float | None) -> bool:
        """Read what is there or comes within `wait_s`. Returns whether input is there, too."""
        asked = False
        for key, _ in self._selector.select(wait_s):
            if key.data is None:
                asked = True
                continue
            connection: Connection = key.data
            ended = connection.ended
            data = connection.receive()
            at_ns = time.monotonic_ns()
            for _, message in connection.feed(data):
                self._hear(job_service_pb2.WatchJobsResponse.FromString(message), at_ns)
            self.heard.ended += connection.ended - ended
        return asked

    def _hear(self, frame: job_service_pb2.WatchJobsResponse, at_ns: int) -> None:
        heard = self.heard
        heard.frames += 1
        if frame.HasField("events"):
            heard.age_us += [
                (at_ns - int(event.progressed.detail)) // 1000
                for event in frame.events.events
                if event.progressed.detail
            ]
        elif frame.HasField("snapshot"):
            self._synced += frame.snapshot.complete
        elif frame.HasField("bookmark"):
            heard.bookmarks += 1
        else:
            heard.resets += 1

    def obey(self) -> None:
        """Measure from one line of input to the next, until there is no more."""
        self._selector.register(0, selectors.EVENT_READ, None)
        pending = b""
        measuring = False
        while True:
            if not self.read(None):
                continue
            data = os.read(0, 4096)
            if not data:
                return
            pending += data
            while b"\n" in pending:
                pending = pending.partition(b"\n")[2]
                if measuring:
                    heard = {name: getattr(self.heard, name) for name in Heard.__slots__}
                    print(json.dumps(heard), flush=True)
                self.heard = Heard()
                measuring = not measuring


def main() -> None:
    """Read the plan and watch."""
    line = b""
    while not line.endswith(b"\n"):  # unbuffered: the rest of the input is for `obey`
        line += os.read(0, 1)
    watchers = Watchers(Plan(**json.loads(line)))
    print(json.dumps({"synced": True}), flush=True)
    watchers.obey()


if __name__ == "__main__":
    main()
