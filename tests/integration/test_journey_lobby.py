"""In the lobby and on the way to it: what the one who waits is promised, and what the adviser is told."""

import pytest

from sidecar.domain.meetings import ParticipantState
from sidecar.domain.permissions import Capacity
from sidecar.testing import AGNES, ELIN, FRIDA, MAJA, SIV, TURE, Browser, Product
from tests.integration.journey_steps import START, enters, meeting_of, state_of


@pytest.fixture
def maja(product: Product) -> Browser:
    return product.arrives(product.place_of(product.book(), Capacity.CUSTOMER))


def long_wait(browser: Browser) -> str:
    browser.get("lobby")
    browser.product.clock.on(minutes=12)
    return browser.get("lobby").text


def test_whoever_says_in_the_app_that_this_is_no_call_of_theirs_is_heard_by_the_adviser(
    product: Product, maja: Browser
) -> None:
    elin = product.opens(meeting_of(maja))
    maja.post("sign-in/start", START)
    product.eid.is_told_off()

    assert maja.post("sign-in/poll").get_json()["status"] == "failed"

    [alert] = elin.get("room/state").get_json()["alerts"]
    assert "inte är med banken" in alert["sentence"]
    assert "inte är med banken" in elin.get(f"/desk/meetings/{meeting_of(maja).id}").text
    [told] = [each for each in product.records(meeting_of(maja)) if each.kind == "sign_in.declined_call"]
    assert told.data == {"method": "bankid", "participant": maja.place}


def test_whoever_leaves_the_lobby_is_no_longer_at_the_door_and_can_come_back(product: Product, maja: Browser) -> None:
    elin = product.opens(meeting_of(maja))
    maja.waits(MAJA)
    assert len(elin.get("room/state").get_json()["lobby"]) == 1

    assert maja.post("lobby/leave", form=True).headers["Location"].endswith("/arrive")

    assert elin.get("room/state").get_json()["lobby"] == []
    assert elin.post("room/admit", {"participant": maja.place}).status_code == 409
    assert maja.post("lobby/leave", form=True).status_code == 302, "twice is once"
    assert product.kinds(meeting_of(maja)).count("lobby.left") == 1
    assert maja.get("lobby").status_code == 200
    assert state_of(maja) is ParticipantState.WAITING


def test_a_call_back_is_offered_and_taken_only_where_the_bank_has_a_number(product: Product, maja: Browser) -> None:
    stranger = product.calls().waits(TURE)
    maja.waits(MAJA)

    assert 'data-choose="call_me"' in long_wait(maja)
    assert 'data-choose="call_me"' not in long_wait(stranger)
    refused = stranger.post("lobby/choice", {"choice": "call_me"})
    assert (refused.status_code, refused.get_json()["field"]) == (422, "choice")
    assert maja.post("lobby/choice", {"choice": "call_me"}).status_code == 200


def test_the_summary_is_promised_where_it_goes_and_not_to_whom_it_cannot_reach(product: Product) -> None:
    def left_page(browser: Browser, host: Browser) -> str:
        assert host.post("room/end").status_code == 200
        return browser.get("left").text

    def summaries(browser: Browser) -> list[str]:
        errands = product.services.meetings.errands(meeting_of(browser).id)
        return [each.body["channel"] for each in errands if each.body.get("template") == "summary"]

    for who, inbox, words in ((MAJA, MAJA.number, "i din internetbank"), (AGNES, "", "till din e-post")):
        meeting = product.book(customer=product.customer(who, inbox=inbox))
        elin = product.opens(meeting)
        customer = enters(elin, meeting, Capacity.CUSTOMER, who)
        elin.joins()
        assert words in left_page(customer, elin)
        assert summaries(customer) == ["inbox" if inbox else "email"]

    stranger = product.calls().waits(TURE)
    product.signs_in(SIV).post(f"/desk/meetings/{meeting_of(stranger).id}/pick-up")
    siv = product.opens(meeting_of(stranger), SIV)
    assert siv.post("room/admit", {"participant": stranger.place}).status_code == 200
    assert stranger.joins().status_code == siv.joins().status_code == 200
    page = left_page(stranger, siv)
    assert "internetbank" not in page
    assert "e-post" not in page
    assert summaries(stranger) == []


@pytest.mark.parametrize(
    ("reach", "words"),
    [
        ({}, "ligger i din internetbank"),
        ({"inbox": ""}, "Du får en sammanställning av mötet"),
        ({"inbox": "", "email": ""}, "Ett sms bekräftar mötet"),
    ],
    ids=["inbox", "mail", "telephone"],
)
def test_what_follows_is_promised_before_the_meeting_as_it_will_come(
    product: Product, reach: dict[str, str], words: str
) -> None:
    meeting = product.book(customer=product.customer(MAJA, **reach))
    page = product.arrives(product.place_of(meeting, Capacity.CUSTOMER)).get("arrive").text

    assert words in page


def test_a_call_begun_twice_in_one_browser_is_one_call(product: Product) -> None:
    browser = product.browser()
    browser.get("/call")
    asked = [browser.post("/call", {"type": "onboarding"}, form=True).headers["Location"] for _ in range(3)]

    assert len(set(asked)) == 1
    assert len(product.stores()["meetings.meetings"]) == 1
    other = browser.post("/call", {"type": "advice"}, form=True).headers["Location"]
    assert other not in asked


def test_a_browser_knows_its_newest_places_whatever_they_are_called(product: Product) -> None:
    browser = product.browser()
    for number in range(25):
        meeting = product.book(customer=product.customer(MAJA if number % 2 else TURE))
        link = product.services.links.secret(product.place_of(meeting, Capacity.CUSTOMER).id)
        newest = browser.get(f"/m/{link}").headers["Location"]

        assert browser.get(newest).status_code == 200


@pytest.mark.requirement("R065")
def test_the_banks_own_page_says_from_how_long_to_how_long_meetings_are_kept(product: Product) -> None:
    assert "2 år till 10 år" in product.browser().get("/privacy").text
    elin = product.book(adviser=ELIN, type_name="advice")
    maja = product.arrives(product.place_of(elin, Capacity.CUSTOMER), consents=False)
    assert "sparas i 2 år och" in maja.get("privacy").text


@pytest.mark.requirement("R016")
@pytest.mark.parametrize("type_name", ["advice", "onboarding", "mortgage", "corporate-fx"])
def test_a_returning_customer_meets_the_same_few_steps_each_time(product: Product, type_name: str) -> None:
    """One text to accept and one sign-in, whatever the type asks for in it; no further question before the lobby."""
    adviser, customer = (FRIDA, AGNES) if type_name == "corporate-fx" else (ELIN, MAJA)
    person = product.customer(customer, segment="corporate" if type_name == "corporate-fx" else "private")
    steps = []
    for _ in range(2):
        meeting = product.book(type_name=type_name, adviser=adviser, customer=person)
        product.arrives(product.place_of(meeting, Capacity.CUSTOMER)).waits(customer)
        taken = [kind for kind in product.kinds(meeting) if kind.partition(".")[0] in ("consent", "sign_in", "lobby")]
        steps.append(taken)

    assert steps[0] == steps[1] == ["consent.given", "sign_in.started", "sign_in.completed", "lobby.entered"]
