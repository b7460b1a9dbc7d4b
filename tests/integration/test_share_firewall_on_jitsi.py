"""On Jitsi nothing of ours sees a picture: where shares would have to be watched, there are none."""

import json
from pathlib import Path
from typing import Any

import pytest

from sidecar.adapters.jitsi import JitsiConference
from sidecar.domain import clock
from sidecar.domain.ids import ParticipantId, RoomName
from sidecar.domain.jws import unb64url
from sidecar.testing import Browser
from tests.integration.two_shards import TwoShards

_SHARES = {"share_window", "share_screen"}


def token_of(browser: Browser) -> dict[str, Any]:
    text = browser.post("room/token").get_json()["token"]
    found: dict[str, Any] = json.loads(unb64url(text.split(".")[1]))
    return found


@pytest.mark.requirement("R206")
@pytest.mark.parametrize("loaded", [True, False])
def test_a_token_grants_no_share_that_nobody_could_look_at(tmp_path: Path, loaded: bool) -> None:
    product = TwoShards(tmp_path, with_plugins=["share_firewall"] if loaded else []).product
    meeting = product.book()
    elin = product.opens(meeting)

    claims = token_of(elin)

    shares = _SHARES & set(claims["tillit"]["permissions"])
    assert shares == (set() if loaded else {"share_window"})
    assert claims["context"]["features"]["screen-sharing"] is not loaded
    entry = product.services.admission.may_enter(product.place(elin.place))
    assert entry is not None
    assert entry[0] == set(claims["tillit"]["permissions"])


@pytest.mark.requirement("R206")
def test_new_rights_bring_no_share_back() -> None:
    said: list[Any] = []

    class Prosody:
        def call(self, method: str, path: str, body: Any = None) -> Any:
            said.append(body)
            return type("Answer", (), {"status": 204, "body": {}})()

    conference = JitsiConference(Prosody())  # type: ignore[arg-type]  # what answers a command

    for watched in (True, False):
        conference.set_permissions(
            room=RoomName("se-room"),
            participant=ParticipantId("p_1"),
            permissions=["speak", "share_window"],
            session_until=clock.utc_now(),
            watch_shares=watched,
        )

    assert [each["permissions"] for each in said] == [["speak"], ["share_window", "speak"]]
    assert not conference.watches_shares(RoomName("se-room"))
