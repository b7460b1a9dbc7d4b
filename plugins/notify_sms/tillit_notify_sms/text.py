"""A text as an operator sees it: which alphabet, how many parts. 3GPP TS 23.038 section 6.2.1, TS 23.040."""

import re
import unicodedata

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡"
    "ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = frozenset("^{}\\[~]|€")  # each takes two places
# Typography that would turn a whole text into the costly alphabet, without saying more.
_PLAIN = str.maketrans(
    {"“": '"', "”": '"', "’": "'", "‘": "'", "–": "-", "—": "-", "…": "...", "\u00a0": " ", "\u2011": "-"}
)
_MOST_SENDER = 11


def plain_text(text: str) -> str:
    """Return text with simple quotes, dashes and spaces, and without control signs but the line end."""
    simple = unicodedata.normalize("NFC", text).translate(_PLAIN).replace("\r\n", "\n")
    return "".join(sign for sign in simple if sign == "\n" or unicodedata.category(sign) not in ("Cc", "Cf"))


def parts_of(text: str) -> int:
    """Return in how many parts the text travels: 160 or 70 signs alone, 153 or 67 in a chain."""
    if all(sign in _BASIC or sign in _EXTENDED for sign in text):
        length = sum(2 if sign in _EXTENDED else 1 for sign in text)
        return 1 if length <= 160 else -(-length // 153)
    length = len(text.encode("utf-16-be")) // 2
    return 1 if length <= 70 else -(-length // 67)


def sender_of(name: str) -> str:
    """Return a sender name a telephone can show: at most 11 letters, digits and spaces, without accents."""
    bare = "".join(
        sign for sign in unicodedata.normalize("NFKD", name.translate(_LETTERS)) if not unicodedata.combining(sign)
    )
    return re.sub(r"[^A-Za-z0-9 ]", "", bare)[:_MOST_SENDER].strip()


_LETTERS = str.maketrans({"Ø": "O", "ø": "o", "Æ": "AE", "æ": "ae", "ß": "ss"})
