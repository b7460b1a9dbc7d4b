"""Signed on the phone that holds the app: the way out, the way back, and everything that can go wrong between."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, Page, expect

from sidecar.testing import MAJA, Browser
from tillit_bankid.client import BankIdClient

BASE = "x/pades_signing/signings"


def leaves_for_the_app(room: Any, maja: Browser, signing: str, *, act: str = "approve") -> str:
    """Start on this device, and do in the app what a person does; return the address the app comes back to."""
    begun = maja.post(f"{BASE}/{signing}/start", {"method": "bankid", "same_device": True}).get_json()
    assert begun["status"] == "pending", begun
    token = parse_qs(urlsplit(begun["view"]["launch_url"]).query)["autostarttoken"][0]
    order = room.bankid.phone("open", autoStartToken=token, person=MAJA.key)["order"]
    room.bankid.phone(act, order=order, **({"person": MAJA.key} if act == "approve" else {}))
    room.later(2)
    state = room.core.records().get("try", f"{signing}.p1").body["state"]
    return f"/v/{maja.place}/{BASE}/{signing}/back?nonce={state['nonce']}"


def nonce_of(address: str) -> str:
    return parse_qs(urlsplit(address).query)["nonce"][0]


@pytest.mark.requirement("R205")
def test_nothing_is_signed_before_the_app_came_back_and_the_way_back_counts_once(room: Any, maja: Browser) -> None:
    signing = room.opens(maja)
    address = leaves_for_the_app(room, maja, signing)
    for answer in (maja.post(f"{BASE}/{signing}/poll"), maja.post(f"{BASE}/{signing}/answer", {"nonce": "guessed"})):
        assert answer.get_json()["status"] == "pending"
    assert room.adviser.post(f"{BASE}/{signing}/answer", {"nonce": nonce_of(address)}).status_code == 404
    assert room.product.browser().get(address).status_code == 404
    assert room.show(maja, signing)["state"] == "open"

    assert maja.get(address).status_code == 200  # the page alone signs nothing: its script hands the nonce over
    assert room.show(maja, signing)["state"] == "open"
    back = maja.post(f"{BASE}/{signing}/answer", {"nonce": nonce_of(address)}).get_json()
    assert (back["status"], back["signing"]["state"]) == ("complete", "sealed")
    for _ in range(2):  # the link lies in the browser's history
        again = maja.post(f"{BASE}/{signing}/answer", {"nonce": nonce_of(address)}).get_json()
        assert (again["status"], again["signing"]["me"]["held_back"]) == ("failed", "already_signed")
    room.later(3)
    for _ in range(2):  # the time-stamp, then the copies of the file that has it
        room.product.worker()
    kinds = room.product.kinds(room.meeting)
    assert [kinds.count(f"pades_signing.{each}") for each in ("signed", "sealed")] == [1, 1]
    assert len(room.product.channels["inbox"].sent) == 1


@pytest.mark.requirement("R205")
@pytest.mark.parametrize("first", ["poll", "answer"])
def test_waiting_page_and_way_back_that_ask_at_once_lose_nothing_of_each_other(
    room: Any, maja: Browser, monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    signing = room.opens(maja)
    nonce = nonce_of(leaves_for_the_app(room, maja, signing))
    asks = {
        "poll": lambda: maja.post(f"{BASE}/{signing}/poll"),
        "answer": lambda: maja.post(f"{BASE}/{signing}/answer", {"nonce": nonce}),
    }
    second: list[str] = []
    collect = BankIdClient.collect

    def collected(self: BankIdClient, order: str) -> Any:
        """BankID has answered the first, which still has it to keep, when the second comes."""
        monkeypatch.setattr(BankIdClient, "collect", collect)
        found = collect(self, order)
        with ThreadPoolExecutor(1) as elsewhere:
            other = asks["answer" if first == "poll" else "poll"]
            second.append(elsewhere.submit(other).result().get_json()["status"])
        return found

    monkeypatch.setattr(BankIdClient, "collect", collected)

    answered = asks[first]().get_json()["status"]

    assert (answered, second) == ("pending" if first == "poll" else "complete", ["pending"])
    asks["poll"]()
    assert room.show(maja, signing)["state"] == "sealed"


@pytest.mark.e2e
@pytest.mark.timeout(400)
@pytest.mark.requirement("R079", "R057")
def test_the_page_one_comes_back_to_says_how_it_went_whatever_happened_on_the_way(
    room: Any, maja: Browser, browse: Callable[[Browser], BrowserContext], tmp_path: Path
) -> None:
    page = browse(maja).new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))

    signed = room.opens(maja)
    address = leaves_for_the_app(room, maja, signed)  # no page polls: the browser was closed meanwhile
    page.goto(address)
    says(page, "Klart. Du kan stänga den här sidan och gå tillbaka till mötet.")
    picture(page, "done", tmp_path)
    assert "nonce" not in page.url
    page.reload()
    says(page, "Klart. Du kan stänga")
    page.goto(address)  # out of the browser's history
    says(page, "Klart. Du kan stänga")
    assert Axe().run(page).response["violations"] == []

    refused = room.opens(maja)
    page.goto(leaves_for_the_app(room, maja, refused, act="cancel"))
    says(page, "Det blev ingen underskrift. Inget har hänt.")
    picture(page, "cancelled", tmp_path)

    withdrawn = room.opens(maja)
    address = leaves_for_the_app(room, maja, withdrawn)
    assert room.adviser.post(f"{BASE}/{withdrawn}/withdraw").status_code == 200
    page.goto(address)
    says(page, "Det blev ingen underskrift.")

    late = room.opens(maja, deadline=room.product.clock.now + timedelta(minutes=2))
    address = leaves_for_the_app(room, maja, late)
    room.later(180)
    page.goto(address)
    says(page, "Det blev ingen underskrift.")
    assert room.product.kinds(room.meeting).count("pades_signing.signed") == 1
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert complaints == []


def says(page: Page, words: str) -> None:
    expect(page.locator("#back [data-part]:visible")).to_contain_text(words, timeout=30_000)


def picture(page: Page, name: str, tmp_path: Path) -> None:
    folder = Path(os.environ.get("SCREENSHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=folder / f"signing-back-{name}.png")
