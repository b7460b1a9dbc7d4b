"""Formula mortgage@1: a home loan paid once a month, as annuity or with equal repayments. Never changed again.

Every sum is decimal arithmetic of 34 digits; what a person pays is rounded to hundredths, half up, each month,
and the last payment takes up what rounding left. The effective rate follows Directive 2008/48/EC, annex I: the
yearly rate at which all payments are worth what was paid out, months counted as twelfths of a year.
"""

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from tillit_calculation.inputs import EXACT, Inputs
from tillit_calculation.rates import RateTable

_CENT = Decimal("0.01")
_ONE = Decimal(1)


def calculate(inputs: Inputs, table: RateTable) -> Mapping[str, Any]:
    """Return the figures as JSON values; money and percentages are decimals in text."""
    rate = table.rate(inputs.binding)
    if rate is None:
        raise KeyError(inputs.binding)
    share, months = inputs.share, inputs.years * 12
    nominal = rate.percent + table.addition(share)
    monthly = EXACT.divide(nominal, Decimal(1200))
    rows = _plan(Decimal(inputs.amount), monthly, months, annuity=inputs.repayment == "annuity")
    paid = [interest + repaid + table.monthly_fee for interest, repaid in rows]
    total = sum(paid, Decimal(0)) + table.setup_fee
    interest = sum((each for each, _ in rows), Decimal(0))
    return {
        "nominal": f"{nominal:f}",
        "effective": f"{_effective(Decimal(inputs.amount) - table.setup_fee, paid):f}",
        "share": f"{share.quantize(Decimal('0.1'), ROUND_HALF_UP, EXACT):f}",
        "first_payment": _money(paid[0]),
        "first_interest": _money(rows[0][0]),
        "first_repayment": _money(rows[0][1]),
        "last_payment": _money(paid[-1]),
        "total_interest": _money(interest),
        "total_paid": _money(total),
        "months": months,
        "years": _by_year(Decimal(inputs.amount), rows),
    }


def _plan(amount: Decimal, monthly: Decimal, months: int, *, annuity: bool) -> list[tuple[Decimal, Decimal]]:
    """Return interest and repayment of each month."""
    payment = _annuity(amount, monthly, months)
    straight = _cents(EXACT.divide(amount, Decimal(months)))
    left, rows = amount, []
    for month in range(1, months + 1):
        interest = _cents(EXACT.multiply(left, monthly))
        repaid = max(payment - interest, Decimal(0)) if annuity else straight
        repaid = left if month == months else min(repaid, left)
        left -= repaid
        rows.append((interest, repaid))
    return rows


def _annuity(amount: Decimal, monthly: Decimal, months: int) -> Decimal:
    if monthly == 0:
        return _cents(EXACT.divide(amount, Decimal(months)))
    growth = EXACT.power(EXACT.add(_ONE, monthly), Decimal(months))
    factor = EXACT.divide(EXACT.multiply(monthly, growth), EXACT.subtract(growth, _ONE))
    return _cents(EXACT.multiply(amount, factor))


def _effective(received: Decimal, paid: Sequence[Decimal]) -> Decimal:
    """Return the effective yearly rate in per cent, two decimals. Halving: sure, and the same steps each time."""
    low, high = Decimal(0), _ONE  # the factor of a month lies between
    for _ in range(60):
        factor = EXACT.divide(EXACT.add(low, high), Decimal(2))
        if _worth(paid, factor) > received:
            high = factor
        else:
            low = factor
    yearly = EXACT.divide(_ONE, EXACT.power(factor, Decimal(12)))
    return EXACT.multiply(EXACT.subtract(yearly, _ONE), Decimal(100)).quantize(_CENT, ROUND_HALF_UP, EXACT)


def _worth(paid: Sequence[Decimal], factor: Decimal) -> Decimal:
    """Return what monthly payments are worth at the start, by Horner's rule."""
    worth = Decimal(0)
    for each in reversed(paid):
        worth = EXACT.multiply(EXACT.add(worth, each), factor)
    return worth


def _by_year(amount: Decimal, rows: Sequence[tuple[Decimal, Decimal]]) -> list[dict[str, Any]]:
    left, years = amount, []
    for start in range(0, len(rows), 12):
        year = rows[start : start + 12]
        interest, repaid = (sum((row[at] for row in year), Decimal(0)) for at in (0, 1))
        left -= repaid
        values = {"interest": _money(interest), "repaid": _money(repaid), "left": _money(left)}
        years.append({"year": start // 12 + 1, **values})
    return years


def _cents(value: Decimal) -> Decimal:
    return value.quantize(_CENT, ROUND_HALF_UP, EXACT)


def _money(value: Decimal) -> str:
    return f"{_cents(value):f}"
