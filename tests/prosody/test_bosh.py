"""BOSH, the way in for whoever's network lets no WebSocket through: the same door, the same gates."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.prosody.bosh_client import BoshClient
from tests.prosody.conftest import _runner
from tests.prosody.door import Door
from tests.prosody.stand import HOST, MUC, Stand, has_prosody, new_stand, somebody
from tests.prosody.xmpp_client import CLIENT, SASL, Element, local_name, rule_of

ROOM = f"r7hq2m@{MUC}"


@pytest.fixture(scope="module")
def stand(door: Door, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    if not has_prosody():
        pytest.skip("Prosody is not installed")
    made = new_stand(
        Path(tmp_path_factory.mktemp("bosh")),
        replaced={'"websocket" }': '"websocket", "bosh" }'},
        more=f'consider_bosh_secure = true; tillit_admission_url = "{door.url}"',
    )
    yield made
    made.stop()
    made.sidecar.stop()


async def logs_in(stand: Stand, token: str) -> tuple[BoshClient, Element]:
    """Return the client and the answer to its login."""
    client = await BoshClient.open(stand.port, HOST, query={"token": token, "room": "r7hq2m"})
    [answer] = await client.ask(f"<auth xmlns='{SASL}' mechanism='ANONYMOUS'>=</auth>")
    return client, answer


async def is_bound(client: BoshClient) -> None:
    await client.ask("", "xmpp:restart='true'")
    bind = "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>"
    await client.wait_for(f"<iq type='set' id='b' xmlns='{CLIENT}'>{bind}</iq>", "b")


@pytest.mark.requirement("R011", "R204")
def test_over_bosh_the_door_is_asked_the_token_spent_and_an_expulsion_ends_the_session(
    stand: Stand, door: Door
) -> None:
    async def test(stand: Stand) -> None:
        focus, who = await stand.focus(), somebody()
        door.admits("chat")
        token = stand.token("bo", ["chat", "private_chat"], user_id=who)
        client, answer = await logs_in(stand, token)
        assert local_name(answer) == "success"
        await is_bound(client)
        words = f"<message to='{ROOM}' type='groupchat' id='{{}}' xmlns='{CLIENT}'><body>hej</body></message>"
        early = await client.wait_for(words.format("early"), "early")
        assert rule_of(early) == "not-inside"

        join = (
            f"<presence to='{ROOM}/bo' id='in' xmlns='{CLIENT}'><x xmlns='http://jabber.org/protocol/muc'/></presence>"
        )
        joined = await client.wait_for(join, "in")
        assert joined.get("type") is None
        assert (await client.wait_for(words.format("said"), "said")).get("type") == "groupchat"
        await focus.wait_for(lambda s: s.findtext(f"{{{CLIENT}}}body") == "hej")
        private = words.format("psst").replace(f"'{ROOM}'", f"'{ROOM}/bo'").replace("groupchat", "chat")
        refused = await client.wait_for(private, "psst")
        assert rule_of(refused) == "private_chat"  # the token had it, the door's answer did not
        _, answer = await logs_in(stand, token)
        assert answer.findtext(f"{{{SASL}}}text") == "token-spent"

        assert (await stand.command("DELETE", f"/v1/rooms/r7hq2m/participants/{who}")).status_code == 204
        await focus.wait_for(lambda s: s.get("from") == f"{ROOM}/bo" and s.get("type") == "unavailable")
        while not client.ended:
            await client.ask("")

    _runner(stand)(test)


@pytest.mark.requirement("R011", "R204")
def test_over_bosh_a_no_at_the_door_keeps_it_shut(stand: Stand, door: Door) -> None:
    async def test(stand: Stand) -> None:
        await stand.focus()
        door.says(admitted=False)
        client, _ = await logs_in(stand, stand.token("bo", ["chat"], user_id=somebody()))
        await is_bound(client)
        join = (
            f"<presence to='{ROOM}/bo' id='in' xmlns='{CLIENT}'><x xmlns='http://jabber.org/protocol/muc'/></presence>"
        )
        assert rule_of(await client.wait_for(join, "in")) == "not-admitted"

    _runner(stand)(test)
