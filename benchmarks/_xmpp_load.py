"""Many XMPP clients on one thread, each as cheap as can be: nothing is parsed that need not be, bytes are counted.

A frame a client sends is masked with zeros, which is as valid as any mask (RFC 6455 section 5.3). What came is looked
through for the few words that say how far a client is.
"""

import asyncio
import base64
import itertools
import os
import time
from collections.abc import Callable
from typing import Self
from urllib.parse import urlencode

_FRAMING = "urn:ietf:params:xml:ns:xmpp-framing"
_SASL = "urn:ietf:params:xml:ns:xmpp-sasl"
_PATIENCE_S = 30.0
_LONGEST_MARK = 64  # bytes kept from one read to the next, so that a mark cut in two is seen

OWN_PRESENCE = b"code='110'"
MESSAGE = b"<body>"


def frame(xml: str) -> bytes:
    """Return one text frame from a client."""
    data = xml.encode()
    size = len(data)
    if size < 126:
        return bytes((0x81, 0x80 | size)) + bytes(4) + data
    return bytes((0x81, 0xFE)) + size.to_bytes(2, "big") + bytes(4) + data


class LoadClient(asyncio.Protocol):
    """One connection. `on_message` is called with how many messages one read brought; `out_at` says when it ended."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.on_message: Callable[[int], None] | None = None
        self.joined_at = 0.0
        self.out_at = 0.0
        self._tail = b""
        self._mark = b""
        self._seen: asyncio.Future[None] | None = None
        self._failed = ""
        self.gone: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    @classmethod
    async def open(cls, port: int, host: str) -> Self:
        """Return a client whose TCP connection stands."""
        _, client = await asyncio.get_running_loop().create_connection(cls, "127.0.0.1", port)
        client.host = host
        return client

    host = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended()
        if self._seen is not None and not self._seen.done():
            self._seen.set_exception(ConnectionError("the server closed the stream"))

    def _ended(self) -> None:
        if not self.gone.done():
            self.out_at = time.monotonic()
            self.gone.set_result(self.out_at)

    def data_received(self, data: bytes) -> None:
        looked = self._tail + data
        if self.on_message is not None:
            # A mark that ends in this read is counted in it; the tail alone holds none.
            count = looked.count(MESSAGE) - self._tail.count(MESSAGE)
            if count:
                self.on_message(count)
        if self._seen is not None and not self._seen.done():
            if self._mark in looked:
                self._tail = b""
                self._seen.set_result(None)
                return
            if b"<failure" in looked or b"type='error'" in looked:
                self._seen.set_exception(ConnectionError(looked[-600:].decode(errors="replace")))
        elif b"policy-violation" in looked or b"code='307'" in looked:
            self._ended()
        self._tail = looked[-_LONGEST_MARK:]

    def send(self, xml: str) -> None:
        self.send_raw(frame(xml))

    def send_raw(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(data)

    async def _until(self, mark: bytes, data: bytes) -> None:
        """Send and return when the mark came back. One at a time."""
        self._mark, self._seen = mark, asyncio.get_running_loop().create_future()
        self.send_raw(data)
        async with asyncio.timeout(_PATIENCE_S):
            await self._seen

    async def log_in(self, query: dict[str, str], *, mechanism: str = "ANONYMOUS", initial: bytes = b"") -> None:
        """WebSocket and stream handshakes, authentication, binding. Raises ConnectionError."""
        key = base64.b64encode(os.urandom(16)).decode()
        path = "/xmpp-websocket" + ("?" + urlencode(query) if query else "")
        upgrade = (
            f"GET {path} HTTP/1.1\r\nHost: {self.host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: xmpp\r\n\r\n"
        )
        opening = frame(f"<open xmlns='{_FRAMING}' to='{self.host}' version='1.0'/>")
        said = base64.b64encode(initial).decode() or "="
        await self._until(b"\r\n\r\n", upgrade.encode())
        await self._until(b"features>", opening)
        await self._until(b"<success", frame(f"<auth xmlns='{_SASL}' mechanism='{mechanism}'>{said}</auth>"))
        await self._until(b"features>", opening)
        bind = "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>"
        await self._until(b"</jid>", frame(f"<iq xmlns='jabber:client' type='set' id='bind'>{bind}</iq>"))

    async def join(self, room: str, nick: str) -> None:
        """Enter a room and return when the room says so."""
        muc = "<x xmlns='http://jabber.org/protocol/muc'/>"
        said = (
            f"<presence xmlns='jabber:client' to='{room}/{nick}'>{muc}"
            "<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='https://jitsi.org/jitsi-meet' ver='x='/>"
            "<stats-id>Ada-x1</stats-id><jitsi_participant_codecList>vp8,h264</jitsi_participant_codecList>"
            f"<SourceInfo>{{&quot;{nick}-v0&quot;:{{&quot;muted&quot;:true}}}}</SourceInfo>"
            f"<nick xmlns='http://jabber.org/protocol/nick'>{nick.capitalize()}</nick></presence>"
        )
        await self._until(OWN_PRESENCE, frame(said))
        self.joined_at = time.monotonic()

    def close(self) -> None:
        if self.transport is not None:
            self.transport.abort()


_ids = itertools.count(1)


def group_message(room: str) -> bytes:
    """Return one line of chat as Jitsi's client writes it."""
    return frame(
        f"<message xmlns='jabber:client' to='{room}' type='groupchat' id='m{next(_ids)}'>"
        "<body>Vi tittar på räntan tillsammans nu.</body>"
        "<nick xmlns='http://jabber.org/protocol/nick'>Maja</nick></message>"
    )
