"""The desk to work at: booking, the day with its lobby and calls, and a meeting's own page."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import requests
from playwright.sync_api import Route, expect

from sidecar.bootstrap import build
from sidecar.domain.clock import utc_now
from sidecar.settings import load_settings
from sidecar.testing.pages import findings, wider_than_screen
from simulators.demo.world import World
from tests.e2e.room_steps import until
from tests.e2e.staff.steps import SignIn, another_process, fill_booking, hold_the_time, photograph, send, tab_to
from tests.e2e.staff_seed import ZONE, SeededDay

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


@pytest.fixture
def unhurried(world: World, day: SeededDay) -> Iterator[str]:
    """The same bank, where what is booked can be taken back for as long as a test needs: its clock stands still."""
    later = utc_now() + timedelta(minutes=5)  # the worker, whose clock does not, sends nothing before that
    with another_process(build(load_settings(world.settings_file), clock=lambda: later)) as address:
        yield address


@pytest.mark.requirement("R016", "R024")
def test_a_meeting_is_booked_by_keyboard_alone_and_taken_back(desk: SignIn, unhurried: str) -> None:
    page = desk("elin")
    page.goto(f"{unhurried}/desk/book")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Hoppa till innehållet")).to_be_focused()
    page.keyboard.press("Enter")
    tab_to(page, page.get_by_role("radio", name=re.compile("Rådgivning")))
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("radio", name=re.compile("Bolån"))).to_be_checked()
    tab_to(page, page.get_by_role("combobox", name="Kund"))
    page.keyboard.type("Stens")
    expect(page.locator("#customer-list").get_by_role("option")).to_have_count(1)
    expect(page.get_by_role("combobox", name="Kund")).to_have_attribute("aria-expanded", "true")
    assert findings(page) == []
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("option", name=re.compile("Vera Stensund"))).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Enter")
    expect(page.get_by_role("combobox", name="Kund")).to_have_value("Vera Stensund, Piteå")
    tab_to(page, page.get_by_label("Syfte, står i inbjudan"))
    page.keyboard.type("Lånelöfte")
    tab_to(page, page.get_by_label("Dag", exact=True))
    with page.expect_response("**/desk/times*"):
        page.keyboard.press("ArrowDown")
    expect(page.locator("#slots")).not_to_have_attribute("aria-busy", "true")
    tab_to(page, page.locator('input[name="starts_at"]:checked'))
    page.keyboard.press("ArrowRight")
    tab_to(page, page.get_by_role("button", name="Boka och skicka inbjudan"))
    hold_the_time(page)
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/desk/meetings/m_.*booked=1"))
    expect(page.get_by_role("status").filter(has_text="Mötet är bokat.")).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_have_text("Bolån med Vera Stensund")
    photograph(page, "booked-1280-light")
    tab_to(page, page.get_by_role("button", name="Ångra"))
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/desk/book\?again="))

    expect(page.get_by_text("Bokningen är ångrad. Ingen har fått något.")).to_be_visible()
    expect(page.get_by_role("combobox", name="Kund")).to_have_value("Vera Stensund, Piteå")
    expect(page.get_by_label("Syfte, står i inbjudan")).to_have_value("Lånelöfte")
    expect(page.get_by_role("radio", name=re.compile("Bolån"))).to_be_checked()
    photograph(page, "book-undone-1280-light")


def test_undo_goes_when_the_invitation_leaves_and_the_receipt_stays(desk: SignIn, unhurried: str) -> None:
    page = desk("elin")
    fill_booking(page, customer="Vera", kind="Rådgivning", purpose="Sparande", bank=unhurried)
    hold_the_time(page)
    page.get_by_role("button", name="Boka och skicka inbjudan").click()
    page.wait_for_url(re.compile(r"booked=1"))
    expect(page.get_by_role("button", name="Ångra")).to_be_visible()
    page.get_by_role("button", name="Ångra").focus()
    page.clock.fast_forward(11_000)

    expect(page.get_by_role("button", name="Ångra")).to_be_hidden()
    expect(page.locator("#undo")).to_contain_text("Mötet är bokat. Inbjudan är på väg.")
    expect(page.locator("#undo")).to_be_focused()
    page.clock.resume()
    assert findings(page) == []


@pytest.mark.requirement("R024", "R026")
def test_adviser_picks_a_type_and_sees_what_follows_for_these_people(desk: SignIn) -> None:
    page = desk("elin")
    page.goto("/desk/book")
    shown = page.locator(".type:visible")
    expect(shown).not_to_have_count(0)
    assert shown.count() <= 3
    follows = page.locator("#follows")
    expect(follows).to_contain_text("Kunden kommer in med länk och kod")
    fill_booking(page)
    page.get_by_role("button", name="Lägg till", exact=True).click()
    page.get_by_label("Namn").fill("Samir Haddin")
    page.get_by_label("E-post, dit går länken").fill("samir.haddin@example.org")
    page.get_by_label("Mobil, dit går en kod").fill("+46701740606")
    page.get_by_role("button", name="Lägg till gästen").click()
    expect(page.locator("#g-national_id-problem")).to_contain_text("tolv siffror")
    expect(page.get_by_label("Personnummer")).to_be_focused()
    assert findings(page) == []
    photograph(page, "book-guest-1280-light")
    page.get_by_label("Personnummer").fill("198805071234")
    page.get_by_role("button", name="Lägg till gästen").click()
    expect(page.locator("#g-national_id-problem")).to_contain_text("Slutet på numret stämmer inte med resten.")
    expect(page.get_by_label("Personnummer")).to_be_focused()
    photograph(page, "book-guest-wrong-1280-light")
    page.get_by_label("Personnummer").fill("198805071233")
    page.get_by_role("button", name="Lägg till gästen").click()
    expect(page.locator("#guests")).to_contain_text("Samir Haddin, observatör")

    for said in (
        "Det här följer av Bolån",
        "Maja visar BankID",
        "Inget spelas in",
        "Bara du delar fönster",
        "Samir ser inga dokument",
        "Sparas i Sverige i tio år",
        "Maja bor i Sverige",
        "läggs i internetbanken. Ett sms utan länk säger att den finns där.",
    ):
        expect(follows).to_contain_text(said)
    assert findings(page) == []
    photograph(page, "book-follows-1280-light")
    page.get_by_role("button", name="Ta bort Samir Haddin").click()
    expect(follows).to_contain_text("En observatör ser inga dokument")
    expect(page.get_by_role("button", name="Lägg till", exact=True)).to_be_focused()


@pytest.mark.requirement("R024")
def test_a_type_that_is_not_for_the_customer_says_so_before_and_at_sending(desk: SignIn) -> None:
    page = desk("elin")
    fill_booking(page, customer="Agnes")
    expect(page.locator("#refusal")).to_contain_text("inte till för den här kunden")
    page.get_by_role("button", name="Boka och skicka inbjudan").click()

    expect(page.locator("#book-problem")).to_be_focused()
    expect(page.locator("#book-problem")).to_contain_text("inte till för den här kunden")
    assert page.url.endswith("/desk/book")


def test_missing_answers_are_named_one_by_one_and_nothing_is_sent(desk: SignIn) -> None:
    page = desk("elin")
    page.goto("/desk/book")
    page.get_by_role("button", name="Boka och skicka inbjudan").click()
    expect(page.locator("#customer-problem")).to_have_text("Välj kunden i listan.")
    expect(page.locator("#purpose-problem")).to_contain_text("Skriv vad mötet gäller")
    customer = page.get_by_role("combobox", name="Kund")
    expect(customer).to_be_focused()
    expect(customer).to_have_attribute("aria-invalid", "true")
    assert findings(page) == []
    customer.press_sequentially("Zackarias")
    expect(page.locator("#customer-problem")).to_contain_text("Ingen kund med det namnet.")
    expect(page.get_by_role("listbox")).to_be_hidden()
    photograph(page, "book-missing-1280-light")

    assert page.url.endswith("/desk/book")


def test_a_time_that_has_passed_meanwhile_is_told_at_the_times(desk: SignIn) -> None:
    page = desk("elin")
    fill_booking(page)
    chosen = page.locator('#slots input[type="radio"]').first
    chosen.evaluate("(one) => { one.value = '2020-01-07T09:00:00+01:00'; }")
    chosen.check(force=True)
    page.get_by_role("button", name="Boka och skicka inbjudan").click()

    expect(page.locator("#book-problem")).to_have_text("Tiden har redan varit. Välj en senare.")
    expect(page.locator("#starts_at-problem")).to_have_text("Tiden har redan varit. Välj en senare.")
    expect(page.locator("#book-problem")).to_be_focused()
    assert findings(page) == []
    photograph(page, "book-past-1280-light")
    page.set_viewport_size({"width": 390, "height": 844})
    photograph(page, "book-past-390-light")


def test_a_full_day_leads_to_the_next_free_one(desk: SignIn, day: SeededDay) -> None:
    full = (day.really_now + timedelta(days=5)).astimezone(ZONE).replace(hour=8, minute=0, second=0, microsecond=0)
    for hour in (8, 13):
        day.book(
            f"full-{hour}",
            type_name="advice",
            customer="Ture",
            purpose="Utbildning",
            starts_at=full.replace(hour=hour),
            minutes=300,
        )
    page = desk("elin")
    page.goto("/desk/book")
    page.get_by_label("Dag", exact=True).select_option(full.date().isoformat())
    expect(page.locator("#slots")).to_contain_text("Ingen ledig tid den dagen.")
    photograph(page, "book-no-time-1280-light")
    page.get_by_role("button", name=re.compile("Nästa lediga dag")).click()

    expect(page.get_by_label("Dag", exact=True)).to_have_value((full + timedelta(days=1)).date().isoformat())
    expect(page.locator('#slots input[type="radio"]').first).to_be_focused()


def test_a_slow_answer_shows_a_skeleton_only_after_a_while(desk: SignIn) -> None:
    page = desk("elin")
    page.goto("/desk/book")
    hold_the_time(page)
    held: list[Route] = []
    page.route("**/desk/times*", lambda route: held.append(route))
    page.get_by_label("Längd").select_option("60")
    expect(page.locator("#slots")).to_have_attribute("aria-busy", "true")
    until(page, lambda: bool(held))
    page.clock.run_for(300)
    expect(page.locator("#slots .skeleton")).to_have_count(0)
    page.clock.run_for(200)
    expect(page.locator("#slots .skeleton")).not_to_have_count(0)
    held[0].continue_()

    expect(page.locator("#slots input").first).to_be_attached()
    expect(page.locator("#slots .skeleton")).to_have_count(0)


@pytest.mark.requirement("R060")
def test_a_guest_whose_link_and_code_would_meet_is_refused_with_the_way_out(desk: SignIn) -> None:
    page = desk("elin")
    fill_booking(page, kind="Rådgivning", purpose="Sparande")
    page.get_by_role("button", name="Lägg till", exact=True).click()
    page.get_by_label("Namn").fill("Samir Haddin")
    page.get_by_label("E-post, dit går länken").fill("46701740606@sms.example.org")
    page.get_by_label("Mobil, dit går en kod").fill("070-174 06 06")
    page.get_by_role("button", name="Lägg till gästen").click()
    expect(page.locator("#guest-problem")).to_contain_text("samma brevlåda")
    expect(page.get_by_label("Mobil, dit går en kod")).to_be_focused()
    assert findings(page) == []
    photograph(page, "book-same-address-1280-light")
    page.get_by_label("E-post, dit går länken").fill("samir.haddin@example.org")
    page.get_by_role("button", name="Lägg till gästen").click()

    expect(page.locator("#guests")).to_contain_text("Samir Haddin")


@pytest.mark.requirement("R059", "R061", "R062")
def test_the_invitation_can_be_read_before_it_is_sent(desk: SignIn) -> None:
    page = desk("elin")
    fill_booking(page, purpose="Utöka bolånet för renovering")
    page.get_by_role("button", name="Läs inbjudan först").click()
    letter = page.get_by_role("region", name="Så här läser kunden inbjudan")
    for said in (
        "Från Exempelbanken till Maja Granlid",
        "Exempelbanken: inbjudan till videomöte",
        "Utöka bolånet för renovering",
        "visa vem du är med BankID",
        "Vi ringer aldrig och ber dig läsa upp en kod",
        "Du väljer själv om du vill ses på video",
    ):
        expect(letter).to_contain_text(said)
    expect(letter).to_be_focused()
    assert findings(page) == []
    photograph(page, "book-preview-1280-light")
    page.get_by_role("button", name="Stäng inbjudan").click()

    expect(letter).to_be_hidden()
    expect(page.get_by_role("button", name="Läs inbjudan först")).to_be_focused()


def test_desk_shows_the_longest_wait_first_with_one_main_button(desk: SignIn, day: SeededDay) -> None:
    page = desk("elin")
    page.goto("/desk")
    titles = page.locator(".knock h2").all_inner_texts()

    assert [title.split()[0] for title in titles][:1] == ["Ture"]
    assert {"Maja", "Olle"} <= {title.split()[0] for title in titles}
    assert page.locator(".btn.main:visible").count() == 1
    expect(page).to_have_title(re.compile(r"^\(\d\) Dina möten i dag"))
    first = page.locator(".knock").first
    expect(first).to_contain_text("Vill bli uppringd.")
    expect(first.get_by_role("link", name=re.compile("Ring"))).to_have_attribute("href", re.compile("^tel:"))
    start = page.locator(f'[data-waits="{day.place(day.meetings["knock"]).id}"]').get_by_role(
        "button", name="Starta mötet"
    )
    expect(start).to_have_accessible_description(re.compile("en gång till, med säkerhetsnyckel"))
    expect(page.get_by_text("Ring nu: öppet dygnet runt, 1 i kö.")).to_be_visible()
    expect(page.locator("#todo ~ ul")).to_contain_text("Inbjudan till Agnes Rask")
    expect(page.get_by_role("heading", name="Kommande möten")).to_be_visible()


def test_who_begins_to_wait_shows_by_itself_and_is_announced(desk: SignIn, day: SeededDay) -> None:
    page = desk("elin")
    page.goto("/desk")
    meeting = day.meetings["ready"]
    page.get_by_role("link", name="Boka möte").last.focus()
    day.clock.now = utc_now()
    place = day.wait(meeting)

    expect(page.locator(f'[data-waits="{place.id}"] h2')).to_have_text("Olle Tallbacke väntar")
    expect(page.locator("#announce")).to_contain_text("Olle Tallbacke väntar")
    assert findings(page) == []
    photograph(page, "desk-several-1280-light")


def test_whose_page_is_gone_is_shown_as_away_by_itself_and_as_waiting_once_it_is_back(
    desk: SignIn, day: SeededDay
) -> None:
    page = desk("elin")
    page.goto("/desk")
    place = day.place(day.meetings["knock"])
    waits = page.locator(f'[data-waits="{place.id}"] h2')
    expect(waits).to_contain_text("Maja Granlid väntar")
    day.clock.now = utc_now() - timedelta(minutes=2)
    day.product.admission.page_is_open(place.id)  # and not since: the worker, a process of its own, is to find it

    away = page.get_by_role("heading", name=re.compile("Maja Granlid är borta just nu, sedan"))
    expect(away).to_be_visible()
    expect(page.locator(".knock").last).to_contain_text("Maja Granlid")
    assert findings(page) == []
    photograph(page, "desk-away-1280-light")
    page.set_viewport_size({"width": 390, "height": 844})
    assert wider_than_screen(page) == []
    photograph(page, "desk-away-390-light")
    page.emulate_media(color_scheme="dark")
    photograph(page, "desk-away-390-dark")

    day.clock.now = utc_now() + timedelta(days=1)  # as if the page stayed open for the rest of the day
    day.product.admission.page_is_open(place.id)
    expect(waits).to_contain_text("Maja Granlid väntar")
    expect(page.locator("#announce")).to_contain_text("Maja Granlid väntar")


def test_running_late_is_said_and_confirmed(desk: SignIn, day: SeededDay) -> None:
    page = desk("elin")
    page.goto(f"/desk/meetings/{day.id('knock')}")
    page.get_by_role("button", name="Jag dröjer").click()

    expect(page.get_by_role("status").filter(has_text="Den som väntar har fått veta att du dröjer.")).to_be_visible()
    assert day.meeting(day.meetings["knock"]).late_notice_at is not None


def test_the_second_to_take_a_call_is_told_that_a_colleague_has_it(desk: SignIn, day: SeededDay) -> None:
    second = desk("nils")
    second.goto("/desk")
    second.route(re.compile("/desk(/events)?$"), lambda route: route.abort())  # the news does not reach him in time
    expect(second.get_by_role("heading", name="Inga möten i dag")).to_be_visible()
    first = desk("elin")
    first.goto("/desk")
    first.get_by_role("button", name="Ta samtalet").click()
    first.wait_for_url(f"**/desk/meetings/{day.id('call')}")
    expect(first.get_by_role("heading", level=1)).to_have_text("Rådgivning med Olle Tallbacke")
    second.get_by_role("button", name="Ta samtalet").click()

    expect(second.get_by_role("alert").filter(has_text="En kollega har redan tagit samtalet")).to_be_visible()


def test_starting_a_meeting_asks_the_adviser_once_more_who_they_are(desk: SignIn, world: World, day: SeededDay) -> None:
    page = desk("elin")
    page.goto(f"/desk/meetings/{day.id('knock')}")
    page.get_by_role("button", name="Starta mötet").click()
    expect(page.get_by_text("Tillit ber om en ny kontroll av dig")).to_be_visible()

    assert page.url.startswith(world.identity)


@pytest.mark.requirement("R058")
def test_what_did_not_arrive_is_sent_again_from_its_meeting(desk: SignIn, day: SeededDay, world: World) -> None:
    page = desk("elin")
    page.goto(f"/desk/meetings/{day.id('failed')}")
    delivery = page.locator(f'[data-delivery="{day.errands["failed"].id}"]')
    expect(delivery).to_contain_text("E-post. Kom inte fram.")
    delivery.get_by_role("button", name=re.compile("Skicka igen")).click()
    expect(page.get_by_role("status").filter(has_text="Det skickas igen nu.")).to_be_visible()

    expect(delivery).to_contain_text("E-post. Framme.", timeout=90_000)  # told by the worker, shown by itself
    expect(delivery.get_by_role("button")).to_have_count(0)
    asked = {"address": "ekonomi@rasklera.example.org", "more_than": "0", "wait": "30"}
    sent = requests.get(f"{world.mailbox}/api/messages", params=asked, timeout=60).json()["messages"]
    assert any("/m/" in link for message in sent for link in message["links"])


@pytest.mark.requirement("R058", "R059", "R061")
def test_a_booking_reaches_the_internet_bank_and_a_text_message_without_link_says_so(
    desk: SignIn, world: World
) -> None:
    def post(person: str) -> list[dict[str, Any]]:
        return list(
            requests.get(f"{world.mailbox}/api/messages", params={"person": person}, timeout=60).json()["messages"]
        )

    before = len(post("maja"))
    page = desk("elin")
    fill_booking(page, purpose="Binda räntan")
    page.get_by_role("button", name="Boka och skicka inbjudan").click()
    page.wait_for_url(re.compile(r"booked=1"))
    expect(page.locator("#sent .proofline").first).to_contain_text("Framme.", timeout=90_000)
    expect(page.locator("#sent .proofline").nth(1)).to_contain_text("Framme.", timeout=90_000)
    everything = post("maja")
    came = everything[: len(everything) - before]

    inbox = next(message for message in came if message["channel"] == "inbox")
    sms = next(message for message in came if message["channel"] == "sms")
    assert any("/m/" in link for link in inbox["links"])
    for said in ("Exempelbanken", "Binda räntan", "BankID"):
        assert said in inbox["subject"] + inbox["text"]
    assert sms["links"] == []


def test_outside_opening_hours_the_desk_says_when_it_opens(desk: SignIn, world: World, day: SeededDay) -> None:
    settings = load_settings(world.settings_file)
    weekdays = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
    tomorrow = weekdays[(day.really_now.astimezone(ZONE) + timedelta(days=1)).weekday()]
    brand = replace(settings.brands[0], opening_hours={tomorrow: "08:00-20:00"})
    closed = build(replace(settings, brands=(brand, *settings.brands[1:])))
    with another_process(closed) as address:
        page = desk("berit")
        page.goto(f"{address}/desk")
        expect(page.get_by_text("Ring nu är stängt, öppnar i morgon kl. 08.00.")).to_be_visible()
    never = build(replace(settings, brands=(replace(brand, opening_hours={}), *settings.brands[1:])))
    with another_process(never) as address:
        page.goto(f"{address}/desk")
        expect(page.get_by_text("Ring nu är stängt.")).to_be_visible()
        page.goto("about:blank")


def test_reading_every_journal_gives_no_right_to_change_a_colleagues_meeting(desk: SignIn, day: SeededDay) -> None:
    page = desk("rolf")
    page.goto(f"/desk/meetings/{day.id('coming')}")
    expect(page.get_by_role("heading", level=1)).to_have_text("Bolån med Idun Hägglo")
    expect(page.get_by_text("Elin Sjöhage")).to_be_visible()
    assert page.get_by_role("button", name=re.compile("Starta|Avboka|Flytta|Skicka igen")).count() == 0
    for act, body in (("cancel", {}), ("undo", {}), ("late", {}), ("move", {"starts_at": "2027-01-04T10:00"})):
        assert send(page, f"/desk/meetings/{day.id('coming')}/{act}", body)["status"] == 404
    again = send(page, f"/desk/deliveries/{day.errands['failed'].id}/again", {})

    assert again["status"] == 404


def test_a_meeting_is_moved_and_another_person_invited_from_its_page(desk: SignIn, day: SeededDay) -> None:
    page = desk("elin")
    page.goto(f"/desk/meetings/{day.id('coming')}")
    before = day.meeting(day.meetings["coming"]).starts_at
    page.get_by_text("Bjud in fler").click()
    page.get_by_label("Namn").fill("Samir Haddin")
    page.get_by_label("E-post, dit går länken").fill("samir.haddin@example.org")
    page.get_by_label("Personnummer").fill("198805071233")
    page.get_by_role("button", name="Bjud in gästen").click()
    expect(page.get_by_role("status").filter(has_text="Gästen är inbjuden.")).to_be_visible()
    expect(page.locator("#live")).to_contain_text("Samir Haddin")
    slots = page.locator("#slots")
    with page.expect_response("**/desk/times*"):
        page.get_by_text("Flytta mötet").click()
    expect(slots).not_to_have_attribute("aria-busy", "true")
    with page.expect_response("**/desk/times*"):
        page.get_by_label("Dag", exact=True).select_option(index=6)
    expect(slots).not_to_have_attribute("aria-busy", "true")
    slots.locator("label").nth(2).click()
    page.get_by_role("button", name="Flytta hit").click()
    page.wait_for_url(re.compile("moved=1"))

    expect(page.get_by_text("Mötet har en ny tid. Alla inbjudna får veta det.")).to_be_visible()
    assert day.meeting(day.meetings["coming"]).starts_at != before
