"""Numbers, money and days as each language writes them.

Our own small tables rather than a library's: an agreement made again in ten years must come out byte for byte,
and published locale data changes between releases.
"""

from datetime import date
from decimal import ROUND_HALF_UP, Decimal

NBSP = "\u00a0"
_SIGNS = {  # between thousands, before decimals
    "sv": (NBSP, ","),
    "nb": (NBSP, ","),
    "fi": (NBSP, ","),
    "da": (".", ","),
    "nl": (".", ","),
    "en": (",", "."),
}
_CURRENCY = {"SEK": "kr", "NOK": "kr", "DKK": "kr.", "EUR": "€"}
DECIMALS = {"SEK": 2, "NOK": 2, "DKK": 2, "EUR": 2, "USD": 2, "GBP": 2, "ISK": 0}
_MONTHS = {
    "sv": "januari februari mars april maj juni juli augusti september oktober november december",
    "nb": "januar februar mars april mai juni juli august september oktober november desember",
    "da": "januar februar marts april maj juni juli august september oktober november december",
    "fi": "tammikuuta helmikuuta maaliskuuta huhtikuuta toukokuuta kesäkuuta heinäkuuta elokuuta syyskuuta lokakuuta "
    "marraskuuta joulukuuta",
    "nl": "januari februari maart april mei juni juli augustus september oktober november december",
    "en": "January February March April May June July August September October November December",
}


def number(value: Decimal, language: str, *, decimals: int | None = None) -> str:
    """Return a number with its thousands apart. decimals: fixed; None keeps the value's own, without end zeros."""
    thousands, point = _SIGNS.get(language, _SIGNS["en"])
    if decimals is not None:
        value = value.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)
    whole, _, part = f"{abs(value):f}".partition(".")
    part = part if decimals is not None else part.rstrip("0")
    groups: list[str] = []
    while len(whole) > 3:
        groups.insert(0, whole[-3:])
        whole = whole[:-3]
    sign = "\u2212" if value < 0 else ""
    return sign + thousands.join([whole, *groups]) + (point + part if part else "")


def money(value: Decimal, currency: str, language: str) -> str:
    """Return an amount as its readers write it: "2 270 000 kr", "€1,250.50", "SEK 2,270,000"."""
    places = DECIMALS.get(currency, 2)
    exact = value.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
    amount = number(exact, language, decimals=0 if exact == exact.to_integral_value() else places)
    sign = _CURRENCY.get(currency, currency)
    if language == "en":
        return f"€{amount}" if currency == "EUR" else f"{currency}{NBSP}{amount}"
    if language == "nl":
        return f"{sign}{NBSP}{amount}"
    return f"{amount}{NBSP}{sign}"


def percent(value: Decimal, language: str) -> str:
    """Return a percentage: value 85 is "85 %"."""
    gap = "" if language in ("en", "nl") else NBSP
    return f"{number(value, language)}{gap}%"


def day(value: date, language: str) -> str:
    """Return a date in words: "24 november 2026", "24. november 2026"."""
    month = _MONTHS.get(language, _MONTHS["en"]).split()[value.month - 1]
    dot = "." if language in ("nb", "da", "fi") else ""
    return f"{value.day}{dot} {month} {value.year}"
