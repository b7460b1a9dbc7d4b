"""What the journeys ask again and again."""

from typing import Any

from werkzeug.test import TestResponse

from sidecar.domain.meetings import Meeting, ParticipantState
from sidecar.domain.permissions import Capacity
from sidecar.testing import Browser

START = {"method": "bankid", "same_device": False}


def meeting_of(browser: Browser) -> Meeting:
    return browser.product.meeting(browser.product.place(browser.place).meeting)


def state_of(browser: Browser) -> ParticipantState:
    return browser.product.place(browser.place).state


def rule(answer: TestResponse) -> str:
    assert answer.status_code == 403, answer.text
    return str(answer.get_json()["rule"])


def enters(host: Browser, meeting: Meeting, capacity: Capacity, who: Any) -> Browser:
    """Let somebody in who was booked, and return their browser. host: of the adviser, in the room."""
    browser = host.product.arrives(host.product.place_of(meeting, capacity)).waits(who)
    assert host.post("room/admit", {"participant": browser.place}).status_code == 200
    assert browser.joins().status_code == 200
    return browser
