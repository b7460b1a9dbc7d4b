"""A UDP relay that delays, shakes, loses, overtakes and narrows, for tests and benches: no kernel help needed.

It stands between one client and the bridge, or between two clients: each is told the relay's address in the place of
the other's. What happens to a packet on one direction is `Way`, pure arithmetic with a seed; `BadNetwork` is the
sockets around two of them.
"""

import asyncio
import random
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sidecar.bridge.testing import local_address

Address = tuple[str, int]
_CANDIDATE = re.compile(r"(a=candidate:\S+ 1 udp \d+) (\S+) (\d+) typ host", re.IGNORECASE)
_MAX_DATAGRAM_BYTES = 4096


@dataclass
class Way:
    """What one direction does to packets. Every field may be changed while packets flow; seconds, shares 0..1.

    delay_s: of every packet. jitter_s: up to so much more, none overtaking another. loss: share of packets lost.
    burst: mean number of packets lost in a row; 1 loses each for itself. reorder: share of packets that are held
    back by held_s, so that others overtake them. bits_per_second: of the narrowest link, 0 for any; what would wait
    longer than queue_s for it is lost. seed: the same losses in each run.

    Counted: passed; lost by chance; crowded_out by the queue.
    """

    delay_s: float = 0.0
    jitter_s: float = 0.0
    loss: float = 0.0
    burst: float = 1.0
    reorder: float = 0.0
    held_s: float = 0.03
    bits_per_second: int = 0
    queue_s: float = 0.5
    seed: int = 7
    passed: int = 0
    lost: int = 0
    crowded_out: int = 0
    _random: random.Random = field(init=False, repr=False)
    _losing: bool = field(default=False, init=False, repr=False)
    _free_at: float = field(default=0.0, init=False, repr=False)
    _latest: float = field(default=0.0, init=False, repr=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311  # repeatable, not secret

    def leaves_at(self, now: float, size_bytes: int, *, may_be_lost: bool = True) -> float | None:
        """Return when a packet that came now leaves, or None when it never does."""
        if may_be_lost and self._is_lost():
            self.lost += 1
            return None
        at = now
        if self.bits_per_second:
            at = max(now, self._free_at)
            if at - now > self.queue_s:
                self.crowded_out += 1
                return None
            at = self._free_at = at + size_bytes * 8 / self.bits_per_second
        self.passed += 1
        at += self.delay_s + (self._random.random() * self.jitter_s if self.jitter_s else 0.0)
        if self.reorder and self._random.random() < self.reorder:
            return at + self.held_s
        self._latest = at = max(at, self._latest)
        return at

    def _is_lost(self) -> bool:
        """Two states, losing and not, whose means are `loss` and `burst` (Gilbert's model)."""
        if not self.loss:
            self._losing = False
        elif self.burst <= 1:
            self._losing = self._random.random() < self.loss
        elif self._losing:
            self._losing = self._random.random() >= 1 / self.burst
        else:
            self._losing = self._random.random() < self.loss / (self.burst * (1 - self.loss))
        return self._losing


class BadNetwork:
    """The relay. up: from the near client towards the far end; down: back.

    far: where the bridge is; None when two clients meet, then the far one is whoever is told `for_far`'s address.
    It lives on the running event loop.
    """

    def __init__(self, far: Address | None = None, *, up: Way | None = None, down: Way | None = None) -> None:
        self.up, self.down = up or Way(), down or Way(seed=8)
        self._loop = asyncio.get_running_loop()
        self._near_side, self._far_side = self._socket(), self._socket()
        self._near: Address | None = None
        self._far = far
        self._listen()

    # What the ends are told

    def redirect(self, description: str) -> str:
        """Return the far end's session description with this network in the place of the far end."""
        return self._with_address(description, self._near_side)

    def redirect_near(self, description: str) -> str:
        """Return the near client's session description with this network in its place, for a client at the far end."""
        return self._with_address(description, self._far_side)

    @staticmethod
    def _with_address(description: str, side: socket.socket) -> str:
        """One candidate in the place of all: whoever reads it has no way around."""
        host, port = side.getsockname()
        kept, seen = [], 0
        for line in description.splitlines():
            if line.startswith("a=candidate:"):
                found = _CANDIDATE.match(line)
                if found is None or ":" in found[2]:
                    continue  # TCP, IPv6
                seen += 1
                kept.append(f"{found[1]} {host} {port} typ host")
            else:
                kept.append(line)
        assert seen, "the description names no UDP candidate"
        return "\r\n".join(_once_in_a_section(kept)) + "\r\n"

    def move(self) -> None:
        """Reach the far end from another port from now on, as after a change of network."""
        self._loop.remove_reader(self._far_side.fileno())
        self._far_side.close()
        self._far_side = self._socket()
        self._listen()

    def close(self) -> None:
        """Take the network away."""
        for side in (self._near_side, self._far_side):
            self._loop.remove_reader(side.fileno())
            side.close()

    # Packets

    @staticmethod
    def _socket() -> socket.socket:
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        made.bind((local_address(), 0))
        return made

    def _listen(self) -> None:
        self._loop.add_reader(self._near_side.fileno(), self._from_near)
        self._loop.add_reader(self._far_side.fileno(), self._from_far)

    def _from_near(self) -> None:
        while (came := _receive(self._near_side)) is not None:
            data, self._near = came
            self._pass(self.up, data, to_far=True)

    def _from_far(self) -> None:
        while (came := _receive(self._far_side)) is not None:
            data, self._far = came
            self._pass(self.down, data, to_far=False)

    def _pass(self, way: Way, data: bytes, *, to_far: bool) -> None:
        now = self._loop.time()
        # Only media is lost: a lost handshake packet would test patience, not what is done about losses.
        at = way.leaves_at(now, len(data), may_be_lost=127 < data[0] < 192)
        if at is None:
            return
        if at <= now:
            self._deliver(data, to_far=to_far)
        else:
            self._loop.call_at(at, lambda: self._deliver(data, to_far=to_far))

    def _deliver(self, data: bytes, *, to_far: bool) -> None:
        side, address = (self._far_side, self._far) if to_far else (self._near_side, self._near)
        if address is not None and side.fileno() >= 0:
            try:
                side.sendto(data, address)
            except OSError:
                return  # full, or nobody there: lost, as on any network


def _receive(side: socket.socket) -> tuple[bytes, Address] | None:
    try:
        data, address = side.recvfrom(_MAX_DATAGRAM_BYTES)
    except OSError:
        return None
    return (data, (str(address[0]), int(address[1]))) if data else None


def _once_in_a_section(lines: list[str]) -> Iterator[str]:
    """Leave out a candidate that a section names already."""
    seen: set[str] = set()
    for line in lines:
        if line.startswith("m="):
            seen.clear()
        if line.startswith("a=candidate:"):
            address = line.partition(" udp ")[2].partition(" ")[2] or line
            if address in seen:
                continue
            seen.add(address)
        yield line


@contextmanager
def bad_network_thread(
    far: Address | None = None, *, up: Way | None = None, down: Way | None = None
) -> Iterator[BadNetwork]:
    """A relay on a thread of its own, for whoever has no event loop."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def made() -> BadNetwork:
        return BadNetwork(far, up=up, down=down)

    async def unmade(network: BadNetwork) -> None:
        network.close()

    network = asyncio.run_coroutine_threadsafe(made(), loop).result(10)
    try:
        yield network
    finally:
        asyncio.run_coroutine_threadsafe(unmade(network), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
