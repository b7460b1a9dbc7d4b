"""A number is kept in one form or not at all: what passes must be findable again, and nothing is repeated aloud."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.domain import national_ids
from sidecar.domain.identity import Subject
from sidecar.domain.national_ids import NationalIdError, normalise

# All invented; the check digits are worked out, nobody was born with them.
MAJA = "199002142389"


def luhn(nine: str) -> str:
    """Return the check digit of the nine digits before it."""
    total = sum(sum(divmod(int(digit) * (2 - place % 2), 10)) for place, digit in enumerate(nine))
    return str(-total % 10)


def swedish(date: str, serial: str = "238") -> str:
    """Return the twelve digits for a birth date of eight."""
    return date + serial + luhn(date[2:] + serial)


@pytest.mark.requirement("R095")
@pytest.mark.parametrize(
    "written", [MAJA, "19900214-2389", "900214-2389", "9002142389", " 1990 0214 2389 ", "900214\t2389"]
)
def test_a_swedish_number_is_the_same_however_it_is_written(written: str) -> None:
    assert normalise(written, country="SE") == Subject("se-personnummer", MAJA)
    assert normalise(written, country="se") == Subject("se-personnummer", MAJA)


@pytest.mark.requirement("R095")
def test_a_coordination_number_counts_sixty_days_more() -> None:
    number = swedish("19900274")

    assert normalise(number, country="SE").value == number


@pytest.mark.parametrize(
    ("written", "full"),
    [
        ("261120", "20261120"),  # born the day before
        ("261121", "20261121"),  # born today
        ("261122", "19261122"),  # not born yet this century: close to a hundred years old
        ("270101", "19270101"),
        ("990101", "19990101"),
    ],
)
def test_the_century_of_ten_digits_is_the_latest_that_is_past(
    written: str, full: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(national_ids, "utc_now", lambda: datetime(2026, 11, 21, 12, tzinfo=UTC))
    number = swedish(full)

    assert normalise(f"{written}-{number[8:]}", country="SE").value == number


def test_a_plus_says_a_hundred_years_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(national_ids, "utc_now", lambda: datetime(2026, 11, 21, 12, tzinfo=UTC))
    number = swedish("19161120")

    assert normalise(f"161120+{number[8:]}", country="SE").value == number


@pytest.mark.requirement("R095")
@pytest.mark.parametrize(
    ("country", "wrong"),
    [
        ("SE", "199002142388"),  # check digit
        ("SE", "19900214238"),
        ("SE", "1990021423890"),
        ("SE", swedish("19900230")),  # no such day
        ("SE", swedish("19901314")),
        ("SE", swedish("19900260")),  # a coordination number has a day too
        ("SE", swedish("21900214")),  # no such century
        ("SE", swedish("20990214")),  # not born yet
        ("SE", "１９９００２１４２３８９"),  # digits of another script would be kept as they are, and never found
        ("SE", "١٩٩٠٠٢١٤٢٣٨٩"),
        ("SE", ""),
        ("SE", "maja"),
        ("SE", "199002142389; DROP TABLE people"),
        ("NO", "00000000000"),
        ("NO", "01010112346"),
        ("NO", "0101011234"),
        ("DK", "0000000000"),
        ("DK", "3213900000"),
        ("DK", "010190123"),
        ("FI", "131052-308U"),
        ("FI", "311352-308T"),
        ("FI", "131052*308T"),
        ("NL", "000000000"),
        ("NL", "123456789"),
        ("NL", "12345678"),
        ("XX", MAJA),
        ("", MAJA),
    ],
)
def test_what_is_no_number_is_refused_without_repeating_it(country: str, wrong: str) -> None:
    with pytest.raises(NationalIdError) as refused:
        normalise(wrong, country=country)
    assert not wrong or wrong not in str(refused.value)


@pytest.mark.requirement("R005")
@pytest.mark.parametrize(
    ("country", "written", "kept"),
    [
        ("NO", "010190 00083", Subject("no-fodselsnummer", "01019000083")),
        ("DK", "010190-1234", Subject("dk-cpr", "0101901234")),
        ("FI", "131052-308t", Subject("fi-hetu", "131052-308T")),
        ("NL", "111222333", Subject("nl-bsn", "111222333")),
    ],
)
def test_the_neighbours_numbers_have_one_form_too(country: str, written: str, kept: Subject) -> None:
    assert normalise(written, country=country) == kept


@given(st.text(max_size=20), st.sampled_from(["SE", "NO", "DK", "FI", "NL"]))
def test_whatever_is_typed_is_refused_or_kept_in_plain_signs_that_pass_again(text: str, country: str) -> None:
    try:
        kept = normalise(text, country=country)
    except NationalIdError:
        return
    assert kept.value.isascii()
    assert normalise(kept.value, country=country) == kept


def test_a_number_is_in_no_text_about_its_subject() -> None:
    assert MAJA not in repr(normalise(MAJA, country="SE"))
