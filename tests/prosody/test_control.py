"""The sidecar's commands: who may give them, and that they are in force when they are answered."""

import asyncio
import json
import time
from datetime import timedelta
from typing import Any

import pytest

from sidecar.domain.clock import to_text, utc_now
from sidecar.domain.jws import local_signing_key, new_private_key
from tests.prosody.conftest import Run
from tests.prosody.source_focus import SourceFocus
from tests.prosody.stand import MUC, Stand, lateness
from tests.prosody.test_sources import CAMERA, SHARE, info, jingle, names, offered
from tests.prosody.xmpp_client import PATIENCE_S, RefusedError, local_name, rule_of

ROOM = f"r7hq2m@{MUC}"
PERSON = "/v1/rooms/r7hq2m/participants/p_maja"
PROMISED_S = 0.25
SLACK_S = 0.35  # what a busy test machine may add


def rights(*permissions: str, seconds: float = 3600) -> dict[str, Any]:
    return {"permissions": list(permissions), "session_until": to_text(utc_now() + timedelta(seconds=seconds))}


@pytest.mark.requirement("R216")
def test_permissions_are_in_force_when_the_command_is_answered(run: Run) -> None:
    async def test(stand: Stand) -> None:
        await stand.focus()
        maja = await stand.person("maja")
        words = f"<message to='{ROOM}' type='groupchat' id='w'><body>hej</body></message>"
        maja.send(words)
        assert rule_of(await maja.wait_for(lambda s: s.get("id") == "w")) == "chat"

        assert (await stand.command("PUT", f"{PERSON}/permissions", rights("chat"))).status_code == 204
        maja.send(words)
        assert (await maja.wait_for(lambda s: s.get("id") == "w")).get("type") == "groupchat"

        assert (await stand.command("PUT", f"{PERSON}/permissions", rights("speak"))).status_code == 204
        maja.send(words)
        assert rule_of(await maja.wait_for(lambda s: s.get("id") == "w")) == "chat"

    run(test)


@pytest.mark.requirement("R035")
def test_a_share_ends_when_its_permission_does(run: Run) -> None:
    """Media flow past Prosody: so the sources are taken back from Jicofo in the person's name."""

    async def test(stand: Stand) -> None:
        focus = await SourceFocus.open(stand)
        shared = info(me_v0={"muted": False}, me_v1={"muted": False, "videoType": "desktop"}).replace("me-", "maja-")
        maja = await stand.person("maja", ["show_camera", "share_window"], inside=shared)
        await focus.client.wait_for(lambda s: s.get("from") == f"{ROOM}/maja")
        await focus.offer(maja, "maja")
        offer = jingle("session-accept", video=(CAMERA + SHARE).replace("me-", "maja-"))
        assert names(await offered(maja, focus, offer)) == ["maja-v0", "maja-v1"]  # type: ignore[arg-type]

        await stand.command("PUT", f"{PERSON}/permissions", rights("show_camera"))

        removal = await focus.next()
        assert removal[0].get("action") == "source-remove"
        assert removal[0].get("sid") == "s1"
        assert names(removal) == ["maja-v1"]
        assert focus.take(removal)
        assert focus.held["maja"].names == ["maja-v0"]
        seen = await focus.client.wait_for(lambda s: s.get("from") == f"{ROOM}/maja" and local_name(s) == "presence")
        assert json.loads(seen.findtext("{jabber:client}SourceInfo") or "") == {"maja-v0": {"muted": False}}

    run(test)


def test_a_nearer_end_and_a_later_one_are_both_kept(run: Run) -> None:
    async def test(stand: Stand) -> None:
        focus = await stand.focus()
        maja = await stand.person("maja", session=4)
        await stand.command("PUT", f"{PERSON}/permissions", rights("speak", seconds=3600))
        with pytest.raises(TimeoutError):
            await maja.wait_for(lambda s: s.get("type") == "unavailable", within=4.3)
        async with lateness(focus) as late:
            began = time.monotonic()
            await stand.command("PUT", f"{PERSON}/permissions", rights(seconds=-1))
            await maja.wait_for(lambda s: s.get("type") == "unavailable")
            assert time.monotonic() - began <= PROMISED_S + SLACK_S + late()

    run(test)


def test_ending_puts_everybody_out_and_kills_the_tokens(run: Run) -> None:
    async def test(stand: Stand) -> None:
        await stand.focus("shortlived")
        people = [await stand.person(who, room="shortlived") for who in ("maja", "elin")]
        token = stand.token("ture", room="shortlived")
        late = await stand.connect(token, "shortlived")
        answer = await stand.command("DELETE", "/v1/rooms/shortlived?reason=ended")
        assert answer.status_code == 204
        for client in (*people, late):
            await asyncio.wait_for(client.closed.wait(), PATIENCE_S)
        await stand.focus("shortlived")
        with pytest.raises(RefusedError, match="turned-away"):
            await stand.connect(token, "shortlived")

    run(test)


def test_roster_and_announcement(run: Run) -> None:
    async def test(stand: Stand) -> None:
        await stand.focus()
        maja = await stand.person("maja", ["speak", "chat"])
        roster = (await stand.command("GET", "/v1/rooms/r7hq2m")).json()
        assert [(each["id"], each["permissions"]) for each in roster["participants"]] == [("p_maja", ["chat", "speak"])]

        sent = await stand.command("POST", "/v1/rooms/r7hq2m/announcements", {"text": "Mötet spelas inte in."})
        assert sent.status_code == 204
        heard = await maja.wait_for(lambda s: s.find("{http://jitsi.org/jitmeet}json-message") is not None)
        assert heard.get("from") == ROOM
        told = json.loads(heard.findtext("{http://jitsi.org/jitmeet}json-message") or "")
        assert told == {"type": "tillit-announcement", "text": "Mötet spelas inte in."}
        assert (await stand.command("GET", "/v1/rooms/nobodyhere")).json() == {"participants": []}

    run(test)


@pytest.mark.requirement("R204")
def test_commands_of_others_are_refused(run: Run) -> None:
    async def test(stand: Stand) -> None:
        await stand.focus()
        maja = await stand.person("maja")
        path = f"{PERSON}?reason=expelled"
        used = stand.command_token("GET", "/v1/rooms/r7hq2m", b"")
        assert (await stand.command("GET", "/v1/rooms/r7hq2m", token=used)).status_code == 200
        stranger = local_signing_key("ES256", new_private_key("ES256"))
        tries: dict[str, dict[str, Any]] = {
            "token-wrong-request": {"path": "/v1/rooms/r7hq2m/participants/p_ture?reason=expelled"},
            "token-wrong-audience": {"audience": "tillit-bridge"},
            "token-wrong-issuer": {"issuer": "tillit-prosody"},
            "token-bad-signature": {"signing_key": stranger},
            "token-expired": {"now": utc_now() - timedelta(minutes=5)},
            "token-malformed": {"token": stand.token("maja")},
        }
        for slug, changes in tries.items():
            answer = await stand.command("DELETE", path, **changes)
            assert (answer.status_code, answer.json()["slug"]) == (401, slug)
        assert (await stand.command("GET", "/v1/rooms/r7hq2m", token=used)).json()["slug"] == "token-spent"
        other_body = stand.command_token("PUT", f"{PERSON}/permissions", b"{}")
        answer = await stand.command("PUT", f"{PERSON}/permissions", rights("record"), token=other_body)
        assert answer.json()["slug"] == "token-wrong-request"
        await maja.settle()

    run(test)


def test_commands_that_make_no_sense_change_nothing(run: Run) -> None:
    async def test(stand: Stand) -> None:
        await stand.focus()
        maja = await stand.person("maja", ["chat"])
        nonsense: list[dict[str, Any]] = [
            {},
            {"permissions": ["*"]},
            rights("everything"),
            rights("chat") | {"admin": True},
            {"permissions": []},
        ]
        for body in nonsense:
            assert (await stand.command("PUT", f"{PERSON}/permissions", body)).status_code == 400
        for path in ("/v1/rooms/R7hq2m", "/v1/rooms/*", "/v1/nothing"):
            assert (await stand.command("GET", path)).status_code == 404
        gone = await stand.command("PUT", "/v1/rooms/r7hq2m/participants/p_nobody/permissions", rights())
        assert gone.status_code == 404
        maja.send(f"<message to='{ROOM}' type='groupchat' id='w'><body>hej</body></message>")
        assert (await maja.wait_for(lambda s: s.get("id") == "w")).get("type") == "groupchat"

    run(test)


def test_a_command_stays_used_when_prosody_was_killed(run_alone: Run) -> None:
    async def test(stand: Stand) -> None:
        used = stand.command_token("GET", "/v1/rooms/r7hq2m", b"")
        assert (await stand.command("GET", "/v1/rooms/r7hq2m", token=used)).status_code == 200
        stand.stop(9)
        stand.start()
        answer = await stand.command("GET", "/v1/rooms/r7hq2m", token=used)
        assert answer.json()["slug"] == "token-spent"

    run_alone(test)
