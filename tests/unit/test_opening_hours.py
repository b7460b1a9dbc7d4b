"""Opening hours: by the bank's own clock, also on the two days a year when that clock is moved."""

from datetime import UTC, datetime

import pytest

from sidecar.domain.opening_hours import WEEKDAYS, OpeningHours, read_opening_hours

ZONE = "Europe/Stockholm"
HOURS = read_opening_hours({"tuesday": "08:00-20:00", "sunday": "00:00-24:00"}, zone=ZONE)

ROUND_THE_CLOCK = dict.fromkeys(WEEKDAYS, "00:00-24:00")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.requirement("R040")
@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        ("2026-11-24 06:59:59", False),
        ("2026-11-24 07:00", True),  # 08:00 in Stockholm
        ("2026-11-24 18:59:59", True),
        ("2026-11-24 19:00", False),  # the last minute is not part of it
        ("2026-11-25 12:00", False),  # a Wednesday: nobody set hours
        ("2026-07-07 06:00", True),  # summer: 08:00 there is 06:00 here
        ("2026-07-07 05:59", False),
        ("2026-11-28 23:00", True),  # Sunday has begun in Stockholm
        ("2026-11-29 22:59", True),
        ("2026-11-29 23:00", False),
    ],
)
def test_it_is_open_by_the_banks_own_clock(moment: str, is_open: bool) -> None:
    assert HOURS.is_open(at(moment)) is is_open
    assert (HOURS.closes_at(at(moment)) is not None) is is_open


@pytest.mark.requirement("R040")
def test_it_says_until_when_and_from_when() -> None:
    assert HOURS.closes_at(at("2026-11-24 12:00")) == at("2026-11-24 19:00")
    assert HOURS.opens_next(at("2026-11-24 06:00")) == at("2026-11-24 07:00"), "today still counts"
    assert HOURS.opens_next(at("2026-11-24 12:00")) == at("2026-11-28 23:00"), "while it is open: the next time"
    assert HOURS.opens_next(at("2026-11-29 12:00")) == at("2026-12-01 07:00")


@pytest.mark.parametrize(
    ("moment", "closes"),
    [
        ("2026-03-29 12:00", "2026-03-29 22:00"),  # the clock goes forward: the day has 23 hours
        ("2026-10-25 12:00", "2026-10-25 23:00"),  # and back: 25
    ],
)
def test_the_days_when_the_clock_is_moved_end_at_their_own_midnight(moment: str, closes: str) -> None:
    assert HOURS.closes_at(at(moment)) == at(closes)


def test_without_hours_it_is_never_open_and_never_opens() -> None:
    never = read_opening_hours({}, zone=ZONE)

    assert not never.is_open(at("2026-11-24 12:00"))
    assert never.opens_next(at("2026-11-24 12:00")) is None


@pytest.mark.parametrize(
    "table",
    [
        {"tisdag": "08:00-20:00"},
        {"tuesday": "8-20"},
        {"tuesday": "20:00-08:00"},
        {"tuesday": "08:00-08:00"},
        {"tuesday": "08:00-24:30"},
        {"tuesday": "25:00-26:00"},
        {"tuesday": "08:60-20:00"},
        {"tuesday": ""},
        {"tuesday": "08:00-20:00 or so"},
    ],
)
def test_hours_that_cannot_be_are_refused_with_their_day(table: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=next(iter(table))):
        read_opening_hours(table, zone=ZONE)


@pytest.mark.parametrize("written", ["08:00-20:00", "08.00-20.00", " 08:00 - 20:00 "])
def test_hours_may_be_written_as_people_write_them(written: str) -> None:
    assert read_opening_hours({"monday": written}, zone=ZONE).spans == {"monday": (480, 1200)}
    assert isinstance(read_opening_hours({"monday": written}, zone=ZONE), OpeningHours)


def test_round_the_clock_is_every_minute_of_every_day() -> None:
    assert read_opening_hours(ROUND_THE_CLOCK, zone=ZONE).is_always
    assert not read_opening_hours(ROUND_THE_CLOCK | {"sunday": "00:00-23:59"}, zone=ZONE).is_always
    assert not HOURS.is_always
