"""A small XMPP client over WebSocket (RFC 7395) that says whatever a test wants it to, and nothing of its own."""

import asyncio
import base64
import itertools
import os
import ssl
import struct
from collections.abc import Callable
from typing import Self
from urllib.parse import urlencode
from xml.etree import ElementTree as ET

FRAMING = "urn:ietf:params:xml:ns:xmpp-framing"
SASL = "urn:ietf:params:xml:ns:xmpp-sasl"
CLIENT = "jabber:client"
STANZA_ERROR = "urn:ietf:params:xml:ns:xmpp-stanzas"
PATIENCE_S = 30.0  # for a busy machine; what is promised is measured where it is promised

Element = ET.Element


class RefusedError(Exception):
    """The server refused: the condition and the text it gave."""

    def __init__(self, condition: str, text: str) -> None:
        super().__init__(f"{condition}: {text}")
        self.condition = condition
        self.text = text


def local_name(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def rule_of(stanza: Element) -> str:
    """Return the rule an error stanza names, or an empty string."""
    return stanza.findtext(f".//{{{STANZA_ERROR}}}text") or ""


def error_of(stanza: Element) -> str:
    error = stanza.find(f"{{{CLIENT}}}error")
    return local_name(error[0]) if error is not None else ""


class XmppClient:
    """One connection. `inbox` holds what came and was not asked for."""

    _ids = itertools.count(1)

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.inbox: list[Element] = []
        self._arrived = asyncio.Condition()
        self._pump: asyncio.Task[None] | None = None
        self.closed = asyncio.Event()
        self.jid = ""
        self.host = ""

    @classmethod
    async def open(
        cls,
        port: int,
        *,
        host: str,
        query: dict[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
        web_host: str = "",
        via: str = "",
    ) -> Self:
        """Connect and finish the WebSocket and stream handshakes. Raises ConnectionError.

        tls, web_host: where a proxy stands before Prosody, whom its certificate may be from and what it is called.
        via: the address a proxy would say it was asked from.
        """
        name = web_host if tls else None
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname=name)
        self = cls(reader, writer)
        key = base64.b64encode(os.urandom(16)).decode()
        forwarded = f"X-Forwarded-For: {via}\r\n" if via else ""
        path = "/xmpp-websocket" + ("?" + urlencode(query) if query else "")
        writer.write(
            f"GET {path} HTTP/1.1\r\nHost: {web_host or host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"{forwarded}"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: xmpp\r\n\r\n".encode()
        )
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE_S)
        if b" 101 " not in head.split(b"\r\n")[0]:
            writer.close()
            raise ConnectionError(head.decode().splitlines()[0])
        self.host = host
        await self._open_stream()
        return self

    async def _open_stream(self) -> None:
        self.send(f"<open xmlns='{FRAMING}' to='{self.host}' version='1.0'/>")
        for _ in range(2):  # its <open/>, then the features
            await self._read_now()

    async def log_in(self, mechanism: str = "ANONYMOUS", initial: bytes = b"") -> Self:
        """Authenticate and bind. Raises RefusedError."""
        said = base64.b64encode(initial).decode() or "="
        self.send(f"<auth xmlns='{SASL}' mechanism='{mechanism}'>{said}</auth>")
        answer = await self._read_now()
        if local_name(answer) != "success":
            raise RefusedError(local_name(answer[0]), answer.findtext(f"{{{SASL}}}text") or "")
        await self._open_stream()
        self.send(
            "<iq type='set' id='bind' xmlns='jabber:client'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"
        )
        bound = await self._read_now()
        self.jid = bound.findtext(".//{urn:ietf:params:xml:ns:xmpp-bind}jid") or ""
        self._pump = asyncio.create_task(self._pump_forever())
        return self

    def send(self, xml: str) -> None:
        """Send one frame. A stanza without a namespace gets the client's."""
        for name in ("iq", "message", "presence"):
            if xml.startswith(f"<{name}") and "xmlns='jabber:client'" not in xml:
                xml = f"<{name} xmlns='jabber:client'" + xml[len(name) + 1 :]
        data, mask = xml.encode(), os.urandom(4)
        masked = bytes(b ^ mask[i % 4] for i, b in enumerate(data))
        size = len(data)
        if size < 126:
            head = struct.pack("!BB", 0x81, 0x80 | size)
        elif size < 65536:
            head = struct.pack("!BBH", 0x81, 0xFE, size)
        else:
            head = struct.pack("!BBQ", 0x81, 0xFF, size)
        self._writer.write(head + mask + masked)

    async def ask(self, xml: str) -> Element:
        """Send an iq, whose id this sets, and return its answer."""
        number = f"q{next(self._ids)}"
        self.send(xml.replace("<iq ", f"<iq id='{number}' ", 1))
        return await self.wait_for(lambda stanza: stanza.get("id") == number)

    async def wait_for(self, wanted: Callable[[Element], bool], *, within: float = PATIENCE_S) -> Element:
        """Return the first stanza that fits, and take it out of the inbox. Raises TimeoutError."""

        def find() -> Element | None:
            return next((stanza for stanza in self.inbox if wanted(stanza)), None)

        async with asyncio.timeout(within), self._arrived:
            await self._arrived.wait_for(lambda: find() is not None or self.closed.is_set())
        found = find()
        if found is None:
            raise ConnectionError("the server closed the stream")
        self.inbox.remove(found)
        return found

    async def settle(self) -> None:
        """Return when everything sent before was dealt with: a ping goes the same way, in order."""
        await self.ask(f"<iq type='get' to='{self.host}'><ping xmlns='urn:xmpp:ping'/></iq>")

    async def join(self, room: str, nick: str, *, inside: str = "") -> Element:
        """Join a room and return one's own presence. Raises RefusedError."""
        self.send(f"<presence to='{room}/{nick}'><x xmlns='http://jabber.org/protocol/muc'/>{inside}</presence>")
        answer = await self.wait_for(
            lambda stanza: (
                local_name(stanza) == "presence"
                and (stanza.get("from") == f"{room}/{nick}" or stanza.get("type") == "error")
            )
        )
        if answer.get("type") == "error":
            raise RefusedError(error_of(answer), rule_of(answer))
        return answer

    async def close(self) -> None:
        if self._pump:
            self._pump.cancel()
        self._writer.close()

    async def _pump_forever(self) -> None:
        try:
            while True:
                element = await self._read()
                async with self._arrived:
                    self.inbox.append(element)
                    self._arrived.notify_all()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.closed.set()
            async with self._arrived:
                self._arrived.notify_all()

    async def _read_now(self) -> Element:
        return await asyncio.wait_for(self._read(), PATIENCE_S)

    async def _read(self) -> Element:
        while True:
            first, second = await self._reader.readexactly(2)
            size = second & 0x7F
            if size == 126:
                (size,) = struct.unpack("!H", await self._reader.readexactly(2))
            elif size == 127:
                (size,) = struct.unpack("!Q", await self._reader.readexactly(8))
            data = await self._reader.readexactly(size)
            if first & 0x0F == 8:
                raise ConnectionError("closed")
            if first & 0x0F == 1 and data.strip():
                return ET.fromstring(data)
