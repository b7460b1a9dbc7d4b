"""A real product with the real plugins, a real BankID simulator and a real time-stamp authority for every test."""

import io
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from playwright.sync_api import BrowserContext, sync_playwright
from reportlab.pdfgen import canvas
from werkzeug.serving import make_server

from sidecar.domain.clock import utc_now
from sidecar.domain.meetings import Meeting
from sidecar.domain.permissions import Capacity
from sidecar.plugin_api import Core
from sidecar.testing import AGNES, ELIN, FRIDA, MAJA, SAMIR, YLVA, Browser, Clock, Invented, Product, guest
from sidecar.testing.far_ends import FakeCode
from sidecar.testing.pages import PATIENCE_MS
from simulators.bankid.remote import RemoteBankId
from simulators.common.running import running

DAY = timedelta(days=1)


def make_pdf(*pages: str) -> bytes:
    """Return a PDF with one line of text on each page."""
    buffer = io.BytesIO()
    paper = canvas.Canvas(buffer, invariant=1)
    for words in pages:
        paper.drawString(72, 720, words)
        paper.showPage()
    paper.save()
    return buffer.getvalue()


@pytest.fixture
def pdf() -> Callable[..., bytes]:
    return make_pdf


@dataclass
class Trust:
    """The trust service's simulator. directory: where its certificates lie. url: without a path."""

    directory: Path
    url: str

    def switch(self, **what: Any) -> None:
        answer = requests.post(f"{self.url}/control", json={"reset": True, **what}, timeout=30)
        assert answer.ok, answer.text

    def settings(self, **more: str) -> str:
        lines = {
            "seal_certificate": str(self.directory / "seal.pem"),
            "seal_key": str(self.directory / "seal-key.pem"),
            "roots": str(self.directory / "roots.pem"),
            "tsa_url": f"{self.url}/",
            **more,
        }
        crls = f'crls = ["{self.url}/crl/seal.crl", "{self.url}/crl/tsa.crl"]'
        return "\n".join(["[plugins.pades_signing]", *(f'{key} = "{value}"' for key, value in lines.items()), crls])


@pytest.fixture(scope="session")
def _trust(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trust]:
    directory = tmp_path_factory.mktemp("tsa")
    with running("simulators.tsa", "--dir", str(directory), "--port", "0") as started:
        yield Trust(directory, started.addresses["tsa"])


@pytest.fixture
def trust(_trust: Trust) -> Trust:
    """The trust service with nothing wrong."""
    _trust.switch()
    return _trust


@pytest.fixture(scope="session")
def _bankid(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RemoteBankId]:
    bankid = RemoteBankId.launch(tmp_path_factory.mktemp("bankid"))
    yield bankid
    bankid.stop()


@pytest.fixture
def bankid(_bankid: RemoteBankId) -> RemoteBankId:
    _bankid.phone("faults", reset=True)
    _bankid.phone("forget")
    return _bankid


class SigningRoom:
    """A running mortgage meeting with the adviser, Maja, and where a test asks for him Samir."""

    def __init__(self, product: Product, bankid: RemoteBankId, meeting: Meeting, adviser: Browser) -> None:
        self.product, self.bankid, self.meeting, self.adviser = product, bankid, meeting, adviser

    @property
    def core(self) -> Core:
        return self.product.services.plugin_work.core("pades_signing")

    def enter(self, who: Invented, capacity: Capacity = Capacity.CUSTOMER) -> Browser:
        """Let somebody in as BankID would: identified, admitted, in the room."""
        person = self.product.customer(who)
        places = self.product.services.meetings.participants(self.meeting.id)
        browser = self.product.arrives(next(each for each in places if each.person == person))
        assert self.product.place(browser.place).capacity is capacity
        step = browser.post("sign-in/start", {"method": "bankid", "same_device": False}).get_json()
        assert step["status"] == "pending", step
        self.answer(who)
        step = browser.post("sign-in/poll").get_json()
        assert step["status"] == "complete", step
        assert browser.get("lobby").status_code == 200
        admitted = self.adviser.post("room/admit", {"participant": browser.place})
        assert admitted.status_code == 200, admitted.text
        assert browser.joins().status_code == 200
        return browser

    def answer(self, who: Invented, act: str = "approve") -> None:
        """Let a person scan the newest code, read, and approve or cancel, two seconds later."""
        order = self.bankid.orders()[0]
        self.bankid.phone("scan", qr=order["qr"], person=who.key)
        self.bankid.phone("read", order=order["order"], person=who.key)
        if act == "approve":
            self.bankid.phone("approve", order=order["order"], person=who.key)
        else:
            self.bankid.phone("cancel", order=order["order"])
        self.later(2)

    def later(self, seconds: float) -> None:
        self.product.clock.on(seconds=seconds)
        self.bankid.phone("clock", seconds=seconds)

    def service(self) -> Any:
        return self.core.service("signing")

    def opens(self, *parties: Browser, **changed: Any) -> str:
        """Open a signing of one document by these places and return its id."""
        facts: dict[str, Any] = {
            "meeting": self.meeting.id,
            "brand": "exempelbanken",
            "language": "sv",
            "title": "Skuldebrev, utökat lån",
            "text": "Jag lånar 2 270 000 kr av banken.",
            "documents": [{"key": "note", "name": "Skuldebrev.pdf", "data": make_pdf("Skuldebrev", "6.1 Ränta")}],
            "parties": [
                {"key": f"p{number}", "participant": each.place} for number, each in enumerate(parties, start=1)
            ],
            "deadline": self.product.clock.now.replace(microsecond=0) + DAY,
            "by": "system",
            "reference": "",
        }
        return str(self.service().begin(**(facts | changed)))

    def signs(self, browser: Browser, signing: str, who: Invented) -> dict[str, Any]:
        """Sign with BankID from start to end; return the last answer."""
        begun = browser.post(f"x/pades_signing/signings/{signing}/start", {"method": "bankid"})
        assert begun.status_code == 200, begun.text
        assert begun.get_json()["status"] == "pending", begun.text
        self.answer(who)
        return self.poll(browser, signing)

    def poll(self, browser: Browser, signing: str) -> dict[str, Any]:
        answered = browser.post(f"x/pades_signing/signings/{signing}/poll")
        assert answered.status_code == 200, answered.text
        body: dict[str, Any] = answered.get_json()
        return body

    def show(self, browser: Browser, signing: str) -> dict[str, Any]:
        body: dict[str, Any] = browser.get(f"x/pades_signing/signings/{signing}").get_json()
        return body


@pytest.fixture
def make_room(tmp_path: Path, bankid: RemoteBankId, trust: Trust) -> Callable[..., SigningRoom]:
    """Return a function that books and opens a meeting. customer: with a company. changed: as Product.book takes it."""

    def make(
        *,
        plugins: tuple[str, ...] = ("bankid", "pades_signing"),
        settings: str = "",
        adviser: Invented = ELIN,
        customer: Invented | None = None,
        **changed: Any,
    ) -> SigningRoom:
        clock = Clock(utc_now().replace(microsecond=0))
        shift = clock.now.timestamp() - bankid.phone("clock", seconds=0, stands_still=True)["now"]
        bankid.phone("clock", seconds=shift)
        table = bankid.plugin_settings()
        lines = [f"{key} = {_toml(value)}" for key, value in table.items()]
        more = "\n".join(["[plugins.bankid]", *lines, settings or trust.settings()])
        product = Product(tmp_path, clock=clock, with_plugins=plugins, methods=(FakeCode(clock),), more=more)
        changed.setdefault("guests", [guest(SAMIR, Capacity.REPRESENTATIVE)] if changed.get("type_name") else [])
        if customer is not None:
            changed["customer"] = product.customer(customer, segment="corporate")
        meeting = product.book(adviser=adviser, **changed)
        return SigningRoom(product, bankid, meeting, product.opens(meeting, adviser))

    return make


@pytest.fixture
def company(make_room: Callable[..., SigningRoom]) -> SigningRoom:
    """Return a company's meeting with documents, where two must approve."""
    return make_room(
        plugins=("bankid", "pades_signing", "document_room"),
        type_name="corporate-fx",
        adviser=FRIDA,
        customer=AGNES,
        guests=[guest(YLVA, Capacity.CUSTOMER)],
    )


@pytest.fixture
def room(make_room: Callable[..., SigningRoom]) -> SigningRoom:
    return make_room()


@pytest.fixture
def maja(room: SigningRoom) -> Browser:
    return room.enter(MAJA)


def _toml(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)


# No media side answers here: what the panel does does not rest on it.
_NO_MEDIA = "RTCPeerConnection.prototype.setRemoteDescription = async () => {};"
_CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")


@pytest.fixture
def browse(room: SigningRoom) -> Iterator[Callable[[Browser], BrowserContext]]:
    """Return a function that gives a person's session to a real browser of theirs, as wide as a phone."""
    if not Path(_CHROMIUM).exists():
        pytest.skip("no Chromium on this machine")
    server = make_server("127.0.0.1", 0, room.product.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    with sync_playwright() as running:
        chromium = running.chromium.launch(
            executable_path=_CHROMIUM,
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--use-fake-device-for-media-stream",
                "--use-fake-ui-for-media-stream",
            ],
        )

        def give(who: Browser) -> BrowserContext:
            context = chromium.new_context(
                base_url=f"http://127.0.0.1:{server.server_port}",
                viewport={"width": 390, "height": 844},
                locale="sv-SE",
                reduced_motion="reduce",
            )
            kept = who.client._cookies.values()  # type: ignore[attr-defined]  # werkzeug keeps no other list
            context.add_cookies(
                [{"name": each.key, "value": each.value, "domain": "127.0.0.1", "path": "/"} for each in kept]
            )
            context.add_init_script(_NO_MEDIA)
            context.set_default_timeout(PATIENCE_MS)
            return context

        yield give
        chromium.close()
    server.shutdown()
    thread.join(5)
