"""Keeps personal data and content out of the audit log: a second look, after everybody was careful.

It refuses what looks like an address, a number or a picture of content. It cannot know a name when it sees
one; names are kept out by keys ("name", "city", ...) and by the pseudonyms the callers hold.
"""

import ipaddress
import re
from functools import lru_cache

from sidecar.domain.errors import TillitError

LONGEST_TEXT = 512  # characters: fingerprints, rules and digests fit, prose and pictures do not


class PersonalDataError(TillitError):
    """A record carries something that looks like personal data or content. params: field, looks_like."""

    slug = "personal-data-in-record"


_PERSONAL = frozenset(
    {"name", "names", "givenname", "surname", "fullname", "email", "mail", "epost", "phone", "telephone"}
    | {"mobile", "msisdn", "tel", "address", "street", "city", "postcode", "postal", "zip", "personnummer"}
    | {"personalnumber", "pnr", "ssn", "nationalid", "fodselsnummer", "cpr", "hetu", "bsn", "birthdate"}
    | {"birthday", "dob", "ip", "ipaddress", "useragent", "photo", "picture", "image", "avatar", "latitude"}
    | {"longitude", "geolocation"}
)
_CONTENT = frozenset(
    {"body", "message", "text", "note", "notes", "comment", "content", "html"}
    | {"password", "secret", "pin", "otp", "code"}
)
# A digest, count or version of content says nothing of it. A digest of an address can be guessed back.
_HARMLESS_ENDINGS = frozenset({"sha256", "digest", "count", "version", "bytes", "id", "status", "type", "kind"})

_HARMLESS = re.compile(
    r"[A-Za-z_ :/()'-]*"  # no digit, no @: nothing below can match
    r"|[a-z]{1,8}_[2-9a-z]{20}"  # our own ids
    r"|(?:sha256:)?[0-9a-f]{32,128}"
    r"|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"  # UUID
    r"|(?:[0-9A-Fa-f]{2}:){15,63}[0-9A-Fa-f]{2}"  # certificate fingerprint
    r"|\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:Z|[+-]\d\d:\d\d))?"  # RFC 3339
)
_EMAIL = re.compile(r"[^\s@]+@[^\s@]+\.[A-Za-z]{2,}|[^\s@]+@localhost\b")
_PHONE = re.compile(
    r"(?<![\w+])(?:\+|00)[1-9]\d{0,2}[\s().-]*\d(?:[\s().-]*\d){5,11}(?![\w])"  # international
    r"|(?<![\w.,-])0\d{1,3}[\s-]?\d{2,4}(?:[\s-]?\d{2,4}){1,3}(?![\w.,])"  # Sweden, Finland
    r"|(?<![\w.,-])\d{2} \d{2} \d{2} \d{2}(?![\w])"  # Denmark, Norway
    r"|(?<![\w.,-])\d{3} \d{2} \d{3}(?![\w])"  # Norway, mobile
)
_DIGITS = re.compile(r"(?<![\w.,])\d{10,12}(?![\w.,]\d|\w)")
_SWEDISH = re.compile(r"(?<![\w-])(?:18|19|20)?\d{6}[-+ ]\d{4}(?!\w)")
_NORWEGIAN = re.compile(r"(?<![\w-])\d{6} \d{5}(?!\w)")
_FINNISH = re.compile(r"(?<![\w-])[0-3]\d[01]\d{3}[-+A-FU-Ya-fu-y]\d{3}[0-9A-Ya-y](?!\w)")
_IPV4 = re.compile(r"(?<![\w.])(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?:25[0-5]|2[0-4]\d|1?\d?\d)){3}(?![\w.]\d|\w)")
_IPV6 = re.compile(r"(?<![\w:])[0-9A-Fa-f:.]{2,45}(?![\w:])")


def check_key(key: str, where: str) -> None:
    """Raise PersonalDataError for a key that names personal data or content."""
    found = _named_by(key)
    if found is not None:
        raise PersonalDataError(f"the key {where} names personal data or content", field=where, looks_like=found)


@lru_cache(maxsize=4096)
def _named_by(key: str) -> str | None:
    words = key.lower().replace("-", "_").split("_")
    for word in (*words, "".join(words)):
        if word in _PERSONAL or (word in _CONTENT and words[-1] not in _HARMLESS_ENDINGS):
            return word
    return None


def check_text(text: str, where: str) -> None:
    """Raise PersonalDataError for a text that looks like personal data or is long enough to be content."""
    if len(text) > LONGEST_TEXT:
        raise PersonalDataError(f"{where} is {len(text)} characters long", field=where, looks_like="content")
    if _HARMLESS.fullmatch(text):
        return
    found = looks_like(text)
    if found is not None:
        raise PersonalDataError(f"{where} looks like {found}", field=where, looks_like=found)


def check_number(number: int, where: str) -> None:
    """Raise PersonalDataError for a whole number that passes a personal number's own check digits."""
    written = str(number)
    if any(
        len(written) in (length, length - 1) and check(written.zfill(length))  # a leading zero is lost
        for length, check in _CHECKED
    ):
        raise PersonalDataError(f"{where} looks like a personal number", field=where, looks_like="a personal number")


def looks_like(text: str) -> str | None:
    """Return what kind of personal data a text looks like, or None."""
    if _EMAIL.search(text):
        return "an e-mail address"
    if _SWEDISH.search(text) or _NORWEGIAN.search(text) or _FINNISH.search(text):
        return "a personal number"
    if any(_is_personal_number(digits) for digits in _DIGITS.findall(text)):
        return "a personal number"
    if _PHONE.search(text):
        return "a phone number"
    if _IPV4.search(text) or (text.count(":") > 1 and any(map(_is_ipv6, _IPV6.findall(text)))):
        return "an IP address"
    return None


def _is_personal_number(digits: str) -> bool:
    """In a text, the form alone is enough: dates in front, whatever the check digits say."""
    if len(digits) == 12:
        return digits[:2] in ("18", "19", "20") and _month_day(digits[4:6], digits[6:8])
    if len(digits) == 11:  # Norway: D-numbers add 40 to the day, H- and test numbers 40 or 80 to the month
        return _month_day(str(int(digits[2:4]) % 40), str(int(digits[:2]) % 40))
    return _month_day(digits[2:4], digits[4:6]) or _month_day(digits[2:4], digits[:2])


def _month_day(month: str, day: str) -> bool:
    # Swedish coordination numbers add 60 to the day: Skatteverket SKV 704.
    return 1 <= int(month) <= 12 and 1 <= int(day) % 60 <= 31


def _luhn(digits: str) -> bool:
    total = 0
    for place, digit in enumerate(int(sign) for sign in digits):
        doubled = digit * 2 if place % 2 == 0 else digit
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0


def _swedish(digits: str) -> bool:
    return digits[0] != "0" and _is_personal_number(digits) and _luhn(digits[-10:])


def _swedish_short(digits: str) -> bool:
    return _month_day(digits[2:4], digits[4:6]) and _luhn(digits)


def _danish(digits: str) -> bool:
    weights = (4, 3, 2, 7, 6, 5, 4, 3, 2, 1)
    return (
        _month_day(digits[2:4], digits[:2])
        and sum(weight * int(digit) for weight, digit in zip(weights, digits, strict=True)) % 11 == 0
    )


def _norwegian(digits: str) -> bool:
    first = (3, 7, 6, 1, 8, 9, 4, 5, 2, 1, 0)
    second = (5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1)
    return _is_personal_number(digits) and all(
        sum(weight * int(digit) for weight, digit in zip(weights, digits, strict=True)) % 11 == 0
        for weights in (first, second)
    )


def _is_ipv6(text: str) -> bool:
    try:
        return ipaddress.ip_address(text).version == 6
    except ValueError:
        return False


_CHECKED = ((12, _swedish), (10, _swedish_short), (10, _danish), (11, _norwegian))
