"""Every act a client can put on the wire: refused without its permission, done with it, and some refused to all."""

import pytest

from tests.prosody.conftest import Run
from tests.prosody.stand import HOST, Stand, somebody
from tests.prosody.wire_table import (
    ACTS,
    BOARD,
    EVERYTHING,
    LACKING,
    NEW_POLL,
    PRESENCE,
    ROOM,
    Act,
    jingle,
    metadata,
    poll,
    seen_by,
    shown,
)
from tests.prosody.xmpp_client import Element, XmppClient, local_name, rule_of


def lacking(act: Act) -> str:
    return act.needs or LACKING.get(act.name) or ""


async def is_refused(stand: Stand, act: Act, who: str, me: XmppClient, others: list[XmppClient]) -> None:
    for other in others:
        other.inbox.clear()
    me.send(act.xml.replace("{me}", me.jid))
    answer = await me.wait_for(lambda s: s.get("id") == "act")
    await me.settle()
    assert answer.get("type") == "error", act.name
    assert rule_of(answer) == act.rule, act.name
    assert [s for other in others for s in other.inbox if local_name(s) != "presence"] == [], act.name
    stand.sidecar.wait_for_event("message.dropped", rule=act.rule, participant=who)


@pytest.mark.requirement("R022", "R023", "R204", "R216")
@pytest.mark.parametrize("without", sorted({lacking(act) for act in ACTS}))
def test_refused_to_everybody_without_the_permission(without: str, run: Run) -> None:
    """The client is a moderator with every other permission, so that nothing else explains the refusal."""

    async def test(stand: Stand) -> None:
        focus = await stand.focus()
        who = somebody()
        me = await stand.person("me", EVERYTHING - {without}, moderator=True, user_id=who)
        peer = await stand.person("peer")
        await peer.settle()
        for act in ACTS:
            if lacking(act) == without:
                await is_refused(stand, act, who, me, [focus, peer])
        assert not peer.closed.is_set()

    run(test)


@pytest.mark.requirement("R216")
@pytest.mark.parametrize("act", [act for act in ACTS if act.needs], ids=lambda act: act.name)
def test_done_with_the_permission_and_no_other(act: Act, run: Run) -> None:
    async def test(stand: Stand) -> None:
        focus = await stand.focus()
        held = {act.needs} | ({"chat"} if act.name == "reaction" else set())
        me = await stand.person("me", [each for each in held if each], moderator=True)
        peer = await stand.person("peer")
        focus.inbox.clear()

        me.send(act.xml.replace("{me}", me.jid))
        seen = await seen_by(act, me, peer, focus)

        assert rule_of(seen) != act.rule

    run(test)


@pytest.mark.requirement("R216")
@pytest.mark.parametrize("moment", ["join", "change"])
def test_left_out_of_presence_without_the_permission(moment: str, run: Run) -> None:
    async def seen(stand: Stand, permissions: frozenset[str], xml: str) -> Element:
        focus = await stand.focus()
        me = await stand.person("me", permissions, moderator=True, inside=xml if moment == "join" else "")
        found = await focus.wait_for(lambda s: s.get("from") == f"{ROOM}/me")
        if moment == "change":
            me.send(f"<presence to='{ROOM}/me'>{xml}</presence>")
            found = await focus.wait_for(lambda s: s.get("from") == f"{ROOM}/me")
        await stand.close_clients()
        return found

    async def test(stand: Stand) -> None:
        needed = {needs for _, needs, _ in PRESENCE if needs}
        everything = "".join(xml for _, _, xml in PRESENCE)
        presence = await seen(stand, EVERYTHING - needed, everything)
        assert [name for name, _, xml in PRESENCE if shown(presence, xml)] == []
        for name, needs, xml in PRESENCE:
            if needs:
                assert shown(await seen(stand, frozenset({needs}), xml), xml), name

    run(test)


@pytest.mark.requirement("R204")
def test_end_to_end_encryption_is_the_meetings_matter(run: Run) -> None:
    """In a strict meeting the client may say it is on, never that it is off."""

    async def test(stand: Stand) -> None:
        focus = await stand.focus()
        tag = "jitsi_participant_e2ee.enabled"
        who = somebody()
        me = await stand.person("me", user_id=who, encryption="strict", inside=f"<{tag}>true</{tag}>")
        seen = await focus.wait_for(lambda s: s.get("from") == f"{ROOM}/me")
        assert seen.findtext("{jabber:client}" + tag) == "true"
        me.send(f"<presence to='{ROOM}/me'><{tag}>false</{tag}></presence>")
        seen = await focus.wait_for(lambda s: s.get("from") == f"{ROOM}/me")
        assert seen.find("{jabber:client}" + tag) is None
        stand.sidecar.wait_for_event("message.dropped", rule="encryption", participant=who)

    run(test)


def test_json_is_sent_on_as_it_was_understood(run: Run) -> None:
    """What we did not read is not passed on: a sender's name in the payload, addresses of foreign servers."""

    async def test(stand: Stand) -> None:
        await stand.focus()
        me = await stand.person("me", ["poll", "whiteboard"])
        said = NEW_POLL[:-1] + ',"senderId":"elin","senderName":"Elin"}'
        me.send(poll(said))
        got = await me.wait_for(lambda s: s.find("{urn:tillit:test}got") is not None)
        text = "".join(got.itertext())
        assert "Ja?" in text
        assert "elin" not in text.lower()

        me.send(metadata(BOARD[:-2] + ',"collabServerUrl":"https://attacker.example"}}'))
        got = await me.wait_for(lambda s: s.find("{urn:tillit:test}got") is not None)
        assert "r1" in "".join(got.itertext())
        assert "attacker" not in "".join(got.itertext())

    run(test)


def test_ordinary_traffic_passes(run: Run) -> None:
    """What every Jitsi client sends without being asked must work, or nobody could meet."""

    async def test(stand: Stand) -> None:
        focus = await stand.focus()
        me = await stand.person("me")
        asked = [
            f"<iq type='get' to='{HOST}'><ping xmlns='urn:xmpp:ping'/></iq>",
            f"<iq type='get' to='{HOST}'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>",
            f"<iq type='get' to='{ROOM}'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>",
        ]
        for xml in asked:
            assert (await me.ask(xml)).get("type") == "result"
        conference = f"<conference xmlns='http://jitsi.org/protocol/focus' room='{ROOM}' machine-uid='u'/>"
        answer = await me.ask(f"<iq type='set' to='focus.{HOST}'>{conference}</iq>")
        assert answer.get("type") == "result"

        focus.send(
            f"<iq type='set' to='{ROOM}/me' id='offer'>"
            "<jingle xmlns='urn:xmpp:jingle:1' action='session-initiate' sid='s'/></iq>"
        )
        offer = await me.wait_for(lambda s: s.find("{urn:xmpp:jingle:1}jingle") is not None)
        me.send(f"<iq type='result' to='{ROOM}/focus' id='{offer.get('id')}'/>")
        await focus.wait_for(lambda s: s.get("id") == "offer" and s.get("type") == "result")
        me.send(jingle("transport-info"))
        await focus.wait_for(lambda s: s.get("type") == "set")

        caps = "<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='https://jitsi.org/jitsi-meet' ver='x='/>"
        muted = "<audiomuted xmlns='http://jitsi.org/jitmeet/audio'>true</audiomuted>"
        codecs = "<jitsi_participant_codecList>vp8,h264</jitsi_participant_codecList>"
        me.send(f"<presence to='{ROOM}/me'>{caps}{muted}{codecs}</presence>")
        seen = await focus.wait_for(lambda s: s.find("{http://jitsi.org/jitmeet/audio}audiomuted") is not None)
        assert seen.find("{http://jabber.org/protocol/caps}c") is not None
        assert seen.findtext("{jabber:client}jitsi_participant_codecList") == "vp8,h264"

    run(test)
