"""What every page of the desk shares: the blueprint, its language, the frame's context, whose meeting it is."""

from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_datetime
from flask import Blueprint, g

from sidecar.adapters.i18n import Translator
from sidecar.domain.errors import InvalidInputError, NotFoundError
from sidecar.domain.ids import MeetingId
from sidecar.domain.meetings import Meeting
from sidecar.domain.policy import duration_text
from sidecar.web.guard import services, sessions, staff, translator
from sidecar.web.room_state import region_name

STAFF_LANGUAGES = {"sv": "Svenska", "en": "English"}  # staff pages exist in these; others read English
_RIGHTS = ("book", "edit_messages", "read_rules", "read_all_journals", "take_on_demand", "play_recordings")
_EARLIEST_YEAR, _LATEST_YEAR = 2000, 2200  # beyond these a change of time zone leaves the calendar


def prepare(blueprint: Blueprint) -> Blueprint:
    """Give a blueprint the desk's language and the context of staff/base.html."""
    blueprint.before_request(_speak)
    blueprint.context_processor(_context)
    return blueprint


def own_meeting(mid: str) -> Meeting:
    """Return one of the reader's own meetings; a colleague's needs the right to all journals."""
    product, me = services(), staff()
    meeting = product.meetings.get(MeetingId(mid))
    if meeting.adviser != me.id and not product.staff.may(me, "read_all_journals"):
        raise NotFoundError("There is no such meeting, or it is a colleague's.")
    return meeting


def my_meeting(mid: str) -> Meeting:
    """Return a meeting to change: one's own. Reading a colleague's journal gives no right to change the meeting."""
    meeting = own_meeting(mid)
    if meeting.adviser != staff().id:
        raise NotFoundError("There is no such meeting, or it is a colleague's.")
    return meeting


def day_of(moment: datetime) -> tuple[datetime, datetime]:
    """Return the brand's midnight before a moment and the one after it."""
    local = moment.astimezone(ZoneInfo(g.brand.time_zone))
    start = local.replace(hour=0, minute=0, second=0, microsecond=0)
    return start, start + timedelta(days=1)


def moment_of(text: str, *, field: str) -> datetime:
    """Return the time a form sent; without an offset it is the clock on the brand's wall."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidInputError("This is not a time.", field=field, reason="unreadable") from error
    if not _EARLIEST_YEAR <= moment.year <= _LATEST_YEAR:
        raise InvalidInputError("This time lies too far away.", field=field, reason="far")
    return moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(g.brand.time_zone))


def date_text(day: date, *, weekday: bool = False) -> str:
    """Return a calendar day in words: 15 januari 2027, with its weekday first where asked for."""
    noon = datetime.combine(day, time(12), tzinfo=ZoneInfo(g.brand.time_zone))
    t = translator()
    return capital(t.date(noon)) if weekday else t.short_date(noon)


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _speak() -> None:
    if g.language not in STAFF_LANGUAGES:
        g.language = "en"
        g.translator = Translator("en", services().catalogue, zone=g.brand.time_zone)


def _context() -> dict[str, Any]:
    """Return what staff/base.html documents; nothing for a page that is shown before anybody signed in."""
    if "staff" not in g:
        return {}
    me, product, t = staff(), services(), translator()
    return {
        "me": me,
        "csrf": sessions().staff()["csrf"],
        "may": {right: product.staff.may(me, right) for right in _RIGHTS},
        "now": product.clock(),
        "staff_languages": [
            {"code": code, "name": name, "url": f"?lang={code}"}
            for code, name in STAFF_LANGUAGES.items()
            if code != g.language
        ],
        "brief_date": lambda moment: format_datetime(moment, "d MMM", tzinfo=t.zone, locale=t.locale),
        "full_date": lambda moment: capital(t.date(moment)),
        "date_text": date_text,
        "region": region_name,
        "kept_for": lambda days: duration_text(product.policy.sentences, days, g.language),
    }


desk = prepare(Blueprint("desk", __name__, url_prefix="/desk"))
