"""Puts the parts together: the original, the page, what is attached, and the room for the seal, then the seal."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from pyhanko.pdf_utils import generic

from tillit_pades_signing.seal.cms import SealMaker
from tillit_pades_signing.seal.page import HEIGHT, WIDTH, SignaturePage, draw
from tillit_pades_signing.seal.update import Update, name, open_original, text_string

STAMP_ROOM_BYTES = 6 * 1024  # left inside the seal for a time-stamp over it, which comes within the minute
SEAL_FIELD = "TillitSeal"
_BYTE_RANGE = b"/ByteRange [0 %010d %010d %010d]"


@dataclass(frozen=True)
class Attachment:
    """A file inside the file. relationship: as ISO 32000-2 section 7.11.3 names it."""

    name: str
    media_type: str
    data: bytes = field(repr=False)
    description: str = ""
    relationship: str = "Supplement"


@dataclass(frozen=True)
class SealWords:
    """What the signature dictionary says of itself. signer: the bank's name."""

    signer: str
    reason: str


def build_sealed(
    original: bytes,
    *,
    page: SignaturePage,
    attachments: Sequence[Attachment],
    words: SealWords,
    at: datetime,
    maker: SealMaker,
) -> bytes:
    """Return the sealed file, PAdES B-B. The original is its exact prefix. at: aware UTC, the time claimed.

    Raises UnsuitableDocumentError, SealUnavailableError.
    """
    update = Update(original, open_original(original))
    pages = _add_pages(update, page)
    _add_attachments(update, attachments, at)
    _add_seal_field(update, page=pages[0], words=words, at=at, reserved=maker.reserved + STAMP_ROOM_BYTES)
    file = update.write()
    return _sealed(file, len(original), maker)


def _add_pages(update: Update, page: SignaturePage) -> list[int]:
    fonts = b"".join(
        b"/%s <</Type /Font /Subtype /Type1 /BaseFont /%s /Encoding /WinAnsiEncoding>> " % font
        for font in ((b"F1", b"Helvetica"), (b"F2", b"Helvetica-Bold"), (b"F3", b"Courier"))
    )
    resources = update.add(b"<</Font <<%s>>>>" % fonts)
    contents = [update.add_stream(content) for content in draw(page)]
    numbers = [update.reserve() for _ in contents]

    def add(parent: generic.IndirectObject) -> None:
        for number, content in zip(numbers, contents, strict=True):
            annotations = b" /Annots [%d 0 R]" % (update.seal_field) if number == numbers[0] else b""
            update.add(
                b"<</Type /Page /Parent %d %d R /MediaBox [0 0 %d %d] /Rotate 0 /Lang %s /Resources %d 0 R"
                b" /Contents %d 0 R%s>>"
                % (
                    *(parent.idnum, parent.generation, WIDTH, HEIGHT, text_string(page.language)),
                    *(resources, content, annotations),
                ),
                number=number,
            )

    update.seal_field = update.reserve()
    update.append_pages(numbers, parent_key=add)
    return numbers


def _add_attachments(update: Update, attachments: Sequence[Attachment], at: datetime) -> None:
    leaves = update.named_files()
    names = update.child(update.catalog, "/Names")
    related = generic.ArrayObject()
    found = update.catalog.get("/AF")
    if isinstance(found, generic.ArrayObject):
        related.extend(found.raw_get(at_) for at_ in range(len(found)))
    for each in attachments:
        # MD5 is what the format asks for in /CheckSum; the manifest's SHA-256 is what anything rests on.
        check = hashlib.md5(each.data, usedforsecurity=False).hexdigest().encode()
        kind = each.media_type.replace("/", "#2F").encode()
        stream = update.add_stream(
            each.data,
            b"/Type /EmbeddedFile /Subtype /%s /Params <</Size %d /CheckSum <%s> /ModDate (%s)>>"
            % (kind, len(each.data), check, pdf_time(at)),
        )
        shown = text_string(each.name)
        spec = update.add(
            b"<</Type /Filespec /F %s /UF %s /Desc %s /AFRelationship /%s /EF <</F %d 0 R /UF %d 0 R>>>>"
            % (shown, shown, text_string(each.description), each.relationship.encode(), stream, stream)
        )
        leaves.append((each.name.encode("ascii"), update.reference(spec)))
        related.append(update.reference(spec))
    flat = generic.ArrayObject()
    for leaf_name, reference in sorted(leaves, key=lambda leaf: leaf[0]):
        flat.extend((generic.ByteStringObject(leaf_name), reference))
    names[name("EmbeddedFiles")] = generic.DictionaryObject({name("Names"): flat})
    update.catalog[name("AF")] = related


def _add_seal_field(update: Update, *, page: int, words: SealWords, at: datetime, reserved: int) -> None:
    seal = update.add(
        b"<</Type /Sig /Filter /Adobe.PPKLite /SubFilter /ETSI.CAdES.detached %s /Contents <%s>"
        b" /M (%s) /Name %s /Reason %s /Reference [<</Type /SigRef /TransformMethod /DocMDP"
        b" /TransformParams <</Type /TransformParams /V /1.2 /P 1>>>>]>>"
        % (
            *(_BYTE_RANGE % (0, 0, 0), b"0" * (2 * reserved), pdf_time(at)),
            *(text_string(words.signer), text_string(words.reason)),
        )
    )
    update.add(
        b"<</Type /Annot /Subtype /Widget /FT /Sig /T (%s) /F 132 /Rect [0 0 0 0] /P %d 0 R /V %d 0 R>>"
        % (SEAL_FIELD.encode(), page, seal),
        number=update.seal_field,
    )
    form = update.child(update.catalog, "/AcroForm")
    fields = generic.ArrayObject()
    found = form.get("/Fields")
    if isinstance(found, generic.ArrayObject):
        fields.extend(found.raw_get(at_) for at_ in range(len(found)))
    fields.append(update.reference(update.seal_field))
    form[name("Fields")] = fields
    form[name("SigFlags")] = generic.NumberObject(3)
    permissions = update.child(update.catalog, "/Perms")
    permissions[name("DocMDP")] = update.reference(seal)


def _sealed(file: bytearray, after: int, maker: SealMaker) -> bytes:
    """Fill in what the seal covers, then the seal itself."""
    reserved = maker.reserved + STAMP_ROOM_BYTES
    marker = b"/Contents <" + b"0" * (2 * reserved) + b">"
    start = file.index(marker, after) + len(b"/Contents ")
    end = start + 2 * reserved + 2
    ranges = file.rindex(_BYTE_RANGE % (0, 0, 0), after, start)
    filled = _BYTE_RANGE % (start, end, len(file) - end)
    file[ranges : ranges + len(filled)] = filled
    digest = hashlib.sha256(memoryview(file)[:start])
    digest.update(memoryview(file)[end:])
    seal = maker.seal(digest.digest()).hex().encode()
    file[start + 1 : start + 1 + len(seal)] = seal
    return bytes(file)


def pdf_time(at: datetime) -> bytes:
    """Return a time as PDF writes it. Source: ISO 32000-2 section 7.9.4."""
    return at.strftime("D:%Y%m%d%H%M%SZ").encode()
