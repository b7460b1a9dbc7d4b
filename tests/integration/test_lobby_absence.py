"""Somebody whose lobby page is gone is told to be away, in every process, and is let in only by whoever knows it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from sidecar.bootstrap import Services, build
from sidecar.domain.errors import StoreUnavailableError
from sidecar.domain.meetings import ParticipantState
from sidecar.domain.permissions import Capacity
from sidecar.testing import ELIN, MAJA, SAMIR, SIV, TURE, Browser, Product, guest
from sidecar.web.app import create_app
from sidecar.web.feed import HEARTBEAT, Feed
from tests.integration.journey_steps import meeting_of, state_of


@pytest.fixture
def maja(product: Product) -> Browser:
    """Return Maja's browser, in the lobby."""
    return product.arrives(product.place_of(product.book(), Capacity.CUSTOMER)).waits(MAJA)


@contextmanager
def open_page(browser: Browser) -> Iterator[Callable[[], str]]:
    """Hold a lobby page's stream open and yield what reads its next event, as the server sends it on to the page."""
    answer = browser.get("events")
    events = answer.iter_encoded()
    try:
        yield lambda: next(events).decode()
    finally:
        answer.close()


def next_heartbeat(read: Callable[[], str]) -> None:
    """Read on, past what the worker did meanwhile, until the line has been silent for long enough."""
    while read() != HEARTBEAT:
        pass


def lets_go_by(product: Product, **time: float) -> None:
    product.clock.on(**time)
    product.worker()


def lobby_of(elin: Browser) -> list[tuple[str, bool]]:
    lobby: list[dict[str, Any]] = elin.get("room/state").get_json()["lobby"]
    return [(each["id"], each["away_since"] is not None) for each in lobby]


def test_who_closed_the_page_is_shown_as_away_within_a_minute_and_let_in_only_knowingly(
    product: Product, maja: Browser
) -> None:
    """Before, 25 minutes later the adviser still read that she waited, and let nobody in."""
    elin = product.opens(meeting_of(maja))
    with open_page(maja) as read:
        assert "event: state" in read()
    lets_go_by(product, seconds=40)
    assert lobby_of(elin) == [(maja.place, False)], "two heartbeats, and a little for the way"

    lets_go_by(product, seconds=6)

    assert lobby_of(elin) == [(maja.place, True)]
    refused = elin.post("room/admit", {"participant": maja.place})
    assert (refused.status_code, refused.get_json()["sentence"]) == (
        409,
        "Den du vill släppa in är borta just nu. Vänta, eller välj att släppa in ändå.",
    )
    assert state_of(maja) is ParticipantState.WAITING
    assert elin.post("room/admit", {"participant": maja.place, "though_away": "yes"}).status_code == 422
    assert elin.post("room/admit", {"participant": maja.place, "though_away": True}).status_code == 200
    assert maja.get("lobby").headers["Location"].endswith("/room")
    [admitted] = [
        each.data
        for each in product.records(meeting_of(maja))
        if each.kind == "participant.admitted" and each.data["participant"] == maja.place
    ]
    assert admitted["away"] is True
    assert product.kinds(meeting_of(maja)).count("lobby.away") == 1


def test_a_page_that_stays_open_keeps_its_place_and_one_that_comes_back_has_it_again(
    product: Product, maja: Browser
) -> None:
    services = product.services
    product.app.extensions["tillit_feed"] = Feed(services.meetings, services.shared, heartbeat_s=0.01)
    elin = product.opens(meeting_of(maja))
    with open_page(maja) as read:
        assert "event: state" in read()
        for _ in range(6):  # two minutes in which nothing happens
            next_heartbeat(read)
            lets_go_by(product, seconds=20)
        assert lobby_of(elin) == [(maja.place, False)]
    lets_go_by(product, minutes=1)
    lets_go_by(product, minutes=1)
    assert lobby_of(elin) == [(maja.place, True)]

    with open_page(maja) as read:
        assert "event: state" in read()
        next_heartbeat(read)
        assert lobby_of(elin) == [(maja.place, False)]
    assert product.kinds(meeting_of(maja))[-2:].count("lobby.back") == 1
    lets_go_by(product, seconds=46)
    assert lobby_of(elin) == [(maja.place, True)], "and is missed again"
    assert maja.get("lobby").status_code == 200, "a page that is loaded anew is a page"
    assert lobby_of(elin) == [(maja.place, False)]
    assert elin.post("room/admit", {"participant": maja.place}).status_code == 200
    lets_go_by(product, minutes=5)
    assert product.kinds(meeting_of(maja)).count("lobby.away") == 2, "who was let in is in no lobby"


def test_the_desk_says_who_is_away_in_calm_words_and_puts_them_last(product: Product, maja: Browser) -> None:
    other = product.book(customer=product.customer(SAMIR))
    elin = product.signs_in(ELIN)
    assert "(1) " in elin.get("/desk").text

    lets_go_by(product, minutes=2)

    page = elin.get("/desk").text
    assert "Maja Granlid är borta just nu, sedan" in page
    assert "(1) " not in page
    assert "Borta just nu" in page
    assert "Borta från väntrummet sedan" in elin.get(f"/desk/meetings/{meeting_of(maja).id}").text
    product.arrives(product.place_of(other, Capacity.CUSTOMER)).waits(SAMIR)
    page = elin.get("/desk").text
    assert page.index("Samir Haddin väntar") < page.index("Maja Granlid är borta just nu")
    assert "(1) " in page


def test_a_caller_nobody_booked_who_hung_up_is_no_longer_counted(product: Product) -> None:
    caller = product.calls().waits(TURE)
    siv = product.signs_in(SIV)
    assert "1 i kö" in siv.get("/desk").text

    lets_go_by(product, minutes=2)

    page = siv.get("/desk").text
    assert "ingen i kö" in page
    assert "är borta just nu, sedan" in page
    assert f"/desk/meetings/{meeting_of(caller).id}/pick-up" in page, (
        "whoever asked to be called is still there to call"
    )


def test_who_left_by_the_link_or_whose_meeting_is_over_is_not_missed(product: Product, maja: Browser) -> None:
    elin = product.opens(meeting_of(maja))
    maja.post("lobby/leave", form=True)
    lets_go_by(product, minutes=2)
    assert "lobby.away" not in product.kinds(meeting_of(maja))

    assert maja.get("lobby").status_code == 200
    assert elin.post("room/end").status_code == 200
    lets_go_by(product, minutes=2)
    assert "lobby.away" not in product.kinds(meeting_of(maja))
    assert product.stores()["meetings.lobby_pages"] == [], "nothing of it is kept"


def test_absence_is_one_fact_for_all_web_processes(product: Product, maja: Browser) -> None:
    """The page hangs on one process, the desk on another, and the worker is a third: what they share is the store."""
    here = product.app
    other: Services = build(
        product.services.settings,
        clock=product.clock,
        plugins=product.stub,
        policy=product.services.policy,
        audit=product.services.audit,
        conference=product.conference,
    )
    elin = product.opens(meeting_of(maja))
    product.app = create_app(other)
    moved = Browser(product, place=maja.place)
    moved.client._cookies = maja.client._cookies  # the same browser, whose page the proxy sent elsewhere
    product.app = here
    with open_page(moved) as read:
        read()
        product.clock.on(seconds=40)
        maja.post("lobby/choice", {"choice": "wait"})
        read()
        maja.post("lobby/choice", {"choice": "wait"})
        read()
        lets_go_by(product, seconds=20)
        assert lobby_of(elin) == [(maja.place, False)]

    lets_go_by(product, seconds=46)

    assert lobby_of(elin) == [(maja.place, True)]


def test_while_nothing_can_be_recorded_nobody_is_said_to_be_away_and_the_worker_goes_on(
    product: Product, maja: Browser
) -> None:
    elin = product.opens(meeting_of(maja))
    product.clock.on(seconds=46)
    with product.dead_audit():
        product.services.admission.note_absent()
        assert lobby_of(elin) == [(maja.place, False)]

    product.worker()

    assert lobby_of(elin) == [(maja.place, True)]


def test_a_guest_who_is_away_takes_nobody_elses_place(product: Product) -> None:
    meeting = product.book(guests=[guest(SAMIR)])
    maja = product.arrives(product.place_of(meeting, Capacity.CUSTOMER)).waits(MAJA)
    elin = product.opens(meeting)
    lets_go_by(product, seconds=46)
    samir = product.arrives(product.place_of(meeting, Capacity.OBSERVER)).waits(SAMIR)

    assert sorted(lobby_of(elin)) == sorted([(maja.place, True), (samir.place, False)])
    assert elin.post("room/admit", {"participant": samir.place}).status_code == 200


def test_who_was_asked_to_wait_again_and_closed_the_page_is_missed_too(product: Product, maja: Browser) -> None:
    elin = product.opens(meeting_of(maja))
    assert elin.post("room/admit", {"participant": maja.place}).status_code == 200
    lets_go_by(product, seconds=46)  # by now nothing is left of the page she waited at before
    assert elin.post("room/send-back", {"participant": maja.place}).status_code == 200

    lets_go_by(product, seconds=46)

    assert lobby_of(elin) == [(maja.place, True)]
    assert elin.post("room/admit", {"participant": maja.place}).status_code == 409


def test_an_open_line_outlasts_a_store_that_does_not_answer(
    product: Product, maja: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = product.services
    product.app.extensions["tillit_feed"] = Feed(services.meetings, services.shared, heartbeat_s=0.01)
    with open_page(maja) as read:
        assert "event: state" in read()
        next_heartbeat(read)
        product.clock.on(seconds=5)

        def away(*_: Any) -> None:
            raise StoreUnavailableError("no answer")

        monkeypatch.setattr(services.meetings, "write", away)
        next_heartbeat(read)
        next_heartbeat(read)


def test_callers_are_counted_for_their_own_bank_and_only_while_they_are_there(product: Product) -> None:
    product.calls().waits(TURE)
    asked = product.browser()
    assert "1 person" in asked.get("/call").text
    assert product.services.on_demand.waiting("nordlyset") == []

    lets_go_by(product, minutes=2)

    assert "1 person" not in asked.get("/call").text
