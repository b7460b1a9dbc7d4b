"""One XMPP connection over WebSocket, logged in, that comes back by itself when the network was away for a moment.

Source: RFC 7395 (framing), RFC 6120 section 7 (binding), XEP-0198 (acknowledgements, resumption), XEP-0199 (pings,
without which a proxy cuts the connection).
"""

import asyncio
import itertools
import logging
from collections import deque
from collections.abc import Callable
from xml.etree.ElementTree import Element

import aiohttp

from sidecar.bridge.jitsi.login import CLIENT, Account, StanzaError, XmppError, condition_of, log_in, stanza_error
from sidecar.bridge.jitsi.xml import MAX_BYTES, Xml, XmlError, local_name, parse, tag

log = logging.getLogger(__name__)

_FRAMING = "urn:ietf:params:xml:ns:xmpp-framing"
_BIND = "urn:ietf:params:xml:ns:xmpp-bind"
_SM = "urn:xmpp:sm:3"
_STANZAS = frozenset({"iq", "message", "presence"})
_STEP_S = 5.0  # for one answer while logging in
_ASK_S = 10.0
_PING_EVERY_S, _PONG_WITHIN_S = 5.0, 5.0  # who is deaf sees nobody come: ten seconds at the most
_RESUME_FOR_S = 20.0  # Prosody keeps a sleeping stream for 60 s on the Jitsi image, and no gap is as long as a minute
_RETRY_S = (0.1, 0.3, 1.0, 2.0)
_ASK_RECEIPT_EVERY = 5  # stanzas of ours


class Stream:
    """on_stanza: told each stanza that answers no request of ours. on_lost: told once, when it cannot be resumed."""

    _ids = itertools.count(1)

    def __init__(
        self,
        account: Account,
        *,
        room: str,
        http: aiohttp.ClientSession,
        on_stanza: Callable[[Element], None],
        on_lost: Callable[[], None],
    ) -> None:
        self.jid = ""
        self.broken_at: float | None = None  # steady seconds; None while everything that is sent to us arrives
        self._account = account
        self._room = room
        self._http = http
        self._on_stanza = on_stanza
        self._on_lost = on_lost
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._answers: dict[str, asyncio.Future[Element]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._out: asyncio.Queue[Xml] = asyncio.Queue()
        self._unacknowledged: deque[Xml] = deque()
        self._sent = self._taken = 0
        self._resume_id = ""
        self._closing = False
        self._ready = asyncio.Event()  # not while logged in only halfway: nothing may come before the resumption

    async def open(self) -> None:
        """Connect, log in and bind. Raises XmppError."""
        try:
            features = await self._connect()
            await self._bind(features)
        except BaseException:
            await self._drop()
            raise
        self._ready.set()
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(each) for each in (self._read_forever(), self._write_forever(), self._ping())]

    def send(self, stanza: Xml) -> None:
        """Send one stanza, in order. While the connection is being resumed it waits."""
        self._out.put_nowait(stanza)

    async def ask(self, kind: str, to: str, inside: Xml, *, within_s: float = _ASK_S) -> Element:
        """Send a request and return its result. Raises StanzaError, TimeoutError, XmppError when the stream ends."""
        number = f"tillit-{next(self._ids)}"
        answer: asyncio.Future[Element] = asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        self.send(tag("iq", CLIENT, inside, type=kind, to=to, id=number))
        try:
            async with asyncio.timeout(within_s):
                found = await answer
        finally:
            self._answers.pop(number, None)
        if found.get("type") == "error":
            raise stanza_error(found)
        return found

    async def close(self) -> None:
        """Say goodbye and close. Safe to call twice."""
        if self._closing:
            return
        self._closing = True
        socket = self._socket
        if socket is not None and not socket.closed:
            try:
                async with asyncio.timeout(1.0):
                    while not self._out.empty():
                        await socket.send_str(self._out.get_nowait())
                    await socket.send_str(tag("close", _FRAMING))
            except (TimeoutError, ConnectionError, aiohttp.ClientError):
                log.debug("the goodbye to Prosody did not get through")
        self._end()
        await self._drop()

    # Logging in

    async def _connect(self) -> Element:
        """Return the features after login. Raises XmppError."""
        account = self._account
        try:
            async with asyncio.timeout(_STEP_S):
                self._socket = await self._http.ws_connect(
                    account.url,
                    params={"room": self._room},
                    protocols=("xmpp",),
                    headers={"Host": account.domain, "Origin": f"https://{account.domain}"},
                    max_msg_size=MAX_BYTES,
                    autoping=True,
                )
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise XmppError("Prosody does not answer") from error
        await log_in(self._account, await self._begin(), put=self._put, take=self._next)
        return await self._begin()

    async def _begin(self) -> Element:
        await self._put(tag("open", _FRAMING, to=self._account.host, version="1.0"))
        opened = await self._next()
        if local_name(opened) != "open":
            raise XmppError("this is no XMPP server")
        features = await self._next()
        if local_name(features) != "features":
            raise XmppError("Prosody does not serve this host", condition_of(features))
        return features

    async def _bind(self, features: Element) -> None:
        await self._put(tag("iq", CLIENT, tag("bind", _BIND), type="set", id="bind"))
        bound = await self._next()
        self.jid = bound.findtext(f".//{{{_BIND}}}jid") or ""
        if not self.jid:
            raise XmppError("Prosody gave the recorder no address", condition_of(bound))
        if features.find(f"{{{_SM}}}sm") is not None:
            await self._put(tag("enable", _SM, resume="true"))
            enabled = await self._next()
            if local_name(enabled) == "enabled":
                self._resume_id = enabled.get("id") or ""

    # Running

    async def _read_forever(self) -> None:
        while True:
            try:
                while True:
                    self._take(await self._next(patiently=True))
            except XmppError as error:
                log.info("the connection to Prosody broke", extra={"why": str(error)})
            self._ready.clear()
            self.broken_at = self.broken_at or asyncio.get_running_loop().time()
            await self._drop()
            if self._closing:
                return
            if not await self._resume():
                self._end()
                self._on_lost()
                return
            self._tasks.append(asyncio.get_running_loop().create_task(self._catch_up()))

    def _take(self, element: Element) -> None:
        name = local_name(element)
        if name == "close":
            raise XmppError("Prosody closed the stream", condition_of(element))
        if name == "r":
            self._out.put_nowait(tag("a", _SM, h=self._taken % (1 << 32)))
        elif name == "a":
            self._acknowledged(element)
        elif name in _STANZAS:
            self._taken += 1
            answer = self._answers.get(element.get("id") or "")
            if name == "iq" and element.get("type") in ("result", "error"):
                if answer is not None and not answer.done():
                    answer.set_result(element)
            else:
                try:
                    self._on_stanza(element)
                except Exception:  # the outermost loop of this stream: one odd stanza must not end it
                    log.exception("a stanza could not be taken", extra={"stanza": name})

    async def _write_forever(self) -> None:
        while True:
            stanza = await self._out.get()
            await self._ready.wait()
            ours = self._resume_id != "" and stanza[1:].startswith(("iq", "message", "presence"))
            if ours:
                self._sent += 1
                self._unacknowledged.append(stanza)
            try:
                await self._put(stanza)
                if ours and self._sent % _ASK_RECEIPT_EVERY == 0:
                    await self._put(tag("r", _SM))
            except XmppError:
                continue  # what Prosody did not take is sent again after the resumption

    def _acknowledged(self, element: Element) -> None:
        try:
            taken = int(element.get("h") or "")
        except ValueError:
            return
        waiting = (self._sent - taken) % (1 << 32)
        while len(self._unacknowledged) > waiting:
            self._unacknowledged.popleft()

    async def _ping(self) -> None:
        while True:
            await asyncio.sleep(_PING_EVERY_S)
            await self._ready.wait()
            asked = self._socket
            try:
                await self.ask("get", self._account.host, tag("ping", "urn:xmpp:ping"), within_s=_PONG_WITHIN_S)
            except StanzaError:
                pass  # it answers: that is all that was asked
            except TimeoutError:
                if self._socket is asked:  # and not one that is just being resumed on
                    await self._drop()
                continue
            if self._socket is asked:
                self.broken_at = None  # also where the question right after a resumption was answered too late

    async def _catch_up(self) -> None:
        """After a resumption: an answer comes behind everything that waited for us."""
        try:
            await self.ask("get", self._account.host, tag("ping", "urn:xmpp:ping"))
        except StanzaError:
            pass  # an answer all the same
        except TimeoutError:
            return
        self.broken_at = None

    async def _resume(self) -> bool:
        """Connect anew and go on with the same session. False where Prosody has forgotten it, or stays away."""
        if not self._resume_id:
            return False
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _RESUME_FOR_S
        tries = 0
        while loop.time() < deadline and not self._closing:
            try:
                await self._connect()
                await self._put(tag("resume", _SM, previd=self._resume_id, h=self._taken % (1 << 32)))
                answer = await self._next()
                if local_name(answer) != "resumed":
                    return False
                self._acknowledged(answer)
                for stanza in list(self._unacknowledged):
                    await self._put(stanza)
                self._ready.set()
                return True
            except XmppError:
                await self._drop()
                await asyncio.sleep(_RETRY_S[min(tries, len(_RETRY_S) - 1)])
                tries += 1
        return False

    async def _put(self, xml: Xml) -> None:
        socket = self._socket
        if socket is None or socket.closed:
            raise XmppError("the connection is closed")
        try:
            await socket.send_str(xml)
        except (ConnectionError, aiohttp.ClientError) as error:
            raise XmppError("the connection broke") from error

    async def _next(self, *, patiently: bool = False) -> Element:
        socket = self._socket
        if socket is None:
            raise XmppError("the connection is closed")
        try:
            async with asyncio.timeout(None if patiently else _STEP_S):
                while True:
                    message = await socket.receive()
                    if message.type is not aiohttp.WSMsgType.TEXT:
                        raise XmppError("Prosody closed the connection")
                    if message.data.strip():
                        return parse(message.data)
        except TimeoutError as error:
            raise XmppError("Prosody did not answer in time") from error
        except XmlError as error:
            raise XmppError(f"what Prosody sent cannot be read: {error}") from error

    async def _drop(self) -> None:
        socket, self._socket = self._socket, None
        if socket is not None:
            try:
                async with asyncio.timeout(1.0):
                    await socket.close()
            except (TimeoutError, aiohttp.ClientError, ConnectionError):
                log.debug("the connection to Prosody did not close in order")

    def _end(self) -> None:
        me = asyncio.current_task()
        for task in self._tasks:
            if task is not me:
                task.cancel()
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(XmppError("the connection to Prosody ended"))
