"""How times, amounts and levels are said, in the reader's language and the bank's time zone."""

from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from babel.dates import format_datetime

Words = Callable[..., str]

# As on the product's own pages: a full stop between hours and minutes where the language's authority has one.
_CLOCK = {"sv": "HH.mm", "nb": "HH.mm", "da": "HH.mm", "fi": "H.mm"}


@lru_cache(maxsize=4096)
def moment(at: datetime, *, language: str, zone: str) -> str:
    """Return a moment in full: date, time to the second, and how far from UTC."""
    local = at.astimezone(ZoneInfo(zone))
    said = format_datetime(local, "d MMMM y HH:mm:ss", locale=language)
    offset = local.strftime("%z")
    return f"{said} (UTC{offset[:3]}:{offset[3:]})"


@lru_cache(maxsize=4096)
def until(at: datetime, *, language: str, zone: str) -> str:
    """Return a moment as people say one: the day and the minute, where the room's other times are."""
    local = at.astimezone(ZoneInfo(zone))
    return format_datetime(local, f"d MMMM y, {_CLOCK.get(language, 'HH:mm')}", locale=language)


def level(loa: int, t: Words) -> str:
    return t(f"pades_signing.level.{max(0, min(3, loa))}")
