"""A JVB as one recorder meets it, made of aiortc's parts, and as strict as the real one where a client can go wrong.

It controls ICE, waits for the client to begin DTLS and SCTP, greets with ServerHello, sends no picture before
ReceiverVideoConstraints asked for one, begins each picture only when a key frame was asked for, and sends of each
stream one SSRC and its retransmissions.
"""

import asyncio
import fractions
import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiortc import RTCCertificate, RTCDtlsTransport, RTCIceGatherer, RTCIceTransport, RTCSctpTransport
from aiortc.codecs.opus import OpusEncoder
from aiortc.codecs.vpx import Vp8Encoder
from aiortc.rtcdtlstransport import RTCDtlsFingerprint, RTCDtlsParameters
from aiortc.rtcicetransport import RTCIceParameters
from aiortc.rtcrtpparameters import RTCRtpHeaderExtensionParameters, RTCRtpParameters
from aiortc.rtcsctptransport import RTCSctpCapabilities
from aiortc.rtp import (
    HeaderExtensionsMap,
    RtcpPacket,
    RtcpPsfbPacket,
    RtcpRrPacket,
    RtcpRtpfbPacket,
    RtcpSenderInfo,
    RtcpSrPacket,
    RtpPacket,
    wrap_rtx,
)
from aiortc.sdp import candidate_from_sdp, candidate_to_sdp
from av import AudioFrame, VideoFrame

from sidecar.domain import clock

OPUS, VP8, RTX = 111, 100, 96
ABS_SEND_TIME = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
_ssrcs = itertools.count(1000, 2)
_OLDEST = 400


@dataclass
class Stream:
    """One stream of somebody in the conference. ssrc, rtx: as signalled."""

    owner: str
    media: str
    share: bool = False
    index: int = 0
    ssrc: int = field(default_factory=lambda: next(_ssrcs))
    sent: int = 0
    resent: int = 0
    keys_asked: int = 0
    deaf: int = 0  # so many requests for a key frame get lost
    drop: Callable[[int], bool] = lambda number: False

    @property
    def rtx(self) -> int:
        return self.ssrc + 1

    @property
    def name(self) -> str:
        return f"{self.owner}-{self.media[0]}{self.index}"


class FakeBridge:
    """One session's end at the bridge. greets: whether it says ServerHello."""

    def __init__(self, *, greets: bool = True) -> None:
        self.greets = greets
        self.streams: list[Stream] = []
        self.constraints: dict[str, Any] | None = None
        self.messages: list[dict[str, Any]] = []
        self.reports = 0
        self.foreign: RtpPacket | None = None
        self._gatherer = RTCIceGatherer(iceServers=[])
        self._ice = RTCIceTransport(self._gatherer)
        self._certificate = RTCCertificate.generateCertificate()
        self._dtls = RTCDtlsTransport(self._ice, [self._certificate])
        self._sctp = RTCSctpTransport(self._dtls)
        self._sctp.on("datachannel", self._opened)
        self._channel: Any = None
        self._tasks: list[asyncio.Task[None]] = []
        self._history: dict[int, dict[int, RtpPacket]] = {}
        self._extensions = HeaderExtensionsMap()
        self._extensions.configure(
            RTCRtpParameters(headerExtensions=[RTCRtpHeaderExtensionParameters(id=3, uri=ABS_SEND_TIME)])
        )

    # Signalling

    async def gather(self) -> None:
        await self._gatherer.gather()

    @property
    def ufrag(self) -> str:
        return str(self._gatherer.getLocalParameters().usernameFragment)

    @property
    def password(self) -> str:
        return str(self._gatherer.getLocalParameters().password)

    @property
    def fingerprint(self) -> str:
        return self._certificate.getFingerprints()[0].value

    @property
    def candidates(self) -> list[str]:
        found = [candidate_to_sdp(each) for each in self._gatherer.getLocalCandidates()]
        return [each for each in found if " udp " in each.lower()]

    def accepted(self, *, ufrag: str, password: str, fingerprint: str, setup: str, candidates: list[str]) -> None:
        """Connect to the client as its session-accept says."""
        assert setup == "active", "the bridge never begins DTLS"
        self._tasks.append(asyncio.create_task(self._connect(ufrag, password, fingerprint, candidates)))

    async def _connect(self, ufrag: str, password: str, fingerprint: str, candidates: list[str]) -> None:
        self._ice._connection.ice_controlling = True
        self._ice._role_set = True
        for each in candidates:
            candidate = candidate_from_sdp(each)
            candidate.sdpMid = "data"
            await self._ice.addRemoteCandidate(candidate)
        await self._ice.addRemoteCandidate(None)
        await self._ice.start(RTCIceParameters(usernameFragment=ufrag, password=password))
        self._dtls._set_role("server")
        self._dtls._handle_rtcp_data = self._rtcp  # type: ignore[method-assign]
        await self._dtls.start(RTCDtlsParameters([RTCDtlsFingerprint("sha-256", fingerprint)]))
        assert self._dtls.state == "connected", "the client's certificate is another than it said"
        self._sctp._init = self._waits  # type: ignore[method-assign]
        await self._sctp.start(RTCSctpCapabilities(262144), 5000)

    async def _waits(self) -> None:
        """A JVB never begins SCTP towards a client."""

    # The channel

    def _opened(self, channel: Any) -> None:
        assert channel.label == "JVB data channel"
        assert channel.protocol == "http://jitsi.org/protocols/colibri"
        self._channel = channel
        channel.on("message", self._message)
        if self.greets:
            self.say(colibriClass="ServerHello", version="test")

    def say(self, **message: Any) -> None:
        self._channel.send(json.dumps(message))

    def say_plainly(self, text: str | bytes) -> None:
        self._channel.send(text)

    def _message(self, text: str) -> None:
        said = json.loads(text)
        self.messages.append(said)
        if said["colibriClass"] == "ReceiverVideoConstraints":
            self.constraints = said

    def _wanted(self, stream: Stream) -> bool:
        """cc.initial-max-height-px is 0: what was not asked for is not sent."""
        asked = self.constraints
        if asked is None or asked.get("lastN") == 0:
            return False
        usual = asked.get("defaultConstraints", {}).get("maxHeight", 0)
        return bool(asked.get("constraints", {}).get(stream.name, {}).get("maxHeight", usual))

    # Media

    def carry(self, stream: Stream) -> Stream:
        """Begin to send what somebody sends us."""
        self.streams.append(stream)
        send = self._sound if stream.media == "audio" else self._picture
        self._tasks.append(asyncio.create_task(send(stream)))
        return stream

    def drop(self, stream: Stream) -> None:
        self.streams.remove(stream)

    async def _sound(self, stream: Stream) -> None:
        encoder, timestamp = OpusEncoder(), 0
        frame = AudioFrame(format="s16", layout="stereo", samples=960)
        frame.sample_rate, frame.time_base = 48000, fractions.Fraction(1, 48000)
        frame.planes[0].update(bytes(range(240)) * 16)
        for number in itertools.count():
            if stream not in self.streams:
                return
            if self._dtls.state == "connected":
                frame.pts = number * 960
                payloads, _ = encoder.encode(frame)
                for payload in payloads:
                    await self._send(stream, OPUS, timestamp, payload, marker=0)
                if number % 50 == 0:
                    await self._report(stream, timestamp)
            timestamp += 960
            await asyncio.sleep(0.02)

    async def _picture(self, stream: Stream) -> None:
        encoder, timestamp, asked, begun = Vp8Encoder(), 90000, 0, False
        for number in itertools.count():
            if stream not in self.streams:
                return
            if self._dtls.state == "connected" and self._wanted(stream):
                key = stream.keys_asked > asked
                asked = stream.keys_asked
                begun = begun or key
                if begun:
                    frame = VideoFrame(320, 240, "yuv420p")
                    for plane in frame.planes:
                        plane.update(bytes([(number * 7) & 0xFF]) * plane.buffer_size)
                    frame.pts, frame.time_base = timestamp, fractions.Fraction(1, 90000)
                    payloads, _ = encoder.encode(frame, force_keyframe=key)
                    for payload in payloads:
                        await self._send(stream, VP8, timestamp, payload, marker=payload is payloads[-1])
                    if number % 12 == 0:
                        await self._report(stream, timestamp)
            timestamp += 6000
            await asyncio.sleep(1 / 15)

    async def _send(self, stream: Stream, number: int, timestamp: int, payload: bytes, *, marker: int) -> None:
        packet = RtpPacket(number, int(marker), stream.sent & 0xFFFF, timestamp & 0xFFFFFFFF, stream.ssrc, payload)
        packet.extensions.abs_send_time = int(asyncio.get_running_loop().time() * (1 << 18)) & 0xFFFFFF
        stream.sent += 1
        history = self._history.setdefault(stream.ssrc, {})
        history[packet.sequence_number] = packet
        history.pop((packet.sequence_number - _OLDEST) & 0xFFFF, None)
        if not stream.drop(packet.sequence_number):
            await self.put(packet)

    async def put(self, packet: RtpPacket) -> None:
        """Send one packet, whosever it is."""
        try:
            await self._dtls._send_rtp(packet.serialize(self._extensions))
        except ConnectionError:
            return

    async def _report(self, stream: Stream, timestamp: int) -> None:
        ntp = int((clock.utc_now().timestamp() + 2208988800) * (1 << 32))
        info = RtcpSenderInfo(ntp, timestamp & 0xFFFFFFFF, stream.sent, stream.sent * 100)
        try:
            await self._dtls._send_rtp(bytes(RtcpSrPacket(ssrc=stream.ssrc, sender_info=info)))
        except ConnectionError:
            return

    async def _rtcp(self, data: bytes) -> None:
        for packet in RtcpPacket.parse(data):
            if isinstance(packet, RtcpRrPacket):
                self.reports += len(packet.reports)
            for stream in self.streams:
                if isinstance(packet, RtcpPsfbPacket) and packet.media_ssrc == stream.ssrc and packet.fmt in (1, 4):
                    stream.deaf -= 1
                    stream.keys_asked += stream.deaf < 0
                if isinstance(packet, RtcpRtpfbPacket) and packet.media_ssrc == stream.ssrc and packet.fmt == 1:
                    await self._resend(stream, packet.lost)

    async def _resend(self, stream: Stream, lost: list[int]) -> None:
        for number in lost:
            packet = self._history.get(stream.ssrc, {}).get(number)
            if packet is not None:
                again = wrap_rtx(packet, payload_type=RTX, sequence_number=stream.resent & 0xFFFF, ssrc=stream.rtx)
                stream.resent += 1
                await self.put(again)

    # The end

    def close_channel(self) -> None:
        self._channel.close()

    async def lose(self, what: str) -> None:
        """Say goodbye in DTLS ("dtls"), or be gone without a word ("ice")."""
        if what == "dtls":
            await self._dtls.stop()
        else:
            await self._ice.stop()

    async def close(self) -> None:
        self.streams.clear()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._sctp.stop()
        await self._dtls.stop()
        await self._ice.stop()
