"""National identity numbers in one stored form per country, checked where a check digit can be trusted.

Never logged, never shown. Sources: Skatteverket SKV 704 and 707, Skatteetaten, CPR-kontoret (check digit
dropped 2007), Digital- och befolkningsdatabyrån, Wet algemene bepalingen burgerservicenummer.
"""

import re
from datetime import date

from sidecar.domain.clock import utc_now
from sidecar.domain.identity import Subject

_FI_CENTURY = {"+": 1800} | dict.fromkeys("-YXWVU", 1900) | dict.fromkeys("ABCDEF", 2000)
_FI_CHECK = "0123456789ABCDEFHJKLMNPRSTUVWXY"


class NationalIdError(ValueError):
    """This is not a number of that country. The message never repeats the number."""


def normalise(text: str, *, country: str) -> Subject:
    """Return the number as a Subject, for example se-personnummer with 12 digits.

    text: as a person writes it. country: ISO 3166-1 alpha-2. Raises NationalIdError.
    """
    checks = {"SE": _se, "NO": _no, "DK": _dk, "FI": _fi, "NL": _nl}
    check = checks.get(country.upper())
    if check is None:
        raise NationalIdError("numbers of this country are not known here")
    return check(re.sub(r"\s", "", text).upper())


def _se(text: str) -> Subject:
    match = re.fullmatch(r"(\d{2})?(\d{6})([-+]?)(\d{4})", text)
    if match is None:
        raise NationalIdError("a Swedish personal number has twelve digits, year first")
    century, six, sign, four = match.groups()
    if century is None:
        this_year = utc_now().year  # the century of a ten-digit number depends on today
        year = this_year - (this_year - int(six[:2])) % 100 - (100 if sign == "+" else 0)
        century = f"{year // 100:02d}"
    day = int(six[4:])
    _real_date(int(century + six[:2]), int(six[2:4]), day - 60 if day > 60 else day)
    total = sum(sum(divmod(int(digit) * (2 - i % 2), 10)) for i, digit in enumerate(six + four))
    if total % 10:
        raise NationalIdError("the last digit of this number does not fit the others")
    return Subject("se-personnummer", century + six + four)


def _no(text: str) -> Subject:
    if not re.fullmatch(r"\d{11}", text):
        raise NationalIdError("a Norwegian number has eleven digits")
    digits = [int(digit) for digit in text]
    for weights, at in (((3, 7, 6, 1, 8, 9, 4, 5, 2), 9), ((5, 4, 3, 2, 7, 6, 5, 4, 3, 2), 10)):
        check = (11 - sum(w * d for w, d in zip(weights, digits, strict=False)) % 11) % 11
        if check != digits[at]:
            raise NationalIdError("the last digits of this number do not fit the others")
    return Subject("no-fodselsnummer", text)


def _dk(text: str) -> Subject:
    number = text.replace("-", "")
    if not re.fullmatch(r"\d{10}", number) or not 1 <= int(number[2:4]) <= 12:
        raise NationalIdError("a Danish CPR number has ten digits, day first")
    return Subject("dk-cpr", number)


def _fi(text: str) -> Subject:
    match = re.fullmatch(r"(\d{2})(\d{2})(\d{2})([-+YXWVUABCDEF])(\d{3})([0-9A-Y])", text)
    if match is None:
        raise NationalIdError("a Finnish personal identity code looks like 131052-308T")
    day, month, year, sign, serial, check = match.groups()
    _real_date(_FI_CENTURY[sign] + int(year), int(month), int(day))
    if _FI_CHECK[int(day + month + year + serial) % 31] != check:
        raise NationalIdError("the last sign of this code does not fit the others")
    return Subject("fi-hetu", text)


def _nl(text: str) -> Subject:
    if not re.fullmatch(r"\d{9}", text) or not int(text):
        raise NationalIdError("a Dutch BSN has nine digits")
    total = sum(w * int(d) for w, d in zip((9, 8, 7, 6, 5, 4, 3, 2, -1), text, strict=True))
    if total % 11:
        raise NationalIdError("the last digit of this number does not fit the others")
    return Subject("nl-bsn", text)


def _real_date(year: int, month: int, day: int) -> None:
    try:
        date(year, month, day)
    except ValueError as error:
        raise NationalIdError("this number does not begin with a date") from error
