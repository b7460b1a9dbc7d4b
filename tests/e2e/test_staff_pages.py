"""The adviser's desk in a real Chromium, over the whole product on a working day made by its own services.

Every page: nothing for axe to find, nothing wider than the screen from 320 px up and at 200 % zoom, light and dark,
no script or style of its own. Then what an adviser, an administrator and a reviewer do there.
"""

import json
import os
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Locator, Page, Route, expect, sync_playwright
from werkzeug.serving import make_server

from sidecar.adapters.policy_files import SHIPPED
from sidecar.bootstrap import Services, build
from sidecar.domain.clock import utc_now
from sidecar.domain.policy import policy_digest
from sidecar.settings import load_settings
from sidecar.web.app import create_app
from simulators.demo.processes import Processes
from simulators.demo.story import FLAGS
from simulators.demo.world import BANK_HOST, Ports, World
from tests.e2e.staff_seed import ZONE, SeededDay, open_day, seed_future, seed_past, seed_present

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
STRONG = "Lösenord och säkerhetsnyckel"
NAMES = {"elin": "Elin Sjöhage", "berit": "Berit Lundhag", "rolf": "Rolf Stenmark", "nils": "Nils Brovall"}
OVERDUE = "onboarding-1.toml"  # the one type whose review date has passed in this world's policy

SCREENSHOTS = os.environ.get("SCREENSHOTS", "")  # a folder for pictures of what was looked at

SignIn = Callable[[str], Page]


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, Processes]]:
    policy = tmp_path_factory.mktemp("policy") / "policy"
    shutil.copytree(SHIPPED, policy)
    late = policy / "types" / OVERDUE
    late.write_text(re.sub(r"next_review = \S+", "next_review = 2026-11-02", late.read_text()))
    world = World(tmp_path_factory.mktemp("world"), Ports.free(), policy_dir=policy)
    running = world.start(lambda title: None)
    try:
        yield world, running
    finally:
        running.stop()


@pytest.fixture(scope="module")
def world(started: tuple[World, Processes]) -> World:
    return started[0]


@pytest.fixture(scope="module")
def day(started: tuple[World, Processes]) -> SeededDay:
    """The seeded day. The worker is away meanwhile: it would deliver what the seed says did not arrive."""
    world, running = started
    worker = next(process for process in running.all if process.name == "worker")
    assert worker.popen is not None
    worker.popen.terminate()
    worker.popen.wait(timeout=20)
    made = open_day(world.settings_file)
    seed_past(made)
    seed_present(made)
    seed_future(made)
    running.start(worker)
    return made


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not Path(CHROMIUM).exists():
        pytest.skip("no Chromium on this machine")
    with sync_playwright() as running:
        opened = running.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def known(browser: Browser, world: World, day: SeededDay) -> dict[str, Any]:
    """Everybody's cookies after one sign-in at the bank's identity service."""
    found = {}
    for who, name in NAMES.items():
        context = browser.new_context(locale="sv-SE")
        page = context.new_page()
        page.goto(f"{world.bank}/desk")
        at_identity_service(page, name, STRONG)
        expect(page.get_by_role("heading", level=1)).to_have_text("Dina möten i dag")
        found[who] = context.storage_state()
        context.close()
    return found


@pytest.fixture
def desk(browser: Browser, world: World, known: dict[str, Any]) -> Iterator[SignIn]:
    """Open a browser in which somebody is signed in. Any complaint in its console fails the test."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def heard(text: str) -> None:
        if "Failed to load resource" not in text:  # a refused request is what some tests are about
            complaints.append(text)

    def sign_in(who: str) -> Page:
        context = browser.new_context(
            base_url=world.bank,
            locale="sv-SE",
            timezone_id="Europe/Stockholm",
            viewport={"width": 1280, "height": 800},
            reduced_motion="reduce",
            storage_state=known[who] if who else None,
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda line: heard(line.text) if line.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        return page

    yield sign_in
    for context in contexts:
        context.close()
    assert complaints == []


def photograph(page: Page, name: str) -> None:
    """Keep the whole page as a picture, where somebody asked for pictures."""
    if SCREENSHOTS:
        folder = Path(SCREENSHOTS)
        folder.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=folder / f"{name}.png", full_page=True)


def at_identity_service(page: Page, who: str, how: str) -> None:
    page.get_by_label(re.compile(who)).check()
    page.get_by_label(re.compile(how)).check()
    page.get_by_role("button", name="Logga in").click()


@contextmanager
def another_process(services: Services) -> Iterator[str]:
    """Serve the product from here, over the same stores: a clock, hours or fault of its own. Cookies go along."""
    server = make_server("127.0.0.1", 0, create_app(services), threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://{BANK_HOST}:{server.server_port}"
    finally:
        server.shutdown()
        thread.join(timeout=5)


def findings(page: Page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [f"{one['id']}: {node['html'][:160]}" for one in found for node in one["nodes"]]


def wider_than_screen(page: Page) -> list[str]:
    found: list[str] = page.evaluate(
        """() => {
            const width = document.documentElement.clientWidth;
            if (document.documentElement.scrollWidth <= width) return [];
            return [...document.body.querySelectorAll("*")]
                .filter((one) => one.getBoundingClientRect().right > width + 1 && !one.closest(".hidden"))
                .map((one) => one.outerHTML.slice(0, 120));
        }"""
    )
    return found


def tab_to(page: Page, wanted: Locator, *, at_most: int = 40) -> None:
    """Press Tab until the focus is there, as somebody without a mouse would."""
    for _ in range(at_most):
        page.keyboard.press("Tab")
        if wanted.evaluate("(one) => one === document.activeElement"):
            return
    raise AssertionError(f"Tab does not lead to {wanted}")


def fill_booking(page: Page, *, customer: str = "Maja", kind: str = "Bolån", purpose: str = "Utöka lånet") -> None:
    page.goto("/desk/book")
    page.get_by_role("radio", name=re.compile(kind)).check()
    page.get_by_role("combobox", name="Kund").press_sequentially(customer)
    page.get_by_role("option", name=re.compile(customer)).click()
    page.get_by_label("Syfte, står i inbjudan").fill(purpose)


PAGES = {
    "desk": ("elin", "/desk"),
    "book": ("elin", "/desk/book"),
    "meeting": ("elin", "/desk/meetings/{knock}"),
    "meeting-failed": ("elin", "/desk/meetings/{failed}"),
    "meeting-running": ("elin", "/desk/meetings/{running}"),
    "journals": ("elin", "/desk/journals"),
    "journal": ("elin", "/desk/meetings/{held}/journal"),
    "journal-running": ("elin", "/desk/meetings/{running}/journal"),
    "rules": ("elin", "/desk/rules"),
    "rule": ("elin", "/desk/rules/mortgage"),
    "rule-overdue": ("elin", "/desk/rules/onboarding"),
    "help": ("elin", "/desk/help"),
    "device": ("elin", "/desk/device"),
    "desk-empty": ("nils", "/desk"),
    "journals-empty": ("nils", "/desk/journals"),
    "messages": ("berit", "/desk/messages"),
    "all-journals": ("rolf", "/desk/journals"),
    "problems": ("", "/problems"),
    "evidence": ("", "/evidence"),
}


@pytest.mark.requirement("R016", "R054", "R056")
@pytest.mark.parametrize("name", PAGES)
def test_page_is_accessible_and_never_wider_than_the_screen(name: str, desk: SignIn, day: SeededDay) -> None:
    who, address = PAGES[name]
    page = desk(who)
    page.goto(address.format(**{each: meeting.id for each, meeting in day.meetings.items()}))
    for theme, width, height in (("light", 1280, 800), ("dark", 1280, 800), ("dark", 390, 844), ("light", 390, 844)):
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")  # type: ignore[arg-type]  # a literal
        page.set_viewport_size({"width": width, "height": height})
        page.evaluate("new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
        assert wider_than_screen(page) == []
        photograph(page, f"{name}-{width}-{theme}")
        if (theme, width) == ("light", 1280):  # then what was folded away, too
            page.evaluate(
                "document.querySelectorAll('main details:nth-of-type(-n+3)').forEach((one) => { one.open = true; })"
            )
        if (theme, width) in (("light", 1280), ("dark", 390)):
            assert findings(page) == [], f"{name}, {theme}, {width}"
    for width, height in ((320, 640), (640, 400)):  # the narrowest phone; a laptop at 200 %
        page.set_viewport_size({"width": width, "height": height})
        assert wider_than_screen(page) == []


def test_buttons_and_links_of_the_desk_are_large_enough(desk: SignIn, day: SeededDay) -> None:
    page = desk("elin")
    page.set_viewport_size({"width": 390, "height": 844})
    for address in (
        "/desk",
        "/desk/book",
        f"/desk/meetings/{day.id('failed')}",
        f"/desk/meetings/{day.id('held')}/journal",
    ):
        page.goto(address)
        small = page.evaluate(
            """() => [...document.querySelectorAll(".btn, summary, .tabs a, .slot, input:not([type=radio]), select")]
                .filter((one) => one.offsetParent && one.getBoundingClientRect().height < 43.5)
                .map((one) => one.outerHTML.slice(0, 100))"""
        )
        assert small == []


@pytest.mark.requirement("R016", "R024")
def test_a_meeting_is_booked_by_keyboard_alone_and_taken_back(desk: SignIn, day: SeededDay) -> None:
    page = desk("elin")
    page.goto("/desk/book")
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
    tab_to(page, page.locator('input[name="starts_at"]:checked'))
    page.keyboard.press("ArrowRight")
    tab_to(page, page.get_by_role("button", name="Boka och skicka inbjudan"))
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


def test_undo_goes_when_the_invitation_leaves_and_the_receipt_stays(desk: SignIn) -> None:
    page = desk("elin")
    fill_booking(page, customer="Vera", kind="Rådgivning", purpose="Sparande")
    page.clock.install()
    page.get_by_role("button", name="Boka och skicka inbjudan").click()
    page.wait_for_url(re.compile(r"booked=1"))
    expect(page.get_by_role("button", name="Ångra")).to_be_visible()
    page.get_by_role("button", name="Ångra").focus()
    page.clock.fast_forward(11_000)

    expect(page.get_by_role("button", name="Ångra")).to_be_hidden()
    expect(page.locator("#undo")).to_contain_text("Mötet är bokat. Inbjudan är på väg.")
    expect(page.locator("#undo")).to_be_focused()
    assert findings(page) == []


@pytest.mark.requirement("R024", "R026")
def test_adviser_picks_a_type_and_sees_what_follows_for_these_people(desk: SignIn) -> None:
    page = desk("elin")
    page.goto("/desk/book")
    assert page.locator(".type:visible").count() <= 3
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
    page.clock.install()
    page.clock.pause_at(utc_now() + timedelta(minutes=1))  # from here the test moves the time
    held: list[Route] = []
    page.route("**/desk/times*", lambda route: held.append(route))
    page.get_by_label("Längd").select_option("60")
    expect(page.locator("#slots")).to_have_attribute("aria-busy", "true")
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
    expect(page.get_by_text("Ring nu: öppet till 00.00, 1 i kö.")).to_be_visible()
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

    expect(delivery).to_contain_text("E-post. Framme.", timeout=15_000)  # told by the worker, shown by itself
    expect(delivery.get_by_role("button")).to_have_count(0)
    asked = {"address": "ekonomi@rasklera.example.org", "more_than": "0", "wait": "10"}
    sent = requests.get(f"{world.mailbox}/api/messages", params=asked, timeout=20).json()["messages"]
    assert any("/m/" in link for message in sent for link in message["links"])


@pytest.mark.requirement("R058", "R059", "R061")
def test_a_booking_reaches_the_internet_bank_and_a_text_message_without_link_says_so(
    desk: SignIn, world: World
) -> None:
    def post(person: str) -> list[dict[str, Any]]:
        return list(
            requests.get(f"{world.mailbox}/api/messages", params={"person": person}, timeout=20).json()["messages"]
        )

    before = len(post("maja"))
    page = desk("elin")
    fill_booking(page, purpose="Binda räntan")
    page.get_by_role("button", name="Boka och skicka inbjudan").click()
    page.wait_for_url(re.compile(r"booked=1"))
    expect(page.locator("#sent .proofline").first).to_contain_text("Framme.", timeout=25_000)
    expect(page.locator("#sent .proofline").nth(1)).to_contain_text("Framme.", timeout=10_000)
    came = post("maja")[: len(post("maja")) - before]

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


@pytest.mark.requirement("R117", "R120")
def test_the_journal_tells_the_story_first_and_unfolds_what_is_technical(desk: SignIn, day: SeededDay) -> None:
    page = desk("elin")
    page.goto(f"/desk/meetings/{day.id('held')}/journal")
    told = page.locator("section", has=page.get_by_role("heading", name="Vad som hände"))
    story = told.locator(".log:not(.plain) li").all_inner_texts()
    text = "\n".join(story)

    for said in (
        "Elin Sjöhage bokade mötet. Regler: Bolån, version 1.",
        "Idun Hägglo legitimerade sig med BankID, tillitsnivå 3.",
        "Elin Sjöhage startade mötet med säkerhetsnyckel.",
        "Samir Haddin kom in som observatör.",
        "Elin Sjöhage skrev i chatten. (2 gånger)",
        "Nekat: Elin Sjöhage försökte dela hela skärmen. Regel: I bolånemöten delas bara ett fönster i taget.",
        "Elin Sjöhage började dela ett fönster.",
        "Elin Sjöhage höjde säkerheten: ingen delar längre.",
        "Mötet avslutades.",
    ):
        assert said in text
    assert "nyckel till rummet" not in text
    assert text.index("bokade mötet") < text.index("startade mötet") < text.index("Mötet avslutades.")
    expect(told.locator(".refused")).to_have_count(2)
    for heading in ("Före mötet", "Under mötet"):
        expect(told.get_by_role("heading", name=heading)).to_be_visible()
    expect(page.locator(".sum")).to_contain_text("3, alla legitimerade")
    people = page.locator(".persons")
    expect(people).to_contain_text("BankID, tillitsnivå 3")
    expect(people).to_contain_text("Observatör, ser inte dokument")
    technical = told.locator("#technical")
    expect(technical.get_by_text("media.keys").first).to_be_hidden()
    technical.locator("summary").click()
    expect(technical.get_by_text("media.keys").first).to_be_visible()
    expect(technical.get_by_text("token.minted").first).to_be_visible()
    photograph(page, "journal-unfolded-1280-light")


def test_the_journal_says_what_the_parties_were_sent_and_sends_it_again(desk: SignIn, day: SeededDay) -> None:
    page = desk("elin")
    page.goto(f"/desk/meetings/{day.id('talk')}/journal")
    expect(page.locator("#sent")).to_contain_text("Sammanställning, Ture Almvik")
    expect(page.locator("#sent")).to_contain_text(re.compile(r"E-post\. Framme i dag kl\.\s\d\d\.\d\d\."))
    page.goto(f"/desk/meetings/{day.id('held')}/journal")
    expect(page.locator("#sent")).to_contain_text("Kom inte fram.")
    page.locator("#sent").get_by_role("button", name=re.compile("Skicka igen")).click()

    expect(page.get_by_role("status").filter(has_text="Det skickas igen nu.")).to_be_visible()
    assert day.product.meetings.get_errand(day.errands["summary"].id).state != "failed"


@pytest.mark.requirement("R120", "R122")
def test_the_evidence_is_checked_on_the_page_and_downloaded_in_an_open_format(desk: SignIn, day: SeededDay) -> None:
    page = desk("elin")
    page.goto(f"/desk/meetings/{day.id('talk')}/journal")
    page.get_by_role("button", name="Kontrollera nu").click()
    expect(page.locator("#checked")).to_contain_text(
        re.compile(r"Filen är hel\. \d+ händelser, inget saknas och inget är ändrat\. Kontrollerad \d\d\.\d\d\.")
    )
    expect(page.get_by_role("button", name="Kontrollera igen")).to_be_visible()
    expect(page.get_by_role("link", name=re.compile(r"Hämta bevisfil, \d+ kB"))).to_be_visible()
    assert findings(page) == []
    photograph(page, "journal-checked-1280-light")
    with page.expect_download() as download:
        page.get_by_role("link", name=re.compile("Hämta bevisfil")).click()

    kept = json.loads(Path(download.value.path()).read_text())
    assert {entry["record"]["kind"] for entry in kept["entries"]} >= {"meeting.booked", "meeting.ended"}


def test_a_file_that_does_not_hold_names_its_first_bad_entry(desk: SignIn, world: World, day: SeededDay) -> None:
    product = build(load_settings(world.settings_file))
    genuine = product.journals.evidence

    def changed(*args: Any, **named: Any) -> bytes:
        return genuine(*args, **named).replace(b'"type": "advice@1"', b'"type": "advice@2"', 1)

    product.journals.evidence = changed  # type: ignore[method-assign]  # somebody changed one byte of one entry
    with another_process(product) as address:
        page = desk("elin")
        page.goto(f"{address}/desk/meetings/{day.id('talk')}/journal")
        page.get_by_role("button", name="Kontrollera nu").click()
        expect(page.locator("#checked")).to_contain_text(
            re.compile(r"Filen stämmer inte\. Den första felaktiga händelsen är nummer 1: meeting\.booked")
        )
        expect(page.get_by_text("Vad kontrollen fann")).to_be_visible()
        assert findings(page) == []
        photograph(page, "journal-bad-1280-light")
        page.goto("about:blank")


def test_the_journal_prints_as_a_page_of_its_own_with_nothing_folded_away(desk: SignIn, day: SeededDay) -> None:
    page = desk("elin")
    page.goto(f"/desk/meetings/{day.id('held')}/journal")
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")

    expect(page.get_by_role("navigation", name="Meny")).to_be_hidden()
    expect(page.get_by_role("link", name="Hämta bevisfil")).to_be_hidden()
    expect(page.get_by_text("media.keys").first).to_be_visible()
    expect(page.get_by_text(re.compile("^Exempelbanken. Utskriven"))).to_be_visible()
    photograph(page, "journal-print")


@pytest.mark.requirement("R027")
def test_a_lawyer_reads_each_rule_with_its_reason_its_floor_and_the_whole_document(
    desk: SignIn, day: SeededDay
) -> None:
    page = desk("elin")
    page.goto("/desk/rules/mortgage")
    rules = page.get_by_role("region", name="Regler").first
    share = rules.locator(".rule", has=page.get_by_role("heading", name="Dela skärm"))
    expect(share).to_contain_text("Interna system ska inte synas av misstag.")
    expect(share.locator(".below")).to_contain_text("Under golvet, går inte att välja: Hela skärmen")
    expect(share.locator(".chosen")).to_contain_text("Rådgivaren, fönster, gäller")
    assert rules.locator("button, input, select, a").count() == 0  # a floor is seen, not pressed
    for topic in ("Kunden kommer in med", "Inspelning", "Kryptering", "Journalen"):
        expect(rules.get_by_role("heading", name=topic)).to_be_visible()
    expect(page.get_by_role("heading", name="Vem får vad, och varför")).to_be_visible()
    page.get_by_text("Hela dokumentet").click()
    mortgage = day.product.policy.types["mortgage@1"]

    expect(page.locator("pre")).to_have_text(mortgage.source_text, use_inner_text=True)
    expect(page.get_by_text(policy_digest(mortgage))).to_be_visible()


@pytest.mark.requirement("R029")
def test_an_overdue_review_is_shown_where_one_works_and_where_the_rules_are(desk: SignIn) -> None:
    page = desk("elin")
    page.goto("/desk")
    todo = page.locator("#todo ~ ul")
    expect(todo).to_contain_text("Reglerna för Ny kund")
    expect(todo).to_contain_text("Granskningen är försenad sedan 2 november 2026. Ansvarig: Kundkännedom.")
    todo.get_by_role("link", name="Läs reglerna").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Ny kund, version 1")
    expect(page.get_by_text("Granskningen är försenad.")).to_be_visible()
    page.goto("/desk/rules")

    expect(page.locator("#onboarding")).to_contain_text("Granskningen är försenad")
    expect(page.locator("#mortgage")).not_to_contain_text("försenad")


@pytest.mark.requirement("R059", "R062", "R067")
def test_an_administrator_words_the_invitation_within_the_rules(desk: SignIn) -> None:
    page = desk("berit")
    page.goto("/desk/messages")
    page.get_by_text("Inbjudan, brev").click()
    invitation = page.locator('.template[data-kind="invitation"][data-channel="email"]')
    words = invitation.get_by_label("Text", exact=True)
    shipped = words.input_value()
    words.fill("Klicka här: {link}")
    invitation.get_by_role("button", name="Spara").click()
    refused = invitation.get_by_role("alert")
    expect(refused).to_contain_text("{purpose} måste finnas med, så att mottagaren ser avsändare, ärende")
    expect(refused).to_be_focused()
    expect(words).to_have_value("Klicka här: {link}")
    assert findings(page) == []
    photograph(page, "messages-refused-1280-light")
    words.fill(f"{shipped.strip()}\n\nDina rättigheter: du kan när som helst tacka nej. ")
    expect(invitation.locator(".mail")).to_contain_text("Elin Sjöhage på Exempelbanken bjuder in dig")
    invitation.get_by_role("button", name="Sätt in {phone} i texten").click()
    invitation.get_by_role("button", name="Spara").click()
    expect(invitation.get_by_role("status")).to_have_text("Sparat. Det gäller från nästa meddelande.")
    expect(invitation.get_by_text("Bankens egna ord")).to_be_visible()
    adviser = desk("elin")
    fill_booking(adviser)
    adviser.get_by_role("button", name="Läs inbjudan först").click()
    expect(adviser.locator("#letter")).to_contain_text("Dina rättigheter: du kan när som helst tacka nej.")
    invitation.get_by_role("button", name="Tillbaka till standardtexten").click()

    expect(invitation.get_by_role("status")).to_contain_text("Standardtexten gäller igen")
    expect(words).to_have_value(shipped)
    expect(invitation.get_by_text("Bankens egna ord")).to_be_hidden()


@pytest.mark.requirement("R067")
def test_an_adviser_may_not_change_what_customers_are_sent(desk: SignIn) -> None:
    page = desk("elin")
    page.goto("/desk")
    expect(page.get_by_role("link", name="Meddelanden")).to_have_count(0)
    answer = page.goto("/desk/messages")
    assert answer is not None
    assert answer.status == 403
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.goto("/desk")
    sent = send(page, "/desk/messages", {"kind": "invitation", "channel": "email", "language": "sv", "body": "Hej"})

    assert (sent["status"], sent["body"]["rule"]) == (403, "default/not-granted")


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


def test_a_session_that_ended_is_told_in_place_with_the_way_back(desk: SignIn, day: SeededDay) -> None:
    page = desk("elin")
    page.goto(f"/desk/meetings/{day.id('knock')}")
    page.context.clear_cookies()
    page.get_by_role("button", name="Jag dröjer").click()
    problem = page.get_by_role("alert").filter(has_text="Du är inte inloggad längre.")
    expect(problem).to_be_visible()

    expect(problem.get_by_role("link", name="Logga in igen")).to_have_attribute(
        "href", f"/staff/sign-in?next=/desk/meetings/{day.id('knock')}"
    )
    assert findings(page) == []


def test_a_lost_network_is_told_in_a_strip(desk: SignIn) -> None:
    page = desk("elin")
    page.goto("/desk")
    page.context.set_offline(True)
    expect(page.locator("#strip")).to_be_visible()
    page.context.set_offline(False)
    expect(page.locator("#strip")).to_be_hidden(timeout=15_000)


def test_staff_choose_english_and_keep_it_and_other_languages_read_english(desk: SignIn) -> None:
    page = desk("elin")
    page.goto("/desk/rules")
    page.locator("#account summary").click()
    assert findings(page) == []
    page.get_by_role("link", name="English").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    page.goto("/desk")
    expect(page.get_by_role("heading", level=1)).to_have_text("Your meetings today")
    page.context.clear_cookies(name="tillit_language")
    page.goto("/desk?lang=nb")

    expect(page.locator("html")).to_have_attribute("lang", "en")


def test_account_closes_on_escape_and_gives_the_focus_back(desk: SignIn) -> None:
    page = desk("elin")
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto("/desk")
    summary = page.locator("#account summary")
    summary.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#account").get_by_role("link", name="Regler")).to_be_visible()
    expect(page.get_by_role("button", name="Logga ut")).to_be_visible()
    page.keyboard.press("Escape")

    expect(page.get_by_role("button", name="Logga ut")).to_be_hidden()
    expect(summary).to_be_focused()


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
    page.get_by_text("Flytta mötet").click()
    with page.expect_response("**/desk/times*"):
        page.get_by_label("Dag", exact=True).select_option(index=6)
    page.locator("#slots label").nth(2).click()
    page.get_by_role("button", name="Flytta hit").click()
    page.wait_for_url(re.compile("moved=1"))

    expect(page.get_by_text("Mötet har en ny tid. Alla inbjudna får veta det.")).to_be_visible()
    assert day.meeting(day.meetings["coming"]).starts_at != before


def send(page: Page, url: str, body: dict[str, Any]) -> dict[str, Any]:
    """Send an act from this browser, with its cookies, past every button of the page."""
    found: dict[str, Any] = page.evaluate(
        """async ([url, body]) => {
            const csrf = document.querySelector('meta[name="csrf"]').content;
            const headers = {"Content-Type": "application/json", "X-Tillit-CSRF": csrf};
            const answer = await fetch(url, {method: "POST", headers, body: JSON.stringify(body)});
            return {status: answer.status, body: await answer.json().catch(() => ({}))};
        }""",
        [url, body],
    )
    return found
