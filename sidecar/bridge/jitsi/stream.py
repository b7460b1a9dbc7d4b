"""One XMPP connection over WebSocket, logged in, that comes back by itself when the network was away for a moment.

Source: RFC 7395 (framing), RFC 6120 (SASL, binding), RFC 5802 (SCRAM), XEP-0198 (acknowledgements, resumption),
XEP-0199 (pings, without which a proxy cuts the connection).
"""

import asyncio
import base64
import itertools
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from xml.etree.ElementTree import Element

import aiohttp
from scramp import ScramClient, ScramException  # type: ignore[import-untyped]  # ships no types

from sidecar.bridge.jitsi.xml import MAX_BYTES, Xml, XmlError, local_name, parse, tag

log = logging.getLogger(__name__)

CLIENT = "jabber:client"
_FRAMING = "urn:ietf:params:xml:ns:xmpp-framing"
_SASL = "urn:ietf:params:xml:ns:xmpp-sasl"
_BIND = "urn:ietf:params:xml:ns:xmpp-bind"
_SM = "urn:xmpp:sm:3"
_STANZAS = frozenset({"iq", "message", "presence"})
_STEP_S = 5.0  # for one answer while logging in
_ASK_S = 10.0
_PING_EVERY_S, _PONG_WITHIN_S = 5.0, 5.0  # who is deaf sees nobody come: ten seconds at the most
_RESUME_FOR_S = 20.0  # Prosody keeps a sleeping stream for 60 s on the Jitsi image, and no gap is as long as a minute
_RETRY_S = (0.1, 0.3, 1.0, 2.0)
_ASK_RECEIPT_EVERY = 5  # stanzas of ours


class XmppError(ConnectionError):
    """The connection or the login did not succeed. condition: what the server said, "" where it said nothing."""

    def __init__(self, text: str, condition: str = "") -> None:
        super().__init__(text)
        self.condition = condition


class StanzaError(Exception):
    """The other side answered a request with an error. condition: its defined condition, such as "not-allowed"."""

    def __init__(self, condition: str, text: str = "") -> None:
        super().__init__(f"{condition} {text}".strip())
        self.condition = condition
        self.text = text


@dataclass(frozen=True)
class Account:
    """Who logs in where. url: ws:// or wss://. domain: the users' host. host: the account's own, hidden one."""

    url: str
    domain: str
    user: str
    host: str
    password: str = field(repr=False)


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
        await self._log_in(await self._begin())
        return await self._begin()

    async def _begin(self) -> Element:
        await self._put(tag("open", _FRAMING, to=self._account.host, version="1.0"))
        opened = await self._next()
        if local_name(opened) != "open":
            raise XmppError("this is no XMPP server")
        features = await self._next()
        if local_name(features) != "features":
            raise XmppError("Prosody does not serve this host", _condition(features))
        return features

    async def _log_in(self, features: Element) -> None:
        offered = {each.text or "" for each in features.iter(f"{{{_SASL}}}mechanism")}
        account = self._account
        scram = [name for name in ("SCRAM-SHA-256", "SCRAM-SHA-1") if name in offered]
        if scram:
            client = ScramClient(scram, account.user, account.password)
            await self._auth(client.mechanism_name, client.get_client_first())
            try:
                client.set_server_first(_text(self._checked(await self._next(), "challenge")))
                await self._put(tag("response", _SASL, _base64(client.get_client_final())))
                client.set_server_final(_text(self._checked(await self._next(), "success")))
            except ScramException as error:
                raise XmppError("Prosody does not know the password either") from error
        elif "PLAIN" in offered and (account.url.startswith("wss://") or _is_loopback(account.url)):
            await self._auth("PLAIN", f"\0{account.user}\0{account.password}")
            self._checked(await self._next(), "success")
        else:
            raise XmppError("Prosody offers no way to log in that keeps the password secret")

    async def _auth(self, mechanism: str, first: str) -> None:
        await self._put(tag("auth", _SASL, _base64(first), mechanism=mechanism))

    @staticmethod
    def _checked(answer: Element, wanted: str) -> Element:
        if local_name(answer) != wanted:
            raise XmppError("Prosody refused the recorder's account", _condition(answer))
        return answer

    async def _bind(self, features: Element) -> None:
        await self._put(tag("iq", CLIENT, tag("bind", _BIND), type="set", id="bind"))
        bound = await self._next()
        self.jid = bound.findtext(f".//{{{_BIND}}}jid") or ""
        if not self.jid:
            raise XmppError("Prosody gave the recorder no address", _condition(bound))
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
            raise XmppError("Prosody closed the stream", _condition(element))
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
                continue  # it answers: that is all that was asked
            except TimeoutError:
                if self._socket is asked:  # and not one that is just being resumed on
                    await self._drop()

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


def stanza_error(stanza: Element) -> StanzaError:
    """Return what an error stanza says."""
    error = stanza.find(f"{{{CLIENT}}}error")
    condition, text = "undefined-condition", ""
    for each in error if error is not None else ():
        if local_name(each) == "text":
            text = (each.text or "")[:100]
        elif each.tag.startswith("{urn:ietf:params:xml:ns:xmpp-stanzas}"):
            condition = local_name(each)
    return StanzaError(condition, text)


def _condition(element: Element) -> str:
    inner: Any = next(iter(element), None)
    return local_name(inner) if inner is not None else local_name(element)


def _text(element: Element) -> str:
    try:
        return base64.b64decode(element.text or "", validate=True).decode()
    except ValueError as error:
        raise XmppError("Prosody's login cannot be read") from error


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _is_loopback(url: str) -> bool:
    host = url.partition("://")[2].partition("/")[0].rpartition(":")[0].strip("[]")
    return host in ("127.0.0.1", "::1", "localhost")
