"""The sidecar's adapter against a real Prosody: what each command does, and what counts as "not done"."""

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from sidecar.adapters.control_client import ControlClient
from sidecar.adapters.jitsi import MAX_ANNOUNCEMENT_BYTES, JitsiConference
from sidecar.domain.clock import utc_now
from sidecar.domain.errors import InvalidInputError
from sidecar.domain.ids import ParticipantId, RoomName
from sidecar.domain.jws import local_signing_key, new_private_key
from sidecar.services.ports import ConferenceUnavailableError
from tests.prosody.conftest import Run
from tests.prosody.stand import MUC, Stand, free_port, somebody

ROOM, NOBODY = RoomName("r7hq2m"), ParticipantId("p_nobody")
MEDIA = "http://jitsi.org/jitmeet"


def adapter(stand: Stand, **changed: Any) -> JitsiConference:
    facts: dict[str, Any] = {
        "url": f"http://127.0.0.1:{stand.port}",
        "host": MUC,
        "issuer": "tillit",
        "audience": "tillit-prosody",
        "control_key": lambda: stand.sidecar.control_key,
        "clock": utc_now,
    }
    return JitsiConference(ControlClient(**facts | changed))


async def done(command: Callable[[], Any]) -> Any:
    return await asyncio.to_thread(command)


def test_an_announcement_comes_from_the_room_itself_to_everybody(run: Run) -> None:
    async def test(stand: Stand) -> None:
        conference, who = adapter(stand), somebody()
        await stand.focus()
        maja = await stand.person("maja", user_id=who)
        words = 'Mötet slutar snart. <b>"</b>'
        assert await done(lambda: conference.announce(ROOM, words)) is True
        heard = await maja.wait_for(lambda s: s.find(f"{{{MEDIA}}}json-message") is not None)
        assert heard.get("from") == f"{ROOM}@{MUC}"
        said = json.loads(heard.findtext(f"{{{MEDIA}}}json-message") or "")
        assert said == {"type": "tillit-announcement", "text": words}

        assert await done(lambda: conference.announce(RoomName("nowhere"), "Hej")) is False
        for text in ("", "å" * MAX_ANNOUNCEMENT_BYTES):
            with pytest.raises(InvalidInputError):
                conference.announce(ROOM, text)

    run(test)


@pytest.mark.requirement("R216")
def test_permissions_and_roster_say_the_same(run: Run) -> None:
    async def test(stand: Stand) -> None:
        conference, who = adapter(stand), somebody()
        await stand.focus()
        await stand.person("maja", ["speak", "chat"], user_id=who)
        until = utc_now() + timedelta(hours=1)
        await done(
            lambda: conference.set_permissions(
                room=ROOM, participant=who, permissions={"speak", "document_room.annotate"}, session_until=until
            )
        )
        [person] = [each for each in await done(lambda: conference.roster(ROOM)) if each["id"] == who]
        assert person["permissions"] == ["document_room.annotate", "speak"]

        with pytest.raises(InvalidInputError):
            await done(
                lambda: conference.set_permissions(
                    room=ROOM, participant=who, permissions={"everything"}, session_until=until
                )
            )

    run(test)


def test_what_is_gone_already_is_no_error(run: Run) -> None:
    async def test(stand: Stand) -> None:
        conference = adapter(stand)
        await stand.focus()
        for command in (
            lambda: conference.expel(room=ROOM, participant=NOBODY, reason="left & gone/..?x=1"),
            lambda: conference.mute(room=ROOM, participant=NOBODY, kind="audio"),
            lambda: conference.set_permissions(
                room=ROOM, participant=NOBODY, permissions=[], session_until=utc_now() + timedelta(hours=1)
            ),
            lambda: conference.end(room=RoomName("nowhere"), reason="ended"),
        ):
            await done(command)
        assert await done(lambda: conference.roster(RoomName("nowhere"))) == []

    run(test)


def test_nobody_is_muted_where_no_moderator_is_there_to_ask(run: Run) -> None:
    """Jicofo mutes for a moderator in the room. Without one nothing happens, and nothing is said to have happened."""

    async def test(stand: Stand) -> None:
        conference, who = adapter(stand), somebody()
        focus = await stand.focus()
        await stand.person("maja", ["speak", "mute_others"], user_id=who)
        with pytest.raises(ConferenceUnavailableError):
            await done(lambda: conference.mute(room=ROOM, participant=who, kind="audio"))
        with pytest.raises(InvalidInputError):
            await done(lambda: conference.mute(room=ROOM, participant=who, kind="everything"))
        await focus.settle()
        assert [s for s in focus.inbox if s.find(f"{{{MEDIA}/audio}}mute") is not None] == []

    run(test)


@pytest.mark.requirement("R216")
def test_what_prosody_does_not_believe_was_not_done(run: Run) -> None:
    async def test(stand: Stand) -> None:
        stranger = local_signing_key("ES256", new_private_key("ES256"))
        wrong: tuple[dict[str, Any], ...] = (
            {"control_key": lambda: stranger},
            {"audience": "tillit-bridge"},
            {"issuer": "tillit-web"},
            {"clock": lambda: utc_now() - timedelta(minutes=5)},
            {"url": f"http://127.0.0.1:{free_port()}"},
        )
        for changed in wrong:
            conference = adapter(stand, **changed)
            with pytest.raises(ConferenceUnavailableError):
                await done(lambda conference=conference: conference.end(room=ROOM, reason="ended"))  # type: ignore[misc]
            assert conference.health() == {"prosody": "down", "reports": "unknown"}
            assert not conference.answers("se")
        assert await done(lambda: adapter(stand).health()) == {"prosody": "ok", "reports": "ok"}

    run(test)
