"""The mortgage meeting, held by headless browsers: adviser, customer and observer, each in a browser of their own.

Every step is what a person does: pages are opened, read and clicked; the demo phone and the mailbox are used as
their owners would. Each step can be told and photographed.
"""

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from playwright.sync_api import Browser, BrowserContext, FilePayload, Locator, Page, Playwright, expect

from simulators.demo.papers import CLAUSE, NOTE_NAME, promissory_note
from simulators.demo.portraits import film
from simulators.demo.world import World

CHROMIUM = "/usr/bin/chromium"
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream=fps=30",
    "--use-fake-ui-for-media-stream",
    "--auto-select-desktop-capture-source=Tillit",
    "--disable-features=WebRtcHideLocalIpsWithMdns",
)
DESKTOP = {"width": 1280, "height": 800}
HANDHELD = {"width": 390, "height": 844}
_MEDIA_S = 30.0
_PANEL_MS = 30_000  # a page of a document is drawn on the server, and the machine may be busy with three browsers

CAST = ("elin", "maja", "samir")
MAJA = {"mailbox": "maja.granlid", "phone": "maja", "name": "Maja Granlid"}
SAMIR = {"mailbox": "samir.haddin@example.org", "phone": "samir", "name": "Samir Haddin", "id": "198805071233"}


@dataclass
class Person:
    """One person's browser: cookies, camera and page of their own."""

    context: BrowserContext
    page: Page
    problems: list[str] = field(default_factory=list)


@contextmanager
def browser_of(playwright: Playwright, *, film: Path | None = None) -> Iterator[Browser]:
    """Yield a headless Chromium with an invented camera and microphone. film: MJPEG shown by the camera."""
    shown = [f"--use-file-for-fake-video-capture={film}"] if film else []
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, *shown])
    try:
        yield browser
    finally:
        browser.close()


@contextmanager
def cast(playwright: Playwright, films: Path) -> Iterator[dict[str, Browser]]:
    """Yield a browser for each of elin, maja and samir, with the person drawn in front of the camera."""
    with ExitStack() as open_browsers:
        with browser_of(playwright) as camera:
            made = {name: film(camera, name, films) for name in CAST}
        yield {name: open_browsers.enter_context(browser_of(playwright, film=made[name])) for name in CAST}


class Story:
    """Holds one meeting.

    browser: one for all, or each one's own (`cast`). told: called with each finished step. pictures: where
    screenshots go.
    """

    def __init__(
        self,
        world: World,
        browser: Browser | Mapping[str, Browser],
        *,
        pictures: Path,
        told: Callable[[str], None],
    ) -> None:
        self.world = world
        self.pictures = pictures
        self.told = told
        self.meeting = ""
        self.copy: dict[str, Any] = {}  # the message that brought Maja hers
        self._before: dict[str, int] = {}
        browsers = browser if isinstance(browser, Mapping) else dict.fromkeys(CAST, browser)
        self.elin = self.person(browsers["elin"], DESKTOP)
        self.maja = self.person(browsers["maja"], HANDHELD, phone=True)
        self.samir = self.person(browsers["samir"], HANDHELD, phone=True)

    def person(self, browser: Browser, size: dict[str, int], *, phone: bool = False) -> Person:
        context = browser.new_context(
            locale="sv-SE",
            viewport=size,  # type: ignore[arg-type]  # Playwright's own TypedDict has these two keys
            has_touch=phone,
            permissions=["camera", "microphone"],
            timezone_id="Europe/Stockholm",
        )
        person = Person(context, context.new_page())
        person.page.set_default_timeout(20_000)
        person.page.on("pageerror", lambda error: person.problems.append(str(error)))
        person.page.on(
            "console",
            lambda line: person.problems.append(line.text) if "Content Security Policy" in line.text else None,
        )
        return person

    def photograph(self, person: Person, name: str) -> None:
        """Keep the page as it is, at the person's own width and at the other one."""
        page = person.page
        own = page.viewport_size or DESKTOP
        for label, size in (("desktop", DESKTOP), ("phone", HANDHELD)):
            page.set_viewport_size(size)  # type: ignore[arg-type]
            page.screenshot(path=self.pictures / f"{name}-{label}.png", full_page=not page.url.endswith("/room"))
        page.set_viewport_size(own)  # type: ignore[arg-type]

    def hold(self) -> None:
        """Hold the whole meeting, from the desk's sign-in to the evidence file."""
        self.sign_in_at_the_desk()
        self.book()
        self.arrive(self.maja, MAJA["mailbox"])
        self.identify(self.maja, MAJA["phone"])
        self.start_the_meeting()
        self.admit(MAJA["name"])
        self.see_each_other(self.elin, self.maja)
        self.arrive(self.samir, SAMIR["mailbox"])
        self.identify(self.samir, SAMIR["phone"])
        self.admit(SAMIR["name"])
        self.see_each_other(self.elin, self.samir)
        self.see_each_other(self.maja, self.samir)
        self.photograph(self.elin, "room-adviser")
        self.photograph(self.maja, "room-customer")
        self.write_in_the_chat("Räntan är rörlig och bestäms var tredje månad.")
        self.calculate()
        self.show_a_document()
        self.read_what_matters()
        self.sign()
        self.try_to_share_the_whole_screen()
        self.observer_tries_what_is_not_allowed()

    def sign_in_at_the_desk(self, who: str = "Elin Sjöhage", how: str = "Lösenord och säkerhetsnyckel") -> None:
        page = self.elin.page
        page.goto(f"{self.world.bank}/desk")
        self._at_identity_service(page, who, how)
        expect(page.get_by_role("heading", level=1)).to_have_text("Dina möten i dag")
        self.photograph(self.elin, "desk-empty")
        self.told("Elin signs in at the desk with a security key")

    def book(self) -> None:
        """Book the mortgage meeting for now, with Samir as observer."""
        page = self.elin.page
        self._before = {each: len(self._messages(each)) for each in (MAJA["mailbox"], SAMIR["mailbox"])}
        page.goto(f"{self.world.bank}/desk/book")
        page.get_by_role("radio", name=re.compile("Bolån")).check()
        page.get_by_role("combobox", name="Kund").press_sequentially("Maja")
        page.get_by_role("option", name=re.compile("Maja Granlid")).click()
        page.get_by_label("Syfte, står i inbjudan").fill("Utöka bolånet för renovering")
        page.get_by_role("button", name="Lägg till", exact=True).click()
        page.get_by_label("Namn").fill(SAMIR["name"])
        page.get_by_label("E-post, dit går länken").fill(SAMIR["mailbox"])
        page.get_by_label("Mobil, dit går en kod").fill("+46701740606")
        page.get_by_label("Personnummer").fill(SAMIR["id"])
        page.get_by_role("button", name="Lägg till gästen").click()
        self.photograph(self.elin, "book")
        page.get_by_role("button", name="Boka och skicka inbjudan").click()
        page.wait_for_url(re.compile(r"/desk/meetings/m_"))
        self.meeting = re.search(r"m_[a-z0-9]+", page.url)[0]  # type: ignore[index]
        self.photograph(self.elin, "booked")
        self.told("Elin books a mortgage meeting with Maja, and Samir as observer")

    def arrive(self, person: Person, mailbox: str) -> None:
        """Read the invitation, open its link, get ready, accept how data is handled."""
        link = self.link_for(mailbox)
        page = person.page
        page.goto(link)
        page.wait_for_url(re.compile(r"/arrive"))
        # A browser that already trusts the page shows the picture by itself.
        expect(page.locator('#check [data-part="camera"]')).to_have_attribute("data-state", "ok")
        self.photograph(person, f"arrive-{self._name(person)}")
        page.get_by_role("checkbox").check()
        page.get_by_role("button", name=re.compile("Fortsätt")).click()
        page.wait_for_url(re.compile(r"/identify"))
        self.told(f"{self._name(person).capitalize()} opens the invitation and accepts how data is handled")

    def link_for(self, mailbox: str) -> str:
        """Wait for a message to this address and return the link in it."""
        for message in self._messages(mailbox, more_than=self._before[mailbox], wait_s=60):
            for link in message.get("links", []):
                if "/m/" in link:
                    return str(link)
        raise AssertionError(f"no invitation came to {mailbox}")

    def _messages(self, mailbox: str, *, more_than: int = 0, wait_s: int = 0) -> list[dict[str, Any]]:
        """Return the messages to this address, newest first; wait until there are more than that many."""
        asked = {"address": mailbox, "more_than": str(more_than), "wait": str(wait_s)}
        until = time.monotonic() + wait_s
        while True:  # the mailbox itself waits for half a minute at the most
            answer = requests.get(f"{self.world.mailbox}/api/messages", params=asked, timeout=wait_s + 10)
            messages = list(answer.json()["messages"])
            if len(messages) > more_than or time.monotonic() >= until:
                return messages

    def identify(self, person: Person, holder: str) -> None:
        """Show who one is with BankID: the demo phone scans the code on the page and confirms."""
        page = person.page
        self.photograph(person, f"identify-{self._name(person)}")
        self.approve_on_the_phone(page, holder)
        page.wait_for_url(re.compile(r"/lobby|/room"))
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        self.photograph(person, f"lobby-{self._name(person)}")
        self.told(f"{self._name(person).capitalize()} identifies with BankID and waits in the lobby")

    def approve_on_the_phone(self, page: Page, holder: str) -> None:
        """Play the demo phone for the order this page began."""
        show = page.get_by_role("button", name=re.compile("Visa koden|QR", re.IGNORECASE))
        expect(page.locator("#identify")).to_be_visible()
        before = {order["order"] for order in self.orders()}
        if page.locator("#identify").get_attribute("data-state") == "idle" and show.count() and show.first.is_visible():
            show.first.click()
        order = self._new_order(before)
        for act in ("pick", "approve"):
            said = {"order": order, "person": holder}
            requests.post(f"{self.world.phone}/phone/{act}", json=said, timeout=10).raise_for_status()

    def orders(self) -> list[dict[str, str]]:
        """Return the orders the demo phone knows, newest first."""
        return list(requests.get(f"{self.world.phone}/phone/orders", timeout=10).json()["orders"])

    def start_the_meeting(self) -> None:
        """The desk's session alone opens no call: a sign-in of its own comes first."""
        page = self.elin.page
        page.goto(f"{self.world.bank}/desk")
        self.photograph(self.elin, "desk-knock")
        page.goto(f"{self.world.bank}/desk/meetings/{self.meeting}")
        self.photograph(self.elin, "meeting")
        page.get_by_role("button", name="Starta mötet").click()
        self._at_identity_service(page, "Elin Sjöhage", "Lösenord och säkerhetsnyckel")
        page.wait_for_url(re.compile(r"/room$"))
        self.told("Elin passes the call's own check and opens the meeting")

    def admit(self, name: str) -> None:
        page = self.elin.page
        button = page.get_by_role("button", name=re.compile(f"Släpp in.*{name.split()[0]}"))
        if not button.count():
            page.get_by_role("button", name=re.compile("Mer")).click()
            page.get_by_role("menuitem", name=re.compile("Deltagare|Väntar|Lobby", re.IGNORECASE)).click()
        self.photograph(self.elin, f"room-lobby-{name.split()[0].lower()}")
        button.first.click()
        self.told(f"Elin sees {name.split()[0]}'s verified name and level, and opens the door")

    def see_each_other(self, one: Person, other: Person) -> None:
        """Wait until real decoded frames and sound of each are on the other's page."""
        for viewer, shown in ((one, other), (other, one)):
            tile = viewer.page.locator(f'[data-participant="{self.place_of(shown)}"]')
            expect(tile).to_be_visible(timeout=int(_MEDIA_S * 1000))
            viewer.page.wait_for_function(
                """([id]) => {
                    const tile = document.querySelector(`[data-participant="${id}"]`);
                    return tile && Number(tile.dataset.frames) > 30 && Number(tile.dataset.audioEnergy) > 0;
                }""",
                arg=[self.place_of(shown)],
                timeout=_MEDIA_S * 1000,
            )
        self.told(f"{self._name(one).capitalize()} and {self._name(other).capitalize()} see and hear each other")

    def write_in_the_chat(self, words: str) -> None:
        """Elin writes, Maja reads it on her page."""
        page = self.elin.page
        self.open_from_menu(page, "Chatt")
        page.get_by_role("textbox", name=re.compile("Skriv|Meddelande|Chatt", re.IGNORECASE)).fill(words)
        page.keyboard.press("Enter")
        self.open_from_menu(self.maja.page, "Chatt")
        expect(self.maja.page.get_by_text(words)).to_be_visible()
        self.photograph(self.elin, "room-chat")
        self.told("Elin writes in the chat, and Maja reads it")

    def calculate(self) -> None:
        """Elin works out the loan; Maja sees the same figures on her page."""
        elin, maja = self.elin.page, self.maja.page
        self.open_from_menu(elin, "Kalkyl")
        amount = elin.locator("#calc-amount")
        amount.fill("2270000")
        amount.press("Enter")
        expect(elin.locator("[data-panel=calculation]")).to_contain_text("Kalkyl 1 av Elin", timeout=_PANEL_MS)
        self.open_from_menu(maja, "Kalkyl")
        expect(maja.locator("[data-panel=calculation]")).to_contain_text("Kalkyl 1 av Elin", timeout=_PANEL_MS)
        self.photograph(self.elin, "room-figures")
        self.photograph(self.maja, "room-figures-maja")
        self.told("Elin works out the loan, and Maja sees the same figures")

    def show_a_document(self) -> None:
        """Elin brings the note, marks what matters and shows it; Maja's page follows hers."""
        elin, maja = self._documents(self.elin), self._documents(self.maja)
        note: FilePayload = {"name": NOTE_NAME, "mimeType": "application/pdf", "buffer": promissory_note()}
        elin.locator("input[type=file]").last.set_input_files(files=[note])
        self._sees(elin, 1)
        elin.get_by_text("Mer om dokumentet").click()
        elin.get_by_text("Märk en viktig punkt").click()
        elin.get_by_label("Punktens namn").fill(CLAUSE[0])
        elin.get_by_label("Ord där punkten börjar").fill(CLAUSE[1])
        elin.get_by_role("button", name="Märk", exact=True).click()
        elin.get_by_text("Mer om dokumentet").click()
        elin.get_by_role("button", name="Visa för alla").click()
        self._sees(maja, 1)
        elin.get_by_role("button", name="Nästa").click()
        self._sees(maja, 2)
        self.photograph(self.elin, "room-document")
        self.photograph(self.maja, "room-document-maja")
        self.told("Elin shows the promissory note, and Maja's page follows page by page")

    def read_what_matters(self) -> None:
        """Maja has the marked clause in view for long enough, and leafs through to the end."""
        maja = self._documents(self.maja)
        expect(maja.locator(".dr-marks li").first).to_have_attribute("data-state", "seen", timeout=_PANEL_MS)
        maja.get_by_role("button", name="Nästa").click()
        self._sees(maja, 3)
        self.told("Maja has read the clause that matters, and the last page")

    def sign(self) -> None:
        """Elin asks for a signature; Maja gives it with BankID, and her copy is sent."""
        elin, maja = self.elin.page, self.maja.page
        known = len(self._messages(MAJA["mailbox"]))
        self.open_from_menu(elin, "Skriv under")
        panel = elin.locator("[data-panel=signing]")
        panel.get_by_text("Be om underskrifter").click()
        panel.get_by_label("Vad det gäller").fill("Skuldebrev för utökat bolån")
        panel.get_by_role("checkbox", name=re.compile("Elin")).uncheck()
        panel.get_by_role("button", name="Skicka till parterna").click()
        hers = maja.locator("[data-panel=signing]")
        expect(hers).to_be_visible(timeout=_PANEL_MS)
        self.photograph(self.elin, "room-sign-asked")
        self.photograph(self.maja, "room-sign-maja")
        hers.get_by_role("button", name=re.compile("Skriv under: BankID")).click()
        other = hers.get_by_role("button", name="Visa kod att skanna")  # her BankID is on another telephone
        expect(other).to_be_visible(timeout=_PANEL_MS)
        before = {order["order"] for order in self.orders()}
        other.click()
        order = self._new_order(before)
        for act in ("pick", "approve"):
            said = {"order": order, "person": MAJA["phone"]}
            requests.post(f"{self.world.phone}/phone/{act}", json=said, timeout=10).raise_for_status()
        expect(hers.get_by_text(re.compile("^Klart\\. "))).to_be_visible(timeout=2 * _PANEL_MS)
        expect(panel.get_by_text(re.compile("^Klart\\. "))).to_be_visible(timeout=_PANEL_MS)
        self.photograph(self.maja, "room-signed-maja")
        self.copy = self._messages(MAJA["mailbox"], more_than=known, wait_s=120)[0]
        self.told("Maja signs the note with BankID; it is sealed, and her copy is sent")

    def _documents(self, person: Person) -> Locator:
        """Open the documents' panel, where it is not open, and return what the document room draws in it."""
        panel = person.page.locator("[data-panel=documents]")
        if not panel.is_visible():
            person.page.locator("[data-button=documents]").click()
        expect(panel).to_be_visible()
        return panel.locator("[data-plugin=document_room]")

    def _sees(self, panel: Locator, page: int) -> None:
        expect(panel.locator(".dr-count")).to_have_text(f"Sida {page} av 3", timeout=_PANEL_MS)
        expect(panel.locator(".dr-image")).to_be_visible(timeout=_PANEL_MS)

    def try_to_share_the_whole_screen(self) -> None:
        """Ask the server for what a page that was tampered with would ask: a whole screen. It says no."""
        answer = self.post(self.elin, "share", {"action": "start", "surface": "monitor"})
        assert answer["status"] == 403, answer
        self.told(f"Sharing the whole screen is refused: {answer['body']['sentence']}")

    def observer_tries_what_is_not_allowed(self) -> None:
        """Samir's browser asks for everything his part does not hold. The server refuses each by its rule."""
        maja = self.place_of(self.maja)
        tries: dict[str, dict[str, Any]] = {
            "share": {"action": "start", "surface": "window"},
            "admit": {"participant": maja},
            "deny": {"participant": maja},
            "expel": {"participant": maja},
            "mute": {"participant": maja, "kind": "audio"},
            "invite": {"name": "Someone", "capacity": "observer", "email": "someone@example.org"},
            "raise": {"target": "encryption:strict"},
            "record": {},
            "end": {},
        }
        for act, body in tries.items():
            answer = self.post(self.samir, act, body)
            assert answer["status"] == 403, (act, answer)
            assert answer["body"].get("rule"), (act, answer)
        for path in ("document_room/state", "calculation/calculations"):
            answer = self._fetch(self.samir, path)
            assert answer["status"] == 403, (path, answer)
        assert self._fetch(self.samir, "pades_signing/signings")["body"]["signings"] == []
        assert self.samir.page.locator("[data-plugin]").count() == 0
        self.told(f"Samir's browser tries {len(tries)} acts an observer may not do; the server refuses each")

    def finish(self) -> None:
        """End the meeting for everybody and read the journal."""
        page = self.elin.page
        self.open_from_menu(page, "Avsluta")
        self.photograph(self.elin, "room-end-asked")
        page.get_by_role("button", name="Avsluta för alla").click()
        page.wait_for_url(re.compile(r"/journal$"))
        self.maja.page.wait_for_url(re.compile(r"/left$"))
        self.samir.page.wait_for_url(re.compile(r"/left$"))
        page.get_by_role("button", name="Kontrollera nu").click()
        expect(page.get_by_text(re.compile("Filen är hel"))).to_be_visible()
        self.photograph(self.elin, "journal")
        self.photograph(self.maja, "left-maja")
        self.told("Elin ends the meeting; the journal tells what happened, and the evidence is whole")

    def evidence(self) -> Path:
        """Download the meeting's evidence file from its journal and return where it lies."""
        page = self.elin.page
        page.goto(f"{self.world.bank}/desk/meetings/{self.meeting}/journal")
        with page.expect_download() as download:
            page.get_by_role("link", name="Hämta bevisfil").click()
        path = self.pictures / f"{self.meeting}.evidence.json"
        download.value.save_as(path)
        self.told("The evidence file is downloaded")
        return path

    def open_from_menu(self, page: Page, name: str) -> None:
        page.locator("#more").click()
        page.get_by_role("menuitem", name=re.compile(name)).first.click()

    def post(self, person: Person, act: str, body: dict[str, Any]) -> dict[str, Any]:
        """Send an act from this person's own browser, with its cookies, past every button of the page."""
        found: dict[str, Any] = person.page.evaluate(
            """async ([url, body]) => {
                const csrf = document.querySelector('meta[name="csrf"]').content;
                const headers = {"Content-Type": "application/json", "X-Tillit-CSRF": csrf};
                const answer = await fetch(url, {method: "POST", headers, body: JSON.stringify(body)});
                return {status: answer.status, body: await answer.json().catch(() => ({}))};
            }""",
            [f"/v/{self.place_of(person)}/room/{act}", body],
        )
        return found

    def _fetch(self, person: Person, path: str) -> dict[str, Any]:
        """Ask a plugin's route from this person's own browser."""
        found: dict[str, Any] = person.page.evaluate(
            """async (url) => {
                const answer = await fetch(url, {headers: {Accept: "application/json"}});
                return {status: answer.status, body: await answer.json().catch(() => ({}))};
            }""",
            f"/v/{self.place_of(person)}/x/{path}",
        )
        return found

    def place_of(self, person: Person) -> str:
        """Return the participant id in the address of this person's room."""
        found = re.search(r"/v/(p_[a-z0-9]+)/", person.page.url)
        assert found is not None, person.page.url
        return found[1]

    def _at_identity_service(self, page: Page, who: str, how: str) -> None:
        page.get_by_label(re.compile(who)).check()
        page.get_by_label(re.compile(how)).check()
        page.get_by_role("button", name="Logga in").click()

    def _new_order(self, before: set[str]) -> str:
        for _ in range(100):
            fresh = [order for order in self.orders() if order["order"] not in before]
            if fresh:
                return fresh[0]["order"]
            self.elin.page.wait_for_timeout(100)  # the stand-in has no event for "an order was begun"
        raise AssertionError("the page began no BankID order")

    def _name(self, person: Person) -> str:
        return {id(self.elin): "elin", id(self.maja): "maja", id(self.samir): "samir"}.get(id(person), "someone")
