"""The connection to the bridge of one Jingle session: ICE, DTLS and SCTP by aiortc, streams by intake.py.

The bridge controls ICE, and waits for us to begin DTLS and SCTP.
"""

import asyncio
import logging
import secrets
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from aiortc import (
    RTCBundlePolicy,
    RTCConfiguration,
    RTCDataChannel,
    RTCDtlsTransport,
    RTCPeerConnection,
    RTCRtpTransceiver,
    RTCSessionDescription,
)
from aiortc.rate import RemoteBitrateEstimator
from aiortc.rtcrtpparameters import RTCRtpReceiveParameters
from aiortc.sdp import SessionDescription, candidate_from_sdp, candidate_to_sdp

from sidecar.bridge import rtcp
from sidecar.bridge.jitsi.channel import LABEL, PROTOCOL, BridgeChannel
from sidecar.bridge.jitsi.intake import Intake
from sidecar.bridge.jitsi.jingle import Candidate, Offer, Source, Transport
from sidecar.bridge.jitsi.sdp import DATA, Section, Sections, describe

log = logging.getLogger(__name__)

_REPORT_EVERY_S = 1.0
_HELLO_WITHIN_S = 10.0  # after the channel opened: a bridge that does not greet is none
_MOST_BLOCKS = 31


class BridgeConnection:
    """One session's connection. on_up: media can come. on_down: it broke, told once, with a short reason.

    intake_of: makes the intake of a stream.
    """

    def __init__(
        self,
        offer: Offer,
        *,
        intake_of: Callable[[Source, "BridgeConnection"], Intake],
        on_up: Callable[[], None],
        on_down: Callable[[str], None],
    ) -> None:
        self.offer = offer
        self.rtcp_ssrc = secrets.randbits(32) | 1
        self.estimator = RemoteBitrateEstimator()
        self.intakes: dict[int, Intake] = {}
        self.up = False
        self._intake_of = intake_of
        self._on_up = on_up
        self._on_down = on_down
        self._closed = False
        self._down = False
        self._sections = Sections()
        self._negotiating = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._reported_at = 0.0
        self._opened_at = float("inf")
        # One transport for everything, and no public STUN service asked who we are
        self._connection = RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
        self._data: RTCDataChannel = self._connection.createDataChannel(LABEL, protocol=PROTOCOL)
        self.channel = BridgeChannel(self._say, on_hello=self._hello)
        self._data.on("message", self.channel.take)
        self._data.on("open", self._opened)
        self._data.on("close", lambda: self._broke("channel-closed"))
        self._connection.on("connectionstatechange", self._changed)
        for source in offer.sources:
            self._put(source)

    async def answer(self) -> Transport:
        """Negotiate the offer and return our side. Raises ValueError for one aiortc cannot use."""
        await self._negotiate()
        media = SessionDescription.parse(self._connection.localDescription.sdp).media[0]
        assert media.dtls is not None
        assert media.ice is not None
        candidates = tuple(
            Candidate(candidate_to_sdp(each)) for each in media.ice_candidates if each.protocol.lower() == "udp"
        )
        return Transport(
            ufrag=media.ice.usernameFragment or "",
            password=media.ice.password or "",
            fingerprints=tuple((each.algorithm, each.value) for each in media.dtls.fingerprints[:1]),
            candidates=candidates,
        )

    async def add_candidates(self, candidates: Sequence[Candidate]) -> None:
        """Take in more addresses of the bridge."""
        for each in candidates:
            candidate = candidate_from_sdp(each.line)
            candidate.sdpMid = DATA
            await self._connection.addIceCandidate(candidate)

    def add_sources(self, sources: Sequence[Source]) -> None:
        """Take in streams that began: each gets a section of its own. One that is known already stays as it is."""
        added = [source for source in sources if self._put(source)]
        if added:
            self._negotiate_soon()

    def remove_sources(self, ssrcs: Sequence[int]) -> None:
        """Let go of streams that ended: nothing more of them is taken from now on."""
        gone = False
        for ssrc in ssrcs:
            section, intake = self._sections.of(ssrc), self.intakes.pop(ssrc, None)
            if section is not None and intake is not None:
                self._transport()._unregister_rtp_receiver(intake)
                section.source = None
                gone = True
        if gone:
            self._negotiate_soon()

    def tick(self, now: float) -> None:
        """Ask again for what is missing; report now and then; give up a bridge that does not greet."""
        for intake in self.intakes.values():
            intake.tick(now)
        if now - self._reported_at >= _REPORT_EVERY_S:
            self._reported_at = now
            blocks = [block for each in self.intakes.values() if (block := each.report_block(now)) is not None]
            for start in range(0, len(blocks), _MOST_BLOCKS):
                self.send_rtcp(rtcp.receiver_report(self.rtcp_ssrc, blocks[start : start + _MOST_BLOCKS]))
        if not self.up and asyncio.get_running_loop().time() - self._opened_at > _HELLO_WITHIN_S:
            self._broke("no-server-hello")

    def send_rtcp(self, packet: bytes) -> None:
        if self._transport().state == "connected":
            self._soon(self._transport()._send_rtp(packet))

    async def close(self) -> None:
        """Close everything. on_down is not told."""
        self._closed = True
        for task in list(self._tasks):
            task.cancel()
        await self._connection.close()

    # Inside

    def _put(self, source: Source) -> bool:
        if source.media not in self.offer.codecs or source.ssrc in self.intakes:
            return False
        self._sections.put(source)
        self.intakes[source.ssrc] = self._intake_of(source, self)
        return True

    async def _negotiate(self) -> None:
        async with self._negotiating:
            if self._closed:
                return
            connection = self._connection
            offer = RTCSessionDescription(describe(self.offer, self._sections), "offer")
            await connection.setRemoteDescription(offer)
            for transceiver in connection.getTransceivers():
                self._instead_of_decoding(transceiver)
            await connection.setLocalDescription(await connection.createAnswer())
        self.channel.wish(each.source for each in self.intakes.values())

    def _negotiate_soon(self) -> None:
        self._soon(self._negotiate())

    def _instead_of_decoding(self, transceiver: RTCRtpTransceiver) -> None:
        """Put ourselves in front of aiortc's receiver: when it is told to begin, our intake is registered instead.

        Its thread is never started, so nothing is decoded and nothing is to be stopped.
        """
        section = next(each for each in self._sections.all if each.mid == transceiver.mid)

        async def receive(_: RTCRtpReceiveParameters) -> None:
            self._register(section)

        async def stop() -> None:
            return None

        receiver = transceiver.receiver
        # The hook: there is no other in front of the decoder
        receiver.receive = receive  # type: ignore[method-assign,assignment]
        receiver.stop = stop  # type: ignore[method-assign]

    def _register(self, section: Section) -> None:
        intake = self.intakes.get(section.source.ssrc) if section.source is not None else None
        if intake is not None:
            self._transport()._register_rtp_receiver(intake, intake.parameters())

    def _transport(self) -> RTCDtlsTransport:
        assert self._connection.sctp is not None
        return self._connection.sctp.transport

    def _say(self, text: str) -> None:
        if self._data.readyState == "open":
            self._data.send(text)

    def _opened(self) -> None:
        self._opened_at = asyncio.get_running_loop().time()

    def _hello(self) -> None:
        self.up = True
        self.channel.wish(each.source for each in self.intakes.values())
        self._on_up()

    def _changed(self) -> None:
        if self._connection.connectionState in ("failed", "closed"):
            self._broke("connection-lost")

    def _broke(self, reason: str) -> None:
        if not self._closed and not self._down:
            self._down, self.up = True, False
            log.info("the connection to the bridge broke", extra={"reason": reason})
            self._on_down(reason)

    def _soon(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(self._safely(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _safely(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except ConnectionError:
            return  # what could not be sent is told by the state of the connection
        except Exception:
            log.exception("a session with the bridge failed")
            self._broke("failed")
