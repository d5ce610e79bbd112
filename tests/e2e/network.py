"""Hosts on one machine: each has its own network, processes and mounts, and a cable to one
switch that can be pulled. All of it ends with this process, however that ends."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

SUBNET = "10.77.0"
COMMAND_S = 10.0
_TOOLS = ("ip", "nsenter", "unshare", "mount")
# The first process of a namespace: when this end of its input is closed, even by kill -9 of
# the tests, it ends, and the kernel ends all that runs in there.
_HOLDER = ("sh", "-c", "echo ready; exec cat")

_FORKED = ("--fork", "--kill-child", "--mount-proc")


class Refused(Exception):
    """A command failed; says which, and what it said."""


class Host:
    """A machine of the network, with one cable."""

    def __init__(self, name: str, address: str, switch: _Switch) -> None:
        self.name = name
        self.address = address
        self._switch = switch
        self._holder = _Holder(
            [*switch.as_root(), "unshare", "--net", "--pid", "--mount", "--uts", *_FORKED]
        )
        self._programs: list[subprocess.Popen[bytes]] = []
        switch.plug(name, self._holder.pid)
        self.run("hostname", name)
        self.run("ip", "link", "set", "lo", "up")
        self.run("ip", "address", "add", f"{address}/24", "dev", "eth0")
        self.run("ip", "link", "set", "eth0", "up")

    def _within(self) -> list[str]:
        return [*self._switch.as_root(), *self._holder.within("net", "pid", "mount", "uts")]

    def run(self, *command: str, timeout_s: float = COMMAND_S) -> str:
        """Run a short command on the host; return what it says. Raises Refused."""
        return _run([*self._within(), *command], timeout_s)

    def mount(self, source: Path, target: Path) -> None:
        """Show a folder of this machine at another place, on the host only."""
        target.mkdir(parents=True, exist_ok=True)
        self.run("mount", "--bind", str(source), str(target))

    def start(self, command: Sequence[str], env: Mapping[str, str], log: Path) -> None:
        """Start a program that runs until the host is switched off."""
        with log.open("ab") as file:
            program = subprocess.Popen(
                [*self._within(), *command],
                env={**os.environ, **env},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
            )
        self._programs.append(program)

    def pipe(self, *command: str) -> subprocess.Popen[str]:
        """Start a program, and give its output to read from."""
        return subprocess.Popen(
            [*self._within(), *command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
        )

    def pull(self) -> None:
        """Pull the cable: nothing goes in or out, and nobody is told."""
        self._switch.set_port(self.name, "down")

    def plug(self) -> None:
        """Put the cable back."""
        self._switch.set_port(self.name, "up")

    def off(self) -> None:
        """Switch the host off."""
        self._holder.end()
        for program in self._programs:
            program.wait(COMMAND_S)


class _Switch:
    """A network of its own, with a bridge that the hosts' cables end at."""

    def __init__(self) -> None:
        # Who is not root here becomes root of a user namespace, and of nothing else.
        own_user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
        self._holder = _Holder(["unshare", *own_user, "--net", *_FORKED[:2]])
        self._is_root = not own_user
        self._ip("link", "add", "name", "switch", "type", "bridge")
        self.set_port("switch", "up")

    def as_root(self) -> list[str]:
        """Return the command under which one is root, which is none for who is it anyway."""
        return [] if self._is_root else self._holder.within("user")

    def plug(self, name: str, pid: int) -> None:
        """Lay a cable from the host whose first process is `pid`."""
        end = ["peer", "name", "eth0", "netns", str(pid)]
        self._ip("link", "add", "name", name, "type", "veth", *end)
        self._ip("link", "set", "dev", name, "master", "switch")
        self.set_port(name, "up")

    def set_port(self, name: str, state: str) -> None:
        """Set the port of a host "up" or "down"."""
        self._ip("link", "set", "dev", name, state)

    def off(self) -> None:
        """Remove the network."""
        self._holder.end()

    def _ip(self, *args: str) -> None:
        _run([*self.as_root(), *self._holder.within("net"), "ip", *args])


class _Holder:
    """The process that a set of namespaces lives and dies with."""

    def __init__(self, unshare: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            [*unshare, *_HOLDER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        if self._process.stdout is None or self._process.stdout.readline() != b"ready\n":
            said = self._process.communicate(timeout=COMMAND_S)[1]
            raise Refused(said.decode().strip())
        self.pid = _youngest(self._process.pid)

    def within(self, *kinds: str) -> list[str]:
        """Return the command that enters namespaces of these kinds."""
        user = ["--preserve-credentials"] if "user" in kinds else []
        return ["nsenter", "--target", str(self.pid), *user, *(f"--{kind}" for kind in kinds)]

    def end(self) -> None:
        """End it, and with it all that it holds."""
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()
        try:
            self._process.wait(COMMAND_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def why_not() -> str:
    """Return why there can be no network of one's own here, or "" if there can be."""
    if missing := [tool for tool in _TOOLS if shutil.which(tool) is None]:
        return f"there is no {', no '.join(missing)}"
    try:
        with network("probe"):
            return ""
    except (Refused, OSError) as error:
        return str(error)


@contextlib.contextmanager
def network(*names: str) -> Iterator[dict[str, Host]]:
    """Give hosts that reach each other while the body runs. Raises Refused."""
    with contextlib.ExitStack() as ends:
        switch = _Switch()
        ends.callback(switch.off)
        hosts: dict[str, Host] = {}
        for name, number in zip(names, itertools.count(1), strict=False):
            hosts[name] = Host(name, f"{SUBNET}.{number}", switch)
            ends.callback(hosts[name].off)
        yield hosts


def _run(command: Sequence[str], timeout_s: float = COMMAND_S) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)
    if done.returncode:
        raise Refused(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def _youngest(pid: int) -> int:
    """Return the last of a process, its child, that one's child and so on."""
    while children := Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        pid = int(children[-1])
    return pid
