"""Answers become agreements: the right clauses, no holes, the same bytes each time."""

import hashlib
import io
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import date
from typing import Any

import pypdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reportlab.pdfbase.ttfonts import TTFontFile

from tillit_forms.agreement import HOLE, Paper, compose
from tillit_forms.delivery.extracting import as_csv, as_json, cell, extract
from tillit_forms.filling import Standing, stand
from tillit_forms.library import Library
from tillit_forms.pdf import Fonts, UnprintableError, draw

TODAY = date(2026, 11, 21)
LOAN = Library.read(None).get("mortgage_loan@1")
GALA = Library.read(None).get("gala_order@1")
FONTS = Fonts()
WORDS = {"yes": "Ja", "no": "Nej"}
ANSWERS = {
    "borrower_name": "Åse Čáhppe Østergård",
    "borrower_number": "se-personnummer:199002142389",
    "email": "ase@example.org",
    "with_co_borrower": "no",
    "property": "Solrosen 4",
    "property_value": "3000000.00",
    "amount": "2270000.00",
    "rate_type": "floating",
    "rate": "3.85",
    "years": "40",
    "start_date": "2026-12-01",
    "pay_by": "invoice",
    "insurance": "no",
}
TICKETS = {
    "name": "Åsa Öberg",
    "email": "asa@example.org",
    "phone": "+46701740605",
    "tickets": "2",
    "seat": "table",
}


def clauses(standing: Standing) -> list[str]:
    return [clause.name for clause in standing.agreements[0].clauses]


def paper(standing: Standing, language: str = "sv", **more: Any) -> Paper:
    facts = {"brand": "Exempelbanken", "reference": "mortgage_loan@1", "words": WORDS, "language": language}
    return compose(LOAN, standing, standing.agreements[0], **facts, **more)


@pytest.mark.requirement("R094")
@pytest.mark.parametrize(
    ("changed", "has", "has_not"),
    [
        ({}, {"floating", "repay_two"}, {"fixed", "repay_one", "jointly"}),
        ({"rate_type": "fixed_5"}, {"fixed"}, {"floating"}),
        ({"amount": "1800000.00"}, {"repay_one"}, {"repay_two"}),
        ({"amount": "1500000.00"}, set(), {"repay_one", "repay_two"}),
    ],
)
def test_answers_choose_the_clauses(changed: dict[str, str], has: set[str], has_not: set[str]) -> None:
    found = set(clauses(stand(LOAN, ANSWERS | changed, today=TODAY)))

    assert has <= found
    assert not has_not & found


@pytest.mark.requirement("R086")
def test_one_form_yields_several_papers_for_several_recipients() -> None:
    standing = stand(
        LOAN, ANSWERS | {"insurance": "yes", "pay_by": "direct_debit", "account": "8327-9 123"}, today=TODAY
    )

    assert [(each.agreement.name, each.agreement.recipients) for each in standing.agreements] == [
        ("loan", ("parties", "loan_system")),
        ("direct_debit", ("parties", "payments")),
        ("cover", ("parties", "insurer")),
    ]
    assert [each.attachment.name for each in standing.agreements[0].attachments] == ["cover"]


@pytest.mark.requirement("R090")
def test_what_is_missing_is_named_and_nothing_is_complete_without_it() -> None:
    assert stand(LOAN, ANSWERS, today=TODAY).complete
    for name in ANSWERS:
        rest = {each: value for each, value in ANSWERS.items() if each != name}
        gaps = stand(LOAN, rest, today=TODAY).gaps
        assert name in {gap.field for gap in gaps}, name


def test_an_answer_that_was_right_once_is_looked_at_again() -> None:
    """A day of payment that has gone by since, or a value that broke a rule in the store, holds the papers back."""
    [gap] = stand(LOAN, ANSWERS, today=date(2026, 12, 2)).gaps
    assert (gap.field, gap.why, gap.detail) == ("start_date", "wrong", "early")
    assert not stand(LOAN, ANSWERS | {"amount": "=1+1"}, today=TODAY).complete


def test_too_large_a_share_of_the_value_holds_the_form_back() -> None:
    [gap] = stand(LOAN, ANSWERS | {"amount": "2700000.00"}, today=TODAY).gaps
    assert (gap.field, gap.detail) == ("loan_share", "large")


@settings(max_examples=40)
@given(st.dictionaries(st.sampled_from(sorted(LOAN.fields)), st.text(max_size=30), max_size=20))
def test_a_complete_form_has_no_hole_in_any_paper(answers: dict[str, str]) -> None:
    """Whatever is stored: either something is named as missing, or every paper can be written whole."""
    for given_answers in (answers, ANSWERS | answers):
        standing = stand(LOAN, given_answers, today=TODAY)
        if standing.complete:
            for chosen in standing.agreements:
                facts = {"brand": "B", "reference": "r", "words": WORDS, "language": "en"}
                assert HOLE not in compose(LOAN, standing, chosen, **facts).as_text()
        else:
            assert all(gap.field for gap in standing.gaps)


@settings(max_examples=20)
@given(st.permutations(sorted(ANSWERS)))
def test_the_order_of_answers_does_not_matter(order: list[str]) -> None:
    assert stand(LOAN, {name: ANSWERS[name] for name in order}, today=TODAY) == stand(LOAN, ANSWERS, today=TODAY)


def test_the_same_paper_is_the_same_bytes() -> None:
    standing = stand(LOAN, ANSWERS, today=TODAY)

    first, second = (draw(paper(standing), FONTS)[0] for _ in range(2))

    assert hashlib.sha256(first).digest() == hashlib.sha256(second).digest()
    assert draw(paper(standing, "en"), FONTS)[0] != first


@pytest.mark.requirement("R161")
def test_two_papers_made_at_once_keep_each_its_own_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two threads read one font's file from one place: one paper failed, or came out with letters not its own."""
    papers = [paper(stand(LOAN, ANSWERS, today=TODAY), language) for language in ("sv", "en")]
    alone = [draw(each, FONTS)[0] for each in papers]
    both, cut, together = threading.Barrier(2), TTFontFile.makeSubset, []

    def cut_with_company(face: TTFontFile, signs: Any) -> Any:
        with suppress(threading.BrokenBarrierError):
            both.wait(0.3)  # who may read beside another does
            together.append(True)
        return cut(face, signs)

    monkeypatch.setattr(TTFontFile, "makeSubset", cut_with_company)
    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(lambda each: draw(each, FONTS)[0], papers)) == alone
    assert not together


def test_a_paper_is_tagged_titled_and_carries_its_fonts() -> None:
    data, critical = draw(paper(stand(LOAN, ANSWERS, today=TODAY)), FONTS)
    reader = pypdf.PdfReader(io.BytesIO(data))
    root = reader.trailer["/Root"]

    assert (root["/Lang"], reader.metadata.title) == ("sv", "Låneavtal")
    assert root["/MarkInfo"]["/Marked"]
    assert root["/ViewerPreferences"]["/DisplayDocTitle"]
    assert "Åse Čáhppe Østergård" in reader.pages[0].extract_text()
    tree = root["/StructTreeRoot"]
    kinds = [each.get_object()["/S"] for each in tree["/K"][0].get_object()["/K"]]
    assert kinds.count("/H1") == 1
    assert "/Table" in kinds
    assert "/H2" in kinds
    fonts = reader.pages[0]["/Resources"]["/Font"].get_object()
    embedded = [each.get_object() for each in fonts.values()]
    assert all(
        "/FontFile2" in each["/FontDescriptor"].get_object() for each in embedded if each["/Subtype"] == "/TrueType"
    )
    assert [(each.clause, each.page) for each in critical] == [("floating", 1)]
    assert all(0 <= share <= 1 for share in critical[0].box)


def test_a_long_answer_runs_over_pages_and_loses_nothing() -> None:
    words = " ".join(f"ord{number}" for number in range(1500))
    standing = stand(LOAN, ANSWERS | {"property": "x" * 200}, today=TODAY)
    made = paper(standing)
    long = Paper(made.name, made.title, "sv", "B", "r", (*made.blocks, type(made.blocks[0])("text", words)), ())

    reader = pypdf.PdfReader(io.BytesIO(draw(long, FONTS)[0]))

    text = "".join(page.extract_text() for page in reader.pages)
    assert len(reader.pages) > 2
    assert "ord0" in text
    assert "ord1499" in text


def test_a_sign_that_cannot_be_printed_is_refused_rather_than_left_out() -> None:
    with pytest.raises(UnprintableError):
        FONTS.check("Maja 🦊")
    FONTS.check("Čáđŋšŧž åäöæøé €–”")


def test_markup_in_an_answer_is_letters() -> None:
    hostile = "<b>x</b> {amount} &amp; \\n %s (Tj) ET"
    standing = stand(LOAN, ANSWERS | {"property": hostile}, today=TODAY)

    text = pypdf.PdfReader(io.BytesIO(draw(paper(standing), FONTS)[0])).pages[0].extract_text()

    assert "<b>x</b> {amount} &amp; \\n %s (Tj) ET" in text.replace("\n", " ")


@pytest.mark.requirement("R085", "R087")
def test_a_receiver_gets_its_fields_and_no_other() -> None:
    standing = stand(LOAN, ANSWERS | {"insurance": "yes"}, today=TODAY)
    found = {each.to: extract(LOAN, standing, each) for each in standing.deliveries}

    assert set(found) == {"loan_system", "insurer"}
    assert found["insurer"].fields == {
        "name": ANSWERS["borrower_name"],
        "number": ANSWERS["borrower_number"],
        "starts": "2026-12-01",
    }
    assert found["insurer"].agreements == ("cover",)
    _, body = as_json(found["insurer"], id="d1", facts={}, papers=[])
    assert b"2270000" not in body
    assert b"Solrosen" not in body


@pytest.mark.parametrize("text", ["=1+1", "+46701", "-1", "@SUM(A1)", "\t=1", "＝1", "=cmd|' /C calc'!A0"])
def test_a_cell_of_csv_is_never_a_formula(text: str) -> None:
    assert cell(text) == f"'{text}"


@given(st.text(max_size=40))
def test_csv_gives_back_each_answer_behind_at_most_an_apostrophe(text: str) -> None:
    import csv

    standing = stand(GALA, TICKETS, today=TODAY)
    found = extract(GALA, standing, standing.deliveries[0])
    changed = type(found)(found.name, found.to, "csv", {"name": text}, (), (), 30)
    rows = list(csv.reader(io.StringIO(as_csv(changed)[1].decode("utf-8", "replace"), newline="")))
    assert rows[0] == ["name"]
    assert rows[1][0] in (text, f"'{text}")
    assert not rows[1][0].startswith(("=", "+", "-", "@"))


def test_a_ticket_order_adds_up() -> None:
    standing = stand(GALA, TICKETS, today=TODAY)

    assert standing.values["table_sum"] == "2400.00"
    assert "ticket_sum" not in standing.values
    assert clauses(standing) == ["who", "what", "terms"]
    assert clauses(stand(GALA, TICKETS | {"gift": "500.00"}, today=TODAY))[-1] == "gift"
