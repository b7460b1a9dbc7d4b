"""Ink: pages of placed lines become a tagged PDF. reportlab's invariant mode leaves out time and chance."""

import io
import threading
from itertools import groupby
from typing import Any

from reportlab.pdfbase.pdfdoc import PDFArray, PDFDictionary, PDFName, PDFObjectReference
from reportlab.pdfgen.canvas import Canvas

from tillit_forms.agreement import Paper
from tillit_forms.pdf.fonts import Fonts
from tillit_forms.pdf.layout import HEIGHT, LEFT, RIGHT, WIDTH, Layout, Line, Placed, lay_out

# reportlab keeps one place for reading in a font's file, whoever reads: two papers drawn at once failed, or came out
# with letters that are not theirs.
_ONE_AT_A_TIME = threading.Lock()
_INK, _QUIET, _RULE, _BAR = (0.08, 0.12, 0.12), (0.30, 0.37, 0.39), (0.82, 0.86, 0.87), (0.66, 0.42, 0.0)


def draw(paper: Paper, fonts: Fonts) -> tuple[bytes, tuple[Placed, ...]]:
    """Return the PDF and where its critical clauses stand. Raises UnprintableError."""
    layout = lay_out(paper, fonts)
    with _ONE_AT_A_TIME:
        return _drawn(paper, fonts, layout), layout.critical


def _drawn(paper: Paper, fonts: Fonts, layout: Layout) -> bytes:
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=(WIDTH, HEIGHT), invariant=1, pageCompression=1, lang=paper.language)
    canvas.setTitle(paper.title)
    canvas.setAuthor(paper.brand)
    canvas.setSubject(paper.reference)
    canvas.setCreator("Tillit")
    canvas.setViewerPreference("DisplayDocTitle", "true")
    tags = _Tags(canvas)
    for at, (lines, marks) in enumerate(layout.pages):
        with_bar = [mark for mark in marks if mark.width < 5]
        canvas._code.append("/Artifact BMC")
        for mark in marks:
            canvas.setFillColorRGB(*(_BAR if mark in with_bar else _RULE))
            canvas.rect(mark.x, mark.y, mark.width, mark.height, stroke=0, fill=1)
        canvas._code.append("EMC")
        for (element, tag), group in groupby(_in_order(lines), key=lambda line: (line.element, line.tag)):
            tags.begin(tag, element, at)
            for line in group:
                _write(canvas, line, fonts)
            canvas._code.append("EMC")
        _foot(canvas, paper, fonts, at + 1, len(layout.pages))
        canvas.showPage()
        tags.end_page(at)
    tags.finish()
    canvas.save()
    return out.getvalue()


def _in_order(lines: tuple[Line, ...]) -> list[Line]:
    """Return the lines as they are read: a table's label before its value, however many lines each has."""
    return sorted(lines, key=lambda line: line.element)


def _write(canvas: Any, line: Line, fonts: Fonts) -> None:
    canvas.setFillColorRGB(*(_QUIET if line.quiet else _INK))
    canvas.setFont(fonts.bold if line.style.bold else fonts.regular, line.style.size)
    canvas.drawString(line.x, line.y, line.text)


def _foot(canvas: Any, paper: Paper, fonts: Fonts, page: int, pages: int) -> None:
    canvas._code.append("/Artifact BMC")
    canvas.setFillColorRGB(*_QUIET)
    canvas.setFont(fonts.regular, 8)
    canvas.drawString(LEFT, 44, paper.reference)
    canvas.drawRightString(WIDTH - RIGHT, 44, f"{page} / {pages}")
    canvas._code.append("EMC")


class _Tags:
    """The structure tree (ISO 32000-1, 14.7 and 14.8): headings, paragraphs, table rows, in reading order."""

    def __init__(self, canvas: Any) -> None:
        self._canvas, self._doc = canvas, canvas._doc
        self._elements: dict[int, tuple[str, list[tuple[int, int]]]] = {}  # element -> tag, [(page, mcid)]
        self._of_page: dict[int, list[int]] = {}  # page -> element by mcid
        self._pages: dict[int, PDFObjectReference] = {}

    def begin(self, tag: str, element: int, page: int) -> None:
        of_page = self._of_page.setdefault(page, [])
        self._elements.setdefault(element, (tag, []))[1].append((page, len(of_page)))
        self._canvas._code.append(f"/{tag} <</MCID {len(of_page)}>> BDC")
        of_page.append(element)
        self._pages[page] = self._doc.thisPageRef()

    def end_page(self, page: int) -> None:
        made = self._doc.Pages.pages[-1] if hasattr(self._doc.Pages, "pages") else None
        target = self._doc.idToObject[self._pages[page].name] if made is None else made
        target.__NoDefault__ = [*type(target).__NoDefault__, "StructParents", "Tabs"]
        target.StructParents, target.Tabs = page, PDFName("S")

    def finish(self) -> None:
        root_ref = PDFObjectReference("tillitStructRoot")
        kids: list[Any] = []
        refs: dict[int, Any] = {}
        table: list[int] = []
        for element in sorted(self._elements):
            tag = self._elements[element][0]
            if tag not in ("TH", "TD"):
                self._close_table(table, kids, refs)
                refs[element] = self._element(element, "tillitDocument")
                kids.append(refs[element])
            else:
                table.append(element)
        self._close_table(table, kids, refs)
        document = self._named(
            "tillitDocument",
            {"Type": PDFName("StructElem"), "S": PDFName("Document"), "P": root_ref, "K": PDFArray(kids)},
        )
        nums: list[Any] = []
        for page, elements in sorted(self._of_page.items()):
            nums += [page, PDFArray([refs[each] for each in elements])]
        parents = PDFDictionary({"Nums": PDFArray(nums)})
        self._named(
            "tillitStructRoot",
            {
                "Type": PDFName("StructTreeRoot"),
                "K": PDFArray([document]),
                "ParentTree": parents,
                "ParentTreeNextKey": len(self._of_page),
            },
        )
        catalog = self._doc._catalog
        catalog.StructTreeRoot = root_ref
        catalog.MarkInfo = PDFDictionary({"Marked": "true"})

    def _close_table(self, cells: list[int], kids: list[Any], refs: dict[int, Any]) -> None:
        """Put the cells gathered so far into a table of rows: each label begins one."""
        if not cells:
            return
        name = f"tillitTable{cells[0]}"
        rows: list[Any] = []
        for at in range(0, len(cells), 2):
            row = f"tillitRow{cells[at]}"
            for cell in cells[at : at + 2]:
                refs[cell] = self._element(cell, row)
            inner = PDFArray([refs[cell] for cell in cells[at : at + 2]])
            rows.append(
                self._named(
                    row,
                    {"Type": PDFName("StructElem"), "S": PDFName("TR"), "P": PDFObjectReference(name), "K": inner},
                )
            )
        parent = PDFObjectReference("tillitDocument")
        values = {"Type": PDFName("StructElem"), "S": PDFName("Table"), "P": parent, "K": PDFArray(rows)}
        kids.append(self._named(name, values))
        cells.clear()

    def _element(self, element: int, parent: str) -> Any:
        tag, marks = self._elements[element]
        content = [
            PDFDictionary({"Type": PDFName("MCR"), "Pg": self._pages[page], "MCID": mcid}) for page, mcid in marks
        ]
        values: dict[str, Any] = {
            "Type": PDFName("StructElem"),
            "S": PDFName(tag),
            "P": PDFObjectReference(parent),
            "K": PDFArray(content),
        }
        if tag == "TH":
            values["A"] = PDFDictionary({"O": PDFName("Table"), "Scope": PDFName("Row")})
        return self._named(f"tillitElement{element}", values)

    def _named(self, name: str, values: dict[str, Any]) -> Any:
        return self._doc.Reference(PDFDictionary(values), name)
