"""Templates: what a lawyer got wrong is named with file and key, and nobody can make one hurt the product."""

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.plugin_api import ConfigurationError
from tillit_forms.library import SHIPPED, Library
from tillit_forms.reading import LARGEST_FILE, parse_template, read_template

GOOD = """
name = "small"
version = 1
owner = "Exempelbanken"
reviewed_on = 2026-01-01
next_review = 2027-01-01
in_force_from = 2026-01-01
languages = ["sv"]
signing = ["eid"]
[title]
sv = "Liten"
[about]
sv = "Om"
[[section]]
name = "one"
title = { sv = "Ett" }
[[section.field]]
name = "amount"
type = "money"
label = { sv = "Belopp" }
[[section.field]]
name = "joint"
type = "yes_no"
label = { sv = "Tillsammans" }
when = "amount > 1000"
[[agreement]]
name = "paper"
title = { sv = "Papper" }
[[agreement.clause]]
name = "sum"
when = "amount > 10"
text = { sv = "Beloppet är {amount}." }
"""


def problem(text: str) -> str:
    with pytest.raises(ConfigurationError) as found:
        parse_template(text.encode(), file="template")
    return found.value.detail


def test_the_shipped_forms_load_with_owner_and_review() -> None:
    for file in sorted(SHIPPED.glob("*.toml")):
        template = read_template(file)
        assert template.owner
        assert template.next_review > template.reviewed_on
        assert {"sv", "en"} <= set(template.languages)
    assert {each.name for each in Library.read(None).all()} >= {"mortgage_loan", "gala_order", "know_customer"}


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('when = "amount > 1000"', 'when = "amout > 1000"', "field[2].when: there is no field 'amout' (sign 1)"),
        ('when = "amount > 1000"', 'when = "amount >"', "section[1].field[2].when: expected a field or a value"),
        ('when = "amount > 1000"', 'when = "amount"', "field[2].when: must yield a yes_no, not a number"),
        ('when = "amount > 1000"', 'when = "joint"', "these fields wait for each other: joint"),
        ("{amount}", "{amont}", "agreement[1].clause[1]: there is no field 'amont'"),
        ("{amount}", "{ amount }", "clause[1].text.sv: a brace stands only around the name of a field"),
        ("{amount}", "{amount", "a brace stands only around"),
        ('type = "money"', 'type = "cash"', "section[1].field[1].type: 'cash' is none of"),
        ('type = "money"', 'type = "choice"', "section[1].field[1].choice: belongs to the type choice"),
        ('type = "money"', 'type = "computed"', "section[1].field[1].formula: belongs to the type computed"),
        ('name = "joint"', 'name = "amount"', "section[1].field[2].name: 'amount' is asked twice"),
        ('name = "joint"', 'name = "Joint"', "section[1].field[2].name: 'Joint' is no name"),
        ('name = "joint"', 'name = "joint\\u0000"', "is no name"),
        ("version = 1", 'version = "1"', "version: must be a whole number"),
        ("version = 1", "version = true", "version: must be a whole number"),
        ("version = 1", "versoin = 1", "version: is missing"),
        ('owner = "Exempelbanken"', "", "owner: is missing"),
        ("next_review = 2027-01-01", "next_review = 2025-01-01", "next_review: must come after reviewed_on"),
        ('signing = ["eid"]', 'signing = ["fax"]', "signing: 'fax' is none of eid, sms, touch"),
        ('signing = ["eid"]', "signing = []", "signing: must name at least one"),
        ('signing = ["eid"]', 'signing = ["eid"]\npublish = true', "signer: a form on a public page says which fields"),
        ('languages = ["sv"]', 'languages = ["sv", "en"]', "title.en: is missing"),
        ('sv = "Om"', 'sv = "Om"\nen = "About"', "about.en: is not one of the form's languages"),
        ('sv = "Om"', 'sv = "Om"\n[extra]\na = 1', "extra: is not a key of this table"),
        ('label = { sv = "Belopp" }', 'label = { sv = "Belopp" }\nminimum = 1.5', "must be a whole number or"),
        ('label = { sv = "Belopp" }', 'label = { sv = "Belopp" }\nminimum = "NaN"', "minimum: must be a whole number"),
        ('label = { sv = "Belopp" }', 'label = { sv = "Belopp" }\nearliest = "tomorrow"', "'tomorrow' is no date"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_file_and_key(old: str, new: str, named: str) -> None:
    assert old in GOOD
    assert problem(GOOD.replace(old, new, 1)).startswith("template: ")
    assert named in problem(GOOD.replace(old, new, 1))


def test_a_file_is_called_by_name_and_version(tmp_path: Path) -> None:
    file = tmp_path / "small-2.toml"
    file.write_text(GOOD, "utf-8")

    with pytest.raises(ConfigurationError, match=r"small-2\.toml: name: the file must be called small-1\.toml"):
        read_template(file)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe",
        b"a" * (LARGEST_FILE + 1),
        b"a = " + b"[" * 5000,
        b"\x00",
        b"name = 1",
        b"[[section]]\n" * 100,
    ],
)
def test_what_is_no_template_is_refused(data: bytes) -> None:
    with pytest.raises(ConfigurationError):
        parse_template(data, file="template")


@given(st.text(max_size=200))
def test_no_text_in_a_condition_brings_the_reader_down(text: str) -> None:
    escaped = text.encode("unicode_escape").decode().replace('"', "'").replace("\\x", "\\u00").replace("\\'", "'")
    try:
        parse_template(GOOD.replace("amount > 1000", escaped).encode("utf-8", "replace"), file="template")
    except ConfigurationError as error:
        assert error.detail.startswith("template: ")  # noqa: PT017 - a good condition may come out too


def test_a_begun_form_keeps_its_version_and_a_new_one_takes_what_is_in_force(tmp_path: Path) -> None:
    for version, since in ((1, "2026-01-01"), (2, "2026-06-01"), (3, "2027-06-01")):
        text = GOOD.replace("version = 1", f"version = {version}").replace(
            "in_force_from = 2026-01-01", f"in_force_from = {since}"
        )
        (tmp_path / f"small-{version}.toml").write_text(text, "utf-8")
    library = Library.read(tmp_path)

    assert library.newest("small", date(2026, 5, 31)).version == 1
    assert library.newest("small", date(2026, 11, 21)).version == 2
    assert library.get("small@1").version == 1
