"""Exact figures: right by the books, and the same bytes however often and wherever they are worked out."""

import json
from datetime import date
from decimal import ROUND_DOWN, Decimal, localcontext
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.plugin_api import ConfigurationError, InvalidInputError, NotFoundError
from tillit_calculation.engine import Calculation, calculate, replay
from tillit_calculation.inputs import Inputs, read_inputs
from tillit_calculation.rates import in_force, parse_table, read_tables
from tillit_calculation.settings import SHIPPED

TABLES = read_tables(SHIPPED)
THEN, NOW = TABLES["mortgage@1"], TABLES["mortgage@2"]
LOAN = Inputs(2_270_000, 3_000_000, 40, "floating", "annuity")
# Of the calculation above by mortgage@1, pinned: a formula that was ever used never changes.
PINNED = "1377e151123158bf5dafd8801bbb01c9fe207827d6e5971e582485890a58e346"


def made(inputs: Inputs = LOAN, table: Any = THEN) -> Calculation:
    return calculate(inputs, table, "mortgage@1")


@pytest.mark.requirement("R098", "R209")
def test_a_calculation_replays_byte_for_byte_after_the_rates_changed() -> None:
    then = made()
    assert made(table=NOW).data != then.data

    assert replay(then.data, THEN).data == then.data
    with pytest.raises(NotFoundError):
        replay(then.data, NOW)


@pytest.mark.requirement("R098")
def test_the_bytes_of_a_formula_never_change() -> None:
    assert made().digest == PINNED


def test_the_thread_s_own_arithmetic_does_not_touch_the_figures() -> None:
    with localcontext() as context:
        context.prec, context.rounding = 4, ROUND_DOWN
        assert made().data == made().data
        assert made().digest == PINNED


def test_an_annuity_is_what_the_books_say() -> None:
    """1,200,000 at 4 % over 30 years: 1200000 * (0.04/12) / (1 - (1 + 0.04/12)^-360) = 5728.98 a month."""
    table = parse_table(THEN.source.replace('"3.85"', '"4"').encode(), file="table")

    figures = made(Inputs(1_200_000, 3_000_000, 30, "floating", "annuity"), table).figures

    assert figures["first_payment"] == "5728.98"
    assert figures["first_interest"] == "4000.00"
    assert figures["effective"] == "4.07"  # (1 + 0.04/12)^12 - 1


def test_straight_repayment_falls_month_by_month() -> None:
    figures = made(Inputs(1_200_000, 3_000_000, 10, "floating", "straight")).figures

    assert figures["first_repayment"] == "10000.00"
    assert figures["first_payment"] == "13850.00"
    assert figures["last_payment"] == "10032.08"


def test_a_loan_without_interest_costs_what_it_is() -> None:
    table = parse_table(THEN.source.replace('"3.85"', '"0"').replace('"0.15"', '"0"').encode(), file="table")

    figures = made(table=table).figures

    assert (figures["total_interest"], figures["effective"]) == ("0.00", "0.00")


def test_fees_raise_the_effective_rate_and_not_the_nominal() -> None:
    table = parse_table(THEN.source.replace('setup_fee = "0"', 'setup_fee = "5000"').encode(), file="table")

    assert made(table=table).figures["nominal"] == made().figures["nominal"]
    assert Decimal(made(table=table).figures["effective"]) > Decimal(made().figures["effective"])


def test_a_higher_share_of_the_value_costs_the_addition() -> None:
    assert made(Inputs(2_100_000, 3_000_000, 40, "floating", "annuity")).figures["nominal"] == "3.85"
    assert made(Inputs(2_100_001, 3_000_000, 40, "floating", "annuity")).figures["nominal"] == "4.00"


INPUTS = st.builds(
    Inputs,
    amount=st.integers(50_000, 30_000_000),
    value=st.integers(40_000_000, 10**10),
    years=st.integers(1, 50),
    binding=st.sampled_from(["floating", "fixed_3", "fixed_5"]),
    repayment=st.sampled_from(["annuity", "straight"]),
)


@settings(max_examples=25)
@given(INPUTS)
def test_every_loan_is_paid_back_to_the_last_hundredth(inputs: Inputs) -> None:
    figures = made(inputs).figures
    years = figures["years"]

    assert sum(Decimal(year["repaid"]) for year in years) == inputs.amount
    assert years[-1]["left"] == "0.00"
    assert sum(Decimal(year["interest"]) for year in years) == Decimal(figures["total_interest"])
    assert Decimal(figures["total_paid"]) == inputs.amount + Decimal(figures["total_interest"])
    left = [Decimal(year["left"]) for year in years]
    assert left == sorted(left, reverse=True)
    assert Decimal(figures["effective"]) >= Decimal(figures["nominal"]) - Decimal("0.01")


@settings(max_examples=15)
@given(INPUTS)
def test_what_is_kept_is_enough_to_work_it_out_again(inputs: Inputs) -> None:
    kept = made(inputs).data

    assert replay(kept, THEN).data == kept
    assert json.loads(kept)["table_sha256"] == THEN.digest


GOOD: dict[str, Any] = LOAN.as_values()


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"amount": 49_999}, "amount"),
        ({"amount": 30_000_001}, "amount"),
        ({"amount": 2_270_000.5}, "amount"),
        ({"amount": "2270000,5"}, "amount"),
        ({"amount": True}, "amount"),
        ({"amount": None}, "amount"),
        ({"amount": "1e9"}, "amount"),
        ({"amount": "NaN"}, "amount"),
        ({"amount": "9" * 5000}, "amount"),
        ({"value": 0}, "value"),
        ({"value": 10**11}, "value"),
        ({"years": 0}, "years"),
        ({"years": 51}, "years"),
        ({"binding": "fixed_99"}, "binding"),
        ({"binding": ["floating"]}, "binding"),
        ({"repayment": "never"}, "repayment"),
        ({"value": 2_500_000}, "share"),
        ({"rate": "0"}, "inputs"),
    ],
)
def test_what_cannot_be_chosen_is_refused_by_field(changed: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInputError) as found:
        read_inputs(GOOD | changed, THEN)
    assert found.value.params["field"] == field


@pytest.mark.parametrize("wrong", [None, [], "x", {}, {"amount": 1}])
def test_what_is_no_calculation_is_refused(wrong: object) -> None:
    with pytest.raises(InvalidInputError):
        read_inputs(wrong, THEN)


def test_an_unknown_formula_works_nothing_out() -> None:
    with pytest.raises(NotFoundError):
        calculate(LOAN, THEN, "mortgage@2")


def test_the_newest_table_that_is_in_force_is_used() -> None:
    assert in_force(TABLES, "mortgage", date(2026, 10, 31)) is None
    assert in_force(TABLES, "mortgage", date(2026, 11, 19)) == THEN
    assert in_force(TABLES, "mortgage", date(2026, 11, 21)) == NOW


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('"3.85"', "3.85", "rate[1].percent: must be a decimal in quotes"),
        ('"3.85"', '"1e3"', "rate[1].percent"),
        ('"3.85"', '"-1"', "rate[1].percent"),
        ("version = 1", "version = 0", "version: must be a whole number"),
        ("owner =", "zowner =", "owner: is missing"),
        ("next_review = 2026-12-31", "next_review = 2026-01-01", "next_review: must come after"),
        ('binding = "fixed_3"', 'binding = "floating"', "rate: there must be some"),
        ('above_share = "70"', 'over = "70"', "addition[1]: says above_share and percent"),
    ],
)
def test_a_mistake_in_a_table_is_named_with_file_and_key(old: str, new: str, named: str) -> None:
    assert old in THEN.source
    with pytest.raises(ConfigurationError) as found:
        parse_table(THEN.source.replace(old, new, 1).encode(), file="table")
    assert found.value.detail.startswith("table: ")
    assert named in found.value.detail


def test_a_folder_without_tables_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        read_tables(tmp_path)
