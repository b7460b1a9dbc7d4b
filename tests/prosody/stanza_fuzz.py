"""Stanzas nobody wrote: the wire table's acts, taken apart and put together wrongly, sent by three hostile clients.

What a victim, the focus and the components see is held against the permissions of whoever sent it. One client has no
permission, one has those of an ordinary person, one has every one there is.
"""

import asyncio
import contextlib
import json
import re
import time
from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import dataclass, field
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from hypothesis import strategies as st

from tests.prosody.source_focus import Source, SourceFocus
from tests.prosody.stand import HOST, MUC, Stand, somebody
from tests.prosody.wire_table import ACTS, EVERYTHING, PRESENCE, ROOM
from tests.prosody.xmpp_client import CLIENT, PATIENCE_S, Element, RefusedError, XmppClient, local_name

HELD: dict[str, frozenset[str]] = {
    "nobody": frozenset(),
    "person": frozenset({"speak", "chat", "raise_hand"}),
    "everybody": EVERYTHING,
}
_JINGLE = "urn:xmpp:jingle:1"
_SSMA = "urn:xmpp:jingle:apps:rtp:ssma:0"
_GOT = "{urn:tillit:test}got"

ET.register_namespace("", CLIENT)

# --- the grammar ----------------------------------------------------------------------------------------------


def _jingle(action: str, media: str, name: str, kind: str, ssrc: int = 7) -> str:
    group = f"<ssrc-group xmlns='{_SSMA}' semantics='FID'><source ssrc='7'/></ssrc-group>" if ssrc == 7 else ""
    return (
        f"<iq to='{ROOM}/focus' type='set' id='act'><jingle xmlns='{_JINGLE}' action='{action}' sid='s'>"
        f"<content name='{media}' creator='responder'><description xmlns='urn:xmpp:jingle:apps:rtp:1' media='{media}'>"
        f"<source xmlns='{_SSMA}' ssrc='{ssrc}' name='{name}' videoType='{kind}'>"
        "<parameter name='cname' value='x'/></source>"
        f"{group}</description></content></jingle></iq>"
    )


def _presences() -> Iterable[str]:
    for _, _, xml in PRESENCE:
        yield f"<presence to='{ROOM}/me'>{xml}</presence>"
    for name in ("me-a0", "me-v0", "me-v1", "peer-v0", "nobody-v1"):
        for said in ({"muted": False}, {"muted": False, "videoType": "desktop"}, {"muted": True, "videoType": None}):
            text = escape(json.dumps({name: said}))
            yield f"<presence to='{ROOM}/me'><SourceInfo>{text}</SourceInfo></presence>"


SEEDS = [
    *(act.xml for act in ACTS),
    *_presences(),
    *(
        _jingle(action, media, name, kind, ssrc)
        for action in ("source-add", "session-accept", "transport-accept", "source-remove", "session-terminate")
        for media, name, kind in (("audio", "me-a0", ""), ("video", "me-v0", "camera"), ("video", "me-v1", "desktop"))
        for ssrc in (7, 8, 9)
    ),
    f"<iq to='{ROOM}/focus' type='result' id='act'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>",
    f"<iq to='{ROOM}' type='get' id='act'><query xmlns='http://jabber.org/protocol/disco#items'/></iq>",
    "<presence type='unavailable'/>",
]

_ADDRESSES = [
    ROOM, f"{ROOM}/peer", f"{ROOM}/focus", f"{ROOM}/me", f"other@{MUC}", f"other@{MUC}/x", MUC, HOST,
    f"r7hq2m@lobby.{HOST}", f"r7hq2m@lobby.{HOST}/x", f"polls.{HOST}", f"metadata.{HOST}", f"focus.{HOST}",
    f"endconference.{HOST}", "focus@auth.meet.test", "focus@auth.meet.test/x", f"x@{HOST}", f"x@{HOST}/y", "",
    "@", "/", "a@b@c", f"{ROOM}/", f"R7HQ2M@{MUC}/peer", f"{ROOM}/Pe\u0301er", f"{ROOM}/{'n' * 1100}",
    "elsewhere.example",
]  # fmt: skip
_NAMESPACES = sorted(
    {tag[1:].partition("}")[0] for xml in SEEDS for tag in (e.tag for e in ET.fromstring(xml).iter()) if tag[0] == "{"}
    | {"", "urn:x", CLIENT, "http://jabber.org/protocol/muc", "jabber:x:data", "urn:xmpp:rsm:0", _SSMA}
)
_NAMES = sorted({local_name(each) for xml in SEEDS for each in ET.fromstring(xml).iter()} | {"x", "error", "item"})
_ATTRIBUTES = sorted({name for xml in SEEDS for each in ET.fromstring(xml).iter() for name in each.attrib} | {"from"})
_JSON = [
    "{}", "[]", "null", '{"key":null}', '{"key":"whiteboard","data":[]}', '{"key":"recording","data":{"x":1}}',
    '{"type":"polls","command":"new-poll","pollId":"p","question":"q","answers":[[]]}',
    '{"type":"polls","command":"answer-poll","pollId":"p","answers":{"1":true}}', '{"me-v1":{"videoType":"desktop"}}',
    '{"me-v1":{"muted":1e9}}', '{"me-v0":{"muted":false},"me-v0":{"videoType":"desktop"}}',
    '{"a":' * 40 + "1" + "}" * 40,
    '{"fileId":"f","fileName":"\\ud800","fileType":"x"}', '"' * 9, '{"me-v1":"\\u0000"}',
]  # fmt: skip
_words = st.one_of(
    st.sampled_from(
        [
            "true",
            "false",
            "",
            "0",
            "-1",
            "none",
            "moderator",
            "owner",
            "desktop",
            "x" * 9000,
            "å" * 40,
            "\ufffd",
            "%s%n",
        ]
    ),
    st.sampled_from(_JSON),
    st.sampled_from(_ADDRESSES),
    st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"], exclude_characters="\ufffe\uffff"), max_size=20),
)


def _parents(root: Element) -> list[Element]:
    return list(root.iter())


def _mutation(draw: Callable[[st.SearchStrategy[object]], object], root: Element) -> None:
    """Change one thing about a stanza. What it is named stays: Prosody knows three kinds."""

    def one(options: Iterable[object]) -> object:
        return draw(st.sampled_from(list(options)))

    element = one(_parents(root))
    assert isinstance(element, ET.Element)
    kind = one(range(11))
    if kind == 0:
        root.set("to", str(one(_ADDRESSES)))
    elif kind == 1:
        root.set(
            "type",
            str(one(["get", "set", "result", "error", "groupchat", "chat", "normal", "unavailable", "probe", "x"])),
        )
    elif kind == 2:
        element.set(str(one(_ATTRIBUTES)), str(draw(_words)))
    elif kind == 3 and element.attrib:
        del element.attrib[str(one(element.attrib))]
    elif kind == 4:
        element.text = str(draw(_words))
    elif kind == 5 and element is not root:
        element.tag = f"{{{one(_NAMESPACES)}}}{local_name(element)}"
    elif kind == 6 and element is not root:
        element.tag = element.tag.rpartition("}")[0] + "}" * ("}" in element.tag) + str(one(_NAMES))
    elif kind == 7 and len(element):
        element.append(deepcopy(element[0]))
    elif kind == 8 and len(element):
        element.remove(element[0])
    elif kind == 9:
        other = ET.fromstring(str(one(SEEDS)))
        for child in other:
            element.append(deepcopy(child))
    else:
        made = ET.SubElement(element, f"{{{one(_NAMESPACES)}}}{one(_NAMES)}")
        made.text = str(draw(_words))


@st.composite
def stanzas(draw: Callable[[st.SearchStrategy[object]], object]) -> tuple[str, str]:
    """Return who sends, and the XML."""
    sender = str(draw(st.sampled_from(sorted(HELD))))
    root = ET.fromstring(str(draw(st.sampled_from(SEEDS))))
    for _ in range(int(str(draw(st.integers(0, 4))))):
        _mutation(draw, root)
    for element in root.iter():  # without a namespace the client's is meant, as any client would write it
        if not element.tag.startswith("{"):
            element.tag = f"{{{CLIENT}}}{element.tag}"
        elif element.tag.startswith("{}"):
            element.tag = element.tag[2:]
    written = ET.tostring(root, encoding="unicode")
    return sender, written.replace(f'xmlns="{CLIENT}"', f"xmlns='{CLIENT}'", 1)  # as the client's `send` looks for it


bursts = st.lists(stanzas(), min_size=20, max_size=20)

# --- what may be seen -----------------------------------------------------------------------------------------

_CHAT = frozenset(
    {f"{{{CLIENT}}}body", "{urn:xmpp:sid:0}origin-id", "{urn:xmpp:reply:0}reply", "{urn:xmpp:fallback:0}fallback",
     "{urn:xmpp:reactions:0}reactions", "{http://jabber.org/protocol/muc#user}x", "{urn:xmpp:occupant-id:0}occupant-id"}
)  # fmt: skip
_SELF = frozenset(
    {"{http://jabber.org/protocol/muc#user}x", "{http://jabber.org/protocol/muc}x", "{http://jabber.org/protocol/caps}c",
     "{http://jabber.org/protocol/nick}nick", "{http://jitsi.org/jitmeet/audio}audiomuted",
     "{http://jitsi.org/jitmeet/video}videomuted", "{urn:xmpp:occupant-id:0}occupant-id",
     *(f"{{{CLIENT}}}{name}" for name in ("audiomuted", "videomuted", "videoType", "stats-id", "show", "SourceInfo",
       "jitsi_participant_codecType", "jitsi_participant_codecList", "jitsi_participant_region",
       "jitsi_participant_raisedHand"))}
)  # fmt: skip
_TO_FOCUS = {
    "{http://jitsi.org/protocol/jibri}jibri": "record",
    "{http://jitsi.org/jitmeet/audio}mute": "mute_others",
    "{http://jitsi.org/jitmeet/video}mute": "mute_others",
    "{http://jitsi.org/jitmeet/desktop}mute": "mute_others",
    "{urn:xmpp:rayo:1}dial": "transcribe",
}
_GOT_NEEDS = {
    "polls": "poll", "filesharing": "send_file", "avmoderation": "mute_others", "endconference": "end_meeting",
}  # fmt: skip


def forbidden(sender: str, stanza: Element) -> str:
    """Return why nobody should have seen this stanza of that sender's, "" where it is in order."""
    held, name = HELD[sender], local_name(stanza)
    if stanza.get("type") == "error":
        return ""
    if name == "presence":
        return _forbidden_presence(held, sender, stanza)
    if name == "message":
        return _forbidden_message(held, stanza)
    return _forbidden_iq(held, sender, stanza)


def _forbidden_presence(held: frozenset[str], sender: str, stanza: Element) -> str:
    if stanza.get("type") == "unavailable":
        return ""
    strange = [each.tag for each in stanza if each.tag not in _SELF]
    if strange:
        return f"a presence with {strange[0]}"
    tags = [each.tag for each in stanza if local_name(each) != "x"]  # the server's own <x/> stands beside the client's
    if len(tags) != len(set(tags)):
        return "a child of a presence given twice"
    nick = stanza.findtext("{http://jabber.org/protocol/nick}nick")
    if nick is not None and nick != sender.capitalize():
        return f"the display name {nick!r}"
    if (stanza.findtext(f"{{{CLIENT}}}jitsi_participant_region") or "se") != "se":
        return "another region"
    if stanza.find(f"{{{CLIENT}}}jitsi_participant_raisedHand") is not None and "raise_hand" not in held:
        return "a raised hand"
    for item in stanza.iter("{http://jabber.org/protocol/muc#user}item"):
        if (item.get("role") == "moderator" and sender != "everybody") or item.get("affiliation") not in ("none", None):
            return "a role that the token did not give"
    info = stanza.findtext(f"{{{CLIENT}}}SourceInfo")
    return _forbidden_sources(held, sender, json.loads(info)) if info else ""


def _forbidden_sources(held: frozenset[str], sender: str, sources: dict[str, dict[str, object]]) -> str:
    for name, said in sources.items():
        if not re.fullmatch(rf"{sender}-[av]\d\d?", name):
            return f"a source named {name!r}"
        kind = "share_window" if str(said.get("videoType", "")).startswith("desktop") else "show_camera"
        needed = "speak" if f"{sender}-a" in name else kind
        if needed not in held and not (said.get("muted") is True and needed != "share_window"):
            return f"a source that needs {needed}"
    return ""


def crowded(sources: Iterable[Source]) -> str:
    """Return what somebody sends more of than they may, "" where that is in order."""
    names: dict[str, set[str]] = {}
    for each in sources:
        kind = "sounds" if "-a" in each.name else "shares" if each.kind.startswith("desktop") else "cameras"
        names.setdefault(kind, set()).add(each.name)
    most = {"sounds": 2, "shares": 1, "cameras": 1}
    return ", ".join(f"{len(found)} {kind}" for kind, found in names.items() if len(found) > most[kind])


def _forbidden_message(held: frozenset[str], stanza: Element) -> str:
    got = stanza.find(_GOT)
    if got is not None:
        service = str(stanza.get("from")).partition(".")[0]
        if service == "metadata":
            return "" if held & {"whiteboard", "transcribe", "mute_others"} else "metadata"
        needed = _GOT_NEEDS.get(service)
        return "" if needed and needed in held else f"a message at {service}"
    if stanza.find("{http://jabber.org/protocol/muc#user}x/{http://jabber.org/protocol/muc#user}invite") is not None:
        reason = stanza.findtext(".//{http://jabber.org/protocol/muc#user}reason")
        return "" if "admit" in held and not reason else "an invitation"
    if not str(stanza.get("from")).startswith(ROOM):
        return f"a message from {stanza.get('from')}"
    strange = [each.tag for each in stanza if each.tag not in _CHAT]
    if strange:
        return f"a message with {strange[0]}"
    has_words = stanza.find(f"{{{CLIENT}}}body") is not None
    needed = "chat" if stanza.get("type") == "groupchat" else "private_chat"
    if has_words and needed not in held:
        return "a message without the right to chat"
    reactions = stanza.find("{urn:xmpp:reactions:0}reactions")
    if reactions is not None and "react" not in held:
        return "a reaction without the right to react"
    if reactions is not None and (len(reactions) > 3 or any(c.isalnum() for c in "".join(reactions.itertext()))):
        return "words as a reaction"
    return ""


def _forbidden_iq(held: frozenset[str], sender: str, stanza: Element) -> str:
    if stanza.get("type") == "result" or len(stanza) == 0:
        return ""
    payload = stanza[0]
    if stanza.get("type") == "get":
        return "" if "disco#" in payload.tag or "urn:xmpp:ping" in payload.tag else f"a request {payload.tag}"
    if payload.tag == f"{{{_JINGLE}}}jingle":
        offered = payload.get("action") in ("source-add", "session-accept", "transport-accept")
        for source in stanza.iter(f"{{{_SSMA}}}source"):
            name = source.get("name")
            if offered and name:
                why = _forbidden_sources(held, sender, {name: {"videoType": source.get("videoType") or ""}})
                if why:
                    return why
        return ""
    needed = _TO_FOCUS.get(payload.tag)
    if needed == "mute_others" and payload.get("jid") == f"{ROOM}/{sender}":
        return ""
    return "" if needed and needed in held else f"a request {payload.tag}"


# --- the scene ------------------------------------------------------------------------------------------------


@dataclass
class Fuzzed:
    """The room, kept as it should be between bursts: whoever was put out comes back."""

    stand: Stand
    jicofo: SourceFocus | None = None
    clients: dict[str, XmppClient] = field(default_factory=dict)
    sent: int = 0
    cut: int = 0  # how often Prosody ended a stream, which says that it could not read what we sent

    async def ready(self) -> None:
        """Bring everybody (back) in."""
        if self.jicofo is None or not self._is_in("focus"):
            self.jicofo = await SourceFocus.open(self.stand)
            self.clients["focus"] = self.jicofo.client
        for name, held in {**HELD, "peer": frozenset({"speak"})}.items():
            if not self._is_in(name):
                self.clients[name] = await self._joined(name, held)
                self.jicofo.sids.pop(name, None)
            if name not in self.jicofo.sids:
                await self.jicofo.offer(self.clients[name], name, "s")

    def _is_in(self, name: str) -> bool:
        client = self.clients.get(name)
        return client is not None and not client.closed.is_set()

    async def _joined(self, name: str, held: frozenset[str]) -> XmppClient:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            with contextlib.suppress(RefusedError):  # the nickname of a connection that just ended may be taken still
                return await self.stand.person(name, held, user_id=somebody(), moderator=name == "everybody")
            await asyncio.sleep(0.05)
        return await self.stand.person(name, held, user_id=somebody(), moderator=name == "everybody")

    async def burst(self, acts: list[tuple[str, str]]) -> None:
        """Send a burst and hold what was seen against the senders' rights. Raises AssertionError naming the act."""
        for sender in HELD:
            mine = [xml for who, xml in acts if who == sender]
            if mine:
                await self._burst_of(sender, mine)

    async def _burst_of(self, sender: str, acts: list[str]) -> None:
        await self.ready()
        for client in self.clients.values():
            client.inbox.clear()
        me = self.clients[sender]
        for xml in acts:
            me.send(xml.replace(f"{ROOM}/me", f"{ROOM}/{sender}").replace("me-", f"{sender}-").replace("{me}", me.jid))
            self.sent += 1
        for client in (me, self.clients["peer"], self.clients["focus"]):
            with contextlib.suppress(ConnectionError):
                await client.settle()
        self.cut += me.closed.is_set()
        for watcher in ("peer", "focus"):
            seen = [s for s in self.clients[watcher].inbox if str(s.get("from")).startswith(f"{ROOM}/{sender}")]
            for stanza in seen:
                self._hold(sender, stanza, watcher, acts)
        if self.jicofo is not None:
            self.jicofo.take_all()
            why = crowded(self.jicofo.held[sender].sources)
            assert not why, f"Jicofo has {why} of {sender} after\n" + "\n".join(acts)
        for stanza in me.inbox:
            if stanza.find(_GOT) is not None and local_name(stanza) == "message":
                self._hold(sender, stanza, "a component", acts)
        strangers = {
            str(s.get("from"))
            for s in self.clients["peer"].inbox
            if local_name(s) == "presence" and s.get("type") is None
        } - {f"{ROOM}/{name}" for name in (*HELD, "peer", "focus")}
        assert not strangers, f"{strangers} appeared after {acts}"
        if self.clients["peer"].closed.is_set():
            raise AssertionError(f"{sender} put the victim out with {acts}")
        for name in (sender, *HELD, "peer"):
            await self._still_in(name)

    def _hold(self, sender: str, stanza: Element, watcher: str, acts: list[str]) -> None:
        why = forbidden(sender, stanza)
        shown = ET.tostring(stanza, encoding="unicode")
        assert not why, f"{watcher} saw {why} of {sender}:\n{shown}\nafter\n" + "\n".join(acts)

    async def _still_in(self, name: str) -> None:
        """Forget a client that left or was put out, so that it comes back."""
        client = self.clients[name]
        if any(s.get("type") == "unavailable" and s.get("from") == f"{ROOM}/{name}" for s in client.inbox):
            await client.close()
            client.closed.set()

    async def serves(self) -> None:
        """Return when a newcomer gets in and is seen: Prosody is well. Raises otherwise."""
        await self.ready()
        late = await self.stand.person("late", ["speak"], user_id=somebody())
        await self.clients["peer"].wait_for(lambda s: s.get("from") == f"{ROOM}/late")
        await late.close()


def lua_faults(log: str) -> list[str]:
    """Return the lines of Prosody's log that tell of an error in Lua."""
    return [line for line in log.splitlines() if "\terror\t" in line or "raceback" in line or "attempt to " in line]
