"""Every state a customer's page knows is met on a way through the product; none is kept for show."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import get_args

import pytest

from sidecar.adapters.i18n import Translator
from sidecar.domain.ids import ParticipantId
from sidecar.domain.meetings import Meeting, ParticipantState
from sidecar.domain.permissions import Capacity
from sidecar.testing import ELIN, MAJA, SAMIR, SIV, TURE, Browser, Product, guest
from sidecar.web.customer_views import REASONS, LobbyPlace
from tests.integration.journey_steps import START, meeting_of, rule, state_of
from tests.integration.test_web_feed import stream

SV = Translator("sv", strict=True)
DAY = timedelta(days=1)


def comes(product: Product, meeting: Meeting | None = None, **booked: object) -> Browser:
    return product.arrives(product.place_of(meeting or product.book(**booked), Capacity.CUSTOMER))  # type: ignore[arg-type]


def opens_link(browser: Browser) -> Browser:
    """Return another browser in which the same invitation was opened, and that followed where it led."""
    product = browser.product
    other = Browser(product, place=browser.place)
    led = other.get(f"/m/{product.services.links.secret(ParticipantId(browser.place))}")
    other.landed = other.get(led.headers["Location"]).text  # type: ignore[attr-defined]
    return other


def identifies_by_code(browser: Browser) -> Browser:
    browser.post("sign-in/start", {"method": "otp_link", "same_device": False})
    assert browser.post("sign-in/submit", {"code": browser.product.code.code}).get_json()["status"] == "complete"
    return browser


def let_in(product: Product, meeting: Meeting) -> tuple[Browser, Browser]:
    """Return Maja's browser and Elin's, both in the room."""
    maja, elin = comes(product, meeting).waits(MAJA), product.opens(meeting)
    assert elin.post("room/admit", {"participant": maja.place}).status_code == 200
    assert maja.joins().status_code == elin.joins().status_code == 200
    return maja, elin


# Every no


def unknown(product: Product) -> str:
    return product.browser().get("/m/no-such-link").text


def cancelled(product: Product) -> str:
    maja = comes(product)
    product.services.booking.cancel(meeting_of(maja).id, actor=product.staff().id)
    return maja.get("arrive").text


def too_late(product: Product) -> str:
    maja = comes(product)
    product.clock.on(hours=2)
    product.worker()
    return maja.get("arrive").text


def too_early(product: Product) -> str:
    return comes(product, starts_at=product.clock() + DAY).get("identify").text


def moved(product: Product) -> str:
    maja = comes(product)
    product.clock.on(seconds=11)
    product.worker()
    product.services.booking.move(meeting_of(maja).id, product.clock() + DAY, actor=product.staff().id)
    return str(opens_link(maja).landed)  # type: ignore[attr-defined]


def other_device(product: Product) -> str:
    return str(opens_link(comes(product).waits(MAJA)).landed)  # type: ignore[attr-defined]


def wrong_person(product: Product) -> str:
    maja = comes(product)
    return maja.get(maja.identifies(TURE).get_json()["next"]).text


def said_no(product: Product) -> str:
    maja = comes(product)
    maja.post("sign-in/start", START)
    product.eid.is_told_off()
    return maja.get(maja.post("sign-in/poll").get_json()["next"]).text


def level_too_low(product: Product) -> str:
    maja = identifies_by_code(comes(product, type_name="advice"))
    maja.get("lobby")
    assert product.opens(meeting_of(maja)).post("room/raise", {"target": "band:medium"}).status_code == 200
    return maja.get("lobby", follow_redirects=True).text


def denied(product: Product) -> str:
    maja = comes(product).waits(MAJA)
    assert product.opens(meeting_of(maja)).post("room/deny", {"participant": maja.place}).status_code == 200
    return maja.get("left").text


def not_invited(product: Product) -> str:
    maja, elin = let_in(product, product.book())
    assert elin.post("room/expel", {"participant": maja.place}).status_code == 200
    return maja.get("arrive").text


NOES: Mapping[str, Callable[[Product], str]] = {
    each.__name__: each
    for each in (
        unknown, cancelled, too_late, too_early, moved, other_device, wrong_person, said_no, level_too_low, denied,
        not_invited,
    )
}  # fmt: skip


@pytest.mark.requirement("R016")
@pytest.mark.parametrize("reason", REASONS)
def test_every_no_there_is_a_page_for_is_met_and_leads_on(product: Product, reason: str) -> None:
    page = NOES[reason](product)

    assert f"<h1>{SV.t(f'refused.{reason}.title')}</h1>" in page
    assert 'class="btn main"' in page
    assert "08\u2011465" in page


# Every place of the lobby


def said(browser: Browser) -> str:
    """Return which of the lobby's states this browser's page is in."""
    return browser.get("lobby").text.partition('data-place="')[2].partition('"')[0]


def waiting_for(product: Product, place: str) -> Browser:
    if place == "closed":
        product.clock.now = product.clock().replace(hour=18, minute=50)  # in Stockholm ten minutes before eight
        ture = product.calls().waits(TURE)
        product.clock.on(minutes=15)
        return ture
    maja = comes(product).waits(MAJA)
    meeting = meeting_of(maja)
    if place == "late":
        assert product.signs_in(ELIN).post(f"/desk/meetings/{meeting.id}/late").status_code == 200
    elif place == "waiting":
        product.opens(meeting)
    elif place == "sent_back":
        elin = product.opens(meeting)
        elin.post("room/admit", {"participant": maja.place})
        assert elin.post("room/send-back", {"participant": maja.place}).status_code == 200
    return maja


@pytest.mark.parametrize("place", [each for each in get_args(LobbyPlace) if each != "second_device"])
def test_every_place_of_the_lobby_is_met(product: Product, place: str) -> None:
    browser = waiting_for(product, place)

    assert said(browser) == place
    assert (
        SV.t(f"lobby.{place}.strong", adviser="Elin" if place != "closed" else "Exempelbanken")
        in browser.get("lobby").text
    )


# One device at a time


@pytest.mark.requirement("R048")
def test_the_same_invitation_on_another_device_says_so_and_whoever_goes_on_there_is_told_here(product: Product) -> None:
    maja = comes(product).waits(MAJA)
    assert (
        maja.get(f"/m/{product.services.links.secret(ParticipantId(maja.place))}")
        .headers["Location"]
        .endswith("/lobby")
    ), "the same browser just goes on"
    other = opens_link(maja)
    assert f'href="/v/{maja.place}/arrive"' in other.landed  # type: ignore[attr-defined]
    assert state_of(maja) is ParticipantState.WAITING, "looking changes nothing"

    with stream(maja, "events") as read:
        assert read()[1]["place"] == "not_here"
        product.clock.on(minutes=1)
        other.waits(MAJA)
        name, told = read()
        while told["place"] != "second_device":
            name, told = read()
        assert (name, told["waiting"], told["heading"]) == ("state", False, "Du väntar redan på en annan enhet")
        assert read() == ("over", None), "nothing more of the wait is told to this browser"
    assert maja.get("events").status_code == 401
    assert said(other) == "not_here"
    back = maja.get("lobby", headers={"Accept": "text/html"}, follow_redirects=True).text
    assert 'id="identify"' in back, "and back again by showing who one is"
    assert "Fortsätter du här kopplas den andra bort." in back
    assert "kopplas den andra bort" not in other.get("identify").text


def test_an_invitation_that_nobody_goes_on_with_elsewhere_opens_as_ever(product: Product) -> None:
    maja, elin = let_in(product, product.book())
    assert elin.post("room/end").status_code == 200

    assert SV.t("refused.too_late.title") in opens_link(maja).landed  # type: ignore[attr-defined]
    assert SV.t("arrive.happens") in opens_link(comes(product)).landed  # type: ignore[attr-defined]


# Sent back


@pytest.mark.requirement("R011")
def test_whoever_is_asked_to_wait_again_is_out_at_once_and_comes_in_without_showing_who_they_are(
    product: Product,
) -> None:
    maja, elin = let_in(product, product.book())
    with stream(maja, "events") as read:
        assert read()[1]["me"]["id"] == maja.place
        assert elin.post("room/send-back", {"participant": maja.place}).status_code == 200
        name, told = read()
        assert (name, told["place"]) == ("state", "sent_back")
        assert "me" not in told, "the room's page goes to the lobby by this"

    assert ("expel", maja.place, "sent_back") in product.conference.calls
    assert rule(maja.post("room/token")) == "default/admitted-first"
    assert maja.get("room/state").status_code == 403
    assert "Elin bad dig vänta här en stund." in maja.get("lobby").text
    assert product.records(meeting_of(maja))[-1].kind == "permission.refused"
    [sent] = [each for each in product.records(meeting_of(maja)) if each.kind == "participant.sent_back"]
    assert sent.data["participant"] == maja.place
    assert [each["name"] for each in elin.get("room/state").get_json()["lobby"]] == [MAJA.name]
    assert elin.post("room/admit", {"participant": maja.place}).status_code == 200
    assert maja.joins().status_code == 200


@pytest.mark.requirement("R011")
def test_only_who_opens_the_door_sends_somebody_back_and_only_who_came_by_it(product: Product) -> None:
    meeting = product.book(guests=[guest(SAMIR)])
    maja, elin = let_in(product, meeting)
    samir = product.arrives(product.place_of(meeting, Capacity.OBSERVER)).waits(SAMIR)

    assert rule(maja.post("room/send-back", {"participant": elin.place})) == "never/guest-in-charge"
    assert elin.post("room/send-back", {"participant": samir.place}).status_code == 409, "waits already"
    assert elin.post("room/send-back", {"participant": elin.place}).status_code == 422
    assert state_of(maja) is ParticipantState.IN_ROOM


# Moved


@pytest.mark.requirement("R064")
def test_a_new_time_is_told_to_whoever_knew_the_old_one_and_to_nobody_else(product: Product) -> None:
    meeting = product.book()
    product.clock.on(seconds=11)
    product.worker()
    moved_to = product.services.booking.move(meeting.id, meeting.starts_at + DAY, actor=product.staff().id)
    samir = product.services.booking.invite_guest(moved_to, guest(SAMIR), actor=product.staff().id)
    maja = comes(product, meeting)

    page = str(opens_link(maja).landed)  # type: ignore[attr-defined]
    assert "Mötet har fått en ny tid" in page
    assert "i morgon kl.\u00a013.00" in page
    assert f'href="/v/{maja.place}/arrive"' in page
    assert "Du är tidig." in maja.get("arrive").text, "and one can get ready"
    early = maja.get("identify").text
    assert "Dörren öppnas" in early, "whoever goes on hears when, and can try again"
    assert f'href="/v/{maja.place}/identify"' in early
    assert "Mötet har fått en ny tid" not in str(opens_link(product.arrives(samir)).landed)  # type: ignore[attr-defined]
    product.clock.now = moved_to.starts_at
    assert SV.t("arrive.happens") in opens_link(maja).landed  # type: ignore[attr-defined]


# A level that no longer does


@pytest.mark.requirement("R010", "R025")
def test_whoever_waits_with_a_code_is_told_when_the_meeting_asks_for_more_and_comes_in_with_an_eid(
    product: Product,
) -> None:
    maja = identifies_by_code(comes(product, type_name="advice"))
    maja.get("lobby")
    elin = product.opens(meeting_of(maja))
    with stream(maja, "events") as read:
        assert read()[1]["place"] == "waiting"
        elin.post("room/raise", {"target": "band:medium"})
        while (told := read())[0] != "go":
            pass
        assert told == ("go", {"url": f"/v/{maja.place}/refused?reason=level_too_low"})
    assert f'href="/v/{maja.place}/identify"' in maja.get(told[1]["url"]).text
    assert SV.t("identify.step_up.lead") in maja.get("identify").text

    maja.waits(MAJA)
    assert elin.post("room/admit", {"participant": maja.place}).status_code == 200


# On demand


@pytest.mark.requirement("R038")
def test_a_caller_learns_how_many_wait_before_and_hears_when_it_is_fewer(product: Product) -> None:
    first = product.calls().waits(TURE)
    product.clock.on(minutes=1)
    second = product.calls().waits(SAMIR)
    assert "Du är näst på tur." in first.get("lobby").text
    assert "1 person väntar före dig." in second.get("lobby").text
    assert "före dig" not in comes(product).waits(MAJA).get("lobby").text, "a booked meeting has no queue"

    with stream(second, "events") as read:
        assert read()[1]["rest"] == "1 person väntar före dig."
        product.signs_in(SIV).post(f"/desk/meetings/{meeting_of(first).id}/pick-up")
        assert read()[1]["rest"] == "Du är näst på tur."
