"""The desk to read: every page for eye, keyboard and screen reader, journals, rules, and what is around each page.

Every page: nothing for axe to find, nothing wider than the screen from 320 px up and at 200 % zoom, light and dark.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from sidecar.bootstrap import build
from sidecar.domain.policy import policy_digest
from sidecar.settings import load_settings
from sidecar.testing.pages import findings, wider_than_screen
from simulators.demo.world import World
from tests.e2e.room_steps import comes_to
from tests.e2e.staff.steps import (
    SignIn,
    another_process,
    fill_booking,
    photograph,
    send,
)
from tests.e2e.staff_seed import SeededDay

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

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
        comes_to(page, lambda: wider_than_screen(page), [])
        photograph(page, f"{name}-{width}-{theme}")
        if (theme, width) == ("light", 1280):  # then what was folded away, too
            page.evaluate(
                "document.querySelectorAll('main details:nth-of-type(-n+3)').forEach((one) => { one.open = true; })"
            )
        if (theme, width) in (("light", 1280), ("dark", 390)):
            assert findings(page) == [], f"{name}, {theme}, {width}"
    for width, height in ((320, 640), (640, 400)):  # the narrowest phone; a laptop at 200 %
        page.set_viewport_size({"width": width, "height": height})
        page.evaluate("new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
        comes_to(page, lambda: wider_than_screen(page), [])


SMALL = """() => [...document.querySelectorAll(".btn, summary, .tabs a, .slot, input:not([type=radio]), select")]
    .filter((one) => one.offsetParent && one.getBoundingClientRect().height < 43.5)
    .map((one) => one.outerHTML.slice(0, 100))"""


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
        comes_to(page, lambda: page.evaluate(SMALL), [])


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
    expect(page.locator("#strip")).to_be_hidden(timeout=60_000)


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
