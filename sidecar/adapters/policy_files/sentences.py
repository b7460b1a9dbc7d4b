"""The plain sentences, read and held against each other: every key in every language, a neutral wording last."""

import re
from collections.abc import Mapping

from sidecar.adapters.policy_files.tables import Table
from sidecar.domain.policy import REQUIRED_SENTENCES, Sentences, placeholders


def read_sentences(tables: Mapping[str, Table]) -> Sentences:
    """Return the sentences of every language. tables: language -> its file's table.

    Raises ConfigurationError for a key missing in one language, a wording with a placeholder where a neutral
    one must stand, placeholders that differ between languages, and a sentence the product needs.
    """
    for keys in (REQUIRED_SENTENCES, {key for table in tables.values() for key in table.keys}):
        for table in tables.values():
            for key in sorted(keys):
                if not table.has(key):
                    table.fail(key, "the sentence is missing in this language")
    known = sorted({key for table in tables.values() for key in table.keys})
    variants = {}
    for language, table in tables.items():
        variants[language] = {key: _variants(table, key) for key in known}
        table.done()
    for key in known:
        used = {
            language: {name for variant in texts[key] for name in placeholders(variant)}
            for language, texts in variants.items()
        }
        every = set().union(*used.values())
        for language, names in used.items():
            if names != every:
                tables[language].fail(key, f"lacks the placeholder {', '.join(sorted(every - names))}")
    return Sentences(variants)


def _variants(table: Table, key: str) -> tuple[str, ...]:
    if isinstance(table.raw(key), str):
        found: tuple[str, ...] = (table.text(key),)
    else:
        found = table.names(key, empty=False)
    for variant in found:
        bare = variant
        for name in placeholders(variant):
            bare = re.sub(rf"\{{{name}\}}", "", bare, flags=re.IGNORECASE)
        if "{" in bare or "}" in bare:
            table.fail(key, "a brace that is no placeholder")
    if placeholders(found[-1]):
        table.fail(key, "the last wording may not have a placeholder")
    return found
