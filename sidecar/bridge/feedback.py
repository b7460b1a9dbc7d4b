"""What participants and the bridge tell each other about media: reports, losses, key frames, rates.

Numbers are translated on the way: a receiver knows its slot's sequence numbers, a sender its track's.
"""

import asyncio
import struct
from dataclasses import replace
from typing import TYPE_CHECKING

from sidecar.bridge import rtcp, rtp, transport_cc
from sidecar.bridge.streams import Slot, Track
from sidecar.domain import clock

if TYPE_CHECKING:
    from sidecar.bridge.peer import Peer

_NTP_EPOCH_S = 2_208_988_800  # from 1900 to 1970
_MAX_CLOCK_ERROR = 1 << 32  # one second in NTP units: beyond it a sender's clock was set anew
_ASK_AFTER_S = 0.01  # packets overtake each other by this much without being lost
_ASK_AGAIN_S = 0.08
_MAX_ASKED = 8
_MAX_GAP = 512  # more than this is a break, not a loss: a key frame mends it
_MAX_RESENT_PER_S = 400  # a client that asks for everything gets no flood
_REPORTED_AT_ONCE = 400  # numbers in one transport feedback: it fits a datagram whatever they say
_ASKED_AT_ONCE = 200
_MAX_TOLD_LOSS = 0.25  # a voice repeats itself no harder beyond this
_LATE_ARRIVAL_JUMP = 0x2000  # transport numbers further ahead than this are nonsense


class Feedback:
    """One participant's RTCP, both ways."""

    def __init__(self, peer: "Peer") -> None:
        self._peer = peer
        self._clock_offset: int | None = None
        self._feedback_count = 0
        self._reported = -1
        self._asking: asyncio.TimerHandle | None = None
        self._incomplete: set[Track] = set()
        self._resent = [0.0, 0.0]
        self.sent = transport_cc.SentLog()
        self.round_trip_s = 0.1

    # From the participant

    def received(self, data: bytes, now: float) -> None:
        """Act on one decrypted RTCP packet."""
        peer = self._peer
        worst = -1
        for report in rtcp.parse(data):
            match report:
                case rtcp.SenderReport():
                    track = peer.by_ssrc.get(report.ssrc)
                    if track is not None and report.ssrc == track.ssrc:
                        self._relay_sender_report(track, report, now)
                case rtcp.ReportBlock():
                    slot = peer.slot_by_ssrc.get(report.ssrc)
                    if slot is not None:
                        worst = max(worst, report.fraction_lost)
                        self._take_round_trip(report)
                case rtcp.Nack():
                    slot = peer.slot_by_ssrc.get(report.media_ssrc)
                    if slot is not None and slot.source is not None and not slot.waiting:
                        self._resend(slot, slot.source, report.sequences, now)
                case rtcp.KeyFrameRequest():
                    slot = peer.slot_by_ssrc.get(report.media_ssrc)
                    if slot is not None and slot.source is not None:
                        slot.source.request_key_frame(now)
                case rtcp.Remb():
                    if not self.sent.used:
                        peer.downlink.on_remb(report.bits_per_second, peer.down_bps, now)
                case rtcp.TransportFeedback():
                    delivery = self.sent.match(report)
                    if delivery is not None:
                        peer.downlink.on_feedback(delivery, now)

        if worst >= 0 and not self.sent.used:
            peer.downlink.on_loss(worst / 256, peer.down_bps, now)

    def _relay_sender_report(self, track: Track, report: rtcp.SenderReport, now: float) -> None:
        """Pass on which moment a timestamp means, in the bridge's clock and each slot's timestamps.

        All senders are brought to one clock, so that a slot can change its source without a jump in time;
        one offset per participant keeps its voice and its lips together.
        """
        track.sr = ((report.ntp >> 16) & 0xFFFFFFFF, now)
        here = ntp_now()
        if self._clock_offset is None or abs(report.ntp + self._clock_offset - here) > _MAX_CLOCK_ERROR:
            self._clock_offset = here - report.ntp
        moment = (report.ntp + self._clock_offset) & 0xFFFFFFFFFFFFFFFF
        if not track.open:
            return
        recording = self._peer.room.recording
        if recording is not None and track.tap is not None:
            recording.report(track, report, now)
        for slot in track.slots:
            if not slot.waiting:
                mapped = rtcp.SenderReport(
                    ssrc=slot.ssrc,
                    ntp=moment,
                    timestamp=report.timestamp + slot.timestamp_delta,
                    packets=slot.packets,
                    octets=slot.octets,
                )
                slot.peer.send_rtcp(rtcp.sender_report(mapped, slot.peer.cname))

    def _take_round_trip(self, block: rtcp.ReportBlock) -> None:
        if block.last_sr:
            middle = (ntp_now() >> 16) & 0xFFFFFFFF
            round_trip = ((middle - block.last_sr - block.delay_since_sr) & 0xFFFFFFFF) / 65536
            if round_trip < 5:
                self.round_trip_s = round_trip

    def _resend(self, slot: Slot, track: Track, sequences: tuple[int, ...], now: float) -> None:
        """Answer a NACK from the cache; what is not there is asked for at the sender."""
        if now - self._resent[0] > 1:
            self._resent = [now, 0.0]
        for theirs in sequences:
            number = rtp.extend((theirs - slot.sequence_delta) & 0xFFFF, track.newest)
            if number < slot.first or number > track.newest:
                continue
            cached = track.find_cached(number & 0xFFFF)
            if cached is None:
                track.owner.feedback.ask_for(track, number, now)
                continue
            if self._resent[1] >= _MAX_RESENT_PER_S:
                return
            self._resent[1] += 1
            self._resend_one(slot, track, theirs, cached.second_byte, cached.timestamp, cached.payload)

    def _resend_one(self, slot: Slot, track: Track, sequence: int, second: int, timestamp: int, payload: bytes) -> None:
        mine = slot.by_name.get(track.codecs[second & 0x7F].name)
        if mine is None or mine.rtx_payload_type is None or not slot.rtx_ssrc:
            # A number goes out once: twice under GCM, in packets that differ, it gives the key of their tags away
            # (RFC 7714, section 8.1). Whoever takes no repeats asks for a key frame.
            return
        if slot.renumber is not None:
            changed = memoryview(bytearray(payload))
            slot.renumber_vp8(changed, 0, len(payload))
            payload = bytes(changed)
        slot.rtx_sequence = (slot.rtx_sequence + 1) & rtp.SEQUENCE_MASK
        self._peer.bridge.plane.send_rtp(
            slot,
            second_byte=(second & 0x80) | mine.rtx_payload_type,
            sequence=slot.rtx_sequence,
            ssrc=slot.rtx_ssrc,
            timestamp=(timestamp + slot.timestamp_delta) & rtp.TIMESTAMP_MASK,
            payload=struct.pack("!H", sequence) + payload,
        )

    # To the participant, about what it sends

    def missing(self, track: Track, ahead: int, now: float) -> None:
        """Numbers between the newest and the one that came now are missing."""
        if ahead > _MAX_GAP:
            track.missing.clear()
            track.request_key_frame(now)
            return
        newest = track.newest
        for number in range(newest + 1, newest + ahead):
            track.missing[number] = (now + _ASK_AFTER_S, 0)
        self._incomplete.add(track)
        self._arm(_ASK_AFTER_S)

    def ask_for(self, track: Track, number: int, now: float) -> None:
        """A receiver misses this packet and so do we."""
        if number not in track.missing and track.newest - number < _MAX_GAP:
            track.missing[number] = (now, 0)
            self._incomplete.add(track)
            self._arm(0.0)

    def _arm(self, delay_s: float) -> None:
        if self._asking is None and not self._peer.closed:
            self._asking = asyncio.get_running_loop().call_later(delay_s, self._ask)

    def _ask(self) -> None:
        """Send the NACKs that are due. A packet asked for too often is given up."""
        self._asking = None
        if self._peer.closed:
            return
        now = self._peer.bridge.monotonic()
        again = max(_ASK_AGAIN_S, self.round_trip_s)
        for track in list(self._incomplete):
            due: list[int] = []
            for number, (when, times) in list(track.missing.items()):
                if times >= _MAX_ASKED or track.newest - number > _MAX_GAP:
                    del track.missing[number]
                elif when <= now + 0.001:
                    track.missing[number] = (now + again, times + 1)
                    due.append(number & 0xFFFF)
            if due:
                self._peer.send_rtcp(rtcp.nack(self._peer.rtcp_ssrc, track.ssrc, due[:_ASKED_AT_ONCE]))
            if not track.missing:
                self._incomplete.discard(track)
        if self._incomplete:
            self._arm(min(w for t in self._incomplete for w, _ in t.missing.values()) - now)

    def send_transport(self) -> None:
        """Report the arrivals collected since the last report."""
        peer = self._peer
        collected, peer.arrivals = peer.arrivals, []
        if self._reported < 0:
            self._reported = collected[0][0] + 0xFFFF
        before = newest = self._reported
        arrived: dict[int, int] = {}
        for sequence, at in collected:
            ahead = (sequence - newest) & 0xFFFF
            if 0 < ahead < _LATE_ARRIVAL_JUMP:
                newest += ahead
                arrived[newest] = at
            elif ahead > 0xFFFF - _MAX_GAP and newest + ahead - 0x10000 > before:
                arrived.setdefault(newest + ahead - 0x10000, at)
        if not arrived:
            return
        # Say of the numbers between two reports that they were lost; a longer silence is a new beginning.
        first = min(arrived)
        base = before + 1 if first - before < _MAX_GAP else first
        self._reported = newest
        media_ssrc = next((t.ssrc for t in peer.tracks.values() if t.base >= 0), 0)
        for start in range(base, newest + 1, _REPORTED_AT_ONCE):
            part = {n: arrived[n] for n in range(start, start + _REPORTED_AT_ONCE) if n in arrived}
            if part:
                self._feedback_count += 1
                peer.send_rtcp(
                    rtcp.transport_feedback(
                        peer.rtcp_ssrc, media_ssrc, count=self._feedback_count, base=start, arrivals=part
                    )
                )

    def send_receiver_report(self, now: float) -> None:
        """Report how the participant's streams arrive."""
        blocks = [track.report_block(now) for track in self._peer.tracks.values() if track.base >= 0]
        if blocks:
            lost = max(block.fraction_lost for block in blocks) / 256
            self._peer.uplink_loss += (lost - self._peer.uplink_loss) / 2
            told = [self._with_hearers(block) for block in blocks]
            self._peer.send_rtcp(rtcp.receiver_report(self._peer.rtcp_ssrc, told))

    def _with_hearers(self, block: rtcp.ReportBlock) -> rtcp.ReportBlock:
        """Return the report on a voice with the losses of its worst hearer in it.

        A sender makes its packets carry the one before them (Opus' in-band error correction) by the share it is told
        of as lost. The bridge cannot add that; without its word a good way up would leave a bad way down unmended.
        """
        track = self._peer.by_ssrc[block.ssrc]
        if track.video:
            return block
        behind = max((slot.peer.quality.loss for slot in track.slots), default=0.0)
        arrives = (1 - block.fraction_lost / 256) * (1 - behind)
        return replace(block, fraction_lost=max(block.fraction_lost, int(256 * min(_MAX_TOLD_LOSS, 1 - arrives))))

    def send_limit(self, bits_per_second: int) -> None:
        """Tell the participant's sender what its receivers need at most."""
        ssrcs = [track.ssrc for track in self._peer.tracks.values() if track.video and track.ssrc]
        if ssrcs:
            self._peer.send_rtcp(rtcp.remb(self._peer.rtcp_ssrc, bits_per_second, ssrcs))

    def stop(self) -> None:
        """Ask for nothing more."""
        if self._asking is not None:
            self._asking.cancel()


def ntp_now() -> int:
    """Return the bridge's time as NTP's 64 bits."""
    return int((clock.utc_now().timestamp() + _NTP_EPOCH_S) * 4294967296)
