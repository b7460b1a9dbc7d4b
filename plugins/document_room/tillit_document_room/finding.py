"""The archive's index: words of names and cases, as keyed digests, so that the index tells nothing by itself.

A word's record lists the documents that have it. Deleting a document takes it out of each.
"""

import hashlib
import hmac
import re
import unicodedata
from collections.abc import Callable, Sequence
from contextlib import suppress

from sidecar.plugin_api import NotFoundError, Records
from tillit_document_room import shelf
from tillit_document_room.model import Document

_WORDS = "word"
_WORD = re.compile(r"\w+")
_PREFIXES = (3, 4, 5, 6, 8, 10)  # a word is found by its beginning too
_MOST = 20_000  # documents one word lists, within a record's megabyte
_ASKED = 8


class Index:
    """Finds documents by words. key: of the digests; another key finds nothing."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def add(self, records: Records, document: Document) -> None:
        """List a document under each of its words."""
        for term in self._terms(document):
            _change(records, term, lambda listed: [*(each for each in listed if each != document.id), document.id])

    def remove(self, records: Records, document: Document) -> None:
        for term in self._terms(document):
            _change(records, term, lambda listed: [each for each in listed if each != document.id])

    def search(
        self, records: Records, words: str, *, may_find: Callable[[Document], bool], limit: int
    ) -> list[Document]:
        """Return the documents that have all the words and that may be found, the newest first."""
        wanted = split(words)[:_ASKED]
        lists = []
        for word in wanted:
            with suppress(NotFoundError):
                lists.append(records.get(_WORDS, self._digest(_indexed(word))).body["documents"])
        if not wanted or len(lists) < len(wanted):
            return []
        common = set(lists[0]).intersection(*lists[1:])
        found: list[Document] = []
        for id in reversed([each for each in lists[0] if each in common]):
            with suppress(NotFoundError):
                document, _ = shelf.document(records, id)
                if _has_all(document, wanted) and may_find(document):
                    found.append(document)
            if len(found) == limit:
                break
        return found

    def _terms(self, document: Document) -> set[str]:
        words = set(_words_of(document))
        beginnings = {word[:length] for word in words for length in _PREFIXES if length < len(word)}
        return {self._digest(each) for each in words | beginnings}

    def _digest(self, word: str) -> str:
        return hmac.new(self._key, word.encode(), hashlib.sha256).hexdigest()[:40]


def split(words: str) -> list[str]:
    """Return the words in plain letters, lower case."""
    plain = unicodedata.normalize("NFKD", words.casefold())
    return _WORD.findall("".join(sign for sign in plain if not unicodedata.combining(sign)).replace("_", " "))


def _words_of(document: Document) -> list[str]:
    year = (document.dated or document.created_at.isoformat())[:4]
    digests = " ".join(version.sha256[:12] for version in document.versions)
    return split(f"{document.name} {document.case} {document.meeting} {year} {document.origin} {digests}")


def _has_all(document: Document, words: Sequence[str]) -> bool:
    own = _words_of(document)
    return all(any(each.startswith(word) for each in own) for word in words)


def _indexed(word: str) -> str:
    """Return the longest beginning that is indexed for every longer word; `_has_all` looks at the rest."""
    return word[: max((length for length in _PREFIXES if length <= len(word)), default=len(word))]


def _change(records: Records, term: str, how: Callable[[list[str]], list[str]]) -> None:
    try:
        record = records.get(_WORDS, term)
        listed, version = list(record.body["documents"]), record.version
    except NotFoundError:
        listed, version = [], 0
    changed = how(listed)[-_MOST:]
    if changed:
        records.put(_WORDS, term, {"documents": changed}, expected=version)
    elif version:
        records.drop(_WORDS, term)
