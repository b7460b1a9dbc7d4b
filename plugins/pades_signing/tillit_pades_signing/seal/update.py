"""An incremental update of a PDF: what is added stands behind the original, of which no byte changes.

pyHanko reads the original; what we add is written here, since the objects are few and known.
Source: ISO 32000-2 sections 7.5.4 to 7.5.8.
"""

import hashlib
import io
import zlib
from collections.abc import Callable, Iterable

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.generic import ArrayObject, DictionaryObject, IndirectObject, NameObject, NumberObject
from pyhanko.pdf_utils.misc import PdfError
from pyhanko.pdf_utils.reader import PdfFileReader

from sidecar.plugin_api import InvalidInputError

_MOST_NODES = 10_000  # of a name tree; a document of ours has ten


class UnsuitableDocumentError(InvalidInputError):
    """This file cannot be sealed. params: field, reason ("encrypted", "signed", "unreadable")."""


def name(text: str) -> NameObject:
    return NameObject(f"/{text}")


def open_original(original: bytes) -> PdfFileReader:
    """Return the file, read. Raises UnsuitableDocumentError unless it is a plain, unsigned, readable PDF."""
    if not original.startswith(b"%PDF-"):
        raise _unsuitable("unreadable")  # bytes before the header would move every offset
    try:
        reader = PdfFileReader(io.BytesIO(original))
        if reader.encrypted:
            raise _unsuitable("encrypted")
        if "/Perms" in reader.root or _has_signatures(reader.root):
            raise _unsuitable("signed")
        if len(reader.root["/Pages"]["/Kids"]) < 1:
            raise _unsuitable("unreadable")
    except (
        PdfError,
        zlib.error,
        ArithmeticError,
        ValueError,
        KeyError,
        TypeError,
        RecursionError,
        IndexError,
        AttributeError,
    ) as error:
        # The readers of a foreign file fail in many ways; each of them means: not this file.
        if isinstance(error, UnsuitableDocumentError):
            raise
        raise _unsuitable("unreadable") from error
    return reader


def _unsuitable(reason: str) -> UnsuitableDocumentError:
    return UnsuitableDocumentError("this PDF cannot be sealed", field="document", reason=reason)


def _has_signatures(root: DictionaryObject) -> bool:
    form = root.get("/AcroForm")
    return isinstance(form, DictionaryObject) and bool(int(form.get("/SigFlags", 0)) & 1)


def page_count(original: bytes) -> int:
    """Return how many pages a suitable original has. Raises UnsuitableDocumentError."""
    reader = open_original(original)
    try:
        return int(reader.root["/Pages"]["/Count"])
    except (KeyError, ValueError, TypeError) as error:
        raise _unsuitable("unreadable") from error


class Update:
    """Objects to add and to replace. References are written "12 0 R"; `write` puts them behind the original."""

    def __init__(self, original: bytes, reader: PdfFileReader) -> None:
        self.original, self.reader = original, reader
        self._next = int(reader.trailer["/Size"])
        self._objects: list[tuple[int, int, bytes]] = []  # number, generation, body
        self.catalog = self._copy(reader.root)
        self.catalog_ref: IndirectObject = reader.trailer.raw_get("/Root")
        self.seal_field = 0  # the number of the field that holds the seal

    @staticmethod
    def _copy(found: DictionaryObject) -> DictionaryObject:
        copied = DictionaryObject()
        for key in found:
            copied[key] = found.raw_get(key)
        return copied

    def reserve(self) -> int:
        """Return the number of an object whose body comes later."""
        number, self._next = self._next, self._next + 1
        return number

    def add(self, body: bytes, *, number: int | None = None) -> int:
        """Add an object and return its number."""
        number = self.reserve() if number is None else number
        self._objects.append((number, 0, body))
        return number

    def add_stream(self, data: bytes, entries: bytes = b"", *, number: int | None = None) -> int:
        """Add a compressed stream. entries: of its dictionary, beside length and filter."""
        packed = zlib.compress(data, 1)
        head = b"<<%s /Filter /FlateDecode /Length %d>>\nstream\n" % (entries, len(packed))
        return self.add(head + packed + b"\nendstream", number=number)

    def reference(self, number: int) -> IndirectObject:
        return IndirectObject(number, 0, self.reader)

    def replace(self, reference: IndirectObject, value: generic.PdfObject) -> None:
        self._objects.append((reference.idnum, reference.generation, written(value)))

    def child(self, holder: DictionaryObject, key: str) -> DictionaryObject:
        """Return a copy of a dictionary inside another, empty where there is none; it is written inside."""
        found = holder.get(key)
        copied = self._copy(found) if isinstance(found, DictionaryObject) else DictionaryObject()
        holder[NameObject(key)] = copied
        return copied

    def append_pages(self, numbers: Iterable[int], *, parent_key: Callable[[IndirectObject], None]) -> None:
        """Put pages behind the last one. parent_key: is told the reference the pages name as their parent."""
        root: IndirectObject = self.catalog.raw_get("/Pages")
        pages = self._copy(root.get_object())
        kids = ArrayObject(list(_raw_items(pages["/Kids"])))
        added = list(numbers)
        kids.extend(self.reference(number) for number in added)
        pages[name("Kids")] = kids
        pages[name("Count")] = NumberObject(int(pages["/Count"]) + len(added))
        parent_key(root)
        self.replace(root, pages)

    def named_files(self) -> list[tuple[bytes, generic.PdfObject]]:
        """Return what is attached to the original already, as (name, reference), wherever in its tree."""
        names = self.reader.root.get("/Names")
        tree = names.get("/EmbeddedFiles") if isinstance(names, DictionaryObject) else None
        found: list[tuple[bytes, generic.PdfObject]] = []
        waiting = [tree] if isinstance(tree, DictionaryObject) else []
        for _ in range(_MOST_NODES):
            if not waiting:
                return found
            node = waiting.pop()
            leaf = list(_raw_items(node.get("/Names", ArrayObject())))
            for at in range(0, len(leaf) - 1, 2):
                found.append((_bytes_of(leaf[at]), leaf[at + 1]))
            waiting.extend(kid for kid in node.get("/Kids", ArrayObject()) if isinstance(kid, DictionaryObject))
        raise _unsuitable("unreadable")

    def write(self) -> bytearray:
        """Return the whole file."""
        self.replace(self.catalog_ref, self.catalog)
        file = bytearray(self.original)
        if not file.endswith((b"\n", b"\r")):
            file += b"\n"
        positions: list[tuple[int, int, int]] = []
        for number, generation, body in self._objects:
            positions.append((number, generation, len(file)))
            file += b"%d %d obj\n" % (number, generation)
            file += body
            file += b"\nendobj\n"
        if self.reader.has_xref_stream:
            self._write_xref_stream(file, positions)
        else:
            self._write_xref_table(file, positions)
        return file

    def _trailer(self, file: bytearray, size: int) -> bytes:
        trailer = self.reader.trailer
        fresh = hashlib.sha256(file).digest()[:16].hex().encode()
        first = fresh
        if "/ID" in trailer:
            first = _bytes_of(trailer["/ID"][0]).hex().encode()
        info = b""
        if "/Info" in trailer:
            info = b"/Info " + written(trailer.raw_get("/Info")) + b" "
        root = written(self.catalog_ref)
        return b"/Size %d /Root %s %s/ID [<%s> <%s>] /Prev %d" % (
            *(size, root, info, first, fresh),
            int(self.reader.last_startxref or 0),
        )

    def _write_xref_table(self, file: bytearray, positions: list[tuple[int, int, int]]) -> None:
        start = len(file)
        trailer = self._trailer(file, self._next)
        file += b"xref\n"
        for run in _runs(positions):
            file += b"%d %d\n" % (run[0][0], len(run))
            for _, generation, offset in run:
                file += b"%010d %05d n \n" % (offset, generation)
        file += b"trailer\n<<%s>>\nstartxref\n%d\n%%%%EOF\n" % (trailer, start)

    def _write_xref_stream(self, file: bytearray, positions: list[tuple[int, int, int]]) -> None:
        """A file with cross-reference streams goes on with one; the stream lists itself too."""
        number, start = self.reserve(), len(file)
        trailer = self._trailer(file, self._next)
        runs = _runs([*positions, (number, 0, start)])
        index = b" ".join(b"%d %d" % (run[0][0], len(run)) for run in runs)
        rows = b"".join(
            b"\x01" + offset.to_bytes(5, "big") + generation.to_bytes(2, "big")
            for run in runs
            for _, generation, offset in run
        )
        packed = zlib.compress(rows, 1)
        file += b"%d 0 obj\n<</Type /XRef %s /W [1 5 2] /Index [%s] /Filter /FlateDecode /Length %d>>\nstream\n" % (
            *(number, trailer, index, len(packed)),
        )
        file += packed
        file += b"\nendstream\nendobj\nstartxref\n%d\n%%%%EOF\n" % start


def _runs(positions: list[tuple[int, int, int]]) -> list[list[tuple[int, int, int]]]:
    """Return the positions in order of their numbers, cut where numbers are missing."""
    runs: list[list[tuple[int, int, int]]] = []
    for position in sorted(positions):
        if runs and runs[-1][-1][0] + 1 == position[0]:
            runs[-1].append(position)
        else:
            runs.append([position])
    return runs


def _raw_items(array: generic.PdfObject) -> Iterable[generic.PdfObject]:
    if not isinstance(array, ArrayObject):
        raise _unsuitable("unreadable")
    return (array.raw_get(at) for at in range(len(array)))


def _bytes_of(value: generic.PdfObject) -> bytes:
    if isinstance(value, generic.TextStringObject):
        return bytes(value.original_bytes)
    if isinstance(value, generic.ByteStringObject):
        return bytes(value)
    raise _unsuitable("unreadable")


def written(value: generic.PdfObject) -> bytes:
    """Return a value as it stands in a file."""
    stream = io.BytesIO()
    value.write_to_stream(stream, None)
    return stream.getvalue()


def text_string(text: str) -> bytes:
    """Return a text string: as it is where ASCII says it, else UTF-16 with its mark."""
    if text.isascii() and text.isprintable():
        return b"(" + text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)").encode() + b")"
    return b"<FEFF" + text.encode("utf-16-be").hex().upper().encode() + b">"
