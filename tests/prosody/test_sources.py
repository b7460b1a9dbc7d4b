"""Screen shares and pictures: in presence and in Jingle, only what the permissions cover reaches the room."""

import asyncio
import json
from datetime import timedelta
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from sidecar.domain.clock import to_text, utc_now
from tests.prosody.conftest import Run
from tests.prosody.source_focus import SourceFocus, is_jingle
from tests.prosody.stand import MUC, Stand, somebody
from tests.prosody.xmpp_client import PATIENCE_S, Element, XmppClient, local_name, rule_of

ROOM = f"r7hq2m@{MUC}"
SOURCE = "{urn:xmpp:jingle:apps:rtp:ssma:0}source"
GROUP = "{urn:xmpp:jingle:apps:rtp:ssma:0}ssrc-group"
SOURCE_INFO = "{jabber:client}SourceInfo"
ALL_MEDIA = ("speak", "show_camera", "share_window")


def source(ssrc: int | str, name: str, kind: str = "", msid: str = "") -> str:
    video_type = f" videoType='{kind}'" if kind else ""
    inside = f"<parameter name='msid' value='{msid}'/>" if msid else ""
    return f"<source xmlns='urn:xmpp:jingle:apps:rtp:ssma:0' ssrc='{ssrc}' name='{name}'{video_type}>{inside}</source>"


def group(*ssrcs: int, semantics: str = "FID") -> str:
    members = "".join(f"<source ssrc='{ssrc}'/>" for ssrc in ssrcs)
    return f"<ssrc-group xmlns='urn:xmpp:jingle:apps:rtp:ssma:0' semantics='{semantics}'>{members}</ssrc-group>"


def jingle(action: str, *, audio: str = "", video: str = "", raw: str = "", sid: str = "s1") -> str:
    contents = "".join(
        f"<content name='{media}' creator='responder'>"
        f"<description xmlns='urn:xmpp:jingle:apps:rtp:1' media='{media}'>{inside}</description></content>"
        for media, inside in (("audio", audio), ("video", video))
        if inside
    )
    return (
        f"<iq type='set' to='{ROOM}/focus' id='j'>"
        f"<jingle xmlns='urn:xmpp:jingle:1' action='{action}' sid='{sid}'>{contents}{raw}</jingle></iq>"
    )


def names(stanza: Element) -> list[str]:
    return [str(each.get("name")) for each in stanza.iter(SOURCE) if each.get("name")]


async def offered(me: XmppClient, focus: SourceFocus, xml: str) -> Element | str:
    """Return what reaches the focus, which answers it, or the rule of our own refusal."""
    focus.client.inbox.clear()
    me.send(xml)
    await me.settle()
    refused = [s for s in me.inbox if s.get("id") == "j" and s.get("type") == "error"]
    if refused:
        me.inbox.remove(refused[0])
        assert [s for s in focus.client.inbox if local_name(s) == "iq"] == []
        return rule_of(refused[0])
    found = await focus.next()
    done = focus.take(found)
    answer = await me.wait_for(lambda s: s.get("id") == "j")
    assert answer.get("type") == ("result" if done else "error")
    return found


async def offers(me: XmppClient, focus: SourceFocus, xml: str) -> bool:
    """Let a change pass our gate and say whether Jicofo took it."""
    before = repr(focus.held)
    assert isinstance(await offered(me, focus, xml), ET.Element)
    return repr(focus.held) != before


CAMERA, SHARE, SOUND = source(1, "me-v0"), source(2, "me-v1", "desktop"), source(3, "me-a0")

ADDED = [
    ("camera", ("show_camera",), {"video": CAMERA}, ["me-v0"]),
    ("camera without the right", ("speak", "share_window"), {"video": CAMERA}, "show_camera"),
    ("share", ("share_window",), {"video": SHARE}, ["me-v1"]),
    ("share of the screen", ("share_screen",), {"video": SHARE}, ["me-v1"]),
    ("share without the right", ("speak", "show_camera"), {"video": SHARE}, "share_window"),
    ("share at a high rate", ("show_camera",), {"video": source(2, "me-v1", "desktop_high_fps")}, "share_window"),
    ("share of an unknown kind", ALL_MEDIA, {"video": source(2, "me-v1", "DESKTOP")}, "unknown-source"),
    ("sound without the right", ("show_camera",), {"audio": SOUND}, "speak"),
    ("sound", ("speak",), {"audio": SOUND}, ["me-a0"]),
    ("second camera", ALL_MEDIA, {"video": CAMERA + source(4, "me-v2")}, "too-many-pictures"),
    ("camera twice", ALL_MEDIA, {"video": CAMERA + source(4, "me-v1")}, "too-many-pictures"),
    ("camera and share", ALL_MEDIA, {"video": CAMERA + SHARE}, ["me-v0", "me-v1"]),
    ("another's source", ALL_MEDIA, {"video": source(1, "peer-v0")}, "unknown-source"),
    ("a source without a name", ALL_MEDIA, {"video": source(1, "")}, "unknown-source"),
    ("picture said to be sound", ("speak",), {"audio": CAMERA}, "unknown-source"),
    ("sound said to be a picture", ("show_camera",), {"video": SOUND}, "unknown-source"),
    ("another namespace", ALL_MEDIA, {"video": CAMERA.replace("ssma:0", "ssma:1")}, "unknown-source"),
    ("outside a description", ALL_MEDIA, {"raw": f"<content name='video'>{CAMERA}</content>"}, "unknown-source"),
    (
        "inside what nobody reads",
        ALL_MEDIA,
        {"raw": f"<content xmlns='urn:xmpp:jingle:1' name='video'><x xmlns='urn:x'>{CAMERA}</x></content>"},
        "unknown-source",
    ),
    ("inside another part of a description", ALL_MEDIA, {"video": f"<x xmlns='urn:x'>{CAMERA}</x>"}, "unknown-source"),
    ("beside the contents", ALL_MEDIA, {"raw": f"<group xmlns='urn:x'>{SHARE}</group>"}, "unknown-source"),
    (
        "as JSON",
        ALL_MEDIA,
        {"raw": "<json-message xmlns='http://jitsi.org/jitmeet'>{}</json-message>"},
        "unknown-source",
    ),
    ("a third sound", ALL_MEDIA, {"audio": "".join(source(n, f"me-a{n}") for n in range(1, 4))}, "too-many-sounds"),
    ("microphone and sound of a share", ALL_MEDIA, {"audio": SOUND + source(4, "me-a1")}, ["me-a0", "me-a1"]),
    ("one SSRC twice", ALL_MEDIA, {"audio": SOUND, "video": source(3, "me-v0")}, "given-twice"),
    ("an SSRC written otherwise", ALL_MEDIA, {"video": source("01", "me-v0")}, "unknown-source"),
    ("an SSRC of 33 bits", ALL_MEDIA, {"video": source(1 << 32, "me-v0")}, "unknown-source"),
    ("two kinds under one name", ALL_MEDIA, {"video": CAMERA + source(4, "me-v0", "desktop")}, "unknown-source"),
    ("too many layers", ALL_MEDIA, {"video": "".join(source(n, "me-v0") for n in range(1, 8))}, "too-many-sources"),
]


@pytest.mark.requirement("R035", "R204", "R216")
@pytest.mark.parametrize(("name", "held", "inside", "expected"), ADDED, ids=[row[0] for row in ADDED])
def test_source_add(name: str, held: tuple[str, ...], inside: dict[str, str], expected: Any, run: Run) -> None:
    async def test(stand: Stand) -> None:
        focus = await SourceFocus.open(stand)
        who = somebody()
        me = await stand.person("me", held, user_id=who)
        await focus.offer(me)
        found = await offered(me, focus, jingle("source-add", **inside))
        assert (found if isinstance(found, str) else names(found)) == expected
        if isinstance(expected, str):
            stand.sidecar.wait_for_event("track.dropped", rule=expected, participant=who)

    run(test)


@pytest.mark.requirement("R035", "R216")
@pytest.mark.parametrize("action", ["session-accept", "transport-accept"])
def test_an_accept_goes_on_without_the_share(action: str, run: Run) -> None:
    """Refused as a whole, it would keep the person out of the meeting."""

    async def test(stand: Stand) -> None:
        focus = await SourceFocus.open(stand)
        me = await stand.person("me", ["speak", "show_camera"])
        await focus.offer(me)
        layers = CAMERA + source(11, "me-v0") + group(1, 11)
        share = SHARE + source(12, "me-v1", "desktop") + group(2, 12)
        found = await offered(me, focus, jingle(action, audio=SOUND, video=layers + share))

        assert isinstance(found, Element)
        assert sorted(set(names(found))) == ["me-a0", "me-v0"]
        groups = [[each.get("ssrc") for each in found_group] for found_group in found.iter(GROUP)]
        assert groups == [["1", "11"]]

    run(test)


def test_a_second_picture_cannot_be_added_to_an_accepted_one(run: Run) -> None:
    async def test(stand: Stand) -> None:
        focus = await SourceFocus.open(stand)
        me = await stand.person("me", ["show_camera"])
        await focus.offer(me)
        await offered(me, focus, jingle("session-accept", video=CAMERA))
        assert await offered(me, focus, jingle("source-add", video=source(9, "me-v1"))) == "too-many-pictures"
        assert await offered(me, focus, jingle("source-add", video=source(9, "me-v0"))) == "given-twice"
        await offered(me, focus, jingle("source-remove", video=CAMERA))
        assert names(await offered(me, focus, jingle("source-add", video=source(9, "me-v1")))) == ["me-v1"]  # type: ignore[arg-type]

    run(test)


def rights(*permissions: str) -> dict[str, Any]:
    return {"permissions": list(permissions), "session_until": to_text(utc_now() + timedelta(hours=1))}


async def withdraws(stand: Stand, who: str, *left: str) -> None:
    answer = await stand.command("PUT", f"/v1/rooms/r7hq2m/participants/{who}/permissions", rights(*left))
    assert answer.status_code == 204


async def sends(stand: Stand, *held: str) -> tuple[SourceFocus, XmppClient, str]:
    """Return a focus, somebody with these permissions whom it has offered a session, and their id."""
    focus, who = await SourceFocus.open(stand), somebody()
    me = await stand.person("me", held, user_id=who)
    await focus.offer(me)
    return focus, me, who


def layers(name: str, first: int, kind: str = "") -> str:
    """Return a picture in three layers, each with its retransmissions, as browsers send it."""
    ssrcs = range(first, first + 6)
    groups = group(*ssrcs[:3], semantics="SIM") + "".join(group(a, a + 3) for a in ssrcs[:3])
    return "".join(source(ssrc, name, kind, msid=f"m-{name}") for ssrc in ssrcs) + groups


@pytest.mark.requirement("R035", "R204", "R216")
def test_a_removal_that_jicofo_refuses_makes_no_room_for_a_second_picture(run: Run) -> None:
    """Jicofo removes by SSRC, and nothing where one of them is unknown."""

    async def test(stand: Stand) -> None:
        focus, me, _ = await sends(stand, "show_camera")
        await offered(me, focus, jingle("session-accept", video=CAMERA))
        assert not await offers(me, focus, jingle("source-remove", video=source(4242, "me-v0")))
        assert await offered(me, focus, jingle("source-add", video=source(9, "me-v1"))) == "too-many-pictures"
        assert not await offers(me, focus, jingle("source-remove", video=CAMERA + source(4242, "me-v0")))
        assert await offered(me, focus, jingle("source-add", video=source(9, "me-v0"))) == "given-twice"
        assert focus.held["me"].names == ["me-v0"]

    run(test)


@pytest.mark.requirement("R035", "R204", "R216")
@pytest.mark.parametrize("how", ["permission", "command"])
def test_a_share_is_taken_back_whatever_its_sender_said_to_have_removed(how: str, run: Run) -> None:
    async def test(stand: Stand) -> None:
        focus, me, who = await sends(stand, "speak", "share_window")
        await stand.person("elin", ["mute_others"], moderator=True)
        await offered(me, focus, jingle("session-accept", audio=SOUND, video=layers("me-v1", 20, "desktop")))
        assert focus.held["me"].names == ["me-a0", "me-v1"]
        assert not await offers(me, focus, jingle("source-remove", video=source(4242, "me-v1", "desktop")))
        assert await offered(me, focus, jingle("session-terminate", sid="bogus")) == "wrong-session"
        await offered(me, focus, jingle("session-accept"))
        await offered(me, focus, jingle("transport-accept"))
        if how == "permission":
            await withdraws(stand, who, "speak")
        else:
            path = f"/v1/rooms/r7hq2m/participants/{who}/mute"
            assert (await stand.command("POST", path, {"kind": "share"})).status_code == 204
        assert focus.take(await focus.next())
        assert focus.held["me"].names == ["me-a0"]
        await me.settle()
        if how == "command":  # the right is still there: another share may begin, once this one is gone
            assert names(await offered(me, focus, jingle("source-add", video=SHARE))) == ["me-v1"]  # type: ignore[arg-type]

    run(test)


@pytest.mark.requirement("R035", "R204", "R216")
def test_what_jicofo_refused_does_not_spoil_the_withdrawal_of_the_rest(run: Run) -> None:
    async def test(stand: Stand) -> None:
        focus, me, who = await sends(stand, "speak", "show_camera")
        peer = await stand.person("peer", ["speak"])
        await focus.offer(peer, "peer", "s2")
        of_peer = jingle("session-accept", audio=source(777, "peer-a0"), sid="s2")
        assert await offers(peer, focus, of_peer)
        await offered(me, focus, jingle("session-accept", audio=SOUND, video=layers("me-v0", 20)))
        assert not await offers(me, focus, jingle("source-add", audio=source(777, "me-a1")))

        await withdraws(stand, who)

        for _ in range(2):
            assert focus.take(await focus.next())
        assert focus.held["me"].sources == set()
        assert focus.held["peer"].names == ["peer-a0"]
        await me.settle()

    run(test)


def test_a_group_across_two_names_is_cut(run: Run) -> None:
    """With it a part of one could not be taken back without the other: Jicofo would refuse."""

    async def test(stand: Stand) -> None:
        focus, me, _ = await sends(stand, "show_camera", "share_window")
        both = [
            source(n, name, kind, "m")
            for n, name, kind in ((1, "me-v0", ""), (2, "me-v1", "desktop"), (3, "me-v0", ""))
        ]
        xml = jingle(
            "session-accept", video="".join(both) + group(1, 2, 3, semantics="SIM") + group(1, 3, semantics="FEC")
        )
        found = await offered(me, focus, xml)
        assert isinstance(found, ET.Element)
        assert list(found.iter(GROUP)) == []

    run(test)


@pytest.mark.requirement("R035", "R204")
def test_whose_source_cannot_be_taken_back_is_put_out(run: Run) -> None:
    async def test(stand: Stand) -> None:
        focus, me, who = await sends(stand, "share_window")
        await offered(me, focus, jingle("session-accept", video=SHARE))
        await withdraws(stand, who)
        focus.refuse(await focus.next())
        await asyncio.wait_for(me.closed.wait(), PATIENCE_S)
        stand.sidecar.wait_for_event("session.ended", participant=who, reason="source-stays")

    run(test)


@pytest.mark.requirement("R035", "R204")
def test_what_is_added_as_its_permission_goes_is_taken_back_once_jicofo_has_it(run: Run) -> None:
    async def test(stand: Stand) -> None:
        focus, me, who = await sends(stand, "share_window")
        me.send(jingle("source-add", video=SHARE))
        added = await focus.next()
        await withdraws(stand, who)
        assert not [s for s in focus.client.inbox if is_jingle(s)]
        assert focus.take(added)
        assert focus.take(await focus.next())
        assert focus.held["me"].sources == set()
        await me.settle()

    run(test)


def test_a_source_may_be_replaced_in_one_breath_as_browsers_do(run: Run) -> None:
    """The removal and the new source follow each other without waiting for Jicofo."""

    async def test(stand: Stand) -> None:
        focus, me, who = await sends(stand, "show_camera")
        await offered(me, focus, jingle("session-accept", video=layers("me-v0", 20)))
        me.send(jingle("source-remove", video=layers("me-v0", 20)))
        me.send(jingle("source-add", video=source(9, "me-v0")))
        for _ in range(2):
            assert focus.take(await focus.next())
        assert focus.held["me"].ssrcs == {9}
        for _ in range(2):
            assert (await me.wait_for(lambda s: s.get("id") == "j")).get("type") == "result"
        await withdraws(stand, who)
        assert focus.take(await focus.next())
        assert focus.held["me"].sources == set()

    run(test)


@pytest.mark.requirement("R204")
def test_a_part_of_a_picture_removed_makes_no_room_before_jicofo_has_agreed(run: Run) -> None:
    async def test(stand: Stand) -> None:
        focus, me, who = await sends(stand, "show_camera")
        await offered(me, focus, jingle("session-accept", video=layers("me-v0", 20)))
        me.send(jingle("source-remove", video=source(21, "me-v0")))  # Jicofo will not leave the rest without it
        me.send(jingle("source-remove", video="".join(source(n, "me-v0") for n in (20, 22, 23, 24, 25))))
        me.send(jingle("source-add", video=source(9, "me-v0")))
        refused = await me.wait_for(lambda s: s.get("id") == "j")
        assert rule_of(refused) == "given-twice"
        assert [focus.take(await focus.next()) for _ in range(2)] == [False, True]
        assert focus.held["me"].ssrcs == {21}
        await me.settle()
        await withdraws(stand, who)
        assert focus.take(await focus.next())
        assert focus.held["me"].sources == set()

    run(test)


@pytest.mark.requirement("R204")
def test_an_answer_to_something_else_is_no_answer_to_a_removal(run: Run) -> None:
    """The client gives a ping and a removal the same id; only the ping succeeds."""

    async def test(stand: Stand) -> None:
        focus, me, _ = await sends(stand, "show_camera")
        await offered(me, focus, jingle("session-accept", video=CAMERA))
        me.send(jingle("source-remove", video=CAMERA + source(4242, "me-v0")))
        me.send(f"<iq type='get' to='{ROOM}/focus' id='j'><ping xmlns='urn:xmpp:ping'/></iq>")
        ping = await focus.client.wait_for(lambda s: s.get("type") == "get")
        focus.client.send(f"<iq type='result' to='{ping.get('from')}' id='{ping.get('id')}'/>")
        await me.wait_for(lambda s: s.get("id") == "j" and s.get("type") == "result")
        assert not focus.take(await focus.next())
        await me.wait_for(lambda s: s.get("id") == "j" and s.get("type") == "error")
        assert await offered(me, focus, jingle("source-add", video=source(9, "me-v0"))) == "given-twice"

    run(test)


def test_a_new_session_begins_with_nothing_and_ends_what_slipped_into_the_old_one(run: Run) -> None:
    async def test(stand: Stand) -> None:
        focus, me, who = await sends(stand, "show_camera", "share_window")
        await offered(me, focus, jingle("session-accept", video=CAMERA + SHARE))
        slipped = focus.held["me"].sources
        await focus.offer(me, sid="s2")
        assert await offered(me, focus, jingle("source-add", video=source(9, "me-v0"))) == "wrong-session"
        me.send(jingle("session-accept", video=source(9, "me-v0"), sid="s2"))
        focus.held["me"].sources = {each for each in slipped if each.name == "me-v1"}
        assert focus.take(await focus.next())
        done = [focus.take(await focus.next()) for _ in range(2)]
        assert sorted(done) == [False, True]
        assert focus.held["me"].ssrcs == {9}
        await me.settle()
        await withdraws(stand, who)
        assert focus.take(await focus.next())
        assert focus.held["me"].sources == set()

    run(test)


def test_nothing_that_is_not_read_reaches_the_focus_with_a_session(run: Run) -> None:
    async def test(stand: Stand) -> None:
        focus, me, _ = await sends(stand, "speak")
        words = "<text xmlns='urn:x'>hej</text>"
        fingerprint = (
            "<fingerprint xmlns='urn:xmpp:jingle:apps:dtls:0' hash='sha-256' setup='active'>AB:CD</fingerprint>"
        )
        transport = (
            f"<transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' ufrag='u'>{fingerprint}{words}</transport>"
        )
        content = f"<content name='audio'>{transport}hej</content>"
        found = await offered(me, focus, jingle("session-accept", audio=SOUND, raw=content + words))
        assert isinstance(found, ET.Element)
        assert "".join(found.itertext()) == "AB:CD"
        assert not [each for each in found.iter() if "urn:x}" in each.tag]
        found = await offered(me, focus, jingle("source-remove", audio=SOUND, raw=""))
        assert isinstance(found, ET.Element)
        assert [local_name(each) for each in found.iter()] == ["iq", "jingle", "content", "description", "source"]
        info = "<ice-state xmlns='http://jitsi.org/protocol/focus'>failed</ice-state>"
        me.send(jingle("session-info", raw=info + words))
        found = await focus.next()
        assert "".join(found.itertext()) == "failed"

    run(test)


def info(**sources: dict[str, Any]) -> str:
    text = json.dumps({name.replace("_", "-"): said for name, said in sources.items()}).replace('"', "&quot;")
    return f"<SourceInfo>{text}</SourceInfo>"


INFO = [
    ("camera", ("show_camera",), info(me_v0={"muted": False}), {"me-v0": {"muted": False}}),
    ("no camera", ("speak",), info(me_v0={"muted": False}), {}),
    ("a muted camera says nothing", (), info(me_v0={"muted": True}), {"me-v0": {"muted": True}}),
    ("share", ("share_window",), info(me_v1={"videoType": "desktop"}), {"me-v1": {"videoType": "desktop"}}),
    ("no share", ("show_camera",), info(me_v1={"muted": False, "videoType": "desktop"}), {}),
    ("share in the camera's place", ("show_camera",), info(me_v0={"muted": False, "videoType": "desktop"}), {}),
    ("a muted share", ("show_camera",), info(me_v1={"muted": True, "videoType": "desktop"}), {}),
    ("another's source", ALL_MEDIA, info(peer_v0={"muted": False}), {}),
    ("unknown members", ("show_camera",), info(me_v0={"muted": False, "x": 1}), {"me-v0": {"muted": False}}),
    ("video type of no kind", ALL_MEDIA, info(me_v0={"muted": False, "videoType": 1}), {}),
    (
        "a key twice",
        ("show_camera",),
        "<SourceInfo>{&quot;me-v0&quot;:{&quot;muted&quot;:false},&quot;me-v0&quot;:{&quot;videoType&quot;:&quot;desktop&quot;}}"
        "</SourceInfo>",
        None,
    ),
    ("not JSON", ("show_camera",), "<SourceInfo>desktop</SourceInfo>", None),
    ("with elements in it", ("share_window",), "<SourceInfo><x/>{}</SourceInfo>", None),
]


@pytest.mark.requirement("R035", "R216")
@pytest.mark.parametrize("moment", ["join", "change"])
def test_source_info(moment: str, run: Run) -> None:
    async def test(stand: Stand) -> None:
        focus = await stand.focus()
        for name, held, xml, expected in INFO:
            me = await stand.person("me", held, inside=xml if moment == "join" else "")
            seen = await focus.wait_for(lambda s: s.get("from") == f"{ROOM}/me")
            if moment == "change":
                me.send(f"<presence to='{ROOM}/me'>{xml}</presence>")
                seen = await focus.wait_for(lambda s: s.get("from") == f"{ROOM}/me")
            text = seen.findtext(SOURCE_INFO)
            assert (json.loads(text) if text else None) == expected, name
            me.send(f"<presence to='{ROOM}/me' type='unavailable'/>")
            await focus.wait_for(lambda s: s.get("type") == "unavailable")

    run(test)
