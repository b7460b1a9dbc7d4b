"""From TOML and environment to typed values. What is not a setting stops the start, with the nearest name."""

import difflib
import re
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any, NoReturn

from sidecar.domain.errors import ConfigurationError

PREFIX = "TILLIT_"
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
# What a plugin's table may not hold in the clear: the value belongs in a file, and the file's path here.
_SECRET_KEY = re.compile(r"(^|_)(secret|password|passphrase|api_key)$")


class FromEnvironment(str):
    """A text that came from an environment variable: still to be typed, and it knows where it came from."""

    variable: str

    def __new__(cls, text: str, variable: str) -> "FromEnvironment":
        made = super().__new__(cls, text)
        made.variable = variable
        return made


def overlay(tables: Mapping[str, Any], environ: Mapping[str, str], *, ignored: Iterable[str]) -> dict[str, Any]:
    """Return the tables with every TILLIT_<TABLE>__<KEY> of the environment laid over them."""
    merged = _copied(tables)
    for variable in sorted(set(environ) - set(ignored)):
        if not variable.startswith(PREFIX):
            continue
        *path, last = variable.removeprefix(PREFIX).split("__")
        # Countries are written in capitals, everything else in small letters.
        last = last if path[1:] == ["DOMICILES"] else last.lower()
        below = merged
        for name in path:
            below = below.setdefault(name.lower(), {})
            if not isinstance(below, dict):
                raise ConfigurationError(f"environment: {variable} lies below a setting, or in a list of tables.")
        below[last] = FromEnvironment(environ[variable], variable)
    return merged


def _copied(tables: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _copied(value) if isinstance(value, dict) else value for name, value in tables.items()}


class Reader:
    """Builds the settings dataclasses. source: the file's name in messages. folder: where paths start."""

    def __init__(self, *, source: str, folder: Path) -> None:
        self._source = source
        self._folder = folder

    def build(self, kind: Any, table: Mapping[str, Any], where: tuple[str, ...] = ()) -> Any:
        """Return the dataclass made of the table. Raises ConfigurationError naming file and key."""
        hints = typing.get_type_hints(kind)
        known = {each.name: each for each in fields(kind) if not each.metadata.get("plugin_tables")}
        given = dict(table)
        values: dict[str, Any] = {}
        if "tables" in hints and "tables" not in known:
            values["tables"] = self._plugin_tables(given, known, where)
        for name in given:
            if name not in known:
                self._refuse_unknown(given[name], (*where, name), known)
        for name, each in known.items():
            if name in given:
                values[name] = self._value(hints[name], given[name], (*where, name))
            elif is_dataclass(hints[name]):
                values[name] = self.build(hints[name], {}, (*where, name))
            elif isinstance(each.default, Path):
                values[name] = self._folder / each.default
            elif _is_required(each):
                self._refuse({}, (*where, name), f"is missing. {each.metadata.get('help', '')}".strip())
        return kind(**values)

    def _plugin_tables(
        self, given: dict[str, Any], known: Mapping[str, Any], where: tuple[str, ...]
    ) -> Mapping[str, Any]:
        """Take the tables [plugins.<name>] out of the group and return them, as given."""
        tables = {name: value for name, value in given.items() if isinstance(value, dict) and name not in known}
        for name, table in tables.items():
            del given[name]
            for key, value in table.items():
                if _SECRET_KEY.search(key):
                    sentence = f"holds a secret. Put it in a file of mode 0600 and give its path as {key}_file."
                    self._refuse(value, (*where, name, key), sentence)
        return MappingProxyType({name: MappingProxyType(table) for name, table in tables.items()})

    def _value(self, kind: Any, raw: Any, where: tuple[str, ...]) -> Any:
        if is_dataclass(kind):
            if not isinstance(raw, dict):
                self._refuse(raw, where, "is a table, not a value.")
            return self.build(kind, raw, where)
        origin = typing.get_origin(kind)
        if origin is types.UnionType:  # only ever "... | None": an empty text says none
            [kind] = [each for each in typing.get_args(kind) if each is not type(None)]
            return None if raw == "" else self._value(kind, raw, where)
        if origin is tuple:
            return self._tuple(typing.get_args(kind)[0], raw, where)
        if typing.get_args(kind) == (str, str):
            return self._texts(raw, where)
        if isinstance(raw, dict):
            self._refuse(raw, where, "is a value, not a table.")
        try:
            return self._scalar(kind, raw)
        except (TypeError, ValueError) as error:
            self._refuse(raw, where, f"cannot be {_shown(raw)}: {error}.")

    def _tuple(self, kind: Any, raw: Any, where: tuple[str, ...]) -> tuple[Any, ...]:
        if isinstance(raw, FromEnvironment):
            if is_dataclass(kind):
                self._refuse(raw, where, "is a list of tables, which only the file can hold.")
            parts = [each.strip() for each in raw.split(",") if each.strip()]
            raw = [FromEnvironment(each, raw.variable) for each in parts]
        if not isinstance(raw, list):
            self._refuse(raw, where, "is a list.")
        return tuple(self._value(kind, each, where) for each in raw)

    def _texts(self, raw: Any, where: tuple[str, ...]) -> Mapping[str, str]:
        if not isinstance(raw, dict):
            self._refuse(raw, where, "is a table of texts.")
        for name, value in raw.items():
            if not isinstance(value, str):
                self._refuse(value, (*where, name), "is a text.")
        return MappingProxyType({name: str(value) for name, value in raw.items()})

    def _scalar(self, kind: Any, raw: Any) -> Any:
        if kind is bool:
            return _bool(raw)
        if kind is int:
            return _int(raw)
        if not isinstance(raw, str):
            raise TypeError("it is a text")
        if kind is str:
            return str(raw)
        if kind is Path:
            return self._folder / Path(raw).expanduser()
        if kind is timedelta:
            return parse_duration(raw)
        if issubclass(kind, StrEnum):
            if raw not in list(kind):
                raise ValueError(f"it is one of {', '.join(kind)}")
            return kind(raw)
        raise AssertionError(f"no way to read a {kind}")

    def _refuse_unknown(self, raw: Any, where: tuple[str, ...], known: Iterable[str]) -> NoReturn:
        near = difflib.get_close_matches(where[-1], list(known), n=1, cutoff=0.5)
        parent = ".".join(where[:-1])
        hint = f"The nearest is {'.'.join((*where[:-1], near[0]))}" if near else f"Known: {', '.join(known)}"
        group = f" Settings of {parent} are listed in docs/settings.md." if parent and not near else ""
        self._refuse(raw, where, f"is not a setting. {hint}.{group}")

    def _refuse(self, raw: Any, where: tuple[str, ...], sentence: str) -> NoReturn:
        variable = _variable_in(raw)
        source = f"environment: {variable}" if variable else f"{self._source}: {'.'.join(where)}"
        raise ConfigurationError(f"{source} {sentence}")


def _variable_in(raw: Any) -> str | None:
    """Return the environment variable a value or the inside of a table came from."""
    if isinstance(raw, FromEnvironment):
        return raw.variable
    if isinstance(raw, dict) and raw:
        found = [_variable_in(value) for value in raw.values()]
        return found[0] if all(found) else None
    return None


def _is_required(each: Field[Any]) -> bool:
    return each.default is MISSING and each.default_factory is MISSING


def _bool(raw: Any) -> bool:
    if isinstance(raw, FromEnvironment):
        known = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
        if raw.lower() not in known:
            raise ValueError("it is true or false")
        return known[raw.lower()]
    if not isinstance(raw, bool):
        raise TypeError("it is true or false")
    return raw


def _int(raw: Any) -> int:
    if isinstance(raw, FromEnvironment) and re.fullmatch(r"-?[0-9]{1,18}", raw):
        return int(raw)
    if not isinstance(raw, int) or isinstance(raw, bool):
        raise TypeError("it is a whole number")
    return raw


def parse_duration(text: str) -> timedelta:
    """Return the time a text such as "90s", "10m", "8h" or "7d" says. Raises ValueError."""
    match = re.fullmatch(r"([0-9]{1,9})([smhd])", text.strip())
    if match is None:
        raise ValueError("a time is written like 90s, 10m, 8h or 7d")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def duration_text(value: timedelta) -> str:
    """Return the shortest writing of a time: parse_duration reads it back."""
    seconds = int(value.total_seconds())
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _shown(raw: Any) -> str:
    return repr(str(raw)) if isinstance(raw, str) else repr(raw)
