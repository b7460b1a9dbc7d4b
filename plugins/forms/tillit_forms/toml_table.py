"""One table of a template's file, taken apart key by key; each complaint names file and key."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import Any

from sidecar.plugin_api import ConfigurationError
from tillit_forms.expressions import Expression, ExpressionError, parse
from tillit_forms.template import PLACEHOLDER, Words

MOST = {"section": 40, "field": 60, "choice": 200, "agreement": 12, "clause": 120, "attachment": 40, "delivery": 20}


class Table:
    """One table of the file. Keys are taken one by one; what is left at the end is unknown."""

    def __init__(self, table: object, where: str, file: str) -> None:
        self.where, self.file = where, file
        if not isinstance(table, dict):
            self.fail("", "must be a table")
        self._left: dict[str, Any] = dict(table)  # type: ignore[call-overload]  # a dict after the check above

    def fail(self, key: str, problem: str) -> Any:
        place = ".".join(part for part in (self.where, key) if part)
        raise ConfigurationError(f"{self.file}: {place}: {problem}." if place else f"{self.file}: {problem}.")

    def take(self, key: str, kind: type, default: Any = ...) -> Any:
        if key not in self._left:
            if default is ...:
                self.fail(key, "is missing")
            return default
        value = self._left.pop(key)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            self.fail(key, f"must be a {_KIND_WORDS[kind]}")
        return value

    def text(self, key: str, default: Any = ...) -> str:
        found: str = self.take(key, str, default)
        if default is ... and not found.strip():
            self.fail(key, "is empty")
        return found

    def one_of(self, key: str, allowed: Sequence[str], default: Any = ...) -> str:
        found = self.text(key, default)
        if found not in allowed:
            self.fail(key, f"{found!r} is none of {', '.join(each for each in allowed if each)}")
        return found

    def some_of(self, key: str, allowed: Sequence[str] | frozenset[str] | None, default: Any = ...) -> tuple[str, ...]:
        found = self.take(key, list, default)
        if not all(isinstance(each, str) for each in found) or len(set(found)) != len(found):
            self.fail(key, "must be a list of different texts")
        for each in found:
            if allowed is not None and each not in allowed:
                self.fail(key, f"{each!r} is none of {', '.join(sorted(allowed))}")
        return tuple(found)

    def name(self, key: str = "name") -> str:
        found = self.text(key)
        if PLACEHOLDER.fullmatch("{" + found + "}") is None:
            self.fail(key, f"{found!r} is no name: small letters, digits and _, at most 40")
        return found

    def number(self, key: str, low: int, high: int, default: Any = ...) -> int:
        found: int = self.take(key, int, default)
        if not low <= found <= high:
            self.fail(key, f"must lie between {low} and {high}")
        return found

    def decimal(self, key: str) -> Decimal | None:
        value = self._left.pop(key, None)
        if value is None:
            return None
        try:
            if isinstance(value, bool) or not isinstance(value, int | str):
                raise InvalidOperation
            found = Decimal(value)
            if not found.is_finite():
                raise InvalidOperation
        except InvalidOperation:
            self.fail(key, 'must be a whole number or a decimal in quotes, "0.5"')
        return found

    def words(self, key: str, languages: Sequence[str], default: Words | None = None) -> Words:
        if key not in self._left and default is not None:
            return default
        table = self.take(key, dict)
        for language in languages:
            if not isinstance(table.get(language), str) or not table[language].strip():
                self.fail(f"{key}.{language}", "is missing")
        for language in sorted(set(table) - set(languages)):
            self.fail(f"{key}.{language}", "is not one of the form's languages")
        return MappingProxyType({language: table[language].strip() for language in languages})

    def tables(self, key: str, *, least: int = 0) -> list["Table"]:
        found = self.take(key, list, [])
        if not least <= len(found) <= MOST[key]:
            self.fail(key, f"there must be between {least} and {MOST[key]}")
        where = f"{self.where}." if self.where else ""
        return [Table(each, f"{where}{key}[{at}]", self.file) for at, each in enumerate(found, 1)]

    def expression(self, key: str) -> Expression | None:
        source = self.text(key, "")
        if not source:
            return None
        try:
            return parse(source)
        except ExpressionError as error:
            self.fail(key, str(error))
        return None

    def end(self) -> None:
        for key in sorted(self._left):
            self.fail(key, "is not a key of this table")


_KIND_WORDS = {str: "text", int: "whole number", bool: "true or false", list: "list", dict: "table", date: "date"}
