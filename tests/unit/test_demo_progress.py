"""The ticks of the demo's guide: which meeting the story is about, and what has happened in it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sidecar.domain.clock import to_text
from simulators.demo.guide.progress import STEPS, Event, current_meeting, steps_done, tries_done

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def place(capacity: str, state: str = "invited", *, identified: bool = False) -> dict[str, Any]:
    how = {"provider": "bankid", "method": "bankid", "at": to_text(NOON)} if identified else None
    return {"id": f"p_{capacity}", "capacity": capacity, "state": state, "identified": how}


def meeting(state: str = "booked", *places: dict[str, Any], name: str = "m_1", **more: Any) -> dict[str, Any]:
    return {
        "id": name,
        "state": state,
        "type": "mortgage@1",
        "starts_at": to_text(NOON),
        "ended_at": to_text(NOON) if state == "ended" else None,
        "participants": [place("adviser", "admitted"), *(places or (place("customer"), place("observer")))],
    } | more


def event(kind: str, capacity: str = "", **data: Any) -> Event:
    return Event(kind, "m_1", f"p_{capacity}" if capacity else None, data)


def test_no_meeting_is_no_story() -> None:
    assert current_meeting([], since=NOON) is None


def test_a_meeting_of_another_type_is_not_the_story() -> None:
    assert current_meeting([meeting(type="advice@1")], since=NOON) is None


def test_the_meeting_that_runs_comes_before_one_that_is_booked() -> None:
    booked, runs = meeting(name="m_later"), meeting("open", name="m_runs")

    assert current_meeting([booked, runs], since=NOON) is runs


def test_among_booked_meetings_the_one_where_somebody_came_is_the_story() -> None:
    left_behind = meeting(name="m_old", starts_at=to_text(NOON + timedelta(hours=1)))
    begun = meeting("booked", place("customer", "arrived"), name="m_begun")

    assert current_meeting([left_behind, begun], since=NOON) is begun


def test_a_new_booking_begins_the_story_anew() -> None:
    assert current_meeting([meeting("ended", name="m_done"), meeting(name="m_new")], since=NOON)["id"] == "m_new"  # type: ignore[index]


def test_a_meeting_that_ended_before_this_demo_began_is_not_ticked() -> None:
    yesterday = meeting("ended", ended_at=to_text(NOON - timedelta(days=1)))

    assert current_meeting([yesterday], since=NOON) is None
    assert current_meeting([meeting("ended")], since=NOON) is not None


@pytest.mark.parametrize("state", ["cancelled", "missed"])
def test_a_meeting_that_never_was_is_not_the_story(state: str) -> None:
    assert current_meeting([meeting(state)], since=NOON) is None


def test_a_booked_meeting_ticks_the_booking_alone() -> None:
    assert steps_done(meeting(), []) == {"book"}


def test_the_customers_steps_are_ticked_and_not_by_the_observer() -> None:
    of_samir = meeting("booked", place("customer"), place("observer", "waiting", identified=True))
    of_maja = meeting("booked", place("customer", "waiting", identified=True), place("observer"))

    assert steps_done(of_samir, []) == {"book"}
    assert steps_done(of_maja, []) == {"book", "open", "identify"}


def test_waiting_is_not_admitted_and_the_end_does_not_admit_who_waited() -> None:
    """Ending a meeting gives whoever waited the same state as whoever was inside."""
    over = meeting("ended", place("customer", "left", identified=True))

    assert "admit" not in steps_done(over, [event("participant.admitted", "adviser")])
    assert "admit" in steps_done(over, [event("participant.admitted", "customer")])


def test_the_observer_counts_when_in_the_room() -> None:
    inside = meeting("open")

    assert "observe" not in steps_done(inside, [event("participant.admitted", "observer")])
    assert "observe" in steps_done(inside, [event("participant.joined", "observer")])


def test_a_window_counts_when_the_adviser_shows_it() -> None:
    inside = meeting("open")

    assert "share" not in steps_done(inside, [event("share.started", "customer")])
    assert "share" in steps_done(inside, [event("share.started", "adviser")])


def test_an_event_about_an_unknown_place_ticks_nothing() -> None:
    assert steps_done(meeting("open"), [event("participant.joined", "stranger")]) == {"book"}


def test_everything_but_the_auditors_check_can_be_seen() -> None:
    over = meeting("ended", place("customer", "left", identified=True), place("observer", "left", identified=True))
    told = [
        event("participant.admitted", "customer"),
        event("participant.joined", "observer"),
        event("share.started", "adviser"),
        event("calculation.made", "adviser"),
        event("document_room.presented", "adviser"),
        event("pades_signing.signed", "customer"),
    ]

    assert steps_done(over, told) == set(STEPS) - {"check"}


def test_attempts_are_seen_by_what_was_refused() -> None:
    assert tries_done([event("sign_in.wrong_person", "customer")]) == {"wrong_person"}
    assert tries_done([event("permission.refused", "adviser", act="staff.call_check")]) == {"weak_check"}
    assert tries_done([event("permission.refused", "adviser", act="share.started", surface="monitor")]) == {
        "whole_screen"
    }
    assert tries_done([event("share.cut", "adviser", reason="canary")]) == {"internal_page"}
    assert tries_done([event("share.cut", "adviser", reason="down")]) == set()


def test_a_refused_window_is_not_a_refused_screen() -> None:
    assert tries_done([event("permission.refused", "observer", act="share.started", surface="window")]) == set()
    assert tries_done([event("share.started", "adviser", surface="window")]) == set()
