"""The page people read: who signed what, how, when, and what they had seen. Drawn with the standard fonts.

A name with letters that these fonts lack is drawn as near as they can, and carries its true spelling as
ActualText (ISO 32000-2 section 14.9.4): screen readers, copying and searching get it right.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from reportlab.pdfbase import pdfmetrics

WIDTH, HEIGHT, MARGIN = 595, 842, 56  # A4, points
_BOTTOM = 64
_FONTS = {"F1": "Helvetica", "F2": "Helvetica-Bold", "F3": "Courier"}
_INK, _QUIET, _LINE = "0.06 0.10 0.11 rg", "0.33 0.38 0.40 rg", "0.80 0.83 0.84 RG"

Stroke = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class SignerOnPage:
    """One signer's part of the page. facts: (label, value). strokes: a drawn signature, points from 0 to 1."""

    heading: str = field(repr=False)
    facts: tuple[tuple[str, str], ...] = field(repr=False)
    strokes: tuple[Stroke, ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class SignaturePage:
    """What stands on the page, all in one language. number: "Page {n} of {of}" with both to fill in."""

    language: str
    brand: str
    title: str
    lead: str
    facts: tuple[tuple[str, str], ...]
    signers_title: str
    signers: tuple[SignerOnPage, ...]
    notes: tuple[str, ...]
    number: str


@dataclass
class _Sheet:
    """One page being drawn, from the top down."""

    parts: list[bytes] = field(default_factory=list)
    y: float = HEIGHT - MARGIN


class _Pen:
    def __init__(self) -> None:
        self.sheets = [_Sheet()]

    @property
    def sheet(self) -> _Sheet:
        return self.sheets[-1]

    def room(self, height: float) -> None:
        """Begin a new page where so much does not fit any more."""
        if self.sheet.y - height < _BOTTOM:
            self.sheets.append(_Sheet())

    def text(self, text: str, *, size: float, font: str = "F1", x: float = MARGIN, ink: str = _INK) -> None:
        """Draw one line at the present height."""
        drawn, exact = _drawable(text)
        operators = b"BT %s /%s %g Tf 1 0 0 1 %g %.2f Tm (%s) Tj ET\n" % (
            *(ink.encode(), font.encode(), size, x, self.sheet.y, drawn),
        )
        if not exact:
            actual = text.encode("utf-16-be").hex().upper().encode()
            operators = b"/Span <</ActualText <FEFF%s>>> BDC %sEMC\n" % (actual, operators)
        self.sheet.parts.append(operators)

    def paragraph(self, text: str, *, size: float, font: str = "F1", x: float = MARGIN, ink: str = _INK) -> None:
        for line in wrapped(text, width=WIDTH - MARGIN - x, size=size, font=font):
            self.room(size * 1.4)
            self.sheet.y -= size * 1.4
            self.text(line, size=size, font=font, x=x, ink=ink)

    def fact(self, label: str, value: str, *, size: float = 9.5) -> None:
        """Draw a label and beside it its value, as many lines as it takes."""
        column = MARGIN + 130
        lines = wrapped(value, width=WIDTH - MARGIN - column, size=size, font="F1")
        names = wrapped(label, width=122, size=size, font="F1")
        self.room(size * 1.45 * max(len(lines), len(names)))
        for at in range(max(len(lines), len(names))):
            self.sheet.y -= size * 1.45
            if at < len(names):
                self.text(names[at], size=size, ink=_QUIET)
            if at < len(lines):
                self.text(lines[at], size=size, x=column)

    def rule(self) -> None:
        self.sheet.y -= 10
        line = b"%s 0.7 w %d %.2f m %d %.2f l S\n" % (
            *(_LINE.encode(), MARGIN, self.sheet.y, WIDTH - MARGIN, self.sheet.y),
        )
        self.sheet.parts.append(line)

    def drawing(self, strokes: Sequence[Stroke]) -> None:
        """Draw a signature made by hand in a box of 200 by 60 points."""
        self.room(70)
        self.sheet.y -= 66
        left, low = MARGIN + 130, self.sheet.y
        parts = [b"q 0.06 0.10 0.11 RG 1.3 w 1 J 1 j"]
        for stroke in strokes:
            for at, (x, y) in enumerate(stroke):
                parts.append(b"%.1f %.1f %s" % (left + 200 * x, low + 60 * (1 - y), b"l" if at else b"m"))
            parts.append(b"S")
        self.sheet.parts.append(b" ".join(parts) + b" Q\n")


def draw(page: SignaturePage) -> list[bytes]:
    """Return the content streams of the page, or pages where one does not hold it all."""
    pen = _Pen()
    pen.sheet.y -= 10
    pen.text(page.brand, size=10, font="F2", ink=_QUIET)
    pen.sheet.y -= 16
    pen.paragraph(page.title, size=20, font="F2")
    pen.sheet.y -= 4
    pen.paragraph(page.lead, size=10.5)
    pen.sheet.y -= 6
    for label, value in page.facts:
        pen.fact(label, value)
    pen.rule()
    pen.sheet.y -= 8
    pen.paragraph(page.signers_title, size=13, font="F2")
    for signer in page.signers:
        pen.room(90)
        pen.sheet.y -= 8
        pen.paragraph(signer.heading, size=11.5, font="F2")
        for label, value in signer.facts:
            pen.fact(label, value)
        if signer.strokes:
            pen.drawing(signer.strokes)
    pen.rule()
    pen.sheet.y -= 4
    for note in page.notes:
        pen.paragraph(note, size=9, ink=_QUIET)
        pen.sheet.y -= 3
    return _numbered(pen.sheets, page.number)


def _numbered(sheets: list[_Sheet], words: str) -> list[bytes]:
    contents = []
    for at, sheet in enumerate(sheets, start=1):
        pen = _Pen()
        pen.sheets = [sheet]
        sheet.y = 40
        pen.text(words.format(n=at, of=len(sheets)), size=8.5, ink=_QUIET)
        contents.append(b"".join(sheet.parts))
    return contents


@lru_cache(maxsize=4096)
def _width(text: str, font: str, size: float) -> float:
    return float(pdfmetrics.stringWidth(text, _FONTS[font], size))


def wrapped(text: str, *, width: float, size: float, font: str) -> list[str]:
    """Return the text as lines no wider than so many points. A word too long for a line is cut."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        for word in paragraph.split():
            longer = f"{line} {word}" if line else word
            if _width(longer, font, size) <= width:
                line = longer
                continue
            if line:
                lines.append(line)
            while _width(word, font, size) > width:
                cut = max(1, int(len(word) * width / _width(word, font, size)) - 1)
                lines.append(word[:cut])
                word = word[cut:]
            line = word
        lines.append(line)
    return lines


def _drawable(text: str) -> tuple[bytes, bool]:
    """Return the text for a standard font, escaped, and whether it is exact."""
    try:
        encoded, exact = text.encode("cp1252"), True
    except UnicodeEncodeError:
        plain = "".join(_nearest(sign) for sign in text)
        encoded, exact = plain.encode("cp1252", "replace"), False
    return encoded.replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)"), exact


def _nearest(sign: str) -> str:
    try:
        sign.encode("cp1252")
    except UnicodeEncodeError:
        return "".join(part for part in unicodedata.normalize("NFKD", sign) if not unicodedata.combining(part))
    return sign
