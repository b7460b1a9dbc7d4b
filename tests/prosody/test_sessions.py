"""A login is not a place in the room: who has not gone in, was put out or whose time is over may do nothing more."""

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from sidecar.domain.clock import utc_now
from sidecar.domain.ids import ParticipantId
from tests.prosody.conftest import Run, _runner
from tests.prosody.stand import HOST, MUC, Stand, has_prosody, lateness, new_stand, somebody
from tests.prosody.test_control import PROMISED_S, SLACK_S, rights
from tests.prosody.wire_table import ACTS, EVERYTHING, LACKING
from tests.prosody.xmpp_client import PATIENCE_S, SASL, RefusedError, XmppClient, local_name, rule_of

ROOM = f"r7hq2m@{MUC}"
HAND = "<jitsi_participant_raisedHand>1700000000000</jitsi_participant_raisedHand>"
SKEW_S = 30  # how long after its end a join token is still taken

# Every act that somebody may do at all: with all permissions, each would be done by a moderator inside.
GRANTED = [act for act in ACTS if act.needs or act.name in LACKING]


async def resumes(stand: Stand, token: str, previd: str) -> tuple[XmppClient, str]:
    """Log in with a token and ask for a sleeping stream (XEP-0198). Returns the client and what the server said."""
    client = await XmppClient.open(stand.port, host=HOST, query={"token": token, "room": "r7hq2m"})
    stand.clients.append(client)
    client.send(f"<auth xmlns='{SASL}' mechanism='ANONYMOUS'>=</auth>")
    assert local_name(await client._read_now()) == "success"
    await client._open_stream()
    client.send(f"<resume xmlns='urn:xmpp:sm:3' previd='{previd}' h='0'/>")
    said = local_name(await client._read_now())
    client._pump = asyncio.create_task(client._pump_forever())
    return client, said


async def tries_everything(client: XmppClient, watchers: list[XmppClient]) -> set[str]:
    """Send each act that a permission allows; return what they were answered. Nobody may see any of it."""
    for each in (client, *watchers):
        each.inbox.clear()
    answers = set()
    for act in GRANTED:
        client.send(act.xml.replace("{me}", client.jid))
        answers.add(rule_of(await client.wait_for(lambda s: s.get("id") == "act" and s.get("type") == "error")))
    for each in watchers:
        await each.settle()
        assert [s for s in each.inbox if local_name(s) != "presence"] == []
    return answers


@pytest.mark.requirement("R204", "R216")
def test_a_login_gives_no_right_before_its_bearer_is_inside_and_none_after_leaving(run: Run) -> None:
    """Logged in as a moderator with every permission: nothing is done, and nothing recorded as done."""

    async def test(stand: Stand) -> None:
        focus = await stand.focus()
        peer = await stand.person("peer", user_id=somebody())
        who = somebody()
        client = await stand.connect(stand.token("me", EVERYTHING, moderator=True, user_id=who))

        # The lobby's own presence and the credentials of an upload are refused as to somebody without the permission.
        outside = {"not-inside", "admit", "send_file"}
        assert await tries_everything(client, [focus, peer]) == outside
        offer = "<jingle xmlns='urn:xmpp:jingle:1' action='source-add' sid='s'/>"
        assert rule_of(await client.ask(f"<iq type='set' to='{ROOM}/focus'>{offer}</iq>")) == "not-inside"

        await client.join(ROOM, "me", inside=HAND)
        seen = await focus.wait_for(lambda s: s.get("from") == f"{ROOM}/me")
        assert seen.find("{jabber:client}jitsi_participant_raisedHand") is not None  # a join is judged by the token
        client.send(f"<presence to='{ROOM}/me' type='unavailable'/>")
        await client.wait_for(lambda s: s.get("type") == "unavailable" and s.get("from") == f"{ROOM}/me")
        assert await tries_everything(client, [focus, peer]) == outside

        stand.sidecar.wait_for_event("media.left", participant=who)
        kinds = {e["kind"] for e in stand.sidecar.events if e["participant"] == who}
        assert kinds == {"message.dropped", "token.spent", "media.joined", "media.left"}

    run(test)


@pytest.mark.requirement("R204")
def test_what_the_way_in_takes_works_before_one_is_inside(run: Run) -> None:
    async def test(stand: Stand) -> None:
        await stand.focus()
        client = await stand.connect(stand.token("maja", user_id=somebody()))
        disco = "<query xmlns='http://jabber.org/protocol/disco#info'/>"
        conference = f"<conference xmlns='http://jitsi.org/protocol/focus' room='{ROOM}' machine-uid='u'/>"
        for kind, to, asked in (("get", HOST, disco), ("get", ROOM, disco), ("set", f"focus.{HOST}", conference)):
            assert (await client.ask(f"<iq type='{kind}' to='{to}'>{asked}</iq>")).get("type") == "result"
        services = await client.ask(f"<iq type='get' to='{HOST}'><services xmlns='urn:xmpp:extdisco:2'/></iq>")
        assert rule_of(services) == ""  # this stand has no such module: what passes us Prosody answers by itself

    run(test)


@pytest.mark.requirement("R204", "R216")
@pytest.mark.parametrize("command", ["participants/{who}?reason=expelled", "?reason=ended"])
def test_a_command_that_puts_out_reaches_every_login_of_theirs(command: str, run: Run) -> None:
    """One adviser logs in twice and goes in with the first: the second must not outlive the expulsion."""

    async def test(stand: Stand) -> None:
        room = f"out{'s' if 'who' in command else 'r'}"
        focus, who = await stand.focus(room), somebody()
        token = stand.token("spare", EVERYTHING, moderator=True, user_id=who, room=room)
        held_back = stand.token("elin", EVERYTHING, moderator=True, user_id=who, room=room)
        spare = await stand.connect(token, room)
        elin = await stand.person("elin", EVERYTHING, moderator=True, user_id=who, room=room)
        ture = await stand.connect(stand.token("ture", room=room, user_id=somebody()), room)

        target = f"/v1/rooms/{room}" + (f"/{command}" if "who" in command else command)
        assert (await stand.command("DELETE", target.format(who=who))).status_code == 204
        for client in (elin, spare):
            await asyncio.wait_for(client.closed.wait(), PATIENCE_S)
        for each in (token, held_back):
            with pytest.raises(RefusedError, match="turned-away"):
                await stand.connect(each, room)
        if "who" in command:
            await ture.settle()
            assert not focus.closed.is_set()
        else:
            await asyncio.wait_for(ture.closed.wait(), PATIENCE_S)

    run(test)


@pytest.mark.requirement("R204")
@pytest.mark.parametrize("by", ["command", "clock"])
def test_of_many_who_are_put_out_half_are_out_within_what_is_promised(by: str, run: Run) -> None:
    """The slack of other tests is for the slowest; the promise itself is held by the median."""

    async def test(stand: Stand) -> None:
        room = f"many{by}"
        focus = await stand.focus(room)
        end = int(utc_now().timestamp()) + (8 if by == "clock" else 3600)  # the claim is in whole seconds
        until = datetime.fromtimestamp(end, UTC)
        ids = [somebody() for _ in range(9)]
        people = [await stand.person(who, room=room, user_id=who, session_until=until) for who in ids]
        took = []

        async def out(client: XmppClient, since: float) -> None:
            await asyncio.wait_for(client.closed.wait(), PATIENCE_S)
            took.append(time.time() - since - late())

        async with lateness(focus) as late:
            if by == "clock":
                await asyncio.gather(*(out(client, end) for client in people))
            else:
                for who, client in zip(ids, people, strict=True):
                    leaving = asyncio.create_task(out(client, time.time()))
                    target = f"/v1/rooms/{room}/participants/{who}?reason=expelled"
                    assert (await stand.command("DELETE", target)).status_code == 204
                    await leaving
        assert median(took) <= PROMISED_S
        assert max(took) <= PROMISED_S + SLACK_S

    run(test)


@pytest.mark.requirement("R204")
def test_a_login_that_never_went_in_ends_with_its_session_or_its_token(run: Run) -> None:
    async def test(stand: Stand) -> None:
        focus, who = await stand.focus(), somebody()
        now = utc_now()
        ends = int(now.timestamp()) + 4  # claims are in whole seconds
        over: dict[str, Any] = {"session_until": now + timedelta(seconds=4)}
        worn: dict[str, Any] = {"now": now - timedelta(seconds=SKEW_S), "ttl": 4, "session": 3600}
        logins = [await stand.connect(stand.token("late", ["chat"], user_id=who, **each)) for each in (over, worn)]
        stays = await stand.person("stays", user_id=somebody(), **worn)
        async with lateness(focus) as late:
            for client in logins:
                await asyncio.wait_for(client.closed.wait(), PATIENCE_S)
                assert ends - 0.05 <= utc_now().timestamp() <= ends + PROMISED_S + SLACK_S + late()
        await stays.settle()  # who went in meanwhile stays until the session ends
        assert [e for e in stand.sidecar.events if e["participant"] == who] == []

    run(test)


@pytest.mark.requirement("R216")
def test_fewer_permissions_reach_who_is_still_on_the_way_in(run: Run) -> None:
    """Between login and room a raise closes the chat: what the token still says no longer counts."""

    async def test(stand: Stand) -> None:
        focus, who = await stand.focus(), somebody()
        maja = await stand.connect(stand.token("maja", ["chat", "raise_hand"], user_id=who))
        answer = await stand.command("PUT", f"/v1/rooms/r7hq2m/participants/{who}/permissions", rights("speak"))
        assert answer.status_code == 204

        await maja.join(ROOM, "maja", inside=HAND)
        seen = await focus.wait_for(lambda s: s.get("from") == f"{ROOM}/maja")
        assert seen.find("{jabber:client}jitsi_participant_raisedHand") is None
        maja.send(f"<message to='{ROOM}' type='groupchat' id='w'><body>hej</body></message>")
        assert rule_of(await maja.wait_for(lambda s: s.get("id") == "w")) == "chat"

    run(test)


@pytest.fixture
def one_account_each(tmp_path: Path) -> Iterator[Stand]:
    """A Prosody on which all logins of one person are one XMPP account, as Jitsi makes them."""
    if not has_prosody():
        pytest.skip("Prosody is not installed")
    stand = new_stand(tmp_path, replaced={'"websocket" }': '"websocket", "smacks", "same_user" }'})
    yield stand
    stand.stop()
    stand.sidecar.stop()


@pytest.mark.requirement("R011", "R204")
def test_a_second_login_of_one_account_does_not_slip_in_beside_the_first(one_account_each: Stand) -> None:
    """Prosody lets an account's second session share its nickname, and would not ask the door."""

    async def test(stand: Stand) -> None:
        await stand.focus()
        who = ParticipantId("p_elin")
        await stand.person("elin", ["chat"], user_id=who)
        token = stand.token("elin", ["chat"], user_id=who)
        second = await stand.connect(token)
        with pytest.raises(RefusedError, match="nick-taken"):
            await second.join(ROOM, "elin")
        await second.join(ROOM, "elin2")  # it was refused before it was spent
        with pytest.raises(RefusedError, match="token-spent"):
            await stand.connect(token)

    _runner(one_account_each)(test)


@pytest.mark.requirement("R204")
def test_a_resumed_stream_outlives_the_login_that_resumed_it_and_no_expulsion(one_account_each: Stand) -> None:
    """The connection is the sleeping stream's now: the end of a token that never opened the door is not its end."""

    async def test(stand: Stand) -> None:
        await stand.focus()
        who = ParticipantId("p_maja")
        maja = await stand.connect(stand.token("maja", user_id=who))
        maja.send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>")
        enabled = await maja.wait_for(lambda s: local_name(s) == "enabled")
        await maja.join(ROOM, "maja")
        maja._writer.transport.abort()  # the network is gone

        worn: dict[str, Any] = {"now": utc_now() - timedelta(seconds=SKEW_S), "ttl": 4, "session": 3600}
        previd = enabled.get("id") or ""
        back, said = await resumes(stand, stand.token("maja", user_id=who, **worn), previd)
        assert said == "resumed"
        witness = await stand.connect(stand.token("ture", user_id=somebody(), **worn))
        await asyncio.wait_for(witness.closed.wait(), PATIENCE_S)
        await back.settle()

        back._writer.transport.abort()
        assert (await stand.command("DELETE", f"/v1/rooms/r7hq2m/participants/{who}")).status_code == 204
        later = stand.token("maja", user_id=who, now=utc_now() + timedelta(seconds=2))
        _, said = await resumes(stand, later, previd)
        assert said == "failed"

    _runner(one_account_each)(test)
