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
    """This is not a number of that country. The message never repeats the number.

    reason: "country", "date", "future", "check", or the country whose form it does not have ("se", "no", ...).
    """

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


def normalise(text: str, *, country: str) -> Subject:
    """Return the number as a Subject, for example se-personnummer with 12 digits.

    text: as a person writes it. country: ISO 3166-1 alpha-2. Raises NationalIdError.
    """
    checks = {"SE": _se, "NO": _no, "DK": _dk, "FI": _fi, "NL": _nl}
    check = checks.get(country.upper())
    if check is None:
        raise NationalIdError("numbers of this country are not known here", "country")
    return check(re.sub(r"\s", "", text).upper())


def _se(text: str) -> Subject:
    match = re.fullmatch(r"(18|19|20)?([0-9]{6})([-+]?)([0-9]{4})", text)
    if match is None:
        raise NationalIdError("a Swedish personal number has twelve digits, year first", "se")
    century, six, sign, four = match.groups()
    day = int(six[4:]) % 60  # a coordination number adds 60 to the day (SKV 707)
    month, today = int(six[2:4]), utc_now().date()
    if century is None:  # the century of a ten-digit number depends on today
        year = today.year - (today.year - int(six[:2])) % 100
        if (year, month, day) > (today.year, today.month, today.day):
            year -= 100
        year -= 100 if sign == "+" else 0
        century = f"{year // 100:02d}"
    if _real_date(int(century + six[:2]), month, day) > today:
        raise NationalIdError("this number begins with a date that has not come", "future")
    total = sum(sum(divmod(int(digit) * (2 - i % 2), 10)) for i, digit in enumerate(six + four))
    if total % 10:
        raise NationalIdError("the last digit of this number does not fit the others", "check")
    return Subject("se-personnummer", century + six + four)


def _no(text: str) -> Subject:
    if not re.fullmatch("[0-9]{11}", text):
        raise NationalIdError("a Norwegian number has eleven digits", "no")
    # A D-number adds 40 to the day; an H-number 40, and test numbers 65 or 80, to the month.
    day, month = int(text[:2]) % 40, int(text[2:4])
    if not 1 <= day <= 31 or not any(1 <= month - more <= 12 for more in (0, 40, 65, 80)):
        raise NationalIdError("a Norwegian number begins with a date, day first", "date")
    digits = [int(digit) for digit in text]
    for weights, at in (((3, 7, 6, 1, 8, 9, 4, 5, 2), 9), ((5, 4, 3, 2, 7, 6, 5, 4, 3, 2), 10)):
        check = (11 - sum(w * d for w, d in zip(weights, digits, strict=False)) % 11) % 11
        if check != digits[at]:
            raise NationalIdError("the last digits of this number do not fit the others", "check")
    return Subject("no-fodselsnummer", text)


def _dk(text: str) -> Subject:
    number = text.replace("-", "")
    if not re.fullmatch("[0-9]{10}", number) or not 1 <= int(number[2:4]) <= 12 or not 1 <= int(number[:2]) % 60 <= 31:
        raise NationalIdError("a Danish CPR number has ten digits, day first", "dk")
    return Subject("dk-cpr", number)


def _fi(text: str) -> Subject:
    match = re.fullmatch("([0-9]{2})([0-9]{2})([0-9]{2})([-+YXWVUABCDEF])([0-9]{3})([0-9A-Y])", text)
    if match is None:
        raise NationalIdError("a Finnish personal identity code looks like 131052-308T", "fi")
    day, month, year, sign, serial, check = match.groups()
    _real_date(_FI_CENTURY[sign] + int(year), int(month), int(day))
    if _FI_CHECK[int(day + month + year + serial) % 31] != check:
        raise NationalIdError("the last sign of this code does not fit the others", "check")
    return Subject("fi-hetu", text)


def _nl(text: str) -> Subject:
    if not re.fullmatch("[0-9]{9}", text) or not int(text):
        raise NationalIdError("a Dutch BSN has nine digits", "nl")
    total = sum(w * int(d) for w, d in zip((9, 8, 7, 6, 5, 4, 3, 2, -1), text, strict=True))
    if total % 11:
        raise NationalIdError("the last digit of this number does not fit the others", "check")
    return Subject("nl-bsn", text)


def _real_date(year: int, month: int, day: int) -> date:
    try:
        return date(year, month, day)
    except ValueError as error:
        raise NationalIdError("this number does not begin with a date", "date") from error
