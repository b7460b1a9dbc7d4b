"""Recording in the bridge: taps on the tracks of a room, and nothing kept of anybody who did not say yes.

The web process says who consented. As soon as somebody else is in the room the recording pauses here, by itself,
before that person's media can reach it, and goes on when they consented or left. See sidecar.recorder for the rest.
"""

import asyncio
import hashlib
import hmac
import logging
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol, cast

from sidecar.bridge import rtcp
from sidecar.domain import clock
from sidecar.domain.errors import ConflictError, InvalidInputError, NotFoundError
from sidecar.recorder.handover import HandoverError, KeyOffers
from sidecar.recorder.matroska import Codec
from sidecar.recorder.session import CLOCK_RATES, Session, TrackInput
from sidecar.recorder.writing import DiskThread, OutFile

log = logging.getLogger(__name__)

_FLUSH_EVERY_S = 0.5  # what a killed process loses at the most, beside what waits for a lost packet
_CONNECTING = "connecting"
_UNASKED_S = 60.0  # the worker asks every five seconds: whoever is silent for so long could not stop it either


class NamedCodec(Protocol):
    """One way to encode. name: "opus", "VP8" or "H264"; of what is none of these nothing is kept."""

    @property
    def name(self) -> str: ...


class RecordedPeer(Protocol):
    """Somebody in the room: peer.Peer, jitsi.room.Peer. id: a participant's."""

    @property
    def id(self) -> str: ...

    @property
    def tracks(self) -> "Mapping[Any, RecordedTrack]": ...


class RecordedTrack(Protocol):
    """One stream of somebody: streams.Track, jitsi.room.Track. tap: where its packets go while it is recorded."""

    tap: list[tuple[int, int, int, bytes, float]] | None

    @property
    def kind(self) -> str: ...

    @property
    def owner(self) -> Any: ...

    @property
    def codecs(self) -> Mapping[int, NamedCodec]: ...

    @property
    def flowing(self) -> bool: ...

    def request_key_frame(self, now: float) -> None: ...


class Surroundings(Protocol):
    """What a room stands in: server.Bridge, jitsi.host.JitsiRecorder."""

    def monotonic(self) -> float: ...

    def announce(self, kind: str, *, room: str, participant: str, data: dict[str, Any]) -> None: ...


class RecordedRoom(Protocol):
    """A room that can be recorded: rooms.Room, jitsi.room.JitsiRoom.

    connecting: its media are still to come, and a recording begins with them.
    """

    recording: "RoomRecording | None"

    @property
    def name(self) -> str: ...

    @property
    def bridge(self) -> Surroundings: ...

    @property
    def connecting(self) -> bool: ...

    @property
    def peers(self) -> Mapping[str, RecordedPeer]: ...


class RecorderHost:
    """What all recordings of a bridge share: the folder, the writing thread, the offered keys."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._disk: DiskThread | None = None
        self.keys = KeyOffers()
        self.running: dict[str, RoomRecording] = {}

    def start(
        self,
        room: RecordedRoom,
        recording: str,
        *,
        offer: str,
        sealed_dek: bytes,
        consented: Iterable[str],
    ) -> "RoomRecording":
        """Begin to record a room; whether its file can be made, `RoomRecording.begun` says.

        Raises ConflictError, InvalidInputError for a key that does not open.
        """
        if self._folder is None:
            raise ConflictError("this bridge has no folder for recordings")
        if room.recording is not None and room.recording.id != recording:
            raise ConflictError("this room is recorded already")
        try:
            dek = self.keys.open(offer, sealed_dek, recording=recording)
        except HandoverError as error:
            raise InvalidInputError("the recording's key does not open", field="sealed_dek") from error
        if room.recording is not None:
            if room.recording.is_under(dek):
                return room.recording  # the same command again: the answer to the first was lost
            raise ConflictError("this recording was begun under a key that is gone by now")
        if self._disk is None:
            self._disk = DiskThread(self._folder)
        made = RoomRecording(self, room, recording, frozenset(consented), self._disk, dek)
        made.interrupted = _CONNECTING if room.connecting else ""
        room.recording = self.running[recording] = made
        made.look()
        return made

    def end_all(self) -> None:
        """End every recording. What they wrote is on its way to the disk."""
        for each in list(self.running.values()):
            each.stop("bridge_stopped")

    def wait_for_disk(self) -> None:
        """Return when all is on disk. Blocks: never called on the event loop."""
        if self._disk is not None:
            self._disk.stop()


class RoomRecording:
    """The recording of one room, from its start to its stop."""

    def __init__(
        self,
        host: RecorderHost,
        room: RecordedRoom,
        recording: str,
        consented: frozenset[str],
        disk: DiskThread,
        dek: bytes,
    ) -> None:
        self.id = recording
        self.interrupted = ""  # why no media can come at all
        self._told_paused = False
        self.room = room
        self.consented = consented
        self.stopped = False
        self._dek_digest = hashlib.sha256(dek).digest()
        self._host = host
        self._disk = disk
        self._loop = asyncio.get_running_loop()
        self._inputs: dict[RecordedTrack, TrackInput] = {}
        now = self._asked_at = room.bridge.monotonic()
        self._tried = asyncio.Event()
        self._out: OutFile = disk.open(recording, dek, self._disk_failed, self._file_tried)
        self._session = Session(recording=recording, now=now, at=_now())
        self._flushed_at = now

    async def begun(self) -> None:
        """Return once its file is on the disk. Raises ConflictError where it cannot be, or was ended before."""
        await self._tried.wait()
        if self.stopped or not self._out.made:
            full = self._out.failed == "disk-full"
            raise ConflictError("the disk for recordings is full" if full else "a recording cannot be written here")

    # Commands

    def allow(self, consented: Iterable[str]) -> None:
        """Replace who consented. Whoever is here and did not pauses the recording."""
        self.consented = frozenset(consented)
        self.look()

    def interrupt(self, reason: str) -> None:
        """No media can come for a while: the time line stands still, and the file notes it."""
        self.interrupted = reason
        self.look()

    def go_on(self) -> None:
        """Media can come again."""
        self.interrupted = ""
        self.look()

    def stop(self, reason: str) -> None:
        """End the recording: the file is closed and nothing more is taken."""
        self._safely(lambda: self._stop(reason))

    def _stop(self, reason: str) -> None:
        now = self.room.bridge.monotonic()
        self._drain(now)
        self.stopped = True
        for track in list(self._inputs):
            self._untap(track)
        self.room.recording = None
        self._host.running.pop(self.id, None)
        position = self._session.position_ms(now)
        self._disk.put(self._out, self._session.finish(now, _now(), reason=reason))
        self._close({"reason": reason, "position_ms": position})

    def is_under(self, dek: bytes) -> bool:
        """Say whether the recording is sealed under this DEK."""
        return hmac.compare_digest(self._dek_digest, hashlib.sha256(dek).digest())

    def asked(self) -> dict[str, Any]:
        """Tell the product how it stands. One that is asked after no more ends by itself: nobody could stop it."""
        self._asked_at = self.room.bridge.monotonic()
        return self.describe()

    def describe(self) -> dict[str, Any]:
        """Return the state a web process may ask for."""
        now = self.room.bridge.monotonic()
        return {
            "recording": self.id,
            "state": "paused" if self._session.paused else "recording",
            "position_ms": self._session.position_ms(now),
            "tracks": len(self._inputs),
        }

    # What the room tells

    def look(self) -> None:
        """Somebody came, left or consented: pause, go on, tap what is there now."""
        self._safely(self._look)

    def gone(self, peer: RecordedPeer) -> None:
        """A participant's transport is about to close: take what came, then let go."""
        self._safely(lambda: self._gone(peer))

    def report(self, track: RecordedTrack, report: rtcp.SenderReport, now: float) -> None:
        """A sender says which moment one of its stamps means."""
        self._safely(lambda: self._report(track, report, now))

    def tick(self, now: float) -> None:
        """Take what came since the last time; write it now and then."""
        if now - self._asked_at > _UNASKED_S:
            self.stop("unattended")
        self._safely(lambda: self._tick(now))

    # Inside

    def _safely(self, act: Callable[[], None]) -> None:
        """Do something for the recording. Whatever goes wrong ends the recording, never the meeting."""
        if self.stopped:
            return
        try:
            act()
        except Exception:
            log.exception("a recording failed", extra={"recording": self.id})
            self._abandon()

    def _abandon(self) -> None:
        """Let go of everything at once; what was written so far stays."""
        self.stopped = True
        for track in list(self._inputs):
            self._untap(track)
        self.room.recording = None
        self._host.running.pop(self.id, None)
        self._close({"reason": "failed", "position_ms": 0})

    def _look(self) -> None:
        now = self.room.bridge.monotonic()
        without = [each for each in self.room.peers if each not in self.consented]
        reason = "consent" if without else self.interrupted
        if reason and not self._session.paused:
            self._drain(now)
            for track in list(self._inputs):
                self._untap(track)
            self._session.pause(now, _now(), reason=reason)
        elif not reason and self._session.paused:
            self._session.resume(now, _now())
        self._tell_paused(now, reason, without[0] if without else "")
        if not self._session.paused:
            for peer in self.room.peers.values():
                for track in peer.tracks.values():
                    if track.tap is None:
                        self._tap(peer, track, now)

    def _tell_paused(self, now: float, reason: str, participant: str) -> None:
        """Say once that it pauses, and once that it goes on. Before its first media it says neither."""
        position = {"position_ms": self._session.position_ms(now)}
        if reason and reason != _CONNECTING and not self._told_paused:
            self._told_paused = True
            self._announce("recording.paused", position, participant)
        elif not reason and self._told_paused:
            self._told_paused = False
            self._announce("recording.resumed", position)

    def _gone(self, peer: RecordedPeer) -> None:
        now = self.room.bridge.monotonic()
        self._drain(now)
        for track in peer.tracks.values():
            self._untap(track)
        self._session.restart(peer.id, now)

    def _report(self, track: RecordedTrack, report: rtcp.SenderReport, now: float) -> None:
        self._session.report(
            track.owner.id,
            track.kind,
            timestamp=report.timestamp,
            theirs_s=report.ntp / 4294967296,
            now=now,
        )

    def _tick(self, now: float) -> None:
        self._drain(now)
        for track, source in self._inputs.items():
            if track.flowing and source.wants_key(now):
                track.request_key_frame(now)
        if now - self._flushed_at >= _FLUSH_EVERY_S - 0.05:
            self._flushed_at = now
            self._disk.put(self._out, self._session.flush())

    def _tap(self, peer: RecordedPeer, track: RecordedTrack, now: float) -> None:
        codecs = {codec.name for codec in track.codecs.values()} & CLOCK_RATES.keys()
        if codecs:
            track.tap = []
            # Which of the codecs it is only a packet says; until then any of them stands for the track
            source = self._session.track(peer.id, track.kind, cast(Codec, sorted(codecs)[-1]))
            self._inputs[track] = source
            track.request_key_frame(now)

    def _untap(self, track: RecordedTrack) -> None:
        track.tap = None
        self._inputs.pop(track, None)

    def _drain(self, now: float) -> None:
        for track, source in list(self._inputs.items()):
            packets = track.tap
            if packets:
                track.tap = []
                codec = track.codecs.get(packets[-1][1] & 0x7F)
                if codec is not None and codec.name != source.codec and codec.name in CLOCK_RATES:
                    source.frames.interrupt()
                    source = self._session.track(track.owner.id, track.kind, codec.name)
                    self._inputs[track] = source
                self._session.take(source, packets, now)
            elif source.frames.is_waiting:
                self._session.take(source, [], now)

    def _disk_failed(self, reason: str) -> None:
        """Told from the writing thread: the recording ends, the meeting goes on."""
        self._loop.call_soon_threadsafe(self.stop, reason)

    def _file_tried(self) -> None:
        """Told from the writing thread, after a failure was."""
        self._loop.call_soon_threadsafe(self._tried.set)

    def _close(self, data: dict[str, Any]) -> None:
        """Close the file and say so once it is on disk: whoever hears of it may read it at once."""

        def closed() -> None:
            if not self._out.made:
                return  # it never began, and whoever commanded it is answered so
            broken = {"reason": self._out.failed} if self._out.failed else {}  # its last words did not reach the disk
            self._loop.call_soon_threadsafe(self._announce, "recording.stopped", data | broken)

        self._disk.close(self._out, closed)

    def _announce(self, kind: str, data: dict[str, Any], participant: str = "") -> None:
        self.room.bridge.announce(
            kind, room=self.room.name, participant=participant, data={"recording": self.id, **data}
        )


def get_recording(room: RecordedRoom, recording: str = "") -> RoomRecording:
    """Return the room's recording. recording: the one that is meant, "" for any. Raises NotFoundError."""
    if room.recording is None or recording not in ("", room.recording.id):
        raise NotFoundError("this room is not recorded, or by another recording")
    return room.recording


def _now() -> str:
    return clock.to_text(clock.utc_now())
