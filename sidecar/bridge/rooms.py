"""A room: who is in it, who sees and hears whom, what the participants are told.

Places: each receiver has a place for each other person, sound and camera side by side; the last picture slot
is kept for a share.
"""

import json
import logging
from typing import TYPE_CHECKING, Any

from sidecar.bridge.seating import seat
from sidecar.bridge.speaker import SpeakerDetector
from sidecar.bridge.streams import Slot, Track
from sidecar.domain import clock

if TYPE_CHECKING:
    from sidecar.bridge.peer import Peer
    from sidecar.bridge.recording import RoomRecording
    from sidecar.bridge.server import Bridge

log = logging.getLogger(__name__)

_CONNECT_WITHIN_S = 30.0  # from the answer to the first encrypted packet


class Room:
    """One room. It lives while somebody is in it."""

    connecting = False  # for a recording: media are here at once

    def __init__(self, name: str, bridge: "Bridge") -> None:
        self.name = name
        self.bridge = bridge
        self.peers: dict[str, Peer] = {}
        self.recording: RoomRecording | None = None
        self._speaker = SpeakerDetector()
        self._spoke_at: dict[str, float] = {}
        self._seating: dict[str, dict[int, str]] = {}
        self._told: dict[str, str] = {}

    # Coming and going

    def enter(self, peer: "Peer") -> None:
        """Take a participant in; a second place of the same one replaces the first."""
        before = self.peers.get(peer.id)
        if before is not None:
            self.leave(before, "replaced")
        self.peers[peer.id] = peer
        if self.recording is not None:
            self.recording.look()  # before any packet of theirs can come

    def connected(self, peer: "Peer") -> None:
        """Media can flow to and from this participant."""
        self.arrange()

    def leave(self, peer: "Peer", reason: str) -> None:
        """Take a participant out and close its transports. Does nothing for one who is gone already."""
        if self.peers.get(peer.id) is not peer:
            peer.close()
            return
        if self.recording is not None:
            self.recording.gone(peer)
        del self.peers[peer.id]
        peer.channel.send({"type": "removed", "reason": reason})
        peer.feedback.stop()
        for track in peer.tracks.values():
            self.bridge.watcher.end(track)
            for slot in list(track.slots):
                slot.detach()
        for slot in peer.slot_by_ssrc.values():
            slot.detach()
        self._seating.pop(peer.id, None)
        self._told.pop(peer.id, None)
        self._spoke_at.pop(peer.id, None)
        peer.announce("media.left", {"reason": reason})
        peer.close_soon()
        self.arrange()
        if self.recording is not None and reason != "replaced":  # who comes back is looked at on entering
            if self.peers:
                self.recording.look()
            else:
                self.recording.stop("empty")
        if not self.peers:
            self.bridge.rooms.pop(self.name, None)

    def end(self, reason: str) -> None:
        """Everybody out."""
        if self.recording is not None:
            self.recording.stop("ended" if reason != "bridge_stopped" else reason)
        for peer in list(self.peers.values()):
            self.leave(peer, reason)

    # Places

    def person_places(self, peer: "Peer") -> int:
        """Return how many other persons this receiver has a place for."""
        return max(len(peer.audio_slots), max(1, len(peer.video_slots) - 1))

    def arrange(self) -> None:
        """Give every slot its source, move nobody without need, tell everybody what changed."""
        now = self.bridge.monotonic()
        connected = [peer for peer in self.peers.values() if peer.connected]
        for receiver in connected:
            others = {peer.id: peer for peer in connected if peer is not receiver}
            wanted = sorted(others, key=lambda each: (-self._spoke_at.get(each, 0.0), others[each].created_at))
            places = self.person_places(receiver)
            if len(wanted) <= places:
                wanted.sort(key=lambda each: others[each].created_at)
            seating = seat(places, self._seating.get(receiver.id, {}), wanted)
            self._seating[receiver.id] = seating
            self._fill(receiver, others, seating, now)
            self._tell_slots(receiver)

    def _fill(self, receiver: "Peer", others: "dict[str, Peer]", seating: dict[int, str], now: float) -> None:
        for place, slot in enumerate(receiver.audio_slots):
            person = others.get(seating.get(place, ""))
            self._point(slot, person.tracks.get("microphone") if person else None, now)
        cameras = receiver.video_slots if len(receiver.video_slots) == 1 else receiver.video_slots[:-1]
        for place, slot in enumerate(cameras):
            person = others.get(seating.get(place, ""))
            track = person.tracks.get("camera") if person else None
            shown = track is not None and self._is_shown(track) and receiver.may_see(track)
            self._point(slot, track if shown else None, now)
        shares = [t for p in others.values() if (t := p.tracks.get("share")) and self._is_shown(t)]
        if len(receiver.video_slots) > 1:
            newest = max(shares, key=lambda track: track.opened_at, default=None)
            shown = newest is not None and receiver.may_see(newest)
            self._point(receiver.video_slots[-1], newest if shown else None, now)

    def candidates(self, receiver: "Peer") -> list[tuple[Track, bool]]:
        """Return the pictures this receiver could see, the most important first, and whether each is that."""
        others = {peer.id: peer for peer in self.peers.values() if peer.connected and peer is not receiver}
        large = receiver.wants_large or self._speaker.speaker
        shares = [t for p in others.values() if (t := p.tracks.get("share")) and self._is_shown(t)]
        found = [(max(shares, key=lambda track: track.opened_at), True)] if shares else []
        if receiver.wants_cameras:
            seated = [others[each] for each in self._seating.get(receiver.id, {}).values() if each in others]
            seated.sort(key=lambda peer: peer.id != large)
            cameras = [t for p in seated if (t := p.tracks.get("camera")) and self._is_shown(t)]
            found += [(track, track.owner.id == large) for track in cameras]
        return found

    @staticmethod
    def _is_shown(track: Track) -> bool:
        """Whether there is a picture worth a slot: allowed, switched on, seen at least once, and fit to be seen."""
        return track.open and track.flowing and track.clear

    @staticmethod
    def _point(slot: Slot, track: Track | None, now: float) -> None:
        if slot.source is track:
            return
        slot.detach()
        if track is not None:
            slot.attach(track, now)

    # Telling

    def channel_opened(self, peer: "Peer") -> None:
        """A participant can be told things now."""
        self._told.pop(peer.id, None)
        self._tell_slots(peer)
        for other in self.peers.values():
            if other is not peer and other.connected:
                peer.channel.send(other.media_message())
        if self._speaker.speaker is not None:
            peer.channel.send({"type": "speaker", "participant": self._speaker.speaker})

    def _tell_slots(self, peer: "Peer") -> None:
        message = {
            "type": "slots",
            "audio": [
                {"mid": slot.mid, "participant": slot.source.owner.id}
                for slot in peer.audio_slots
                if slot.source is not None
            ],
            "video": [
                {"mid": slot.mid, "participant": slot.source.owner.id, "kind": slot.source.kind}
                for slot in peer.video_slots
                if slot.source is not None
            ],
        }
        text = json.dumps(message)
        if self._told.get(peer.id) != text and peer.channel.send(message):
            self._told[peer.id] = text

    def tell_others(self, peer: "Peer", message: dict[str, Any]) -> None:
        """Send a message to everybody else."""
        for other in self.peers.values():
            if other is not peer:
                other.channel.send(message)

    # Hearing

    def client_message(self, peer: "Peer", message: dict[str, Any] | None) -> None:
        """Act on what a client says of itself. Anything that is not of the protocol is dropped."""
        now = self.bridge.monotonic()
        kind = message.get("type") if message is not None else None
        if not peer.may_say_more(now):
            peer.report_message("flood", "rate", now)
        elif message is None or not isinstance(kind, str):
            peer.report_message("unreadable", "form", now)
        elif kind == "media" and _are_flags(message, "microphone", "camera", "share"):
            peer.said(message)
            self.media_changed(peer)
        elif kind == "want" and message.get("cameras", "all") in ("all", "none"):
            large = message.get("large")
            peer.wants_large = large if isinstance(large, str) else None
            peer.wants_cameras = message.get("cameras", "all") == "all"
            self.arrange()
        elif kind == "ping" and isinstance(message.get("n"), int):
            peer.channel.send({"type": "pong", "n": message["n"]})
        else:
            peer.report_message(kind[:32] if kind.isidentifier() else "unknown", "closed-list", now)

    def media_changed(self, peer: "Peer") -> None:
        """Permissions, mute or the client's own word changed what it sends."""
        peer.apply_gates()
        self.tell_others(peer, peer.media_message())
        self.arrange()

    # Every quarter of a second

    def tick(self, now: float) -> None:
        """Look after time: sessions, silence, levels, rates, key frames."""
        moment = clock.utc_now()
        for peer in list(self.peers.values()):
            if moment >= peer.grant.session_until:
                peer.announce("session.ended", {"reason": "session_until"})
                self.leave(peer, "session_ended")
            elif not peer.connected:
                if now - peer.created_at > _CONNECT_WITHIN_S:
                    self.leave(peer, "never_connected")
            elif now - peer.agent.last_check_at > self.bridge.config.consent_s:
                self.leave(peer, "connection_lost")
        connected = [peer for peer in self.peers.values() if peer.connected]
        changed = False
        for peer in connected:
            changed |= peer.observe(now)
        self._detect_speaker(connected, now)
        if changed:
            self.arrange()
        for peer in connected:
            peer.quality.tick(now)
        if self.recording is not None:
            self.recording.tick(now)

    def _detect_speaker(self, connected: "list[Peer]", now: float) -> None:
        levels = {peer.id: peer.take_level() for peer in connected}
        for participant, level in levels.items():
            if level > 80:
                self._spoke_at[participant] = now
        if self._speaker.update(levels, now):
            speaker = self._speaker.speaker
            for peer in connected:
                peer.channel.send({"type": "speaker", "participant": speaker})
            if speaker is not None:
                self.bridge.announce("speaker", room=self.name, participant=speaker, data={})
            self.arrange()


def _are_flags(message: dict[str, Any], *names: str) -> bool:
    return all(isinstance(message.get(name), bool) for name in names)
