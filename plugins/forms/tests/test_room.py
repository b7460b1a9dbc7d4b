"""A form filled in by two people in a meeting: each change recorded by field, nothing repeated that is not theirs."""

import json
from typing import Any

import pytest

from sidecar.domain.permissions import Capacity

NUMBER = "199002142389"  # invented; the check digit is worked out


@pytest.mark.requirement("R084", "R096")
def test_a_value_written_once_stands_everywhere_for_both(room: Any) -> None:
    form = room.begin()
    assert room.fields(form)["borrower_name"]["shown"] == "Maja Granlid"

    view = room.fill(form["id"])

    assert view["complete"]
    assert view["left"] == 0
    papers = {each["key"]: json.dumps(each, ensure_ascii=False) for each in view["papers"]}
    assert set(papers) == {"loan", "direct_debit", "cover"}
    assert all("Maja Granlid" in text for text in papers.values())
    assert "3,85\u00a0%" in papers["loan"]
    assert "2\u00a0270\u00a0000\u00a0kr" in papers["loan"]
    seen_by_maja = room.call(room.maja, "GET", f"forms/{form['id']}").get_json()
    assert seen_by_maja["version"] == view["version"]
    assert seen_by_maja["complete"]


@pytest.mark.requirement("R097")
def test_each_change_is_recorded_by_field_and_never_by_value(room: Any) -> None:
    form = room.begin()
    room.set(room.elin, form["id"], "amount", "2270000")
    room.set(room.elin, form["id"], "amount", "2300000", seen=1)
    room.set(room.maja, form["id"], "borrower_number", NUMBER)

    changes = [each.data for each in room.records("forms.field_changed")]

    assert [(each["field"], each["n"]) for each in changes] == [
        ("amount", 1),
        ("amount", 2),
        ("borrower_number", 1),
    ]
    assert len({each["value_digest"] for each in changes}) == 3
    everything = repr(room.product.records())
    assert "2300000" not in everything
    assert NUMBER not in everything


def test_who_may_answer_what_is_decided_on_the_server(room: Any) -> None:
    form = room.begin()

    by_customer = room.set(room.maja, form["id"], "amount", "1")
    by_adviser = room.set(room.elin, form["id"], "borrower_number", NUMBER)

    for refused in (by_customer, by_adviser):
        assert refused.status_code == 409
        assert refused.get_json()["type"].endswith("#plugin-refused")
    assert room.records("forms.field_changed") == []


def test_a_customer_begins_no_form(room: Any) -> None:
    assert room.call(room.maja, "POST", "forms", {"name": "mortgage_loan"}).status_code == 403
    assert room.call(room.maja, "GET", "forms").get_json()["templates"] == []


def test_two_at_once_the_later_stands_and_is_told_what_it_replaced(room: Any) -> None:
    form = room.begin()
    room.set(room.elin, form["id"], "property", "Solrosen 4")

    late = room.set(room.maja, form["id"], "property", "Solrosen 5", seen=0).get_json()

    assert late["over"] is True
    assert late["before"]["shown"] == "Solrosen 4"
    assert late["before"]["by"] == room.elin.place
    assert room.fields(late)["property"]["shown"] == "Solrosen 5"
    assert [each.data["overwrote"] for each in room.records("forms.field_changed")] == [False, True]
    back = room.set(room.maja, form["id"], "property", late["before"]["value"], seen=2, undo=True).get_json()
    assert room.fields(back)["property"]["shown"] == "Solrosen 4"
    assert room.records("forms.field_changed")[-1].data["undo"] is True


def test_knowing_the_earlier_answer_is_no_conflict(room: Any) -> None:
    form = room.begin()
    room.set(room.elin, form["id"], "property", "Solrosen 4")

    assert room.set(room.maja, form["id"], "property", "Solrosen 5", seen=1).get_json()["over"] is False


def test_the_same_answer_again_changes_and_records_nothing(room: Any) -> None:
    form = room.begin()
    room.set(room.elin, form["id"], "amount", "2 270 000")

    again = room.set(room.elin, form["id"], "amount", "2270000,00", seen=1)

    assert again.status_code == 200
    assert len(room.records("forms.field_changed")) == 1


def test_a_personal_number_is_on_nobodys_screen(room: Any) -> None:
    form = room.begin()
    room.set(room.maja, form["id"], "borrower_number", NUMBER)

    for who in (room.elin, room.maja):
        text = room.call(who, "GET", f"forms/{form['id']}").text
        assert NUMBER not in text
        assert "900214" not in text


WRONG_AMOUNTS: tuple[Any, ...] = (
    "x" * 9000,
    "\u202e0001",
    "<script>1</script>",
    "=1+1",
    "NaN",
    "1e9",
    "-1",
    "99999999999999999999",
    {"a": 1},
    ["1"],
    1.5e300,
    "1,250",
)


def test_what_is_no_amount_is_refused_in_a_sentence_and_keeps_the_old_answer(room: Any) -> None:
    form = room.begin()
    room.set(room.elin, form["id"], "amount", "2270000")

    for wrong in WRONG_AMOUNTS:
        answer = room.set(room.elin, form["id"], "amount", wrong, seen=1)
        assert answer.status_code == 409, wrong
        assert answer.get_json()["sentence"], wrong

    view = room.call(room.elin, "GET", f"forms/{form['id']}").get_json()
    assert room.fields(view)["amount"]["shown"] == "2\u00a0270\u00a0000\u00a0kr"


def test_hostile_text_is_text(room: Any) -> None:
    form = room.begin()
    name = "<img src=x onerror=alert(1)> {amount} {{7*7}}"

    view = room.set(room.elin, form["id"], "property", name).get_json()

    assert room.fields(view)["property"]["shown"] == name
    [paper] = [each for each in view["papers"] if each["key"] == "loan"]
    assert name in [row[1] for block in paper["blocks"] for row in block["rows"]]


def test_papers_wait_for_the_last_answer_and_then_hold_still(room: Any) -> None:
    form = room.begin()
    early = room.call(room.elin, "POST", f"forms/{form['id']}/papers", {})
    assert early.status_code == 409
    room.fill(form["id"])

    ready = room.call(room.elin, "POST", f"forms/{form['id']}/papers", {}).get_json()

    assert ready["state"] == "ready"
    assert [each["key"] for each in ready["files"]] == ["loan", "direct_debit", "cover"]
    digests = [each["sha256"] for each in ready["files"]]
    assert room.records("forms.papers_made")[0].data["papers"] == digests
    assert room.set(room.maja, form["id"], "insurance", "no", seen=1).status_code == 409
    reopened = room.call(room.elin, "POST", f"forms/{form['id']}/reopen", {}).get_json()
    assert reopened["state"] == "open"
    assert reopened["files"] == []


@pytest.mark.requirement("R094")
def test_a_choice_taken_back_takes_its_paper_along_and_its_answer_returns_with_it(room: Any) -> None:
    form = room.begin()
    view = room.fill(form["id"])
    without = room.set(room.maja, form["id"], "pay_by", "invoice", seen=1).get_json()
    assert [each["key"] for each in without["papers"]] == ["loan", "cover"]
    assert "account" not in room.fields(without)

    again = room.set(room.maja, form["id"], "pay_by", "direct_debit", seen=2).get_json()

    assert room.fields(again)["account"]["filled"]
    assert again["complete"] == view["complete"]


def test_another_meetings_form_is_not_here(room: Any) -> None:
    form = room.begin()["id"]
    other = room.product.book(starts_at=room.product.clock())
    elin = room.product.opens(other)
    assert room.product.place_of(other, Capacity.ADVISER).id == elin.place

    for method, path in (("GET", f"forms/{form}"), ("POST", f"forms/{form}/papers"), ("POST", f"forms/{form}/here")):
        assert room.call(elin, method, path, {}).status_code in (403, 404)
    assert room.set(elin, form, "amount", "1").status_code in (403, 404)


def test_nothing_changes_while_nothing_can_be_recorded(room: Any) -> None:
    form = room.begin()
    with room.product.dead_audit():
        assert room.set(room.elin, form["id"], "amount", "2270000").status_code == 503

    view = room.call(room.elin, "GET", f"forms/{form['id']}").get_json()
    assert room.fields(view)["amount"]["filled"] is False


def test_being_in_a_field_is_told_and_leaves_no_trace(room: Any) -> None:
    form = room.begin()
    before = room.product.services.audit.size

    assert room.call(room.maja, "POST", f"forms/{form['id']}/here", {"field": "email"}).status_code == 204
    assert room.call(room.maja, "POST", f"forms/{form['id']}/here", {"field": "nonsense"}).status_code == 404

    assert room.product.services.audit.size == before
