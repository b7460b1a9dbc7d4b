"""Reading what was sent: JSON objects and form fields, each with its limits, each error naming its field."""

from typing import Any

from flask import request

from sidecar.domain.errors import InvalidInputError


def json_body() -> dict[str, Any]:
    """Return the request's JSON object. Raises InvalidInputError."""
    body = request.get_json(silent=True)
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
        raise InvalidInputError("This field may not be empty.", field=name)
    if len(value) > longest:
        raise InvalidInputError(f"At most {longest} signs.", field=name)
    return value
