"""Where each line of a paper stands: blocks to pages of placed lines. Pure but for the fonts' widths.

Measures in points (1/72 inch) from the lower left corner, as PDF counts.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from tillit_forms.agreement import Block, Paper
from tillit_forms.pdf.fonts import Fonts

WIDTH, HEIGHT = 595.28, 841.89  # A4
LEFT, RIGHT, TOP, BOTTOM = 70.0, 70.0, 72.0, 82.0
MEASURE = WIDTH - LEFT - RIGHT
LABEL = 170.0  # the first column of a table
GAP = 12.0


@dataclass(frozen=True)
class Style:
    size: float
    leading: float
    before: float
    bold: bool = False


BRAND = Style(10.5, 14, 0, bold=True)
TITLE = Style(21, 27, 10, bold=True)
ANNEX = Style(14.5, 19, 26, bold=True)
HEADING = Style(11.5, 16, 17, bold=True)
TEXT = Style(10.5, 15.5, 5)
ROW = Style(10, 14, 4)


@dataclass(frozen=True)
class Line:
    """One line of text. tag: the structure element it belongs to; element: which one, counted through the paper."""

    text: str
    x: float
    y: float
    style: Style
    tag: Literal["H1", "H2", "P", "TH", "TD"]
    element: int
    quiet: bool = False


@dataclass(frozen=True)
class Mark:
    """A bar beside a critical clause. rule: a hairline between rows instead."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Placed:
    """A critical clause's place: page from 1, and its box as shares of the page from the top left."""

    clause: str
    title: str
    page: int
    box: tuple[float, float, float, float]


@dataclass(frozen=True)
class Layout:
    pages: tuple[tuple[tuple[Line, ...], tuple[Mark, ...]], ...]
    critical: tuple[Placed, ...]


def lay_out(paper: Paper, fonts: Fonts) -> Layout:
    """Return the paper's pages. Raises UnprintableError."""
    fonts.check(paper.as_text() + paper.brand + paper.reference)
    setter = _Setter(fonts)
    setter.line(paper.brand, BRAND, "P", quiet=True)
    setter.paragraph(paper.title, TITLE, "H1")
    for block in paper.blocks:
        setter.block(block)
    return setter.finish()


class _Setter:
    def __init__(self, fonts: Fonts) -> None:
        self._fonts = fonts
        self._pages: list[tuple[list[Line], list[Mark]]] = [([], [])]
        self._y = HEIGHT - TOP
        self._element = 0
        self._critical: dict[str, Placed] = {}
        self._open: str = ""

    def finish(self) -> Layout:
        return Layout(tuple((tuple(a), tuple(b)) for a, b in self._pages), tuple(self._critical.values()))

    def block(self, block: Block) -> None:
        if block.clause:
            self._open = block.clause
        page, top = len(self._pages), self._y - (HEADING.before - 3 if block.kind == "heading" else 0)
        if block.kind == "table":
            for label, value in block.rows:
                self._row(label, value)
        elif block.kind == "text":
            self.paragraph(block.text, TEXT, "P")
        else:
            self.paragraph(block.text, ANNEX if block.kind == "annex" else HEADING, "H2", keep=40)
        if block.critical:
            self._mark(block, page, top)

    def paragraph(self, text: str, style: Style, tag: Literal["H1", "H2", "P"], *, keep: float = 0) -> None:
        """Set text in lines. keep: points that must follow on the same page, so that no heading stands alone."""
        self._element += 1
        self._advance(style.before, least=style.leading + keep)
        for each in wrap(text, MEASURE, self._fonts, bold=style.bold, size=style.size):
            self._advance(0, least=style.leading)
            self._y -= style.leading
            self._put(Line(each, LEFT, self._y, style, tag, self._element))

    def line(self, text: str, style: Style, tag: Literal["P"], *, quiet: bool) -> None:
        self._element += 1
        self._y -= style.leading
        self._put(Line(text, LEFT, self._y, style, tag, self._element, quiet))

    def _row(self, label: str, value: str) -> None:
        labels = list(wrap(label, LABEL - GAP, self._fonts, bold=False, size=ROW.size))
        values = [
            line
            for part in value.split("\n")
            for line in wrap(part, MEASURE - LABEL, self._fonts, bold=False, size=ROW.size)
        ]
        self._advance(ROW.before, least=ROW.leading)
        self._element += 2
        for at in range(max(len(labels), len(values))):
            self._advance(0, least=ROW.leading)
            self._y -= ROW.leading
            if at < len(labels):
                self._put(Line(labels[at], LEFT, self._y, ROW, "TH", self._element - 1, quiet=True))
            if at < len(values):
                self._put(Line(values[at], LEFT + LABEL, self._y, ROW, "TD", self._element))
        self._pages[-1][1].append(Mark(LEFT, self._y - 4.2, MEASURE, 0.4))

    def _mark(self, block: Block, page: int, top: float) -> None:
        """Draw the bar and remember the place, on the page the clause ends on where it runs over."""
        if len(self._pages) != page:
            page, top = len(self._pages), HEIGHT - TOP
        low = self._y - 4
        self._pages[-1][1].append(Mark(LEFT - 12, low, 2.4, top - low))
        known = self._critical.get(self._open)
        if known is not None and known.page == page:
            top = HEIGHT - known.box[1] * HEIGHT
        title = known.title if known is not None else block.text[:120]
        box = ((LEFT - 14) / WIDTH, (HEIGHT - top) / HEIGHT, (MEASURE + 16) / WIDTH, (top - low) / HEIGHT)
        self._critical[self._open] = Placed(self._open, title, page, box)

    def _advance(self, before: float, *, least: float) -> None:
        if self._y - before - least < BOTTOM:
            self._pages.append(([], []))
            self._y = HEIGHT - TOP
        else:
            self._y -= before

    def _put(self, line: Line) -> None:
        self._pages[-1][0].append(line)


def wrap(text: str, width: float, fonts: Fonts, *, bold: bool, size: float) -> Iterator[str]:
    """Yield the lines of a text; a word wider than the line is broken where it must be. At least one line."""
    line = ""
    space = fonts.width(" ", bold=bold, size=size)
    used = 0.0
    for word in text.split(" "):
        wide = fonts.width(word, bold=bold, size=size)
        if line and used + space + wide > width:
            yield line
            line, used = "", 0.0
        while wide > width:
            fits = max(1, int(len(word) * width / wide))
            while fits > 1 and fonts.width(word[:fits], bold=bold, size=size) > width:
                fits -= 1
            if line:
                yield line
            yield word[:fits]
            line, used, word = "", 0.0, word[fits:]
            wide = fonts.width(word, bold=bold, size=size)
        line = f"{line} {word}" if line else word
        used = used + space + wide if used else wide
    yield line
