"""A TOML table that knows where it stands, so that what is wrong with it can be named: file, key and rule."""

import tomllib
from collections.abc import Collection, Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import Any, NoReturn, TypeVar

from sidecar.domain.errors import ConfigurationError
from sidecar.domain.policy import LANGUAGES

E = TypeVar("E", bound=StrEnum)
T = TypeVar("T")

STAFF_LANGUAGES = ("sv", "en")  # what the bank's own staff pages are written in
_LONGEST = 400  # signs in one text; a sentence, not a chapter


class Table:
    """One TOML table being read. Each key is taken once; a key nobody took is unknown, and refused by `done`.

    Every method that takes a key raises ConfigurationError naming file, key and rule.
    """

    def __init__(self, file: str, path: str, values: Mapping[str, Any]) -> None:
        self.file = file
        self.path = path
        self._values = values
        self._taken: set[str] = set()

    def fail(self, key: str, rule: str) -> NoReturn:
        where = ".".join(part for part in (self.path, key) if part)
        raise ConfigurationError(f"{self.file}: {where}: {rule}", file=self.file, key=where, rule=rule)

    def has(self, key: str) -> bool:
        return key in self._values

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(self._values)

    def done(self) -> None:
        for key in self._values:
            if key not in self._taken:
                self.fail(key, "unknown key")

    def text(self, key: str) -> str:
        value = self._take(key, str, "a text")
        if not value.strip() or value != value.strip():
            self.fail(key, "a text without blanks around it, not empty")
        if len(value) > _LONGEST:
            self.fail(key, f"at most {_LONGEST} signs")
        return value

    def whole(self, key: str, least: int, most: int) -> int:
        value = self._take(key, int, "a whole number")
        if not least <= value <= most:
            self.fail(key, f"a whole number from {least} to {most}")
        return value

    def flag(self, key: str) -> bool:
        return self._take(key, bool, "true or false")

    def day(self, key: str) -> date:
        value = self._take(key, date, "a date, written 2027-01-15")
        if isinstance(value, datetime):
            self.fail(key, "a date without a time")
        return value

    def one_of(self, key: str, scale: type[E]) -> E:
        value = self.text(key)
        if value not in set(scale):
            self.fail(key, f"one of {', '.join(scale)}, not {value}")
        return scale(value)

    def names(self, key: str, known: Collection[str] | None = None, *, empty: bool = True) -> tuple[str, ...]:
        """Take a list of names, each once. known: the closed list they come from, if there is one."""
        values = self._take(key, list, "a list of names")
        for value in values:
            if not isinstance(value, str) or not value:
                self.fail(key, "a list of names")
            if known is not None and value not in known:
                self.fail(key, f"{value} is not on the closed list")
        if len(set(values)) != len(values):
            self.fail(key, "a name stands twice")
        if not values and not empty:
            self.fail(key, "may not be empty")
        return tuple(values)

    def texts(self, key: str, languages: Collection[str] = LANGUAGES) -> dict[str, str]:
        """Take one text for each language, no more and no less."""
        table = self.table(key)
        for language in languages:
            if not table.has(language):
                table.fail(language, "the text is missing in this language")
        found = {language: table.text(language) for language in languages}
        table.done()
        return found

    def reason(self, key: str) -> dict[str, str]:
        return self.texts(key, STAFF_LANGUAGES)

    def table(self, key: str) -> "Table":
        return Table(self.file, self._at(key), self._take(key, dict, "a table"))

    def tables(self, key: str) -> "list[Table]":
        """Take a list of tables ([[key]]); none at all is an empty list."""
        if key not in self._values:
            return []
        values = self._take(key, list, "a list of tables")
        if not all(isinstance(value, dict) for value in values):
            self.fail(key, "a list of tables")
        return [Table(self.file, self._at(f"{key}[{n}]"), value) for n, value in enumerate(values, start=1)]

    def raw(self, key: str) -> Any:
        self._taken.add(key)
        return self._values[key]

    def _at(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path else key

    def _take(self, key: str, kind: type[T], said: str) -> T:
        if key not in self._values:
            self.fail(key, "missing")
        self._taken.add(key)
        value = self._values[key]
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            self.fail(key, f"must be {said}")
        return value


def parse(file: str, text: str) -> Table:
    """Return a file's table. Raises ConfigurationError naming file, place and what is wrong with the TOML."""
    try:
        return Table(file, "", tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{file}: not TOML: {error}", file=file, key="", rule=str(error)) from error
