"""Plain sentences: one key, six languages, and never a raw brace in what a person reads.

A key has one or more variants, richest first. The first variant whose placeholders all have a value is said;
the last variant has no placeholders. {In_meetings} is {in_meetings} with a capital at the beginning.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sidecar.domain.policy.values import Decision

_PLACEHOLDER = re.compile(r"\{([A-Za-z_]+)\}")
FALLBACK_LANGUAGE = "en"
FALLBACK_KEY = "refused"  # for a decision whose sentence nobody wrote, from a plugin for instance


def placeholders(text: str) -> frozenset[str]:
    """Return the names of a text's placeholders, in small letters."""
    return frozenset(name.lower() for name in _PLACEHOLDER.findall(text))


@dataclass(frozen=True)
class Sentences:
    """Every sentence of the policy.

    variants: language -> key -> wordings. phrases: meeting type reference -> placeholder -> language -> words.
    """

    variants: Mapping[str, Mapping[str, Sequence[str]]]
    phrases: Mapping[str, Mapping[str, Mapping[str, str]]] = field(default_factory=dict)

    @property
    def keys(self) -> frozenset[str]:
        return frozenset(key for texts in self.variants.values() for key in texts)

    def with_texts(self, texts: Mapping[str, Mapping[str, str]]) -> "Sentences":
        """Return these sentences and a plugin's. A key that exists already keeps our words."""
        merged = {
            language: {**{key: (text,) for key, text in texts.get(language, {}).items()}, **own}
            for language, own in self.variants.items()
        }
        return Sentences(merged, self.phrases)

    def say(self, what: Decision | str, language: str, **params: Any) -> str:
        """Return the plain sentence of a decision or a key. See `sentence`."""
        return sentence(what, language, texts=self, **params)


def sentence(what: Decision | str, language: str, *, texts: Sentences, **params: Any) -> str:
    """Return the plain sentence of a decision or of a key, in the reader's language.

    An unknown language reads English. params fill placeholders; without them a neutral variant is said. A value
    that is a mapping holds one text for each language; "type" brings the words of that meeting type.
    Raises KeyError for an unknown key; a decision with an unknown sentence gets a general refusal.
    """
    known = texts.variants.get(language) or texts.variants[FALLBACK_LANGUAGE]
    if isinstance(what, Decision):
        params = {**what.params, **params}
        variants = known.get(what.sentence) or known[FALLBACK_KEY]
    else:
        variants = known[what]
    values = _in_language({**texts.phrases.get(str(params.get("type", "")), {}), **params}, language)
    for variant in variants:
        if placeholders(variant) <= values.keys():
            return _PLACEHOLDER.sub(lambda found: _fill(found.group(1), values), variant)
    return _PLACEHOLDER.sub("", variants[-1])


def _in_language(params: Mapping[str, Any], language: str) -> dict[str, str]:
    values = {}
    for name, value in params.items():
        if isinstance(value, Mapping):
            value = value.get(language) or value.get(FALLBACK_LANGUAGE)
        if value is not None and value != "":
            values[name.lower()] = str(value)
    return values


def _fill(name: str, values: Mapping[str, str]) -> str:
    value = values[name.lower()]
    if name[0].isupper():
        return value[:1].upper() + value[1:]
    return value
