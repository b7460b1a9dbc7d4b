"""The invitation's calendar file: one event that calendars take, and no line that somebody else wrote."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from sidecar.domain.calendar_file import calendar_file

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def made(**changed: Any) -> bytes:
    facts: dict[str, Any] = {
        "uid": "m_one@exempelbanken",
        "starts_at": NOON,
        "ends_at": NOON + timedelta(minutes=45),
        "now": NOON - timedelta(days=1),
        "title": "Exempelbanken: videomöte",
        "description": "Hej Maja",
        "organizer": "Exempelbanken",
    }
    return calendar_file(**(facts | changed))


def lines(data: bytes) -> list[str]:
    """Return the content lines with their folds undone (RFC 5545 section 3.1)."""
    assert data.endswith(b"\r\n")
    return data.decode().replace("\r\n ", "").removesuffix("\r\n").split("\r\n")


def value(data: bytes, name: str) -> str:
    [found] = [line.partition(":")[2] for line in lines(data) if line.startswith(f"{name}:")]
    return found


@pytest.mark.requirement("R058", "R064")
def test_the_event_says_when_in_utc_whatever_the_zone() -> None:
    here = timezone(timedelta(hours=1))
    data = made(starts_at=NOON.astimezone(here), ends_at=(NOON + timedelta(hours=1)).astimezone(here))

    assert value(data, "DTSTART") == "20261124T120000Z"
    assert value(data, "DTEND") == "20261124T130000Z"
    assert value(data, "DTSTAMP") == "20261123T120000Z"
    assert value(data, "UID") == "m_one@exempelbanken"
    assert value(data, "METHOD") == "PUBLISH"
    assert value(data, "STATUS") == "CONFIRMED"


def test_a_cancelled_meeting_takes_its_event_away() -> None:
    data = made(cancelled=True, sequence=3)

    assert (value(data, "METHOD"), value(data, "STATUS"), value(data, "SEQUENCE")) == ("CANCEL", "CANCELLED", "3")


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"])
def test_words_cannot_add_a_line_of_their_own(end: str) -> None:
    """Purpose and names come from people; a line of theirs could add an alarm, an attachment, another event."""
    hostile = f"Hej{end}END:VEVENT{end}BEGIN:VALARM{end}ATTACH:https://evil.example"
    data = made(description=hostile, title=hostile, organizer=hostile)

    assert [line for line in lines(data) if line.startswith("BEGIN:")] == ["BEGIN:VCALENDAR", "BEGIN:VEVENT"]
    assert not any(line.startswith("ATTACH") for line in lines(data))
    assert value(data, "SUMMARY") == "Hej\\nEND:VEVENT\\nBEGIN:VALARM\\nATTACH:https://evil.example"


def test_signs_with_a_meaning_are_escaped() -> None:
    assert value(made(title="a, b; c \\ d"), "SUMMARY") == "a\\, b\\; c \\\\ d"


@pytest.mark.parametrize("text", ["å" * 300, "x" * 300, "𝄞" * 100, "a" + "ö" * 200])
def test_long_lines_are_folded_at_75_octets_and_never_inside_a_sign(text: str) -> None:
    data = made(description=text)

    for line in data.split(b"\r\n"):
        assert len(line) <= 75
        line.decode()
    assert value(data, "DESCRIPTION") == text
