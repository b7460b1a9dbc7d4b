"""The two ends of forwarding: a `Track` comes from one participant, a `Slot` goes to another.

A slot keeps one SSRC for life. Whatever source it is given, the receiver sees one stream whose sequence
numbers and timestamps go on without a jump.
"""

from typing import TYPE_CHECKING, Literal, NamedTuple

from sidecar.bridge import rtcp, rtp
from sidecar.bridge.sdp import AUDIO_LEVEL, TRANSPORT_CC, Codec, Section

if TYPE_CHECKING:
    from sidecar.bridge.peer import Peer

TrackKind = Literal["microphone", "camera", "share"]
CACHE_PACKETS = 1024  # about three seconds of 1080p: a power of two, the sequence number is the index
_KEY_FRAME_INTERVAL_S = 0.5  # a sender that is asked more often only makes worse pictures
_MIN_SWITCH_GAP_S = 0.02


class Cached(NamedTuple):
    """One packet kept for retransmission, as its sender numbered it."""

    sequence: int
    second_byte: int
    timestamp: int
    payload: bytes


class Track:
    """One stream from a participant: microphone, camera or share.

    open: whether packets go through. The packet path reads this one flag; permissions, mute and the
    client's own word are folded into it by `Peer.apply_gates`. refused: the rule that closes it, if one does.
    """

    __slots__ = (
        "base",
        "bytes_received",
        "cache",
        "clear",
        "clock_rate",
        "codecs",
        "cut",
        "cycles",
        "expected_before",
        "flowing",
        "jitter",
        "kind",
        "lapsed",
        "last_at",
        "last_key_request",
        "last_timestamp",
        "last_transit",
        "level_at",
        "level_count",
        "level_id",
        "level_sum",
        "max_sequence",
        "mid",
        "missing",
        "muted",
        "open",
        "opened_at",
        "owner",
        "received",
        "received_before",
        "refused",
        "rtx_of",
        "rtx_ssrc",
        "said_off",
        "seen",
        "seen_at",
        "shape",
        "slots",
        "sr",
        "ssrc",
        "tap",
        "transport_at",
        "transport_head",
        "transport_id",
        "video",
        "watch",
    )

    def __init__(self, owner: "Peer", kind: TrackKind, section: Section) -> None:
        self.owner = owner
        self.kind = kind
        self.video = kind != "microphone"
        self.mid = section.mid
        self.ssrc = section.ssrc
        self.rtx_ssrc = section.rtx_ssrc
        self.codecs: dict[int, Codec] = {codec.payload_type: codec for codec in section.codecs}
        self.rtx_of = {c.rtx_payload_type: c.payload_type for c in section.codecs if c.rtx_payload_type}
        self.clock_rate = 90000 if self.video else 48000
        self.transport_id = section.extensions.get(TRANSPORT_CC, 0)
        self.level_id = section.extensions.get(AUDIO_LEVEL, 0) if kind == "microphone" else 0
        self.open = False
        self.lapsed = False  # packets came while it was closed
        self.refused: str | None = None
        self.muted = False
        self.said_off = False
        self.cut = False  # a picture of it may not be seen: closed until its owner begins anew
        self.clear = True  # may be shown: it is not watched, or its pictures were found clean so far
        self.flowing = False  # packets came lately
        self.seen = 0
        self.seen_at = 0.0
        self.opened_at = 0.0  # when it began to flow
        self.slots: list[Slot] = []
        # The packet path stores plain tuples of Cached's form: making one costs a quarter
        self.cache: list[tuple[int, int, int, bytes] | None] = [None] * CACHE_PACKETS if self.video else []
        self.missing: dict[int, tuple[float, int]] = {}  # full number -> (when to ask, times asked)
        self.base = -1  # full number of the first packet; -1: none came yet
        self.max_sequence = 0
        self.cycles = 0x10000  # one ahead, so that a packet before the first one has a number too
        self.received = 0
        self.bytes_received = 0
        self.expected_before = 0
        self.received_before = 0
        self.last_timestamp = 0
        self.last_at = 0.0
        self.last_transit = 0
        self.jitter = 0.0
        self.shape = -1
        self.transport_at = self.transport_head = self.level_at = 0
        self.level_sum = 0
        self.level_count = 0
        self.last_key_request = 0.0
        # What a recording takes: full number, second byte, timestamp, payload, arrival. None: nobody does
        self.tap: list[tuple[int, int, int, bytes, float]] | None = None
        # The same for who looks at a watched share, who then hands it on to the recording
        self.watch: list[tuple[int, int, int, bytes, float]] | None = None
        self.sr: tuple[int, float] | None = None  # middle 32 bits of the last report's NTP time, arrival

    @property
    def newest(self) -> int:
        """The full number of the newest packet."""
        return self.cycles + self.max_sequence

    def resume(self, before: int) -> None:
        """Begin counting anew after packets went uncounted: by now their numbers may have wrapped.

        before: the number before the one that comes now.
        """
        for slot in self.slots:
            slot.interrupt()
        self.cycles += 0x20000  # beyond every number there was
        self.base = self.cycles + before + 1
        self.max_sequence = before
        self.received = self.expected_before = self.received_before = 0
        self.missing.clear()
        self.cache = [None] * len(self.cache)
        self.lapsed = False

    def note_layout(self, shape: int, data: memoryview, position: int, end: int) -> None:
        """Remember where in the extensions that begin at `position` our two values are, if they are there.

        shape: profile and length as sent. Afterwards transport_at is the offset of the transport number's head
        byte, transport_head that byte or 0; level_at the offset of the level itself, or 0.
        """
        self.shape = shape
        self.transport_at = self.transport_head = self.level_at = 0
        if shape >> 16 != rtp.ONE_BYTE_PROFILE:
            return
        start = position
        while position < end:
            head = data[position]
            if not head:
                position += 1
                continue
            value_end = position + 2 + (head & 15)
            if value_end > end:
                return
            if head >> 4 == self.transport_id and head & 15 == 1:
                self.transport_at, self.transport_head = position - start, head
            elif head >> 4 == self.level_id:
                self.level_at = position + 1 - start
            position = value_end

    def report_block(self, now: float) -> rtcp.ReportBlock:
        """Return what to tell the sender of this stream. Source: RFC 3550 section 6.4.1, appendix A.3."""
        expected = self.newest - self.base + 1
        expected_now, received_now = expected - self.expected_before, self.received - self.received_before
        self.expected_before, self.received_before = expected, self.received
        lost_now = max(0, expected_now - received_now)
        last_sr, delay = 0, 0
        if self.sr is not None:
            last_sr, delay = self.sr[0], int((now - self.sr[1]) * 65536)
        return rtcp.ReportBlock(
            ssrc=self.ssrc,
            fraction_lost=min(255, lost_now * 256 // expected_now) if expected_now > 0 else 0,
            total_lost=max(0, expected - self.received),
            highest=self.newest - 0x10000,
            jitter=int(self.jitter),
            last_sr=last_sr,
            delay_since_sr=delay,
        )

    def find_cached(self, sequence: int) -> Cached | None:
        """Return the packet with this number of the sender's, while it is still kept."""
        if not self.cache:
            return None
        cached = self.cache[sequence & (CACHE_PACKETS - 1)]
        return Cached(*cached) if cached is not None and cached[0] == sequence else None

    def request_key_frame(self, now: float) -> None:
        """Ask the sender for a key frame, unless it was asked just now."""
        if self.video and self.ssrc and now - self.last_key_request >= _KEY_FRAME_INTERVAL_S:
            self.last_key_request = now
            self.owner.send_rtcp(rtcp.pli(self.owner.rtcp_ssrc, self.ssrc))


class Slot:
    """One fixed stream towards a participant.

    numbers: second byte as received -> second byte as this participant knows it; empty means nothing of the
    source can be understood here. extension: the head of the one extension element in bits 24..31, 0 without
    one; counted: whether it holds a transport-wide number (else abs-send-time).
    """

    __slots__ = (
        "begun",
        "by_name",
        "clock_rate",
        "counted",
        "extension",
        "first",
        "kind",
        "last_at",
        "last_sequence",
        "last_timestamp",
        "mid",
        "numbers",
        "octets",
        "packets",
        "peer",
        "renumber",
        "rtx_sequence",
        "rtx_ssrc",
        "sequence_delta",
        "source",
        "ssrc",
        "timestamp_delta",
        "video",
        "vp8_last",
        "waiting",
    )

    def __init__(self, peer: "Peer", section: Section, *, ssrc: int, rtx_ssrc: int) -> None:
        self.peer = peer
        self.mid = section.mid
        self.video = section.kind == "video"
        self.clock_rate = 90000 if self.video else 48000
        self.ssrc = ssrc
        self.rtx_ssrc = rtx_ssrc
        self.by_name: dict[str, Codec] = {codec.name: codec for codec in section.codecs}
        number = section.extensions.get(section.downlink_extension, 0)
        self.counted = section.downlink_extension == TRANSPORT_CC
        # One-byte header (RFC 8285 section 4.2): the id, and the value's bytes less one
        self.extension = (number << 4 | (1 if self.counted else 2)) << 24 if number else 0
        self.source: Track | None = None
        self.numbers: dict[int, int] = {}
        self.waiting = True
        self.begun = False
        self.first = 0
        self.sequence_delta = 0
        self.timestamp_delta = 0
        self.last_sequence = 0
        self.last_timestamp = 0
        self.last_at = 0.0
        self.renumber: tuple[int, int] | None = None  # added to VP8's picture id and TL0PICIDX
        self.vp8_last: tuple[int, int] | None = None
        self.packets = 0
        self.octets = 0
        self.rtx_sequence = 0

    def attach(self, track: Track, now: float) -> None:
        """Give the slot a source. It begins with the next packet a receiver can begin with."""
        if self.source is not None:
            self.detach()
        self.source = track
        self.waiting = True
        self.numbers = {}
        for payload_type, codec in track.codecs.items():
            mine = self.by_name.get(codec.name)
            if mine is not None:
                self.numbers[payload_type] = mine.payload_type
                self.numbers[payload_type | 0x80] = mine.payload_type | 0x80
        track.slots.append(self)
        track.request_key_frame(now)

    def detach(self) -> None:
        """Take the source away and remember where its stream ended here."""
        track = self.source
        if track is None:
            return
        self.interrupt()
        self.source = None
        track.slots.remove(self)

    def interrupt(self) -> None:
        """Remember where the source's stream ended here; whatever comes next begins anew behind it."""
        track = self.source
        if track is None or self.waiting:
            return
        self.begun = True
        self.last_sequence = (track.max_sequence + self.sequence_delta) & rtp.SEQUENCE_MASK
        self.last_timestamp = (track.last_timestamp + self.timestamp_delta) & rtp.TIMESTAMP_MASK
        self.last_at = track.last_at
        self.waiting = True
        self._remember_vp8(track)

    def begin(self, *, number: int, sequence: int, timestamp: int, payload: bytes | memoryview, now: float) -> None:
        """Start the source at this packet so that the receiver sees the old stream go on."""
        self.first = number
        self.waiting = False
        if not self.begun:
            return
        gap = max(_MIN_SWITCH_GAP_S, now - self.last_at)
        follows = self.last_timestamp + int(gap * self.clock_rate)
        self.sequence_delta = (self.last_sequence + 1 - sequence) & rtp.SEQUENCE_MASK
        self.timestamp_delta = (follows - timestamp) & rtp.TIMESTAMP_MASK
        self.renumber = None
        if self.vp8_last is not None:
            descriptor = rtp.vp8_descriptor(payload, 0, len(payload))
            if descriptor is not None and descriptor.picture_id_at:
                self.renumber = (
                    (self.vp8_last[0] + 1 - descriptor.picture_id) & 0x7FFF,
                    (self.vp8_last[1] + 1 - descriptor.tl0_index) & 0xFF,
                )

    def renumber_vp8(self, data: memoryview, start: int, end: int) -> None:
        """Change picture id and TL0PICIDX in an outgoing payload, so that they too go on."""
        descriptor = rtp.vp8_descriptor(data, start, end)
        if descriptor is None or self.renumber is None:
            return
        if descriptor.picture_id_at:
            picture_id = (descriptor.picture_id + self.renumber[0]) & 0x7FFF
            data[descriptor.picture_id_at] = 0x80 | picture_id >> 8
            data[descriptor.picture_id_at + 1] = picture_id & 0xFF
        if descriptor.tl0_index_at:
            data[descriptor.tl0_index_at] = (descriptor.tl0_index + self.renumber[1]) & 0xFF

    def _remember_vp8(self, track: Track) -> None:
        self.vp8_last = None
        cached = track.find_cached(track.max_sequence)
        if cached is None:
            return
        codec = track.codecs.get(cached.second_byte & 0x7F)
        if codec is None or codec.name != "VP8":
            return
        descriptor = rtp.vp8_descriptor(cached.payload, 0, len(cached.payload))
        if descriptor is not None and descriptor.picture_id_at:
            picture, index = self.renumber or (0, 0)
            self.vp8_last = (descriptor.picture_id + picture, descriptor.tl0_index + index)
