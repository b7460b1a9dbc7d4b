"""All recordings of this process: each in a conference of its own, entered when it begins and left when it ends."""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

import aiohttp

from sidecar.bridge.events import EventOutbox, Reporter
from sidecar.bridge.jitsi.config import RecorderConfig
from sidecar.bridge.jitsi.login import StanzaError, XmppError
from sidecar.bridge.jitsi.participant import Participant
from sidecar.bridge.jitsi.room import UNKNOWN, JitsiRoom
from sidecar.bridge.recording import RecorderHost
from sidecar.domain.errors import ConflictError, NotFoundError

log = logging.getLogger(__name__)

_TICK_S = 0.25
_MOST_ROOMS = 50


class JitsiRecorder:
    """The conferences we are in, by room. Everything runs on one event loop."""

    def __init__(self, config: RecorderConfig, reporter: Reporter | None = None) -> None:
        self.config = config
        self.rooms: dict[str, JitsiRoom] = {}
        self.recorder = RecorderHost(config.recordings)
        self.events = EventOutbox(config.events_url, reporter)
        self._http = aiohttp.ClientSession()
        self._entering: dict[str, asyncio.Lock] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._ticker: asyncio.TimerHandle | None = None

    @staticmethod
    def monotonic() -> float:
        """Return a steady time in seconds."""
        return time.monotonic()

    def announce(self, kind: str, *, room: str, participant: str, data: dict[str, Any]) -> None:
        """Put an event on its way to the web process. An occupant nobody named has no name there either."""
        known = "" if participant.startswith(UNKNOWN) else participant
        self.events.put(kind, room=room, participant=known, data=data)

    def start(self) -> None:
        """Begin to keep time and to report."""
        self.events.start()
        self._tick()

    async def stop(self) -> None:
        """End every recording, leave every conference."""
        if self._ticker is not None:
            self._ticker.cancel()
        self.recorder.end_all()
        await asyncio.gather(*(self._leave(room) for room in list(self.rooms.values())))
        await asyncio.gather(*self._leaving, return_exceptions=True)
        await asyncio.to_thread(self.recorder.wait_for_disk)
        await asyncio.sleep(0)  # what the disk's thread said last
        await self.events.stop()
        await self._http.close()

    # Commands

    def get_room(self, name: str) -> JitsiRoom:
        """Return a conference we are in. Raises NotFoundError."""
        room = self.rooms.get(name)
        if room is None:
            raise NotFoundError("this room is not recorded")
        return room

    async def record(self, name: str, begin: Callable[[JitsiRoom], None]) -> JitsiRoom:
        """Enter a conference and begin to record it. begin: starts the recording, and raises where it cannot.

        Raises NotRecordableError, ConflictError where it cannot be entered, NotFoundError where nobody is in it.
        """
        async with self._entering.setdefault(name, asyncio.Lock()):
            try:
                room = self.rooms.get(name)
                if room is not None and room.recording is not None:
                    begin(room)  # the same one again, or a second that is refused
                    return room
                if room is not None:
                    await self._leave(room)
                return await self._enter(name, begin)
            finally:
                if name not in self.rooms:
                    self._entering.pop(name, None)

    async def _enter(self, name: str, begin: Callable[[JitsiRoom], None]) -> JitsiRoom:
        if len(self.rooms) >= _MOST_ROOMS:
            raise ConflictError("this recorder has no place for another room")
        room = JitsiRoom(name, self)
        participant = Participant(
            room,
            self.config.account,
            http=self._http,
            region=self.config.region,
            on_over=lambda reason: self._over(room, reason),
        )
        room.participant = participant
        try:
            await participant.enter()
        except (XmppError, StanzaError, TimeoutError) as error:
            log.warning("a conference could not be entered", extra={"room": name, "why": str(error)})
            await participant.leave()
            raise ConflictError("the conference cannot be entered now") from error
        except BaseException:
            await participant.leave()
            raise
        self.rooms[name] = room
        try:
            if not room.peers:
                raise NotFoundError("nobody is in this conference")
            begin(room)
        except BaseException:
            await self._leave(room)
            raise
        return room

    # Time and ends

    def _tick(self) -> None:
        self._ticker = asyncio.get_running_loop().call_later(_TICK_S, self._tick)
        now = self.monotonic()
        for room in list(self.rooms.values()):
            try:
                self._look_after(room, now)
            except Exception:
                # The outermost loop of the process: one room must never stop the others.
                log.exception("a room could not be looked after")

    def _look_after(self, room: JitsiRoom, now: float) -> None:
        recording, participant = room.recording, room.participant
        if recording is None:
            self._leave_soon(room)
            return
        if participant is not None:
            participant.tick(now)
        recording.tick(now)
        if room.down_since is not None and now - room.down_since > self.config.lost_after_s:
            recording.stop("lost")

    def _over(self, room: JitsiRoom, reason: str) -> None:
        if room.recording is not None:
            room.recording.stop(reason)
        self._leave_soon(room)

    def _leave_soon(self, room: JitsiRoom) -> None:
        if self.rooms.get(room.name) is room:
            del self.rooms[room.name]
            task = asyncio.get_running_loop().create_task(self._leave(room))
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)

    async def _leave(self, room: JitsiRoom) -> None:
        if self.rooms.get(room.name) is room:
            del self.rooms[room.name]
        participant, room.participant = room.participant, None
        if participant is not None:
            await participant.leave()
