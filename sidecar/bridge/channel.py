"""The data channel "tillit": short JSON messages over SCTP over DTLS. SCTP itself is aiortc's."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from aiortc.rtcdatachannel import RTCDataChannel
from aiortc.rtcsctptransport import RTCSctpCapabilities, RTCSctpTransport

log = logging.getLogger(__name__)

LABEL = "tillit"
MAX_MESSAGE_CHARS = 4096
_INBOX_PACKETS = 256  # more than this waiting means the client floods us: the rest is lost
_BACKLOG_BYTES = 256 * 1024  # a client that reads nothing gets no more


class _Receiver(Protocol):
    async def _handle_data(self, data: bytes) -> None: ...


class _DtlsFacade:
    """As much of aiortc's DTLS transport as its SCTP uses."""

    state = "connected"
    _role = "server"

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self._write = write
        self.receiver: _Receiver | None = None

    def _register_data_receiver(self, receiver: _Receiver) -> None:
        self.receiver = receiver

    def _unregister_data_receiver(self, receiver: _Receiver) -> None:
        if self.receiver is receiver:
            self.receiver = None

    async def _send_data(self, data: bytes) -> None:
        self._write(data)


class DataChannel:
    """One participant's channel. `on_message` gets whatever JSON object came, unjudged.

    on_message(message): message is None for anything that is not a small JSON object.
    """

    def __init__(
        self,
        *,
        write: Callable[[bytes], None],
        sctp_port: int,
        max_message_bytes: int,
        on_open: Callable[[], None],
        on_message: Callable[[dict[str, Any] | None], None],
    ) -> None:
        self._facade = _DtlsFacade(write)
        self._sctp = RTCSctpTransport(self._facade)  # type: ignore[arg-type]  # the facade is all it uses
        self._sctp.on("datachannel", self._opened)
        self._remote = (RTCSctpCapabilities(maxMessageSize=max_message_bytes), sctp_port)
        self._inbox: asyncio.Queue[bytes] = asyncio.Queue(_INBOX_PACKETS)
        self._on_open = on_open
        self._on_message = on_message
        self._channel: RTCDataChannel | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin the association. Only after the DTLS handshake."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    def feed(self, packet: bytes) -> None:
        """Take one SCTP packet."""
        if not self._inbox.full():
            self._inbox.put_nowait(packet)

    def send(self, message: dict[str, Any]) -> bool:
        """Send one message. False when the channel is not open, or the client reads nothing."""
        channel = self._channel
        if channel is None or channel.readyState != "open" or channel.bufferedAmount > _BACKLOG_BYTES:
            return False
        channel.send(json.dumps(message, separators=(",", ":")))
        return True

    def stop(self) -> None:
        """End it at once, without a farewell: DTLS says that."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
        for cancel in ("_t1_cancel", "_t2_cancel", "_t3_cancel", "_reconfig_timer_cancel"):
            getattr(self._sctp, cancel)()
        self._channel = None

    async def _run(self) -> None:
        await self._guarded(self._sctp.start(*self._remote))
        while True:
            packet = await self._inbox.get()
            receiver = self._facade.receiver
            if receiver is not None:
                await self._guarded(receiver._handle_data(packet))

    async def _guarded(self, step: Awaitable[None]) -> None:
        """A hostile packet can trip aiortc's assertions: it is dropped, the association lives on."""
        try:
            await step
        except Exception as error:
            log.info("data channel packet dropped", extra={"error": type(error).__name__})

    def _opened(self, channel: RTCDataChannel) -> None:
        if self._channel is not None or channel.label != LABEL:
            channel.close()
            self._on_message(None)
            return
        self._channel = channel
        channel.on("message", self._received)
        self._on_open()

    def _received(self, data: str | bytes) -> None:
        message: Any = None
        if isinstance(data, str) and len(data) <= MAX_MESSAGE_CHARS:
            try:
                message = json.loads(data)
            except (ValueError, RecursionError):
                message = None
        self._on_message(message if isinstance(message, dict) else None)
