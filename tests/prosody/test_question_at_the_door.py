"""Prosody asks at the door: only a plain yes opens it, and what the yes says counts instead of the token."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sidecar.domain.clock import utc_now
from sidecar.domain.control_tokens import SeenIds, verify_control_token
from sidecar.domain.jws import JwkSet
from tests.prosody.conftest import _runner
from tests.prosody.door import PATH, Door
from tests.prosody.stand import MUC, Stand, has_prosody, new_stand, somebody
from tests.prosody.test_control import rights
from tests.prosody.test_sessions import HAND
from tests.prosody.test_sources import info
from tests.prosody.xmpp_client import RefusedError, rule_of

ROOM = f"r7hq2m@{MUC}"


@pytest.fixture(scope="module")
def stand(door: Door, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    if not has_prosody():
        pytest.skip("Prosody is not installed")
    usual = f'tillit_muc_host = "{MUC}"'
    replaced = {usual: f'{usual}\ntillit_admission_url = "{door.url}"'}
    made = new_stand(Path(tmp_path_factory.mktemp("asking")), replaced=replaced)
    yield made
    made.stop()
    made.sidecar.stop()


@pytest.mark.requirement("R011", "R216")
def test_the_answer_counts_instead_of_the_token(stand: Stand, door: Door) -> None:
    async def test(stand: Stand) -> None:
        await stand.focus()
        door.admits("speak")
        maja = await stand.person("maja", ["chat", "speak"], user_id=somebody())
        maja.send(f"<message to='{ROOM}' type='groupchat' id='w'><body>hej</body></message>")
        assert rule_of(await maja.wait_for(lambda s: s.get("id") == "w")) == "chat"

        door.admits("chat", seconds=1.2)
        ture = await stand.person("ture", [], user_id=somebody())
        ture.send(f"<message to='{ROOM}' type='groupchat' id='w'><body>hej</body></message>")
        assert (await ture.wait_for(lambda s: s.get("id") == "w")).get("type") == "groupchat"
        await ture.wait_for(lambda s: s.get("type") == "unavailable" and s.get("from") == f"{ROOM}/ture")

    _runner(stand)(test)


@pytest.mark.requirement("R204", "R216")
def test_what_a_join_says_is_judged_by_the_answer_too(stand: Stand, door: Door) -> None:
    """A raise between token and door closed it: the presence somebody comes in with shows nothing of it either."""

    async def test(stand: Stand) -> None:
        focus = await stand.focus()
        inside = HAND + info(maja_v0={"muted": False})
        for held in (["speak"], ["speak", "raise_hand", "show_camera"]):
            door.admits(*held)
            maja = await stand.person("maja", ["speak", "raise_hand", "show_camera"], user_id=somebody(), inside=inside)
            seen = await focus.wait_for(lambda s: s.get("from") == f"{ROOM}/maja")
            shown = seen.find("{jabber:client}jitsi_participant_raisedHand") is not None
            assert shown is ("raise_hand" in held)
            assert ("maja-v0" in (seen.findtext("{jabber:client}SourceInfo") or "")) is ("show_camera" in held)
            assert len(seen.findall("{jabber:client}jitsi_participant_region")) == 1
            maja.send(f"<presence to='{ROOM}/maja' type='unavailable'/>")
            await focus.wait_for(lambda s: s.get("from") == f"{ROOM}/maja" and s.get("type") == "unavailable")

    _runner(stand)(test)


@pytest.mark.requirement("R216")
def test_a_command_given_while_the_door_is_asked_counts_instead_of_the_answer(stand: Stand, door: Door) -> None:
    async def test(stand: Stand) -> None:
        await stand.focus()
        who = somebody()
        door.admits("chat")
        door.asked.clear()
        door.may_answer.clear()
        maja = await stand.connect(stand.token("maja", ["chat"], user_id=who))
        joining = asyncio.create_task(maja.join(ROOM, "maja"))
        while not door.asked:
            await asyncio.sleep(0.01)
        command = await stand.command("PUT", f"/v1/rooms/r7hq2m/participants/{who}/permissions", rights("speak"))
        door.may_answer.set()
        assert command.status_code == 204
        await joining
        maja.send(f"<message to='{ROOM}' type='groupchat' id='w'><body>hej</body></message>")
        assert rule_of(await maja.wait_for(lambda s: s.get("id") == "w")) == "chat"

    try:
        _runner(stand)(test)
    finally:
        door.may_answer.set()


def test_the_question_is_signed_for_itself_and_asked_once_though_a_join_is_played_twice(
    stand: Stand, door: Door
) -> None:
    async def test(stand: Stand) -> None:
        await stand.focus()
        door.admits("speak")
        door.asked.clear()
        who = somebody()
        await stand.person("queuedmaja", ["speak"], user_id=who)

        [(authorization, body)] = door.asked
        said = json.loads(body)
        assert (said["room"], said["participant"], len(said)) == ("r7hq2m", who, 3)
        verify_control_token(
            authorization.removeprefix("Bearer "),
            jwks=JwkSet([stand.sidecar.events_key.public_jwk()]),
            expected_issuer="tillit-prosody",
            expected_audience="tillit-web",
            method="POST",
            path=PATH,
            body=body,
            now=utc_now(),
            seen=SeenIds(),
        )

    _runner(stand)(test)


@pytest.mark.requirement("R011", "R204")
@pytest.mark.parametrize(
    ("answer", "rule"),
    [
        ((200, b'{"admitted":false}'), "not-admitted"),
        ((200, b"{}"), "not-admitted"),
        ((200, b'{"admitted":"true","permissions":[],"session_until":9999999999}'), "not-admitted"),
        ((200, b'{"admitted":1}'), "not-admitted"),
        (
            (200, b'{"admitted":false,"admitted":true,"permissions":[],"session_until":9999999999}'),
            "sidecar-unreachable",
        ),
        ((200, b'{"admitted":true}'), "sidecar-unreachable"),
        ((200, b'{"admitted":true,"permissions":["everything"],"session_until":9999999999}'), "sidecar-unreachable"),
        ((200, b'{"admitted":true,"permissions":[],"session_until":"later"}'), "sidecar-unreachable"),
        ((200, b'{"admitted":true,"permissions":[],"session_until":1}'), "session-over"),
        ((200, b"yes"), "sidecar-unreachable"),
        ((200, b""), "sidecar-unreachable"),
        ((404, b'{"admitted":true,"permissions":[],"session_until":9999999999}'), "sidecar-unreachable"),
        ((503, b""), "sidecar-unreachable"),
        (3.5, "sidecar-unreachable"),
    ],
    ids=str,
)
def test_anything_but_a_plain_yes_keeps_the_door_shut_and_the_token_good(
    stand: Stand, door: Door, answer: Any, rule: str
) -> None:
    async def test(stand: Stand) -> None:
        await stand.focus()
        door.answer = answer
        client = await stand.connect(stand.token("maja", ["chat"], user_id=somebody()))
        with pytest.raises(RefusedError, match=rule):
            await client.join(ROOM, "maja")
        door.admits("chat")
        await client.join(ROOM, "maja")  # it was refused before it was spent

    _runner(stand)(test)
