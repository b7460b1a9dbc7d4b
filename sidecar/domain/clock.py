"""The only place that reads the clock. Everything else is given `now`."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    """Return the present moment, aware, in UTC."""
    return datetime.now(UTC)  # noqa: TID251


def to_text(moment: datetime) -> str:
    """Return an aware moment as RFC 3339 in UTC with milliseconds: 2026-11-24T13:00:00.000Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def from_text(text: str) -> datetime:
    """Return the aware UTC moment of an RFC 3339 text. Raises ValueError without an offset."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"a time needs its offset: {text!r}")
    return moment.astimezone(UTC)
