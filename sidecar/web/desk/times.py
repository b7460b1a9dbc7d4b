"""When an adviser is free: starts on a fixed grid, in working hours, clear of other meetings."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from flask import Response, g, jsonify, request

from sidecar.domain.errors import InvalidInputError
from sidecar.domain.meetings import MeetingState
from sidecar.domain.opening_hours import OpeningHours
from sidecar.web.access import access
from sidecar.web.desk.blueprint import capital, day_of, desk, moment_of
from sidecar.web.guard import services, staff, translator

DAYS_AHEAD = 14
_ORDINARY_MINUTES = 45
_GRID = timedelta(minutes=45)
_WORKS_FROM, _WORKS_TO = timedelta(hours=8), timedelta(hours=18)
_SATURDAY = 5  # at weekends only where the bank itself is open
_MINUTES = range(5, 8 * 60 + 1)

Span = tuple[datetime, datetime]


@desk.get("/times")
@access("staff")
def times() -> Response:
    """Return one day's free times, {times: [{value, label}], next: the next day with any}.

    day: YYYY-MM-DD. minutes: the meeting's length. moving: a meeting that gives its own time free.
    """
    product = services()
    product.staff.require(staff(), "book")
    day = moment_of(request.args.get("day", ""), field="day")
    length = _length(request.args.get("minutes", str(_ORDINARY_MINUTES)))
    moving = request.args.get("moving", "")
    found = free_times(day, length, moving=moving)
    return jsonify(times=found, next=None if found else _next_free_day(day, length, moving))


def free_times(day: datetime, length: timedelta, *, moving: str = "") -> list[dict[str, str]]:
    """Return the signed-in adviser's free times on a day, "now" first while the bank is open."""
    product, t = services(), translator()
    now = product.clock()
    start, end = day_of(day)
    hours = product.hours(g.brand.id)
    taken = _taken(start, end, moving)
    found = []
    if start <= now < end and hours.is_open(now) and not _meets(taken, now, now + length):
        found.append({"value": now.isoformat(timespec="seconds"), "label": t("desk.book.now")})
    # An adviser who books in the evening means this evening; no other day offers one unasked.
    evening = hours if start <= now < end and now >= start + _WORKS_TO - _GRID else None
    slots = [
        each
        for each in grid(start, end, evening)
        if each > now and not _meets(taken, each, each + length) and (each.weekday() < _SATURDAY or hours.is_open(each))
    ]
    return found + [{"value": each.isoformat(), "label": t.clock(each)} for each in slots]


def grid(start: datetime, end: datetime, evening: OpeningHours | None = None) -> Iterator[datetime]:
    """Yield the starts of a day between two midnights: working hours, and the hours given for its evening."""
    slot = start + _WORKS_FROM
    while slot < end:
        if slot < start + _WORKS_TO or (evening is not None and evening.is_open(slot)):
            yield slot
        slot += _GRID


def days_ahead(now: datetime) -> list[dict[str, str]]:
    """Return the days one can book, [{value: YYYY-MM-DD, label}]."""
    start, _ = day_of(now)
    days = [start + timedelta(days=number) for number in range(DAYS_AHEAD)]
    return [{"value": day.date().isoformat(), "label": capital(translator().day(day))} for day in days]


def first_free(now: datetime, length: timedelta) -> tuple[str, list[dict[str, str]]]:
    """Return the first day with a free time, YYYY-MM-DD, and its times; today and none where all are taken."""
    today = day_of(now)[0]
    for number in range(DAYS_AHEAD):
        day = today + timedelta(days=number)
        if found := free_times(day, length):
            return day.date().isoformat(), found
    return today.date().isoformat(), []


def _next_free_day(day: datetime, length: timedelta, moving: str) -> dict[str, str] | None:
    start, _ = day_of(day)
    last = day_of(services().clock())[0] + timedelta(days=DAYS_AHEAD)
    following = start + timedelta(days=1)
    while following < last:
        if free_times(following, length, moving=moving):
            return {"value": following.date().isoformat(), "label": translator().day(following)}
        following += timedelta(days=1)
    return None


def _taken(start: datetime, end: datetime, moving: str) -> list[Span]:
    return [
        (each.starts_at, each.ends_at)
        for each in services().meetings.between(start, end, adviser=staff().id)
        if each.state in (MeetingState.BOOKED, MeetingState.OPEN) and each.id != moving
    ]


def _meets(taken: Iterable[Span], begin: datetime, stop: datetime) -> bool:
    return any(other_begin < stop and begin < other_stop for other_begin, other_stop in taken)


def _length(text: str) -> timedelta:
    if not text.isascii() or not text.isdigit() or int(text) not in _MINUTES:
        raise InvalidInputError("The length is a whole number of minutes.", field="minutes")
    return timedelta(minutes=int(text))
