"""Joining: how long from the adviser's click to a picture on the customer's page, and what a join costs the servers.

`python -m benchmarks.join [--quick]`. The whole product runs as in script/demo, its stand-ins included; Chromium
is the Debian package. Everything started is stopped, everything written is in a temporary directory.
"""

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import requests

from benchmarks._aiortc_joining import JoiningClient
from benchmarks._browser_joining import STEPS, browsers
from benchmarks._processor import family_of, seconds_of
from benchmarks._seeded_bank import SeededBank
from benchmarks.common import arguments, figure, median, percentile, started, table
from simulators.demo.processes import Processes
from simulators.demo.world import BANK_HOST, Ports, World

_WARM = 2
_SETTLE_S = 0.5  # the bridge reports a join to the web process a moment later: that belongs to its cost


def main() -> None:
    given = arguments(__doc__ or "")
    joins, batch, rounds = (5, 6, 2) if given.quick else (30, 15, 5)
    with tempfile.TemporaryDirectory(prefix="tillit-bench-", ignore_cleanup_errors=True) as temporary:
        world = World(Path(temporary), Ports.free())
        running = world.start(lambda _title: None)
        try:
            bank = SeededBank(world.settings_file)
            server_cpu(world, running, bank, batch=batch, rounds=rounds)
            steps = click_to_frame(world, bank, joins=joins)
        finally:
            running.stop()
    table()
    print("\nFrom click to frame, the median of each step:")
    for title, took in steps:
        print(f"  {took:7.0f} ms  {title}")


def click_to_frame(world: World, bank: SeededBank, *, joins: int) -> list[tuple[str, float]]:
    """Print the figure over so many joins, each in a meeting of its own; return each step's median in ms."""
    meetings = [bank.meeting() for _ in range(joins + 1)]
    with browsers(world, bank) as two:
        seen = [two.join(adviser, customer) for adviser, customer in meetings][1:]  # the first one warms
    took = [(moments["frame"] - moments["click"]) / 1000 for moments in seen]
    figure(
        "click_to_remote_frame_p95_s",
        percentile(took, 0.95),
        unit="s",
        n=joins,
        load=f"Chromium, adviser and customer with 720p cameras on this machine, loopback; each join in a meeting of "
        f"its own, type of band high, with a customer's browser that has not seen the room before; from "
        f"the click on the door to the first decoded frame of the adviser; "
        f"median {median(took):.2f} s, {min(took):.2f} to {max(took):.2f} s",
        least="3.0",
        aim="1.0",
    )
    return [(step.title, median([m[step.until] - m[step.after] for m in seen])) for step in STEPS]


def server_cpu(world: World, running: Processes, bank: SeededBank, *, batch: int, rounds: int) -> None:
    """Print the processor time of web and bridge per join, beside a plain aiortc answer to the same offer."""
    servers: set[int] = set()
    for process in running.all:
        if process.name in ("web", "bridge") and process.popen is not None:
            servers |= family_of(process.popen.pid)
    command = [sys.executable, "-m", "benchmarks._aiortc_joining"]
    mine: list[float] = []
    theirs: list[float] = []
    with started(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as peer:

        def plain(offer: str) -> str:
            assert peer.stdin is not None
            assert peer.stdout is not None
            peer.stdin.write(json.dumps({"sdp": offer}) + "\n")
            peer.stdin.flush()
            return str(json.loads(peer.stdout.readline())["sdp"])

        plainly = [plain] * batch
        _cost(plainly[:_WARM], {peer.pid})
        _cost(_doors(world, bank, _WARM), servers)
        for _ in range(rounds):
            mine.append(_cost(_doors(world, bank, batch), servers))
            theirs.append(_cost(plainly, {peer.pid}))
    figure(
        "server_cpu_ms_per_join",
        median(mine),
        median(theirs),
        median(theirs) / median(mine),
        "ms",
        rounds * batch,
        f"web and bridge together, {rounds} batches of {batch} joins one after the other, each in a meeting of its "
        f"own: POST token, POST join, ICE, DTLS, SCTP, the report back, all recorded; clients with aiortc, an offer "
        f"of 18 media sections as the page makes it, no media; batches {min(mine):.1f} to {max(mine):.1f} ms. "
        f"Peer: a plain aiortc answer to the same offer, nothing checked",
        least="15",
        aim="5",
    )


def _doors(world: World, bank: SeededBank, count: int) -> list[Callable[[str], str]]:
    """Return one way in for each of so many admitted customers: offer in, answer out."""
    return [_door(world, bank) for _ in range(count)]


def _door(world: World, bank: SeededBank) -> Callable[[str], str]:
    _, customer = bank.admit(bank.meeting())
    visit = bank.visit(customer)
    http = requests.Session()
    http.headers.update(
        {
            "Host": f"{BANK_HOST}:{world.ports.web}",
            "Cookie": f"tillit_visit={visit.cookie}",
            "X-Tillit-CSRF": visit.csrf,
        }
    )
    room = f"http://127.0.0.1:{world.ports.web}/v/{customer.id}/room"

    def enter(offer: str) -> str:
        token = http.post(f"{room}/token", json={}, timeout=10)
        token.raise_for_status()
        joined = http.post(f"{room}/join", json={"token": token.json()["token"], "sdp": offer}, timeout=10)
        joined.raise_for_status()
        return str(joined.json()["sdp"])

    return enter


def _cost(ways: Sequence[Callable[[str], str]], servers: set[int]) -> float:
    """Join once by each way and stay until all are in; return the servers' milliseconds for one join."""

    async def join_all() -> float:
        clients = [JoiningClient() for _ in ways]
        offers = [await client.offer() for client in clients]
        before = seconds_of(servers)
        for client, offer, way in zip(clients, offers, ways, strict=True):
            await client.connect(await asyncio.to_thread(way, offer))
        await asyncio.sleep(_SETTLE_S)
        used = seconds_of(servers) - before
        for client in clients:
            await client.connection.close()
        return used / len(ways) * 1000

    cost = asyncio.run(join_all())
    time.sleep(_SETTLE_S)
    return cost


if __name__ == "__main__":
    main()
