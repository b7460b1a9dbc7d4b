"""What the bridge's own tests share: a bridge in this process, and clients with aiortc."""

import asyncio
import json
import random
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from aiortc import (
    MediaStreamTrack,
    RTCBundlePolicy,
    RTCConfiguration,
    RTCDataChannel,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.mediastreams import AudioStreamTrack, MediaStreamError, VideoStreamTrack
from av import CodecContext, VideoFrame
from av.frame import Frame
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext

from sidecar.bridge.config import BridgeConfig, MediaAddress
from sidecar.bridge.grant import Grant
from sidecar.bridge.server import Bridge
from sidecar.domain import clock

if TYPE_CHECKING:
    from sidecar.testing.bad_network import BadNetwork

ALL_MEDIA = frozenset({"speak", "show_camera", "share_window", "share_screen"})


def local_address() -> str:
    """Return an address of this machine that clients offer too: the default route's, else loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])


def grant(participant: str, permissions: frozenset[str] = ALL_MEDIA, minutes: float = 60) -> Grant:
    """Return rights as a join token would give them."""
    return Grant(participant, permissions, clock.utc_now() + timedelta(minutes=minutes))


@dataclass
class OpenGate:
    """Lets in whoever sends {"id": ..., "permissions": [...]} as its token, and takes every command."""

    async def admit(self, unverified_token: str, *, room: str) -> Grant:
        wanted: dict[str, Any] = json.loads(unverified_token)
        return grant(wanted["id"], frozenset(wanted.get("permissions", ALL_MEDIA)))

    async def check_command(self, unverified_token: str, *, method: str, path: str, body: bytes) -> None:
        return None


@asynccontextmanager
async def running_bridge(**changes: Any) -> AsyncIterator[Bridge]:
    """A bridge in this process, on a UDP port of the system's choice, without its HTTP interface.

    changes: fields of BridgeConfig.
    """
    host = local_address()
    settings: dict[str, Any] = {
        "listen_host": "127.0.0.1",
        "listen_port": 0,
        "media": (MediaAddress(host, 0, host),),
        "join_keys": "",
        "control_keys": "",
    }
    bridge = Bridge(BridgeConfig(**(settings | changes)))
    bridge.start()
    try:
        yield bridge
    finally:
        await bridge.stop()


def recorded_events(bridge: Bridge) -> list[dict[str, Any]]:
    """Return the list that every event of this bridge is added to from now on."""
    events: list[dict[str, Any]] = []
    bridge.events.on_event.append(events.append)
    return events


async def eventually(condition: Callable[[], object], *, within_s: float = 40.0) -> None:
    """Return as soon as the condition holds. Raises AssertionError when it never does."""
    deadline = asyncio.get_running_loop().time() + within_s
    while True:
        holds = condition()
        if isinstance(holds, Awaitable):
            holds = await holds
        if holds:
            return
        if asyncio.get_running_loop().time() > deadline:
            raise AssertionError(f"did not come to hold within {within_s} s")
        await asyncio.sleep(0.02)


class NoiseTrack(VideoStreamTrack):
    """Pictures that no encoder can make small: whatever rate it is given, it uses."""

    def __init__(self) -> None:
        super().__init__()
        self._pictures = [random.Random(n).randbytes(320 * 240 * 3 // 2) for n in range(4)]  # noqa: S311
        self._next = 0

    async def recv(self) -> VideoFrame:
        pts, time_base = await self.next_timestamp()
        self._next = (self._next + 1) % len(self._pictures)
        frame = VideoFrame(320, 240, "yuv420p")
        picture = self._pictures[self._next]
        frame.planes[0].update(picture[: 320 * 240])
        for number in (1, 2):
            start = 320 * 240 + (number - 1) * 160 * 120
            frame.planes[number].update(picture[start : start + 160 * 120])
        frame.pts, frame.time_base = pts, time_base
        return frame


class FullHdTrack(VideoStreamTrack):
    """1920 x 1080 at 30 fps, encoded beforehand: a camera with an encoder of its own, which no busy machine slows down.

    Half a second of VP8 at about 2 Mbit/s again and again, each time from a key frame.
    """

    WIDTH, HEIGHT, FPS = 1920, 1080, 30
    _FRAMES = 15

    def __init__(self) -> None:
        super().__init__()
        self._encoded = list(self._encode())
        self._sent = 0

    async def recv(self) -> "Packet[Any]":  # type: ignore[override]  # aiortc sends packets as they are
        pts, time_base = await self.next_timestamp()
        packet = Packet(self._encoded[self._sent % len(self._encoded)])
        packet.pts, packet.time_base = pts, time_base
        self._sent += 1
        return packet

    def _encode(self) -> Iterator[bytes]:
        encoder = CodecContext.create("libvpx", "w")
        assert isinstance(encoder, VideoCodecContext)
        encoder.width, encoder.height, encoder.pix_fmt = self.WIDTH, self.HEIGHT, "yuv420p"
        encoder.bit_rate, encoder.framerate = 2_500_000, Fraction(self.FPS)
        encoder.options = {"deadline": "realtime", "cpu-used": "8", "auto-alt-ref": "0", "lag-in-frames": "0"}
        chance = random.Random(7)  # noqa: S311  # the same picture in each run
        rows = [bytes(64 + column // 15 + chance.randrange(8) for column in range(self.WIDTH)) for _ in range(8)]
        for number in range(self._FRAMES):
            frame = VideoFrame(self.WIDTH, self.HEIGHT, "yuv420p")
            moved = [row[number * 8 :] + row[: number * 8] for row in rows]
            picture = ((moved if line // 60 % 2 else rows)[line // 4 % 8] for line in range(self.HEIGHT))
            frame.planes[0].update(b"".join(picture))
            for plane in frame.planes[1:]:
                plane.update(bytes([118 + number // 2]) * plane.buffer_size)
            frame.pts, frame.time_base = number, Fraction(1, self.FPS)
            yield from (bytes(packet) for packet in encoder.encode(frame))


@dataclass
class Seen:
    """What arrived in one receive slot: frames as decoded, and their size."""

    frames: int = 0
    width: int = 0


class Client:
    """A participant with aiortc, offering what a browser would. Use as an async context manager."""

    def __init__(
        self,
        *,
        microphone: bool = True,
        camera: bool | MediaStreamTrack = True,
        share: bool | MediaStreamTrack = False,
        video_slots: int = 4,
    ) -> None:
        picture = VideoStreamTrack() if camera is True else camera or "video"
        self.connection = RTCPeerConnection(
            # No public STUN service. One transport from the start: aiortc forgets some sections otherwise.
            RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
        )
        self.connection.addTransceiver(AudioStreamTrack() if microphone else "audio", direction="sendonly")
        self.connection.addTransceiver(picture, direction="sendonly")
        shown = VideoStreamTrack() if share is True else share or "video"
        self.connection.addTransceiver(shown, direction="sendonly")
        self.channel: RTCDataChannel = self.connection.createDataChannel("tillit")
        self.messages: list[dict[str, Any]] = []
        self.seen: dict[str, Seen] = {}
        self._tasks: list[asyncio.Task[None]] = []
        for _ in range(3):
            self.connection.addTransceiver("audio", direction="recvonly")
        for _ in range(video_slots):
            self.connection.addTransceiver("video", direction="recvonly")
        self.channel.on("message", lambda text: self.messages.append(json.loads(text)))
        self.connection.on("track", self._track)

    async def __aenter__(self) -> "Client":
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await self.connection.close()

    async def offer(self) -> str:
        """Return the offer, candidates included."""
        await self.connection.setLocalDescription(await self.connection.createOffer())
        return self.connection.localDescription.sdp

    async def answered(self, sdp: str) -> None:
        """Take the bridge's answer."""
        await self.connection.setRemoteDescription(RTCSessionDescription(sdp, "answer"))

    async def join(self, bridge: Bridge, room: str, who: Grant, *, through: "BadNetwork | None" = None) -> None:
        """Enter the room, and wait until the data channel is open."""
        _, answer = bridge.join(room, who, await self.offer())
        await self.answered(through.redirect(answer) if through else answer)
        await eventually(lambda: self.channel.readyState == "open")

    def say(self, **message: Any) -> None:
        """Send one message to the bridge."""
        self.channel.send(json.dumps(message))

    def last(self, kind: str) -> dict[str, Any]:
        """Return the newest message of a kind, or {}."""
        return next((m for m in reversed(self.messages) if m["type"] == kind), {})

    def frames(self, kind: str) -> int:
        """Return how many frames of "audio" or "video" were decoded, in all slots."""
        return sum(seen.frames for name, seen in self.seen.items() if name.startswith(kind))

    def _track(self, track: MediaStreamTrack) -> None:
        seen = self.seen.setdefault(f"{track.kind}-{len(self.seen)}", Seen())
        self._tasks.append(asyncio.get_running_loop().create_task(self._watch(track, seen)))

    @staticmethod
    async def _watch(track: MediaStreamTrack, seen: Seen) -> None:
        while True:
            try:
                frame: Frame | Packet[Any] = await track.recv()
            except MediaStreamError:
                return
            seen.frames += 1
            seen.width = getattr(frame, "width", 0)
