"""What a person sets on the calculator, checked against the table."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation
from typing import Any

from sidecar.plugin_api import InvalidInputError
from tillit_calculation.rates import RateTable

REPAYMENTS = ("annuity", "straight")
YEARS = (1, 50)
MOST_VALUE = Decimal(10) ** 10
FIELDS = ("amount", "value", "years", "binding", "repayment")
# Fixed here and passed by hand: a library that turns the thread's own context must not turn our figures.
EXACT = Context(prec=34, rounding=ROUND_HALF_EVEN, Emin=-6143, Emax=6144)


@dataclass(frozen=True)
class Inputs:
    """amount, value: whole units of the table's currency. years: to repay. repayment: "annuity" or "straight"."""

    amount: int
    value: int
    years: int
    binding: str
    repayment: str

    @property
    def share(self) -> Decimal:
        """Return the loan as per cent of the home's value."""
        return EXACT.divide(Decimal(self.amount) * 100, Decimal(self.value))

    def as_values(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in FIELDS}


def read_inputs(given: object, table: RateTable) -> Inputs:
    """Return the checked inputs. Raises InvalidInputError naming the field; limit: what it broke, if any."""
    if not isinstance(given, Mapping) or set(given) != set(FIELDS):
        raise InvalidInputError("A calculation has amount, value, years, binding and repayment.", field="inputs")
    amount = _whole(given, "amount", int(table.least_amount), int(table.most_amount))
    value = _whole(given, "value", int(table.least_amount), int(MOST_VALUE))
    inputs = Inputs(
        amount=amount,
        value=value,
        years=_whole(given, "years", *YEARS),
        binding=_one_of(given, "binding", [each.binding for each in table.rates]),
        repayment=_one_of(given, "repayment", REPAYMENTS),
    )
    if inputs.share > table.highest_share:
        raise InvalidInputError(
            "The loan is too large a share of the home's value.", field="share", limit=f"{table.highest_share:f}"
        )
    return inputs


def _whole(given: Mapping[str, Any], name: str, low: int, high: int) -> int:
    found = given[name]
    if isinstance(found, str) and len(found) <= 20:
        try:
            number = Decimal("".join(found.split()).replace("\u00a0", "").replace(",", "."))
            found = int(number) if number.is_finite() and number == number.to_integral_value() else None
        except InvalidOperation:
            found = None
    if type(found) is not int:
        raise InvalidInputError(f"{name} is a whole number.", field=name)
    if not low <= found <= high:
        limit = low if found < low else high
        raise InvalidInputError(f"{name} must lie between {low} and {high}.", field=name, limit=str(limit))
    return found


def _one_of(given: Mapping[str, Any], name: str, allowed: object) -> str:
    found = given[name]
    if not isinstance(found, str) or found not in list(allowed):  # type: ignore[call-overload]  # a sequence of str
        raise InvalidInputError(f"{name} is none of those offered.", field=name)
    return found
