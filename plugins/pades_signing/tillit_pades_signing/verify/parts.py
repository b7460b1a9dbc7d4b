"""The parts of a sealed file, one after the other: seal, original, manifest and attachments, signers, time-stamps."""

import hashlib
import io
import json
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

from cryptography import x509
from pyhanko.pdf_utils.generic import ArrayObject, DictionaryObject, StreamObject
from pyhanko.pdf_utils.misc import PdfError
from pyhanko.pdf_utils.reader import PdfFileReader

from tillit_pades_signing.verify.findings import Finding, Verdict, judged
from tillit_pades_signing.verify.seals import check_seal, check_stamps
from tillit_pades_signing.verify.signers import check_signer

FORMAT = "tillit-sealed-document/1"
_READING = (
    PdfError,
    zlib.error,
    ArithmeticError,
    ValueError,
    KeyError,
    TypeError,
    IndexError,
    AttributeError,
    RecursionError,
    AssertionError,
)


class UnreadableFileError(Exception):
    """This is not a file of ours that can be read. The message is one sentence."""


def examine(file: bytes, *, roots: Sequence[x509.Certificate], eid_roots: Sequence[x509.Certificate]) -> list[Finding]:
    """Return what was found, part by part. Raises UnreadableFileError."""
    try:
        reader = PdfFileReader(io.BytesIO(file))
        seals = reader.embedded_regular_signatures
    except _READING as error:
        raise UnreadableFileError("it is no PDF, or a damaged one") from error
    if len(seals) != 1:
        raise UnreadableFileError(f"it has {len(seals)} seals, and a document of this product has one")
    findings = [_guarded("The bank's seal", lambda: check_seal(reader, seals[0], roots=roots))]
    try:
        attached = _attachments(reader, seals[0].signed_revision)
        manifest = _manifest(attached)
    except _READING:
        return [*findings, judged("The manifest", False, "It is missing or cannot be read.")]
    findings.append(_guarded("The original document", lambda: _original(file, manifest)))
    findings.append(_guarded("The attachments", lambda: _files(attached, manifest)))
    for signer in manifest.get("signers", []):
        part = f"Signer {signer.get('number')}"
        findings.append(_guarded(part, lambda signer=signer: check_signer(signer, attached, manifest, roots=eid_roots)))
    if not manifest.get("signers"):
        findings.append(judged("The signers", False, "The manifest names none."))
    findings.extend(check_stamps(reader, roots=roots))
    findings.append(_events(attached))
    return findings


def _guarded(part: str, check: Any) -> Finding:
    """A part that cannot even be read does not hold."""
    try:
        found: Finding = check()
    except _READING:
        return judged(part, False, "It cannot be read.")
    return found


def _attachments(reader: PdfFileReader, revision: int) -> dict[str, bytes]:
    """Return what was attached when the file was sealed, by name: later revisions do not count."""
    root = reader.get_historical_root(revision)
    leaf = root["/Names"]["/EmbeddedFiles"]["/Names"]
    assert isinstance(leaf, ArrayObject)
    found: dict[str, bytes] = {}
    for at in range(0, len(leaf), 2):
        spec = leaf[at + 1]
        assert isinstance(spec, DictionaryObject)
        stream = spec["/EF"]["/F"]
        assert isinstance(stream, StreamObject)
        name = str(spec["/UF"])
        if name in found:
            raise ValueError("two attachments of one name")
        found[name] = stream.data
    return found


def _manifest(attached: Mapping[str, bytes]) -> dict[str, Any]:
    manifest = json.loads(attached["manifest.json"])
    if not isinstance(manifest, dict) or manifest["format"] != FORMAT:
        raise ValueError("not a manifest of ours")
    return manifest


def _original(file: bytes, manifest: Mapping[str, Any]) -> Finding:
    document = manifest["document"]
    length, digest = int(document["bytes"]), str(document["sha256"])
    if not 0 < length < len(file):
        return judged("The original document", False, "The manifest gives a length that cannot be.")
    same = hashlib.sha256(file[:length]).hexdigest() == digest
    if not same:
        return judged("The original document", False, f"The first {length} bytes are not the document that was signed.")
    return judged(
        "The original document",
        True,
        f"{document['name']}, version {document['version']}, {document['pages']} pages.",
        f"It is the first {length} bytes of this file, unchanged: SHA-256 {digest}.",
        "Rests on: that digest, which every signer's part below repeats.",
    )


def _files(attached: Mapping[str, bytes], manifest: Mapping[str, Any]) -> Finding:
    listed: Mapping[str, str] = manifest["files"]
    wrong = [name for name, digest in listed.items() if hashlib.sha256(attached.get(name, b"")).hexdigest() != digest]
    if wrong:
        return judged("The attachments", False, f"Missing or changed: {', '.join(sorted(wrong))}.")
    others = sorted(set(attached) - set(listed) - {"manifest.json"})
    said = [f"All {len(listed)} are as the manifest lists them."]
    if others:
        said.append(f"From the original document itself: {', '.join(others)}.")
    return judged("The attachments", True, *said, "Rests on: the manifest, which the bank's seal covers.")


def _events(attached: Mapping[str, bytes]) -> Finding:
    lines = attached.get("events.jsonl", b"").splitlines()
    if not lines:
        return Finding("The events", Verdict.HOLDS, ("No extract of the bank's log: signed outside a meeting.",))
    try:
        entries = [json.loads(line) for line in lines]
        if not any("index" in each for each in entries):
            times = [str(each["at"]) for each in entries]
            return judged(
                "The events",
                times == sorted(times),
                f"{len(times)} events, kept with this signing: it was outside a meeting.",
                "Rests on: the bank's seal. Their places in the bank's log are not named.",
            )
        places = [int(each["index"]) for each in entries]
    except (ValueError, KeyError, TypeError):
        return judged("The events", False, "The extract of the bank's log cannot be read.")
    return judged(
        "The events",
        places == sorted(set(places)),
        f"{len(places)} entries of the bank's log, numbers {places[0]} to {places[-1]}.",
        "Rests on: the bank's seal. The log itself is checked with tillit verify-evidence.",
    )
