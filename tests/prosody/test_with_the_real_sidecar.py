"""The whole gate: a real sidecar, a real Prosody with all six modules, and XMPP clients that have none of our pages."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

import sidecar.domain.verify_evidence as verifier
from sidecar.domain.ids import RoomName
from sidecar.domain.meetings import ParticipantState
from sidecar.testing import Browser
from tests.prosody.real_sidecar import Bank, Held
from tests.prosody.stand import HOST, MUC, has_prosody, lateness
from tests.prosody.test_control import PROMISED_S, SLACK_S
from tests.prosody.xmpp_client import SASL, RefusedError, XmppClient, local_name, rule_of

pytestmark = pytest.mark.skipif(not has_prosody(), reason="Prosody is not installed")
PATIENCE_S = 40.0


@pytest.fixture
def bank(tmp_path: Path) -> Iterator[Bank]:
    bank = Bank(tmp_path)
    try:
        yield bank.start()
    finally:
        bank.stop()


def run(bank: Bank, test: Callable[[Held], Coroutine[Any, Any, None]]) -> None:
    async def whole() -> None:
        try:
            await asyncio.wait_for(test(bank.begin()), 110)
        finally:
            await bank.stand.close_clients()

    asyncio.run(whole())
    assert "Traceback" not in bank.stand.log(), bank.stand.log()[-4000:]


async def enters(bank: Bank, held: Held, who: Browser, nick: str) -> XmppClient:
    return await brings(bank, held.token(who), held.room, nick)


async def brings(bank: Bank, token: str, room: str, nick: str) -> XmppClient:
    """Log in with a token and go in. Raises RefusedError from either."""
    client = await bank.stand.connect(token, room)
    await client.join(f"{room}@{MUC}", nick)
    return client


async def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.02)


def state_of(held: Held, who: Browser) -> ParticipantState:
    return held.product.place(who.place).state


@pytest.mark.requirement("R001", "R011", "R117", "R119", "R204", "R216")
def test_a_meeting_from_booking_to_evidence(bank: Bank) -> None:
    async def test(held: Held) -> None:
        room = f"{held.room}@{MUC}"
        assert held.room.startswith("se-")
        focus = await bank.stand.focus(held.room)
        elin = await enters(bank, held, held.elin, "elin")
        token = held.token(held.maja)
        maja = await bank.stand.connect(token, held.room)
        own = await maja.join(room, "maja")
        assert own.findtext("{jabber:client}jitsi_participant_region") == "eu-north-se"
        await until(lambda: state_of(held, held.maja) is ParticipantState.IN_ROOM, "the sidecar learns who came in")
        people = held.elin.get("room/state").get_json()["people"]
        assert {(p["name"], p["state"]) for p in people} == {("Elin Sjöhage", "in_room"), ("Maja Granlid", "in_room")}

        with pytest.raises(RefusedError, match="token-spent"):
            await bank.stand.connect(token, held.room)

        # Words said past our page are recorded by their digest; then the adviser closes the chat for everybody.
        words = f"<message to='{room}' type='groupchat' id='w'><body>hemliga ord</body></message>"
        maja.send(words)
        assert (await maja.wait_for(lambda s: s.get("id") == "w")).get("type") == "groupchat"
        await until(lambda: bool(held.records("chat.sent")), "the line of chat is recorded")
        assert held.records("chat.sent")[0][2]["signs"] == 11
        assert held.elin.post("room/raise", {"target": "chat:off"}).status_code == 200
        maja.send(words)
        assert rule_of(await maja.wait_for(lambda s: s.get("id") == "w")) == "chat"
        roster = held.product.services.conference.roster(RoomName(held.room))
        assert {each["id"] for each in roster} == {held.elin.place, held.maja.place}
        assert all("chat" not in each["permissions"] for each in roster)

        async with lateness(focus) as late:
            began = time.monotonic()
            answer = await asyncio.to_thread(held.elin.post, "room/expel", {"participant": held.maja.place})
            assert answer.status_code == 200
            await asyncio.wait_for(maja.closed.wait(), PATIENCE_S)
            assert time.monotonic() - began <= PROMISED_S + SLACK_S + late()

        assert held.elin.post("room/end").status_code == 200
        await asyncio.wait_for(elin.closed.wait(), PATIENCE_S)
        await until(lambda: len(held.records("media.left")) == 2, "both are reported as gone")

        kinds = [kind for kind, _, _ in held.records()]
        told = ["token.minted", "token.spent", "participant.joined", "chat.sent", "security.raised", "message.dropped"]
        assert [kinds.index(kind) for kind in told] == sorted(kinds.index(kind) for kind in told)
        assert "participant.expelled" in kinds
        evidence = held.product.services.journals.evidence(held.meeting.id, actor="system")
        assert verifier.verify(evidence).genuine
        assert b"hemliga" not in evidence
        for personal in (b"Granlid", b"maja.granlid"):
            assert personal not in evidence

    run(bank, test)


@pytest.mark.requirement("R011", "R025")
def test_a_token_from_before_a_raise_brings_back_nothing_the_raise_closed(bank: Bank) -> None:
    async def test(held: Held) -> None:
        await bank.stand.focus(held.room)
        token = held.token(held.maja)  # with chat
        assert held.elin.post("room/raise", {"target": "chat:off"}).status_code == 200

        maja = await bank.stand.connect(token, held.room)
        await maja.join(f"{held.room}@{MUC}", "maja")
        maja.send(f"<message to='{held.room}@{MUC}' type='groupchat' id='w'><body>hej</body></message>")
        assert rule_of(await maja.wait_for(lambda s: s.get("id") == "w")) == "chat"

    run(bank, test)


@pytest.mark.requirement("R011")
def test_who_was_put_out_while_on_the_way_is_turned_away_at_the_door(bank: Bank) -> None:
    async def test(held: Held) -> None:
        await bank.stand.focus(held.room)
        token = held.token(held.maja)
        maja = await bank.stand.connect(token, held.room)
        assert held.elin.post("room/expel", {"participant": held.maja.place}).status_code == 200
        await asyncio.wait_for(maja.closed.wait(), PATIENCE_S)
        with pytest.raises(RefusedError, match="turned-away"):
            await brings(bank, token, held.room, "maja")
        assert state_of(held, held.maja) is ParticipantState.EXPELLED

    run(bank, test)


@pytest.mark.requirement("R204", "R216")
def test_what_happened_during_an_outage_is_told_afterwards_in_order_and_once(bank: Bank) -> None:
    """The sidecar is away and Prosody is killed: those inside go on, nobody new comes in, and nothing is lost."""

    async def test(held: Held) -> None:
        room = f"{held.room}@{MUC}"
        await bank.stand.focus(held.room)
        maja = await enters(bank, held, held.maja, "maja")
        late = held.token(held.elin)
        await until(lambda: state_of(held, held.maja) is ParticipantState.IN_ROOM, "Maja is in")
        before = len(held.records())
        bank.sidecar.stop()

        for n in range(1, 31):
            maja.send(f"<message to='{room}' type='groupchat' id='m{n}'><body>{'x' * n}</body></message>")
        await maja.wait_for(lambda s: s.get("id") == "m30")
        with pytest.raises(RefusedError, match="sidecar-unreachable"):
            await brings(bank, late, held.room, "elin")
        assert len(held.records()) == before

        bank.stand.stop(9)
        bank.stand.start()
        bank.sidecar.start()
        await until(lambda: len(held.records("chat.sent")) >= 30, "the lines arrive")
        assert [data["signs"] for _, _, data in held.records("chat.sent")] == list(range(1, 31))

        # A crash before Prosody noted what was delivered sends them again: known, also by another process.
        bank.stand.stop()
        (bank.stand.folder / "data" / "tillit-events.done").write_text("0\n")
        told = len(held.records())
        bank.stand.start()
        await asyncio.to_thread(bank.wait_until_open)
        await bank.stand.focus(held.room)
        await enters(bank, held, held.elin, "elin")
        await until(lambda: state_of(held, held.elin) is ParticipantState.IN_ROOM, "newer reports come through")
        kinds = [kind for kind, _, _ in held.records()[told:]]
        assert set(kinds) <= {"token.minted", "token.spent", "participant.joined", "media.left", "participant.left"}
        assert [data["signs"] for _, _, data in held.records("chat.sent")] == list(range(1, 31))

    run(bank, test)


@pytest.mark.requirement("R216")
def test_the_sidecar_mutes_through_jicofo_in_a_moderators_name(bank: Bank) -> None:
    async def test(held: Held) -> None:
        room = f"{held.room}@{MUC}"
        focus = await bank.stand.focus(held.room)
        await enters(bank, held, held.elin, "elin")
        await enters(bank, held, held.maja, "maja")
        await until(lambda: state_of(held, held.maja) is ParticipantState.IN_ROOM, "Maja is in")
        for kind, what in (("audio", "audio"), ("video", "video"), ("share", "desktop")):
            answer = held.elin.post("room/mute", {"participant": held.maja.place, "kind": kind})
            assert answer.status_code == 200, answer.text
            asked = await focus.wait_for(lambda s: local_name(s) == "iq" and s.get("type") == "set")
            [mute] = [child for child in asked if local_name(child) == "mute"]
            assert asked.get("from") == f"{room}/elin"
            assert (mute.tag, mute.get("jid"), mute.text) == (
                f"{{http://jitsi.org/jitmeet/{what}}}mute",
                f"{room}/maja",
                "true",
            )
        await until(lambda: len(held.records("act.done")) == 3, "Prosody's own record")
        assert len(held.records("mute.done")) == 3

    run(bank, test)


def test_readiness_says_which_way_is_broken(tmp_path: Path) -> None:
    bank = Bank(tmp_path, patience=3)

    def parts() -> tuple[int, dict[str, str]]:
        answer = bank.product.browser().get("/readyz")
        return answer.status_code, answer.get_json()["parts"]

    async def test(held: Held) -> None:
        assert parts() == (200, dict.fromkeys(parts()[1], "ok"))
        assert {"shard-se-prosody", "shard-se-reports"} <= parts()[1].keys()

        bank.sidecar.stop()  # its own address is gone for Prosody; this process still asks
        focus = await bank.stand.focus(held.room)
        await until(lambda: parts()[1]["shard-se-prosody"] == "closed", "Prosody has no fresh keys")
        assert parts()[0] == 503
        bank.sidecar.start()
        await until(lambda: parts()[0] == 200, "all is well again")
        assert focus.jid

        bank.stand.stop()
        assert parts()[1]["shard-se-prosody"] == "down"

    try:
        run(bank.start(), test)
    finally:
        bank.stop()


async def resumes(bank: Bank, token: str, room: str, previd: str) -> tuple[XmppClient, str]:
    """Log in with a fresh token and ask for a sleeping stream. Returns the client and what the server said."""
    client = await XmppClient.open(bank.stand.port, host=HOST, query={"token": token, "room": room})
    bank.stand.clients.append(client)
    client.send(f"<auth xmlns='{SASL}' mechanism='ANONYMOUS'>=</auth>")
    assert local_name(await client._read_now()) == "success"
    await client._open_stream()
    client.send(f"<resume xmlns='urn:xmpp:sm:3' previd='{previd}' h='0'/>")
    return client, local_name(await client._read_now())


@pytest.mark.requirement("R204")
def test_a_sleeping_stream_is_resumed_by_its_owner_and_by_nobody_after_an_expulsion(bank: Bank) -> None:
    """XEP-0198: a stream kept for a phone's short loss must not outlive the person's right to be there."""

    async def test(held: Held) -> None:
        await bank.stand.focus(held.room)
        first, second, third = (held.token(held.maja) for _ in range(3))
        maja = await bank.stand.connect(first, held.room)
        maja.send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>")
        enabled = await maja.wait_for(lambda s: local_name(s) in ("enabled", "failed"))
        await maja.join(f"{held.room}@{MUC}", "maja")
        await until(lambda: state_of(held, held.maja) is ParticipantState.IN_ROOM, "Maja is in")
        maja._writer.transport.abort()  # the network is gone

        back, said = await resumes(bank, second, held.room, enabled.get("id") or "")
        assert said == "resumed"
        back._writer.transport.abort()
        assert held.elin.post("room/expel", {"participant": held.maja.place}).status_code == 200
        with pytest.raises(RefusedError, match="turned-away"):
            await bank.stand.connect(third, held.room)
        assert {each["id"] for each in held.product.services.conference.roster(RoomName(held.room))} == set()

    run(bank, test)
