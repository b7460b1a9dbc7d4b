"""Typed fields: what a person wrote becomes one stored form, or a named refusal with its sentence.

A stored value is text: money and numbers as plain decimals ("2270000.00"), dates as ISO 8601, yes and no as "yes"
and "no", a telephone number as E.164, a personal number as "<scheme>:<number>". Nothing is kept in two forms.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation

from sidecar.plugin_api import (
    InvalidInputError,
    NationalIdError,
    normal_email,
    normal_phone,
    normalise_national_id,
)
from tillit_forms import wording
from tillit_forms.expressions import Expression, Kind, Value

KINDS = (
    "text",
    "long_text",
    "email",
    "phone",
    "date",
    "money",
    "percent",
    "number",
    "choice",
    "yes_no",
    "personal_number",
    "computed",
)
COUNTRIES = ("SE", "NO", "DK", "FI", "NL")
LONGEST = {"text": 200, "long_text": 4000}  # characters; an agreement's field, not a novel
LONGEST_WRITTEN = 8000  # of anything handed in, before it is looked at
LARGEST = Decimal(10) ** 13  # ten thousand billions, in any unit: above lies a slip of the hand
_YES, _NO = frozenset({"yes", "true", "1", "on"}), frozenset({"no", "false", "0", "off"})
_SCHEME_COUNTRY = {
    "se-personnummer": "SE",
    "no-fodselsnummer": "NO",
    "dk-cpr": "DK",
    "fi-hetu": "FI",
    "nl-bsn": "NL",
}
_CURRENCY_WORD = re.compile(r"(?:kr\.?|sek|nok|dkk|eur|usd|gbp|isk|€|:-)", re.IGNORECASE)
_OFFSET = re.compile(r"today(?:([+-])([0-9]{1,5}))?\Z")


class FieldError(Exception):
    """A value is not of its field's form. why: the last part of its sentence's key, "forms.wrong.<why>"."""

    def __init__(self, why: str, **params: str) -> None:
        super().__init__(why)
        self.why, self.params = why, params


@dataclass(frozen=True)
class Choice:
    value: str
    label: Mapping[str, str]


@dataclass(frozen=True)
class Field:
    """One question. filled_by: the capacities that may answer ("visitor" and "system" outside meetings).

    earliest, latest: an ISO date, or "today", "today+30". prefill: where a first value comes from, "person.name".
    sensitive: shown masked to all but who may see it. formula: how a computed field comes about.
    """

    name: str
    kind: str
    label: Mapping[str, str]
    help: Mapping[str, str] = field(default_factory=dict)
    required: bool = True
    filled_by: frozenset[str] = frozenset()
    choices: tuple[Choice, ...] = ()
    currency: str = "SEK"
    decimals: int = 0
    minimum: Decimal | None = None
    maximum: Decimal | None = None
    earliest: str = ""
    latest: str = ""
    countries: tuple[str, ...] = COUNTRIES
    longest: int = 0
    formula: Expression | None = None
    prefill: str = ""
    sensitive: bool = False

    @property
    def expression_kind(self) -> Kind:
        """Return what the field is to a condition."""
        if self.kind in ("money", "percent", "number", "computed"):
            return Kind("number")
        if self.kind == "date":
            return Kind("date")
        if self.kind == "yes_no":
            return Kind("yes_no")
        return Kind("text", frozenset(each.value for each in self.choices))


def read_value(question: Field, written: object, *, today: date) -> str:
    """Return the stored form of what somebody wrote. "" for nothing. Raises FieldError."""
    text = _as_text(question, written)
    if not text:
        return ""
    return _READERS[question.kind](question, text, today)


def typed(question: Field, stored: str) -> Value:
    """Return a stored value as conditions see it. A percentage of 85 is 0.85."""
    if question.kind in ("money", "number", "computed"):
        return Decimal(stored)
    if question.kind == "percent":
        return Decimal(stored) / 100
    if question.kind == "date":
        return date.fromisoformat(stored)
    if question.kind == "yes_no":
        return stored == "yes"
    return stored


def show(question: Field, stored: str, language: str, *, words: Mapping[str, str]) -> str:
    """Return a stored value as a reader sees it in an agreement. words: "yes" and "no" in that language."""
    if not stored:
        return ""
    if question.kind in ("money", "computed") and question.currency:
        return wording.money(Decimal(stored), question.currency, language)
    if question.kind in ("number", "computed"):
        return wording.number(Decimal(stored), language)
    if question.kind == "percent":
        return wording.percent(Decimal(stored), language)
    if question.kind == "date":
        return wording.day(date.fromisoformat(stored), language)
    if question.kind == "yes_no":
        return words[stored]
    if question.kind == "choice":
        return next(each.label[language] for each in question.choices if each.value == stored)
    if question.kind == "personal_number":
        return show_number(stored)
    return stored


def show_number(stored: str) -> str:
    """Return a personal number as its country writes it: "19900214-2389"."""
    scheme, _, number = stored.partition(":")
    if scheme == "se-personnummer":
        return f"{number[:8]}-{number[8:]}"
    if scheme in ("no-fodselsnummer", "dk-cpr"):
        return f"{number[:6]} {number[6:]}" if scheme == "no-fodselsnummer" else f"{number[:6]}-{number[6:]}"
    return number


def masked(question: Field, stored: str) -> str:
    """Return what others may see of a sensitive value: that it is there, and its last two signs at most."""
    if not stored:
        return ""
    return "••••••••" + stored[-2:] if len(stored) > 12 else "••••••••"


def country_of(stored: str) -> str:
    """Return the country of a stored personal number."""
    return _SCHEME_COUNTRY[stored.partition(":")[0]]


def clean(text: str, *, lines: bool = False) -> str:
    """Return text in NFC without outer space. Raises FieldError for signs nobody can read or that turn a line round.

    Refused: control and format signs (bidirectional overrides hide what an agreement says), surrogates, private use.
    """
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n")).strip()
    for sign in text:
        category = unicodedata.category(sign)
        if sign == "\n" and lines:
            continue
        if category in ("Cc", "Cs", "Co", "Cn", "Cf", "Zl", "Zp"):
            raise FieldError("signs")
    return text


def day_limit(limit: str, today: date) -> date | None:
    """Return the day a limit names: "2027-01-01", "today", "today+30"; None for "". Raises ValueError."""
    if not limit:
        return None
    relative = _OFFSET.match(limit)
    if relative is None:
        return date.fromisoformat(limit)
    days = int(relative[2] or 0)
    return today + timedelta(days=-days if relative[1] == "-" else days)


def _as_text(question: Field, written: object) -> str:
    """Accept what JSON can say. A number is read from its own decimal form, never through binary sums."""
    if written is None:
        return ""
    if isinstance(written, bool):
        return "yes" if written else "no"
    if isinstance(written, int | float | Decimal) and question.kind in ("money", "percent", "number"):
        try:
            return f"{Decimal(str(written)):f}"[:LONGEST_WRITTEN]
        except (InvalidOperation, ValueError):
            raise FieldError("number") from None
    if not isinstance(written, str):
        raise FieldError("form")
    if len(written) > LONGEST_WRITTEN:
        raise FieldError("long", longest=str(question.longest or LONGEST.get(question.kind, 200)))
    return clean(written, lines=question.kind == "long_text")


def _text(question: Field, text: str, _today: date) -> str:
    longest = question.longest or LONGEST[question.kind]
    if len(text) > longest:
        raise FieldError("long", longest=str(longest))
    return text


def _email(_question: Field, text: str, _today: date) -> str:
    try:
        return normal_email(text)
    except InvalidInputError:
        raise FieldError("email") from None


def _phone(question: Field, text: str, _today: date) -> str:
    try:
        return normal_phone(text, default_country=question.countries[0] if question.countries else "SE")
    except InvalidInputError:
        raise FieldError("phone") from None


def _date(question: Field, text: str, today: date) -> str:
    try:
        found = date.fromisoformat(text) if re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", text) else None
    except ValueError:
        found = None
    if found is None or not 1850 <= found.year <= 2200:
        raise FieldError("date")
    earliest, latest = day_limit(question.earliest, today), day_limit(question.latest, today)
    if earliest is not None and found < earliest:
        raise FieldError("early", limit=earliest.isoformat())
    if latest is not None and found > latest:
        raise FieldError("late", limit=latest.isoformat())
    return found.isoformat()


def plain_number(text: str, *, places: int = 2) -> Decimal:
    """Return the number somebody wrote: "2 270 000,50 kr", "1,250.50", "1.250,50". Raises FieldError.

    Of comma and point, the last one before one or two digits is the decimal sign. A lone sign before exactly three
    digits is refused as ambiguous unless there are several: "1,250" is a thousand to some and one and a bit to others.
    """
    bare = _CURRENCY_WORD.sub("", re.sub(r"[\s\u2019']", "", text)).replace("\u2212", "-").removesuffix("%")
    if not re.fullmatch(r"-?[0-9][0-9.,]{0,30}", bare):
        raise FieldError("number")
    points, commas = bare.count("."), bare.count(",")
    if points and commas:
        decimal = max(".", ",", key=bare.rfind)
        thousands = "," if decimal == "." else "."
        if bare.count(decimal) > 1:
            raise FieldError("number")
        whole, _, part = bare.partition(decimal)
        _check_groups(whole, thousands)
        bare = whole.replace(thousands, "") + "." + part
    elif points + commas > 1:
        _check_groups(bare, "." if points else ",")
        bare = bare.replace(".", "").replace(",", "")
    elif points + commas == 1:
        part = re.split("[.,]", bare)[1]
        if len(part) == 3 and places < 3 and not bare.lstrip("-").startswith("0"):
            raise FieldError("ambiguous")
        bare = bare.replace(",", ".")
    if bare.endswith("."):
        raise FieldError("number")
    return Decimal(bare)


def _check_groups(whole: str, sign: str) -> None:
    if not re.fullmatch(rf"-?[0-9]{{1,3}}(?:{re.escape(sign)}[0-9]{{3}})*", whole):
        raise FieldError("number")


def _decimal(question: Field, text: str, places: int) -> str:
    value = plain_number(text, places=places)
    if abs(value) > LARGEST:
        raise FieldError("large")
    if -int(value.as_tuple().exponent) > places and value != value.quantize(Decimal(1).scaleb(-places)):
        raise FieldError("places", places=str(places))
    if question.minimum is not None and value < question.minimum:
        raise FieldError("small", limit=f"{question.minimum:f}")
    if question.maximum is not None and value > question.maximum:
        raise FieldError("large", limit=f"{question.maximum:f}")
    fixed = value.quantize(Decimal(1).scaleb(-places))
    return f"{abs(fixed) if fixed == 0 else fixed:f}"


def _money(question: Field, text: str, _today: date) -> str:
    return _decimal(question, text, wording.DECIMALS.get(question.currency, 2))


def _number(question: Field, text: str, _today: date) -> str:
    return _decimal(question, text, question.decimals)


def _choice(question: Field, text: str, _today: date) -> str:
    if text not in {each.value for each in question.choices}:
        raise FieldError("choice")
    return text


def _yes_no(_question: Field, text: str, _today: date) -> str:
    if text.lower() in _YES:
        return "yes"
    if text.lower() in _NO:
        return "no"
    raise FieldError("choice")


def _personal_number(question: Field, text: str, _today: date) -> str:
    """Read "19900214-2389", or with its country first where several are possible: "SE 19900214-2389"."""
    named = re.fullmatch(r"(?:([A-Za-z]{2})[ :]+)?(.+)", text, re.DOTALL)
    assert named is not None  # text is not empty
    country = named[1].upper() if named[1] else ""
    if country and country not in question.countries:
        raise FieldError("country")
    scheme, _, number = text.partition(":")
    if scheme in _SCHEME_COUNTRY and _SCHEME_COUNTRY[scheme] in question.countries:  # the stored form itself
        country, named_number = _SCHEME_COUNTRY[scheme], number
    else:
        country, named_number = country or question.countries[0], named[2]
    try:
        subject = normalise_national_id(named_number, country=country)
    except NationalIdError:
        raise FieldError("personal_number") from None
    return f"{subject.scheme}:{subject.value}"


def _computed(_question: Field, _text: str, _today: date) -> str:
    raise FieldError("computed")


_READERS: Mapping[str, Callable[[Field, str, date], str]] = {
    "text": _text,
    "long_text": _text,
    "email": _email,
    "phone": _phone,
    "date": _date,
    "money": _money,
    "percent": _number,
    "number": _number,
    "choice": _choice,
    "yes_no": _yes_no,
    "personal_number": _personal_number,
    "computed": _computed,
}
