"""Frozen dataclasses to JSON text and back, by their type hints. Unknown keys are refused.

How a kind is read is worked out once: looking at type hints for each row took ten times as long as the JSON.
"""

import dataclasses
import json
import types
import typing
from collections.abc import Callable, Mapping
from datetime import datetime
from enum import Enum
from functools import cache, lru_cache
from typing import Any, TypeVar

from sidecar.domain.clock import from_text, to_text

T = TypeVar("T")
Reader = Callable[[Any], Any]

_ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)
_JSON_KINDS = (str, int, bool, float, types.NoneType)


def to_json(value: Any) -> str:
    """Return a dataclass as compact JSON. Times become RFC 3339 text, sets become sorted lists."""
    return _ENCODER.encode(_plain(value))


def from_json(kind: type[T], text: str) -> T:
    """Return the dataclass that `to_json` wrote. Raises ValueError where the text does not fit."""
    read = _reader(kind)  # type: ignore[arg-type]  # a class is hashable, whatever its instances are
    found = json.loads(text)
    value: T = found if read is None else read(found)
    return value


def read_again(kind: type[T], text: str) -> T:
    """Return what from_json returns, the same object for the same text. Only for kinds that nothing can change.

    The store is asked each time; what is remembered is how its answer reads.
    """
    value: T = _remembered(kind, text)  # type: ignore[arg-type]  # a class is hashable, whatever its instances are
    return value


_remembered = lru_cache(maxsize=4096)(from_json)


def _plain(value: Any) -> Any:
    if type(value) in _JSON_KINDS:  # not isinstance: an enum of texts is a text too
        return value
    names = _names(type(value))  # type: ignore[arg-type]  # as above
    if names is not None:
        return {name: _plain(getattr(value, name)) for name in names}
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
def _names(kind: type) -> tuple[str, ...] | None:
    """Return a dataclass's field names, None for any other type."""
    return tuple(f.name for f in dataclasses.fields(kind)) if dataclasses.is_dataclass(kind) else None


@cache
def _reader(kind: Any) -> Reader | None:
    """Return what turns a JSON value into this kind, None where it is one already."""
    if isinstance(kind, typing.NewType):
        return None
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        return _optional(_reader(next(a for a in typing.get_args(kind) if a is not types.NoneType)))
    if origin in (tuple, frozenset):
        return _collection(origin, _reader(typing.get_args(kind)[0]))
    if origin is not None or kind is Any:
        return None
    if dataclasses.is_dataclass(kind):
        return _dataclass(typing.cast(type, kind))
    if kind is datetime:
        return from_text
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind
    return None


def _optional(read: Reader | None) -> Reader | None:
    if read is None:
        return None
    return lambda value: None if value is None else read(value)


def _collection(origin: Reader, read: Reader | None) -> Reader:
    if read is None:
        return origin
    return lambda value: origin(map(read, value))


def _dataclass(kind: type) -> Reader:
    hints = typing.get_type_hints(kind)
    readers = {name: read for name, hint in hints.items() if (read := _reader(hint)) is not None}

    def read_fields(value: Any) -> Any:
        if not isinstance(value, dict):
            raise ValueError(f"no object for {kind!r}")
        if not value.keys() <= hints.keys():
            raise ValueError(f"unknown keys for {kind!r}: {sorted(value.keys() - hints.keys())}")
        for name in readers.keys() & value.keys():
            value[name] = readers[name](value[name])
        return kind(**value)

    return read_fields
