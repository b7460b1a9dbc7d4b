"""The bridge as a whole: its rooms, its sockets, its clock, and how it stops."""

import asyncio
import gc
import logging
import time
from collections.abc import Callable
from typing import Any

from sidecar.bridge.config import BridgeConfig
from sidecar.bridge.dtls import DtlsIdentity
from sidecar.bridge.events import EventOutbox, Reporter
from sidecar.bridge.forwarding import MediaPlane
from sidecar.bridge.grant import Grant
from sidecar.bridge.peer import Peer
from sidecar.bridge.recording import RecordedRoom, RecorderHost
from sidecar.bridge.rooms import Room
from sidecar.bridge.sdp import parse_offer
from sidecar.bridge.watching import Watcher
from sidecar.domain.errors import ConflictError, NotFoundError

log = logging.getLogger(__name__)

_TICK_S = 0.25
_FAREWELL_S = 0.05  # the "removed" message is on its way before the transport closes


class Bridge:
    """Rooms by name. Everything runs on one event loop."""

    def __init__(self, config: BridgeConfig, reporter: Reporter | None = None) -> None:
        self.config = config
        self.identity = DtlsIdentity.generate()
        self.rooms: dict[str, Room] = {}
        self.recorder = RecorderHost(config.recordings)
        self.watcher = Watcher(self.monotonic, self._watching_changed)
        self.events = EventOutbox(config.events_url, reporter)
        self.plane = MediaPlane(asyncio.get_running_loop(), tuple((m.host, m.port) for m in config.media))
        # The port may have been left to the system.
        self.candidates = tuple(
            (media.advertised, batch.port) for media, batch in zip(config.media, self.plane.batches, strict=True)
        )
        self._ticker: asyncio.TimerHandle | None = None

    @staticmethod
    def monotonic() -> float:
        """Return a steady time in seconds."""
        return time.monotonic()

    def start(self) -> None:
        """Begin to keep time and to report."""
        self.events.start()
        if self.config.watches_shares:
            self.watcher.samplers.start()
        # What is alive now stays alive; pauses of the collector would be heard.
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 100)
        self._tick()

    def _tick(self) -> None:
        self._ticker = asyncio.get_running_loop().call_later(_TICK_S, self._tick)
        now = self.monotonic()
        for room in list(self.rooms.values()):
            try:
                room.tick(now)
            except Exception:
                # The outermost loop of the process: one room must never stop the others.
                log.exception("a room could not be looked after")

    async def stop(self) -> None:
        """Everybody out, everything closed. Takes well under a second."""
        for room in list(self.rooms.values()):
            room.end("bridge_stopped")
        if self._ticker is not None:
            self._ticker.cancel()
        await self.watcher.stop()
        self.recorder.end_all()
        await asyncio.to_thread(self.recorder.wait_for_disk)
        await asyncio.sleep(2 * _FAREWELL_S)
        await self.events.stop()
        self.plane.close()

    def announce(self, kind: str, *, room: str, participant: str, data: dict[str, Any]) -> None:
        """Put an event on its way to the web process."""
        self.events.put(kind, room=room, participant=participant, data=data)

    def _watching_changed(self) -> None:
        for room in list(self.rooms.values()):
            for peer in list(room.peers.values()):
                if peer.grant.share_watched:
                    room.media_changed(peer)

    # Commands

    def join(self, room_name: str, grant: Grant, unverified_sdp: str) -> tuple[str, str]:
        """Take a participant in. Returns (session, answer). Raises OfferError, ConflictError when full."""
        offer = parse_offer(unverified_sdp)
        room = self.rooms.get(room_name)
        if room is None:
            if len(self.rooms) >= self.config.max_rooms:
                raise ConflictError("the bridge has no place for another room")
            room = Room(room_name, self)
        elif len(room.peers) >= self.config.max_participants and grant.participant not in room.peers:
            raise ConflictError("the room is full")
        peer = Peer(self, room, grant, offer, now=self.monotonic())
        room.enter(peer)
        self.rooms[room_name] = room  # after enter: replacing the only participant ends the old room
        self.plane.agents[peer.agent.ufrag] = peer.agent
        return peer.session, peer.answer(self.candidates)

    def get_room(self, name: str) -> Room:
        """Return the room. Raises NotFoundError."""
        room = self.rooms.get(name)
        if room is None:
            raise NotFoundError("no such room at this bridge")
        return room

    async def record(self, name: str, begin: Callable[[RecordedRoom], None]) -> Room:
        """Begin to record a room. Raises NotFoundError, and whatever `begin` raises."""
        room = self.get_room(name)
        begin(room)
        return room

    def get_peer(self, room_name: str, participant: str) -> Peer:
        """Return the participant. Raises NotFoundError."""
        peer = self.get_room(room_name).peers.get(participant)
        if peer is None:
            raise NotFoundError("no such participant in this room")
        return peer
