"""Joining without a browser: a client's offer in the order of the bridge's contract, and the peer that answers it.

Run as a program it is the peer: plain aiortc, one JSON line in with an offer, one out with the answer.
"""

import asyncio
import json
import sys
from typing import Any

from aiortc import RTCBundlePolicy, RTCConfiguration, RTCPeerConnection, RTCSessionDescription

_VOICES, _PICTURES = 7, 8  # receive slots, as sidecar/web/static/js/room/media.js asks for them
_CONNECT_S = 15


def connection() -> RTCPeerConnection:
    """Return a connection without STUN servers, on one transport from the start."""
    return RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))


class JoiningClient:
    """One client that offers what a browser's page offers, and sends no media."""

    def __init__(self) -> None:
        self.connection = connection()
        for kind in ("audio", "video", "video"):
            self.connection.addTransceiver(kind, direction="sendonly")
        self._channel = self.connection.createDataChannel("tillit")
        self._open = asyncio.Event()
        self._channel.on("open", self._open.set)
        for kind, slots in (("audio", _VOICES), ("video", _PICTURES)):
            for _ in range(slots):
                self.connection.addTransceiver(kind, direction="recvonly")

    async def offer(self) -> str:
        await self.connection.setLocalDescription(await self.connection.createOffer())
        return str(self.connection.localDescription.sdp)

    async def connect(self, answer: str) -> None:
        """Take the answer and return when the data channel is open: ICE, DTLS and SCTP are done."""
        await self.connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        await asyncio.wait_for(self._open.wait(), _CONNECT_S)


async def answer_offers() -> None:
    """Answer the offers on standard input until it ends."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=1_000_000)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    kept: list[Any] = []
    while line := await reader.readline():
        made = connection()
        kept.append(made)
        await made.setRemoteDescription(RTCSessionDescription(json.loads(line)["sdp"], "offer"))
        await made.setLocalDescription(await made.createAnswer())
        print(json.dumps({"sdp": made.localDescription.sdp}), flush=True)
    for each in kept:
        await each.close()


if __name__ == "__main__":
    asyncio.run(answer_offers())
