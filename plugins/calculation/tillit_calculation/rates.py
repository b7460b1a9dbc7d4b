"""Rate tables: versioned TOML, never edited, each with an owner and a review date. Percentages are exact decimals."""

import hashlib
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from sidecar.plugin_api import LANGUAGES, ConfigurationError

_DECIMAL = re.compile(r"(?:0|[1-9][0-9]{0,12})(?:\.[0-9]{1,6})?\Z")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}\Z")
_KEYS = frozenset(
    {"name", "version", "owner", "reviewed_on", "next_review", "in_force_from", "currency", "setup_fee", "monthly_fee"}
    | {"least_amount", "most_amount", "highest_share", "rate", "addition"}
)


@dataclass(frozen=True)
class Rate:
    """percent: nominal, a year. title: by language."""

    binding: str
    percent: Decimal
    title: Mapping[str, str] = field(compare=False)


@dataclass(frozen=True)
class Addition:
    """percent is added where the loan is more than above_share per cent of the home's value."""

    above_share: Decimal
    percent: Decimal


@dataclass(frozen=True)
class RateTable:
    """One version of a product's prices. highest_share: the most that may be lent, per cent of the value.

    digest: SHA-256 of the file, hex. source: the file itself, kept with the first calculation that used it.
    """

    name: str
    version: int
    owner: str
    reviewed_on: date
    next_review: date
    in_force_from: date
    currency: str
    setup_fee: Decimal
    monthly_fee: Decimal
    least_amount: Decimal
    most_amount: Decimal
    highest_share: Decimal
    rates: tuple[Rate, ...]
    additions: tuple[Addition, ...]
    digest: str
    source: str = field(repr=False)

    @property
    def ref(self) -> str:
        return f"{self.name}@{self.version}"

    def rate(self, binding: str) -> Rate | None:
        return next((each for each in self.rates if each.binding == binding), None)

    def addition(self, share: Decimal) -> Decimal:
        """Return what is added for a loan of this share of the value, in per cent."""
        return sum((each.percent for each in self.additions if share > each.above_share), Decimal(0))


def read_tables(folder: Path) -> dict[str, RateTable]:
    """Return every table of a folder by its ref. Raises ConfigurationError naming file and key."""
    try:
        files = sorted(folder.glob("*.toml"))
        found = [parse_table(each.read_bytes(), file=each.name) for each in files]
    except OSError as error:
        raise ConfigurationError(f"the rate tables in {folder.name} cannot be read") from error
    if not found:
        raise ConfigurationError(f"there is no rate table in {folder.name}")
    return {each.ref: each for each in found}


def in_force(tables: Mapping[str, RateTable], name: str, today: date) -> RateTable | None:
    """Return the highest version of a table that is in force on a day."""
    fit = [each for each in tables.values() if each.name == name and each.in_force_from <= today]
    return max(fit, key=lambda each: each.version, default=None)


def parse_table(data: bytes, *, file: str) -> RateTable:
    """Return the table these bytes hold. Raises ConfigurationError naming file and key."""
    try:
        table = tomllib.loads(data.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file}: is not TOML: {error}.") from error
    for key in sorted(_KEYS.symmetric_difference(table)):
        problem = "is missing" if key in _KEYS else "is not a key of a rate table"
        raise ConfigurationError(f"{file}: {key}: {problem}.")
    reader = _Reader(table, file)
    name, version = reader.name("name"), reader.version()
    if file not in (f"{name}-{version}.toml", "table"):
        raise ConfigurationError(f"{file}: name: the file must be called {name}-{version}.toml.")
    if reader.day("next_review") <= reader.day("reviewed_on"):
        raise ConfigurationError(f"{file}: next_review: must come after reviewed_on.")
    rates = tuple(reader.rate(each, at) for at, each in enumerate(reader.list("rate"), 1))
    if not rates or len({each.binding for each in rates}) != len(rates):
        raise ConfigurationError(f"{file}: rate: there must be some, each with a binding of its own.")
    return RateTable(
        name=name,
        version=version,
        owner=reader.text("owner"),
        reviewed_on=reader.day("reviewed_on"),
        next_review=reader.day("next_review"),
        in_force_from=reader.day("in_force_from"),
        currency=reader.text("currency"),
        setup_fee=reader.decimal("setup_fee"),
        monthly_fee=reader.decimal("monthly_fee"),
        least_amount=reader.decimal("least_amount"),
        most_amount=reader.decimal("most_amount"),
        highest_share=reader.decimal("highest_share"),
        rates=rates,
        additions=tuple(reader.addition(each, at) for at, each in enumerate(reader.list("addition"), 1)),
        digest=hashlib.sha256(data).hexdigest(),
        source=data.decode("utf-8"),
    )


class _Reader:
    def __init__(self, table: Mapping[str, Any], file: str) -> None:
        self._table, self._file = table, file

    def fail(self, key: str, problem: str) -> ConfigurationError:
        return ConfigurationError(f"{self._file}: {key}: {problem}.")

    def text(self, key: str) -> str:
        value = self._table[key]
        if not isinstance(value, str) or not value.strip():
            raise self.fail(key, "must be a text")
        return value

    def name(self, key: str) -> str:
        value = self.text(key)
        if not _NAME.match(value):
            raise self.fail(key, "must be a name of small letters")
        return value

    def version(self) -> int:
        value = self._table["version"]
        if type(value) is not int or not 1 <= value <= 9999:
            raise self.fail("version", "must be a whole number from 1")
        return value

    def day(self, key: str) -> date:
        value = self._table[key]
        if type(value) is not date:
            raise self.fail(key, "must be a date")
        return value

    def decimal(self, key: str) -> Decimal:
        return self._decimal(self._table[key], key)

    def list(self, key: str) -> Sequence[Any]:
        value = self._table[key]
        if not isinstance(value, list):
            raise self.fail(key, "must be a list of tables")
        return value

    def rate(self, table: Any, at: int) -> Rate:
        key = f"rate[{at}]"
        if not isinstance(table, dict) or set(table) != {"binding", "percent", "title"}:
            raise self.fail(key, "says binding, percent and title")
        if not isinstance(table["binding"], str) or not _NAME.match(table["binding"]):
            raise self.fail(f"{key}.binding", "must be a name of small letters")
        title = table["title"]
        if not isinstance(title, dict) or not all(isinstance(title.get(each), str) for each in LANGUAGES):
            raise self.fail(f"{key}.title", f"must be said in {', '.join(LANGUAGES)}")
        return Rate(table["binding"], self._decimal(table["percent"], f"{key}.percent"), title)

    def addition(self, table: Any, at: int) -> Addition:
        key = f"addition[{at}]"
        if not isinstance(table, dict) or set(table) != {"above_share", "percent"}:
            raise self.fail(key, "says above_share and percent")
        share = self._decimal(table["above_share"], f"{key}.above_share")
        return Addition(share, self._decimal(table["percent"], f"{key}.percent"))

    def _decimal(self, value: Any, key: str) -> Decimal:
        if not isinstance(value, str) or not _DECIMAL.match(value):
            raise self.fail(key, 'must be a decimal in quotes, "3.85"')
        return Decimal(value)
