"""The recorder's one account: what it may, and that nobody else on its host or anywhere may the same."""

import asyncio
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest

from sidecar.bridge.jitsi.login import Account, XmppError
from sidecar.bridge.jitsi.stream import Stream
from tests.prosody.recorded_conference import HIDDEN, PASSWORD, recorder_stand
from tests.prosody.stand import HOST, MUC, Stand, has_prosody
from tests.prosody.xmpp_client import RefusedError, XmppClient, error_of

pytestmark = pytest.mark.skipif(not has_prosody(), reason="Prosody is not installed")
ROOM = f"r7hq2m@{MUC}"
WHO = "<who xmlns='urn:tillit:recorder:1'/>"
OCCUPANT = "{urn:tillit:recorder:1}occupant"


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    folder = tmp_path_factory.mktemp("prosody")
    stand = recorder_stand(folder, also=("other",))
    yield stand
    stand.stop()
    stand.sidecar.stop()


def run(stand: Stand, story: Any) -> None:
    async def whole() -> None:
        try:
            await asyncio.wait_for(story(), 110)
        finally:
            await stand.close_clients()

    asyncio.run(whole())


async def hidden(stand: Stand, user: str) -> XmppClient:
    client = await XmppClient.open(stand.port, host=HIDDEN)
    stand.clients.append(client)
    return await client.log_in("PLAIN", f"\0{user}\0{PASSWORD}".encode())


@pytest.mark.requirement("R216")
def test_another_account_of_the_hidden_host_is_not_let_in(stand: Stand) -> None:
    async def story() -> None:
        await stand.focus()
        other = await hidden(stand, "other")
        with pytest.raises(RefusedError) as refused:
            await other.join(ROOM, "recorder")
        assert refused.value.text == "no-token"

    run(stand, story)


@pytest.mark.requirement("R216")
def test_the_recorder_makes_no_room(stand: Stand) -> None:
    async def story() -> None:
        recorder = await hidden(stand, "recorder")
        with pytest.raises(RefusedError):
            await recorder.join(f"nobodys@{MUC}", "abc")

    run(stand, story)


def test_the_recorder_alone_hears_who_is_who_and_only_from_inside(stand: Stand) -> None:
    async def story() -> None:
        focus = await stand.focus()
        maja = await stand.person("maja", user_id="p_maja")
        recorder = await hidden(stand, "recorder")
        asked = f"<iq type='get' to='{ROOM}'>{WHO}</iq>"
        assert error_of(await recorder.ask(asked)) == "forbidden"
        await recorder.join(ROOM, "abc")
        answer = await recorder.ask(asked)
        assert [(each.get("nick"), each.get("id")) for each in answer.iter(OCCUPANT)] == [("maja", "p_maja")]
        for other in (focus, maja):
            assert error_of(await other.ask(asked)) == "forbidden"

    run(stand, story)


def test_a_newcomer_is_named_before_their_presence_is_sent(stand: Stand) -> None:
    """In between the recorder would take them for somebody nobody asked."""

    async def story() -> None:
        await stand.focus()
        await stand.person("maja", user_id="p_maja")
        recorder = await hidden(stand, "recorder")
        await recorder.join(ROOM, "abc")
        await recorder.settle()
        recorder.inbox.clear()
        ture = await stand.person("ture", user_id="p_ture")
        await recorder.wait_for(lambda s: s.get("from") == f"{ROOM}/ture")
        await recorder.settle()
        first = recorder.inbox[0]
        assert first.get("from") == ROOM
        assert [each.get("id") for each in first.iter(OCCUPANT)] == ["p_ture"]
        await ture.settle()
        assert not [s for s in ture.inbox if list(s.iter(OCCUPANT))], "nobody else is told"

    run(stand, story)


def test_the_recorder_says_nothing_to_anybody(stand: Stand) -> None:
    """Whoever stole its password could speak in every meeting's chat, under no verified name."""

    async def story() -> None:
        await stand.focus()
        maja = await stand.person("maja")
        recorder = await hidden(stand, "recorder")
        await recorder.join(ROOM, "abc")
        recorder.send(f"<message to='{ROOM}' type='groupchat'><body>hello</body></message>")
        recorder.send(f"<message to='{ROOM}/maja' type='chat'><body>hello</body></message>")
        await recorder.settle()
        await maja.settle()
        assert not [s for s in maja.inbox if s.findtext("{jabber:client}body")]

    run(stand, story)


@pytest.mark.requirement("R105", "R107")
def test_a_strict_meeting_keeps_the_recorder_out(stand: Stand) -> None:
    async def story() -> None:
        await stand.focus()
        await stand.person("maja", encryption="strict")
        recorder = await hidden(stand, "recorder")
        with pytest.raises(RefusedError) as refused:
            await recorder.join(ROOM, "abc")
        assert (refused.value.condition, refused.value.text) == ("not-allowed", "strict-encryption")

    run(stand, story)


def test_a_wrong_password_or_host_is_an_error_with_its_reason(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"ws://127.0.0.1:{stand.port}/xmpp-websocket"

    async def opens(account: Account) -> str:
        async with aiohttp.ClientSession() as http:
            stream = Stream(account, room="r", http=http, on_stanza=lambda _: None, on_lost=lambda: None)
            try:
                await stream.open()
                return stream.jid
            except XmppError as error:
                return str(error)
            finally:
                await stream.close()

    async def story() -> None:
        right = Account(url, HOST, "recorder", HIDDEN, PASSWORD)
        assert (await opens(right)).startswith(f"recorder@{HIDDEN}/")
        assert "refused" in await opens(Account(url, HOST, "recorder", HIDDEN, "wrong"))
        nowhere = await opens(Account(url, HOST, "recorder", "hidden.nowhere", PASSWORD))
        assert (
            "does not serve" in nowhere or "cannot be read" in nowhere
        )  # Prosody 13 binds no prefix before it has a host
        assert "does not answer" in await opens(Account("ws://127.0.0.1:9/x", HOST, "recorder", HIDDEN, PASSWORD))
        # A host that takes the password in the clear only, as if it were not on this machine
        monkeypatch.setattr("sidecar.bridge.jitsi.login._is_loopback", lambda _: False)
        away = Account(url, HOST, "focus", f"auth.{HOST}", "insecure")
        assert "keeps the password secret" in await opens(away)

    run(stand, story)
