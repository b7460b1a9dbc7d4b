"""Draws one page for one reader: the page, what is hidden from them, and their own mark across it."""

import hashlib
import io
import unicodedata
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from ctypes import byref, c_double, c_int
from dataclasses import dataclass
from pathlib import Path

import pypdfium2 as pdfium
import pypdfium2.raw as raw
import reportlab
from PIL import Image, ImageChops, ImageDraw, ImageFont

from tillit_document_room.sandbox import png
from tillit_document_room.sandbox.limits import POINTS_PER_INCH
from tillit_document_room.sandbox.masks import Mask
from tillit_document_room.sandbox.refusals import UnsafeFileError

_ON_LIGHT, _ON_DARK = 206, 58  # grey of the mark: readable on a photograph of the screen, quiet beside the text
_ANGLE = 24
_KEPT_PAGES = 8  # bitmaps of one document, 2 to 7 MB each
_KEPT_MARKS = 16
_MASK = 84
_OVERLAP = 0.1  # share of a letter under a mask from which on it is not told: boxes of neighbours touch
_MASK_EDGE_PIXELS = 2  # what smoothing could leave of a letter beside its box
_FOLDED = {"ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ı": "i", "œ": "oe", "Œ": "OE", "ẞ": "SS", "\u00b7": "-"}
_FONT = (Path(reportlab.__file__).parent / "fonts" / "Vera.ttf").read_bytes()  # now: later no file can be opened


@dataclass(frozen=True)
class Letter:
    """One character of a page and its box, 0 to 1 from the upper left of the page as shown."""

    sign: str
    left: float
    top: float
    right: float
    bottom: float


class Shown:
    """An open document. Keeps the last drawn pages, so that a second reader costs only their own mark."""

    def __init__(self, pdf: bytes) -> None:
        try:
            self._document = pdfium.PdfDocument(pdf)
        except pdfium.PdfiumError as error:
            raise UnsafeFileError("broken", "cannot be opened") from error
        self._drawn: OrderedDict[tuple[int, float, int, tuple[Mask, ...]], Image.Image] = OrderedDict()

    def page(self, number: int, *, dpi: float, longest: int, masks: Sequence[Mask], mark: str) -> bytes:
        """Return page `number` (from 1) as PNG. Raises UnsafeFileError where there is no such page or it breaks."""
        here = tuple(mask for mask in masks if mask.page == number)
        key = (number, dpi, longest, here)
        image = self._drawn.get(key)
        if image is None:
            image = self._draw(number, dpi, longest)
            _hide(image, here)
            self._drawn[key] = image
            while len(self._drawn) > _KEPT_PAGES:
                self._drawn.popitem(last=False)
        self._drawn.move_to_end(key)
        return png.encode(_marked(image, mark) if mark else image)

    def letters(self, number: int) -> list[Letter]:
        """Return the page's characters in reading order as the file has them."""
        return list(self._letters(number))

    def text(self, number: int, masks: Sequence[Mask]) -> str:
        """Return the page as text, each hidden part replaced by the words shown in its place."""
        here = [mask for mask in masks if mask.page == number]
        out: list[str] = []
        inside: Mask | None = None
        for letter in self._letters(number):
            hidden = next((mask for mask in here if _touches(mask, letter)), None)
            if hidden is None:
                out.append(letter.sign)
            elif hidden is not inside:
                out.append(f"[{hidden.instead or '█'}]")
            inside = hidden
        return "".join(out)

    def wordless(self) -> list[int]:
        """Return the pages without any words, such as scanned ones: nothing is found there whatever they show."""
        pages = range(1, len(self._document) + 1)
        return [number for number in pages if not any(_plain(letter.sign) for letter in self._letters(number))]

    def find(self, wanted: str) -> list[Mask]:
        """Return where a value stands, on every page, however its signs are spaced and cased.

        One that a page break divides is found where the page after begins with its rest; a foot may stand between.
        """
        needle = _plain(wanted)
        found: list[Mask] = []
        if not needle:
            return found
        before: list[Letter] = []
        words_before = ""
        for number in range(1, len(self._document) + 1):
            signs = [(sign, letter) for letter in self._letters(number) for sign in _plain(letter.sign)]
            words, letters, start = "".join(sign for sign, _ in signs), [letter for _, letter in signs], -1
            for cut in range(1, len(needle)):
                place = words_before.rfind(needle[:cut]) if words.startswith(needle[cut:]) else -1
                if place >= 0:
                    found += _lines(number - 1, before[place : place + cut])
                    found += _lines(number, letters[: len(needle) - cut])
            while (start := words.find(needle, start + 1)) >= 0:
                found += _lines(number, letters[start : start + len(needle)])
            before, words_before = letters, words
        return found

    def _draw(self, number: int, dpi: float, longest: int) -> Image.Image:
        page = self._page(number)
        width, height = page.get_size()
        scale = min(dpi / POINTS_PER_INCH, longest / max(width, height))
        bitmap = page.render(scale=scale, may_draw_forms=False, rev_byteorder=True)
        image: Image.Image = bitmap.to_pil().convert("RGB")
        bitmap.close()
        page.close()
        red, green, blue = image.split()
        is_grey = not (ImageChops.difference(red, green).getbbox() or ImageChops.difference(green, blue).getbbox())
        return green if is_grey else image

    def _page(self, number: int) -> pdfium.PdfPage:
        """Return a page with its form fields and notes made part of it: what is drawn is what is searched."""
        if not 1 <= number <= len(self._document):
            raise UnsafeFileError("broken", "no such page")
        try:
            page = self._document[number - 1]
            if raw.FPDFPage_Flatten(page, raw.FLAT_NORMALDISPLAY) == raw.FLATTEN_SUCCESS:
                page.close()
                page = self._document[number - 1]
        except pdfium.PdfiumError as error:
            raise UnsafeFileError("broken", "page") from error
        return page

    def _letters(self, number: int) -> Iterator[Letter]:
        page = self._page(number)
        words = page.get_textpage()
        try:
            for place in range(words.count_chars()):
                code = raw.FPDFText_GetUnicode(words, place)
                left, bottom, right, top = words.get_charbox(place, loose=True)
                corners = [_shown(page, x, y) for x, y in ((left, bottom), (right, top), (left, top), (right, bottom))]
                across, down = [x for x, _ in corners], [y for _, y in corners]
                sign = chr(code) if 0 < code < 0x110000 else ""
                yield Letter(sign, min(across), min(down), max(across), max(down))
        finally:
            words.close()
            page.close()


_GRID = 1_000_000  # PDFium answers in whole device pixels: a page as large as this loses nothing


def _shown(page: pdfium.PdfPage, x: float, y: float) -> tuple[float, float]:
    """Return where a point of page space is shown: 0 to 1, turned and cut as the page says."""
    across, down = c_int(), c_int()
    raw.FPDF_PageToDevice(page, 0, 0, _GRID, _GRID, 0, c_double(x), c_double(y), byref(across), byref(down))
    return across.value / _GRID, down.value / _GRID


def _touches(mask: Mask, letter: Letter) -> bool:
    """Return whether a mask lies over more than the very edge of a character. A line's end belongs to no place."""
    if letter.sign in "\r\n":
        return False
    across = min(mask.right, letter.right) - max(mask.left, letter.left)
    down = min(mask.bottom, letter.bottom) - max(mask.top, letter.top)
    if across <= 0 or down <= 0:
        return across >= 0 and down >= 0 and letter.left == letter.right
    size = max((letter.right - letter.left) * (letter.bottom - letter.top), 1e-12)
    return across * down / size > _OVERLAP


def _plain(words: str) -> str:
    """Return what tells two values apart: no spaces, no case, no typographic variants."""
    folded = unicodedata.normalize("NFKC", words).casefold()
    return "".join(sign for sign in folded if not sign.isspace() and unicodedata.category(sign)[0] not in ("C", "Z"))


def _lines(number: int, letters: Sequence[Letter]) -> Iterator[Mask]:
    """Yield one box for each line the letters stand on."""
    line: list[Letter] = []
    for letter in letters:
        if line and not _together(line[-1], letter):
            yield _around(number, line)
            line = []
        line.append(letter)
    if line:
        yield _around(number, line)


def _together(one: Letter, other: Letter) -> bool:
    """Return whether two characters follow each other in one line, across or, on a turned page, down."""
    if other.top <= one.bottom and other.bottom >= one.top:
        return True
    gap = max(other.top - one.bottom, one.top - other.bottom)
    return other.left <= one.right and other.right >= one.left and gap < 2 * (one.bottom - one.top)


def _around(number: int, line: Sequence[Letter]) -> Mask:
    return Mask(
        number,
        min(each.left for each in line),
        min(each.top for each in line),
        max(each.right for each in line),
        max(each.bottom for each in line),
    )


def _hide(image: Image.Image, masks: Sequence[Mask]) -> None:
    """Paint over what is hidden. The picture is small enough to be new; nothing below stays in it."""
    pen = ImageDraw.Draw(image)
    fill = _MASK if image.mode == "L" else (_MASK,) * 3
    for mask in masks:
        edge = _MASK_EDGE_PIXELS
        box = (
            int(mask.left * image.width) - edge,
            int(mask.top * image.height) - edge,
            int(mask.right * image.width) + edge + 1,
            int(mask.bottom * image.height) + edge + 1,
        )
        pen.rectangle(box, fill=fill)
        if mask.instead:
            _write_instead(pen, box, drawable(mask.instead), white="white" if image.mode != "L" else 255)


def _write_instead(pen: ImageDraw.ImageDraw, box: tuple[int, int, int, int], words: str, *, white: str | int) -> None:
    size = max(9.0, min(28.0, (box[3] - box[1]) * 0.62))
    font = _font(size)
    width = font.getlength(words)
    if width > box[2] - box[0] - 6:
        font = _font(max(7.0, size * (box[2] - box[0] - 6) / max(width, 1.0)))
    pen.text((box[0] + 4, (box[1] + box[3]) / 2), words, font=font, fill=white, anchor="lm")


_marks: OrderedDict[tuple[str, tuple[int, int]], tuple[Image.Image, Image.Image]] = OrderedDict()


def _marked(image: Image.Image, mark: str) -> Image.Image:
    """Return a copy with the mark across it: darker than paper, lighter than ink, so that no ground hides it."""
    on_light, on_dark = _mark(mark, image.size)
    if image.mode != "L":
        on_light, on_dark = (Image.merge("RGB", (each, each, each)) for each in (on_light, on_dark))
    return ImageChops.lighter(ImageChops.darker(image, on_light), on_dark)


def _mark(mark: str, size: tuple[int, int]) -> tuple[Image.Image, Image.Image]:
    key = (mark, size)
    if key not in _marks:
        words, font = drawable(mark), _font(max(11.0, min(size) / 44))
        width, height = int(font.getlength(words)) + 8, int(font.size * 1.6)
        strip = Image.new("L", (width, height), 0)
        ImageDraw.Draw(strip).text((4, height / 2), words, font=font, fill=255, anchor="lm")
        turned = strip.rotate(_ANGLE, expand=True, resample=Image.Resampling.BILINEAR)
        cover = Image.new("L", size, 0)
        # Each row starts elsewhere, from the text itself: two readers' marks never lie upon each other.
        shift = hashlib.sha256(mark.encode()).digest()
        step_x, step_y = int(turned.width * 1.08), max(40, int(turned.height * 0.95))
        for row, top in enumerate(range(-turned.height // 2, size[1], step_y)):
            for left in range(-(shift[row % 32] * step_x // 256), size[0], step_x):
                cover.paste(255, (left, top), turned)
        _marks[key] = (
            cover.point([255 - (255 - _ON_LIGHT) * value // 255 for value in range(256)]),
            cover.point([_ON_DARK * value // 255 for value in range(256)]),
        )
        while len(_marks) > _KEPT_MARKS:
            _marks.popitem(last=False)
    _marks.move_to_end(key)
    return _marks[key]


_fonts: dict[float, ImageFont.FreeTypeFont] = {}


def _font(size: float) -> ImageFont.FreeTypeFont:
    rounded = round(size * 2) / 2
    if rounded not in _fonts:
        _fonts[rounded] = ImageFont.truetype(io.BytesIO(_FONT), rounded)
    return _fonts[rounded]


def drawable(words: str) -> str:
    """Return the words in letters the font has: others lose their marks, or become a question mark."""
    out = []
    for sign in unicodedata.normalize("NFC", words):
        if sign.isprintable() and (ord(sign) < 0x100 or sign in "–—‘’“”…€"):
            out.append(sign)
            continue
        base = _FOLDED.get(sign) or unicodedata.normalize("NFKD", sign)[:1]
        out.append(base if base and all(ord(each) < 0x100 for each in base) else "?")
    return "".join(out)
