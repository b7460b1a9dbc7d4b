"""When the video service is open: by weekday, in the bank's own time zone, as long as the bank likes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_DAY = 24 * 60  # minutes
_SPAN = re.compile(r"([01]\d|2[0-4])[:.]([0-5]\d)\s*-\s*([01]\d|2[0-4])[:.]([0-5]\d)\Z")


@dataclass(frozen=True)
class OpeningHours:
    """Open spans by weekday, (from, to) as local minutes after midnight; no span means closed that day."""

    spans: Mapping[str, tuple[int, int]]
    zone: ZoneInfo

    def is_open(self, now: datetime) -> bool:
        return self.closes_at(now) is not None

    @property
    def is_always(self) -> bool:
        """True when no day has an end: round the clock, all week."""
        return all(self.spans.get(day) == (0, _DAY) for day in WEEKDAYS)

    def closes_at(self, now: datetime) -> datetime | None:
        """Return when today's span ends, or None when it is closed now."""
        local = now.astimezone(self.zone)
        span = self.spans.get(WEEKDAYS[local.weekday()])
        minute = local.hour * 60 + local.minute
        if span is None or not span[0] <= minute < span[1]:
            return None
        return self._at(local, span[1])

    def opens_next(self, now: datetime) -> datetime | None:
        """Return the next opening, today's included when it is still to come; None when never open."""
        local = now.astimezone(self.zone)
        for days in range(8):
            day = local + timedelta(days=days)
            span = self.spans.get(WEEKDAYS[day.weekday()])
            if span is not None and (opens := self._at(day, span[0])) > now:
                return opens
        return None

    def _at(self, day: datetime, minute: int) -> datetime:
        midnight = datetime.combine(day.date(), time(0), tzinfo=self.zone)
        return midnight + timedelta(minutes=minute)


def read_opening_hours(table: Mapping[str, str], *, zone: str) -> OpeningHours:
    """Return the hours of a table such as {"monday": "08:00-20:00"}. Raises ValueError naming the day."""
    spans = {}
    for day, text in table.items():
        if day not in WEEKDAYS:
            raise ValueError(f"{day!r} is not a weekday in English")
        match = _SPAN.match(text.strip())
        if match is None:
            raise ValueError(f"{day}: write the hours like 08:00-20:00, not {text!r}")
        start, end = (int(h) * 60 + int(m) for h, m in (match.group(1, 2), match.group(3, 4)))
        if not start < end <= _DAY:
            raise ValueError(f"{day}: the hours end before they begin")
        spans[day] = (start, end)
    return OpeningHours(spans, ZoneInfo(zone))
