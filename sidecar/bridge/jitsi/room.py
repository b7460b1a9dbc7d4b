"""A Jitsi conference as the recorder sees it: who is in it, and which streams are whose.

Prosody alone knows which participant of the meeting an occupant is. Whoever it has not named is somebody nobody
asked: the recording pauses for them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sidecar.bridge import rtcp
from sidecar.bridge.jitsi.intake import Intake, Packet
from sidecar.bridge.jitsi.jingle import Codec, Source
from sidecar.bridge.recording import RoomRecording, Surroundings

if TYPE_CHECKING:
    from sidecar.bridge.jitsi.participant import Participant

UNKNOWN = "?"  # begins the place of an occupant Prosody has not named
_FLOWING_S = 2.0  # a picture that has sent nothing for so long is off
_ASK_ANYWAY_S = 5.0  # how often one that is off, or whose first request was lost, is asked for a key frame all the same


@dataclass(eq=False)
class Peer:
    """One person in the conference. id: the participant's, or UNKNOWN and the nickname."""

    id: str
    nick: str
    tracks: dict[int, "Track"] = field(default_factory=dict)


class Track:
    """One stream of a person, towards the recording."""

    def __init__(self, owner: Peer, source: Source, intake: Intake, monotonic: Surroundings) -> None:
        self.owner = owner
        self.source = source
        self.tap: list[Packet] | None = None
        self.share = source.share
        self._intake = intake
        self._surroundings = monotonic
        self._packet_at = self._asked_at = float("-inf")

    @property
    def kind(self) -> str:
        """What it shows by now: a share may take the camera's place in the same stream."""
        if self.source.media == "audio":
            return "microphone"
        return "share" if self.share else "camera"

    @property
    def codecs(self) -> Mapping[int, Codec]:
        return self._intake.codecs

    @property
    def flowing(self) -> bool:
        now = self._surroundings.monotonic()
        return now - self._packet_at < _FLOWING_S or now - self._asked_at >= _ASK_ANYWAY_S

    def request_key_frame(self, now: float) -> None:
        self._asked_at = now
        self._intake.request_key_frame(now)

    def packet(self, packet: Packet) -> None:
        """Take one packet, where the recording takes any."""
        self._packet_at = packet[4]
        if self.tap is not None:
            self.tap.append(packet)


class JitsiRoom:
    """One conference. `bridge`: what it stands in, under the name the recording knows it by."""

    def __init__(self, name: str, bridge: Surroundings) -> None:
        self.name = name
        self.bridge = bridge
        self.recording: RoomRecording | None = None
        self.peers: dict[str, Peer] = {}
        self.participant: Participant | None = None
        self.down_since: float | None = bridge.monotonic()  # since when no media can come, None while they can
        self._settled = True  # False while we enter: everybody inside is seen first, and named a moment later
        self._nicks: dict[str, Peer] = {}
        self._names: dict[str, str] = {}
        self._intakes: dict[int, tuple[Source, Intake]] = {}
        self._tracks: dict[int, Track] = {}
        self._shares: dict[str, bool] = {}

    @property
    def connecting(self) -> bool:
        return self.down_since is not None

    # Who is here

    def named(self, names: Mapping[str, str]) -> None:
        """Take in which participants some nicknames are."""
        self._names |= names
        for nick, participant in names.items():
            peer = self._nicks.get(nick)
            if peer is not None and peer.id != participant:
                self._leave(nick)
                self._enter(nick)
        self._look()

    def entered(self, nick: str) -> None:
        """Take an occupant in, before any packet of theirs can come."""
        if nick not in self._nicks:
            self._enter(nick)
            if self._settled:
                self._look()

    def left(self, nick: str) -> None:
        """Take an occupant out. The last one ends the recording."""
        if nick in self._nicks:
            self._leave(nick)
            self._names.pop(nick, None)
            if not self._nicks and self.recording is not None:
                self.recording.stop("empty")
            self._look()

    def forget_everybody(self) -> None:
        """We are out of the room ourselves: who is in it is said anew when we enter."""
        self._settled = False  # no media come meanwhile: the recording stands still as it is
        for nick in list(self._nicks):
            self._leave(nick)
        self._names.clear()

    def settled(self) -> None:
        """We are inside, and know who else is."""
        self._settled = True
        self._look()

    def _enter(self, nick: str) -> None:
        peer = Peer(self._names.get(nick, UNKNOWN + nick), nick)
        before = self.peers.get(peer.id)
        if before is not None:  # their second place: the first is on its way out
            self._leave(before.nick)
        self._nicks[nick] = self.peers[peer.id] = peer
        for source, intake in self._intakes.values():
            if source.owner == nick:
                self._add_track(peer, source, intake)

    def _leave(self, nick: str) -> None:
        peer = self._nicks.pop(nick)
        if self.recording is not None:
            self.recording.gone(peer)
        for ssrc in peer.tracks:
            self._tracks.pop(ssrc, None)
        if self.peers.get(peer.id) is peer:
            del self.peers[peer.id]

    # What they send

    def stream_added(self, source: Source, intake: Intake) -> None:
        """A stream has a section at the bridge connection; it is recorded once its owner is in the room."""
        self._intakes[source.ssrc] = (source, intake)
        peer = self._nicks.get(source.owner)
        if peer is not None:
            self._add_track(peer, source, intake)
            self._look()

    def streams_gone(self, ssrcs: Iterable[int]) -> None:
        """Streams ended, or the connection they came by."""
        gone: dict[str, Peer] = {}
        for ssrc in ssrcs:
            self._intakes.pop(ssrc, None)
            track = self._tracks.get(ssrc)
            if track is not None:
                gone[track.owner.id] = track.owner
        for peer in gone.values():
            if self.recording is not None:
                self.recording.gone(peer)  # takes what came, lets go of all of theirs; what stays is tapped again
            for ssrc in [each for each in peer.tracks if each not in self._intakes]:
                del peer.tracks[ssrc]
                self._tracks.pop(ssrc, None)
        self._look()

    def showing(self, nick: str, shares: Mapping[str, bool]) -> None:
        """An occupant says which of their streams are shares."""
        self._shares |= shares
        peer = self._nicks.get(nick)
        changed = [
            track
            for track in (peer.tracks.values() if peer is not None else ())
            if track.share != shares.get(track.source.name, track.share)
        ]
        if peer is not None and changed:
            if self.recording is not None:
                self.recording.gone(peer)
            for track in changed:
                track.share = shares[track.source.name]
            self._look()

    def packet(self, ssrc: int, packet: Packet) -> None:
        track = self._tracks.get(ssrc)
        if track is not None:
            track.packet(packet)

    def report(self, report: rtcp.SenderReport) -> None:
        track = self._tracks.get(report.ssrc)
        if track is not None and track.tap is not None and self.recording is not None:
            self.recording.report(track, report, self.bridge.monotonic())

    def _add_track(self, peer: Peer, source: Source, intake: Intake) -> None:
        track = Track(peer, source, intake, self.bridge)
        track.share = self._shares.get(source.name, source.share)
        peer.tracks[source.ssrc] = self._tracks[source.ssrc] = track

    # Whether anything can come

    def up(self) -> None:
        """The bridge took us in: media can come."""
        if self.down_since is not None:
            self.down_since = None
            if self.recording is not None:
                self.recording.go_on()

    def down(self, reason: str) -> None:
        """No media can come until further notice."""
        if self.down_since is None:
            self.down_since = self.bridge.monotonic()
            if self.recording is not None:
                self.recording.interrupt(reason)

    def _look(self) -> None:
        if self.recording is not None:
            self.recording.look()
