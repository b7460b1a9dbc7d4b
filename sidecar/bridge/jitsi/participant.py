"""The recorder's place in one conference: it asks for the conference, joins, answers Jicofo, and comes back.

Whatever breaks is tried again: the XMPP stream resumes, a session is asked for anew, the room is entered anew. How
long that may take is the host's to say; meanwhile the room counts as down, and the recording stands still.
"""

import asyncio
import logging
import secrets
from collections.abc import Callable, Coroutine
from typing import Any
from xml.etree.ElementTree import Element

import aiohttp

from sidecar.bridge.jitsi import jingle, presence
from sidecar.bridge.jitsi.intake import Intake
from sidecar.bridge.jitsi.jingle import FOCUS, JINGLE, JingleError, Offer, Source
from sidecar.bridge.jitsi.login import CLIENT, Account, StanzaError, XmppError, stanza_error
from sidecar.bridge.jitsi.media import BridgeConnection
from sidecar.bridge.jitsi.room import JitsiRoom
from sidecar.bridge.jitsi.stream import Stream
from sidecar.bridge.jitsi.xml import Xml, local_name, tag
from sidecar.domain.errors import NotRecordableError

log = logging.getLogger(__name__)

WHO = "urn:tillit:recorder:1"  # mod_tillit_recorder's namespace: which participants the nicknames are
STRICT = "strict-encryption"  # the rule by which it keeps us out of a room that is encrypted end to end
_ENTER_S = 4.0  # the web process waits five for our answer
_ASK_AGAIN_S = 0.3  # while Jicofo is still making the conference
_SESSION_WITHIN_S = 8.0  # after a session ended: then the room is entered anew, which makes Jicofo invite us
_DEAF_S = 2.0  # without XMPP nobody is seen to come: the recording stands still until it is back
_RETRY_S = (0.2, 0.5, 1.0, 2.0)


class Participant:
    """on_over: told once when the conference is over for us, with a reason of the recording's."""

    def __init__(
        self,
        room: JitsiRoom,
        account: Account,
        *,
        http: aiohttp.ClientSession,
        region: str,
        on_over: Callable[[str], None],
    ) -> None:
        self._room = room
        self._account = account
        self._http = http
        self._region = region
        self._on_over = on_over
        self._address = f"{room.name}@muc.{account.domain}"
        self._stream: Stream | None = None
        self._nick = ""
        self._joined: asyncio.Future[None] | None = None
        self._encrypted = False
        self._offer: Offer | None = None
        self._media: BridgeConnection | None = None
        self._session_ended_at: float | None = None
        self._entering = False
        self._over = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._order = asyncio.Lock()  # one session's stanzas change one connection, each after the other

    # Coming and going

    async def enter(self) -> None:
        """Be in the room, and know who is. Raises NotRecordableError, XmppError, StanzaError, TimeoutError."""
        self._entering = True
        try:
            async with asyncio.timeout(_ENTER_S):
                await self._enter()
        except BaseException:
            await self._leave_stream()
            raise
        finally:
            self._entering = False

    async def leave(self) -> None:
        """Leave the conference and close everything. Nothing more is told."""
        self._over = True
        for task in list(self._tasks):
            task.cancel()
        await self._drop_media()
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.send(tag("presence", CLIENT, to=f"{self._address}/{self._nick}", type="unavailable"))
            await stream.close()

    def tick(self, now: float) -> None:
        """Look after the connection; where no new session comes, enter anew."""
        stream, media = self._stream, self._media
        if media is not None:
            media.tick(now)
        broken_at = stream.broken_at if stream is not None else None
        if broken_at is not None and now - broken_at > _DEAF_S:
            self._room.down("connection")  # somebody may have come whom nobody asked
        elif broken_at is None and stream is not None and media is not None and media.up:
            self._room.up()
        since = self._session_ended_at
        if since is not None and now - since > _SESSION_WITHIN_S and not self._entering:
            self._session_ended_at = None
            self._soon(self._enter_again())

    async def _enter(self) -> None:
        stream = Stream(
            self._account,
            room=self._room.name,
            http=self._http,
            on_stanza=self._take,
            on_lost=lambda: self._soon(self._enter_again()),
        )
        self._stream = stream
        await stream.open()
        await self._ask_for_conference(stream)
        self._nick = secrets.token_hex(4)
        self._joined = asyncio.get_running_loop().create_future()
        self._session_ended_at = self._room.bridge.monotonic()  # its session-initiate is awaited from now on
        stream.send(presence.ours(self._address, self._nick, region=self._region))
        try:
            await self._joined
        except StanzaError as error:
            if error.text == STRICT:
                raise NotRecordableError from error
            raise
        self._named(await stream.ask("get", self._address, tag("who", WHO)))
        if self._encrypted:
            raise NotRecordableError

    async def _ask_for_conference(self, stream: Stream) -> None:
        """Have Jicofo make or find the conference. Without visitors-version: a visitors' node holds no speakers."""
        wanted = tag("conference", FOCUS, room=self._address, machine_uid=secrets.token_hex(16))
        while True:
            answer = await stream.ask("set", f"focus.{self._account.domain}", wanted)
            said = answer.find(f"{{{FOCUS}}}conference")
            if said is None:
                raise XmppError("Jicofo does not say whether the conference is ready")
            if said.get("ready") == "true":
                return
            await asyncio.sleep(_ASK_AGAIN_S)

    async def _enter_again(self) -> None:
        """Begin from the login, until it succeeds. The host ends it when it takes too long."""
        if self._entering or self._over:
            return
        self._entering = True
        tries = 0
        try:
            self._room.down("connection")
            while not self._over:
                async with self._order:
                    await self._drop_media()
                await self._leave_stream()
                try:
                    async with asyncio.timeout(_ENTER_S):
                        await self._enter()
                    self._room.settled()
                    if not self._room.peers:
                        self._end("empty")
                    return
                except NotRecordableError:
                    self._entering = False
                    self._end("encrypted")
                    return
                except (XmppError, StanzaError, TimeoutError) as error:
                    log.info("the conference could not be entered again", extra={"why": type(error).__name__})
                await asyncio.sleep(_RETRY_S[min(tries, len(_RETRY_S) - 1)])
                tries += 1
        finally:
            self._entering = False

    async def _leave_stream(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            await stream.close()
        self._room.forget_everybody()

    # What comes

    def _take(self, stanza: Element) -> None:
        kind = local_name(stanza)
        if kind == "presence":
            self._presence(stanza)
        elif kind == "iq":
            self._request(stanza)
        elif kind == "message" and stanza.get("from") == self._address:
            self._named(stanza)  # from the room itself: no occupant can speak in its name

    def _presence(self, stanza: Element) -> None:
        joined = self._joined
        if stanza.get("type") == "error" and joined is not None and not joined.done():
            joined.set_exception(stanza_error(stanza))
            return
        seen = presence.read(stanza, room=self._address)
        if seen is None:
            return
        if seen.nick == self._nick or seen.ourselves:
            self._of_ourselves(seen)
        elif seen.nick != presence.FOCUS_NICK and seen.account != f"{self._account.user}@{self._account.host}":
            self._of_somebody(seen)  # not of a place of our own that Prosody still keeps after a lost connection

    def _of_ourselves(self, seen: presence.Seen) -> None:
        if seen.here:
            if self._joined is not None and not self._joined.done():
                self._joined.set_result(None)
        elif seen.destroyed:
            self._end("ended")
        elif seen.kicked:
            self._end("expelled")  # somebody who may put people out meant it: it does not come back
        elif not self._entering:
            self._soon(self._enter_again())

    def _of_somebody(self, seen: presence.Seen) -> None:
        if seen.here and seen.encrypted:
            self._encrypted = True  # its media are sealed with keys we have not and must not have
            self._end("encrypted")
            return
        if not seen.here:
            self._room.left(seen.nick)
            return
        self._room.entered(seen.nick)
        if seen.shares is not None:
            self._room.showing(seen.nick, seen.shares)

    def _named(self, stanza: Element) -> None:
        """Take in who some occupants are, as mod_tillit_recorder says."""
        found = {
            each.get("nick") or "": each.get("id") or ""
            for each in stanza.findall(f"{{{WHO}}}who/{{{WHO}}}occupant")
            if each.get("nick") and each.get("id")
        }
        if found:
            self._room.named(found)

    def _request(self, stanza: Element) -> None:
        asked = next(iter(stanza), None)
        sender, kind = stanza.get("from") or "", stanza.get("type")
        name = asked.tag if asked is not None else ""
        if name == f"{{{JINGLE}}}jingle" and kind == "set" and asked is not None:
            if sender != f"{self._address}/{presence.FOCUS_NICK}":
                self._refuse(stanza, "service-unavailable")  # media between two clients pass every gate by
                return
            self._answer(stanza)  # at once: Jicofo takes a late result for a lost client
            self._soon(self._session(asked, sender))
        elif name == f"{{{presence.DISCO}}}query" and kind == "get" and asked is not None:
            self._answer(stanza, presence.capabilities(asked.get("node")))
        elif name == "{urn:xmpp:ping}ping" and kind == "get":
            self._answer(stanza)
        else:
            self._refuse(stanza, "service-unavailable")

    def _answer(self, stanza: Element, *inside: Xml) -> None:
        if self._stream is not None:
            self._stream.send(tag("iq", CLIENT, *inside, type="result", to=stanza.get("from"), id=stanza.get("id")))

    def _refuse(self, stanza: Element, condition: str) -> None:
        if self._stream is not None:
            error = tag("error", "", tag(condition, "urn:ietf:params:xml:ns:xmpp-stanzas"), type="cancel")
            self._stream.send(tag("iq", CLIENT, error, type="error", to=stanza.get("from"), id=stanza.get("id")))

    # The session

    async def _session(self, asked: Element, focus: str) -> None:
        action = asked.get("action")
        async with self._order:
            try:
                if action == "session-initiate":
                    await self._initiated(jingle.read_offer(asked), focus)
                elif self._offer is None or asked.get("sid") != self._offer.sid:
                    return  # of a session that is over
                elif action == "session-terminate":
                    await self._session_over()
                elif self._media is not None:
                    await self._changed(self._media, action or "", asked)
            except JingleError as error:
                log.warning("Jicofo's stanza cannot be used", extra={"action": action, "why": str(error)})

    async def _initiated(self, offer: Offer, focus: str) -> None:
        await self._session_over()
        self._offer, self._session_ended_at = offer, None
        media = self._media = BridgeConnection(
            offer,
            intake_of=self._intake,
            on_up=lambda: self._is_up(media),
            on_down=lambda reason: self._is_down(media, reason),
        )
        try:
            local = await media.answer()
        except ValueError as error:
            await self._session_over()
            raise JingleError("the bridge's offer cannot be answered") from error
        stream = self._stream
        if stream is not None:
            accepted = jingle.accept(offer, local, responder=stream.jid)
            self._soon(self._accepted(stream, focus, accepted))

    async def _accepted(self, stream: Stream, focus: str, accepted: Xml) -> None:
        try:
            await stream.ask("set", focus, accepted)
        except (StanzaError, TimeoutError, XmppError) as error:
            log.warning("Jicofo did not take our answer", extra={"why": type(error).__name__})
            async with self._order:
                await self._session_over()

    async def _changed(self, media: BridgeConnection, action: str, asked: Element) -> None:
        if action == "source-add":
            media.add_sources(jingle.read_sources(asked))
        elif action == "source-remove":
            gone = jingle.read_removed(asked)
            media.remove_sources(gone)
            self._room.streams_gone(gone)
        elif action in ("transport-info", "transport-replace"):
            for found in asked.iter(f"{{{jingle.ICE}}}transport"):
                transport = jingle.read_transport(found)
                if transport.ufrag != media.offer.transport.ufrag:
                    self._restart(media)  # aiortc cannot restart ICE in place: a new session can
                    return
                await media.add_candidates(transport.candidates)

    def _intake(self, source: Source, wire: BridgeConnection) -> Intake:
        intake = Intake(
            source,
            wire.offer,
            wire,
            on_packet=lambda packet: self._room.packet(source.ssrc, packet),
            on_report=self._room.report,
        )
        self._room.stream_added(source, intake)
        return intake

    def _is_up(self, media: BridgeConnection) -> None:
        if media is self._media:
            self._room.up()

    def _is_down(self, media: BridgeConnection, reason: str) -> None:
        if media is self._media and not self._over:
            self._room.down("connection")
            self._restart(media)

    def _restart(self, media: BridgeConnection) -> None:
        """Tell Jicofo that this session broke, and that we want another."""
        if self._stream is not None:
            asked = jingle.terminate(media.offer, reason="connectivity-error", restart=True)
            focus = f"{self._address}/{presence.FOCUS_NICK}"
            self._soon(self._terminated(self._stream, focus, asked))

    async def _terminated(self, stream: Stream, focus: str, asked: Xml) -> None:
        async with self._order:
            await self._session_over()
        try:
            await stream.ask("set", focus, asked)
        except (StanzaError, TimeoutError, XmppError) as error:
            log.info("Jicofo did not take the end of a session", extra={"why": type(error).__name__})

    async def _session_over(self) -> None:
        self._offer = None
        self._session_ended_at = self._room.bridge.monotonic()
        await self._drop_media()

    async def _drop_media(self) -> None:
        media, self._media = self._media, None
        if media is not None:
            self._room.down("connection")
            self._room.streams_gone(list(media.intakes))
            await media.close()

    # Inside

    def _end(self, reason: str) -> None:
        if self._entering and reason == "encrypted":
            return  # whoever enters says so
        if not self._over:
            self._over = True
            self._on_over(reason)

    def _soon(self, work: Coroutine[Any, Any, None]) -> None:
        if self._over:
            work.close()
            return
        task = asyncio.get_running_loop().create_task(self._safely(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _safely(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception:  # the outermost loop of this participant
            log.exception("the recorder's place in a conference failed")
            self._end("failed")
