"""What BankID demands of a request's fields. What it does not know, it refuses.

Source: BankID Relying Party API v6.0, request parameters of auth, sign, phone/auth and phone/sign.
"""

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable
from typing import Any

Check = Callable[[Any], bool]

_OID = re.compile(r"[0-9]+(\.[0-9]+){3,}(\.?\*)?")


class InvalidParametersError(ValueError):
    """A field is missing, unknown or not of its form."""


def validate(endpoint: str, body: dict[str, Any]) -> None:
    """Raise InvalidParametersError unless the body is right. endpoint: "auth", "phone/sign", ..."""
    required, optional = _FIELDS[endpoint]
    _check(body, required, optional, "")


def _check(body: dict[str, Any], required: dict[str, Check], optional: dict[str, Check], inside: str) -> None:
    for field in required:
        if field not in body:
            raise InvalidParametersError(f"{inside}{field} is missing")
    for field, value in body.items():
        check = required.get(field) or optional.get(field)
        if check is None:
            raise InvalidParametersError(f"{inside}{field} is not a parameter")
        if not check(value):
            raise InvalidParametersError(f"{inside}{field} is invalid")
    if not inside and "web" in body and "app" in body:
        raise InvalidParametersError("web and app exclude each other")


def _text(shortest: int, longest: int) -> Check:
    return lambda value: isinstance(value, str) and shortest <= len(value) <= longest


def _base64(longest: int, *, text: bool) -> Check:
    def check(value: Any) -> bool:
        if not isinstance(value, str) or not 1 <= len(value) <= longest:
            return False
        try:
            raw = base64.b64decode(value, validate=True)
            return not text or bool(raw.decode("utf-8"))
        except (binascii.Error, UnicodeDecodeError):
            return False

    return check


def _one_of(*values: str) -> Check:
    return lambda value: isinstance(value, str) and value in values


def _table(fields: dict[str, Check], name: str) -> Check:
    def check(value: Any) -> bool:
        if not isinstance(value, dict):
            return False
        _check(value, {}, fields, f"{name}.")
        return True

    return check


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


def _address(value: Any) -> bool:
    try:
        return isinstance(value, str) and bool(ipaddress.ip_address(value))
    except ValueError:
        return False


def _personal_number(value: Any) -> bool:
    return isinstance(value, str) and bool(re.fullmatch(r"[0-9]{12}", value, re.ASCII))


def _policies(value: Any) -> bool:
    return (
        isinstance(value, list) and bool(value) and all(isinstance(one, str) and _OID.fullmatch(one) for one in value)
    )


_REQUIREMENT_BY_PHONE: dict[str, Check] = {"certificatePolicies": _policies, "pinCode": _flag}
_REQUIREMENT: dict[str, Check] = {
    **_REQUIREMENT_BY_PHONE,
    "personalNumber": _personal_number,
    "mrtd": _flag,
    "cardReader": _one_of("class1", "class2"),
    "risk": _one_of("low", "moderate", "LOW", "MODERATE"),
}
_DEVICE = _text(1, 64)
_WEB: dict[str, Check] = {
    "referringDomain": _text(3, 253),
    "userAgent": _text(1, 100_000),  # BankID cuts it at 256 by itself
    "deviceIdentifier": _DEVICE,
}
_APP: dict[str, Check] = {
    "appIdentifier": _text(1, 253),
    "deviceOS": _text(1, 253),
    "deviceModelName": _text(1, 253),
    "deviceIdentifier": _DEVICE,
}


def _order_fields(*, sign: bool, by_phone: bool) -> tuple[dict[str, Check], dict[str, Check]]:
    visible = _base64(40_000 if sign else 1_500, text=True)
    requirement = _REQUIREMENT_BY_PHONE if by_phone else _REQUIREMENT
    required: dict[str, Check] = {}
    optional: dict[str, Check] = {
        "requirement": _table(requirement, "requirement"),
        "userNonVisibleData": _base64(200_000 if sign else 1_500, text=False),
        "userVisibleDataFormat": _one_of("simpleMarkdownV1"),
    }
    (required if sign else optional)["userVisibleData"] = visible
    if by_phone:
        required |= {"personalNumber": _personal_number, "callInitiator": _one_of("user", "RP")}
    else:
        required["endUserIp"] = _address
        optional |= {
            "returnUrl": _text(1, 512),
            "returnRisk": _flag,
            "web": _table(_WEB, "web"),
            "app": _table(_APP, "app"),
        }
    return required, optional


_ORDER_REF: tuple[dict[str, Check], dict[str, Check]] = ({"orderRef": _text(1, 100)}, {})
_FIELDS = {
    "auth": _order_fields(sign=False, by_phone=False),
    "sign": _order_fields(sign=True, by_phone=False),
    "phone/auth": _order_fields(sign=False, by_phone=True),
    "phone/sign": _order_fields(sign=True, by_phone=True),
    "collect": _ORDER_REF,
    "cancel": _ORDER_REF,
}
ENDPOINTS = tuple(_FIELDS)
