"""Typed answers: one stored form each, or a named refusal."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tillit_forms import load_texts, wording
from tillit_forms.fields import Choice, Field, FieldError, masked, read_value, show, typed
from tillit_forms.views import editable

TODAY = date(2026, 11, 21)
WORDS = {"yes": "Ja", "no": "Nej"}


def field(kind: str, **more: Any) -> Field:
    return Field(name="it", kind=kind, label={"sv": "Det"}, **more)


MONEY, PERCENT = field("money"), field("percent", decimals=3)


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("2 270 000", "2270000.00"),
        ("2\u00a0270\u202f000,5 kr", "2270000.50"),
        ("2.270.000,50", "2270000.50"),
        ("2,270,000.50", "2270000.50"),
        ("1.250,5", "1250.50"),
        ("1'250", "1250.00"),
        ("SEK 99", "99.00"),
        ("€12.5", "12.50"),
        (2270000, "2270000.00"),
        (12.5, "12.50"),
        ("-0", "0.00"),
        ("0,00", "0.00"),
    ],
)
def test_an_amount_is_the_same_however_it_is_written(written: object, stored: str) -> None:
    assert read_value(MONEY, written, today=TODAY) == stored


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("1,250", "ambiguous"),
        ("1.250", "ambiguous"),
        ("12,345,6", "number"),
        ("1.2.3", "number"),
        ("1..2", "number"),
        ("1,", "number"),
        ("1.005,123", "places"),
        ("0,001", "places"),
        ("10000000000001", "large"),
        ("ett", "number"),
        ("١٢", "number"),
        ("１２", "number"),
        ("=1+1", "number"),
        (float("nan"), "number"),
        (float("inf"), "number"),
        ([], "form"),
        ({}, "form"),
        ("1\u202e2", "signs"),
        ("1\x00", "signs"),
    ],
)
def test_what_is_no_amount_is_named(written: object, why: str) -> None:
    with pytest.raises(FieldError) as found:
        read_value(MONEY, written, today=TODAY)
    assert found.value.why == why


@given(
    st.decimals(min_value=-(10**12), max_value=10**12, places=2), st.sampled_from(["sv", "nb", "da", "fi", "nl", "en"])
)
def test_an_amount_survives_being_shown_in_its_field_and_read_again(value: Decimal, language: str) -> None:
    stored = read_value(MONEY, str(value), today=TODAY)

    assert read_value(MONEY, editable(MONEY, stored, language), today=TODAY) == stored
    assert typed(MONEY, stored) == value


@given(st.decimals(min_value=0, max_value=100, places=3))
def test_a_percentage_is_a_share_in_conditions_and_reads_back(value: Decimal) -> None:
    stored = read_value(PERCENT, str(value), today=TODAY)

    assert typed(PERCENT, stored) == value / 100
    assert read_value(PERCENT, editable(PERCENT, stored, "sv"), today=TODAY) == stored


@pytest.mark.requirement("R095")
@pytest.mark.parametrize(
    ("written", "countries", "stored"),
    [
        ("19900214-2389", ("SE",), "se-personnummer:199002142389"),
        ("SE 900214-2389", ("SE", "NO"), "se-personnummer:199002142389"),
        ("199002742386", ("SE",), "se-personnummer:199002742386"),  # coordination number
        ("NO 010190 00083", ("SE", "NO"), "no-fodselsnummer:01019000083"),
        ("DK 010190-1234", ("DK",), "dk-cpr:0101901234"),
        ("131052-308t", ("FI",), "fi-hetu:131052-308T"),
        ("NL 111222333", ("SE", "NL"), "nl-bsn:111222333"),
        ("no-fodselsnummer:01019000083", ("SE", "NO"), "no-fodselsnummer:01019000083"),
    ],
)
def test_a_personal_number_is_kept_with_its_country(written: str, countries: tuple[str, ...], stored: str) -> None:
    question = field("personal_number", countries=countries)

    assert read_value(question, written, today=TODAY) == stored
    assert read_value(question, stored, today=TODAY) == stored


@pytest.mark.requirement("R095")
@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("199002142388", "personal_number"),
        ("NO 19900214-2389", "personal_number"),
        ("DE 123", "country"),
        ("dk-cpr:0101901234", "personal_number"),
        ("SE ", "personal_number"),
        ("SE", "personal_number"),
        ("19900214-2389; DROP", "personal_number"),
    ],
)
def test_a_wrong_number_is_refused_and_not_repeated(written: str, why: str) -> None:
    with pytest.raises(FieldError) as found:
        read_value(field("personal_number", countries=("SE", "NO")), written, today=TODAY)
    assert found.value.why == why
    assert written not in str(found.value)


def test_a_masked_number_tells_its_last_two_signs_at_most() -> None:
    shown = masked(field("personal_number"), "se-personnummer:199002142389")

    assert shown.endswith("89")
    assert "199002" not in shown
    assert "2389" not in shown
    assert masked(field("text"), "kort") == "••••••••"


@pytest.mark.requirement("R095")
@pytest.mark.parametrize(
    ("written", "answer"),
    [
        ("2026-12-01", "2026-12-01"),
        ("2026-11-21", "2026-11-21"),
        ("2026-11-20", "early"),
        ("2027-01-01", "late"),
        ("2026-02-30", "date"),
        ("1/12 2026", "date"),
        ("20261201", "date"),
        ("2026-W49-1", "date"),
        ("0001-01-01", "date"),
    ],
)
def test_a_date_is_a_day_within_its_limits(written: str, answer: str) -> None:
    question = field("date", earliest="today", latest="today+40")
    try:
        found = read_value(question, written, today=TODAY)
    except FieldError as error:
        found = error.why
    assert found == answer


def test_contact_details_have_one_form() -> None:
    assert read_value(field("phone", countries=("SE",)), "070-174 06 05", today=TODAY) == "+46701740605"
    assert read_value(field("email"), " Maja@Example.ORG ", today=TODAY).endswith("@example.org")
    for kind, wrong in (("phone", "abc"), ("email", "maja@"), ("email", "a b@c.se"), ("phone", "1")):
        with pytest.raises(FieldError):
            read_value(field(kind), wrong, today=TODAY)


def test_a_choice_is_one_of_those_offered_and_nothing_else() -> None:
    question = field("choice", choices=(Choice("a", {"sv": "A"}), Choice("b", {"sv": "B"})))

    assert read_value(question, "a", today=TODAY) == "a"
    for wrong in ("A", "c", "a b", "a\n"[:1] + "\u200b"):
        with pytest.raises(FieldError):
            read_value(question, wrong, today=TODAY)


KNOWN = frozenset(
    key.removeprefix("forms.wrong.") for key in load_texts()["en"] if key.startswith("forms.wrong.")
)  # each has its sentence
KINDS = st.sampled_from(
    ["text", "long_text", "email", "phone", "date", "money", "percent", "number", "yes_no", "personal_number"]
)
WRITTEN = st.one_of(
    st.text(max_size=60),
    st.integers(),
    st.floats(),
    st.booleans(),
    st.none(),
    st.lists(st.text(max_size=3), max_size=2),
)


@given(KINDS, WRITTEN)
def test_whatever_is_written_is_refused_by_name_or_kept_in_a_form_that_reads_back(kind: str, written: object) -> None:
    question = field(kind)
    try:
        stored = read_value(question, written, today=TODAY)
    except FieldError as error:
        assert error.why in KNOWN  # noqa: PT017 - which refusals there are is the point
        return
    assert read_value(question, stored, today=TODAY) == stored
    if stored:
        typed(question, stored)
        assert show(question, stored, "sv", words=WORDS)
        assert not any(sign in stored for sign in "\x00\u202e\u200b")


@pytest.mark.parametrize(
    ("language", "shown"),
    [
        ("sv", "2\u00a0270\u00a0000,50\u00a0kr"),
        ("nb", "2\u00a0270\u00a0000,50\u00a0kr"),
        ("da", "2.270.000,50\u00a0kr"),
        ("fi", "2\u00a0270\u00a0000,50\u00a0kr"),
        ("nl", "kr\u00a02.270.000,50"),
        ("en", "SEK\u00a02,270,000.50"),
    ],
)
def test_an_amount_is_written_as_its_readers_write(language: str, shown: str) -> None:
    assert wording.money(Decimal("2270000.50"), "SEK", language) == shown


def test_a_day_is_written_in_words() -> None:
    assert wording.day(date(2026, 12, 1), "sv") == "1 december 2026"
    assert wording.day(date(2026, 12, 1), "nb") == "1. desember 2026"
    assert wording.day(date(2026, 12, 1), "fi") == "1. joulukuuta 2026"
