"""An invitation as an iCalendar file. Source: RFC 5545, RFC 5546 section 3.2 (METHOD PUBLISH and CANCEL)."""

from datetime import UTC, datetime

_LINE_BYTES = 75  # RFC 5545 section 3.1: longer content lines are folded


def calendar_file(
    *,
    uid: str,
    starts_at: datetime,
    ends_at: datetime,
    now: datetime,
    title: str,
    description: str,
    organizer: str,
    sequence: int = 0,
    cancelled: bool = False,
) -> bytes:
    """Return one VEVENT as UTF-8 with CRLF. organizer: shown as the calendar's source, no address."""
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        f"PRODID:-//{_text(organizer)}//Tillit//EN",
        "METHOD:CANCEL" if cancelled else "METHOD:PUBLISH",
        "BEGIN:VEVENT",
        f"UID:{uid}",
        f"SEQUENCE:{sequence}",
        f"DTSTAMP:{_moment(now)}",
        f"DTSTART:{_moment(starts_at)}",
        f"DTEND:{_moment(ends_at)}",
        f"SUMMARY:{_text(title)}",
        f"DESCRIPTION:{_text(description)}",
        f"LOCATION:{_text(organizer)}",
        "STATUS:CANCELLED" if cancelled else "STATUS:CONFIRMED",
        "CLASS:PRIVATE",
        "END:VEVENT",
        "END:VCALENDAR",
    ]
    return b"".join(_fold(line) for line in lines)


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def _text(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
    return escaped.replace("\r\n", "\\n").replace("\n", "\\n").replace("\r", "\\n")


def _fold(line: str) -> bytes:
    """Fold at 75 octets, never inside a character."""
    out, room = b"", _LINE_BYTES
    for sign in line:
        octets = sign.encode()
        if len(octets) > room:
            out += b"\r\n "
            room = _LINE_BYTES - 1
        out += octets
        room -= len(octets)
    return out + b"\r\n"
