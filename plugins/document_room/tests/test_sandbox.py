"""The process that reads strangers' files: what it cannot do, and that breaking it breaks nothing else."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image, ImageChops
from pypdf import PdfReader, PdfWriter
from pypdf.generic import DictionaryObject, NameObject, TextStringObject
from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

import tillit_document_room
from tillit_document_room import converting
from tillit_document_room.processes import Keeper, Workshop
from tillit_document_room.sandbox.limits import MEGABYTE, Limits
from tillit_document_room.sandbox.refusals import UnsafeFileError

Pages = Callable[..., bytes]
ROOT = Path(tillit_document_room.__file__).parents[1]
LIMITS = Limits()

TRIES = """
    import json, os, socket, sys
    from tillit_document_room.sandbox import lockdown
    lockdown.limit(memory_bytes=1 << 30, open_files=32)
    found = {"shut": lockdown.shut()}
    def tries(name, work):
        try:
            work()
            found[name] = "done"
        except OSError as error:
            found[name] = type(error).__name__
    tries("read a file", lambda: open("/etc/passwd"))
    tries("write a file", lambda: open(sys.argv[1], "w"))
    tries("list a folder", lambda: os.listdir("/"))
    tries("open a socket", lambda: socket.socket())
    tries("another process", lambda: os.fork())
    tries("another program", lambda: os.execv("/bin/true", ["true"]))
    tries("signal others", lambda: os.kill(os.getppid(), 0))
    tries("delete a file", lambda: os.unlink(sys.argv[1]))
    sys.stdout.write(json.dumps(found))
"""


def test_a_shut_in_process_reaches_no_file_no_network_and_no_other_process(tmp_path: Path) -> None:
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n" + textwrap.dedent(TRIES)
    there = tmp_path / "there"
    there.write_text("kept")
    done = subprocess.run([sys.executable, "-c", code, str(there)], capture_output=True, text=True, timeout=120)
    found = json.loads(done.stdout)
    assert found.pop("shut") is True
    assert set(found.values()) == {"PermissionError"}, found
    assert there.read_text() == "kept"


def test_the_process_is_given_none_of_the_products_environment(workshop: Workshop) -> None:
    workshop.is_shut()
    from tillit_document_room import processes

    process = processes._nursery._process
    assert process is not None
    environment = Path(f"/proc/{process.pid}/environ").read_bytes()
    assert b"PYTEST" not in environment
    assert b"HOME=" not in environment


def test_a_process_killed_in_the_middle_refuses_that_file_and_the_next_is_served(
    workshop: Workshop, written: Pages
) -> None:
    pdf = written(["A"])
    with workshop.room("m_a") as keeper:
        keeper.do({"do": "open", "key": "a"}, pdf)
        signal.pidfd_send_signal(keeper._pidfd, signal.SIGKILL)
        with pytest.raises(UnsafeFileError, match="too_heavy"):
            page(keeper, "a")
    with workshop.room("m_a") as keeper:
        keeper.do({"do": "open", "key": "a"}, pdf)
        assert page(keeper, "a").startswith(b"\x89PNG")


def test_the_first_process_is_started_again_when_it_is_gone(workshop: Workshop, written: Pages) -> None:
    from tillit_document_room import processes

    workshop.is_shut()
    process = processes._nursery._process
    assert process is not None
    process.kill()
    process.wait()
    facts, _ = workshop.once({"do": "inspect", "keep_bytes": False}, written(["A"]))
    assert facts["is_pdf"]


def test_two_meetings_never_share_a_process(workshop: Workshop, written: Pages) -> None:
    with workshop.room("m_one") as one:
        one.do({"do": "open", "key": "secret"}, written(["A"]))
        with workshop.room("m_two") as two:
            answer, _ = two.do({"do": "page", "key": "secret", "page": 1, "dpi": 72, "masks": [], "mark": ""})
            assert answer == {"unknown": True}


def test_no_process_is_left_behind_and_none_becomes_a_ghost(written: Pages) -> None:
    workshop, before = Workshop(LIMITS, processes=2), _below()
    for number in range(6):
        workshop.once({"do": "inspect", "keep_bytes": False}, written([str(number)]))
        with workshop.room(f"m_{number}") as keeper:
            keeper.do({"do": "open", "key": "a"}, written(["A"]))
    assert _below_at_most(len(before) + 1 + 2)
    workshop.stop()
    assert _below_at_most(len(before) + 1), "only the one that starts others"


def _below() -> set[int]:
    """Return the processes of the nursery's family, ghosts included."""
    from benchmarks._processor import family_of

    return family_of(os.getpid())


def _below_at_most(most: int) -> bool:
    """Say whether there are no more of them; one that was ended is there for a moment yet."""
    deadline = time.monotonic() + 40
    while len(_below()) > most:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def page(keeper: Keeper, key: str, number: int = 1, **how: object) -> bytes:
    job = {"do": "page", "key": key, "page": number, "dpi": 100, "masks": [], "mark": ""} | how
    return keeper.do(job)[1]


def picture(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("RGB")


# Taking in


@pytest.mark.requirement("R069")
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
def test_a_picture_becomes_a_page_without_what_the_camera_wrote_into_it(workshop: Workshop, kind: str) -> None:
    out, place = io.BytesIO(), Image.Exif()
    place[0x010E] = "Maja Granlids kök, 59.33 N 18.06 E"
    Image.radial_gradient("L").convert("RGB").save(out, kind, exif=place)
    assert b"Granlid" in out.getvalue()
    facts, pdf = workshop.once({"do": "inspect", "keep_bytes": False}, out.getvalue())
    assert len(facts["sizes"]) == 1
    assert pdf.startswith(b"%PDF-")
    assert b"Granlid" not in pdf


def test_a_harmless_document_is_kept_byte_for_byte(workshop: Workshop, written: Pages) -> None:
    facts, changed = workshop.once({"do": "inspect", "keep_bytes": False}, written(["A"], ["B"]))
    assert (facts["removed"], changed, len(facts["sizes"])) == ([], b"", 2)


def opens_with_a_script(writer: PdfWriter) -> None:
    action = {NameObject("/S"): NameObject("/JavaScript"), NameObject("/JS"): TextStringObject("app.alert(1)")}
    writer.root_object[NameObject("/OpenAction")] = DictionaryObject(action)


def test_a_cleaned_document_shows_the_same_pages_and_runs_nothing(workshop: Workshop, written: Pages) -> None:
    writer = PdfWriter()
    writer.append(PdfReader(io.BytesIO(written(["Innehållet är kvar"]))))
    opens_with_a_script(writer)
    writer.add_attachment("a.exe", b"MZ evil bytes")
    out = io.BytesIO()
    writer.write(out)
    facts, pdf = workshop.once({"do": "inspect", "keep_bytes": False}, out.getvalue())
    assert {"javascript", "embedded"} <= set(facts["removed"])
    assert b"app.alert" not in pdf
    assert b"evil bytes" not in pdf
    assert "Innehållet är kvar" in PdfReader(io.BytesIO(pdf)).pages[0].extract_text()


def test_a_sealed_document_keeps_its_evidence_but_is_refused_with_a_script(workshop: Workshop, written: Pages) -> None:
    writer = PdfWriter()
    writer.append(PdfReader(io.BytesIO(written(["A"]))))
    writer.add_attachment("evidence.xml", b"<a/>")
    out = io.BytesIO()
    writer.write(out)
    facts, changed = workshop.once({"do": "inspect", "keep_bytes": True}, out.getvalue())
    assert (facts["removed"], changed) == ([], b"")
    opens_with_a_script(writer)
    out = io.BytesIO()
    writer.write(out)
    with pytest.raises(UnsafeFileError, match="active"):
        workshop.once({"do": "inspect", "keep_bytes": True}, out.getvalue())


# Showing


def turned(rotation: int) -> bytes:
    """Return a page that is turned and cut, with an amount on it."""
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=A4, invariant=True)
    canvas.setFont("Helvetica", 14)
    canvas.drawString(200, 400, "Belopp 123 456 kr")
    canvas.save()
    writer = PdfWriter()
    writer.append(PdfReader(io.BytesIO(out.getvalue())))
    writer.pages[0].rotate(rotation)
    writer.pages[0].cropbox.lower_left = (100, 200)
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


@pytest.mark.requirement("R037")
@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_a_value_is_found_and_covered_on_pages_turned_and_cut(workshop: Workshop, rotation: int) -> None:
    pdf = turned(rotation)
    with workshop.room(f"m_turned{rotation}") as keeper:
        keeper.do({"do": "open", "key": "a"}, pdf)
        masks = keeper.do({"do": "find", "key": "a", "value": "123456kr"})[0]["masks"]
        assert len(masks) == 1
        plain, covered = picture(page(keeper, "a")), picture(page(keeper, "a", masks=masks))
        words = keeper.do({"do": "text", "key": "a", "page": 1, "masks": masks})[0]["text"]
    box = ImageChops.difference(plain, covered).getbbox()
    assert box is not None
    inside = covered.crop((box[0] + 1, box[1] + 1, box[2] - 1, box[3] - 1)).getcolors(10) or []
    assert len(inside) == 1, "one colour, nothing of the digits"
    assert "123" not in words
    assert "Belopp" in words


@pytest.mark.requirement("R037")
def test_a_value_that_a_page_break_divides_is_found_on_both_pages(workshop: Workshop, written: Pages) -> None:
    pdf = written(["Lån 8327", "Konto 8327-9", "avtal 1 / 2"], ["1234567 tillhör", "låntagaren 1234567"])
    with workshop.room("m_divided") as keeper:
        keeper.do({"do": "open", "key": "a"}, pdf)
        masks = keeper.do({"do": "find", "key": "a", "value": "8327-9 1234567"})[0]["masks"]
        words = [keeper.do({"do": "text", "key": "a", "page": each, "masks": masks})[0]["text"] for each in (1, 2)]
        assert keeper.do({"do": "find", "key": "a", "value": "8327-8 1234567"})[0]["masks"] == []
    assert [each["page"] for each in masks] == [1, 2]
    assert [each.split() for each in words] == [
        ["Lån", "8327", "Konto", "[█]", "avtal", "1", "/", "2"],
        ["[█]", "tillhör", "låntagaren", "1234567"],
    ]


@pytest.mark.requirement("R037")
def test_a_value_in_a_form_field_is_found_and_covered_as_well(workshop: Workshop) -> None:
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=A4, invariant=True)
    canvas.drawString(60, 700, "Namn")
    canvas.acroForm.textfield(name="lön", value="43 210 kr", x=150, y=690, width=200, height=24, fontSize=14)
    canvas.save()
    with workshop.room("m_form") as keeper:
        keeper.do({"do": "open", "key": "a"}, out.getvalue())
        masks = keeper.do({"do": "find", "key": "a", "value": "43 210"})[0]["masks"]
        assert masks, "what is drawn is what is searched"
        assert "210" not in keeper.do({"do": "text", "key": "a", "page": 1, "masks": masks})[0]["text"]


@pytest.mark.requirement("R072")
def test_two_readers_marks_differ_and_no_ground_hides_one(workshop: Workshop) -> None:
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=A4, invariant=True)
    canvas.setFillColorRGB(0, 0, 0)
    canvas.rect(0, 0, A4[0], A4[1] / 2, stroke=0, fill=1)
    canvas.setFillColorRGB(0.8, 0.1, 0.1)
    canvas.rect(0, A4[1] / 2, A4[0], A4[1] / 4, stroke=0, fill=1)
    canvas.save()
    with workshop.room("m_marks") as keeper:
        keeper.do({"do": "open", "key": "a"}, out.getvalue())
        bare = picture(page(keeper, "a"))
        one, two = (picture(page(keeper, "a", mark=f"{name}  2026-11-24")) for name in ("Maja Granlid", "Samir Haddin"))
    third = bare.height // 4
    for top in (0, third, 2 * third, 3 * third):
        strip = (0, top, bare.width, top + third)
        assert ImageChops.difference(bare.crop(strip), one.crop(strip)).getbbox() is not None, top
        assert ImageChops.difference(one.crop(strip), two.crop(strip)).getbbox() is not None, top


def test_a_name_in_any_script_can_be_marked_with(workshop: Workshop, written: Pages) -> None:
    with workshop.room("m_script") as keeper:
        keeper.do({"do": "open", "key": "a"}, written(["A"]))
        for name in ("Åsa Öberg", "Łukasz Żak", "Мария", "محمد", "李", "a\u202eb", "x" * 500, "\x00"):
            assert page(keeper, "a", mark=name).startswith(b"\x89PNG")


def test_a_page_of_any_size_is_drawn_within_bounds(workshop: Workshop) -> None:
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=(14_000, 9_000), invariant=True)
    canvas.drawString(100, 100, "A")
    canvas.save()
    with workshop.room("m_large") as keeper:
        keeper.do({"do": "open", "key": "a"}, out.getvalue())
        assert max(picture(page(keeper, "a", dpi=150)).size) <= LIMITS.page_pixels
    with workshop.room("m_large") as keeper:
        for number in (0, -1, 2, 10**9):
            with pytest.raises(UnsafeFileError):
                page(keeper, "a", number)


# Office documents


def soffice(folder: Path, script: str) -> Path:
    """Return a program that stands where soffice would."""
    program = folder / "soffice"
    program.write_text(f"#!{sys.executable}\n" + textwrap.dedent(script))
    program.chmod(0o755)
    return program


def test_an_office_document_is_refused_plainly_where_nothing_can_convert_it() -> None:
    with pytest.raises(UnsafeFileError, match="no_office"):
        converting.convert(b"PK", "docx", soffice=None, limits=LIMITS)


def test_the_converter_runs_without_a_network_and_in_a_home_of_its_own(tmp_path: Path) -> None:
    program = soffice(
        tmp_path,
        """
        import os, pathlib, socket, sys
        out = pathlib.Path(sys.argv[sys.argv.index("--outdir") + 1])
        out.mkdir()
        told = []
        try:
            socket.socket(socket.AF_INET)
            told.append("network")
        except PermissionError:
            told.append("no network")
        socket.socket(socket.AF_UNIX)
        told.append(os.environ["HOME"])
        told.append(" ".join(sorted(os.environ)))
        (out / "in.pdf").write_text("%PDF- " + "|".join(told))
        """,
    )
    made = converting.convert(b"PK", "docx", soffice=program, limits=LIMITS).decode()
    network, home, names = made.removeprefix("%PDF- ").split("|")
    assert network == "no network"
    assert home != os.environ.get("HOME")
    assert not Path(home).exists(), "nothing of it is left"
    assert "PYTEST_CURRENT_TEST" not in names


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("raise SystemExit(1)", "broken"),
        ("import time; time.sleep(60)", "too_heavy"),
        ("import os\nwhile True: os.urandom(1 << 20)", "too_heavy"),
    ],
)
def test_a_converter_that_fails_hangs_or_spins_is_ended(
    tmp_path: Path, script: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if reason == "too_heavy":
        monkeypatch.setattr(converting, "_WALL_S", 1.0)
    with pytest.raises(UnsafeFileError, match=reason):
        converting.convert(b"PK", "docx", soffice=soffice(tmp_path, script), limits=LIMITS)


CONTENT_TYPES = """<?xml version="1.0"?>
<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">
<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>
<Override PartName="/word/document.xml"
 ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>"""
RELATIONS = """<?xml version="1.0"?>
<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">
<Relationship Id="r1" Target="word/document.xml"
 Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"/></Relationships>"""
WORDS = """<?xml version="1.0"?>
<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">
<w:body><w:p><w:r><w:t>Skuldebrev</w:t></w:r></w:p></w:body></w:document>"""


@pytest.mark.skipif(shutil.which("soffice") is None, reason="LibreOffice is not on this machine")
def test_libreoffice_itself_makes_a_letter_a_pdf_within_those_bounds() -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as letter:
        for name, text in (
            ("[Content_Types].xml", CONTENT_TYPES),
            ("_rels/.rels", RELATIONS),
            ("word/document.xml", WORDS),
        ):
            letter.writestr(name, text)

    pdf = converting.convert(made.getvalue(), "docx", soffice=Path("/usr/bin/soffice"), limits=LIMITS)

    assert "Skuldebrev" in PdfReader(io.BytesIO(pdf)).pages[0].extract_text()


def test_a_converted_document_is_itself_looked_into(workshop: Workshop) -> None:
    """The converter reads hostile bytes as well: what comes out of it is trusted no more than what went in."""
    small = replace(LIMITS, file_bytes=MEGABYTE)
    assert small.file_bytes < LIMITS.file_bytes
    with pytest.raises(UnsafeFileError):
        workshop.once({"do": "inspect", "keep_bytes": False}, b"%PDF-1.7 from a converter that was taken over")
