"""The desk's sentences: Swedish and English alike, all used, none missing, in the house's tone."""

import re
from pathlib import Path

import pytest

import sidecar.web
from sidecar.adapters.i18n import differences, own_catalogue
from sidecar.domain.message_templates import MessageKind
from sidecar.domain.permissions import Permission
from sidecar.domain.policy import RAISE_TARGETS

WEB = Path(sidecar.web.__file__).parent
LANGUAGES = ("sv", "en")
SOURCES = [
    *sorted((WEB / "templates" / "staff").glob("*.html")),
    WEB / "templates" / "problems.html",
    WEB / "templates" / "evidence.html",
    *sorted((WEB / "desk").glob("*.py")),
    WEB / "message_templates.py",
    WEB / "app.py",  # what is wrong with an answer: tests/unit/test_field_sentences.py holds each to its reason
]
# "t('desk.book')", 'plural("desk.waiting", ...)', "desk.level." ~ each.band, f"desk.messages.kind.{...}"
_QUOTED = re.compile(r"""["'](desk\.[a-z0-9_.-]+)(\{|["'] ~)?""")
_NOT_SWEDISH = re.compile(r"\b(LoA|KYC|e-leg|tyvärr|oops|Är du säker|användaren|user|meeting|please)\b", re.IGNORECASE)


def texts() -> dict[str, dict[str, str]]:
    return {
        language: {key: text for key, text in own_catalogue().texts[language].items() if key.startswith("desk.")}
        for language in LANGUAGES
    }


def used() -> tuple[set[str], set[str]]:
    """Return the keys named whole and the beginnings of keys that end in a value."""
    whole: set[str] = set()
    begun: set[str] = set()
    for source in SOURCES:
        for key, more in _QUOTED.findall(source.read_text("utf-8")):
            (begun if more or key.endswith(".") else whole).add(key)
    return whole, begun


def test_every_sentence_is_in_swedish_and_english_with_the_same_values() -> None:
    assert differences(texts()) == []


def test_every_key_that_a_page_names_has_a_sentence() -> None:
    known = set(texts()["en"])
    whole, begun = used()
    plurals = {key.rpartition(".")[0] for key in known if key.endswith(".other")}

    assert {key for key in whole if key not in known and key not in plurals} == set()
    assert {key for key in begun if not any(each.startswith(key) for each in known)} == set()


def test_no_sentence_is_left_that_no_page_says() -> None:
    whole, begun = used()
    forms = {f"{key}.{form}" for key in whole for form in ("one", "other")}

    assert {
        key for key in texts()["en"] if key not in whole and key not in forms and not key.startswith(tuple(begun))
    } == set()


def test_permissions_messages_and_raises_each_have_their_words() -> None:
    known = texts()["sv"]

    assert {f"desk.permission.{each}" for each in Permission} <= known.keys()
    assert {f"desk.messages.kind.{each}" for each in MessageKind} <= known.keys()
    narrowing = {each for each in RAISE_TARGETS if each.startswith(("share:", "chat:"))}
    assert {f"desk.raised.{each.replace(':', '.')}" for each in narrowing} <= known.keys()


@pytest.mark.requirement("R016")
@pytest.mark.parametrize("language", LANGUAGES)
def test_sentences_keep_the_house_tone(language: str) -> None:
    for key, text in texts()[language].items():
        assert not set(text) & set("!—"), key
        assert not re.search(r"\s\s|\s$", text), key
        if language == "sv":
            assert not _NOT_SWEDISH.search(text), (key, text)
            assert not re.search(r"\d\d:\d\d", text), key


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_sentence_is_longer_than_one_reads_in_passing(language: str) -> None:
    """About fifteen words; twenty-six where a rule needs its reason in the same breath."""
    for key, text in texts()[language].items():
        for sentence in re.split(r"(?<=[.:])\s", text):
            assert len(sentence.split()) <= 26, (key, sentence)
