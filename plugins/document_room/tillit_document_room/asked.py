"""Reads requests: each value of the kind and length it must have, or a refusal that names the field."""

import math
from typing import Any

from sidecar.plugin_api import InvalidInputError, PluginRefusedError, PluginRequest, UploadedFile


def body(request: PluginRequest) -> dict[str, Any]:
    given = request.json
    if not isinstance(given, dict):
        raise InvalidInputError("The request is a JSON object.", field="body")
    return given


def text(given: dict[str, Any], key: str, *, longest: int, required: bool = True) -> str:
    value = given.get(key, "")
    if not isinstance(value, str) or len(value) > longest or (required and not value.strip()):
        raise InvalidInputError(f"{key} is a text of at most {longest} signs.", field=key)
    return "".join(sign if sign.isprintable() else " " for sign in value).strip()


def number(given: dict[str, Any], key: str, *, least: int = 1, most: int = 100_000) -> int:
    value = given.get(key)
    if type(value) is not int or not least <= value <= most:
        raise InvalidInputError(f"{key} is a whole number from {least} to {most}.", field=key)
    return value


def seconds(given: dict[str, Any], key: str) -> float:
    value = given.get(key, 0)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise InvalidInputError(f"{key} is a number of seconds.", field=key)
    return float(min(value, 86_400.0))


def flag(given: dict[str, Any], key: str) -> bool:
    value = given.get(key, False)
    if not isinstance(value, bool):
        raise InvalidInputError(f"{key} is true or false.", field=key)
    return value


def texts(given: dict[str, Any], key: str, *, most: int = 50) -> list[str]:
    value = given.get(key) or []
    if not isinstance(value, list) or len(value) > most or not all(isinstance(e, str) and len(e) <= 60 for e in value):
        raise InvalidInputError(f"{key} is a list of at most {most} names.", field=key)
    return value


def in_path(request: PluginRequest, key: str) -> int:
    value = request.path[key]
    if not value.isascii() or not value.isdigit() or len(value) > 6:
        raise InvalidInputError("This is no page number.", field=key)
    return int(value)


def uploaded(request: PluginRequest) -> UploadedFile:
    """Return the file of a form. Raises PluginRefusedError where none was chosen."""
    found = request.files.get("file")
    if found is None or not found.data:
        raise PluginRefusedError("No file came with the form.", sentence="document_room.refused.empty")
    return found
