"""Reading what was sent: JSON objects and form fields, each with its limits, each error naming its field."""

import re
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import request

from sidecar.domain.errors import InvalidInputError

# Control signs but tab and line breaks, and halves of a sign: no text a person writes, and no UTF-8.
_UNWRITTEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_LONGEST_MINUTES = 24 * 60
_EARLIEST, _LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


def json_body() -> dict[str, Any]:
    """Return the request's JSON object. Raises InvalidInputError."""
    try:
        body = request.get_json(silent=True)
    except RecursionError:
        body = None  # a thousand brackets in a row are no request of ours
    if not isinstance(body, dict):
        raise InvalidInputError("The request needs a JSON object as its body.", field="body")
    return body


def text_of(body: dict[str, Any], name: str, *, longest: int, required: bool = True) -> str:
    """Return a text field, "" where it may be missing and is. Raises InvalidInputError naming it."""
    value = body.get(name, "")
    if value is None:
        value = ""
    if not isinstance(value, str):
        raise InvalidInputError("This field must be text.", field=name)
    if required and not value.strip():
        raise InvalidInputError("This field may not be empty.", field=name, reason="empty")
    if len(value) > longest:
        raise InvalidInputError(f"At most {longest} signs.", field=name, reason="too_long", most=longest)
    if _UNWRITTEN.search(value):
        raise InvalidInputError("This field holds signs that cannot be shown.", field=name, reason="signs")
    return value


def only(body: dict[str, Any], names: Collection[str], *, where: str = "") -> dict[str, Any]:
    """Return the object. Raises InvalidInputError naming the first field nobody knows: it may be misspelt."""
    for name in body:
        if name not in names:
            raise InvalidInputError("There is no such field.", field=f"{where}{name[:60]}")
    return body


def minutes_of(body: dict[str, Any], name: str, *, default: int) -> timedelta:
    """Return a length given in whole minutes. Raises InvalidInputError naming the field."""
    minutes = body.get(name, default)
    if not isinstance(minutes, int) or isinstance(minutes, bool) or not 0 < minutes <= _LONGEST_MINUTES:
        raise InvalidInputError("The length is a whole number of minutes.", field=name, reason="length")
    return timedelta(minutes=minutes)


def time_of(body: dict[str, Any], name: str) -> datetime:
    """Return a moment written in RFC 3339 with its offset. Raises InvalidInputError naming the field."""
    try:
        moment = datetime.fromisoformat(text_of(body, name, longest=40))
    except ValueError as error:
        raise InvalidInputError("This is not a time of RFC 3339.", field=name) from error
    if moment.tzinfo is None:
        raise InvalidInputError("A time needs its offset from UTC.", field=name)
    if not _EARLIEST <= moment < _LATEST:
        raise InvalidInputError("This time lies too far away.", field=name)
    return moment
