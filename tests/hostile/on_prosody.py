"""The hostile client on Prosody: logged in with a token of our own making, speaking raw XMPP, with none of our pages.

A watching victim and a scripted focus stand in the room: an act counts as done when one of them, or the component it
is for, sees its effect, whatever the client was answered.
"""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from xml.etree import ElementTree as ET

from sidecar.domain.clock import to_text, utc_now
from sidecar.domain.jws import local_signing_key, new_private_key
from sidecar.domain.permissions import Capacity
from sidecar.domain.policy import Situation, encryption_for, jitsi_features
from tests.hostile.columns import Cell, Column, shipped_policy
from tests.hostile.needs import ALWAYS, NOBODY, Needs, allows, either, needs
from tests.prosody.source_focus import OFFERS, SourceFocus
from tests.prosody.stand import HOST, MUC, Stand, somebody
from tests.prosody.wire_table import (
    ACTS,
    PRESENCE,
    admin,
    dial,
    groupchat,
    jibri,
    private,
    shown,
)
from tests.prosody.xmpp_client import PATIENCE_S, Element, RefusedError, XmppClient, local_name, rule_of

GOT = "{urn:tillit:test}got"
SOURCE = "{urn:xmpp:jingle:apps:rtp:ssma:0}source"
LOBBY = f"r7hq2m@lobby.{HOST}"


@dataclass
class Scene:
    """One room with the hostile client, its victim and the focus in it."""

    stand: Stand
    column: Column
    room: str
    who: str
    jicofo: SourceFocus
    me: XmppClient
    peer: XmppClient
    waiting: XmppClient | None = None
    cells: dict[str, Cell] = field(default_factory=dict)

    @property
    def focus(self) -> XmppClient:
        return self.jicofo.client

    def here(self, xml: str) -> str:
        """Return an act's XML for this room and these people."""
        return xml.replace("r7hq2m", self.room).replace("{me}", self.me.jid).replace("{peer}", self.peer.jid)

    def token(self, who: str, **changes: object) -> str:
        return token_for(self.stand, self.column, who, **{"room": self.room} | changes)

    async def settled(self) -> None:
        """Return when what was sent is dealt with and everything it caused has arrived."""
        for client in (self.me, self.peer, self.focus):
            if not client.closed.is_set():
                await client.settle()

    def clear(self) -> None:
        for client in (self.me, self.peer, self.focus):
            client.inbox.clear()

    def note(self, name: str, needed: Needs, *, done: bool, rule: str = "") -> None:
        assert name not in self.cells, name
        self.cells[name] = Cell(allows(needed, self.column.permissions), done, "" if done else rule)


def token_for(stand: Stand, column: Column, who: str, **changes: object) -> str:
    """Return the join token the sidecar would mint for this capacity."""
    policy, meeting_type = shipped_policy(), shipped_policy().types[column.type_ref]
    where = Situation(meeting_type, column.segment, frozenset(policy.packages), column.capacity)
    claims: dict[str, object] = {
        "user_id": who,
        "moderator": column.capacity is Capacity.ADVISER,
        "features": jitsi_features(column.permissions),
        "band": column.band,
        "type_ref": column.type_ref,
        "capacity": column.capacity,
        "encryption": encryption_for(policy, where),
    }
    return stand.token("me", column.permissions, **claims | changes)


# --- getting in -----------------------------------------------------------------------------------------------


async def _entry(scene: Scene) -> None:
    """Doors that must not open for anybody, whatever the token grants."""
    stand, room = scene.stand, scene.room
    spent = scene.token(somebody())
    first = await stand.connect(spent, room)
    await first.join(f"{room}@{MUC}", "twice")
    await first.close()

    async def enters(token: str, *, claimed: str = room, entered: str = room, nick: str = "x", inside: str = "") -> str:
        try:
            client = await stand.connect(token, claimed)
            await client.join(f"{entered}@{MUC}", nick, inside=inside)
        except RefusedError as refused:
            return refused.text or refused.condition
        except (ConnectionError, TimeoutError):
            return "closed"
        await client.close()
        return ""

    now = utc_now()
    head, payload, signature = scene.token(somebody()).split(".")
    forged = f"{head}.{payload[:-6]}{'A' * 6}.{signature}"
    foreign = local_signing_key("RS256", new_private_key("RS256"))
    tries: dict[str, Awaitable[str]] = {
        "log in without a token": enters(""),
        "log in with a changed token": enters(forged),
        "log in with another's key": enters(scene.token(somebody(), key=foreign)),
        "log in with a token of another shard": enters(scene.token(somebody(), audience="shard-fi")),
        "log in with an old token": enters(scene.token(somebody(), now=now - timedelta(minutes=10))),
        "use a token twice": enters(spent, nick="again"),
        "token of another room": enters(scene.token(somebody()), claimed=f"{room}x", entered=f"{room}x"),
        "enter another room than the token's": enters(scene.token(somebody()), entered=f"{room}x"),
        "make a room": enters(scene.token(somebody(), room=f"{room}new"), claimed=f"{room}new", entered=f"{room}new"),
        "enter under a nickname in use": enters(scene.token(somebody()), nick="peer"),
    }
    for name, attempt in tries.items():
        rule = await attempt
        scene.note(name, (), done=rule == "", rule=rule)
    scene.note("enter with a token", ALWAYS, done=not await enters(scene.token(somebody()), nick="fresh"))


# --- presence -------------------------------------------------------------------------------------------------

SOUND, CAMERA, SHARE = ("speak",), ("show_camera",), ("share_window", "share_screen")
MEDIA: tuple[tuple[str, tuple[str, ...], str, dict[str, object]], ...] = (
    ("sound", SOUND, "me-a0", {"muted": False}),
    ("camera", CAMERA, "me-v0", {"muted": False}),
    ("screen share", SHARE, "me-v1", {"muted": False, "videoType": "desktop"}),
)


def _source_info(sources: dict[str, dict[str, object]]) -> str:
    return "<SourceInfo>" + json.dumps(sources).replace('"', "&quot;") + "</SourceInfo>"


async def _until_told(scene: Scene, kind: str, rule: str, who: str = "") -> str:
    told = {"rule": rule, "participant": who or scene.who}
    try:
        await asyncio.to_thread(scene.stand.sidecar.wait_for_event, kind, within=30.0, **told)
    except AssertionError:
        return ""
    return rule


_PRESENCE_RULES = {
    "raised hand": "raise_hand",
    "end-to-end encryption switched on": "encryption",
    "another region": "region",
    "a display name": "verified-name",
}


async def _presence(scene: Scene, seen_at_join: Element) -> None:
    """Each child of a presence, alone, in a change; and all of them together at the join."""
    for name, permission, xml in PRESENCE:
        needed = needs(permission) if permission else NOBODY
        rule = _PRESENCE_RULES.get(name, "unknown-child")
        for moment in ("at the join", "in a change"):
            presence = seen_at_join
            if moment == "in a change":
                presence = await _changed(scene, xml)
            done = bool(shown(presence, xml))
            scene.note(
                f"{name} {moment}",
                needed,
                done=done,
                rule="" if done else await _until_told(scene, "message.dropped", rule),
            )
    for name, permissions, source, said in MEDIA:
        rule = "share_window" if permissions is SHARE else permissions[0]
        for moment in ("at the join", "in a change"):
            presence = seen_at_join
            if moment == "in a change":
                presence = await _changed(scene, _source_info({source: said}))
            text = presence.findtext("{jabber:client}SourceInfo") or "{}"
            done = source in json.loads(text)
            told = "" if done else await _until_told(scene, "track.dropped", rule)
            scene.note(f"{name} in SourceInfo {moment}", either(*permissions), done=done, rule=told)
    presence = await _changed(scene, _source_info({"peer-v0": {"muted": False}}))
    done = "peer-v0" in (presence.findtext("{jabber:client}SourceInfo") or "")
    told = "" if done else await _until_told(scene, "track.dropped", "unknown-source")
    scene.note("another's source in SourceInfo", NOBODY, done=done, rule=told)


async def _changed(scene: Scene, xml: str) -> Element:
    """Send a presence with this in it and return what the victim sees of it."""
    scene.peer.inbox.clear()
    scene.me.send(scene.here(f"<presence to='r7hq2m@{MUC}/me'>{xml}</presence>"))
    return await scene.peer.wait_for(lambda s: s.get("from") == f"{scene.room}@{MUC}/me")


# --- Jingle ---------------------------------------------------------------------------------------------------


def _jingle(action: str, *sources: tuple[str, str, str]) -> str:
    """sources: (media, name, video type)."""
    contents = ""
    for number, (media, name, video_type) in enumerate(sources, start=1):
        kind = f" videoType='{video_type}'" if video_type else ""
        contents += (
            f"<content name='{media}' creator='responder'><description xmlns='urn:xmpp:jingle:apps:rtp:1' "
            f"media='{media}'><source xmlns='urn:xmpp:jingle:apps:rtp:ssma:0' ssrc='{number}' name='{name}'{kind}/>"
            "</description></content>"
        )
    return (
        f"<iq type='set' to='r7hq2m@{MUC}/focus' id='act'>"
        f"<jingle xmlns='urn:xmpp:jingle:1' action='{action}' sid='s1'>{contents}</jingle></iq>"
    )


def _removal(ssrc: int, name: str) -> str:
    return _jingle("source-remove", ("video", name, "")).replace("ssrc='1'", f"ssrc='{ssrc}'")


_OFFERS = {
    "sound": ("audio", "me-a0", ""),
    "camera": ("video", "me-v0", ""),
    "screen share": ("video", "me-v1", "desktop"),
}


async def _offered(scene: Scene, xml: str) -> tuple[list[str], str]:
    """Return the names of the sources that reach Jicofo, which takes or refuses them, and the rule of a refusal."""
    scene.clear()
    scene.me.send(scene.here(xml))
    await scene.settled()
    offered = [iq for iq in scene.focus.inbox if len(iq) and iq[0].get("action") in OFFERS]
    names = [str(s.get("name")) for iq in offered for s in iq.iter(SOURCE) if s.get("name")]
    scene.jicofo.take_all()
    await scene.settled()
    refused = next((s for s in scene.me.inbox if s.get("id") == "act" and s.get("type") == "error"), None)
    return names, rule_of(refused) if refused is not None else ""


async def _sources(scene: Scene) -> None:
    """Each act in a session of its own, which Jicofo offers."""
    for name, permissions, _, _ in MEDIA:
        rule = "share_window" if permissions is SHARE else permissions[0]
        offer = _OFFERS[name]
        for action in ("source-add", "session-accept", "transport-accept"):
            await scene.jicofo.offer(scene.me)
            names, refused = await _offered(scene, _jingle(action, offer))
            done = offer[1] in names
            told = "" if done else refused or await _until_told(scene, "track.dropped", rule)
            scene.note(f"{name} by {action}", either(*permissions), done=done, rule=told)
    camera, second, sounds = (
        ("video", "me-v0", ""),
        ("video", "me-v2", ""),
        [("audio", f"me-a{n}", "") for n in range(3)],
    )
    # The last stanza of each is the act; what goes before may be refused or not.
    wrong = {
        "second camera": ([_jingle("session-accept", camera, second)], "me-v2"),
        "second camera after a removal that Jicofo refuses": (
            [_jingle("session-accept", camera), _removal(4242, "me-v0"), _jingle("source-add", second)],
            "me-v2",
        ),
        "second camera after the end of no session": (
            [
                _jingle("session-accept", camera),
                _jingle("session-terminate").replace("s1", "s9"),
                _jingle("source-add", second),
            ],
            "me-v2",
        ),
        "third sound": ([_jingle("session-accept", *sounds)], "me-a2"),
        "source in a session of nobody's": ([_jingle("source-add", camera).replace("s1", "s9")], "me-v0"),
        "another's source": ([_jingle("source-add", ("video", "peer-v0", ""))], "peer-v0"),
        "share of an unknown kind": ([_jingle("source-add", ("video", "me-v1", "DESKTOP"))], "me-v1"),
        "picture said to be sound": ([_jingle("source-add", ("audio", "me-v0", ""))], "me-v0"),
    }
    held = scene.column.permissions
    for name, (steps, source) in wrong.items():
        await scene.jicofo.offer(scene.me)
        for step in steps:
            names, refused = await _offered(scene, step)
        done = source in names
        cut = (
            ("too-many-sounds" if "speak" in held else "speak")
            if name == "third sound"
            else ("too-many-pictures" if "show_camera" in held else "show_camera")
        )
        rule = "" if done else refused or await _until_told(scene, "track.dropped", cut)
        scene.note(name, NOBODY, done=done, rule=rule)


# --- stanzas --------------------------------------------------------------------------------------------------

_MUC = "<x xmlns='http://jabber.org/protocol/muc'/>"
_MUC_USER = "http://jabber.org/protocol/muc#user"
_DESTRUCTIVE = {"kick"}
# Rows of the table that need more than one permission, or another than the wire table's own stand can show.
_NEEDS: dict[str, Needs] = {
    "lobby chat": needs("admit", "chat"),
    "lobby entered": needs("admit"),
}
_MORE: tuple[tuple[str, Needs, str], ...] = (
    (
        "admit by invitation, alone",
        needs("admit"),
        f"<message to='r7hq2m@{MUC}' id='act'><x xmlns='{_MUC_USER}'><invite to='{{peer}}'/></x></message>",
    ),
    (
        "private lobby chat",
        needs("admit", "private_chat"),
        f"<message to='{LOBBY}/waiting' type='chat' id='act'><body>x</body></message>",
    ),
    (
        "deny somebody who waits",
        needs("admit"),
        admin("<item nick='waiting' role='none'/>").replace(f"r7hq2m@{MUC}", LOBBY),
    ),
    ("chat as somebody else", NOBODY, groupchat("<body>x</body><nick>Elin</nick>")),
    (
        "private message with a side message",
        NOBODY,
        private("<body>x</body><json-message xmlns='http://jitsi.org/jitmeet'>{}</json-message>"),
    ),
    ("recording under another's key", NOBODY, jibri("action='start' recording_mode='file' you_tube_broadcast_id='x'")),
    ("transcriber dialled by number", NOBODY, dial("sip:transcribe@example.org")),
)


def _effects(scene: Scene, name: str) -> list[Element]:
    """Return what anybody saw of an act: the watchers, the components' echo, the lobby."""
    room = f"{scene.room}@{MUC}"
    found = [s for s in scene.me.inbox if s.find(GOT) is not None]
    found += [
        s
        for client in (scene.peer, scene.focus)
        for s in client.inbox
        if local_name(s) in ("message", "iq") and s.get("type") != "result" and s.get("type") != "error"
    ]
    found += [
        s
        for s in scene.peer.inbox
        if local_name(s) == "presence" and s.get("type") == "unavailable" and s.get("from") == f"{room}/peer"
    ]
    if name == "lobby entered":
        found += [
            s for s in scene.me.inbox if str(s.get("from")).startswith(f"{scene.room}@lobby.") and s.get("type") is None
        ]
    if scene.waiting is not None:
        found += [s for s in scene.waiting.inbox if local_name(s) == "message"]
        found += [
            s for s in scene.waiting.inbox if s.get("type") == "unavailable" and str(s.get("from")).endswith("/waiting")
        ]
        scene.waiting.inbox.clear()
    changed = {"subscribe", "subscribed"}
    found += [s for s in scene.peer.inbox if s.get("type") in changed]
    found += [
        s
        for s in scene.peer.inbox
        if local_name(s) == "presence"
        and re.search(r"/(me|elin)$", str(s.get("from")))
        and ("role" in ET.tostring(s, encoding="unicode") or str(s.get("from")).endswith("/elin"))
    ]
    return found


async def _stanza(scene: Scene, name: str, needed: Needs, xml: str) -> None:
    scene.clear()
    if scene.waiting is not None:
        scene.waiting.inbox.clear()
    scene.me.send(scene.here(xml))
    await scene.settled()
    if scene.waiting is not None:
        await scene.waiting.settle()
    answer = next((s for s in scene.me.inbox if s.get("id") == "act"), None)
    effects = _effects(scene, name)
    refused = rule_of(answer) if answer is not None and answer.get("type") == "error" else ""
    # An act answered with a result and seen by nobody (upload credentials) is done as well.
    answered = answer is not None and answer.get("type") == "result"
    echo = answer is not None and refused == "" and answer.get("type") == "error"
    done = bool(effects) or answered or (echo and name in _ANSWERED_BY_PROSODY)
    scene.note(name, needed, done=done, rule=refused)


# Prosody's own module for these is not loaded in the stand: what passes our gate is answered by Prosody itself with
# an error that names no rule of ours.
_ANSWERED_BY_PROSODY = {"upload credentials"}


async def _stanzas(scene: Scene) -> None:
    rows = [
        (act.name, _NEEDS.get(act.name) or ((needs(act.needs),)[0] if act.needs else NOBODY), act.xml) for act in ACTS
    ]
    last = [row for row in rows if row[0] in _DESTRUCTIVE]
    lobby_first = [row for row in rows if row[0] == "lobby entered"]
    for name, needed, xml in lobby_first:
        await _stanza(scene, name, needed, xml.replace(" id='act'/>", f" id='act'>{_MUC}</presence>"))
    # Somebody waits in the lobby; the focus opens it when the hostile client could not.
    scene.waiting = await scene.stand.account("focus")
    await scene.waiting.join(f"{scene.room}@lobby.{HOST}", "waiting")
    for name, needed, xml in rows:
        if (name, needed, xml) not in last + lobby_first:
            await _stanza(scene, name, needed, xml)
    for name, needed, xml in _MORE:
        await _stanza(scene, name, needed, xml)
    for name, needed, xml in last:
        await _stanza(scene, name, needed, xml)


# --- without a place in the room ------------------------------------------------------------------------------

_OUTSIDE = ("group chat", "private message", "poll", "mute another", "kick", "end for all", "recording")
_STRICT = "jitsi_participant_e2ee.enabled"


async def _from_outside(scene: Scene, client: XmppClient, when: str) -> None:
    """Let a client that is not in the room try what others may do inside."""
    for name in _OUTSIDE:
        [act] = [each for each in ACTS if each.name == name]
        scene.clear()
        client.inbox.clear()
        client.send(scene.here(act.xml))
        answer = await client.wait_for(lambda s: s.get("id") == "act" or s.find(GOT) is not None)
        await scene.settled()
        refused = rule_of(answer) if answer.get("type") == "error" else ""
        scene.note(f"{name} {when}", NOBODY, done=bool(_effects(scene, name)) or not refused, rule=refused)


async def _out_of_place(scene: Scene) -> None:
    """Acts of several steps: rights without a place in the room, and beyond its end."""
    stand, room, who = scene.stand, scene.room, somebody()
    first, second, third = (scene.token(who) for _ in range(3))
    spare = await stand.connect(first, room)
    await _from_outside(scene, spare, "before going in")
    goes = await stand.connect(second, room)
    await goes.join(f"{room}@{MUC}", "goes")
    goes.send(f"<presence to='{room}@{MUC}/goes' type='unavailable'/>")
    await goes.wait_for(lambda s: s.get("type") == "unavailable")
    await _from_outside(scene, goes, "after leaving")

    answer = await stand.command("DELETE", f"/v1/rooms/{room}/participants/{who}?reason=expelled")
    assert answer.status_code == 204
    for client, name in ((spare, "another login kept"), (goes, "the connection kept")):
        try:
            async with asyncio.timeout(PATIENCE_S):
                await client.closed.wait()
            scene.note(f"{name} after an expulsion", NOBODY, done=False, rule="closed")
        except TimeoutError:
            scene.note(f"{name} after an expulsion", NOBODY, done=True)
    try:
        await stand.connect(third, room)
        scene.note("log in again after an expulsion", NOBODY, done=True)
    except RefusedError as refused:
        scene.note("log in again after an expulsion", NOBODY, done=False, rule=refused.text)


async def _encryption_off(scene: Scene) -> None:
    """In a strict meeting a client may say that it encrypts, and not that it stopped."""
    who = somebody()
    client = await scene.stand.connect(scene.token(who, encryption="strict"), scene.room)
    await client.join(f"{scene.room}@{MUC}", "strict", inside=f"<{_STRICT}>true</{_STRICT}>")
    scene.peer.inbox.clear()
    client.send(f"<presence to='{scene.room}@{MUC}/strict'><{_STRICT}>false</{_STRICT}></presence>")
    seen = await scene.peer.wait_for(lambda s: s.get("from") == f"{scene.room}@{MUC}/strict")
    done = seen.findtext("{jabber:client}" + _STRICT) == "false"
    told = "" if done else await _until_told(scene, "message.dropped", "encryption", who)
    scene.note("end-to-end encryption switched off in a strict meeting", NOBODY, done=done, rule=told)


async def _overstays(stand: Stand, column: Column, room: str) -> tuple[str, XmppClient]:
    """Let somebody in whose session ends a second later, while other acts are tried."""
    who = somebody()
    client = await stand.connect(token_for(stand, column, who, room=room), room)
    await client.join(f"{room}@{MUC}", "stays")
    soon = {"permissions": sorted(column.permissions), "session_until": to_text(utc_now() + timedelta(seconds=1))}
    answer = await stand.command("PUT", f"/v1/rooms/{room}/participants/{who}/permissions", soon)
    assert answer.status_code == 204
    return who, client


async def _stays_after_expiry(scene: Scene, who: str, client: XmppClient) -> None:
    try:
        async with asyncio.timeout(PATIENCE_S):
            await client.closed.wait()
    except TimeoutError:
        scene.note("stay after expiry", NOBODY, done=True)
        return
    ended = await asyncio.to_thread(scene.stand.sidecar.wait_for_event, "session.ended", participant=who)
    scene.note("stay after expiry", NOBODY, done=False, rule=ended["data"]["reason"])


# --- one column -----------------------------------------------------------------------------------------------


async def try_column(stand: Stand, column: Column, room: str) -> dict[str, Cell]:
    """Try every act of the table as this capacity and return what became of each."""
    who = somebody()
    jicofo = await SourceFocus.open(stand, room)
    overstays = await _overstays(stand, column, room)
    peer = await stand.person("peer", ["speak"], room=room)
    everything = "".join(xml for _, _, xml in PRESENCE)
    everything += _source_info({source: said for _, _, source, said in MEDIA})
    me = await stand.connect(token_for(stand, column, who, room=room), room)
    peer.inbox.clear()
    await me.join(f"{room}@{MUC}", "me", inside=everything)
    seen_at_join = await peer.wait_for(lambda s: s.get("from") == f"{room}@{MUC}/me")
    scene = Scene(stand, column, room, who, jicofo, me, peer)
    attempts: list[Callable[[Scene], Awaitable[None]]] = [_entry, _out_of_place, _encryption_off, _sources, _stanzas]
    await _presence(scene, seen_at_join)
    for attempt in attempts:
        await attempt(scene)
    await _stays_after_expiry(scene, *overstays)
    await stand.close_clients()
    return scene.cells
