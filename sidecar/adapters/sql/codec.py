"""Frozen dataclasses to JSON text and back, by their type hints. Unknown keys are refused."""

import dataclasses
import json
import types
import typing
from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from functools import cache
from typing import Any, TypeVar

from sidecar.domain.clock import from_text, to_text

T = TypeVar("T")


def to_json(value: Any) -> str:
    """Return a dataclass as compact JSON. Times become RFC 3339 text, sets become sorted lists."""
    return json.dumps(_plain(value), separators=(",", ":"), ensure_ascii=False)


def from_json(kind: type[T], text: str) -> T:
    """Return the dataclass that `to_json` wrote. Raises ValueError where the text does not fit."""
    value: T = _typed(kind, json.loads(text))
    return value


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return to_text(value)
    if isinstance(value, frozenset):
        return sorted(_plain(item) for item in value)
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return value


@cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _typed(kind: Any, value: Any) -> Any:
    if isinstance(kind, typing.NewType):
        return value
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        if value is None:
            return None
        return _typed(next(a for a in typing.get_args(kind) if a is not type(None)), value)
    if origin in (tuple, frozenset):
        item = typing.get_args(kind)[0]
        return origin(_typed(item, part) for part in value)
    if origin is not None or kind is Any:
        return value
    if dataclasses.is_dataclass(kind):
        hints = _hints(typing.cast(type, kind))
        unknown = set(value) - set(hints)
        if unknown:
            raise ValueError(f"unknown keys for {kind!r}: {sorted(unknown)}")
        return typing.cast(Any, kind)(**{name: _typed(hints[name], part) for name, part in value.items()})
    if kind is datetime:
        return from_text(value)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind(value)
    return value
