"""The sealed file by itself: an exact prefix, a seal that outsiders validate, every changed byte found."""

import hashlib
import io
import json
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.pdf_utils.writer import copy_into_new_writer
from pypdf import PdfReader, PdfWriter
from reportlab.pdfgen import canvas

from tillit_pades_signing.seal.build import Attachment, SealWords, build_sealed
from tillit_pades_signing.seal.cms import SealMaker
from tillit_pades_signing.seal.keys import FileKey
from tillit_pades_signing.seal.page import SignaturePage, SignerOnPage
from tillit_pades_signing.seal.update import UnsuitableDocumentError, open_original
from tillit_pades_signing.verify import Verdict, examine, main

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
PAGE = SignaturePage(
    language="sv",
    brand="Exempelbanken",
    title="Underskrifter",
    lead="Den här sidan har banken lagt till.",
    facts=(("Dokument", "Skuldebrev (3)"),),
    signers_title="Har skrivit under",
    signers=(SignerOnPage("Łukasz Żółć", (("Sätt", "BankID"),), (((0.1, 0.2), (0.9, 0.8)),)),),
    notes=("En not \\ med (parenteser).",),
    number="Sida {n} av {of}",
)


@pytest.fixture(scope="session")
def key(_trust: Any) -> FileKey:
    return FileKey.read(_trust.directory / "seal-key.pem", _trust.directory / "seal.pem")


def seal(original: bytes, key: Any, *more: Attachment, page: SignaturePage = PAGE) -> bytes:
    attachments = [Attachment("manifest.json", "application/json", b"{}"), *more]
    words = SealWords("Exempelbanken", "Förseglat")
    return build_sealed(original, page=page, attachments=attachments, words=words, at=NOON, maker=SealMaker(key))


def plain() -> bytes:
    """Return a PDF of two pages, the same each time."""
    buffer = io.BytesIO()
    paper = canvas.Canvas(buffer, invariant=1)
    for words in ("Skuldebrev", "6.1 Ränta"):
        paper.drawString(72, 720, words)
        paper.showPage()
    paper.save()
    return buffer.getvalue()


def rewritten(how: str) -> bytes:
    """Return the same pages as other programs write them."""
    buffer = io.BytesIO()
    if how == "xref-stream":
        copy_into_new_writer(PdfFileReader(io.BytesIO(plain())), writer_kwargs={"stream_xrefs": True}).write(buffer)
        assert b"/Type /XRef" in buffer.getvalue()
        return buffer.getvalue()
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(plain())))
    writer.add_attachment("bilaga.txt", b"en bilaga")
    writer.write(buffer)
    return buffer.getvalue()


@pytest.mark.requirement("R083")
@pytest.mark.parametrize("how", ["plain", "attached", "xref-stream"])
def test_original_is_an_exact_prefix_and_pdfsig_finds_the_seal_valid(key: FileKey, tmp_path: Path, how: str) -> None:
    original = plain() if how == "plain" else rewritten(how)
    sealed = seal(original, key)
    path = tmp_path / "sealed.pdf"
    path.write_bytes(sealed)
    said = subprocess.run(["pdfsig", "-nocert", str(path)], capture_output=True, text=True, timeout=200).stdout

    assert sealed.startswith(original)
    assert "Signature is Valid" in said
    assert "ETSI.CAdES.detached" in said
    assert "Total document signed" in said
    assert len(PdfReader(io.BytesIO(sealed)).pages) == 3


@pytest.mark.requirement("R083")
def test_openssl_finds_the_cms_valid_over_the_named_bytes(key: FileKey, tmp_path: Path, trust: Any) -> None:
    sealed = seal(plain(), key)
    found = re.search(rb"/ByteRange \[0 (\d+) (\d+) (\d+)\]", sealed)
    assert found is not None
    first, second, rest = map(int, found.groups())
    assert second + rest == len(sealed)
    contents = bytes.fromhex(sealed[first + 1 : second - 1].decode())
    size = 4 + int.from_bytes(contents[2:4], "big")
    (tmp_path / "seal.der").write_bytes(contents[:size])
    (tmp_path / "covered").write_bytes(sealed[:first] + sealed[second:])
    command = ["openssl", "cms", "-verify", "-binary", "-inform", "DER", "-in", str(tmp_path / "seal.der")]
    command += ["-content", str(tmp_path / "covered"), "-out", "/dev/null", "-purpose", "any", "-cades"]
    command += ["-CAfile", str(trust.directory / "roots.pem")]

    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr


def test_name_with_letters_the_fonts_lack_keeps_its_spelling(key: FileKey, tmp_path: Path) -> None:
    path = tmp_path / "sealed.pdf"
    path.write_bytes(seal(plain(), key))

    said = subprocess.run(["pdftotext", str(path), "-"], capture_output=True, text=True, timeout=200).stdout
    assert "Łukasz Żółć" in said


def test_page_that_does_not_hold_all_goes_on(key: FileKey) -> None:
    many = tuple(SignerOnPage(f"Signer {number}", (("Way", "BankID"),) * 6) for number in range(20))
    page = SignaturePage("en", "B", "T", "L", (), "S", many, ("x" * 400,), "Page {n} of {of}")

    assert len(PdfReader(io.BytesIO(seal(plain(), key, page=page))).pages) > 4


@pytest.mark.parametrize(
    "file",
    [b"", b"%PDF-1.7", b"x" + plain(), plain()[:-200], b"%PDF-1.4\n" + b"\x00" * 5000, b"<html>", plain()[:60] * 9],
)
def test_what_is_no_readable_pdf_is_refused(file: bytes) -> None:
    with pytest.raises(UnsuitableDocumentError):
        open_original(file)


def test_signed_and_encrypted_originals_are_refused(key: FileKey) -> None:
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(plain())))
    writer.encrypt("secret", algorithm="AES-256")
    buffer = io.BytesIO()
    writer.write(buffer)

    for file, reason in ((seal(plain(), key), "signed"), (buffer.getvalue(), "encrypted")):
        with pytest.raises(UnsuitableDocumentError) as refused:
            open_original(file)
        assert refused.value.params["reason"] == reason


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_mutated_originals_are_sealed_as_they_are_or_refused(key: FileKey, data: st.DataObject) -> None:
    original = bytearray(plain())
    at = data.draw(st.integers(0, len(original) - 1))
    original[at : at + data.draw(st.integers(1, 30))] = data.draw(st.binary(max_size=30))
    try:
        assert seal(bytes(original), key).startswith(bytes(original))
    except UnsuitableDocumentError:
        return


def test_every_changed_byte_is_found(key: FileKey, trust: Any) -> None:
    """One bit anywhere: in the original, the page, an attachment, the seal's own words."""
    from cryptography import x509

    roots = x509.load_pem_x509_certificates((trust.directory / "roots.pem").read_bytes())
    sealed = _whole(key)
    assert Verdict.FAILS not in {each.verdict for each in examine(sealed, roots=roots, eid_roots=[])}
    places = [*range(20, len(sealed), max(1, len(sealed) // 60))]
    for at in places:
        changed = bytearray(sealed)
        changed[at] ^= 1
        assert not _passes(bytes(changed), roots), f"a changed byte at {at} was not found"


def _passes(file: bytes, roots: Any) -> bool:
    from tillit_pades_signing.verify.parts import UnreadableFileError

    try:
        return Verdict.FAILS not in {each.verdict for each in examine(file, roots=roots, eid_roots=[])}
    except UnreadableFileError:
        return False


def _whole(key: FileKey) -> bytes:
    """Return a sealed file with everything verify-document wants, signed by touch."""
    original = plain()
    digest = hashlib.sha256(original).hexdigest()
    document = {"id": "d", "name": "Avtal", "version": 1, "pages": 2, "bytes": len(original), "sha256": digest}
    bound = {"tillit": "signature/1", "act": "sign", "signing": "sg", "meeting": "m", "person": "per", "amount": None}
    bound_documents = [{"id": "d", "version": 1, "sha256": digest, "bytes": len(original)}]
    visible = f"Kontrollkod: {digest[:4].upper()}".encode()
    hidden = json.dumps({**bound, "documents": bound_documents}).encode()
    proof = {"visible_sha256": hashlib.sha256(visible).hexdigest(), "hidden_sha256": hashlib.sha256(hidden).hexdigest()}
    parts = {
        "signed-text-1.txt": visible,
        "signed-data-1.json": hidden,
        "touch-1.json": json.dumps(proof).encode(),
        "events.jsonl": b'{"index":4}\n{"index":7}\n',
    }
    signer = {"number": 1, "person": "per", "method": "touch", "kind": "touch", "provider": "x", "at": "now"}
    manifest = {
        "format": "tillit-sealed-document/1",
        "signing": "sg",
        "meeting": "m",
        "act": "sign",
        "amount": None,
        "document": document,
        "signers": [{**signer, "files": list(parts)}],
        "files": {name: hashlib.sha256(data).hexdigest() for name, data in parts.items()},
    }
    attachments = [Attachment(name, "text/plain", data) for name, data in parts.items()]
    words = SealWords("Exempelbanken", "Förseglat")
    told = Attachment("manifest.json", "application/json", json.dumps(manifest).encode())
    return build_sealed(
        original, page=PAGE, attachments=[told, *attachments], words=words, at=NOON, maker=SealMaker(key)
    )


def test_verify_document_says_what_it_rests_on(key: FileKey, tmp_path: Path, trust: Any, capsys: Any) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(_whole(key))

    assert main([str(path)]) == 2
    assert "Rests on: nothing yet" in capsys.readouterr().out
    assert main([str(path), "--roots", str(trust.directory / "roots.pem")]) == 0
    assert "Rests on: the bank's word" in capsys.readouterr().out
    changed = bytearray(path.read_bytes())
    changed[1000] ^= 1
    path.write_bytes(changed)
    assert main([str(path), "--roots", str(trust.directory / "roots.pem")]) == 1
    assert "DOES NOT HOLD" in capsys.readouterr().out
    path.write_bytes(b"nothing")
    assert main([str(path)]) == 2
    assert main([str(tmp_path / "missing.pdf")]) == 2


def test_key_in_a_device_seals_from_many_threads(trust: Any, tmp_path: Path) -> None:
    """SoftHSM: one session behind one lock, since several at once crash the module."""
    module = Path("/usr/lib/softhsm/libsofthsm2.so")
    if not module.exists():
        pytest.skip("softhsm2 is not installed")
    script = Path(__file__).with_name("seal_with_softhsm.py")
    done = subprocess.run(
        [sys.executable, str(script), str(module), str(tmp_path), str(trust.directory)],
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "40 seals"
