"""Audit entries in words, for the journal page. Names are given; the log itself holds none."""

from collections.abc import Mapping
from string import Formatter
from typing import Any

from sidecar.domain.audit import SYSTEM, Entry
from sidecar.domain.journal_texts import ACTS, OTHER, TEXTS, THE_SYSTEM, UNNAMED, WORDS


def describe(
    entry: Entry,
    language: str,
    names: Mapping[str, str],
    *,
    rules: Mapping[str, str] | None = None,
    plugin_texts: Mapping[str, str] | None = None,
) -> str:
    """Return one plain sentence that says what happened.

    language: "sv" or "en"; others read the English. names: pseudonym -> name to show ("Maja Granlid", or
    "Person A, erased 2 March"). rules: name of a rule -> the rule in words, in that language.
    plugin_texts: kind -> sentence with {values}, for kinds that plugins added.
    """
    language = language if language in OTHER else "en"
    record = entry.record
    values = _values(entry, language, names)
    if "rule" in values:
        values["rule"] = (rules or {}).get(values["rule"], values["rule"]).removesuffix(".")
    own = (plugin_texts or {}).get(record.kind)
    sentences = (own,) if own is not None else TEXTS.get(record.kind, {}).get(language, ())
    for sentence in sentences:
        wanted = {name for _, name, _, _ in Formatter().parse(sentence) if name}
        if wanted <= values.keys():
            return _capital(sentence.format_map(values))
    return OTHER[language].format(kind=record.kind)


def _values(entry: Entry, language: str, names: Mapping[str, str]) -> dict[str, str]:
    """Return what a sentence can name: the data in words, and the people."""
    record = entry.record
    values = {
        key: _in_words(key, value, language) for key, value in record.data.items() if isinstance(value, str | int)
    }
    values["actor"] = _name(record.actor, language, names)
    person = record.data.get("person") or record.data.get("participant")
    if isinstance(person, str) and person in names:
        values["person"] = names[person]
    else:
        values.pop("person", None)
    return values


def _name(pseudonym: str, language: str, names: Mapping[str, str]) -> str:
    if pseudonym in names:
        return names[pseudonym]
    return THE_SYSTEM[language] if pseudonym == SYSTEM else UNNAMED[language]


def _in_words(key: str, value: Any, language: str) -> str:
    if key == "permission":
        return ACTS[language].get(str(value), str(value).replace("_", " "))
    return WORDS[language].get(key, {}).get(str(value), str(value))


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]
