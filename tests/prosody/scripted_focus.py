"""A Jicofo that invites one recorder, and says what a test wants it to. It asks as strictly as the real one does."""

import asyncio
import contextlib
import itertools
from collections.abc import Iterable
from typing import Any

from tests.prosody.fake_bridge import ABS_SEND_TIME, OPUS, RTX, VP8, FakeBridge, Stream
from tests.prosody.stand import MUC, Stand
from tests.prosody.xmpp_client import Element, XmppClient, local_name

JINGLE = "urn:xmpp:jingle:1"
RTP = "urn:xmpp:jingle:apps:rtp:1"
ICE = "urn:xmpp:jingle:transports:ice-udp:1"
DTLS = "urn:xmpp:jingle:apps:dtls:0"
SCTP = "urn:xmpp:jingle:transports:dtls-sctp:1"
SSMA = "urn:xmpp:jingle:apps:rtp:ssma:0"
HEADERS = "urn:xmpp:jingle:apps:rtp:rtp-hdrext:0"
FOCUS = "http://jitsi.org/protocol/focus"
JITMEET = "http://jitsi.org/jitmeet"
CAPS = "http://jabber.org/protocol/caps"
DISCO = "http://jabber.org/protocol/disco#info"
JIBRI = "http://jitsi.org/protocol/jibri"
CLIENT = "jabber:client"

MUST = {
    JINGLE,
    "urn:xmpp:jingle:apps:rtp:audio",
    "urn:xmpp:jingle:apps:rtp:video",
    ICE,
    DTLS,
    SCTP,
    "urn:ietf:rfc:4588",
    "http://jitsi.org/remb",
    "http://jitsi.org/source-name",
    "http://jitsi.org/receive-multiple-video-streams",
}
MUST_NOT = {
    "http://jitsi.org/tcc",
    "http://jitsi.org/ssrc-rewriting-1",
    "http://jitsi.org/rtp-mid-demux",
    "http://jitsi.org/opus-red",
}
_sids = itertools.count(1)


class Focus:
    """The scripted Jicofo of one room. bridges: one for each session, the newest last."""

    def __init__(self, client: XmppClient, room: str) -> None:
        self.client = client
        self.room = f"{room}@{MUC}"
        self.recorder = ""  # occupant JID
        self.presence: Element | None = None
        self.entered = 0
        self.bridges: list[FakeBridge] = []
        self.sid = ""
        self.restarts = 0
        self.asked: list[Element] = []
        self.greets = True
        self.ready_after = 0  # how many times it says that the conference is not ready yet
        self.invites = True
        self.features: set[str] = set()
        self._streams: list[Stream] = []
        self._inviting: list[asyncio.Task[Any]] = []
        self._task = asyncio.create_task(self._serve())

    @classmethod
    async def open(cls, stand: Stand, room: str = "r7hq2m") -> "Focus":
        return cls(await stand.focus(room), room)

    @property
    def bridge(self) -> FakeBridge:
        return self.bridges[-1]

    async def close(self) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        for task in self._inviting:
            task.cancel()
        for failed in await asyncio.gather(*self._inviting, return_exceptions=True):
            assert not isinstance(failed, AssertionError), failed  # of what Jicofo expects of a client
        for bridge in self.bridges:
            await bridge.close()

    # What it hears

    async def _serve(self) -> None:
        while True:
            stanza = await self.client.wait_for(self._ours, within=3600)
            if local_name(stanza) == "presence":
                self.recorder, self.presence = stanza.get("from") or "", stanza
                self.entered += 1
                if self.invites:
                    self._inviting.append(asyncio.create_task(self.invite()))
            elif stanza.find(f"{{{FOCUS}}}conference") is not None:
                self._conference(stanza)
            else:
                self._jingle(stanza, stanza[0])

    def _ours(self, stanza: Element) -> bool:
        if local_name(stanza) == "presence":
            is_recorder = any(each.get("var") == JIBRI for each in stanza.iter(f"{{{CLIENT}}}feature"))
            return is_recorder and stanza.get("type") is None and stanza.get("from") != self.recorder
        return stanza.get("type") == "set" and (
            stanza.find(f"{{{FOCUS}}}conference") is not None or stanza.find(f"{{{JINGLE}}}jingle") is not None
        )

    def _conference(self, stanza: Element) -> None:
        asked = stanza.find(f"{{{FOCUS}}}conference")
        assert asked is not None
        self.asked.append(asked)
        assert asked.get("machine-uid")
        assert asked.get("visitors-version") is None, "it would be sent to a visitors' node"
        ready = "true" if len(self.asked) > self.ready_after else "false"
        self._result(
            stanza, f"<conference xmlns='{FOCUS}' ready='{ready}' room='{asked.get('room')}' focusjid='focus@auth'/>"
        )

    def _jingle(self, stanza: Element, jingle: Element) -> None:
        self._result(stanza)
        if jingle.get("action") == "session-accept":
            self._accepted(jingle)
        elif jingle.get("action") == "session-terminate":
            session = jingle.find(f"{{{FOCUS}}}bridge-session")
            if session is not None and session.get("restart") == "true":
                self.restarts += 1
                self._inviting.append(asyncio.create_task(self.initiate()))

    def _accepted(self, jingle: Element) -> None:
        assert jingle.get("sid") == self.sid
        assert not list(jingle.iter(f"{{{SSMA}}}source")), "a recorder sends nothing"
        contents = {each.get("name"): each for each in jingle.findall(f"{{{JINGLE}}}content")}
        assert set(contents) == {"audio", "video", "data"}
        for media, wanted in (("audio", {OPUS}), ("video", {VP8, RTX})):
            chosen = {int(each.get("id") or 0) for each in contents[media].iter(f"{{{RTP}}}payload-type")}
            assert wanted <= chosen
            assert 101 not in chosen, "VP9 cannot be recorded"
        transport = contents["data"].find(f"{{{ICE}}}transport")
        assert transport is not None
        fingerprint = transport.find(f"{{{DTLS}}}fingerprint")
        assert fingerprint is not None
        self.bridge.accepted(
            ufrag=transport.get("ufrag") or "",
            password=transport.get("pwd") or "",
            fingerprint=fingerprint.text or "",
            setup=fingerprint.get("setup") or "",
            candidates=[
                "{foundation} {component} {protocol} {priority} {ip} {port} typ {type}".format(**each.attrib)
                for each in transport.findall(f"{{{ICE}}}candidate")
            ],
        )

    # What it says

    async def invite(self) -> None:
        """Ask what the recorder can do, as Jicofo does first, then begin a session."""
        assert self.presence is not None
        caps = self.presence.find(f"{{{CAPS}}}c")
        assert caps is not None
        node = f"{caps.get('node')}#{caps.get('ver')}"
        answer = await self.client.ask(
            f"<iq type='get' to='{self.recorder}'><query xmlns='{DISCO}' node='{node}'/></iq>"
        )
        if answer.get("type") == "error":
            return  # it has left the room already
        self.features = {each.get("var") or "" for each in answer.iter(f"{{{DISCO}}}feature")}
        assert self.features >= MUST
        assert not self.features & MUST_NOT
        await self.initiate()

    async def initiate(self, *, change: Any = lambda xml: xml) -> Element:
        """Begin a session at a bridge of its own. change: what is done to the offer before it is sent."""
        bridge = FakeBridge(greets=self.greets)
        await bridge.gather()
        self.bridges.append(bridge)
        self.sid = f"sid{next(_sids)}"
        for stream in self._streams:
            bridge.carry(stream)
        return await self.say(change(self._offer(bridge)))

    async def say(self, jingle: str) -> Element:
        """Send the recorder a jingle and return its answer, which is to come at once."""
        return await self.client.ask(f"<iq type='set' to='{self.recorder}'>{jingle}</iq>")

    async def add(self, *streams: Stream, late: bool = True) -> None:
        """Somebody sends more from now on."""
        self._streams += streams
        if late:
            for stream in streams:
                self.bridge.carry(stream)
            await self.say(self._sources("source-add", streams))

    async def remove(self, *streams: Stream) -> None:
        for stream in streams:
            self._streams.remove(stream)
            self.bridge.drop(stream)
        await self.say(self._sources("source-remove", streams))

    def new_credentials(self) -> str:
        """Return the transport-info of a bridge that restarted ICE where it stands."""
        transport = f"<transport xmlns='{ICE}' ufrag='another' pwd='{self.bridge.password}'/>"
        content = f"<content name='audio' creator='initiator'>{transport}</content>"
        return f"<jingle xmlns='{JINGLE}' action='transport-info' sid='{self.sid}'>{content}</jingle>"

    async def terminate(self) -> None:
        old = self.bridge
        await self.say(f"<jingle xmlns='{JINGLE}' action='session-terminate' sid='{self.sid}'/>")
        await old.close()

    def _result(self, stanza: Element, inside: str = "") -> None:
        self.client.send(f"<iq type='result' to='{stanza.get('from')}' id='{stanza.get('id')}'>{inside}</iq>")

    def _sources(self, action: str, streams: Iterable[Stream]) -> str:
        contents = self._contents(list(streams))
        return f"<jingle xmlns='{JINGLE}' action='{action}' sid='{self.sid}'>{contents}</jingle>"

    @staticmethod
    def _contents(streams: list[Stream], inside: dict[str, str] | None = None) -> str:
        found = ""
        for media in ("audio", "video"):
            told = "".join(source_of(each) for each in streams if each.media == media)
            more = (inside or {}).get(media, "")
            after = (inside or {}).get(f"{media}-transport", "")
            if told or inside:
                found += (
                    f"<content name='{media}' creator='initiator'><description xmlns='{RTP}' media='{media}'>"
                    f"{more}{told}</description>{after}</content>"
                )
        return found

    def _offer(self, bridge: FakeBridge) -> str:
        candidates = "".join(_candidate(line, number) for number, line in enumerate(bridge.candidates))
        transport = (
            f"<transport xmlns='{ICE}' ufrag='{bridge.ufrag}' pwd='{bridge.password}'><rtcp-mux/>"
            f"<fingerprint xmlns='{DTLS}' hash='sha-256' setup='actpass' required='false'>{bridge.fingerprint}"
            f"</fingerprint>{candidates}"
        )
        sctp = f"<sctpmap xmlns='{SCTP}' number='5000' protocol='webrtc-datachannel' streams='1024'/>"
        audio = (
            f"<payload-type id='{OPUS}' name='opus' clockrate='48000' channels='2'>"
            "<parameter name='minptime' value='10'/><parameter name='useinbandfec' value='1'/></payload-type>"
            f"<rtp-hdrext xmlns='{HEADERS}' id='1' uri='urn:ietf:params:rtp-hdrext:ssrc-audio-level'/>"
        )
        video = (
            f"<payload-type id='{VP8}' name='VP8' clockrate='90000'/>"
            "<payload-type id='101' name='VP9' clockrate='90000'/>"
            "<payload-type id='107' name='H264' clockrate='90000'><parameter name='profile-level-id' value='42e01f'/>"
            "<parameter name='packetization-mode' value='1'/></payload-type>"
            f"<payload-type id='{RTX}' name='rtx' clockrate='90000'><parameter name='apt' value='{VP8}'/>"
            "</payload-type>"
            f"<rtp-hdrext xmlns='{HEADERS}' id='3' uri='{ABS_SEND_TIME}'/>"
        )
        jvb = f"<source xmlns='{SSMA}' ssrc='77' name='jvb-a0'><ssrc-info xmlns='{JITMEET}' owner='jvb'/></source>"
        inside = {"audio": audio + jvb, "video": video}
        inside |= {f"{media}-transport": f"{transport}</transport>" for media in ("audio", "video")}
        return (
            f"<jingle xmlns='{JINGLE}' action='session-initiate' initiator='{self.room}/focus' sid='{self.sid}'>"
            f"{self._contents(self._streams, inside)}"
            f"<content name='data' creator='initiator'>{transport}{sctp}</transport></content>"
            "<group xmlns='urn:xmpp:jingle:apps:grouping:0' semantics='BUNDLE'><content name='audio'/>"
            "<content name='video'/><content name='data'/></group>"
            f"<bridge-session xmlns='{FOCUS}' id='b{self.sid}' region='se'/></jingle>"
        )


def source_of(stream: Stream) -> str:
    """Return a stream as Jicofo signals it: one SSRC, its layers stripped, with its owner."""
    kind = " videoType='desktop'" if stream.share else ""
    info = f"<ssrc-info xmlns='{JITMEET}' owner='{stream.owner}'/>"
    found = f"<source xmlns='{SSMA}' ssrc='{stream.ssrc}' name='{stream.name}'{kind}>{info}</source>"
    if stream.media == "video":
        found += (
            f"<source xmlns='{SSMA}' ssrc='{stream.rtx}' name='{stream.name}'{kind}>{info}</source>"
            f"<ssrc-group xmlns='{SSMA}' semantics='FID'><source ssrc='{stream.ssrc}'/><source ssrc='{stream.rtx}'/>"
            "</ssrc-group>"
        )
    return found


def _candidate(line: str, number: int) -> str:
    foundation, component, protocol, priority, ip, port, _, kind = line.removeprefix("candidate:").split()[:8]
    return (
        f"<candidate foundation='{foundation}' component='{component}' protocol='{protocol}' priority='{priority}' "
        f"ip='{ip}' port='{port}' type='{kind}' generation='0' id='c{number}' network='0'/>"
    )
