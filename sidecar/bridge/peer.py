"""One participant at the bridge: transport, tracks, slots, gates. Where it stands in the room is rooms.py's."""

import asyncio
import logging
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sidecar.bridge import rtp
from sidecar.bridge.bandwidth import Downlink
from sidecar.bridge.channel import DataChannel
from sidecar.bridge.dtls import DtlsEndpoint, DtlsFailure
from sidecar.bridge.feedback import Feedback
from sidecar.bridge.grant import Grant
from sidecar.bridge.ice import IceAgent
from sidecar.bridge.quality import QualityKeeper
from sidecar.bridge.sdp import MID, AnswerParts, Offer, SlotIds, build_answer
from sidecar.bridge.streams import Slot, Track, TrackKind
from sidecar.bridge.udp import DatagramBatch, PeerAddress
from sidecar.domain import clock
from sidecar.domain.permissions import Permission

if TYPE_CHECKING:
    from sidecar.bridge.rooms import Room
    from sidecar.bridge.server import Bridge

log = logging.getLogger(__name__)

_NEEDS: dict[TrackKind, tuple[str, ...]] = {
    "microphone": (Permission.SPEAK,),
    "camera": (Permission.SHOW_CAMERA,),
    # Which surface was picked is the client's word; the web process judged that before the token was minted.
    "share": (Permission.SHARE_WINDOW, Permission.SHARE_SCREEN),
}
_DROP_REPORT_INTERVAL_S = 60.0
_FLOWING_S = 3.0  # a track without packets for this long has stopped
_FAREWELL_S = 0.05  # between the last message and the end of the transport
_MAX_MESSAGES_PER_S = 20
_MAX_LEARNT_SSRCS = 8  # SSRCs the offer did not declare; libsrtp keeps state for each


class Peer:
    """One participant's place at the bridge, from the offer to the goodbye."""

    def __init__(self, bridge: "Bridge", room: "Room", grant: Grant, offer: Offer, *, now: float) -> None:
        self.bridge = bridge
        self.room = room
        self.id = grant.participant
        self.grant = grant
        self.offer = offer
        self.session = secrets.token_hex(8)
        self.created_at = now
        self.joined_at: datetime | None = None
        self.closed = False
        self.agent = IceAgent(self, offer.ufrag, self._selected)
        self.batch: DatagramBatch | None = None
        self.address: PeerAddress | None = None
        self.inbound: Any = None
        self.outbound: Any = None
        self._sessions: Any = None
        self.rtcp_ssrc = _random_ssrc()
        self.cname = secrets.token_hex(8)
        self._dtls = DtlsEndpoint(bridge.identity, offer.fingerprints, self._send_datagram)
        self._dtls_timer: asyncio.TimerHandle | None = None
        self.channel = DataChannel(
            write=self._dtls.write,
            sctp_port=offer.sctp_port,
            max_message_bytes=offer.max_message_bytes,
            on_open=lambda: room.channel_opened(self),
            on_message=lambda message: room.client_message(self, message),
        )
        self.tracks: dict[TrackKind, Track] = self._make_tracks(offer)
        self.by_ssrc: dict[int, Track] = {}
        for track in self.tracks.values():
            self.by_ssrc.update({ssrc: track for ssrc in (track.ssrc, track.rtx_ssrc) if ssrc})
        self.audio_slots = self._make_slots(offer, "audio")
        self.video_slots = self._make_slots(offer, "video")
        self.slot_by_ssrc = {slot.ssrc: slot for slot in (*self.audio_slots, *self.video_slots)}
        self._learnt: set[int] = set()
        self._mid_id = next((s.extensions[MID] for s in offer.sections if MID in s.extensions), 0)
        self._dropped_at: dict[str, float] = {}
        # What the packet path writes to, and feedback.py reads
        self.arrivals: list[tuple[int, int]] = []  # transport number, microseconds
        self.feedback_due = 0.0
        self.feedback = Feedback(self)
        self.sent = self.feedback.sent
        self.downlink = Downlink(now)
        self.quality = QualityKeeper(self, now)
        self.uplink_loss = 0.0
        # What the client says of itself, and asks for
        self.wants_large: str | None = None
        self.wants_cameras = True
        self._said_at = [0.0, 0.0]
        self.apply_gates()

    # Making

    def _make_tracks(self, offer: Offer) -> dict[TrackKind, Track]:
        tracks: dict[TrackKind, Track] = {}
        for section in offer.sending("audio"):
            tracks["microphone"] = Track(self, "microphone", section)
        kinds: Sequence[TrackKind] = ("camera", "share")
        for kind, section in zip(kinds, offer.sending("video"), strict=False):
            tracks[kind] = Track(self, kind, section)
        return tracks

    def _make_slots(self, offer: Offer, kind: Any) -> list[Slot]:
        return [
            Slot(
                self,
                section,
                ssrc=_random_ssrc(),
                rtx_ssrc=_random_ssrc() if any(c.rtx_payload_type for c in section.codecs) else 0,
            )
            for section in offer.receiving(kind)
        ]

    def answer(self, candidates: tuple[tuple[str, int], ...]) -> str:
        """Return the session description for the client. The same for as long as it stays."""
        slots: dict[str, SlotIds] = {}
        places = self.room.person_places(self)
        for group in (self.audio_slots, self.video_slots):
            for index, slot in enumerate(group):
                # Sound and camera of one person share a stream, so that lips and voice are played together.
                stream = f"person-{index}" if index < places else f"share-{index}"
                slots[slot.mid] = SlotIds(slot.ssrc, slot.rtx_ssrc, stream)
        return build_answer(
            self.offer,
            AnswerParts(
                session=secrets.randbits(62),
                ufrag=self.agent.ufrag,
                password=self.agent.password,
                fingerprint=self.bridge.identity.fingerprint,
                candidates=candidates,
                slots=slots,
                cname=self.cname,
            ),
        )

    # Gates: what is let through

    def apply_gates(self) -> None:
        """Fold permissions, mute and the client's own word into each track's flag. Effective at once."""
        for kind, track in self.tracks.items():
            granted = any(permission in self.grant.permissions for permission in _NEEDS[kind])
            if not granted:
                track.refused = "|".join(_NEEDS[kind])
            elif track.muted:
                track.refused = "muted"
            elif track.cut:
                track.refused = "share_firewall/cut"
            elif kind == "share" and self.grant.share_watched and not self.bridge.watcher.ready:
                track.refused = "share_firewall/down"
            else:
                track.refused = None
            track.open = track.refused is None and not track.said_off
        if "share" in self.tracks:
            self._watch_share(self.tracks["share"])

    def _watch_share(self, track: Track) -> None:
        """Have the share looked at for as long as it may flow, where that is asked for."""
        if not self.grant.share_watched:
            self.bridge.watcher.end(track)
            track.clear = True
        elif track.open:
            self.bridge.watcher.begin(self, track)
        else:
            self.bridge.watcher.end(track)
            self.bridge.watcher.samplers.start()

    def cut_share(self, reason: str, canary: int = 0) -> None:
        """Close the share until its owner ends it and begins another. canary: the number seen, 0 for none."""
        self.tracks["share"].cut = True
        self.apply_gates()
        self.channel.send({"type": "cut", "kind": "share", "reason": reason})
        self.announce("share.cut", {"reason": reason, "canary": canary})
        self.room.media_changed(self)

    def report_dropped(self, track: Track, now: float) -> None:
        """Announce a track that came without permission, once a minute."""
        if track.refused in ("muted", "share_firewall/cut"):
            return  # the client needs a moment to hear of it; nothing was overstepped
        if now - self._dropped_at.get(track.kind, -_DROP_REPORT_INTERVAL_S) >= _DROP_REPORT_INTERVAL_S:
            self._dropped_at[track.kind] = now
            self.announce("track.dropped", {"kind": track.kind, "rule": track.refused})

    def report_message(self, kind: str, rule: str, now: float) -> None:
        """Announce a data channel message that is not part of the protocol, once a minute."""
        if now - self._dropped_at.get("message", -_DROP_REPORT_INTERVAL_S) >= _DROP_REPORT_INTERVAL_S:
            self._dropped_at["message"] = now
            self.announce("message.dropped", {"type": kind, "rule": rule})

    def announce(self, kind: str, data: dict[str, Any]) -> None:
        """Put an event about this participant on its way to the web process."""
        self.bridge.announce(kind, room=self.room.name, participant=self.id, data=data)

    # What the client says

    def may_say_more(self, now: float) -> bool:
        """Whether the client keeps to a sane rate of messages."""
        if now - self._said_at[0] > 1:
            self._said_at = [now, 0.0]
        self._said_at[1] += 1
        return self._said_at[1] <= _MAX_MESSAGES_PER_S

    def said(self, message: dict[str, Any]) -> None:
        """Take the client's word on what it sends.

        After a mute by somebody else, only going from off to on is unmuting: a message that was on its way
        when the mute came undoes nothing.
        """
        for kind, track in self.tracks.items():
            on = bool(message[kind])
            if on and track.said_off:
                track.muted = track.cut = False
            track.said_off = not on

    def mute(self, kind: str, name: str) -> None:
        """Drop a track until the client itself switches it on again."""
        track = self.tracks.get(kind)  # type: ignore[call-overload]  # any text finds nothing
        if track is not None:
            track.muted = True
            self.channel.send({"type": "muted", "kind": name})
            self.room.media_changed(self)

    def media_message(self) -> dict[str, Any]:
        """Return what others are told about this participant's media."""
        on = {str(kind): track.open and track.flowing for kind, track in self.tracks.items()}
        flags: dict[str, bool] = {str(kind): False for kind in _NEEDS} | on
        return {"type": "media", "participant": self.id, **flags, "network": str(self.quality.level)}

    def describe(self) -> dict[str, Any]:
        """Return the roster's entry."""
        return {
            "id": self.id,
            "since": clock.to_text(self.joined_at) if self.joined_at else None,
            "dtls_fingerprint": self._dtls.client_fingerprint or None,
            "tracks": {
                kind: {"open": track.open, "flowing": track.flowing, "muted": track.muted}
                for kind, track in self.tracks.items()
            },
            "up_kbps": round(self.quality.up_bps / 1000),
            "down_kbps": round(self.quality.down_bps / 1000),
            "quality": str(self.quality.level),
        }

    # What is observed

    def observe(self, now: float) -> bool:
        """Look which tracks flow, and ask again for key frames somebody waits for. True: something changed."""
        changed = False
        for track in self.tracks.values():
            if track.received != track.seen:
                track.seen, track.seen_at = track.received, now
                if not track.flowing:
                    changed = self._flows(track, now)
            elif track.flowing and now - track.seen_at > _FLOWING_S:
                track.flowing = False
                self.room.tell_others(self, self.media_message())
                changed = True
            if track.video and track.flowing and any(slot.waiting for slot in track.slots):
                track.request_key_frame(now)
        return changed

    def _flows(self, track: Track, now: float) -> bool:
        track.flowing, track.opened_at, track.seen_at = True, now, now
        self.room.tell_others(self, self.media_message())
        return True

    def track_began(self, track: Track, now: float) -> None:
        """The first packet of a track came: somebody waits for it."""
        self._flows(track, now)
        self.room.arrange()

    def take_level(self) -> float:
        """Return the mean sound level since the last call, 0..127."""
        track = self.tracks.get("microphone")
        if track is None or not track.level_count or not track.open:
            return 0.0
        level = track.level_sum / track.level_count
        track.level_sum = track.level_count = 0
        return level

    def may_see(self, track: Track) -> bool:
        """Whether this participant wants, and has room for, that picture."""
        return (self.wants_cameras or track.kind != "camera") and self.quality.may_see(track)

    @property
    def down_bps(self) -> float:
        return self.quality.down_bps

    # Transport

    @property
    def connected(self) -> bool:
        """Whether media can flow."""
        return self.outbound is not None and not self.closed

    def _selected(self) -> None:
        """The client chose its way here, or a new one: what went the old way in between is lost."""
        if self.connected:
            now = self.bridge.monotonic()
            for slot in self.video_slots:
                if slot.source is not None:
                    slot.source.request_key_frame(now)

    def _send_datagram(self, data: bytes) -> None:
        if self.batch is not None and self.address is not None:
            self.batch.send(data, self.address)
            self.bridge.plane.flush_soon()

    def on_dtls(self, datagram: bytes) -> None:
        """Take one DTLS datagram from an address that proved to be this client's."""
        if self.closed:
            return
        was_established = self._dtls.established
        try:
            received = self._dtls.feed(datagram)
            if self._dtls.established and not was_established:
                self._sessions = self._dtls.srtp_sessions()
        except (DtlsFailure, ValueError):
            self.room.leave(self, "dtls_failed")
            return
        if not self._dtls.established:
            self._arm_dtls_timer()
        elif not was_established:
            self._established()
        for packet in received:
            self.channel.feed(packet)
        if self._dtls.closed:
            self.room.leave(self, "left")

    def _arm_dtls_timer(self) -> None:
        seconds = self._dtls.timeout_seconds()
        if self._dtls_timer is not None:
            self._dtls_timer.cancel()
        if seconds is not None:
            self._dtls_timer = asyncio.get_running_loop().call_later(seconds + 0.01, self._dtls_timeout)

    def _dtls_timeout(self) -> None:
        if self._dtls.established or self.closed:
            return
        try:
            self._dtls.retransmit()
        except DtlsFailure:
            self.room.leave(self, "dtls_failed")
            return
        self._arm_dtls_timer()

    def _established(self) -> None:
        inbound, outbound = self._sessions
        self.inbound, self.outbound = inbound.handle, outbound.handle
        self.joined_at = clock.utc_now()
        self.channel.start()
        assert self._dtls.profile is not None
        self.announce(
            "media.joined",
            {
                "fingerprint_client": self._dtls.client_fingerprint,
                "fingerprint_bridge": self.bridge.identity.fingerprint,
                "srtp_profile": self._dtls.profile.name,
            },
        )
        # Before its encoder has made a picture: one that starts at the browser's careful default begins tiny
        # and grows for half a minute.
        self.quality.open(self.bridge.monotonic())
        self.room.connected(self)

    def close_soon(self) -> None:
        """Stop all media at once; the transport follows when the last message has left."""
        self.inbound = self.outbound = self._sessions = None
        self._leave_the_network()
        asyncio.get_running_loop().call_later(_FAREWELL_S, self.close)

    def close(self) -> None:
        """Close every transport. What was queued before still leaves."""
        if self.closed:
            return
        self.closed = True
        if self._dtls_timer is not None:
            self._dtls_timer.cancel()
        self.channel.stop()
        self._dtls.shutdown()
        self.bridge.plane.flush_now()
        self._leave_the_network()
        self.inbound = self.outbound = self._sessions = None
        self.batch = self.address = None

    def _leave_the_network(self) -> None:
        """Hear nothing more from any address."""
        self.agent.close()
        self.bridge.plane.agents.pop(self.agent.ufrag, None)

    # The packet path asks these

    def may_learn(self, ssrc: int) -> bool:
        """Return whether a packet with an undeclared SSRC is worth decrypting."""
        return self._mid_id > 0 and (ssrc in self._learnt or len(self._learnt) < _MAX_LEARNT_SSRCS)

    def learn(self, ssrc: int, second: int, packet: bytes) -> Track | None:
        """Tie an undeclared SSRC to its section by the MID extension (RFC 8843 section 9.2)."""
        self._learnt.add(ssrc)
        parsed = rtp.parse(packet)
        if parsed is None or self._mid_id not in parsed.extensions:
            return None
        start, end = parsed.extensions[self._mid_id]
        mid = packet[start:end].decode("ascii", "replace")
        track = next((t for t in self.tracks.values() if t.mid == mid), None)
        if track is None:
            return None
        if second & 0x7F in track.rtx_of:
            if track.rtx_ssrc:
                return None
            track.rtx_ssrc = ssrc
        elif track.ssrc:
            return None  # a second encoding: one is what we forward
        else:
            track.ssrc = ssrc
        self.by_ssrc[ssrc] = track
        return track

    def on_gap(self, track: Track, ahead: int, now: float) -> None:
        """Numbers were skipped: ask for them again."""
        if track.video:
            self.feedback.missing(track, ahead, now)

    def on_rtcp(self, data: bytes, now: float) -> None:
        """Take one decrypted RTCP packet."""
        self.feedback.received(data, now)

    def send_transport_feedback(self) -> None:
        """Tell the client's sender when its packets arrived."""
        self.feedback.send_transport()

    def send_rtcp(self, data: bytes) -> None:
        """Encrypt and send an RTCP packet."""
        self.bridge.plane.send_rtcp(self, data)


def _random_ssrc() -> int:
    return secrets.randbelow(0xFFFFFFFE) + 1
