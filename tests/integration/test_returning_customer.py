"""Somebody who comes back finds the first step ticked, where the words they said yes to are the same (R016, R065)."""

import re

import pytest

from sidecar.domain.ids import PersonId
from sidecar.domain.meetings import Meeting
from sidecar.domain.permissions import Capacity
from sidecar.testing import MAJA, TURE, Browser, Product
from sidecar.web.customer import door
from tests.integration.journey_steps import START, rule


def comes(product: Product, *, customer: PersonId | None = None, type_name: str = "mortgage") -> Browser:
    """Return the browser of a customer who opened a new invitation, and said nothing yet."""
    meeting = product.book(type_name=type_name, customer=customer or product.customer())
    return product.arrives(product.place_of(meeting, Capacity.CUSTOMER), consents=False)


def has_met(product: Product, *, type_name: str = "mortgage") -> Meeting:
    """Let Maja say yes and show who she is for a meeting of this type."""
    maja = comes(product, type_name=type_name)
    assert maja.post("consent", {"version": "1"}).status_code == 200
    maja.waits(MAJA)
    return product.meeting(product.place(maja.place).meeting)


def first_step(browser: Browser, query: str = "") -> tuple[bool, bool, str]:
    """Return whether the first step is ticked, whether the box is, and what is said of the text."""
    page = browser.get(f"arrive{query}").text
    [box] = re.findall(r"<input[^>]*id=\"consent-input\"[^>]*>", page)
    said = [words for words in ("oförändrad sedan sist", "har ändrats sedan sist") if words in page]
    return '<li class="now done" aria-current="step">' in page, " checked" in box, "".join(said)


@pytest.mark.requirement("R016", "R065")
def test_whoever_comes_back_finds_the_step_ticked_and_still_says_yes_to_this_meeting(product: Product) -> None:
    assert first_step(comes(product)) == (False, False, "")
    has_met(product)

    maja = comes(product)
    assert first_step(maja) == (True, True, "oförändrad sedan sist")
    assert rule(maja.post("sign-in/start", START)) == "default/consent-first"
    assert maja.get("identify").headers["Location"].endswith("/arrive")
    assert maja.post("consent", {"version": "1"}).status_code == 200
    maja.waits(MAJA)
    assert product.kinds(product.meeting(product.place(maja.place).meeting)).count("consent.given") == 1
    assert first_step(maja) == (True, True, ""), "this meeting's own yes needs no remark"


@pytest.mark.requirement("R016", "R065")
def test_only_the_very_same_words_are_ticked(product: Product) -> None:
    """Another type keeps other things for another time: its text is another, though its version is the same."""
    has_met(product)

    assert first_step(comes(product, type_name="advice")) == (False, False, "")
    assert first_step(comes(product), "?lang=en")[:2] == (False, False)
    has_met(product, type_name="advice")
    assert first_step(comes(product, type_name="advice")) == (True, True, "oförändrad sedan sist")
    assert first_step(comes(product))[:2] == (True, True), "and the other text is not forgotten"


@pytest.mark.requirement("R065")
def test_a_text_that_was_changed_since_is_said_to_be_and_not_ticked(
    product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    has_met(product)
    monkeypatch.setattr(door, "NOTICE_VERSION", "2")
    monkeypatch.setattr(door, "notice", lambda *args, **facts: {"digest": "of other words"})

    assert first_step(comes(product)) == (False, False, "har ändrats sedan sist")


@pytest.mark.requirement("R001", "R065")
def test_a_yes_of_whoever_holds_the_link_is_nobodys_until_they_show_who_they_are(product: Product) -> None:
    somebody = comes(product)
    assert somebody.post("consent", {"version": "1"}).status_code == 200
    somebody.identifies(TURE)  # refused: not the invited person

    assert first_step(comes(product)) == (False, False, "")
    assert first_step(comes(product, customer=product.customer(TURE))) == (False, False, "")


def test_whoever_called_without_a_booking_is_known_again_too(product: Product) -> None:
    product.customer(TURE)
    product.calls("onboarding").waits(TURE)

    booked = comes(product, customer=product.customer(TURE), type_name="onboarding")
    assert first_step(booked) == (True, True, "oförändrad sedan sist")
