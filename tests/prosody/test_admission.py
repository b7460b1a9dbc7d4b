"""The door: which tokens open it, how often, for how long, and what happens when the sidecar is away."""

import asyncio
import contextlib
import json
import time
from datetime import timedelta
from pathlib import Path

import pytest

from sidecar.domain.clock import utc_now
from sidecar.domain.jws import b64url, local_signing_key, new_private_key
from tests.prosody.conftest import Run
from tests.prosody.stand import HOST, MUC, Stand, lateness, new_stand, somebody
from tests.prosody.xmpp_client import PATIENCE_S, RefusedError, XmppClient, local_name, rule_of

ROOM = f"r7hq2m@{MUC}"
ROOM_CLIENT = "{jabber:client}"
NICK = "{http://jabber.org/protocol/nick}nick"
PROMISED_S = 0.25  # how soon somebody is out
SLACK_S = 0.35  # what a busy test machine may add to that


async def refusal(action: object) -> str:
    """Return the rule of a refusal, which must come."""
    with pytest.raises(RefusedError) as refused:
        await action  # type: ignore[misc]
    return refused.value.text


async def out_after(client: XmppClient, began: float) -> float:
    """Return how long after `began` the client learned that it was out."""
    await client.wait_for(
        lambda s: local_name(s) == "presence" and s.get("type") == "unavailable" and s.get("from", "").startswith(ROOM)
    )
    return time.monotonic() - began


def test_verified_name_and_region_are_what_others_see(run: Run) -> None:
    async def test(stand: Stand) -> None:
        focus = await stand.focus()
        lies = (
            "<nick xmlns='http://jabber.org/protocol/nick'>Elin (bank)</nick>"
            "<jitsi_participant_region>no</jitsi_participant_region>"
        )
        who = somebody()
        await stand.person("maja", ["speak"], inside=lies, user_id=who)

        seen = await focus.wait_for(lambda s: s.get("from") == f"{ROOM}/maja")
        assert [each.text for each in seen.findall(NICK)] == ["Maja"]
        assert [e.text for e in seen.findall(f"{ROOM_CLIENT}jitsi_participant_region")] == ["se"]
        for rule in ("region", "verified-name"):
            stand.sidecar.wait_for_event("message.dropped", rule=rule, participant=who)

    run(test)


@pytest.mark.requirement("R204")
def test_login_refuses_what_the_verifier_refuses(run: Run) -> None:
    async def test(stand: Stand) -> None:
        honest = stand.token()
        head, body, signature = honest.split(".")
        stranger = local_signing_key("RS256", new_private_key("RS256"))
        ago = utc_now() - timedelta(minutes=10)
        none = b64url(json.dumps({"alg": "none", "kid": "x", "typ": "JWT"}).encode())
        refused = {
            "": "token-malformed",
            f"{none}.{body}.": "token-malformed",
            f"{head}.{body}.{signature[:-8]}AAAAAAAA": "token-bad-signature",
            stand.token(key=stranger): "token-bad-signature",
            stand.token(audience="shard-no"): "token-wrong-audience",
            stand.token(issuer="https://attacker.example"): "token-wrong-issuer",
            stand.token(room="other"): "token-wrong-room",
            stand.token(now=ago): "token-expired",
        }
        for token, slug in refused.items():
            assert await refusal(stand.connect(token)) == slug

    run(test)


def test_login_without_a_token_is_refused(run: Run) -> None:
    async def test(stand: Stand) -> None:
        client = await XmppClient.open(stand.port, host=HOST)
        assert await refusal(client.log_in()) == "token-malformed"
        client = await XmppClient.open(stand.port, host=HOST)
        with pytest.raises(RefusedError, match="invalid-mechanism"):
            await client.log_in("PLAIN", b"\0focus\0insecure")

    run(test)


@pytest.mark.requirement("R011")
def test_a_token_opens_its_door_once(run: Run) -> None:
    """Two browsers hold the same link: whoever comes second stays outside, logged in before or after."""

    async def test(stand: Stand) -> None:
        await stand.focus()
        token = stand.token("maja")
        first, second = await stand.connect(token), await stand.connect(token)
        await first.join(ROOM, "maja")

        assert await refusal(second.join(ROOM, "other")) == "token-spent"
        assert await refusal(stand.connect(token)) == "token-spent"

    run(test)


def test_leaving_and_coming_back_takes_a_new_token(run: Run) -> None:
    async def test(stand: Stand) -> None:
        await stand.focus()
        maja = await stand.person("maja")
        maja.send(f"<presence to='{ROOM}/maja' type='unavailable'/>")
        await maja.wait_for(lambda s: s.get("type") == "unavailable")

        assert await refusal(maja.join(ROOM, "maja")) == "token-spent"
        await stand.person("maja")

    run(test)


def test_a_spent_token_stays_spent_when_prosody_was_killed(run_alone: Run) -> None:
    async def test(stand: Stand) -> None:
        await stand.focus()
        token = stand.token("maja")
        await (await stand.connect(token)).join(ROOM, "maja")
        stand.stop(9)
        stand.start()

        assert await refusal(stand.connect(token)) == "token-spent"

    run_alone(test)


def test_a_token_is_for_one_room_by_its_letters(run: Run) -> None:
    async def test(stand: Stand) -> None:
        await stand.focus()
        await stand.focus("other")
        client = await stand.connect(stand.token("maja"))
        assert await refusal(client.join(f"other@{MUC}", "maja")) == "wrong-room"
        await client.join(ROOM, "maja")
        assert await refusal(client.join(f"other@{MUC}", "maja")) == "wrong-room"

    run(test)


def test_a_client_never_opens_a_room(run: Run) -> None:
    async def test(stand: Stand) -> None:
        client = await stand.connect(stand.token("elin", moderator=True, room="nobodyhere"), "nobodyhere")
        assert await refusal(client.join(f"nobodyhere@{MUC}", "elin")) in {"room-not-open", ""}
        await stand.focus("nobodyhere")
        await client.join(f"nobodyhere@{MUC}", "elin")

    run(test)


def test_an_account_without_a_token_does_not_get_in(run: Run) -> None:
    """Only the accounts that are named as ours are let by; the server's other accounts are nobody."""

    async def test(stand: Stand) -> None:
        await stand.focus()
        mallory = await stand.account("mallory")
        assert await refusal(mallory.join(ROOM, "mallory")) == "no-token"
        assert await refusal(mallory.join(f"elsewhere@{MUC}", "mallory")) in {"room-not-open", ""}

    run(test)


def test_nobody_joins_from_a_host_without_the_gates(run: Run) -> None:
    async def test(stand: Stand) -> None:
        await stand.focus()
        client = await stand.connect(stand.token("maja"), host="ungated.test")
        assert await refusal(client.join(ROOM, "maja")) == "gate-missing"

    run(test)


@pytest.mark.parametrize("missing", ["tillit_admission", "tillit_events"])
def test_nobody_joins_a_room_whose_door_does_not_stand(missing: str, tmp_path: Path) -> None:
    """A module that was left out of the configuration, or failed to load, must not leave the room open."""

    async def test(stand: Stand) -> None:
        await stand.focus()
        client = await stand.connect(stand.token("maja"))
        assert await refusal(client.join(ROOM, "maja")) in {"gate-missing", "events-unwritable"}
        await stand.close_clients()

    modules = [name for name in ("tillit_events", "tillit_admission", "tillit_control") if name != missing]
    stand = new_stand(tmp_path, doors=", ".join(f'"{name}"' for name in modules))
    try:
        asyncio.run(test(stand))
    finally:
        stand.stop()
        stand.sidecar.stop()


def test_a_join_that_is_played_again_opens_once_and_is_not_refused(run: Run) -> None:
    async def test(stand: Stand) -> None:
        await stand.focus()
        who = somebody()
        client = await stand.connect(stand.token("kerstin", user_id=who))
        await client.join(ROOM, "queued1")

        stand.sidecar.wait_for_event("media.joined", participant=who)
        told = [e["kind"] for e in stand.sidecar.events if e["participant"] == who]
        assert told.count("token.spent") == 1

    run(test)


def test_the_same_person_twice_replaces_the_first(run: Run) -> None:
    async def test(stand: Stand) -> None:
        await stand.focus()
        first = await stand.person("maja")
        second = await stand.connect(stand.token("maja"))
        await second.join(ROOM, "maja2")
        await asyncio.wait_for(first.closed.wait(), PATIENCE_S)
        await second.settle()

    run(test)


def test_nicknames_of_others_and_of_the_focus_cannot_be_taken(run: Run) -> None:
    async def test(stand: Stand) -> None:
        focus = await stand.focus()
        await stand.person("maja")
        client = await stand.connect(stand.token("ture"))
        for nick in ("focus", "maja"):
            with pytest.raises(RefusedError):
                await client.join(ROOM, nick)
        assert await refusal(client.join(ROOM, "a b")) == "nick-form"
        await client.join(ROOM, "ture")
        await focus.close()
        late = await stand.connect(stand.token("agnes"))
        assert await refusal(late.join(ROOM, "focus")) == "unknown-presence", "nor while it is away"

    run(test)


def test_a_password_opens_nothing(run: Run) -> None:
    async def test(stand: Stand) -> None:
        focus = await stand.focus("locked")
        await focus.ask(
            f"<iq type='set' to='locked@{MUC}'><query xmlns='http://jabber.org/protocol/muc#owner'>"
            "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'>"
            "<value>http://jabber.org/protocol/muc#roomconfig</value></field>"
            "<field var='muc#roomconfig_passwordprotectedroom'><value>1</value></field>"
            "<field var='muc#roomconfig_roomsecret'><value>hemligt</value></field></x></query></iq>"
        )
        who = somebody()
        client = await stand.connect(stand.token("maja", room="locked", user_id=who), "locked")
        secret = "<x xmlns='http://jabber.org/protocol/muc'><password>hemligt</password></x>"
        client.send(f"<presence to='locked@{MUC}/maja'>{secret}</presence>")
        answer = await client.wait_for(lambda s: local_name(s) == "presence")
        assert answer.get("type") == "error"
        stand.sidecar.wait_for_event("message.dropped", rule="password", participant=who)

    run(test)


@pytest.mark.requirement("R204")
def test_out_when_the_session_is_over(run: Run) -> None:
    async def test(stand: Stand) -> None:
        focus = await stand.focus()
        who, now = somebody(), utc_now()
        ends = int(now.timestamp()) + 4  # the claim is in whole seconds
        maja = await stand.person("maja", ["speak"], user_id=who, session_until=now + timedelta(seconds=4))
        async with lateness(focus) as late:
            await out_after(maja, time.monotonic())
            out_at = utc_now().timestamp()
            assert ends - 0.05 <= out_at <= ends + PROMISED_S + SLACK_S + late()
        await asyncio.wait_for(maja.closed.wait(), PATIENCE_S)
        stand.sidecar.wait_for_event("session.ended", reason="session-over", participant=who)

    run(test)


def test_expelled_at_the_sidecars_word_and_the_token_on_its_way_is_dead(run: Run) -> None:
    async def test(stand: Stand) -> None:
        focus = await stand.focus()
        maja = await stand.person("maja")
        on_its_way = stand.token("maja")
        async with lateness(focus) as late:
            began = time.monotonic()
            answer, took = await asyncio.gather(
                stand.command("DELETE", "/v1/rooms/r7hq2m/participants/p_maja?reason=expelled"), out_after(maja, began)
            )
            assert answer.status_code == 204
            assert took <= PROMISED_S + SLACK_S + late()
        await asyncio.wait_for(maja.closed.wait(), PATIENCE_S)

        assert await refusal(stand.connect(on_its_way)) == "turned-away"
        later = stand.token("maja", now=utc_now() + timedelta(seconds=2))
        await (await stand.connect(later)).join(ROOM, "maja")

    run(test)


def test_a_new_key_is_taken_at_once_and_a_withdrawn_one_soon(run_alone: Run) -> None:
    async def test(stand: Stand) -> None:
        await stand.focus()
        new = local_signing_key("RS256", new_private_key("RS256"))
        stand.sidecar.join_keys = [stand.sidecar.join_key, new]
        await asyncio.sleep(2.0)  # no more than one reading in two seconds, whoever asks
        await stand.connect(stand.token("maja", key=new))

        stand.sidecar.join_keys = [new]
        deadline, found = time.monotonic() + PATIENCE_S, "taken"
        while time.monotonic() < deadline:
            try:
                await stand.connect(stand.token("ture"))
            except RefusedError as refused:
                found = refused.text
                break
            await asyncio.sleep(0.2)
        assert found == "token-bad-signature"

    run_alone(test)


def test_without_the_sidecar_nobody_new_gets_in_and_those_inside_stay(own_stand: Stand, run_alone: Run) -> None:
    async def test(stand: Stand) -> None:
        await stand.focus()
        maja = await stand.person("maja", ["chat"])
        waiting = await stand.connect(stand.token("ture"))
        stand.sidecar.stop()
        await asyncio.sleep(stand.patience + 0.6)

        assert await refusal(waiting.join(ROOM, "ture")) == "sidecar-unreachable"
        with pytest.raises(RefusedError, match="temporary-auth-failure"):
            await stand.connect(stand.token("samir"))
        maja.send(f"<message to='{ROOM}' type='groupchat'><body>still here</body></message>")
        await maja.wait_for(lambda s: s.findtext(f"{ROOM_CLIENT}body") == "still here")
        assert "the sidecar is out of reach" in stand.log()

        stand.sidecar.start()
        deadline = time.monotonic() + PATIENCE_S
        while True:
            with contextlib.suppress(RefusedError):
                await waiting.join(ROOM, "ture")
                break
            assert time.monotonic() < deadline, "the door opens by itself"
            await asyncio.sleep(0.2)
        stand.sidecar.wait_for_event("chat.sent")

    own_stand.stop()
    own_stand.patience = 3
    own_stand.start()
    run_alone(test)


@pytest.mark.parametrize("unwritable", ["tillit-spent", "tillit-events"])
def test_what_cannot_be_written_down_does_not_happen(unwritable: str, own_stand: Stand) -> None:
    async def test() -> None:
        own_stand.stop()
        path = own_stand.folder / "data" / unwritable
        path.unlink(missing_ok=True)
        path.mkdir()
        own_stand.start()
        await own_stand.focus()
        client = await own_stand.connect(own_stand.token("maja"))
        client.send(f"<presence to='{ROOM}/maja'><x xmlns='http://jabber.org/protocol/muc'/></presence>")
        answer = await client.wait_for(lambda s: s.get("type") == "error")
        assert rule_of(answer) in {"spent-unwritable", "events-unwritable"}
        await own_stand.close_clients()

    asyncio.run(test())
