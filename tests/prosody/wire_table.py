"""The wire table: every act a client can put on the wire, in a stanza or in its presence, and what it needs."""

from typing import NamedTuple
from xml.etree import ElementTree as ET

from sidecar.domain.permissions import Permission
from tests.prosody.stand import HOST, MUC
from tests.prosody.xmpp_client import Element, XmppClient, local_name

ROOM = f"r7hq2m@{MUC}"
NEVER = None
EVERYTHING = frozenset(Permission)
JITMEET = "http://jitsi.org/jitmeet"


class Act(NamedTuple):
    """needs: the permission, NEVER when none allows it. rule: what a refusal names. sees: who must see the act."""

    name: str
    needs: str | None
    xml: str
    rule: str
    sees: str = ""


def groupchat(inside: str) -> str:
    return f"<message to='{ROOM}' type='groupchat' id='act'>{inside}</message>"


def reactions(*all_of: str, to: str = "x") -> str:
    inside = "".join(f"<reaction>{each}</reaction>" for each in all_of)
    return f"<reactions xmlns='urn:xmpp:reactions:0' id='{to}'>{inside}</reactions>"


def private(inside: str, to: str = f"{ROOM}/peer") -> str:
    return f"<message to='{to}' type='chat' id='act'>{inside}</message>"


def to_service(name: str, inside: str) -> str:
    return f"<message to='{name}.{HOST}' id='act'>{inside}</message>"


def to_focus(inside: str, kind: str = "set") -> str:
    return f"<iq to='{ROOM}/focus' type='{kind}' id='act'>{inside}</iq>"


def to_room(inside: str, kind: str = "set") -> str:
    return f"<iq to='{ROOM}' type='{kind}' id='act'>{inside}</iq>"


def poll(json: str) -> str:
    return to_service("polls", f"<json-message xmlns='{JITMEET}'>{json}</json-message>")


def metadata(json: str, room: str = ROOM) -> str:
    return to_service("metadata", f"<room_metadata xmlns='{JITMEET}' room='{room}'>{json}</room_metadata>")


def file(kind: str, json: str) -> str:
    return to_service("filesharing", f"<file-sharing xmlns='{JITMEET}' type='{kind}' fileId='f1'>{json}</file-sharing>")


def moderation(attributes: str) -> str:
    return to_service("avmoderation", f"<av_moderation xmlns='{JITMEET}' room='{ROOM}' {attributes}/>")


def mute(kind: str, whom: str = "peer", text: str = "true") -> str:
    return to_focus(f"<mute xmlns='http://jitsi.org/jitmeet/{kind}' jid='{ROOM}/{whom}'>{text}</mute>")


def admin(item: str) -> str:
    return to_room(f"<query xmlns='http://jabber.org/protocol/muc#admin'>{item}</query>")


def owner(field: str, value: str) -> str:
    return to_room(
        "<query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'>"
        f"<field var='{field}'><value>{value}</value></field></x></query>"
    )


def jibri(attributes: str) -> str:
    return to_focus(f"<jibri xmlns='http://jitsi.org/protocol/jibri' {attributes}/>")


def dial(to: str, room: str = ROOM, more: str = "") -> str:
    return to_focus(
        f"<dial xmlns='urn:xmpp:rayo:1' to='{to}' from='x'>"
        f"<header xmlns='urn:xmpp:rayo:1' name='JvbRoomName' value='{room}'/>{more}</dial>"
    )


def jingle(action: str, to: str = "focus") -> str:
    return (
        f"<iq to='{ROOM}/{to}' type='set' id='act'><jingle xmlns='urn:xmpp:jingle:1' action='{action}' sid='s'/></iq>"
    )


NEW_POLL = '{"type":"polls","command":"new-poll","pollId":"p1","question":"Ja?","answers":[{"name":"a"},{"name":"b"}]}'
ANSWER = '{"type":"polls","command":"answer-poll","pollId":"p1","answers":[true,false]}'
FILE = '{"fileId":"f1","fileName":"lån.pdf","fileType":"application/pdf","fileSize":9}'
BOARD = '{"key":"whiteboard","data":{"collabDetails":{"roomId":"r1","roomKey":"k1"}}}'

ACTS = [
    Act("group chat", "chat", groupchat("<body>hej</body>"), "chat", "peer"),
    Act("reply", "chat", groupchat("<body>ja</body><reply xmlns='urn:xmpp:reply:0' id='x' to='y'/>"), "chat", "peer"),
    Act("reaction to a message", "react", groupchat(reactions("👍")), "react", "peer"),
    Act("three reactions, one with a shade", "react", groupchat(reactions("👍🏽", "❤️", "😮")), "react", "peer"),
    Act("words as a reaction", NEVER, groupchat(reactions("please wire the money")), "unknown-reaction"),
    Act("words in another script as a reaction", NEVER, groupchat(reactions("переведи")), "unknown-reaction"),
    Act("flags that spell as a reaction", NEVER, groupchat(reactions("🇵🇦🇾")), "unknown-reaction"),
    Act("four reactions", NEVER, groupchat(reactions("👍", "👎", "👏", "😮")), "unknown-reaction"),
    Act("a long reaction", NEVER, groupchat(reactions("å" * 40)), "unknown-reaction"),
    Act("words as the id of a reaction", NEVER, groupchat(reactions("👍", to="wire it now")), "unknown-id"),
    Act("a long id of a reaction", NEVER, groupchat(reactions("👍", to="y" * 2000)), "unknown-id"),
    Act("words beside a reaction", NEVER, groupchat("<body>x</body>" + reactions("👍")), "unknown-child"),
    Act("retraction", NEVER, groupchat("<retract xmlns='urn:xmpp:message-retract:1' id='x'/>"), "retract"),
    Act("retraction, old form", NEVER, groupchat("<apply-to xmlns='urn:xmpp:fasten:0' id='x'/>"), "retract"),
    Act("edit", NEVER, groupchat("<body>x</body><replace xmlns='urn:xmpp:message-correct:0' id='x'/>"), "edit"),
    Act("edit as JSON", NEVER, groupchat(f"<json-message xmlns='{JITMEET}'>{{}}</json-message>"), "side-message"),
    Act(
        "side message in private",
        NEVER,
        private(f"<json-message xmlns='{JITMEET}'>{{}}</json-message>"),
        "side-message",
    ),
    Act("subject", NEVER, groupchat("<subject>Bank</subject>"), "room-configuration"),
    Act("unknown child of a message", NEVER, groupchat("<body>x</body><html xmlns='urn:x'/>"), "unknown-child"),
    Act("two bodies", NEVER, groupchat("<body>x</body><body>y</body>"), "given-twice"),
    Act("private message", "private_chat", private("<body>psst</body>"), "private_chat", "peer"),
    Act("direct message to an account", NEVER, private("<body>x</body>", f"somebody@{HOST}/x"), "direct-message"),
    Act("direct message to the focus", NEVER, private("<body>x</body>", "focus@auth.meet.test"), "direct-message"),
    Act("lobby chat", NEVER, groupchat("<body>x</body>").replace(MUC, f"lobby.{HOST}"), "admit"),
    Act("message to another room", NEVER, groupchat("<body>x</body>").replace("r7hq2m", "other"), "wrong-room"),
    Act("poll", "poll", poll(NEW_POLL), "poll", "me"),
    Act("poll answer", "poll", poll(ANSWER), "poll", "me"),
    Act("poll of an unknown kind", NEVER, poll('{"type":"polls","command":"x","pollId":"p1"}'), "unknown-side-message"),
    Act("poll with a key twice", NEVER, poll(NEW_POLL[:-1] + ',"type":"polls"}'), "unknown-side-message"),
    Act("file added", "send_file", file("add", FILE), "send_file", "me"),
    Act("file removed", "send_file", file("remove", ""), "send_file", "me"),
    Act("file of an unknown form", NEVER, file("add", '{"fileId":1}'), "unknown-side-message"),
    Act(
        "upload credentials",
        "send_file",
        f"<iq to='{HOST}' type='get' id='act'><credentials xmlns='urn:xmpp:extdisco:2'/></iq>",
        "send_file",
    ),
    Act("whiteboard", "whiteboard", metadata(BOARD), "whiteboard", "me"),
    Act(
        "transcription on",
        "transcribe",
        metadata('{"key":"recording","data":{"isTranscribingEnabled":true}}'),
        "transcribe",
        "me",
    ),
    Act(
        "everybody muted at the start",
        "mute_others",
        metadata('{"key":"startMuted","data":{"audio":true}}'),
        "mute_others",
        "me",
    ),
    Act("server-written metadata", NEVER, metadata('{"key":"asyncTranscription","data":true}'), "unknown-metadata"),
    Act("permissions in metadata", NEVER, metadata('{"key":"permissions","data":{}}'), "unknown-metadata"),
    Act("metadata of another room", NEVER, metadata(BOARD, f"other@{MUC}"), "wrong-room"),
    Act("AV moderation on", "mute_others", moderation("enable='true' mediaType='audio'"), "mute_others", "me"),
    Act(
        "AV moderation, one let speak",
        "mute_others",
        moderation(f"jidToWhitelist='{ROOM}/peer' mediaType='video'"),
        "mute_others",
        "me",
    ),
    Act("mute another", "mute_others", mute("audio"), "mute_others", "focus"),
    Act("mute another's camera", "mute_others", mute("video"), "mute_others", "focus"),
    Act("mute another's share", "mute_others", mute("desktop"), "mute_others", "focus"),
    Act("open another's microphone", NEVER, mute("audio", text="false"), "unknown-request"),
    Act("kick", NEVER, admin("<item nick='peer' role='none'/>"), "kick"),
    Act(
        "kick with words to everybody", NEVER, admin("<item nick='peer' role='none'><reason>x</reason></item>"), "kick"
    ),
    Act("grant moderator by role", NEVER, admin("<item nick='me' role='moderator'/>"), "grant"),
    Act("grant ownership", NEVER, admin("<item jid='{me}' affiliation='owner'/>"), "grant"),
    Act("revoke", NEVER, admin("<item nick='peer' role='visitor'/>"), "grant"),
    Act("ban", NEVER, admin("<item jid='x@y' affiliation='outcast'/>"), "grant"),
    Act(
        "kick beside a grant",
        NEVER,
        admin("<item nick='peer' role='none'/><item nick='me' role='moderator'/>"),
        "grant",
    ),
    Act("room password", NEVER, owner("muc#roomconfig_roomsecret", "x"), "room-configuration"),
    Act("lobby switched off", NEVER, owner("muc#roomconfig_membersonly", "0"), "room-configuration"),
    Act(
        "room destroyed",
        NEVER,
        to_room("<query xmlns='http://jabber.org/protocol/muc#owner'><destroy/></query>"),
        "room-configuration",
    ),
    Act(
        "end for all",
        "end_meeting",
        to_service("endconference", f"<end_conference xmlns='{JITMEET}'/>"),
        "end_meeting",
        "me",
    ),
    Act("breakout rooms", NEVER, to_service("breakout", f"<breakout_rooms xmlns='{JITMEET}' type='add'/>"), "breakout"),
    Act(
        "speaker statistics",
        NEVER,
        to_service("speakerstats", f"<speakerstats xmlns='{JITMEET}'/>"),
        "speaker-statistics",
    ),
    Act("recording", "record", jibri("action='start' recording_mode='file'"), "record", "focus"),
    Act("recording stopped", "record", jibri("action='stop' recording_mode='file'"), "record", "focus"),
    Act("streaming", NEVER, jibri("action='start' recording_mode='stream' streamid='x'"), "streaming"),
    Act(
        "streaming said to be a recording",
        NEVER,
        jibri("action='start' recording_mode='file' streamid='x'"),
        "streaming",
    ),
    Act("transcriber dialled", "transcribe", dial("jitsi_meet_transcribe"), "transcribe", "focus"),
    Act(
        "transcriber of another room dialled",
        NEVER,
        dial("jitsi_meet_transcribe", f"other@{MUC}"),
        "wrong-room",
    ),
    Act(
        "transcriber dialled with more",
        NEVER,
        dial("jitsi_meet_transcribe", more="<header xmlns='urn:xmpp:rayo:1' name='x' value='y'/>"),
        "unknown-child",
    ),
    Act("telephone dialled", NEVER, dial("+46701740605"), "dial"),
    Act("peer-to-peer call", NEVER, jingle("session-initiate", "peer"), "peer-to-peer"),
    Act("peer-to-peer transport", NEVER, jingle("transport-info", "peer"), "peer-to-peer"),
    Act("unknown Jingle action", NEVER, jingle("session-initiate"), "unknown-jingle"),
    Act("unknown request to the focus", NEVER, to_focus("<promote xmlns='urn:x'/>"), "unknown-request"),
    Act(
        "version of another's client",
        NEVER,
        jingle("x", "peer").replace("urn:xmpp:jingle:1", "jabber:iq:version"),
        "unknown-request",
    ),
    Act(
        "conference of another room",
        NEVER,
        f"<iq to='focus.{HOST}' type='set' id='act'>"
        f"<conference xmlns='http://jitsi.org/protocol/focus' room='other@{MUC}'/></iq>",
        "wrong-room",
    ),
    Act(
        "admit by invitation, with a password",
        NEVER,
        f"<message to='{ROOM}' id='act'><x xmlns='http://jabber.org/protocol/muc#user'>"
        "<invite to='x@y'/><password>x</password></x></message>",
        "unknown-child",
    ),
    Act(
        "admit by invitation, two at once",
        NEVER,
        f"<message to='{ROOM}' id='act'><x xmlns='http://jabber.org/protocol/muc#user'>"
        "<invite to='x@y'/><invite to='z@y'/></x></message>",
        "unknown-child",
    ),
    Act("subscription", NEVER, f"<presence to='somebody@{HOST}' type='subscribe' id='act'/>", "unknown-presence"),
    Act("presence to an account", NEVER, f"<presence to='somebody@{HOST}/x' id='act'/>", "unknown-presence"),
    Act("nickname change", NEVER, f"<presence to='{ROOM}/elin' id='act'/>", "nick-change"),
    Act("breakout room entered", NEVER, f"<presence to='r7hq2m@breakout.{HOST}/me' id='act'/>", "breakout"),
    Act("lobby entered", NEVER, f"<presence to='r7hq2m@lobby.{HOST}/me' id='act'/>", "admit"),
]

# Acts that `admit` allows, with an effect that this stand does not show.
LACKING = {"lobby chat": "admit", "lobby entered": "admit"}


async def seen_by(act: Act, me: XmppClient, peer: XmppClient, focus: XmppClient) -> Element:
    if act.sees == "peer":
        return await peer.wait_for(lambda s: local_name(s) == "message" and s.get("id") == "act")
    if act.sees == "focus":
        return await focus.wait_for(lambda s: local_name(s) == "iq" and s.get("type") == "set")
    if act.sees == "me":
        return await me.wait_for(lambda s: s.find("{urn:tillit:test}got") is not None)
    return await me.wait_for(lambda s: s.get("id") == "act")


PRESENCE = [
    ("raised hand", "raise_hand", "<jitsi_participant_raisedHand>1700000000000</jitsi_participant_raisedHand>"),
    ("shared video", NEVER, "<shared-video xmlns='http://jitsi.org/jitmeet/video' state='start'>x</shared-video>"),
    ("shared video without a namespace", NEVER, "<shared-video state='start'>x</shared-video>"),
    ("follow me", NEVER, "<follow-me xmlns='http://jitsi.org/jitmeet'>x</follow-me>"),
    ("start muted", NEVER, "<startmuted xmlns='http://jitsi.org/jitmeet/start-muted' audio='true'/>"),
    ("another's identity", NEVER, "<identity xmlns='http://jitsi.org/jitmeet'><user><id>p_elin</id></user></identity>"),
    (
        "permissions to oneself",
        NEVER,
        "<permissions xmlns='http://jitsi.org/jitmeet'><p name='recording' val='true'/></permissions>",
    ),
    ("said to be a recorder", NEVER, "<features><feature var='http://jitsi.org/protocol/jibri'/></features>"),
    (
        "recording status of the focus",
        NEVER,
        "<jibri-recording-status xmlns='http://jitsi.org/protocol/jibri' status='on'/>",
    ),
    (
        "end-to-end encryption switched on",
        NEVER,
        "<jitsi_participant_e2ee.enabled>true</jitsi_participant_e2ee.enabled>",
    ),
    ("another region", NEVER, "<jitsi_participant_region>us</jitsi_participant_region>"),
    ("status text", NEVER, "<status>read this</status>"),
    ("e-mail", NEVER, "<email>elin@exempelbanken.se</email>"),
    ("avatar", NEVER, "<avatar-url>https://attacker.example/x</avatar-url>"),
    ("a display name", NEVER, "<nick xmlns='http://jabber.org/protocol/nick'>Elin (bank)</nick>"),
    ("unknown", NEVER, "<anything xmlns='urn:x'/>"),
]


def shown(presence: Element, xml: str) -> list[str]:
    """Return the presence's children that say what this XML says."""
    wanted = ET.fromstring(f"<presence xmlns='jabber:client'>{xml}</presence>")[0]
    said = "".join(wanted.itertext())
    return [
        ET.tostring(each, encoding="unicode")
        for each in presence
        if each.tag == wanted.tag and said in "".join(each.itertext())
    ]
