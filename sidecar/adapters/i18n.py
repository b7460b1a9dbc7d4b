"""The reader's language: sentences by key, dates and times as people write them, and which language to speak.

Texts live in web/texts/<language>/<area>.toml as flat keys ("lobby.waiting" = "Elin vet ..."), the area
being the first part of the key. Plugins add theirs. A sentence names its values in braces, and **two stars**
around words that carry weight. Nothing in a value is ever markup, and nothing in it is filled again.
"""

import logging
import math
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_datetime, format_timedelta
from babel.units import format_unit
from markupsafe import Markup, escape

from sidecar.domain.errors import ConfigurationError, NotFoundError
from sidecar.domain.message_templates import fill, placeholders

log = logging.getLogger(__name__)

TEXTS = Path(__file__).parents[1] / "web" / "texts"
FALLBACK = "en"

# Each language in its own words, in the order of the language menu.
available_languages: Mapping[str, str] = {
    "sv": "Svenska",
    "nb": "Norsk bokmål",
    "da": "Dansk",
    "fi": "Suomi",
    "nl": "Nederlands",
    "en": "English",
}
# What a browser may send for a language we have: macro languages and a sister we answer in bokmål.
_ALIASES = {"no": "nb", "nn": "nb"}
_LOCALES = {"en": "en_GB"}
# Patterns of CLDR, chosen where a language's own authority writes otherwise than CLDR's default: Swedish,
# Norwegian, Danish and Finnish set a full stop between hours and minutes, Finnish without a leading zero.
_CLOCK = {"sv": "HH.mm", "nb": "HH.mm", "da": "HH.mm", "fi": "H.mm", "nl": "HH:mm", "en": "HH:mm"}
_DAY = {"sv": "d MMMM", "nb": "d. MMMM", "da": "d. MMMM", "fi": "d. MMMM", "nl": "d MMMM", "en": "d MMMM"}


# "kl. 14.00" and a telephone number are read as one word, so a line never ends inside them.
_UNBROKEN = str.maketrans({" ": "\u00a0", "-": "\u2011"})
_CLOCK_WORD = re.compile(r"\b(kl\.|klo) (?=\{)")


class MissingTextError(NotFoundError):
    """No language has this key."""


@dataclass(frozen=True)
class Catalogue:
    """Every sentence: language -> key -> sentence."""

    texts: Mapping[str, Mapping[str, str]]

    def with_texts(self, texts: Mapping[str, Mapping[str, str]], *, owner: str) -> "Catalogue":
        """Return a catalogue that also holds a plugin's sentences.

        Raises ConfigurationError when a language is missing, a key does not begin with "<owner>.", exists
        already, or is not in all six languages with the same placeholders.
        """
        missing = sorted(available_languages.keys() - texts.keys())
        if missing:
            raise ConfigurationError(f"texts of {owner}: no sentences in {', '.join(missing)}")
        problems = differences({language: texts[language] for language in available_languages})
        if problems:
            raise ConfigurationError(f"texts of {owner}: {problems[0]}")
        for key in texts[FALLBACK]:
            if not key.startswith(f"{owner}."):
                raise ConfigurationError(f'texts of {owner}: the key {key} does not begin with "{owner}."')
            if key in self.texts[FALLBACK]:
                raise ConfigurationError(f"texts of {owner}: the key {key} exists already")
        return Catalogue({lang: {**own, **texts.get(lang, {})} for lang, own in self.texts.items()})


def differences(texts: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Return one line for each key that a language lacks, or whose placeholders differ between languages."""
    reference = texts[FALLBACK]
    found: list[str] = []
    for language, own in texts.items():
        found += [f"{language} lacks {key}" for key in sorted(reference.keys() - own.keys())]
        found += [f"only {language} has {key}" for key in sorted(own.keys() - reference.keys())]
        found += [
            f"{language} has other placeholders in {key}"
            for key in sorted(own.keys() & reference.keys())
            if placeholders(own[key]) != placeholders(reference[key])
        ]
    return found


def load_catalogue(folder: Path = TEXTS) -> Catalogue:
    """Read every area of every language. Raises ConfigurationError that names file and key."""
    texts: dict[str, dict[str, str]] = {language: {} for language in available_languages}
    for language, own in texts.items():
        for file in sorted((folder / language).glob("*.toml")):
            for key, sentence in _read(file).items():
                if key.split(".")[0] != file.stem:
                    raise ConfigurationError(f"{language}/{file.name}: the key {key} belongs in another file")
                own[key] = sentence
    return Catalogue(texts)


def _read(file: Path) -> dict[str, str]:
    where = f"{file.parent.name}/{file.name}"
    try:
        with file.open("rb") as opened:
            found = tomllib.load(opened)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{where}: {error}") from error
    for key, sentence in found.items():
        if not isinstance(sentence, str) or not sentence.strip():
            raise ConfigurationError(f"{where}: {key} is not a sentence")
    return found


@lru_cache(maxsize=1)
def own_catalogue() -> Catalogue:
    """Return the product's own texts, read once."""
    return load_catalogue()


def _whole_years(days: int) -> int:
    """Return how many years these days are, each of 365 days or with its leap days; 0 when they are not years."""
    years = days // 365
    return years if days - years * 365 <= (years + 3) // 4 else 0


class Translator:
    """Speaks one language. Called as t("lobby.waiting", adviser="Elin").

    strict: a missing key or value raises (tests); otherwise English answers, then the key itself, and the
    log tells. zone: the clock on the reader's wall, a name such as "Europe/Stockholm".
    """

    def __init__(
        self,
        language: str,
        catalogue: Catalogue | None = None,
        *,
        zone: str = "Europe/Stockholm",
        strict: bool = False,
    ) -> None:
        self.language = language if language in available_languages else FALLBACK
        self.catalogue = catalogue or own_catalogue()
        self.strict = strict
        self.zone: tzinfo = ZoneInfo(zone)
        self.locale = Locale.parse(_LOCALES.get(self.language, self.language))

    def has(self, key: str) -> bool:
        """Say whether this language has the sentence."""
        return key in self.catalogue.texts.get(self.language, {})

    def raw(self, key: str) -> str:
        """Return a sentence unfilled. Strict: raises MissingTextError when this language lacks it."""
        for language in (self.language, FALLBACK):
            found = self.catalogue.texts.get(language, {}).get(key)
            if found is not None:
                return found
            if self.strict:
                raise MissingTextError(f"{language} has no text {key}")
            log.warning("text missing", extra={"key": key, "language": language})
        return key

    def t(self, key: str, **params: object) -> str:
        """Return a sentence as plain text, its stars removed. The template escapes it."""
        return self._filled(self.raw(key).replace("**", ""), params, key)

    __call__ = t

    def html(self, key: str, **params: object) -> Markup:
        """Return a sentence with its **weighty words** as <strong>; every value is escaped."""
        pieces = str(escape(self.raw(key))).split("**")
        marked = "".join(piece if index % 2 == 0 else f"<strong>{piece}</strong>" for index, piece in enumerate(pieces))
        safe = {name: escape(value) for name, value in params.items()}
        return Markup(self._filled(marked, safe, key))  # noqa: S704 - text and every value were escaped above

    def plural(self, key: str, count: int, **params: object) -> str:
        """Return the sentence "<key>.one" or "<key>.other", as the language counts. {count} is filled."""
        form = self.locale.plural_form(count)
        return self.t(f"{key}.{form if form == 'one' else 'other'}", count=count, **params)

    def texts_under(self, prefix: str) -> dict[str, str]:
        """Return the sentences whose keys begin with "<prefix>.", sorted by key."""
        own = self.catalogue.texts.get(self.language, {})
        return {key: own[key] for key in sorted(own) if key.startswith(f"{prefix}.")}

    def _filled(self, text: str, params: Mapping[str, object], key: str) -> str:
        text = _CLOCK_WORD.sub("\\1\u00a0", text)
        if "phone" in params:
            params = {**params, "phone": str(params["phone"]).translate(_UNBROKEN)}
        missing = placeholders(text) - params.keys()
        if not missing:
            return fill(text, params)
        if self.strict:
            raise MissingTextError(f"the text {key} needs {', '.join(sorted(missing))}")
        log.warning("text lacks a value", extra={"key": key, "missing": sorted(missing)})
        return fill(text, {**dict.fromkeys(missing, "…"), **params})

    # Time, as people write it

    def clock(self, moment: datetime) -> str:
        """14.00 in Swedish, 14:00 in English."""
        return self._format(moment, _CLOCK[self.language])

    def date(self, moment: datetime) -> str:
        """tisdag 24 november 2026: the full date."""
        return self._format(moment, f"EEEE {_DAY[self.language]} y")

    def short_date(self, moment: datetime) -> str:
        """24 november 2026."""
        return self._format(moment, f"{_DAY[self.language]} y")

    def day(self, moment: datetime) -> str:
        """tisdag 24 november: the day, the year being clear."""
        return self._format(moment, f"EEEE {_DAY[self.language]}")

    def when(self, moment: datetime, now: datetime) -> str:
        """i dag kl. 14.00, i morgon kl. 14.00, tisdag 24 november kl. 14.00."""
        days = (moment.astimezone(self.zone).date() - now.astimezone(self.zone).date()).days
        name = {0: "today", 1: "tomorrow"}.get(days, "date")
        return self.t(f"common.when.{name}", time=self.clock(moment), date=self.day(moment))

    def period(self, length: timedelta) -> str:
        """tio år as "10 år": whole years where it is years, else months, days or minutes."""
        days = length.days
        if years := _whole_years(days):
            return str(format_unit(years, "duration-year", locale=self.locale))
        if days and days % 30 == 0:
            return str(format_unit(days // 30, "duration-month", locale=self.locale))
        if days:  # not format_unit: CLDR's Dutch has no pattern for "duration-day"
            return str(format_timedelta(timedelta(days=days), "day", threshold=math.inf, locale=self.locale))
        return str(format_unit(int(length.total_seconds()) // 60, "duration-minute", locale=self.locale))

    def method(self, name: str) -> str:
        """Return a way to sign in as it stands inside a sentence: "BankID", "en kod till telefon eller e-post"."""
        for key in (f"{name}.named", f"{name}.title"):
            if self.has(key):
                return self.t(key)
        return name

    def listing(self, items: Sequence[str], *, either: bool = False) -> str:
        """BankID, Freja och MitID; with either=True: BankID, Freja eller MitID."""
        if len(items) < 2:
            return "".join(items)
        joined = ", ".join(items[:-1])
        return self.t("common.list.or" if either else "common.list.and", items=joined, last=items[-1])

    def _format(self, moment: datetime, pattern: str) -> str:
        return str(format_datetime(moment, pattern, tzinfo=self.zone, locale=self.locale))

    def template_globals(self, now: datetime) -> dict[str, Any]:
        """Return what every template may call, by name: the context that base.html documents."""

        def when(moment: datetime) -> str:
            return self.when(moment, now)

        return {
            "t": self.t,
            "th": self.html,
            "plural": self.plural,
            "clock": self.clock,
            "date": self.date,
            "short_date": self.short_date,
            "day": self.day,
            "when": when,
            "period": self.period,
            "listing": self.listing,
            "has_text": self.has,
            "lang": self.language,
        }


def negotiate_language(
    *,
    query: str | None = None,
    cookie: str | None = None,
    invitation: str | None = None,
    accept_language: str | None = None,
    default: str = "sv",
    offered: Iterable[str] = tuple(available_languages),
) -> str:
    """Return the language to speak: just chosen, chosen before, the invitation's, the browser's, the brand's.

    query: the value of ?lang=. cookie: of tillit_language. accept_language: the header as sent, unverified.
    """
    known = set(offered)
    for wanted in (query, cookie, invitation):
        found = _known(wanted, known)
        if found:
            return found
    for wanted in _accepted(accept_language or ""):
        found = _known(wanted, known)
        if found:
            return found
    return default


def _known(wanted: str | None, offered: set[str]) -> str | None:
    tag = (wanted or "").strip().lower().replace("_", "-").split("-")[0]
    tag = _ALIASES.get(tag, tag)
    return tag if tag in offered else None


def _accepted(header: str) -> list[str]:
    """Return the tags of an Accept-Language header, most wanted first. Source: RFC 9110 section 12.5.4."""
    weighted: list[tuple[float, int, str]] = []
    for place, part in enumerate(header[:500].split(",")):
        tag, _, rest = part.partition(";")
        name, _, value = rest.strip().partition("=")
        try:
            weight = float(value) if name.strip() == "q" else 1.0
        except ValueError:
            continue
        if tag.strip() and 0 < weight <= 1:
            weighted.append((-weight, place, tag.strip()))
    return [tag for _, _, tag in sorted(weighted)]


def language_menu(current: str, url_for_language: Callable[[str], str]) -> list[dict[str, Any]]:
    """Return the language menu of base.html: every language in its own words, with this page's address."""
    return [
        {"code": code, "name": name, "url": url_for_language(code), "current": code == current}
        for code, name in available_languages.items()
    ]
