"""The value of a checked expression. Total: every checked expression has an answer for every set of values."""

from collections.abc import Mapping
from datetime import date
from decimal import Context, Decimal, DivisionByZero, InvalidOperation, Overflow, localcontext

from tillit_forms.expressions.parsing import Among, Expression, Filled, Literal, Name, Negative, Node, Not, Pair

Value = Decimal | str | date | bool
_EXACT = Context(prec=60, Emax=400, Emin=-400, traps=[DivisionByZero, InvalidOperation, Overflow])


def evaluate(expression: Expression, values: Mapping[str, Value]) -> Value | None:
    """Return the value; None where a field it needs has none, or a sum has no answer (a division by zero)."""
    with localcontext(_EXACT):
        return _value(expression.tree, values)


def _value(node: Node, values: Mapping[str, Value]) -> Value | None:
    match node:
        case Literal():
            return node.value
        case Name():
            return values.get(node.name)
        case Filled():
            return (node.name in values) is node.wanted
        case Not():
            inner = _value(node.inner, values)
            return None if inner is None else not inner
        case Negative():
            number = _value(node.inner, values)
            return -number if isinstance(number, Decimal) else None
        case Among():
            found = _value(node.inner, values)
            return None if found is None else any(found == option.value for option in node.options)
    if node.sign in ("and", "or"):
        return _logical(node, values)
    left, right = _value(node.left, values), _value(node.right, values)
    if left is None or right is None:
        return None
    if node.sign in ("+", "-", "*", "/"):
        return _sum(node.sign, left, right)
    return _compare(node.sign, left, right)


def _logical(node: Pair, values: Mapping[str, Value]) -> bool | None:
    decisive = node.sign == "or"
    sides = (_value(node.left, values), _value(node.right, values))
    if decisive in sides:
        return decisive
    return None if None in sides else not decisive


def _sum(sign: str, left: Value, right: Value) -> Decimal | None:
    if not isinstance(left, Decimal) or not isinstance(right, Decimal):
        return None
    try:
        if sign == "+":
            return left + right
        if sign == "-":
            return left - right
        return left * right if sign == "*" else left / right
    except (DivisionByZero, InvalidOperation, Overflow):
        return None


def _compare(sign: str, left: Value, right: Value) -> bool:
    if sign == "=":
        return left == right
    if sign == "!=":
        return left != right
    if isinstance(left, Decimal) and isinstance(right, Decimal):
        return _ordered(sign, left < right, left == right)
    if isinstance(left, date) and isinstance(right, date):
        return _ordered(sign, left < right, left == right)
    return False


def _ordered(sign: str, less: bool, same: bool) -> bool:
    return {"<": less, "<=": less or same, ">": not (less or same), ">=": not less}[sign]
