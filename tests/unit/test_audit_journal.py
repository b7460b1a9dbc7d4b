"""Entries in words: sentences a lawyer can read, in Swedish and English."""

from datetime import UTC, datetime
from typing import Any

import pytest

from sidecar.domain.audit import KINDS, AuditRecord, Entry, encode
from sidecar.domain.ids import MeetingId
from sidecar.domain.journal import describe
from sidecar.domain.journal_texts import TEXTS

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
NAMES = {"per_maja": "Maja Granlid", "st_elin": "Elin Sjöhage", "per_samir": "Samir Haddin"}
NAMES |= {"p_maja": "Maja Granlid", "p_elin": "Elin Sjöhage"}


def entry(kind: str, actor: str = "per_maja", **data: Any) -> Entry:
    return Entry.of(7, encode(AuditRecord(kind, MeetingId("m_a"), actor, NOON, data)))


@pytest.mark.requirement("R117", "R120")
@pytest.mark.parametrize(
    ("one", "sv", "en"),
    [
        (
            entry("sign_in.completed", provider="bankid", method="bankid-qr", loa="substantial"),
            "Maja Granlid legitimerade sig med BankID, tillitsnivå 3.",
            "Maja Granlid was identified with BankID, level substantial.",
        ),
        (
            entry("consent.given", version="4"),
            "Maja Granlid godkände texten om uppgifter, version 4.",
            "Maja Granlid accepted the text about personal data, version 4.",
        ),
        (
            entry("participant.admitted", "st_elin", person="per_maja"),
            "Elin Sjöhage släppte in Maja Granlid.",
            "Elin Sjöhage let Maja Granlid in.",
        ),
        (
            entry("participant.joined", "per_samir", capacity="observer"),
            "Samir Haddin kom in som observatör.",
            "Samir Haddin came in as observer.",
        ),
        (
            entry("share.refused", "st_elin", surface="monitor", rule="mortgage@7/share_screen"),
            "Nekat: Elin Sjöhage försökte dela hela skärmen. Regel: i bolånemöten delas bara fönster.",
            "Refused: Elin Sjöhage tried to share the whole screen. Rule: i bolånemöten delas bara fönster.",
        ),
        (
            entry("permission.refused", permission="record", rule="band.high/record"),
            "Nekat: Maja Granlid försökte spela in. Regel: band.high/record.",
            "Refused: Maja Granlid tried to record. Rule: band.high/record.",
        ),
        (
            entry("permission.refused", "st_elin", act="share.started", surface="monitor", rule="never/screen"),
            "Nekat: Elin Sjöhage försökte dela hela skärmen. Regel: never/screen.",
            "Refused: Elin Sjöhage tried to share the whole screen. Rule: never/screen.",
        ),
        (
            entry("permission.refused", act="share.started", rule="never/screen"),
            "Nekat: Maja Granlid försökte dela. Regel: never/screen.",
            "Refused: Maja Granlid tried to share. Rule: never/screen.",
        ),
        (
            entry("permission.refused", act="whiteboard.opened", rule="default/refused"),
            "Nekat: Maja Granlid försökte göra något som rollen inte får. Regel: default/refused.",
            "Refused: Maja Granlid tried to do something this role may not. Rule: default/refused.",
        ),
        (
            entry("mute.done", "st_elin", participant="p_elin", target="p_maja", media="audio"),
            "Elin Sjöhage stängde av mikrofonen för Maja Granlid.",
            "Elin Sjöhage turned off Maja Granlid's microphone.",
        ),
        (
            entry("guest.invited", "st_elin", participant="p_elin", capacity="observer"),
            "Elin Sjöhage bjöd in en gäst.",
            "Elin Sjöhage invited a guest.",
        ),
        (entry("hand.raised", raised=False), "Maja Granlid tog ner handen.", "Maja Granlid lowered the hand."),
    ],
)
def test_says_what_happened_in_a_plain_sentence(one: Entry, sv: str, en: str) -> None:
    rules = {"mortgage@7/share_screen": "i bolånemöten delas bara fönster."}

    assert describe(one, "sv", NAMES, rules=rules) == sv
    assert describe(one, "en", NAMES, rules=rules) == en
    assert describe(one, "fi", NAMES, rules=rules) == en


def test_an_erased_person_is_shown_as_the_names_say() -> None:
    names = {"per_maja": "Person A, erased 2 March"}

    assert describe(entry("participant.left"), "en", names) == "Person A, erased 2 March left the meeting."


def test_somebody_without_a_name_is_somebody() -> None:
    assert describe(entry("participant.left", "per_other"), "sv", NAMES) == "Någon lämnade mötet."
    assert describe(entry("meeting.moved", "system"), "en", {}) == "The system moved the meeting to a new time."


def test_a_sentence_never_shows_a_hole_where_a_value_is_missing() -> None:
    assert describe(entry("sign_in.completed"), "sv", NAMES) == "Maja Granlid legitimerade sig."


@pytest.mark.parametrize("language", ["sv", "en"])
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_has_a_sentence_that_needs_no_more_than_the_actor(kind: str, language: str) -> None:
    sentence = describe(entry(kind), language, NAMES)

    assert kind not in sentence
    assert "{" not in sentence
    assert sentence.endswith(".")


def test_there_are_sentences_for_known_kinds_only() -> None:
    assert set(TEXTS) == set(KINDS)


def test_a_plugins_kind_speaks_with_the_plugins_sentence() -> None:
    record = AuditRecord("room.viewed", MeetingId("m_a"), "per_maja", NOON, {"document": "d_1"})
    viewed = Entry.of(0, encode(record, {"room.viewed": "A document was viewed."}))

    own = {"room.viewed": ["{actor} looked at page {page}.", "{actor} looked at {document}."]}
    assert describe(viewed, "en", NAMES, plugin_texts=own) == "Maja Granlid looked at d_1."
    assert describe(viewed, "sv", NAMES) == "Händelse: room.viewed."


def test_a_name_with_braces_is_shown_as_it_is() -> None:
    assert describe(entry("participant.left"), "en", {"per_maja": "{data}"}) == "{data} left the meeting."
