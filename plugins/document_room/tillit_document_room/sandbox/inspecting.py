"""One file, from bytes to a PDF that can be shown, or a refusal."""

import hashlib
from dataclasses import dataclass

import pypdfium2 as pdfium

from tillit_document_room.sandbox import office, pdf_check, pdf_clean, pictures, sniff
from tillit_document_room.sandbox.limits import Limits
from tillit_document_room.sandbox.refusals import UnsafeFileError

_LOOK_PIXELS = 220  # longest side of the trial drawing: enough to run every operator of a page
_CARRIES = frozenset({"embedded", "hidden_embedded"})  # evidence within a sealed document


@dataclass(frozen=True)
class Inspected:
    """What a file turned out to be.

    kind: see sniff. pdf: what is kept; None for an office document, which must be converted first. sha256: of pdf,
    lower-case hex. sizes: width and height of each page in points, as shown. removed: what was taken out.
    signed: it carries a digital signature, and is kept byte for byte.
    """

    kind: str
    pdf: bytes | None
    sha256: str
    sizes: tuple[tuple[float, float], ...]
    removed: tuple[str, ...]
    signed: bool


def inspect(data: bytes, limits: Limits, *, keep_bytes: bool = False) -> Inspected:
    """Return the file as it can be shown. Raises UnsafeFileError.

    keep_bytes: a sealed document from our own signing or the archive; it may carry evidence within itself, is
    never rewritten, and is refused where it would have to be.
    """
    if len(data) > limits.file_bytes:
        raise UnsafeFileError("size")
    kind = sniff.kind_of(data)
    if kind in sniff.OFFICE:
        office.check(data, kind, limits)
        return Inspected(kind, None, "", (), (), False)
    pdf = data if kind == sniff.PDF else pictures.to_pdf(data, kind, limits)
    found, signed = pdf_check.findings(pdf, limits)
    if keep_bytes:
        found -= _CARRIES
    removed: tuple[str, ...] = ()
    if found:
        if signed or keep_bytes:
            raise UnsafeFileError("active", ",".join(sorted(found)))
        removed = tuple(sorted({each.removeprefix("hidden_") for each in found}))
        pdf = pdf_clean.cleaned(pdf, limits)
        left, _ = pdf_check.findings(pdf, limits)
        if left:
            raise UnsafeFileError("active", ",".join(sorted(left)))
    if len(pdf) > 2 * limits.file_bytes:
        raise UnsafeFileError("size", "as a PDF")
    sizes = _page_sizes(pdf, limits)
    if len(sizes) != len(_pages_by_pypdf(pdf, limits)):
        raise UnsafeFileError("broken", "two readers count different pages")
    return Inspected(kind, pdf, hashlib.sha256(pdf).hexdigest(), sizes, removed, signed)


def _pages_by_pypdf(pdf: bytes, limits: Limits) -> range:
    try:
        return range(min(len(pdf_check.open_reader(pdf).pages), limits.pages + 1))
    except RecursionError as error:
        raise UnsafeFileError("nesting", "pages") from error
    except UnsafeFileError:
        raise
    except Exception as error:  # pypdf raises whatever the bytes lead it to
        raise UnsafeFileError("broken", type(error).__name__) from error


def _page_sizes(pdf: bytes, limits: Limits) -> tuple[tuple[float, float], ...]:
    """Return the size of each page after drawing it once, small: what cannot be drawn is found here, not on stage."""
    try:
        document = pdfium.PdfDocument(pdf)
        count = len(document)
        if not count:
            raise UnsafeFileError("broken", "no pages")
        if count > limits.pages:
            raise UnsafeFileError("pages")
        sizes = []
        for place in range(count):
            page = document[place]
            width, height = page.get_size()
            if not (3 <= width <= limits.page_points and 3 <= height <= limits.page_points):
                raise UnsafeFileError("page_size")
            page.render(scale=_LOOK_PIXELS / max(width, height), may_draw_forms=False).close()
            page.close()
            sizes.append((round(width, 3), round(height, 3)))
        document.close()
    except UnsafeFileError:
        raise
    except MemoryError as error:
        raise UnsafeFileError("bomb", "memory") from error
    except pdfium.PdfiumError as error:
        if "password" in str(error).lower() or "security" in str(error).lower():
            raise UnsafeFileError("encrypted") from error
        raise UnsafeFileError("broken", "cannot be drawn") from error
    return tuple(sizes)
