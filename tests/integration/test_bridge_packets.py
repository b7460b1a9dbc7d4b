"""Single packets through the bridge: what is renumbered, what is answered, what goes no further.

Participants here are bare sockets with SRTP keys; ICE and DTLS have their own tests.
"""

import asyncio
import itertools
import os
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from sidecar.bridge import rtcp, rtp, srtp
from sidecar.bridge.peer import Peer
from sidecar.bridge.server import Bridge
from sidecar.bridge.testing import ALL_MEDIA, eventually, grant, local_address, running_bridge
from sidecar.bridge.udp import PeerAddress, raw_address

DIGEST = ":".join(["AB"] * 32)
KEY_FRAME = bytes([0x90, 0x80, 0x81, 0x05, 0x00]) + b"key"
DELTA_FRAME = bytes([0x90, 0x80, 0x81, 0x06, 0x01]) + b"delta"
MICROPHONE, CAMERA, CAMERA_RTX = 1001, 2001, 2002


def offer(vp8: int, transport_number: int, *, rtx: bool = True) -> str:
    """A minimal offer: microphone, camera, one voice slot, two picture slots; numbers as the test likes."""
    common = f"a=ice-ufrag:Abcd\na=ice-pwd:{'x' * 22}\na=fingerprint:sha-256 {DIGEST}\na=setup:actpass\na=rtcp-mux\n"
    number = f"a=extmap:{transport_number} http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\n"
    audio = "m=audio 9 UDP/TLS/RTP/SAVPF 111\n" + common + number
    audio += "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\na=rtpmap:111 opus/48000/2\n"
    video = f"m=video 9 UDP/TLS/RTP/SAVPF {vp8} {vp8 + 1}\n" + common + number
    video += f"a=rtpmap:{vp8} VP8/90000\na=rtcp-fb:{vp8} nack\n"
    if rtx:
        video += f"a=rtpmap:{vp8 + 1} rtx/90000\na=fmtp:{vp8 + 1} apt={vp8}\n"
    return (
        "v=0\na=group:BUNDLE 0 1 2 3 4 5\n"
        f"{audio}a=mid:0\na=sendonly\na=ssrc:{MICROPHONE} cname:x\n"
        f"{video}a=mid:1\na=sendonly\na=ssrc-group:FID {CAMERA} {CAMERA_RTX}\n"
        f"m=application 9 UDP/DTLS/SCTP webrtc-datachannel\n{common}a=mid:2\na=sctp-port:5000\n"
        f"{audio}a=mid:3\na=recvonly\n{video}a=mid:4\na=recvonly\n{video}a=mid:5\na=recvonly\n"
    )


@dataclass(frozen=True)
class Packet:
    """One RTP packet as a participant sees it."""

    kind: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes
    transport_number: int | None


class Bare:
    """A participant: a socket and SRTP keys."""

    def __init__(
        self, bridge: Bridge, name: str, *, vp8: int = 96, transport_number: int = 3, rtx: bool = True
    ) -> None:
        bridge.join("kitchen", grant(name), offer(vp8, transport_number, rtx=rtx))
        self.vp8, self.transport_number = vp8, transport_number
        self.peer: Peer = bridge.get_peer("kitchen", name)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.socket.bind((local_address(), 0))
        self._bridge = bridge.candidates[0]
        self._length = srtp.new_length()
        there, here = os.urandom(28), os.urandom(28)
        profile = srtp.PROFILES[0]
        self._keys = [srtp.SrtpSession(profile, key, inbound=i) for key, i in ((there, False), (here, True))]
        ours = [srtp.SrtpSession(profile, key, inbound=i) for key, i in ((there, True), (here, False))]
        self.peer._sessions = ours
        self.peer.inbound, self.peer.outbound = (each.handle for each in ours)
        raw = raw_address(*self.socket.getsockname())
        batch = bridge.plane.batches[0]
        self.peer.batch, self.peer.address = batch, PeerAddress(raw)
        batch.peers[raw] = self.peer
        self.peer.agent.last_check_at = bridge.monotonic()
        self.rtcp: list[rtcp.Report] = []
        self._number = 0
        self.got: list[Packet] = []
        self.peer.room.connected(self.peer)

    def send(
        self,
        kind: int,
        sequence: int,
        timestamp: int,
        ssrc: int,
        payload: bytes,
        *,
        level: int | None = None,
        padding: int = 0,
    ) -> None:
        self._number = (self._number + 1) & 0xFFFF
        if level is None:
            extension = struct.pack("!HHBHB", 0xBEDE, 1, self.transport_number << 4 | 1, self._number, 0)
        else:
            head = self.transport_number << 4 | 1
            extension = struct.pack("!HHBBBHBBB", 0xBEDE, 2, 0x10, 0x80 | level, head, self._number, 0, 0, 0)
        first = 0x90 | (0x20 if padding else 0)
        data = struct.pack("!BBHII", first, kind, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc)
        data += extension + payload + (bytes(padding - 1) + bytes([padding]) if padding else b"")
        self._send(data, srtp.protect)

    def send_rtcp(self, data: bytes) -> None:
        self._send(data, srtp.protect_rtcp)

    def _send(self, data: bytes, protect: Callable[..., int]) -> None:
        buffer = srtp.ffi.new("char[]", data + bytes(64))
        self._length[0] = len(data)
        assert protect(self._keys[0].handle, buffer, self._length) == srtp.OK
        self.socket.sendto(srtp.ffi.buffer(buffer)[: self._length[0]], self._bridge)

    def voice(self, sequence: int, *, level: int = 30) -> None:
        self.send(111, sequence, sequence * 960, MICROPHONE, b"voice%d" % sequence, level=level)

    def picture(self, sequence: int, payload: bytes = DELTA_FRAME, *, timestamp: int | None = None) -> None:
        at = sequence * 3000 if timestamp is None else timestamp
        self.send(0x80 | self.vp8, sequence, at, CAMERA, payload)

    def read(self) -> list[Packet]:
        """Return everything received so far; RTCP goes to `rtcp`."""
        while True:
            try:
                data = self.socket.recv(4096)
            except BlockingIOError:
                return self.got
            if not 127 < data[0] < 192:
                continue
            is_rtcp = 191 < data[1] < 224
            buffer = srtp.ffi.new("char[]", data)
            self._length[0] = len(data)
            unprotect = srtp.unprotect_rtcp if is_rtcp else srtp.unprotect
            assert unprotect(self._keys[1].handle, buffer, self._length) == srtp.OK
            plain = bytes(srtp.ffi.buffer(buffer)[: self._length[0]])
            if is_rtcp:
                self.rtcp += rtcp.parse(plain)
                continue
            parsed = rtp.parse(plain)
            assert parsed is not None
            span = parsed.extensions.get(self.transport_number)
            self.got.append(
                Packet(
                    parsed.payload_type,
                    parsed.sequence,
                    parsed.timestamp,
                    parsed.ssrc,
                    plain[parsed.payload_at : parsed.end],
                    int.from_bytes(plain[span[0] : span[1]], "big") if span else None,
                )
            )

    async def receives(self, count: int) -> list[Packet]:
        await eventually(lambda: len(self.read()) >= count)
        return self.got

    async def asked(self, kind: type[rtcp.Report]) -> list[Any]:
        def found() -> list[Any]:
            self.read()
            return [report for report in self.rtcp if isinstance(report, kind)]

        await eventually(found)
        return found()


def run(story: Any) -> None:
    asyncio.run(asyncio.wait_for(story, 200))


def test_a_voice_gets_the_slots_name_and_the_receivers_numbers() -> None:
    async def story() -> None:
        async with running_bridge() as bridge:
            maja, elin = Bare(bridge, "p_maja"), Bare(bridge, "p_elin", transport_number=7)
            for n in range(65530, 65540):  # across the wrap
                maja.voice(n)
            packets = await elin.receives(10)
            slot = elin.peer.audio_slots[0]
            assert {p.ssrc for p in packets} == {slot.ssrc}
            assert [p.payload for p in packets] == [b"voice%d" % n for n in range(65530, 65540)]
            steps = [(b.sequence - a.sequence) & 0xFFFF for a, b in itertools.pairwise(packets)]
            assert steps == [1] * 9
            assert [p.transport_number for p in packets] == list(range(10))
            assert maja.peer.tracks["microphone"].level_count == 10

    run(story())


def test_payload_types_are_translated() -> None:
    async def story() -> None:
        async with running_bridge() as bridge:
            maja, elin = Bare(bridge, "p_maja", vp8=96), Bare(bridge, "p_elin", vp8=120)
            maja.picture(1, KEY_FRAME)
            maja.picture(2)
            packets = await elin.receives(1)
            # The first picture opened the slot and asked for a key frame; it is itself forwarded only if it is one
            await maja.asked(rtcp.KeyFrameRequest)
            maja.picture(3, KEY_FRAME)
            maja.picture(4)
            packets = await elin.receives(2)
            assert {p.kind for p in packets} == {120}

    run(story())


def test_a_picture_begins_with_a_key_frame() -> None:
    async def story() -> None:
        async with running_bridge() as bridge:
            maja, elin = Bare(bridge, "p_maja"), Bare(bridge, "p_elin")
            for n in range(1, 5):
                maja.picture(n)
            assert await maja.asked(rtcp.KeyFrameRequest) == [rtcp.KeyFrameRequest(CAMERA)]
            maja.picture(5, KEY_FRAME)
            maja.picture(6)
            packets = await elin.receives(2)
            assert [p.payload for p in packets] == [KEY_FRAME, DELTA_FRAME]

    run(story())


async def _watching(bridge: Bridge, *, rtx: bool = True) -> tuple[Bare, Bare]:
    """Two participants, and Elin sees Maja's first two pictures, numbers 1 and 2."""
    maja, elin = Bare(bridge, "p_maja"), Bare(bridge, "p_elin", rtx=rtx)
    maja.picture(1, KEY_FRAME)
    await eventually(lambda: elin.peer.video_slots[0].source is not None)
    if elin.peer.video_slots[0].waiting:
        maja.picture(2, KEY_FRAME)
    await elin.receives(1)
    return maja, elin


def test_a_lost_picture_is_answered_from_the_cache_with_both_numbers_right() -> None:
    async def story() -> None:
        async with running_bridge() as bridge:
            maja, elin = await _watching(bridge)
            for n in range(10, 14):
                maja.picture(n, DELTA_FRAME + bytes([n]))
            packets = await elin.receives(5)
            lost = packets[-2]
            elin.send_rtcp(rtcp.nack(9, lost.ssrc, [lost.sequence]))

            again = (await elin.receives(len(packets) + 1))[-1]
            slot = elin.peer.video_slots[0]
            assert (again.kind, again.ssrc, again.timestamp) == (97, slot.rtx_ssrc, lost.timestamp)
            assert again.payload == struct.pack("!H", lost.sequence) + lost.payload

    run(story())


def test_without_a_stream_for_repeats_no_number_is_ever_sent_twice() -> None:
    """One number twice under GCM, in packets that differ, would give the key of their tags away (RFC 7714, 8.1)."""

    async def story() -> None:
        async with running_bridge() as bridge:
            maja, elin = await _watching(bridge, rtx=False)
            before = len(elin.got)
            maja.picture(10, DELTA_FRAME)
            lost = (await elin.receives(before + 1))[-1]
            elin.send_rtcp(rtcp.nack(9, lost.ssrc, [lost.sequence]))
            maja.picture(11, DELTA_FRAME)

            packets = await elin.receives(before + 2)
            assert (packets[-1].ssrc, packets[-1].sequence) == (lost.ssrc, lost.sequence + 1)
            assert len({(each.ssrc, each.sequence) for each in packets}) == len(packets)

    run(story())


def test_what_the_bridge_misses_it_asks_for_and_passes_on() -> None:
    async def story() -> None:
        async with running_bridge() as bridge:
            maja, elin = await _watching(bridge)
            before = len(elin.got)
            maja.picture(10, DELTA_FRAME)
            maja.picture(13, DELTA_FRAME)
            (first, *_) = await maja.asked(rtcp.Nack)
            assert set(first.sequences) >= {11, 12}

            payload = struct.pack("!H", 11) + b"\x90\x80\x81\x07\x01again"
            maja.send(0x80 | 97, 500, 11 * 3000, CAMERA_RTX, payload)
            packets = await elin.receives(before + 3)
            newest = max(packets[before:], key=lambda p: p.sequence)
            repaired = packets[-1]
            assert repaired.payload == b"\x90\x80\x81\x07\x01again"
            assert newest.sequence - repaired.sequence == 2
            assert repaired.ssrc == elin.peer.video_slots[0].ssrc

    run(story())


def test_padding_that_probes_the_path_is_acknowledged_and_goes_no_further() -> None:
    async def story() -> None:
        async with running_bridge() as bridge:
            maja, elin = await _watching(bridge)
            before = len(elin.got)
            maja.send(97, 600, 0, CAMERA_RTX, b"", padding=200)
            probe = maja._number

            def acknowledged() -> bool:
                maja.picture(20 + maja._number)  # reports leave while packets come
                maja.read()
                reports = [r for r in maja.rtcp if isinstance(r, rtcp.TransportFeedback)]
                return probe in {r.base + i for r in reports for i, symbol in enumerate(r.symbols) if symbol}

            await eventually(acknowledged)
            assert {p.ssrc for p in elin.read()[before:]} == {elin.peer.video_slots[0].ssrc}
            assert all(p.payload == DELTA_FRAME for p in elin.got[before:])

    run(story())


@pytest.mark.requirement("R216")
def test_a_track_closed_for_long_goes_on_as_one_stream_when_it_opens() -> None:
    """Sequence numbers wrap in the meantime: they must not be taken for old ones."""

    async def story() -> None:
        async with running_bridge() as bridge:
            maja, elin = Bare(bridge, "p_maja"), Bare(bridge, "p_elin")
            for n in range(3):
                maja.voice(n)
            before = (await elin.receives(3))[-1]
            maja.peer.grant = replace(maja.peer.grant, permissions=frozenset())
            maja.peer.apply_gates()
            microphone, closed = maja.peer.tracks["microphone"], range(3, 50_000, 400)
            microphone.level_count = 0
            for n in closed:
                maja.voice(n)
                if n % 4000 == 3:
                    await asyncio.sleep(0.01)
            maja.peer.grant = replace(maja.peer.grant, permissions=ALL_MEDIA)
            await eventually(lambda: microphone.level_count == len(closed))  # they have arrived before it opens
            maja.peer.apply_gates()
            assert len(elin.read()) == 3
            maja.voice(50_000)
            maja.voice(50_001)
            after = (await elin.receives(5))[3:]
            assert [p.sequence for p in after] == [before.sequence + 1, before.sequence + 2]
            assert after[0].payload == b"voice50000"

    run(story())


def test_a_slot_with_another_source_renumbers_its_pictures() -> None:
    async def story() -> None:
        async with running_bridge() as bridge:
            maja, elin = await _watching(bridge)
            maja.picture(3, bytes([0x90, 0x80, 0x92, 0x34, 0x01]) + b"x")  # picture id 0x1234
            last = (await elin.receives(len(elin.got) + 1))[-1]
            room = bridge.get_room("kitchen")
            room.leave(maja.peer, "left")
            samir = Bare(bridge, "p_samir")
            samir.picture(40_000, KEY_FRAME, timestamp=7)
            await eventually(lambda: elin.peer.video_slots[0].source is not None)
            if elin.peer.video_slots[0].waiting:
                samir.picture(40_001, KEY_FRAME, timestamp=3007)
            count = len(elin.got)
            first = (await elin.receives(count + 1))[count]
            assert first.sequence == (last.sequence + 1) & 0xFFFF
            assert first.ssrc == last.ssrc
            assert 0 < (first.timestamp - last.timestamp) & 0xFFFFFFFF < 90_000 * 10
            descriptor = rtp.vp8_descriptor(first.payload, 0, len(first.payload))
            assert descriptor is not None
            assert descriptor.picture_id == 0x1235

    run(story())


def test_sender_reports_come_with_the_slots_time() -> None:
    async def story() -> None:
        async with running_bridge() as bridge:
            maja, elin = Bare(bridge, "p_maja"), Bare(bridge, "p_elin")
            maja.voice(10)
            maja.voice(11)
            await elin.receives(2)
            maja.send_rtcp(rtcp.sender_report(rtcp.SenderReport(MICROPHONE, 1 << 40, 11 * 960, 2, 20), "x"))
            (report, *_) = await elin.asked(rtcp.SenderReport)
            slot = elin.peer.audio_slots[0]
            assert report.ssrc == slot.ssrc
            assert report.timestamp == (11 * 960 + slot.timestamp_delta) & 0xFFFFFFFF
            assert report.packets == 2

    run(story())


def test_an_undeclared_ssrc_costs_nothing() -> None:
    async def story() -> None:
        async with running_bridge() as bridge:
            maja, elin = Bare(bridge, "p_maja"), Bare(bridge, "p_elin")
            for ssrc in range(5000, 5100):
                maja.send(111, 1, 960, ssrc, b"who am I")
            maja.voice(1)
            assert len(await elin.receives(1)) == 1
            assert bridge.plane.dropped == 100
            assert set(maja.peer.by_ssrc) == {MICROPHONE, CAMERA, CAMERA_RTX}

    run(story())


def test_packets_with_anothers_keys_go_nowhere() -> None:
    async def story() -> None:
        async with running_bridge() as bridge:
            maja, elin = Bare(bridge, "p_maja"), Bare(bridge, "p_elin")
            maja._keys, elin._keys = elin._keys, maja._keys
            maja.voice(1)
            await eventually(lambda: bridge.plane.dropped == 1)
            elin._keys = maja._keys
            assert elin.read() == []

    run(story())
