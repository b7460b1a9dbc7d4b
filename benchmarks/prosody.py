"""The gate on XMPP: what our six modules cost a Prosody, beside the same Prosody without them.

`python -m benchmarks.prosody [--quick]`. Needs Prosody and lua-luaossl from the Debian packages, or another Prosody
that PROSODY_UNDER_TEST names. Ours logs people in with join tokens, judges and rewrites each stanza, and tells a
sidecar what happened; the peer logs in anonymously and judges nothing. Both listen to the same clients.
"""

import asyncio
import gc
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks._processor import seconds_of
from benchmarks._xmpp_load import LoadClient, group_message
from benchmarks.common import arguments, figure, median, percentile, table
from sidecar.domain.ids import ParticipantId, RoomName
from tests.prosody.stand import AUTH, HOST, MUC, PROSODY, Sidecar, Stand
from tests.servers.ports import free_port

ROOMS, PEOPLE = 200, 3
STORM, STORM_S = 300, 2.0
BATCH = 60  # joins under way at a time: enough that Prosody never waits for us
_PUT_OFF_S = 0.3  # until what a batch left to be done later, events to the sidecar above all, is done
# The Jitsi image's own settings of Lua's collector: Debian's default, 105 %, spends half of the time collecting.
COLLECTOR = 'gc = { mode = "incremental", threshold = 150, speed = 250, step_size = 13 }'
HELD = ("speak", "show_camera", "chat", "raise_hand")


class CheapSidecar(Sidecar):
    """Serves keys and takes events without looking at them: its work is not what is measured."""

    def take(self, authorization: str, path: str, body: bytes) -> None:
        """Count nothing, keep nothing."""


@dataclass
class Side:
    """One running Prosody, with our modules or without."""

    stand: Stand
    ours: bool
    focus: LoadClient | None = None
    people: dict[str, LoadClient] = field(default_factory=dict)

    @property
    def pid(self) -> int:
        assert self.stand.process is not None
        return self.stand.process.pid

    @property
    def memory_bytes(self) -> int:
        """Resident memory of the process."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def used_s(self) -> float:
        return seconds_of({self.pid})

    async def open_rooms(self, names: Sequence[str]) -> None:
        """Let a focus open rooms, as Jicofo does, and stay in them."""
        if self.focus is None:
            self.focus = await LoadClient.open(self.stand.port, AUTH)
            await self.focus.log_in({}, mechanism="PLAIN", initial=b"\0focus\0insecure")
        for name in names:
            await self.focus.join(f"{name}@{MUC}", "focus")

    def tokens(self, people: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
        """Return the query each person logs in with: a join token, minted before the clock runs."""
        if not self.ours:
            return [{"room": room} for room, _ in people]
        return [
            {
                "token": self.stand.token(
                    who, HELD, room=RoomName(room), user_id=ParticipantId(f"p_{room}_{who}"), ttl=120
                ),
                "room": room,
            }
            for room, who in people
        ]

    async def enter(self, room: str, who: str, query: dict[str, str]) -> None:
        """Connect, log in, bind, join: all of one person's way in."""
        client = await LoadClient.open(self.stand.port, HOST)
        self.people[f"{room}/{who}"] = client
        await client.log_in(query)
        await client.join(f"{room}@{MUC}", who)

    async def leave(self) -> None:
        """Everybody out, and wait until Prosody has dealt with it."""
        clients = [*self.people.values(), *([self.focus] if self.focus else [])]
        for client in clients:
            client.close()
        self.people.clear()
        self.focus = None
        last = self.used_s()
        for _ in range(100):
            await asyncio.sleep(0.1)
            now = self.used_s()
            if now - last < 0.02:
                return
            last = now


@dataclass
class Measured:
    """One round on one side. rate: per second of the processor's time; wall: per second of ours."""

    rate: float
    wall: float


@dataclass
class Turns:
    """Batches on each side in turn, small enough that what disturbs one disturbs the other.

    A side's processor time is that of the whole phase: it does nothing in the other's turns but what it put off.
    """

    sides: Sequence[Side]
    used: dict[bool, float] = field(default_factory=dict)
    wall: dict[bool, float] = field(default_factory=dict)

    async def take(self, batches: int, one: Callable[[Side, int], Awaitable[None]]) -> None:
        """Run each batch on both sides, the first one alternating."""
        before = {side.ours: side.used_s() for side in self.sides}
        self.wall = {side.ours: 0.0 for side in self.sides}
        for number in range(batches):
            for side in self.sides if number % 2 else reversed(self.sides):
                began = time.monotonic()
                await one(side, number)
                self.wall[side.ours] += time.monotonic() - began
        await asyncio.sleep(_PUT_OFF_S)
        self.used = {side.ours: side.used_s() - before[side.ours] for side in self.sides}

    def measured(self, side: Side, count: int) -> Measured:
        return Measured(count / self.used[side.ours], count / self.wall[side.ours])


async def joins(sides: Sequence[Side], rooms: Sequence[str]) -> Turns:
    """Let three people into each room, as fast as Prosody takes them."""
    people = [(room, f"n{number}") for number in range(PEOPLE) for room in rooms]
    queries = {}
    for side in sides:
        await side.open_rooms(rooms)
        queries[side.ours] = side.tokens(people)

    async def batch(side: Side, number: int) -> None:
        first = number * BATCH
        some = zip(people[first : first + BATCH], queries[side.ours][first : first + BATCH], strict=True)
        await asyncio.gather(*(side.enter(room, who, query) for (room, who), query in some))

    turns = Turns(sides)
    await turns.take(len(people) // BATCH, batch)
    return turns


async def messages(sides: Sequence[Side], rooms: Sequence[str], count: int) -> Turns:
    """Let everybody chat: one line each in turn, until all of a batch were heard by all."""
    lines = [group_message(f"{room}@{MUC}") for _ in range(PEOPLE) for room in rooms]
    order = [f"{room}/n{number}" for number in range(PEOPLE) for room in rooms]
    each = len(order)

    async def batch(side: Side, _number: int) -> None:
        assert side.focus is not None
        missing, done = each * (PEOPLE + 1), asyncio.Event()  # the focus hears it all too

        def took(number: int) -> None:
            nonlocal missing
            missing -= number
            if missing <= 0:
                done.set()

        everybody = (side.focus, *side.people.values())
        for client in everybody:
            client.on_message = took
        for who, line in zip(order, lines, strict=True):
            side.people[who].send_raw(line)
        async with asyncio.timeout(30):
            await done.wait()
        for client in everybody:
            client.on_message = None

    turns = Turns(sides)
    await turns.take(count // each, batch)
    return turns


async def storm(side: Side) -> list[float]:
    """Let 300 people come within two seconds; return how long each waited, from when they were due, in seconds."""
    rooms = [f"storm{number}" for number in range(STORM // PEOPLE)]
    await side.open_rooms(rooms)
    people = [(room, f"n{number}") for number in range(PEOPLE) for room in rooms]
    queries = side.tokens(people)
    began = time.monotonic() + 0.05
    waited = []

    async def come(number: int) -> None:
        due = began + number * STORM_S / STORM
        await asyncio.sleep(due - time.monotonic())
        room, who = people[number]
        await side.enter(room, who, queries[number])
        waited.append(time.monotonic() - due)

    await asyncio.gather(*(come(number) for number in range(STORM)))
    return waited


async def revoked(side: Side, rooms: Sequence[str], count: int) -> list[float]:
    """Expel people by the sidecar's command while the others chat; return how long until each was out, in ms."""
    took = []
    chatting = asyncio.create_task(_chat_on(side, rooms[count:]))
    for room in rooms[:count]:
        who = "n0"
        client = side.people[f"{room}/{who}"]
        began = time.monotonic()
        answer = asyncio.create_task(
            side.stand.command("DELETE", f"/v1/rooms/{room}/participants/p_{room}_{who}?reason=expelled")
        )
        async with asyncio.timeout(10):
            took.append((await client.gone - began) * 1000)
            assert (await answer).status_code == 204
    chatting.cancel()
    return took


async def _chat_on(side: Side, rooms: Sequence[str]) -> None:
    """A hundred lines a second."""
    while True:
        for room in rooms:
            side.people[f"{room}/n1"].send_raw(group_message(f"{room}@{MUC}"))
            await asyncio.sleep(0.01)


# --- the figures ----------------------------------------------------------------------------------------------


@dataclass
class Series:
    """What came out, for one side."""

    joins: list[Measured] = field(default_factory=list)
    messages: list[Measured] = field(default_factory=list)
    storms: list[float] = field(default_factory=list)
    revoked: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)


def start(folder: Path, *, ours: bool) -> Side:
    """Start one Prosody on the first core. The load runs on the others."""
    folder.mkdir()
    sidecar = CheapSidecar(free_port())
    sidecar.start()
    kind = (
        {"doors": '"tillit_events", "tillit_admission", "tillit_control"', "refresh": 10, "patience": 30}
        if ours
        else {"login": "anonymous", "gates": "", "doors": ""}
    )
    stand = Stand(folder, sidecar, more=COLLECTOR, **kind)
    stand.start()
    side = Side(stand, ours)
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(side.pid, {cores[0]})
    return side


def one_round(folder: Path, mine: Series, theirs: Series, *, count: int, revocations: int) -> None:
    """Two fresh Prosodys, everything measured on both."""
    folder.mkdir()
    sides: list[Side] = []

    async def all_of_it() -> None:
        rooms = [f"r{number:03}" for number in range(ROOMS)]
        before = {side.ours: side.memory_bytes for side in sides}
        joined = await joins(sides, rooms)
        kept = {side.ours: side.memory_bytes - before[side.ours] for side in sides}
        said = await messages(sides, rooms, count)
        for side, series in ((sides[0], mine), (sides[1], theirs)):
            series.joins.append(joined.measured(side, ROOMS * PEOPLE))
            series.memory.append(kept[side.ours] / (ROOMS * PEOPLE) / 1024)
            series.messages.append(said.measured(side, count))
        mine.revoked += await revoked(sides[0], rooms, revocations)
        for side, series in ((sides[0], mine), (sides[1], theirs)):
            await side.leave()
            series.storms += await storm(side)
            await side.leave()

    try:
        sides += [start(folder / "ours", ours=True), start(folder / "peer", ours=False)]
        gc.collect()
        asyncio.run(all_of_it())
        faults = [line for side in sides for line in side.stand.log().splitlines() if "\terror\t" in line]
        assert not faults, faults[:3]  # fast and broken is not fast
    finally:
        for side in sides:
            side.stand.stop()
            side.stand.sidecar.stop()


def main() -> None:
    given = arguments(__doc__ or "")
    if shutil.which(PROSODY) is None:
        sys.exit("this bench runs Prosody, which is not installed")
    rounds, count, revocations = (2, 3_000, 100) if given.quick else (6, 6_000, 150)
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, set(cores[1:]) or set(cores))
    mine, theirs = Series(), Series()
    with tempfile.TemporaryDirectory(prefix="tillit-bench-", ignore_cleanup_errors=True) as temporary:
        for turn in range(rounds):
            one_round(Path(temporary) / str(turn), mine, theirs, count=count, revocations=revocations)
    report(mine, theirs, rounds=rounds, count=count)
    table()


def report(mine: Series, theirs: Series, *, rounds: int, count: int) -> None:
    where = (
        f"Both Prosodys on one core, the load on the others, batches in turn, {rounds} fresh processes of each; per "
        "second of Prosody's own processor time, which neighbours on the machine disturb least"
    )
    walls = [median([m.wall for m in each]) for each in (mine.joins, theirs.joins, mine.messages, theirs.messages)]
    joined, joined_by_peer = (median([m.rate for m in each.joins]) for each in (mine, theirs))
    figure(
        "joins_ratio",
        joined,
        joined_by_peer,
        joined / joined_by_peer,
        "joins/s",
        rounds * ROOMS * PEOPLE,
        f"{ROOMS} rooms of {PEOPLE} and a focus: WebSocket, login, bind, MUC join; {BATCH} under way at a time. "
        f"{where}. By the clock on the wall {walls[0]:,.0f} and {walls[1]:,.0f}. Ours: join token (RS256), admission "
        "recorded and spent on disk, presence judged and written anew. Peer: the same Prosody, anonymous login",
        least="ratio 0.8",
        aim="ratio 0.95",
    )
    sent, sent_by_peer = (median([m.rate for m in each.messages]) for each in (mine, theirs))
    figure(
        "messages_ratio",
        sent,
        sent_by_peer,
        sent / sent_by_peer,
        "messages/s",
        rounds * count,
        f"group chat in {ROOMS} rooms of {PEOPLE} and a focus, each line delivered {PEOPLE + 1} times. {where}. By the "
        f"clock on the wall {walls[2]:,.0f} and {walls[3]:,.0f}. Ours: judged, written anew, its digest recorded on "
        "disk and told to the sidecar",
        least="ratio 0.8",
        aim="ratio 0.95",
    )
    waited, waited_by_peer = (percentile(each.storms, 0.99) * 1000 for each in (mine, theirs))
    figure(
        "storm_join_p99_ms",
        waited,
        waited_by_peer,
        waited_by_peer / waited,
        "ms",
        rounds * STORM,
        f"{STORM} people come within {STORM_S:g} s; from when each is due to being in the room",
    )
    figure(
        "revoked_to_out_p99_ms",
        percentile(mine.revoked, 0.99),
        unit="ms",
        n=len(mine.revoked),
        load=f"from before the sidecar's command is signed and sent to the client seeing that it is out, with "
        f"{ROOMS * PEOPLE} people inside and a hundred lines of chat a second; median {median(mine.revoked):.1f} ms",
        least="1,000",
        aim="250",
    )
    kept, kept_by_peer = median(mine.memory), median(theirs.memory)
    figure(
        "memory_per_occupant_kib",
        kept,
        kept_by_peer,
        kept_by_peer / kept,
        "KiB",
        ROOMS * PEOPLE,
        f"growth of Prosody's resident memory from an empty server to {ROOMS * PEOPLE} occupants, their connections "
        "and what the collector has not yet taken included",
    )


if __name__ == "__main__":
    main()
