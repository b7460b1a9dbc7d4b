"""One participant's transport in the bridge benches: real ICE, DTLS and SRTP, what a browser sends beside media.

Nothing is decoded; a receiver counts packets and frames, and decrypts every voice packet, which carries the
moment it was sent. Moments of arrival are the kernel's.
"""

import secrets
import struct
import time
from dataclasses import dataclass, field
from typing import Any, Protocol

from benchmarks._bridge_pictures import FPS
from sidecar.bridge import rtcp, rtp, srtp, stun
from sidecar.bridge.dtls import DtlsEndpoint, DtlsIdentity
from sidecar.bridge.sdp import ABS_SEND_TIME, AUDIO_LEVEL, TRANSPORT_CC
from sidecar.bridge.udp import HEADROOM, STRIDE, DatagramBatch, PeerAddress, raw_address

_AUDIO_BYTES = 80  # 32 kbit/s in 20 ms
_OPUS, _VP8, _RTX = 111, 96, 97
_EXTENSIONS = {AUDIO_LEVEL: 1, ABS_SEND_TIME: 2, TRANSPORT_CC: 3}


@dataclass
class Remote:
    """The other side's part of a negotiated transport."""

    ufrag: str
    password: str
    fingerprint: bytes
    they_start: bool
    host: str
    port: int
    audio: int = _OPUS
    video: int = _VP8
    transport_id: int = 0


def read_remote(sdp: str) -> Remote:
    """Return what an answer or offer says of its side. One candidate is enough here."""
    lines = sdp.replace("\r", "").split("\n")

    def first(prefix: str) -> str:
        return next((line[len(prefix) :] for line in lines if line.startswith(prefix)), "")

    candidate = next(
        line.split(" ")
        for line in lines
        if line.startswith("a=candidate:") and " udp " in line.lower() and ":" not in line.split(" ")[4]
    )
    transport = next((line for line in lines if line.startswith("a=extmap:") and TRANSPORT_CC in line), "")
    return Remote(
        ufrag=first("a=ice-ufrag:"),
        password=first("a=ice-pwd:"),
        fingerprint=bytes.fromhex(first("a=fingerprint:sha-256 ").replace(":", " ")),
        they_start=first("a=setup:") == "active",
        host=candidate[4],
        port=int(candidate[5]),
        audio=int(first("m=audio ").split(" ")[2]),
        video=int(first("m=video ").split(" ")[2]),
        transport_id=int(transport[len("a=extmap:") :].split(" ")[0].split("/")[0]) if transport else 0,
    )


@dataclass
class Counters:
    """What was sent and what came, since the last measurement."""

    sent: int = 0
    received: int = 0
    frames: int = 0
    delays: list[float] = field(default_factory=list)

    def clear(self) -> None:
        self.sent = self.received = self.frames = 0
        self.delays.clear()


class Around(Protocol):
    """What a connection needs of the generator it is part of."""

    host: str
    identity: DtlsIdentity
    frames: list[list[bytes]]
    counters: Counters

    def connected(self, connection: "Connection") -> None:
        """Media may flow."""


class Connection:
    """One transport to the system under test: sends if it has frames, counts what it receives."""

    def __init__(self, generator: Around, *, sends: bool) -> None:
        self.generator = generator
        self.batch = DatagramBatch(generator.host, 0)
        self.ufrag, self.password = secrets.token_hex(4), secrets.token_hex(16)
        self.identity = generator.identity
        self.sends = sends
        self.audio_ssrc, self.video_ssrc, self.rtx_ssrc = (secrets.randbits(31) | 1 for _ in range(3))
        self.remote: Remote | None = None
        self.to: PeerAddress | None = None
        self.dtls: DtlsEndpoint | None = None
        self.inbound: Any = None
        self.outbound: Any = None
        self._sessions: Any = None
        self._length = srtp.new_length()
        self._transport_number = 0
        self._audio_sequence, self._video_sequence, self._picture = 0, 0, 0
        self._timestamp = secrets.randbits(30)
        self._frame = 0
        self._arrivals: list[tuple[int, int]] = []
        self._reported = -1
        self._feedback_count = 0
        self.seen_ssrcs: dict[int, int] = {}
        self._sent_packets = [0, 0]
        self._media_ssrc = 0
        self._reached = False
        self.ready = False

    # SDP

    def offer(self, sections: list[tuple[str, str]], *, data: bool) -> str:
        """Return an offer. sections: (kind, direction)."""
        mids = [str(i) for i in range(len(sections) + data)]
        lines = ["v=0", "o=- 1 1 IN IP4 0.0.0.0", "s=-", "t=0 0", "a=group:BUNDLE " + " ".join(mids)]
        for mid, (kind, direction) in zip(mids, sections, strict=False):
            lines += self._section(kind, mid, direction)
        if data:
            lines += ["m=application 9 UDP/DTLS/SCTP webrtc-datachannel", "c=IN IP4 0.0.0.0"]
            lines += [*self._transport(mids[-1], "actpass"), "a=sctp-port:5000"]
        return "\r\n".join(lines) + "\r\n"

    def answer(self, offer: str) -> str:
        """Return the answer of a receiver to an offer of one voice and one picture."""
        lines = ["v=0", "o=- 1 1 IN IP4 0.0.0.0", "s=-", "t=0 0"]
        lines += [line for line in offer.replace("\r", "").split("\n") if line.startswith("a=group:BUNDLE")]
        for body in offer.replace("\r", "").split("\nm=")[1:]:
            kept = [
                line for line in body.split("\n") if line.startswith(("a=rtpmap", "a=fmtp", "a=rtcp-fb", "a=extmap"))
            ]
            mid = next(line[6:] for line in body.split("\n") if line.startswith("a=mid:"))
            lines += ["m=" + body.split("\n")[0], "c=IN IP4 0.0.0.0", "a=recvonly", "a=rtcp-mux", *kept]
            # Janus begins the handshake: it knows when its side is up, and a flight before that is lost for a second.
            lines += self._transport(mid, "passive")
        return "\r\n".join(lines) + "\r\n"

    def _transport(self, mid: str, setup: str) -> list[str]:
        return [
            f"a=mid:{mid}",
            f"a=ice-ufrag:{self.ufrag}",
            f"a=ice-pwd:{self.password}",
            f"a=fingerprint:sha-256 {self.identity.fingerprint}",
            f"a=setup:{setup}",
            f"a=candidate:1 1 udp 2130706431 {self.batch.host} {self.batch.port} typ host",
            "a=end-of-candidates",
        ]

    def _section(self, kind: str, mid: str, direction: str) -> list[str]:
        formats = f"{_OPUS}" if kind == "audio" else f"{_VP8} {_RTX}"
        lines = [f"m={kind} 9 UDP/TLS/RTP/SAVPF {formats}", "c=IN IP4 0.0.0.0", f"a={direction}", "a=rtcp-mux"]
        lines += self._transport(mid, "actpass")
        wanted = (AUDIO_LEVEL, TRANSPORT_CC) if kind == "audio" else (ABS_SEND_TIME, TRANSPORT_CC)
        lines += [f"a=extmap:{_EXTENSIONS[uri]} {uri}" for uri in wanted]
        if kind == "audio":
            lines += [f"a=rtpmap:{_OPUS} opus/48000/2", f"a=rtcp-fb:{_OPUS} transport-cc"]
        else:
            lines += [f"a=rtpmap:{_VP8} VP8/90000", f"a=rtpmap:{_RTX} rtx/90000", f"a=fmtp:{_RTX} apt={_VP8}"]
            lines += [f"a=rtcp-fb:{_VP8} {fb}" for fb in ("nack", "nack pli", "ccm fir", "goog-remb", "transport-cc")]
        if "send" in direction and kind == "audio":
            lines += [f"a=ssrc:{self.audio_ssrc} cname:load"]
        elif "send" in direction:
            lines += [f"a=ssrc-group:FID {self.video_ssrc} {self.rtx_ssrc}"]
            lines += [f"a=ssrc:{ssrc} cname:load" for ssrc in (self.video_ssrc, self.rtx_ssrc)]
        return lines

    # Transport

    def connect(self, remote: Remote) -> None:
        """Begin connectivity checks; DTLS follows the first answer."""
        self.remote = remote
        self.to = PeerAddress(raw_address(remote.host, remote.port))
        self.dtls = DtlsEndpoint(
            self.identity, (("sha-256", remote.fingerprint),), self._send, as_server=remote.they_start
        )
        self.check()

    def check(self) -> None:
        """Send one connectivity check. Who answered an offer is the controlled side (RFC 8445, section 6.1.1)."""
        if self.remote is None:
            return
        request = stun.binding_request(
            username=f"{self.remote.ufrag}:{self.ufrag}",
            password=self.remote.password.encode(),
            transaction_id=secrets.token_bytes(12),
            use_candidate=self.sends,
            controlling=self.sends,
        )
        self._send(request)

    def _send(self, data: bytes) -> None:
        assert self.to is not None
        self.batch.send(data, self.to)
        self.batch.flush()

    def read(self) -> None:
        """Take everything that has arrived."""
        batch = self.batch
        while count := batch.receive():
            for i in range(count):
                base = i * STRIDE + HEADROOM
                first = batch.data[base]
                if 127 < first < 192:
                    if 191 < batch.data[base + 1] < 224:
                        self._rtcp(i)
                    else:
                        self._rtp(i, base, first)
                elif first < 4:
                    self._stun(i, bytes(batch.data[base : base + batch.length(i)]))
                else:
                    self._dtls(bytes(batch.data[base : base + batch.length(i)]))
            if count < 64:
                break

    def _stun(self, i: int, data: bytes) -> None:
        request = stun.parse_binding_request(data)
        if request is not None:
            assert self.remote is not None
            self._send(stun.binding_success(request, self.remote.host, self.remote.port, self.password.encode()))
        elif data[:2] != b"\x01\x01":
            return
        if self.dtls is not None and not self._reached:
            self._reached = True
            if self.remote is not None and not self.remote.they_start:
                self.dtls.start()

    def _dtls(self, data: bytes) -> None:
        assert self.dtls is not None
        self.dtls.feed(data)
        if self.dtls.established and self.inbound is None:
            self._sessions = self.dtls.srtp_sessions()
            self.inbound, self.outbound = (each.handle for each in self._sessions)
            self.ready = True
            self.generator.connected(self)

    def retransmit(self) -> None:
        """Repeat a lost handshake flight."""
        if self.dtls is not None and not self.ready:
            self.check()
            if self._reached:
                self.dtls.retransmit()

    # Receiving

    def _rtp(self, i: int, base: int, first: int) -> None:
        data, counters = self.batch.data, self.generator.counters
        second = data[base + 1]
        kind = second & 0x7F
        remote = self.remote
        assert remote is not None
        if kind == remote.video:
            counters.received += 1
            if second & 0x80:
                counters.frames += 1
        elif kind == remote.audio:
            counters.received += 1
        else:
            return
        if first & 0x10 and remote.transport_id:
            self._note_transport_number(i, base + 12, remote.transport_id)
        if kind == remote.audio and self.inbound is not None:
            self._length[0] = self.batch.length(i)
            if srtp.unprotect(self.inbound, self.batch.packet_pointers[i], self._length) == srtp.OK:
                end = base + self._length[0]
                (sent_at,) = struct.unpack_from("!d", data, end - 8)
                counters.delays.append(self.batch.received_at(i) - sent_at)
        (ssrc,) = struct.unpack_from("!I", data, base + 8)
        self.seen_ssrcs[ssrc] = data[base + 2] << 8 | data[base + 3]

    def _note_transport_number(self, i: int, at: int, wanted: int) -> None:
        data = self.batch.data
        end = at + 4 + (data[at + 2] << 8 | data[at + 3]) * 4
        at += 4
        while at < end:
            head = data[at]
            if not head:
                at += 1
                continue
            if head >> 4 == wanted:
                micros = int(self.batch.received_at(i) * 1e6)
                self._arrivals.append((data[at + 1] << 8 | data[at + 2], micros))
                return
            at += 2 + (head & 15)

    def _rtcp(self, i: int) -> None:
        if self.inbound is None:
            return
        self._length[0] = self.batch.length(i)
        if srtp.unprotect_rtcp(self.inbound, self.batch.packet_pointers[i], self._length) != srtp.OK:
            return
        base = i * STRIDE + HEADROOM
        for report in rtcp.parse(bytes(self.batch.data[base : base + self._length[0]])):
            if isinstance(report, rtcp.KeyFrameRequest) and self._frame > FPS // 2:
                self._frame = 0

    def feedback(self, now: float) -> None:
        """Send what a browser would: transport feedback, ten times a second."""
        del now
        if not self._arrivals or self.outbound is None:
            return
        if self._reported < 0:
            self._reported = self._arrivals[0][0] + 0xFFFF
        newest, arrived = self._reported, {}
        for sequence, at in self._arrivals:
            number = rtp.extend(sequence, newest)
            if number > self._reported:
                arrived[number] = at
                newest = max(newest, number)
        self._arrivals.clear()
        if arrived:
            self._feedback_count += 1
            self._send_rtcp(
                rtcp.transport_feedback(
                    1,
                    next(iter(self.seen_ssrcs)),
                    count=self._feedback_count,
                    base=self._reported + 1,
                    arrivals=arrived,
                )
            )
            self._reported = newest

    def reports(self) -> None:
        """Send what a browser would once a second: reports of both directions."""
        if self.outbound is None:
            return
        blocks = [rtcp.ReportBlock(ssrc, 0, 0, highest, 100, 0, 0) for ssrc, highest in self.seen_ssrcs.items()]
        if blocks:
            self._send_rtcp(rtcp.receiver_report(1, blocks))
            if self.remote is not None and not self.remote.transport_id:
                # Without transport feedback a browser says by itself what it can take.
                self._send_rtcp(rtcp.remb(1, 2_500_000, list(self.seen_ssrcs)))
        if self.sends:
            ntp = int((time.time() + 2208988800) * 4294967296)
            for ssrc, packets in zip((self.audio_ssrc, self.video_ssrc), self._sent_packets, strict=True):
                report = rtcp.SenderReport(ssrc, ntp, self._timestamp, packets, packets * 1000)
                self._send_rtcp(rtcp.sender_report(report, "load"))

    def _send_rtcp(self, data: bytes) -> None:
        batch = self.batch
        start = batch.queued * STRIDE + HEADROOM
        batch.out_data[start : start + len(data)] = data
        self._length[0] = len(data)
        assert self.to is not None
        if srtp.protect_rtcp(self.outbound, batch.out_pointers[batch.queued], self._length) == srtp.OK:
            batch.queue(batch.out_addresses[batch.queued], self._length[0], self.to)
            batch.flush()

    # Sending

    def send_audio(self) -> None:
        """Send one voice packet; its last eight bytes are the moment it leaves."""
        self._audio_sequence = (self._audio_sequence + 1) & 0xFFFF
        # one-byte extensions: level -30 dB with voice, transport number
        extension = struct.pack("!HHBBBHBBB", 0xBEDE, 2, 0x10, 0x80 | 30, 0x31, self._next_number(), 0, 0, 0)
        payload = bytes(_AUDIO_BYTES - 8) + struct.pack("!d", time.time())
        timestamp = (self._audio_sequence * 960) & 0xFFFFFFFF
        self._queue(_OPUS, self._audio_sequence, timestamp, self.audio_ssrc, extension, payload)
        self._sent_packets[0] += 1
        self.batch.flush()

    def send_video(self) -> None:
        """Send one frame."""
        frames = self.generator.frames
        parts = frames[self._frame % len(frames)]
        self._frame += 1
        self._picture = (self._picture + 1) & 0x7FFF
        self._timestamp = (self._timestamp + 90000 // FPS) & 0xFFFFFFFF
        for number, part in enumerate(parts):
            self._video_sequence = (self._video_sequence + 1) & 0xFFFF
            extension = struct.pack("!HHBHB", 0xBEDE, 1, 0x31, self._next_number(), 0)
            descriptor = struct.pack("!BBH", 0x80 if number else 0x90, 0x80, 0x8000 | self._picture)
            second = _VP8 | (0x80 if number == len(parts) - 1 else 0)
            self._queue(second, self._video_sequence, self._timestamp, self.video_ssrc, extension, descriptor + part)
        self._sent_packets[1] += len(parts)
        self.batch.flush()

    def _next_number(self) -> int:
        self._transport_number = (self._transport_number + 1) & 0xFFFF
        return self._transport_number

    def _queue(self, second: int, sequence: int, timestamp: int, ssrc: int, extension: bytes, payload: bytes) -> None:
        batch = self.batch
        k = batch.queued
        start = k * STRIDE + HEADROOM
        out = batch.out_data
        rtp.HEADER.pack_into(out, start, 0x90, second, sequence, timestamp, ssrc)
        at = start + 12
        out[at : at + len(extension)] = extension
        at += len(extension)
        out[at : at + len(payload)] = payload
        self._length[0] = at + len(payload) - start
        if srtp.protect(self.outbound, batch.out_pointers[k], self._length) == srtp.OK:
            assert self.to is not None
            batch.queue(batch.out_addresses[k], self._length[0], self.to)
            self.generator.counters.sent += 1
