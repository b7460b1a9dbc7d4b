"""Events: signed, in order, none lost when the sidecar is away or Prosody is killed."""

import asyncio

import pytest

from tests.prosody.conftest import Run
from tests.prosody.stand import MUC, Stand, somebody
from tests.prosody.xmpp_client import local_name, rule_of

ROOM = f"r7hq2m@{MUC}"


def test_an_event_says_what_who_where_and_when(run: Run) -> None:
    async def test(stand: Stand) -> None:
        await stand.focus()
        who = somebody()
        maja = await stand.person("maja", ["chat"], user_id=who)
        maja.send(f"<message to='{ROOM}' type='groupchat'><body>hemligt</body></message>")
        told = stand.sidecar.wait_for_event("chat.sent", participant=who)

        assert told.keys() == {"id", "kind", "room", "participant", "at", "data"}
        assert told["room"] == "r7hq2m"
        assert told["at"].endswith("Z")
        assert told["data"].keys() == {"digest", "chars"}
        assert "hemligt" not in str(stand.sidecar.events)
        assert [e["kind"] for e in stand.sidecar.events if e["participant"] == who] == [
            "token.spent",
            "media.joined",
            "chat.sent",
        ]

    run(test)


@pytest.mark.requirement("R204")
def test_nothing_is_lost_when_the_sidecar_is_away_and_prosody_is_killed(run_alone: Run) -> None:
    async def test(stand: Stand) -> None:
        await stand.focus()
        maja = await stand.person("maja", ["chat"])
        stand.sidecar.wait_for_event("media.joined")
        stand.sidecar.stop()
        texts = [
            f"<message to='{ROOM}' type='groupchat' id='m{n}'><body>{'x' * (n + 1)}</body></message>"
            for n in range(250)
        ]
        for text in texts:
            maja.send(text)
        await maja.wait_for(lambda s: s.get("id") == "m249")
        stand.stop(9)
        with (stand.folder / "data" / "tillit-events").open("a") as queue:
            queue.write('{"id":"ev_cut_short')  # as a kill within a write would leave it
        stand.start()
        stand.sidecar.start()
        await asyncio.to_thread(stand.sidecar.wait_for_event, "chat.sent", chars=250)  # type: ignore[arg-type]

        seen: dict[str, int] = {}
        for event in stand.sidecar.events:
            if event["kind"] == "chat.sent":
                seen.setdefault(event["id"], event["data"]["chars"])
        assert list(seen.values()) == list(range(1, 251))

        # The line that was cut short does not swallow the next event.
        await stand.focus()
        await stand.person("ture")
        await asyncio.to_thread(stand.sidecar.wait_for_event, "media.joined", participant="p_ture")

    run_alone(test)


def test_a_hostile_client_does_not_fill_the_queue(run: Run) -> None:
    async def test(stand: Stand) -> None:
        await stand.focus()
        who = somebody()
        maja = await stand.person("maja", user_id=who)
        for n in range(50):
            maja.send(f"<message to='{ROOM}' type='groupchat' id='m{n}'><subject>x</subject></message>")
        assert rule_of(await maja.wait_for(lambda s: s.get("id") == "m49")) == "room-configuration"
        maja.send(f"<presence to='{ROOM}/maja' type='unavailable'/>")
        stand.sidecar.wait_for_event("media.left", participant=who)
        told = [e for e in stand.sidecar.events if e["participant"] == who and e["kind"] == "message.dropped"]
        assert [e["data"]["rule"] for e in told] == ["room-configuration"]

    run(test)


def test_an_act_that_cannot_be_recorded_is_refused(run_alone: Run) -> None:
    """A full disk: nobody is muted and nothing is said that no record tells of."""

    async def test(stand: Stand) -> None:
        focus = await stand.focus()
        elin = await stand.person("elin", ["mute_others", "chat"], moderator=True)
        maja = await stand.person("maja")
        stand.sidecar.stop()
        stand.fill_disk()
        elin.send(f"<message to='{ROOM}' type='groupchat' id='w'><body>hej</body></message>")
        assert rule_of(await elin.wait_for(lambda s: s.get("id") == "w")) == "events-unwritable"
        muted = f"<mute xmlns='http://jitsi.org/jitmeet/audio' jid='{ROOM}/maja'>true</mute>"
        assert rule_of(await elin.ask(f"<iq type='set' to='{ROOM}/focus'>{muted}</iq>")) == "events-unwritable"
        await focus.settle()
        assert [s for s in focus.inbox if local_name(s) == "iq"] == []
        await maja.settle()
        stand.empty_disk()
        elin.send(f"<message to='{ROOM}' type='groupchat' id='w2'><body>hej</body></message>")
        assert (await elin.wait_for(lambda s: s.get("id") == "w2")).get("type") == "groupchat"

    run_alone(test)
