"""What a file is, by its first bytes. Its name and what the browser calls it count for nothing."""

import io
import zipfile

from tillit_document_room.sandbox.refusals import UnsafeFileError

PDF, PNG, JPEG, TIFF = "pdf", "png", "jpeg", "tiff"
OFFICE = ("docx", "xlsx", "pptx", "odt", "ods", "odp", "doc")
PICTURES = (PNG, JPEG, TIFF)
_STARTS = (
    (b"%PDF-", PDF),
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"\xff\xd8\xff", JPEG),
    (b"II*\x00", TIFF),
    (b"MM\x00*", TIFF),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "doc"),
)
_ZIP = b"PK\x03\x04"
_ZIP_END = b"PK\x05\x06"
_WITHIN = {"word/document.xml": "docx", "xl/workbook.xml": "xlsx", "ppt/presentation.xml": "pptx"}
_MIMETYPE = {
    b"application/vnd.oasis.opendocument.text": "odt",
    b"application/vnd.oasis.opendocument.spreadsheet": "ods",
    b"application/vnd.oasis.opendocument.presentation": "odp",
}
_ENTRIES = 10_000


def kind_of(data: bytes) -> str:
    """Return the kind of file. Raises UnsafeFileError("type") or, for two kinds in one, ("mixed").

    A PDF must begin as one: readers forgive leading bytes, and so a file can be a picture to one program and a
    PDF to the next.
    """
    if not data:
        raise UnsafeFileError("empty")
    if data.startswith(_ZIP):
        return _zipped(data)
    for start, kind in _STARTS:
        if data.startswith(start):
            if kind == PDF and _also_zip(data):
                raise UnsafeFileError("mixed", "PDF and ZIP")
            return kind
    if b"%PDF-" in data[:1024]:
        raise UnsafeFileError("mixed", "a PDF that begins as something else")
    raise UnsafeFileError("type")


def _also_zip(data: bytes) -> bool:
    return _ZIP_END in data[-66_000:] and _ZIP in data  # the end record and its longest comment


def _zipped(data: bytes) -> str:
    if b"%PDF-" in data[:1024]:
        raise UnsafeFileError("mixed", "ZIP and PDF")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
            if len(names) > _ENTRIES:
                raise UnsafeFileError("bomb", "entries")
            if "mimetype" in names:
                with archive.open("mimetype") as opened:
                    return _MIMETYPE.get(opened.read(100).strip()) or _unknown()
    except (zipfile.BadZipFile, OSError, ValueError, RuntimeError, NotImplementedError, EOFError) as error:
        raise UnsafeFileError("broken", "ZIP") from error
    if "[Content_Types].xml" not in names:
        _unknown()
    return next((kind for name, kind in _WITHIN.items() if name in names), "") or _unknown()


def _unknown() -> str:
    raise UnsafeFileError("type")
