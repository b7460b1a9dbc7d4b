"""The calculator in a meeting: one calculates, all see the same, and what was seen can be shown again."""

from dataclasses import replace
from typing import Any

import pytest

from tillit_calculation.rates import parse_table
from tillit_calculation.settings import SHIPPED

LOAN = {"amount": 2_270_000, "value": 3_000_000, "years": 40, "binding": "floating", "repayment": "annuity"}


@pytest.mark.requirement("R097", "R098", "R209")
def test_each_recalculation_is_kept_with_what_was_adjusted_and_who_saw_it(room: Any) -> None:
    first = room.make().get_json()
    second = room.make(years=30).get_json()
    seen = room.call(room.maja, "GET", "calculations").get_json()

    assert seen["last"] == second["last"]
    assert first["last"]["figures"]["first_payment"] != second["last"]["figures"]["first_payment"]
    made = [each.data for each in room.records("calculation.made")]
    assert [each["changed"] for each in made] == [["amount", "value", "years", "binding", "repayment"], ["years"]]
    assert made[1]["sha256"] == seen["last"]["sha256"]
    assert {"table", "table_sha256", "formula"} <= set(made[0])
    shown = [(each.data["participant"], each.data["n"]) for each in room.records("calculation.shown")]
    assert shown == [(room.elin.place, 1), (room.elin.place, 2), (room.maja.place, 2)]
    assert "2270000" not in repr(room.product.records())


def test_seeing_the_same_figures_again_is_recorded_once(room: Any) -> None:
    room.make()
    for _ in range(3):
        assert room.call(room.maja, "GET", "calculations").status_code == 200

    assert len(room.records("calculation.shown")) == 2


def test_no_figures_are_shown_while_it_cannot_be_recorded_who_saw_them(room: Any) -> None:
    room.make()
    with room.product.dead_audit():
        answer = room.call(room.maja, "GET", "calculations")

    assert answer.status_code == 503
    assert "first_payment" not in answer.text


def test_only_who_may_calculate_does(room: Any) -> None:
    refused = room.call(room.maja, "POST", "calculations", {"inputs": LOAN})

    assert refused.status_code == 403
    assert room.records("calculation.made") == []
    assert room.call(room.maja, "GET", "calculations").get_json()["may"] is False


@pytest.mark.requirement("R098")
def test_it_replays_after_the_bank_changed_and_tidied_away_its_tables(room: Any) -> None:
    kept = room.make().get_json()["last"]
    plugin = room.product.services.plugins.routes()["calculation"][0].handle.__self__  # type: ignore[attr-defined]
    calculations = plugin._calculations
    old = calculations._tables
    edited = parse_table((SHIPPED / "mortgage-2.toml").read_bytes().replace(b'"3.79"', b'"9.99"'), file="table")
    for tables in ({}, {edited.ref: edited}, {edited.ref: replace(edited, version=9)}):
        calculations._tables = tables
        found = room.call(room.maja, "GET", f"calculations/{kept['id']}/replay").get_json()
        assert found == {"same": True, "sha256": kept["sha256"], "kept_sha256": kept["sha256"]}
    calculations._tables = old


def test_a_refusal_says_what_helps(room: Any) -> None:
    answer = room.make(value=2_500_000).get_json()

    assert answer["sentence"] == "Lånet får vara högst 85 procent av bostadens värde."
    assert room.make(amount="<script>").status_code == 409
    assert room.call(room.elin, "POST", "calculations", []).status_code in (400, 422)


def test_going_back_is_a_calculation_of_its_own(room: Any) -> None:
    first = room.make().get_json()
    second = room.make(years=20).get_json()

    back = room.call(room.elin, "POST", "calculations", {"inputs": second["before"], "undo": True}).get_json()

    assert back["last"]["n"] == 3
    assert back["last"]["sha256"] == first["last"]["sha256"]
    assert room.records("calculation.made")[-1].data["undo"] is True


def test_the_same_again_is_no_new_calculation(room: Any) -> None:
    assert room.make().get_json()["last"]["n"] == room.make().get_json()["last"]["n"] == 1


@pytest.mark.requirement("R084")
def test_figures_are_carried_into_the_open_form(room: Any) -> None:
    kept = room.make().get_json()["last"]
    early = room.call(room.elin, "POST", f"calculations/{kept['id']}/carry", {})
    assert early.status_code == 409
    form = room.call(room.elin, "POST", "forms", {"name": "mortgage_loan"}, plugin="forms").get_json()

    done = room.call(room.elin, "POST", f"calculations/{kept['id']}/carry", {})

    assert done.status_code == 200, done.text
    view = room.call(room.maja, "GET", f"forms/{form['id']}", plugin="forms").get_json()
    fields = {field["name"]: field for section in view["sections"] for field in section["fields"]}
    assert fields["amount"]["shown"] == "2\u00a0270\u00a0000\u00a0kr"
    assert fields["rate"]["shown"] == f"{kept['figures']['nominal'].replace('.', ',').rstrip('0')}\u00a0%"
    assert fields["rate_type"]["shown"] == "Tre månader (rörlig)"
    assert len(room.records("forms.field_changed")) == 5


def test_another_meetings_calculation_is_not_here(room: Any) -> None:
    kept = room.make().get_json()["last"]
    other = room.product.book(starts_at=room.product.clock())
    elin = room.product.opens(other)

    assert room.call(elin, "GET", f"calculations/{kept['id']}/replay").status_code in (403, 404)
