"""One remote stream as it comes from the bridge: accounted for, asked for again, handed on encoded.

Stands where aiortc would decode. Its router finds us by the SSRC we register, and nothing behind that runs.
"""

import time
from collections.abc import Callable
from typing import Protocol

from aiortc.rate import RemoteBitrateEstimator
from aiortc.rtcrtpparameters import (
    RTCRtpCodecParameters,
    RTCRtpDecodingParameters,
    RTCRtpHeaderExtensionParameters,
    RTCRtpReceiveParameters,
)
from aiortc.rtcrtpreceiver import StreamStatistics
from aiortc.rtp import AnyRtcpPacket, RtcpSrPacket, RtpPacket, unwrap_rtx

from sidecar.bridge import rtcp
from sidecar.bridge.jitsi.jingle import Codec, Offer, Source
from sidecar.bridge.rtp import extend

_MOST_MISSING = 256  # numbers one gap may ask for: behind more of them a key frame is the shorter way
_ASK_FOR_S = 0.4  # how long a packet is worth asking for: the recorder waits for it no longer
_ASK_EVERY_S = 0.06
_KEY_FRAME_INTERVAL_S = 1.0
_CLOCK = {"audio": 48000, "video": 90000}

Packet = tuple[int, int, int, bytes, float]


class Wire(Protocol):
    """What a stream needs of its connection: media.BridgeConnection."""

    rtcp_ssrc: int
    estimator: RemoteBitrateEstimator

    def send_rtcp(self, packet: bytes) -> None:
        """Send a report on its way, or forget it where nothing is connected."""


class Intake:
    """on_packet: given each new packet of ours, in the form the recorder takes. on_report: a sender's report."""

    def __init__(
        self,
        source: Source,
        offer: Offer,
        wire: Wire,
        *,
        on_packet: Callable[[Packet], None],
        on_report: Callable[[rtcp.SenderReport], None],
    ) -> None:
        self.source = source
        self.codecs: dict[int, Codec] = {each.payload_type: each for each in offer.codecs[source.media]}
        self.received = self.foreign = 0
        self._wire = wire
        self._on_packet = on_packet
        self._on_report = on_report
        self._headers = offer.headers[source.media]
        self._statistics = StreamStatistics(_CLOCK[source.media])
        self._newest = -1
        self._missing: dict[int, float] = {}
        self._asked_at = 0.0
        self._key_asked_at = float("-inf")
        self._last_report = (0, 0.0)

    def parameters(self) -> RTCRtpReceiveParameters:
        """Return what aiortc's router files us under."""
        first = next(iter(self.codecs))
        return RTCRtpReceiveParameters(
            codecs=[
                RTCRtpCodecParameters(f"{self.source.media}/{each.name}", each.clock_rate, payloadType=number)
                for number, each in self.codecs.items()
            ],
            headerExtensions=[RTCRtpHeaderExtensionParameters(id=n, uri=uri) for uri, n in self._headers.items()],
            encodings=[
                RTCRtpDecodingParameters(ssrc=ssrc, payloadType=first)
                for ssrc in (self.source.ssrc, self.source.rtx)
                if ssrc
            ],
        )

    def request_key_frame(self, now: float) -> None:
        """Ask for a picture one can begin with, unless it was asked for just now."""
        if self.source.media == "video" and now - self._key_asked_at >= _KEY_FRAME_INTERVAL_S:
            self._key_asked_at = now
            self._wire.send_rtcp(rtcp.pli(self._wire.rtcp_ssrc, self.source.ssrc))

    def tick(self, now: float) -> None:
        """Ask once more for what is still missing."""
        for number in [n for n, since in self._missing.items() if now - since > _ASK_FOR_S]:
            del self._missing[number]
        if self._missing and now - self._asked_at >= _ASK_EVERY_S:
            self._ask(now)

    def report_block(self, now: float) -> rtcp.ReportBlock | None:
        """Return what we say of this stream, None before its first packet."""
        statistics = self._statistics
        if statistics.max_seq is None:
            return None
        middle, at = self._last_report
        return rtcp.ReportBlock(
            ssrc=self.source.ssrc,
            fraction_lost=min(255, statistics.fraction_lost),
            total_lost=max(0, statistics.packets_lost),
            highest=statistics.cycles + statistics.max_seq,
            jitter=statistics.jitter,
            last_sr=middle,
            delay_since_sr=int(min(now - at, 65535.0) * 65536) if middle else 0,
        )

    # As aiortc's router calls a receiver

    async def _handle_rtp_packet(self, packet: RtpPacket, arrival_time_ms: int) -> None:
        codec = self.codecs.get(packet.payload_type)
        if packet.ssrc not in (self.source.ssrc, self.source.rtx) or codec is None:
            # The router gives an SSRC nobody named to the only receiver of its payload type: another person's voice.
            self.foreign += 1
            return
        self._judge_rate(packet, arrival_time_ms)
        if codec.name == "rtx":
            if len(packet.payload) < 2 or packet.ssrc != self.source.rtx:
                return
            packet = unwrap_rtx(packet, payload_type=codec.apt, ssrc=self.source.ssrc)
        elif packet.ssrc != self.source.ssrc:
            return
        else:
            self._statistics.add(packet)
        self._take(packet, time.monotonic())

    async def _handle_rtcp_packet(self, packet: AnyRtcpPacket) -> None:
        if isinstance(packet, RtcpSrPacket) and packet.ssrc == self.source.ssrc:
            info = packet.sender_info
            self._last_report = (info.ntp_timestamp >> 16 & 0xFFFFFFFF, time.monotonic())
            self._on_report(
                rtcp.SenderReport(
                    packet.ssrc, info.ntp_timestamp, info.rtp_timestamp, info.packet_count, info.octet_count
                )
            )

    def _handle_disconnect(self) -> None:
        """Do nothing: the connection itself tells."""

    # Inside

    def _take(self, packet: RtpPacket, now: float) -> None:
        newest = self._newest
        number = 0x10000 + packet.sequence_number if newest < 0 else extend(packet.sequence_number, newest)
        if number > newest:
            gap = number - newest - 1
            if newest >= 0 and 0 < gap <= _MOST_MISSING:
                self._missing.update(dict.fromkeys(range(newest + 1, number), now))
                self._ask(now)
            elif gap > _MOST_MISSING:
                self._missing.clear()
            self._newest = number
        elif self._missing.pop(number, None) is None and newest - number < 0x8000:
            return  # twice, or too late
        self.received += 1
        second = packet.marker << 7 | packet.payload_type
        self._on_packet((number, second, packet.timestamp, packet.payload, now))

    def _ask(self, now: float) -> None:
        self._asked_at = now
        if self.source.media == "video":  # a lost sound is over before it could come
            numbers = [number & 0xFFFF for number in sorted(self._missing)]
            self._wire.send_rtcp(rtcp.nack(self._wire.rtcp_ssrc, self.source.ssrc, numbers))

    def _judge_rate(self, packet: RtpPacket, arrival_time_ms: int) -> None:
        sent = packet.extensions.abs_send_time
        if sent is None:
            return
        size = len(packet.payload) + packet.padding_size
        estimate = self._wire.estimator.add(
            abs_send_time=sent, arrival_time_ms=arrival_time_ms, payload_size=size, ssrc=packet.ssrc
        )
        if estimate is not None:
            bits, ssrcs = estimate
            self._wire.send_rtcp(rtcp.remb(self._wire.rtcp_ssrc, bits, ssrcs[:255]))
