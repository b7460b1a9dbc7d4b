"""The adviser's side of the door: the call's own check, the role's tools, and calls nobody booked."""

from dataclasses import replace
from datetime import timedelta

import pytest

from sidecar.domain.errors import ConflictError, RefusedError
from sidecar.domain.meetings import MeetingState
from sidecar.services.booking import Booker, BookingRequest
from sidecar.testing import AGNES, ELIN, FRIDA, MAJA, SAMIR, SIV, TURE, Product, guest
from tests.integration.journey_steps import meeting_of, rule

# The adviser


@pytest.mark.requirement("R015")
def test_the_desks_session_alone_opens_no_call(product: Product) -> None:
    meeting, elin = product.book(), product.signs_in(ELIN)

    assert rule(elin.get(f"/desk/meetings/{meeting.id}/enter")) == "default/call-check"
    assert product.meeting(meeting).state is MeetingState.BOOKED


@pytest.mark.requirement("R009", "R015")
@pytest.mark.parametrize("amr", [("pwd", "otp"), ("pwd", "sms"), ("pwd",), ()])
def test_the_calls_own_check_asks_for_a_strong_method_where_the_type_does(
    product: Product, amr: tuple[str, ...]
) -> None:
    meeting, elin = product.book(), product.signs_in(ELIN)
    product.identity_service.amr = amr
    state = elin.post(f"/desk/meetings/{meeting.id}/start", form=True).headers["Location"].partition("state=")[2]

    answer = elin.get("/staff/callback", query_string={"state": state, "code": "elin"})

    assert rule(answer) == "mortgage@1/staff"
    assert rule(elin.get(f"/desk/meetings/{meeting.id}/enter")) == "default/call-check"


@pytest.mark.requirement("R015")
def test_the_check_is_for_this_call_by_this_person_and_soon_over(product: Product) -> None:
    meeting, other = product.book(), product.book(customer=product.customer(TURE))
    elin = product.signs_in(ELIN)
    state = elin.post(f"/desk/meetings/{meeting.id}/start", form=True).headers["Location"].partition("state=")[2]
    colleague = elin.get("/staff/callback", query_string={"state": state, "code": "siv"})
    assert colleague.status_code == 403, "a colleague cannot lend a key"
    elin.passes_identity_service(elin.post(f"/desk/meetings/{meeting.id}/start", form=True), ELIN)

    assert rule(elin.get(f"/desk/meetings/{other.id}/enter")) == "default/call-check"
    product.clock.on(minutes=5, seconds=1)
    assert rule(elin.get(f"/desk/meetings/{meeting.id}/enter")) == "default/call-check"
    assert "staff.call_check" in product.kinds(meeting)


@pytest.mark.requirement("R015", "R129")
def test_nobody_opens_a_colleagues_meeting(product: Product) -> None:
    meeting, siv = product.book(), product.staff(SIV)

    with pytest.raises(RefusedError) as refused:
        product.services.admission.open_meeting(
            meeting.id, siv.id, packages=siv.packages, call_checked_at=product.clock()
        )
    assert refused.value.params["rule"] == "default/own-meetings"


@pytest.mark.requirement("R008")
def test_a_role_gives_its_tools_always_the_same_and_never_anothers(product: Product) -> None:
    """Siv of customer service may hold an onboarding, and in it neither invite guests nor see unmasked data."""
    elin, siv = product.staff(ELIN), product.staff(SIV)
    assert elin.packages == product.staff(ELIN).packages == {"mortgage-adviser"}
    assert siv.packages == {"customer-service"}
    rights = {}
    for who in (ELIN, SIV):
        meeting = product.book(type_name="onboarding", adviser=who)
        rights[who.key] = set(product.opens(meeting, who).get("room/state").get_json()["me"]["permissions"])

    assert {"invite_guest", "see_unmasked", "calculate"} <= rights["elin"] - rights["siv"]
    assert rights["siv"] < rights["elin"]


@pytest.mark.requirement("R008")
def test_a_role_that_brings_no_guests_brings_none_by_any_way(product: Product) -> None:
    meeting = product.book(type_name="onboarding", adviser=SIV)
    siv = product.signs_in(SIV)
    samir = {"name": "Samir", "capacity": "observer", "email": "samir@example.org", "national_id": SAMIR.number}

    assert 'id="invite"' not in siv.get(f"/desk/meetings/{meeting.id}").text
    assert rule(siv.post(f"/desk/meetings/{meeting.id}/guests", samir)) == "packages/invite_guest"
    room = product.opens(meeting, SIV)
    assert rule(room.post("room/invite", {"name": "X", "capacity": "observer"})) == "packages/invite_guest"
    with pytest.raises(RefusedError) as refused:
        product.book(type_name="onboarding", adviser=SIV, guests=[guest(SAMIR)])
    assert refused.value.params["rule"] == "packages/invite_guest"
    assert len(product.services.meetings.participants(meeting.id)) == 2


@pytest.mark.requirement("R008", "R011")
def test_a_role_lost_since_the_desk_was_opened_opens_no_call(product: Product) -> None:
    meeting, elin = product.book(), product.signs_in(ELIN)
    for groups in ((), ("bank-customer-service",)):
        product.identity_service.people["elin"] = replace(ELIN, groups=groups)
        state = elin.post(f"/desk/meetings/{meeting.id}/start", form=True).headers["Location"].partition("state=")[2]

        assert rule(elin.get("/staff/callback", query_string={"state": state, "code": "elin"})) == "mortgage@1/packages"
        assert product.records(meeting)[-1].data["passed"] is False
        assert rule(elin.get(f"/desk/meetings/{meeting.id}/enter")) == "default/call-check"


@pytest.mark.requirement("R008", "R011")
def test_a_role_that_changed_holds_from_the_next_check_even_within_the_meeting(product: Product) -> None:
    meeting = product.book(type_name="onboarding")
    elin = product.opens(meeting)
    assert "invite_guest" in elin.get("room/state").get_json()["me"]["permissions"]
    product.identity_service.people["elin"] = replace(ELIN, groups=SIV.groups)

    elin.passes_identity_service(elin.post(f"/desk/meetings/{meeting.id}/start", form=True), ELIN)

    assert elin.get(f"/desk/meetings/{meeting.id}/enter").status_code == 302
    assert "invite_guest" not in elin.get("room/state").get_json()["me"]["permissions"]


@pytest.mark.requirement("R006", "R007")
def test_raising_a_conversation_to_high_asks_the_adviser_for_the_key_it_was_begun_without(product: Product) -> None:
    product.identity_service.amr = ("pwd", "otp")
    meeting = product.book(type_name="advice")
    elin = product.opens(meeting)

    def high() -> dict[str, str]:
        return next(r for r in elin.get("room/state").get_json()["raises"] if r["target"] == "band:high")

    assert high()["check"] == f"/desk/meetings/{meeting.id}/start"
    refused = elin.post("room/raise", {"target": "band:high"})
    assert (rule(refused), product.meeting(meeting).raises) == ("advice@1/staff", ())
    assert "säkerhetsnyckel" in refused.get_json()["sentence"]

    product.identity_service.amr = ("pwd", "hwk")
    elin.passes_identity_service(elin.post(high()["check"], form=True), ELIN)

    assert elin.get(f"/desk/meetings/{meeting.id}/enter").status_code == 302
    assert high()["check"] == ""
    assert elin.post("room/raise", {"target": "band:high"}).status_code == 200


@pytest.mark.requirement("R008", "R024")
def test_a_role_books_its_own_kinds_of_meeting_for_its_own_customers(product: Product) -> None:
    for who, type_name, segment, sentence in (
        (SIV, "mortgage", "private", "type-not-in-your-role"),
        (FRIDA, "mortgage", "private", "type-not-in-your-role"),
        (ELIN, "corporate-fx", "corporate", "type-not-in-your-role"),
        (ELIN, "mortgage", "corporate", "not-for-segment"),
    ):
        customer = product.customer(AGNES if segment == "corporate" else MAJA, segment=segment)
        with pytest.raises(RefusedError) as refused:
            product.book(adviser=who, type_name=type_name, customer=customer)
        assert refused.value.params["sentence"] == sentence, (who.name, type_name)
        assert product.records()[-1].data["sentence"] == sentence


def test_a_meeting_keeps_the_role_it_was_opened_with(product: Product) -> None:
    """Another group tomorrow, another set of tools: what the adviser holds now counts, not what a booking copied."""
    meeting = product.book()
    product.identity_service.people["elin"] = replace(ELIN, groups=("bank-private-bankers",))
    product.opens(meeting)

    assert product.meeting(meeting).packages == {"private-banker"}


@pytest.mark.requirement("R014", "R129")
def test_staff_without_any_role_are_refused_and_leave_no_trace_but_that(product: Product) -> None:
    product.identity_service.people["elin"] = replace(ELIN, groups=("bank-canteen",))
    before = product.stores()["people.people"]
    browser = product.browser()
    state = browser.get("/staff/sign-in").headers["Location"].partition("state=")[2]

    answer = browser.get("/staff/callback", query_string={"state": state, "code": "elin"})

    assert rule(answer) == "default/no-role-package"
    assert product.stores()["people.people"] == before


def test_whoever_a_sign_in_failed_for_reads_why_and_begins_anew_elsewhere(product: Product) -> None:
    """The address they came back to is spent: tried again, it would only fail again."""
    product.identity_service.people["elin"] = replace(ELIN, groups=("bank-canteen",))
    browser = product.browser()
    state = browser.get("/staff/sign-in").headers["Location"].partition("state=")[2]

    page = browser.get(
        "/staff/callback", query_string={"state": state, "code": "elin"}, headers={"Accept": "text/html"}
    ).text

    assert "Det gick inte just nu" in page
    assert 'href="/desk"' in page
    assert "/staff/callback" not in page


# On demand


@pytest.mark.requirement("R038", "R040")
def test_a_caller_is_identified_waits_and_is_picked_up_by_one(product: Product) -> None:
    caller = product.calls().waits(MAJA)
    meeting = meeting_of(caller)
    siv, elin = product.signs_in(SIV), product.signs_in(ELIN)
    assert [place.id for _, place in product.services.on_demand.waiting("exempelbanken")] == [caller.place]

    assert siv.post(f"/desk/meetings/{meeting.id}/pick-up").status_code == 200
    assert rule(elin.post(f"/desk/meetings/{meeting.id}/pick-up")) == "default/taken"
    assert product.services.on_demand.waiting("exempelbanken") == []
    room = product.opens(meeting, SIV)
    assert room.post("room/admit", {"participant": caller.place}).status_code == 200
    assert caller.joins().status_code == 200
    assert product.place(caller.place).person is not None
    first = product.records(meeting)[0]
    assert (first.kind, first.actor) == ("meeting.booked", caller.place)


@pytest.mark.requirement("R038")
def test_a_caller_the_bank_knows_is_that_customer_and_a_stranger_becomes_a_guest(product: Product) -> None:
    known = product.customer(MAJA)
    for who, expected in ((MAJA, known), (TURE, None)):
        caller = product.calls().waits(who)
        person = product.place(caller.place).person
        assert person is not None
        assert product.services.people.get(person).shown_name == who.name
        assert expected is None or person == expected


@pytest.mark.requirement("R038")
def test_a_calls_place_stays_with_who_took_it(product: Product) -> None:
    caller = product.calls().waits(MAJA)
    first = product.place(caller.place).person

    assert caller.identifies(TURE).get_json()["next"].endswith("wrong_person")
    assert product.place(caller.place).person == first


@pytest.mark.requirement("R040")
def test_outside_opening_hours_nobody_calls_and_the_hours_are_told(product: Product) -> None:
    product.clock.on(hours=8)
    browser = product.browser()
    browser.get("/call")
    before = product.stores()["meetings.meetings"]

    answer = browser.post("/call", {"type": "onboarding"}, form=True)

    assert answer.status_code == 200
    assert "08.00" in answer.text
    assert product.stores()["meetings.meetings"] == before
    assert product.records()[-1].data["rule"] == "default/opening-hours"
    product.worker()  # a refused call has no meeting, and still must not trip the worker
    assert product.worker() == 0


@pytest.mark.requirement("R038")
@pytest.mark.parametrize("wanted", ["mortgage", "corporate-fx", "nothing", "", "onboarding'; --"])
def test_what_must_be_booked_cannot_be_called(product: Product, wanted: str) -> None:
    browser = product.browser()
    browser.get("/call")

    assert browser.post("/call", {"type": wanted}, form=True).status_code == 200
    assert product.stores()["meetings.meetings"] == []


@pytest.mark.requirement("R038")
def test_of_two_who_pick_up_at_once_one_has_the_call(product: Product) -> None:
    meeting = meeting_of(product.calls().waits(MAJA))
    read = product.meeting(meeting)
    product.services.staff.pick_up(product.staff(SIV), read)

    with pytest.raises(ConflictError):
        product.services.staff.pick_up(product.staff(ELIN), read)
    assert product.meeting(meeting).adviser == product.staff(SIV).id
    assert product.kinds(meeting)[-2:] == ["call.picked_up", "act.voided"]


@pytest.mark.requirement("R008", "R038")
def test_a_call_is_neither_shown_to_nor_taken_by_a_role_that_holds_no_such_meeting(product: Product) -> None:
    called = replace(meeting_of(product.calls().waits(MAJA)), type_ref="corporate-fx@1")
    meeting = product.services.meetings.write(lambda tx: tx.save_meeting(called))
    siv = product.signs_in(SIV)

    assert meeting.id not in siv.get("/desk").text
    assert rule(siv.post(f"/desk/meetings/{meeting.id}/pick-up")) == "corporate-fx@1/packages"
    assert product.meeting(meeting).adviser is None


@pytest.mark.requirement("R135")
def test_a_booking_for_a_caller_of_another_country_is_stored_there(product: Product) -> None:
    member = product.staff(ELIN)
    customer = product.customer(TURE, country="FI")
    request = BookingRequest(
        type_name="mortgage",
        customer=customer,
        adviser=member.id,
        purpose="Laina",
        starts_at=product.clock(),
        duration=timedelta(minutes=45),
        brand="exempelbanken",
    )

    assert product.services.booking.book(request, Booker(member.id, member.packages)).region == "eu-central-fi"


@pytest.mark.requirement("R038", "R135")
def test_a_caller_says_where_they_live_and_finds_the_banks_own_country_chosen(product: Product) -> None:
    page = product.browser().get("/call").text
    assert '<option value="SE" selected>Sverige</option>' in page
    assert '<option value="FI">Finland</option>' in page

    at_home, abroad = product.calls(), product.calls(country="FI")
    found = [product.meeting(product.place(each.place).meeting) for each in (at_home, abroad)]
    assert [(each.domicile, each.region) for each in found] == [("SE", "eu-north-se"), ("FI", "eu-central-fi")]
    nowhere = product.browser()
    nowhere.get("/call")
    assert nowhere.post("/call", {"type": "onboarding", "country": "US"}, form=True).status_code in (400, 422)
