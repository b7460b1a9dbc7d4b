"""Load for the bridge benches: all participants on one thread, in a process of its own.

Run by `benchmarks.bridge`, which talks to it in JSON lines: {"add": rooms}, {"measure": seconds}, {"quit": 1}.
"""

import argparse
import heapq
import json
import secrets
import select
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from benchmarks._bridge_connection import Connection, Counters
from benchmarks._bridge_pictures import FPS, kept_frames
from sidecar.bridge.dtls import DtlsIdentity

_ROOM_START_S = 0.02


class Target(Protocol):
    """A system under test, as the generator reaches it."""

    def open_room(self, generator: "Generator", number: int) -> None:
        """Bring a room of two participants up; returns when both are negotiated."""


class Generator:
    """All participants, on one thread: timers in a heap, sockets in one epoll."""

    def __init__(self, target: Target, host: str, frames: list[list[bytes]]) -> None:
        self.target = target
        self.host = host
        self.identity = DtlsIdentity.generate()
        self.frames = frames
        self.counters = Counters()
        self.connections: list[Connection] = []
        self.rooms = 0
        self._by_fd: dict[int, Connection] = {}
        self._epoll = select.epoll()
        self._timers: list[tuple[float, int, float, Callable[[], None]]] = []
        self._serial = 0

    def connection(self, *, sends: bool) -> Connection:
        """Return a new connection that is read from now on."""
        made = Connection(self, sends=sends)
        self.connections.append(made)
        self._by_fd[made.batch.fd] = made
        self._epoll.register(made.batch.fd, select.EPOLLIN)
        return made

    def every(self, period: float, do: Callable[[], None], *, after: float = 0.0) -> None:
        """Call again and again."""
        self._serial += 1
        heapq.heappush(self._timers, (time.monotonic() + after, self._serial, period, do))

    def connected(self, connection: Connection) -> None:
        """Media may flow."""
        shift = secrets.randbelow(1000) / 1000
        self.every(0.1, lambda: connection.feedback(0.0), after=0.1 * shift)
        self.every(1.0, connection.reports, after=shift)
        self.every(2.5, connection.check, after=2.5 * shift)
        if connection.sends:
            self.every(1 / FPS, connection.send_video, after=shift / FPS)
            self.every(0.02, connection.send_audio, after=0.02 * shift)

    def run(self, until: Callable[[], bool]) -> None:
        """Work until the condition holds; it is looked at after each round."""
        timers = self._timers
        while not until():
            now = time.monotonic()
            while timers and timers[0][0] <= now:
                due, serial, period, do = heapq.heappop(timers)
                do()
                # A late timer does not catch up in a burst: that would be another load.
                heapq.heappush(timers, (max(due + period, now - period), serial, period, do))
            wait = min(0.02, max(0.0, timers[0][0] - time.monotonic())) if timers else 0.02
            for fd, _ in self._epoll.poll(wait):
                self._by_fd[fd].read()

    def add(self, rooms: int) -> bool:
        """Bring rooms up, one by one. False when a participant never connects."""
        for _ in range(rooms):
            self.rooms += 1
            self.target.open_room(self, self.rooms)
            started = time.monotonic()
            retried = [started]

            def settled(started: float = started, retried: list[float] = retried) -> bool:
                now = time.monotonic()
                if now - retried[0] > 0.1:
                    retried[0] = now
                    for connection in self.connections:
                        connection.retransmit()
                connected = all(c.ready for c in self.connections) and now - started > _ROOM_START_S
                return connected or now - started > 20

            self.run(settled)
            if not all(connection.ready for connection in self.connections):
                return False
        return True

    def measure(self, seconds: float) -> dict[str, Any]:
        """Return what was sent and what came within so many seconds."""
        self.counters.clear()
        used = time.process_time()
        ends_at = time.monotonic() + seconds
        self.run(lambda: time.monotonic() >= ends_at)
        counters = self.counters
        delays = sorted(counters.delays)
        return {
            "seconds": seconds,
            "sent": counters.sent,
            "received": counters.received,
            "frames": counters.frames,
            "delay_p50_ms": delays[len(delays) // 2] * 1000 if delays else None,
            "delay_p99_ms": delays[int(len(delays) * 0.99)] * 1000 if delays else None,
            "delays": len(delays),
            "own_cpu": (time.process_time() - used) / seconds,
        }


def main() -> int:
    """Serve commands from the bench until it says quit."""
    from benchmarks._bridge_targets import Direct, Janus, OurBridge, Relay

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", choices=("ours", "janus", "relay", "direct"))
    parser.add_argument("--url", default="")
    parser.add_argument("--keys", default="")
    parser.add_argument("--host", required=True)
    parser.add_argument("--frames", type=Path, required=True, help="where the encoded pictures are kept")
    given = parser.parse_args()
    targets: dict[str, Callable[[], Target]] = {
        "ours": lambda: OurBridge(given.url, given.keys),
        "janus": lambda: Janus(given.url),
        "relay": lambda: Relay(given.url),
        "direct": Direct,
    }
    generator = Generator(targets[given.target](), given.host, kept_frames(given.frames))
    print(json.dumps({"ready": True}), flush=True)
    waiting = select.poll()
    waiting.register(sys.stdin, select.POLLIN)
    while True:
        generator.run(lambda: bool(waiting.poll(0)))
        line = sys.stdin.readline()
        command = json.loads(line) if line else {"quit": 1}
        if "add" in command:
            print(json.dumps({"connected": generator.add(int(command["add"]))}), flush=True)
        elif "measure" in command:
            print(json.dumps(generator.measure(float(command["measure"]))), flush=True)
        else:
            return 0


if __name__ == "__main__":
    raise SystemExit(main())
