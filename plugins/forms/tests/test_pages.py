"""The pages in a real browser: a form filled in together in the room, and the gala's public page to a signature."""

import logging
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect
from werkzeug.serving import BaseWSGIServer, make_server

from sidecar.plugin_api import utc_now
from sidecar.testing import MAJA, Clock, Product, pages
from sidecar.testing.product import Browser as Client
from simulators.bankid.remote import RemoteBankId

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
]
# No media side answers here: what the panels do does not rest on it.
NO_MEDIA = """
    RTCPeerConnection.prototype.setRemoteDescription = async () => {};
"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with pages.chromium(FLAGS, executable=CHROMIUM) as opened:
        yield opened


Serve = Callable[[Product], str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Serves products to browsers, each at an address of its own, until the browsers have left."""
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    servers: list[tuple[BaseWSGIServer, threading.Thread]] = []

    def go(product: Product) -> str:
        server = make_server("127.0.0.1", 0, product.app, threaded=True)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        servers.append((server, thread))
        return f"http://127.0.0.1:{server.server_port}"

    yield go
    for server, thread in servers:
        server.shutdown()
        thread.join(5)


Open = Callable[..., Page]


@pytest.fixture
def open_page(chromium: Browser, serve: Serve) -> Iterator[Open]:
    """Opens pages; any complaint in a console fails the test: a broken security policy shows there."""
    complaints: list[str] = []

    def go(base: str, path: str, *, as_: Client | None = None, size: tuple[int, int] = (1280, 800)) -> Page:
        context = chromium.new_context(
            base_url=base, viewport={"width": size[0], "height": size[1]}, reduced_motion="reduce", locale="sv-SE"
        )
        if as_ is not None:
            context.add_cookies(
                [
                    {"name": each.key, "value": each.value, "domain": "127.0.0.1", "path": "/"}
                    for each in as_.client._cookies.values()  # type: ignore[attr-defined]  # werkzeug keeps no other list
                ]
            )
        context.add_init_script(NO_MEDIA)
        page = context.new_page()
        page.set_default_timeout(pages.PATIENCE_MS)
        pages.hear_complaints(page, complaints)
        page.goto(path)
        return page

    yield go
    for context in chromium.contexts:
        context.close()
    assert complaints == []


def picture(page: Page, name: str, tmp_path: Path) -> None:
    folder = Path(os.environ.get("SCREENSHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=folder / f"forms-{name}.png")


def open_forms(page: Page) -> Any:
    page.locator("#more").click()
    page.locator("#menu-items [data-key=forms] button").click()
    panel = page.locator("[data-panel=forms]")
    expect(panel).to_be_visible()
    return panel


@pytest.mark.requirement("R084", "R096", "R097")
def test_two_people_fill_in_one_form_and_see_each_other_do_it(
    room: Any, serve: Serve, open_page: Open, tmp_path: Path
) -> None:
    base = serve(room.product)
    elin = open_page(base, f"/v/{room.elin.place}/room", as_=room.elin)
    maja = open_page(base, f"/v/{room.maja.place}/room", as_=room.maja, size=(390, 844))
    at_elin, at_maja = open_forms(elin), open_forms(maja)
    expect(at_maja.get_by_text("Inget formulär ännu")).to_be_visible()
    picture(maja, "empty-phone", tmp_path)
    picture(elin, "list", tmp_path)
    at_elin.get_by_role("button", name="Låneavtal för bostad").click()

    # The customer's panel opens the form by itself, and an answer stands at the other within a moment.
    expect(at_maja.get_by_label("E-post")).to_be_visible()
    at_elin.get_by_label("Lånebelopp").fill("2 270 000")
    at_elin.get_by_label("Lånebelopp").press("Tab")
    expect(at_maja.locator("[data-field=amount] .form-value")).to_have_text("2\u00a0270\u00a0000\u00a0kr")

    # Whose cursor stands where.
    at_maja.get_by_label("E-post").focus()
    expect(at_elin.locator("[data-field=email] [data-others]")).to_have_text("Maja Granlid är här")

    # A wrong answer is told at its field and stays for correction.
    number = at_maja.get_by_label("Personnummer")
    number.fill("19900214-2388")
    number.press("Tab")
    expect(at_maja.locator("[data-field=borrower_number] .problem")).to_contain_text("kontrollsiffror")
    picture(maja, "wrong-phone", tmp_path)
    number.fill("19900214-2389")
    number.press("Tab")
    expect(at_maja.locator("[data-field=borrower_number] .problem")).to_be_hidden()
    expect(at_elin.locator("[data-field=borrower_number]")).not_to_contain_text("199002142389")

    # A choice opens its questions; nobody loses the field they are in.
    at_elin.get_by_label("Fastighet eller lägenhet").fill("Solros")
    at_maja.get_by_role("group", name="Lånar du tillsammans med någon?").get_by_label("Ja").check()
    expect(at_elin.get_by_label("Medlåntagarens namn")).to_be_visible()
    expect(at_elin.get_by_label("Fastighet eller lägenhet")).to_be_focused()
    expect(at_elin.get_by_label("Fastighet eller lägenhet")).to_have_value("Solros")
    at_elin.get_by_label("Fastighet eller lägenhet").press("Tab")

    # Undo puts the answer before back, for both.
    at_elin.get_by_label("Lånebelopp").fill("2300000")
    at_elin.get_by_label("Lånebelopp").press("Tab")
    expect(at_maja.locator("[data-field=amount] .form-value")).to_have_text("2\u00a0300\u00a0000\u00a0kr")
    at_elin.locator("[data-field=amount]").get_by_role("button", name="Ångra").click()
    expect(at_maja.locator("[data-field=amount] .form-value")).to_have_text("2\u00a0270\u00a0000\u00a0kr")

    # What is missing is shown when somebody wants to go on.
    at_elin.get_by_role("button", name="Gör avtalet").click()
    expect(at_elin.locator("[data-field=co_name] .problem")).to_have_text("Svara här också.")
    at_elin.get_by_text("Så här blir det: Låneavtal").click()
    expect(at_elin.locator(".form-paper").first).to_contain_text("2\u00a0270\u00a0000\u00a0kr")
    picture(elin, "together", tmp_path)
    at_elin.locator(".form-papers").scroll_into_view_if_needed()
    picture(elin, "preview", tmp_path)
    at_maja.locator("[data-field=with_co_borrower]").scroll_into_view_if_needed()
    picture(maja, "together-phone", tmp_path)
    assert pages.findings(elin, within="[data-panel=forms]") == []
    assert pages.findings(maja, within="[data-panel=forms]") == []
    assert maja.evaluate("document.documentElement.scrollWidth") <= 390

    # Removing is asked once, with the focus on staying.
    at_elin.get_by_role("button", name="Ta bort formuläret").click()
    expect(elin.get_by_role("button", name="Behåll")).to_be_focused()
    elin.get_by_role("dialog").get_by_role("button", name="Ta bort formuläret").click()
    expect(at_elin.get_by_role("heading", name="Öppna ett formulär")).to_be_visible()


def test_the_later_of_two_stands_and_the_earlier_can_be_put_back(
    room: Any, serve: Serve, open_page: Open, tmp_path: Path
) -> None:
    form = room.begin()
    base = serve(room.product)
    maja = open_page(base, f"/v/{room.maja.place}/room", as_=room.maja)
    panel = open_forms(maja)
    field = panel.get_by_label("Fastighet eller lägenhet")
    field.fill("Solrosen 5")
    room.set(room.elin, form["id"], "property", "Solrosen 4")
    # What she wrote stays hers while she writes, and is sent against the answer she had seen.
    expect(field).to_have_value("Solrosen 5")
    maja.route("**/fields/property", _as_if_unseen)
    field.press("Tab")

    line = panel.locator("[data-field=property] .form-line")
    expect(line).to_contain_text("Ni skrev samtidigt. Elin Sjöhage hade skrivit: Solrosen 4")
    picture(maja, "conflict", tmp_path)
    line.get_by_role("button", name="Lägg tillbaka").click()
    expect(field).to_have_value("Solrosen 4")


def _as_if_unseen(route: Any) -> None:
    """Send the change as it leaves a browser the other's news has not reached."""
    body = route.request.post_data_json
    if body["value"] == "Solrosen 5":
        body["seen"] = 0
    route.continue_(post_data=body)


@pytest.fixture
def gala(tmp_path: Path, seal: str) -> Product:
    forms = '[plugins.forms]\npublished = ["gala_order"]\nframe_origins = ["http://localhost:9"]\n'
    return Product(tmp_path, clock=Clock(utc_now()), with_plugins=["forms", "pades_signing"], more=forms + seal)


@pytest.mark.requirement("R091", "R161")
def test_a_visitor_fills_in_reads_and_signs_on_a_phone(
    gala: Product, serve: Serve, open_page: Open, tmp_path: Path
) -> None:
    base = serve(gala)
    page = open_page(base, "/x/forms/f/gala_order", size=(390, 844))
    expect(page.get_by_role("heading", name="Biljetter till galan")).to_be_visible()
    picture(page, "gala-empty", tmp_path)
    assert pages.findings(page, within="main") == []

    page.get_by_role("button", name="Läs igenom").click()
    expect(page.get_by_label("Namn")).to_be_focused()
    picture(page, "gala-missing", tmp_path)
    page.get_by_label("Namn").fill("Åsa Öberg")
    page.get_by_label("E-post").fill("asa@example.org")
    page.get_by_label("Mobil").fill("070-174 06 05")
    page.get_by_label("Antal biljetter").fill("2")
    page.get_by_label("Plats").select_option("table")
    expect(page.get_by_label("Mat vi ska tänka på")).to_be_visible()
    expect(page.locator("[data-field=table_sum]")).to_contain_text("2\u00a0400\u00a0kr")
    page.get_by_role("button", name="Läs igenom").click()

    expect(page.get_by_role("heading", name="Läs igenom innan du skriver under")).to_be_visible()
    expect(page.locator(".form-paper")).to_contain_text("Åsa Öberg kan avboka")
    picture(page, "gala-read", tmp_path)
    assert pages.findings(page, within="main") == []
    page.get_by_role("button", name="Skriv under").click()
    page.get_by_role("button", name="Skriv med fingret").click()
    page.get_by_label("Eller skriv ditt namn").fill("Åsa Öberg")
    page.get_by_role("button", name="Bekräfta").scroll_into_view_if_needed()
    picture(page, "gala-sign", tmp_path)
    assert pages.findings(page, within="main") == []
    page.get_by_role("button", name="Bekräfta").click()

    expect(page.get_by_role("heading", name="Klart. Du har skrivit under")).to_be_visible()
    expect(page.get_by_role("link", name="Hämta som PDF: Biljettavtal")).to_be_visible()
    picture(page, "gala-signed", tmp_path)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_visitor_who_declines_is_asked_once_and_nothing_is_signed(
    gala: Product, serve: Serve, open_page: Open, tmp_path: Path
) -> None:
    key = gala.services.api_keys.create("biljettsystemet", ["forms.drive"])
    answers = {"name": "Åsa Öberg", "email": "asa@example.org", "phone": "0701740605", "tickets": 1, "seat": "balcony"}
    made = gala.app.test_client().post(
        "/api/v1/x/forms/templates/gala_order/forms",
        json={"answers": answers},
        headers={"Authorization": f"Bearer {key}"},
    )
    page = open_page(serve(gala), "/" + made.get_json()["sign_at"].split("/", 3)[3])
    page.get_by_role("button", name="Skriv under").click()
    page.get_by_role("button", name="Avböj").click()
    expect(page.get_by_role("button", name="Tillbaka")).to_be_focused()
    picture(page, "gala-decline", tmp_path)
    page.get_by_role("button", name="Avböj, inget skrivs under").click()

    expect(page.get_by_role("heading", name="Du avböjde. Inget är undertecknat.")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name="Du avböjde. Inget är undertecknat.")).to_be_visible()


@pytest.mark.requirement("R079", "R161")
def test_a_visitor_signs_with_the_app_on_the_phone_itself_or_by_a_code_and_a_closed_page_goes_on(
    gala_with_bankid: Product, bankid: RemoteBankId, serve: Serve, open_page: Open, tmp_path: Path
) -> None:
    answers = {"name": "Maja Granlid", "email": "maja@example.org", "phone": "0701740605", "number": MAJA.number}
    answers |= {"tickets": "1", "seat": "balcony"}
    base = serve(gala_with_bankid)
    begun = gala_with_bankid.app.test_client().post("/x/forms/f/gala_order/begin", json={"answers": answers})
    page = open_page(base, begun.get_json()["path"], size=(390, 844))
    page.evaluate("window.matchMedia = () => ({ matches: true, addEventListener() {} })")  # a finger, not a mouse
    page.get_by_role("button", name="Skriv under").click()
    page.get_by_role("button", name="BankID").click()
    app = page.get_by_role("link", name="Öppna appen på den här enheten")
    expect(app).to_be_visible()
    picture(page, "gala-app", tmp_path)
    assert pages.findings(page, within="main") == []

    page.get_by_role("button", name="Visa en kod för en annan enhet").click()
    expect(page.locator(".sign-qr")).to_be_visible()
    page.get_by_role("button", name="Avbryt").click()
    page.get_by_role("button", name="BankID").click()
    expect(app).to_be_visible()
    token = parse_qs(urlsplit(app.get_attribute("href") or "").query)["autostarttoken"][0]
    order = bankid.phone("open", autoStartToken=token, person=MAJA.key)["order"]
    page.goto("about:blank")  # the browser is left for the app
    back = bankid.phone("approve", order=order, person=MAJA.key)["return_url"]
    gala_with_bankid.clock.on(seconds=2)
    bankid.phone("clock", seconds=2)

    path = urlsplit(back)
    page.goto(f"{base}{path.path}?{path.query}")

    expect(page.get_by_role("heading", name="Klart. Du har skrivit under")).to_be_visible()
    assert "nonce" not in page.url


@pytest.mark.requirement("R092")
def test_only_the_banks_own_pages_may_show_the_form_in_a_frame(gala: Product) -> None:
    browser = gala.browser()

    framed = browser.get("/x/forms/f/gala_order?embed=1")
    alone = browser.get("/x/forms/f/gala_order")
    elsewhere = browser.get("/staff/sign-in?embed=1")

    assert "frame-ancestors http://localhost:9" in framed.headers["Content-Security-Policy"]
    assert "<footer" not in framed.text
    for other in (alone, elsewhere):
        assert "frame-ancestors 'none'" in other.headers["Content-Security-Policy"]


@pytest.mark.requirement("R092")
def test_a_visitor_fills_in_the_form_without_leaving_the_banks_page(
    tmp_path: Path, seal: str, serve: Serve, chromium: Browser
) -> None:
    """The bank's page at its own origin shows the form; the same page at another origin shows nothing of it."""
    shown: dict[str, str] = {}

    def bank_page(_environ: Any, start: Any) -> list[bytes]:
        start("200 OK", [("Content-Type", "text/html")])
        return [
            f'<h1>Banken</h1><iframe title="Biljetter" src="{shown["form"]}" width=800 height=900></iframe>'.encode()
        ]

    bank = make_server("127.0.0.1", 0, bank_page, threaded=True)
    threading.Thread(target=bank.serve_forever, daemon=True).start()
    own = f"http://localhost:{bank.server_port}"
    forms = f'[plugins.forms]\npublished = ["gala_order"]\nframe_origins = ["{own}"]\n'
    product = Product(tmp_path, clock=Clock(utc_now()), with_plugins=["forms", "pades_signing"], more=forms + seal)
    shown["form"] = f"{serve(product)}/x/forms/f/gala_order?embed=1"
    context = chromium.new_context(locale="sv-SE")
    try:
        page = context.new_page()
        page.set_default_timeout(pages.PATIENCE_MS)
        page.goto(own)
        frame = page.frame_locator("iframe")
        frame.get_by_label("Namn").fill("Åsa Öberg")
        frame.get_by_label("E-post").fill("asa@example.org")
        frame.get_by_label("Mobil").fill("070-174 06 05")
        frame.get_by_label("Antal biljetter").fill("1")
        frame.get_by_label("Plats").select_option("balcony")
        frame.get_by_role("button", name="Läs igenom").click()
        expect(frame.get_by_role("heading", name="Läs igenom innan du skriver under")).to_be_visible()
        assert page.url == f"{own}/"

        page.goto(f"http://127.0.0.1:{bank.server_port}")
        expect(page.get_by_role("heading", name="Banken")).to_be_visible()
        expect(frame.get_by_label("Namn")).to_have_count(0)
    finally:
        context.close()
        bank.shutdown()


def test_a_form_that_is_not_published_or_whose_secret_is_wrong_is_not_there(gala: Product) -> None:
    browser = gala.browser()

    for path in (
        "f/mortgage_loan",
        "f/know_customer",
        "f/nothing",
        "s/form_x/secret",
        "s/form_x/secret/state",
        "s/" + "a" * 200 + "/b",
    ):
        assert browser.get(f"/x/forms/{path}").status_code == 404, path
