"""Away and back: who leaves keeps the place for a while, who was put out stays out, and the bridge is believed."""

from datetime import timedelta

import pytest

from sidecar.domain.ids import ParticipantId
from sidecar.domain.meetings import ParticipantState
from sidecar.testing import ELIN, MAJA, Browser, Product
from tests.integration.journey_steps import START, meeting_of, rule, state_of

# Away and back


def in_room(product: Product, maja: Browser) -> Browser:
    """Let Maja and Elin be in the room; return Elin's browser."""
    maja.waits(MAJA)
    elin = product.opens(meeting_of(maja))
    assert elin.post("room/admit", {"participant": maja.place}).status_code == 200
    assert maja.joins().status_code == 200
    assert elin.joins().status_code == 200
    return elin


@pytest.mark.requirement("R048")
def test_who_leaves_comes_back_within_the_bound_as_who_they_were(product: Product, maja: Browser) -> None:
    in_room(product, maja)
    before = product.place(maja.place)
    assert maja.post("room/leave").status_code == 200
    assert ("expel", maja.place, "left") in product.conference.calls
    product.clock.on(minutes=30)

    assert maja.get("room").status_code == 200
    assert maja.joins().status_code == 200
    after = product.place(maja.place)
    assert (after.state, after.identified, after.capacity) == (
        ParticipantState.IN_ROOM,
        before.identified,
        before.capacity,
    )
    assert product.kinds(meeting_of(maja))[-2:] == ["token.minted", "participant.rejoined"]


@pytest.mark.requirement("R048", "R011")
def test_after_the_bound_one_identifies_anew_and_is_admitted_anew(product: Product, maja: Browser) -> None:
    elin = in_room(product, maja)
    maja.post("room/leave")
    product.clock.on(minutes=30, seconds=1)

    assert rule(maja.post("room/token")) == "default/session-ended"
    assert rule(maja.post("room/chat", {"text": "Hej"})) == "default/session-ended"
    assert maja.get("room/state").status_code == 403
    assert maja.get("room").headers["Location"].endswith("/left")
    assert f"/v/{maja.place}/identify" in maja.get("left").text

    maja.waits(MAJA)
    assert rule(maja.post("room/token")) == "default/admitted-first"
    assert elin.post("room/admit", {"participant": maja.place}).status_code == 200
    assert maja.joins().status_code == 200


@pytest.mark.requirement("R011")
def test_time_in_the_room_runs_out_for_everybody(product: Product, maja: Browser) -> None:
    in_room(product, maja)
    until = product.place(maja.place).session_until
    assert until == meeting_of(maja).ends_at + timedelta(minutes=30)
    product.clock.now = until

    assert rule(maja.post("room/chat", {"text": "Hej"})) == "default/session-ended"
    assert rule(maja.post("room/token")) == "default/session-ended"
    assert f"/v/{maja.place}/identify" in maja.get("left").text


@pytest.mark.requirement("R015", "R048")
def test_an_adviser_who_was_away_for_long_comes_back_through_the_calls_own_check(
    product: Product, maja: Browser
) -> None:
    """Before, the desk led back to a room whose token was refused, for good."""
    elin = in_room(product, maja)
    elin.post("room/leave")
    product.clock.on(minutes=31)
    assert elin.post("room/token").status_code == 403

    begun = elin.post(f"/desk/meetings/{meeting_of(maja).id}/start", form=True)
    assert elin.get(elin.passes_identity_service(begun, ELIN)).status_code == 302
    assert elin.joins().status_code == 200


@pytest.mark.requirement("R011")
def test_who_identifies_anew_while_in_the_room_is_cut_from_it_and_waits(product: Product, maja: Browser) -> None:
    elin = in_room(product, maja)
    product.clock.on(minutes=1)
    other = product.arrives(product.place(maja.place), consents=False)
    assert other.identifies(MAJA).get_json()["next"].endswith("/lobby")

    assert state_of(other) is ParticipantState.IDENTIFIED
    product.worker()
    assert ("expel", maja.place, "identified-anew") in product.conference.calls
    other.get("lobby")
    assert elin.post("room/admit", {"participant": maja.place}).status_code == 200
    assert other.joins().status_code == 200


@pytest.mark.requirement("R011")
def test_who_was_put_out_stays_out(product: Product, maja: Browser) -> None:
    elin = in_room(product, maja)
    link = product.services.links.secret(ParticipantId(maja.place))
    assert elin.post("room/expel", {"participant": maja.place}).status_code == 200

    assert ("expel", maja.place, "expelled") in product.conference.calls
    for act, body in (("token", {}), ("chat", {"text": "Hej"}), ("hand", {"raised": True})):
        assert maja.post(f"room/{act}", body).status_code == 401, act
    assert maja.get("room/state").status_code == 403
    assert maja.get("lobby").headers["Location"].endswith("/left")
    assert rule(maja.post("sign-in/start", START)) == "default/invited-only"
    assert product.browser().get(f"/m/{link}").status_code == 404, "the link leads nowhere any more"
    assert elin.post("room/admit", {"participant": maja.place}).status_code == 409


@pytest.mark.requirement("R011")
def test_who_was_sent_away_from_the_lobby_does_not_wait_again(product: Product, maja: Browser) -> None:
    maja.waits(MAJA)
    elin = product.opens(meeting_of(maja))
    assert elin.post("room/deny", {"participant": maja.place}).status_code == 200

    assert maja.get("lobby").headers["Location"].endswith("/left")
    assert rule(maja.post("sign-in/start", START)) == "default/invited-only"
    assert maja.post("lobby/choice", {"choice": "wait"}).status_code == 409
    assert elin.post("room/deny", {"participant": maja.place}).status_code == 409, "twice"


@pytest.mark.requirement("R048")
def test_the_bridge_tells_of_a_lost_connection_and_the_place_is_kept(product: Product, maja: Browser) -> None:
    in_room(product, maja)
    told = {"id": "ev_1", "kind": "media.left", "participant": maja.place, "at": product.clock().isoformat()}

    assert product.bridge_says({**told, "data": {"reason": "connection_lost"}}).status_code == 200
    assert state_of(maja) is ParticipantState.AWAY
    assert product.bridge_says({**told, "data": {"reason": "connection_lost"}}).status_code == 200
    assert product.kinds(meeting_of(maja)).count("media.left") == 1, "told twice, recorded once"
    assert maja.joins().status_code == 200
    assert product.bridge_says({**told, "id": "ev_2", "data": {"reason": "replaced"}}).status_code == 200
    assert state_of(maja) is ParticipantState.IN_ROOM, "her newer connection took the older one's place"


def test_an_event_of_the_bridge_that_could_not_be_recorded_is_taken_in_when_it_comes_again(
    product: Product, maja: Browser
) -> None:
    in_room(product, maja)
    told = {"id": "ev_1", "kind": "media.left", "participant": maja.place, "at": product.clock().isoformat()}
    with product.dead_audit():
        assert product.bridge_says(told).status_code == 503

    assert product.bridge_says(told).status_code == 200
    assert state_of(maja) is ParticipantState.AWAY


@pytest.mark.parametrize(
    "poison",
    [
        {"kind": "message.dropped", "data": {"type": "maja.granlid@example.org", "rule": "closed-list"}},
        {"kind": "message.dropped", "data": {"type": "199002142389"}},
        {"kind": "media.left", "at": "yesterday"},
        {"kind": "media.left", "at": None},
        {"kind": "media.joined", "data": "no object"},
        {"kind": "unheard.of"},
        {"kind": "media.left", "participant": "p_nobody"},
    ],
    ids=str,
)
def test_an_event_that_can_never_be_recorded_does_not_hold_up_the_others(
    product: Product, maja: Browser, poison: dict[str, object]
) -> None:
    """The bridge sends in order and repeats what is refused: one hostile message would have silenced it for good."""
    in_room(product, maja)
    good = {"id": "ev_2", "kind": "media.left", "participant": maja.place, "at": product.clock().isoformat()}
    bad = {"id": "ev_1", "participant": maja.place, "at": product.clock().isoformat(), **poison}

    assert product.bridge_says(bad, "no event", good).status_code == 200  # type: ignore[arg-type]
    assert state_of(maja) is ParticipantState.AWAY
