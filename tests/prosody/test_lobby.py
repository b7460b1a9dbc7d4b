"""Jitsi's own lobby, where a bank keeps it on: who may admit opens the door by XMPP too, and it is written down."""

import asyncio

import pytest

from tests.prosody.conftest import Run
from tests.prosody.stand import HOST, MUC, Stand, somebody
from tests.prosody.xmpp_client import rule_of

ROOM, LOBBY = f"r7hq2m@{MUC}", f"r7hq2m@lobby.{HOST}"
USER = "http://jabber.org/protocol/muc#user"


@pytest.mark.requirement("R216")
def test_who_may_admit_enters_the_lobby_and_lets_in_whoever_knocks(run: Run) -> None:
    async def test(stand: Stand) -> None:
        focus = await stand.focus()
        await focus.join(LOBBY, "focus")
        knocking = [await stand.account(name) for name in ("knock1", "knock2")]
        for number, client in enumerate(knocking):
            await client.join(LOBBY, f"knock{number}")
        who = somebody()
        elin = await stand.person("elin", ["admit"], moderator=True, user_id=who)
        seen = await elin.join(LOBBY, "elin")
        assert seen.get("from") == f"{LOBBY}/elin"

        for client in knocking:
            elin.send(f"<message to='{ROOM}'><x xmlns='{USER}'><invite to='{client.jid}'/></x></message>")
            let_in = await client.wait_for(lambda s: s.find(f".//{{{USER}}}invite") is not None)
            assert let_in.get("from") == ROOM
            assert let_in.find(f".//{{{USER}}}password") is None
        told = await asyncio.to_thread(stand.sidecar.wait_for_event, "act.done", participant=who, type="admit")
        assert told["data"] == {"type": "admit", "rule": "admit"}

        deny = "<query xmlns='http://jabber.org/protocol/muc#admin'><item nick='knock0' role='none'/></query>"
        answer = await elin.ask(f"<iq type='set' to='{LOBBY}'>{deny}</iq>")
        # Past our gate: that she moderates the lobby is Jitsi's to arrange, and plain Prosody does not.
        assert (answer.get("type"), rule_of(answer)) != ("error", "admit")

    run(test)


@pytest.mark.requirement("R216")
def test_who_may_not_admit_sees_no_lobby_and_opens_no_door(run: Run) -> None:
    async def test(stand: Stand) -> None:
        focus = await stand.focus()
        await focus.join(LOBBY, "focus")
        knocking = await stand.account("knock3")
        await knocking.join(LOBBY, "knock3")
        maja = await stand.person("maja", ["chat", "private_chat"], user_id=somebody())
        maja.send(f"<presence to='{LOBBY}/maja' id='in'><x xmlns='http://jabber.org/protocol/muc'/></presence>")
        assert rule_of(await maja.wait_for(lambda s: s.get("id") == "in")) == "admit"
        invite = f"<x xmlns='{USER}'><invite to='{knocking.jid}'/></x>"
        maja.send(f"<message to='{ROOM}' id='admit'>{invite}</message>")
        assert rule_of(await maja.wait_for(lambda s: s.get("id") == "admit")) == "admit"
        await knocking.settle()
        assert [s for s in knocking.inbox if s.find(f".//{{{USER}}}invite") is not None] == []

    run(test)
