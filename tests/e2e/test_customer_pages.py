"""The customer's pages in a real Chromium, from sample contexts, under the strict content security policy.

Each page in each state: nothing for axe to find, nothing wider than the screen from 320 px up and at 200 % zoom, in
light and dark, with no script or style of its own; then the journeys: consent, the code, the QR code, the wait.
"""

import json
import os
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, Response, jsonify, render_template, request
from playwright.sync_api import Browser, Page, Route, expect
from werkzeug.serving import make_server

import sidecar.web
from sidecar.adapters.i18n import Translator, available_languages, language_menu
from sidecar.domain.branding import Brand, brand_css
from sidecar.testing.pages import chromium, findings, wider_than_screen
from sidecar.web.customer_views import lobby_view, notice, refused_view
from tests.e2e.room_steps import comes_to, until

pytestmark = pytest.mark.e2e

WEB = Path(sidecar.web.__file__).parent
NOW = datetime(2026, 11, 24, 12, 57, tzinfo=UTC)
STARTS = datetime(2026, 11, 24, 13, 0, tzinfo=UTC)
CSP = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
PHONE = "08-465 004 12"
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
]  # fmt: skip
QR = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="21" height="21"><rect width="21" height="21" fill="#fff"/>'
    '<path d="M{n} 2h7v7h-7z" fill="#000"/></svg>'
)
MEETING: dict[str, Any] = {
    "title": "Bolånemöte",
    "purpose": "Utöka bolånet för renovering",
    "starts_at": STARTS,
    "started_at": STARTS,
    "ended_at": STARTS + timedelta(minutes=36),
    "minutes": 35,
    "sign": True,
    "adviser": {"name": "Elin Sjöhage", "given": "Elin", "title": "bolånerådgivare", "office": "Luleå"},
}
BANKID = {
    "name": "bankid", "title": "BankID", "help": "I appen på din telefon.", "kind": "eid", "app": True,
    "url": "?method=bankid",
}  # fmt: skip
FREJA = {
    "name": "freja", "title": "Freja", "help": "I appen på din telefon.", "kind": "eid", "app": True,
    "url": "?method=freja",
}  # fmt: skip
CODE = {
    "name": "otp_link", "title": "Engångskod", "help": "En kod i sms.", "kind": "code", "app": False,
    "url": "?method=otp_link",
}  # fmt: skip


@dataclass
class Desk:
    """The server's side of the journeys, moved by the test."""

    polls: list[dict[str, Any]] = field(default_factory=list)
    posted: list[tuple[str, Any, str]] = field(default_factory=list)
    told: list[tuple[str, Any]] = field(default_factory=list)
    news: threading.Condition = field(default_factory=threading.Condition)

    def tell(self, event: str, data: Any) -> None:
        """Send an event to every open line of this test."""
        with self.news:
            self.told.append((event, data))
            self.news.notify_all()

    def begin(self) -> None:
        """Forget the test before, and close its lines."""
        self.polls = [
            {"status": "pending", "message": "Öppna BankID-appen och skanna koden.", "view": {"qr": QR.format(n=2)}}
        ]
        self.posted.clear()
        with self.news:
            self.told = []
            self.news.notify_all()


def waiting_room(speak: Translator, place: Any = "waiting", **changed: Any) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "given": "Maja", "adviser": "Elin", "phone": PHONE, "starts_at": STARTS,
        "since": NOW - timedelta(minutes=2), "now": NOW,
    }  # fmt: skip
    return lobby_view(speak, place=place, **{**facts, **changed})


def samples(speak: Translator) -> dict[str, tuple[str, dict[str, Any]]]:
    """Return each page in each state it has: name -> (template, context)."""
    arrive: dict[str, Any] = {
        "step": 1, "meeting": MEETING, "capacity": "customer", "methods": ["BankID", "Freja"],
        "after": speak.t("arrive.after.customer"),
        "others": [{"name": "Samir Haddin", "capacity_label": "observatör"}],
        "privacy": {"recording": False, "kept": timedelta(days=3650), "chat_kept": True, "stored": "Sverige"},
        "consent": {"version": "4", "since": datetime(2026, 11, 2, tzinfo=UTC), "given": False, "changed": False},
        "early": None, "urls": {"consent": "/do/consent", "next": "/went/identify", "privacy": "/page/privacy"},
    }  # fmt: skip
    identify: dict[str, Any] = {
        "step": 2, "meeting": MEETING, "methods": [BANKID, FREJA], "chosen": BANKID, "why": "first", "resume": False,
        "seen_text": "Jag legitimerar mig för mitt möte med Elin Sjöhage 24 november kl. 14.00.",
        "excluded": ["Engångskod"],
        "urls": {"start": "/do/start", "poll": "/do/poll", "submit": "/do/submit", "cancel": "/do/cancel",
                 "back": "/page/arrive"},
    }  # fmt: skip
    lobby: dict[str, Any] = {
        "step": 3, "meeting": MEETING, "lobby": waiting_room(speak), "upload_url": "/went/upload",
        "me": {"given": "Maja", "verified": "BankID, tillitsnivå 3", "verified_at": NOW - timedelta(minutes=1)},
        "may": {"camera": True, "microphone": True},
        "urls": {"events": "/events", "choice": "/do/choice", "leave": "/went/left", "here": "/went/here"},
    }  # fmt: skip
    left: dict[str, Any] = {
        "step": None, "how": "left", "capacity": "customer", "meeting": MEETING, "recorded": "",
        "summary": "inbox", "until": STARTS + timedelta(minutes=60),
        "urls": {"rejoin": "/went/room", "identify": "/went/identify"},
    }  # fmt: skip
    call: dict[str, Any] = {
        "step": None, "open": True, "hours": [{"day": "Måndag till fredag", "text": "8.00–20.00"},
                                              {"day": "Lördag", "text": "10.00–15.00"}],
        "closes_at": STARTS + timedelta(hours=6), "opens_at": None, "waiting": 2, "chosen": "", "problem": "",
        "countries": [{"code": "FI", "name": "Finland"}, {"code": "SE", "name": "Sverige"}], "country": "SE",
        "types": [{"ref": "advice@1", "title": "Rådgivning", "summary": "Sparande och lån.", "needs": "länk och kod"},
                  {"ref": "new_customer@1", "title": "Ny kund", "summary": "Öppna konto och kort.", "needs": "BankID"}],
        "urls": {"start": "/do/call"},
    }  # fmt: skip
    error: dict[str, Any] = {
        "step": None, "kind": "failed", "sentence": "", "case": "T-4821", "urls": {"again": "/page/arrive", "home": ""},
    }  # fmt: skip
    data: dict[str, Any] = {
        "version": "4", "since": datetime(2026, 11, 2, tzinfo=UTC), "bank": "Exempelbanken", "phone": PHONE,
        "contact": "dataskydd@exempelbanken.example", "kept": timedelta(days=3650), "stored": "Sverige",
        "chat_kept": True,
    }  # fmt: skip
    pages: dict[str, tuple[str, dict[str, Any]]] = {
        "arrive": ("customer/arrive.html", arrive),
        "arrive-returning": (
            "customer/arrive.html",
            {**arrive, "steps_done": [1], "consent": {**arrive["consent"], "given": True, "unchanged": True}},
        ),
        "arrive-early-changed": (
            "customer/arrive.html",
            {**arrive, "early": STARTS - timedelta(minutes=15), "consent": {**arrive["consent"], "changed": True}},
        ),
        "arrive-on-demand": (
            "customer/arrive.html",
            {
                **arrive,
                "meeting": {
                    **MEETING,
                    "adviser": {"name": "Exempelbanken", "given": "Exempelbanken", "title": "", "office": ""},
                },
                "privacy": {**arrive["privacy"], "recording": True},
            },
        ),
        "arrive-recorded-observer": (
            "customer/arrive.html",
            {**arrive, "capacity": "observer", "methods": ["BankID"], "others": [],
             "privacy": {**arrive["privacy"], "chat_kept": False, "recording": True}},
        ),
        "identify": ("customer/identify.html", identify),
        "identify-choose": ("customer/identify.html", {**identify, "chosen": None, "methods": [BANKID, FREJA, CODE]}),
        "identify-code": ("customer/identify.html", {**identify, "chosen": CODE, "methods": [CODE], "excluded": []}),
        "identify-again": ("customer/identify.html", {**identify, "why": "again", "methods": [BANKID]}),
        "identify-second-device": ("customer/identify.html", {**identify, "why": "second_device"}),
        "identify-step-up": ("customer/identify.html", {**identify, "why": "step_up"}),
        "lobby": ("customer/lobby.html", lobby),
        "privacy": ("customer/privacy.html", {"step": None, "notice": notice(speak, **data), "urls": {"back": "/"}}),
        "left": ("customer/left.html", left),
        "ended": ("customer/left.html", {**left, "how": "ended"}),
        "ended-text-message": ("customer/left.html", {**left, "how": "ended", "summary": "sms"}),
        "ended-recorded-observer": (
            "customer/left.html",
            {**left, "how": "ended", "capacity": "observer", "recorded": "24 november 2031"},
        ),
        "removed": ("customer/left.html", {**left, "how": "removed", "until": None}),
        "ended-before-it-began": (
            "customer/left.html",
            {**left, "how": "ended", "meeting": {**MEETING, "started_at": None, "ended_at": None}},
        ),
        "session-ended": ("customer/left.html", {**left, "how": "session_ended", "until": None}),
        "call": ("customer/call.html", call),
        "call-unanswered": ("customer/call.html", {**call, "problem": speak.t("meeting.choose_type"), "waiting": 0}),
        "call-closed": ("customer/call.html", {**call, "open": False, "opens_at": STARTS + timedelta(hours=18)}),
        "error": ("error.html", error),
        "error-not-found": (
            "error.html",
            {**error, "kind": "not_found", "case": "", "urls": {"again": "", "home": "/"}},
        ),
    }  # fmt: skip
    for place in ("not_here", "late", "sent_back", "closed", "second_device"):
        pages[f"lobby-{place}"] = ("customer/lobby.html", {**lobby, "lobby": waiting_room(speak, place)})
    pages["lobby-queue"] = ("customer/lobby.html", {**lobby, "lobby": waiting_room(speak, "not_here", ahead=2)})
    long = {"now": STARTS + timedelta(minutes=11)}
    pages["lobby-long"] = ("customer/lobby.html", {**lobby, "lobby": waiting_room(speak, **long)})
    pages["lobby-call-me"] = (
        "customer/lobby.html",
        {**lobby, "lobby": waiting_room(speak, choice="call_me", **long)},
    )
    known = {
        "adviser": "Elin", "bank": "Exempelbanken", "phone": PHONE, "time": "13.57", "until": "14.30",
        "when": speak.when(STARTS + timedelta(days=1), NOW), "method": "e‑legitimation",
    }  # fmt: skip
    acts = ("try_again", "another_way", "prepare", "continue_here", "call_me")
    for reason in (
        "wrong_person",
        "level_too_low",
        "moved",
        "cancelled",
        "said_no",
        "other_device",
        "too_late",
    ):
        view = refused_view(speak, reason, values=known, urls={act: f"/went/{act}" for act in acts})
        pages[f"refused-{reason.replace('_', '-')}"] = (
            "customer/refused.html",
            {"reason": reason, "view": view, "case": "T-4821", "step": view["step"]},
        )
    return pages


NAMES = sorted(samples(Translator("sv", strict=True)))


def sample_app(desk: Desk) -> Flask:
    """Return an application that serves the sample pages, our static files and the journeys' answers."""
    app = Flask("samples", template_folder=str(WEB / "templates"), static_folder=str(WEB / "static"))
    brand = Brand(name="Exempelbanken", host="exempelbanken.localhost", colour="#0c4a5b", phone=PHONE)

    @app.get("/page/<name>")
    def page(name: str) -> str:
        speak = Translator(request.args.get("lang", "sv"), strict=True)
        template, context = samples(speak)[name]
        return render_template(
            template,
            **speak.template_globals(NOW),
            languages=language_menu(speak.language, lambda code: f"?lang={code}"),
            brand={
                "name": brand.name, "phone": brand.phone, "phone_href": brand.phone_href, "logo_url": "",
                "privacy_url": "/page/privacy", "help_url": "/went/help", "hours": "",
            },
            csrf="token-of-this-page",
            static_url=lambda file: f"/static/{file}?v=1",
            **context,
        )  # fmt: skip

    @app.get("/brand.css")
    def colours() -> Response:
        return Response(brand_css(brand.colour), mimetype="text/css")

    @app.get("/went/<place>")
    def went(place: str) -> str:
        icon = '<link rel="icon" href="/static/mark.svg">'
        return f"<!doctype html><html lang=sv><title>{place}</title>{icon}<h1>{place}</h1>"

    @app.post("/do/<act>")
    def do(act: str) -> Response:
        desk.posted.append((act, request.get_json(silent=True), request.headers.get("X-Tillit-CSRF", "")))
        if act == "consent":
            return jsonify(status="complete", message="", view={}, next=None)
        if act == "choice":
            speak = Translator("sv", strict=True)
            return jsonify(waiting_room(speak, choice="call_me", now=STARTS + timedelta(minutes=11)))
        if act in ("start", "poll", "submit") and desk.polls:
            return jsonify(desk.polls.pop(0) if len(desk.polls) > 1 else desk.polls[0])
        return jsonify(status="failed", message="Du avbröt. Inget har hänt.", view={}, next=None)

    @app.get("/events")
    def events() -> Response:
        mine = desk.told

        def lines() -> Iterator[str]:
            yield ": open\n\n"
            sent = 0
            while mine is desk.told:
                if len(mine) == sent:
                    with desk.news:
                        desk.news.wait(timeout=0.5)
                    continue
                event, data = mine[sent]
                sent += 1
                yield f"event: {event}\ndata: {json.dumps(data)}\n\n"

        return Response(lines(), mimetype="text/event-stream")

    @app.after_request
    def protect(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = CSP
        return response

    return app


@pytest.fixture(scope="module")
def desk() -> Desk:
    return Desk()


@pytest.fixture(scope="module")
def site(desk: Desk) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, sample_app(desk), threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://localhost:{server.server_port}"
    desk.begin()
    server.shutdown()
    thread.join(timeout=5)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium(FLAGS, executable=CHROMIUM) as opened:
        yield opened


@pytest.fixture
def page(browser: Browser, site: str) -> Iterator[Page]:
    """A page that fails the test on any complaint in the console: a broken policy shows there."""
    context = browser.new_context(base_url=site, viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
    opened = context.new_page()
    complaints: list[str] = []
    opened.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    yield opened
    context.close()
    assert complaints == []


@pytest.fixture(autouse=True)
def fresh(desk: Desk) -> None:
    desk.begin()


@pytest.mark.requirement("R016", "R054", "R056")
@pytest.mark.parametrize("name", NAMES)
def test_page_is_accessible_and_never_wider_than_the_screen(name: str, page: Page, tmp_path: Path) -> None:
    pictures = Path(os.environ.get("SCREENSHOTS", tmp_path))
    for theme, width, height in (("light", 1280, 800), ("dark", 390, 844), ("light", 390, 844)):
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")  # type: ignore[arg-type]  # a literal
        page.set_viewport_size({"width": width, "height": height})
        page.goto(f"/page/{name}")
        page.wait_for_load_state("load")
        if (theme, width) != ("light", 390):  # the same marks as at 1280, in the same colours
            assert findings(page) == [], f"{name}, {theme}, {width}"
        comes_to(page, lambda: wider_than_screen(page), [])
        page.screenshot(path=pictures / f"{name}-{width}-{theme}.png", full_page=True)
    for width, height in ((320, 640), (640, 400)):  # the narrowest phone; a laptop at 200 %
        page.set_viewport_size({"width": width, "height": height})
        page.evaluate("new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
        comes_to(page, lambda: wider_than_screen(page), [])


@pytest.mark.parametrize("name", NAMES)
def test_page_carries_no_script_or_style_of_its_own(name: str, desk: Desk) -> None:
    html = sample_app(desk).test_client().get(f"/page/{name}").get_data(as_text=True)

    assert not re.search(r"<script(?![^>]*\bsrc=)", html)
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=", html)
    assert not re.search(r'(?:src|href)="(?:https?:)?//', html)


@pytest.mark.parametrize("language", available_languages)
@pytest.mark.parametrize(
    "name", ["arrive", "identify", "lobby-long", "refused-wrong-person", "ended", "call", "privacy"]
)
def test_longest_words_of_each_language_fit_a_small_phone(name: str, language: str, page: Page) -> None:
    page.set_viewport_size({"width": 320, "height": 640})
    page.goto(f"/page/{name}?lang={language}")

    expect(page.locator("html")).to_have_attribute("lang", language)
    comes_to(page, lambda: wider_than_screen(page), [])


SMALL = """() => [...document.querySelectorAll(".btn, summary, .choice, .bar a, .tick")]
    .filter((one) => one.offsetParent && one.getBoundingClientRect().height < 47.5)
    .map((one) => one.outerHTML.slice(0, 100))"""


def test_controls_are_large_enough_for_a_thumb(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    for name in ("arrive", "identify", "lobby-long", "refused-wrong-person", "call"):
        page.goto(f"/page/{name}")
        comes_to(page, lambda: page.evaluate(SMALL), [])


@pytest.mark.requirement("R065")
def test_main_button_says_what_is_missing_and_goes_nowhere_without_consent(page: Page, desk: Desk) -> None:
    page.goto("/page/arrive")
    page.get_by_role("button", name="Fortsätt").click()

    expect(page.locator("#consent-problem")).to_contain_text("Kryssa i rutan om du vill vara med på video")
    expect(page.get_by_role("checkbox")).to_be_focused()
    expect(page.get_by_role("status")).to_contain_text("Kryssa i rutan")
    assert findings(page) == []
    assert desk.posted == []


@pytest.mark.requirement("R065")
def test_consent_is_sent_with_the_version_of_the_text(page: Page, desk: Desk) -> None:
    page.goto("/page/arrive")
    page.get_by_role("checkbox").check()
    page.get_by_role("button", name="Fortsätt").click()
    page.wait_for_url("**/went/identify")

    assert desk.posted == [("consent", {"version": "4"}, "token-of-this-page")]


@pytest.mark.requirement("R056", "R061", "R066")
def test_before_anything_is_asked_the_page_says_who_invites_why_and_what_is_kept(page: Page) -> None:
    page.goto("/page/arrive")
    text = page.locator("main").inner_text()

    for said in (
        "Elin Sjöhage",
        "Utöka bolånet för renovering",
        "BankID eller Freja",
        "spelas inte in",
        "10 år",
        "Sverige",
    ):
        assert said in text
    page.goto("/page/arrive-recorded-observer")
    text = page.locator("main").inner_text()
    for said in (
        "kan komma att spelas in",
        "Vi frågar dig innan det börjar",
        "enligt vilken lag",
        "vilken dag inspelningen raderas",
        "Vi frågar inte var du är",
    ):
        assert said in text


def test_camera_and_microphone_are_tried_and_remembered(page: Page) -> None:
    page.add_init_script("navigator.permissions.query = () => Promise.resolve({ state: 'prompt' })")
    page.goto("/page/arrive")
    assert page.locator("[data-video]").is_hidden()  # nothing is opened before the person asks
    page.get_by_role("button", name="Prova kamera och ljud").click()

    expect(page.locator('[data-part="camera"]')).to_have_attribute("data-state", "ok")
    expect(page.locator('[data-part="microphone"]')).to_have_attribute("data-state", "ok")
    expect(page.get_by_text("Bara du ser bilden")).to_be_visible()
    expect(page.locator('[data-part="network"]')).not_to_have_attribute("data-state", "idle")
    until(page, lambda: '"camera":true' in page.evaluate("sessionStorage.getItem('tillit.devices')"))
    assert findings(page) == []


def test_denied_camera_tells_how_to_allow_it_in_this_browser(page: Page) -> None:
    page.add_init_script(
        "navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', 'NotAllowedError'))"
    )
    page.goto("/page/arrive")
    page.get_by_role("button", name="Prova kamera och ljud").click()

    expect(page.get_by_text("Webbläsaren släpper inte fram kameran")).to_be_visible()
    expect(page.get_by_text("till vänster om adressen. Slå på Kamera")).to_be_visible()
    assert findings(page) == []


GRANTED = "navigator.permissions.query = () => Promise.resolve({ state: 'granted' });"


@pytest.mark.requirement("R045")
def test_background_is_blurred_before_the_meeting_and_stays_so_in_the_lobby(page: Page, tmp_path: Path) -> None:
    page.add_init_script(GRANTED)
    page.goto("/page/arrive")
    expect(page.locator('[data-part="camera"]')).to_have_attribute("data-state", "ok")
    row = page.locator('[data-part="background"]')
    expect(row).to_have_attribute("data-state", "off")
    own = "document.querySelector('[data-video]').srcObject.getVideoTracks()[0].label"
    until(page, lambda: page.evaluate(own) != "")
    row.get_by_role("button", name="Sudda den").press("Enter")

    expect(row).to_have_attribute("data-state", "outline")
    expect(row.get_by_text("Bara det som ligger innanför konturen syns skarpt")).to_be_visible()
    expect(page.locator('[data-part="camera"]')).to_have_attribute("data-state", "ok")
    expect(page.get_by_label("Konturens storlek")).to_be_visible()
    until(page, lambda: page.evaluate("document.querySelector('[data-video]').videoWidth") > 0)
    assert page.evaluate(f"{own}.includes('fake_device')") is False, "the picture shown is not the camera's own"
    assert findings(page) == []
    comes_to(page, lambda: wider_than_screen(page), [])
    folder = Path(os.environ.get("SCREENSHOTS", tmp_path))
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 844})
        page.locator("#check").screenshot(path=folder / f"background-{width}.png")

    page.goto("/page/lobby")
    expect(page.locator('[data-toggle="camera"]')).to_have_attribute("data-pressed", "true")
    assert page.evaluate(f"{own}.includes('fake_device')") is False
    page.goto("/page/arrive")
    row.get_by_role("button", name="Visa den").click()
    expect(row).to_have_attribute("data-state", "off")


def test_where_the_background_cannot_be_blurred_the_camera_is_off_until_the_person_shows_it(page: Page) -> None:
    page.add_init_script(
        GRANTED + "delete window.MediaStreamTrackProcessor; localStorage.setItem('tillit.background', '{\"on\":true}');"
        "HTMLCanvasElement.prototype.captureStream = () => { throw new Error('no'); };"
    )
    page.goto("/page/arrive")
    row = page.locator('[data-part="background"]')
    expect(row).to_have_attribute("data-state", "failed")
    expect(row.get_by_text("Bakgrunden gick inte att sudda här, och därför är bilden av")).to_be_visible()
    expect(page.locator("[data-video]")).to_be_hidden()
    until(page, lambda: '"camera":false' in page.evaluate("sessionStorage.getItem('tillit.devices')"))
    row.get_by_role("button", name="Visa den").click()
    expect(page.locator("[data-video]")).to_be_visible()
    expect(row).to_have_attribute("data-state", "off")


def test_qr_code_changes_and_a_finished_sign_in_leads_on(page: Page, desk: Desk) -> None:
    page.goto("/page/identify")  # each second the page asks again, and is told the same until the test goes on
    expect(page.locator("[data-qr] path")).to_have_attribute("d", "M2 2h7v7h-7z")
    expect(page.locator("[data-qr] svg")).to_have_attribute("viewBox", "0 0 21 21")
    assert page.locator("[data-qr] svg").bounding_box()["width"] > 200  # type: ignore[index]  # it is on the page
    desk.polls = [{"status": "pending", "message": "Appen är öppen.", "view": {"qr": QR.format(n=9)}}]
    expect(page.locator("[data-qr] path")).to_have_attribute("d", "M9 2h7v7h-7z")
    expect(page.locator("#identify [data-status]")).to_have_text("Appen är öppen.")
    desk.polls = [{"status": "complete", "message": "Klart.", "view": {}, "next": "/went/lobby"}]
    page.wait_for_url("**/went/lobby")

    assert desk.posted[0] == ("start", {"method": "bankid", "same_device": False}, "token-of-this-page")


def test_drawing_that_carries_more_than_shapes_is_stripped(browser: Browser, site: str, desk: Desk) -> None:
    """A broken provider or plugin must not bring script or style into the page by way of its picture."""
    hostile = QR.format(n=4).replace(
        "<rect", '<script>document.title="run"</script><a href="/"/><rect style="fill:red"'
    )
    desk.polls = [
        {"status": "pending", "message": "Skanna.", "view": {"qr": hostile.replace("<svg", '<svg onload="x()"')}}
    ]
    context = browser.new_context(base_url=site)  # the parser's own complaint in the console is expected here
    page = context.new_page()
    page.goto("/page/identify")
    expect(page.locator("[data-qr] path")).to_have_attribute("d", "M4 2h7v7h-7z")

    assert page.locator("[data-qr] script, [data-qr] a, [data-qr] [style], [data-qr] [onload]").count() == 0
    assert page.title() != "run"
    context.close()


def test_address_on_another_site_is_never_followed(page: Page, desk: Desk) -> None:
    desk.polls = [{"status": "complete", "message": "Klart.", "view": {}, "next": "//elsewhere.example/"}]
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto("/page/identify")
    expect(page.locator("#identify")).to_have_attribute("data-state", "done")
    page.evaluate("fetch('/went/afterwards')")
    until(page, lambda: any(url.endswith("/went/afterwards") for url in asked))

    assert not any("elsewhere" in url for url in asked)
    assert page.url.endswith("/page/identify")


def test_failed_sign_in_says_why_and_begins_again_on_request(page: Page, desk: Desk) -> None:
    desk.polls = [
        {"status": "failed", "message": "Du avbröt i appen. Inget har hänt, och du kan börja om.", "view": {}}
    ]
    page.goto("/page/identify")
    expect(page.get_by_text("Du avbröt i appen.").first).to_be_visible()
    assert findings(page) == []
    desk.polls = [{"status": "pending", "message": "Skanna koden.", "view": {"qr": QR.format(n=5)}}]
    page.get_by_role("button", name="Försök igen").click()

    expect(page.locator("#identify [data-status]")).to_have_text("Skanna koden.")
    expect(page.locator("#identify [data-failed]")).to_be_hidden()


def test_phone_is_offered_the_app_first_and_the_qr_code_second(browser: Browser, site: str, desk: Desk) -> None:
    context = browser.new_context(
        base_url=site,
        viewport={"width": 390, "height": 844},
        has_touch=True,
        is_mobile=True,
        reduced_motion="reduce",
    )
    phone = context.new_page()
    phone.goto("/page/identify")
    expect(phone.get_by_role("button", name="Öppna BankID")).to_be_visible()
    expect(phone.locator("[data-qr]")).to_be_hidden()
    assert desk.posted == []
    phone.screenshot(path=Path(os.environ.get("SCREENSHOTS", "/tmp")) / "identify-phone.png", full_page=True)
    phone.get_by_role("button", name="Visa QR-kod i stället").click()
    expect(phone.locator("[data-qr] path")).to_be_visible()
    assert findings(phone) == []
    context.close()


def test_code_is_typed_once_and_tells_the_attempts_left(page: Page, desk: Desk) -> None:
    desk.polls = [
        {"status": "pending", "message": "Koden är skickad.", "view": {"field": "code", "attempts_left": 3}},
        {"status": "pending", "message": "Koden stämmer inte.", "view": {"field": "code", "attempts_left": 1}},
        {"status": "complete", "message": "", "view": {}, "next": "/went/lobby"},
    ]  # fmt: skip
    page.goto("/page/identify-code")
    page.get_by_role("button", name="Skicka koden till mig").click()
    field_ = page.get_by_label("Koden du fick")
    expect(field_).to_be_focused()
    expect(field_).to_have_attribute("autocomplete", "one-time-code")
    page.get_by_role("button", name="Fortsätt").click()
    expect(page.locator("#code-problem")).to_contain_text("sex siffrorna")
    assert findings(page) == []
    field_.fill("123 456")
    page.get_by_role("button", name="Fortsätt").click()
    expect(page.get_by_text("Du har 1 försök kvar.")).to_be_visible()
    field_.fill("654321")
    page.get_by_role("button", name="Fortsätt").click()
    page.wait_for_url("**/went/lobby")

    assert [body for act, body, _ in desk.posted if act == "submit"] == [
        {"code": "123456"},
        {"code": "654321"},
    ]


def test_lobby_says_what_the_server_says_and_follows_the_open_door(page: Page, desk: Desk) -> None:
    speak = Translator("sv", strict=True)
    page.goto("/page/lobby")
    desk.tell("state", waiting_room(speak, "late"))
    expect(page.get_by_text("Elin är försenad.").first).to_be_visible()
    expect(page.get_by_role("status")).to_contain_text("Elin är försenad.")
    desk.tell("state", waiting_room(speak, now=STARTS + timedelta(minutes=11)))
    expect(page.get_by_role("button", name="Bli uppringd")).to_be_visible()
    page.get_by_role("button", name="Bli uppringd").click()
    expect(page.get_by_text("Elin ringer upp dig. Du kan stänga sidan.").first).to_be_visible()
    expect(page.get_by_role("button", name="Vänta kvar")).to_be_hidden()
    assert findings(page) == []
    desk.tell("go", {"url": "/went/room"})
    page.wait_for_url("**/went/room")

    assert ("choice", {"choice": "call_me"}, "token-of-this-page") in desk.posted


def test_lost_line_is_told_in_a_strip_and_comes_back_by_itself(browser: Browser, site: str, desk: Desk) -> None:
    context = browser.new_context(base_url=site)
    page = context.new_page()
    broken = True

    def line(route: Route) -> None:
        if broken:
            route.abort()
        else:
            route.continue_()

    page.route("**/events", line)
    page.goto("/page/lobby")
    expect(page.locator("#strip")).to_be_visible()
    broken = False
    expect(page.locator("#strip")).to_be_hidden(timeout=60_000)  # the longer it was away, the later it tries again
    context.close()


def test_a_lobby_that_slept_while_another_device_took_its_place_leads_on(browser: Browser, site: str) -> None:
    context = browser.new_context(base_url=site)
    page = context.new_page()
    page.route("**/events", lambda route: route.fulfill(status=401))
    page.route(
        "**/went/here",
        lambda route: route.fulfill(status=401) if route.request.resource_type == "fetch" else route.continue_(),
    )
    page.goto("/page/lobby")
    page.wait_for_url("**/went/here")
    context.close()


def test_language_menu_opens_by_keyboard_and_closes_on_escape(page: Page) -> None:
    page.goto("/page/arrive")
    menu = page.locator("details.languages")
    menu.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Suomi")).to_be_visible()
    assert findings(page) == []
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name="Suomi")).to_be_hidden()
    expect(menu.locator("summary")).to_be_focused()


def test_skip_link_is_the_first_stop_and_leads_to_the_content(page: Page) -> None:
    page.goto("/page/lobby")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Hoppa till innehållet")).to_be_focused()
    page.keyboard.press("Enter")

    expect(page).to_have_url(re.compile("#main$"))
