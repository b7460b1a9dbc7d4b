"""Whether an expression fits the fields it reads: found when the template is loaded, not with the customer there."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal as OneOf

from tillit_forms.expressions.parsing import (
    Among,
    Expression,
    ExpressionError,
    Filled,
    Literal,
    Name,
    Negative,
    Node,
    Not,
    Pair,
)


@dataclass(frozen=True)
class Kind:
    """What a field or a part of an expression is. options: a choice's values, empty for any text."""

    name: OneOf["number", "text", "date", "yes_no"]
    options: frozenset[str] = frozenset()


NUMBER, TEXT, DATE, YES_NO = Kind("number"), Kind("text"), Kind("date"), Kind("yes_no")


def check(expression: Expression, fields: Mapping[str, Kind]) -> Kind:
    """Return what the expression yields. Raises ExpressionError for an unknown field or sides that do not fit."""
    return _kind(expression.tree, fields)


def _kind(node: Node, fields: Mapping[str, Kind]) -> Kind:
    match node:
        case Literal():
            return _of_value(node.value)
        case Name():
            return _field(node.name, node.column, fields)
        case Filled():
            _field(node.name, node.column, fields)
            return YES_NO
        case Not():
            _expect(node.inner, YES_NO, fields, node.column)
            return YES_NO
        case Negative():
            _expect(node.inner, NUMBER, fields, node.column)
            return NUMBER
        case Among():
            inner = _kind(node.inner, fields)
            for option in node.options:
                _check_fit(inner, _of_value(option.value), option, option.column)
            return YES_NO
    if node.sign in ("and", "or"):
        _expect(node.left, YES_NO, fields, node.column)
        _expect(node.right, YES_NO, fields, node.column)
        return YES_NO
    if node.sign in ("+", "-", "*", "/"):
        _expect(node.left, NUMBER, fields, node.column)
        _expect(node.right, NUMBER, fields, node.column)
        return NUMBER
    return _comparison(node, fields)


def _comparison(node: Pair, fields: Mapping[str, Kind]) -> Kind:
    left, right = _kind(node.left, fields), _kind(node.right, fields)
    _check_fit(left, right, node.right, node.column)
    _check_fit(right, left, node.left, node.column)
    if node.sign not in ("=", "!=") and left.name not in ("number", "date"):
        raise ExpressionError(f"{node.sign} compares numbers and dates only", node.column)
    return YES_NO


def _check_fit(kind: Kind, other: Kind, node: Node, column: int) -> None:
    if kind.name != other.name:
        raise ExpressionError(f"a {kind.name} is compared with a {other.name}", column)
    if kind.options and isinstance(node, Literal) and node.value not in kind.options:
        raise ExpressionError(f"{node.value!r} is none of {', '.join(sorted(kind.options))}", node.column)


def _expect(node: Node, wanted: Kind, fields: Mapping[str, Kind], column: int) -> None:
    found = _kind(node, fields)
    if found.name != wanted.name:
        raise ExpressionError(f"expected a {wanted.name}, not a {found.name}", column)


def _field(name: str, column: int, fields: Mapping[str, Kind]) -> Kind:
    if name not in fields:
        raise ExpressionError(f"there is no field {name!r}", column)
    return fields[name]


def _of_value(value: Decimal | str | date | bool) -> Kind:
    if isinstance(value, bool):
        return YES_NO
    if isinstance(value, Decimal):
        return NUMBER
    return TEXT if isinstance(value, str) else DATE
