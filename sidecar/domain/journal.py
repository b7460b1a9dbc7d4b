"""Audit entries in words, for the journal page. Names are given; the log itself holds none."""

from collections.abc import Mapping, Sequence
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
    plugin_texts: Mapping[str, Sequence[str]] | None = None,
) -> str:
    """Return one plain sentence that says what happened.

    language: "sv" or "en"; others read the English. names: pseudonym -> name to show ("Maja Granlid", or
    "Person A, erased 2 March"). rules: name of a rule -> the rule in words, in that language.
    plugin_texts: kind -> sentences with {values}, the fullest first, for kinds that plugins added.
    """
    language = language if language in OTHER else "en"
    record = entry.record
    values = _values(entry, language, names)
    if "rule" in values:
        values["rule"] = (rules or {}).get(values["rule"], values["rule"]).removesuffix(".")
    own = (plugin_texts or {}).get(record.kind)
    sentences = own if own is not None else TEXTS.get(record.kind, {}).get(language, ())
    for sentence in sentences:
        wanted = {name for _, name, _, _ in Formatter().parse(sentence) if name}
        on_themselves = {"actor", "person"} <= wanted and values["actor"] == values.get("person")
        if wanted <= values.keys() and not on_themselves:
            return _capital(sentence.format_map(values))
    return OTHER[language].format(kind=record.kind)


def _values(entry: Entry, language: str, names: Mapping[str, str]) -> dict[str, str]:
    """Return what a sentence can name: the data in words, and the people."""
    record = entry.record
    values = {
        key: _in_words(key, value, language) for key, value in record.data.items() if isinstance(value, str | int)
    }
    for key in {"permission", "act"} & values.keys():
        act = ACTS[language].get(values[key], "")
        if "{surface}" in act and "surface" not in values:
            act = act.removesuffix(" {surface}")
        if act:
            values[key] = act.format_map(values)
        else:
            del values[key]  # a plugin's own: the sentence without it says enough
    values["actor"] = _name(record.actor, language, names)
    values.pop("person", None)
    for key in ("person", "target", "participant"):
        if str(record.data.get(key)) in names:
            values["person"] = names[str(record.data[key])]
            break
    return values


def _name(pseudonym: str, language: str, names: Mapping[str, str]) -> str:
    if pseudonym in names:
        return names[pseudonym]
    return THE_SYSTEM[language] if pseudonym == SYSTEM else UNNAMED[language]


def _in_words(key: str, value: Any, language: str) -> str:
    return WORDS[language].get(key, {}).get(str(value), str(value))


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]
