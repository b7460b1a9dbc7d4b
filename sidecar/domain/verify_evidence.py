#!/usr/bin/env python3
"""Checks a Tillit evidence file, offline, by itself.

    python verify_evidence.py FILE [--key FINGERPRINT | --jwks FILE] [--json]

Needs Python 3.11 or later and the package `cryptography`; nothing else, no network, nothing of the product.
Exit code 0: the file is whole and genuine. 1: it is not. 2: it could not be read, or the call was wrong.
It shares no code with the program that writes these files. Their form: docs/evidence-format.md.
Sources: RFC 9162 section 2.1 (tree), C2SP signed-note and tlog-checkpoint, RFC 8032 (Ed25519), RFC 7517.
"""

import argparse
import base64
import binascii
import hashlib
import json
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

FORMAT = "tillit-evidence/1"
SEAL_CONTEXT = b"tillit-evidence-seal/1\n"
MAX_BYTES = 32 * 1024 * 1024  # a meeting of a thousand entries is some 1.5 MB
MAX_DEPTH = 16
MAX_DIGITS = 16  # of a whole number: 2**53 has sixteen
SECTIONS = (
    *("format", "read_me", "summary", "policy", "identities", "consents", "documents", "signatures"),
    *("figures", "keys", "entries", "checkpoint", "public_keys", "compare"),
)
RECORD_FIELDS = {"actor": str, "at": str, "data": dict, "kind": str, "v": int}
ENTRY_FIELDS = ("number", "index", "record", "leaf", "proof")
STATEMENT_FIELDS = (
    *("format", "meeting", "entries", "entries_root", "checkpoint", "sections", "body_sha256", "sealed_at"),
)
KEY_KINDS = ("media.keys", "key.rotated")
_SEAL_START = b',\n  "seal": {'
_HEX64 = re.compile(r"[0-9a-f]{64}")
_ENTRIES_START, _ENTRIES_END = b'\n  "entries": [', b'\n  "checkpoint": {'
_ROW_START = re.compile(rb"\n    \{")


@dataclass(frozen=True)
class BadEntry:
    """The first entry that is wrong: its number from 1; time and kind as far as the file still says them."""

    number: int
    at: str
    kind: str

    def __str__(self) -> str:
        known = ", ".join(part for part in (self.at, self.kind) if part)
        return f"entry {self.number} ({known})" if known else f"entry {self.number}"


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong. code: for programs. sentence: plain English. entry: the entry it is about."""

    code: str
    sentence: str
    entry: BadEntry | None = None


@dataclass
class Report:
    """What was found. genuine: no problem at all. fingerprints: of the keys that signed, SHA-256, hex.

    key_compared: these were held against what the caller knows to be the bank's; without that, the file only
    agrees with itself. first_bad: the first bad entry, if an entry is wrong.
    """

    problems: list[Problem] = field(default_factory=list)
    meeting: str = ""
    entries: int = 0
    first_at: str = ""
    last_at: str = ""
    log_size: int = 0
    checkpoint_at: str = ""
    sealed_at: str = ""
    policy_ref: str = ""
    fingerprints: list[str] = field(default_factory=list)
    key_compared: bool = False
    checked: list[str] = field(default_factory=list)
    rests_on: list[str] = field(default_factory=list)

    @property
    def genuine(self) -> bool:
        return not self.problems

    @property
    def first_bad(self) -> BadEntry | None:
        bad = [problem.entry for problem in self.problems if problem.entry is not None]
        return min(bad, key=lambda entry: entry.number) if bad else None

    def add(self, code: str, sentence: str, entry: BadEntry | None = None) -> None:
        self.problems.append(Problem(code, sentence, entry))


class _UnreadableError(Exception):
    """The bytes are not a JSON document of ours. offset: where reading stopped, in bytes, if known."""

    def __init__(self, code: str, sentence: str, offset: int | None = None) -> None:
        super().__init__(sentence)
        self.code, self.sentence, self.offset = code, sentence, offset


def verify(data: bytes, *, fingerprints: Iterable[str] | None = None, max_bytes: int = MAX_BYTES) -> Report:
    """Check a whole evidence file. Never raises for anything in `data`.

    fingerprints: SHA-256 of the bank's DER public keys, hex, as published by the bank; None leaves the keys
    uncompared, which the report says.
    """
    report = Report()
    try:
        document = _parse(data, max_bytes)
        _shape(document)
    except _UnreadableError as error:
        bad = _broken_entry(data) if error.code != "too-large" else None
        if bad is None and error.offset is not None:
            bad = _entry_at(data, error.offset)
        report.add(error.code, error.sentence, bad)
        return report

    keys = _public_keys(document["public_keys"], report)
    tree = _checkpoint(document["checkpoint"]["note"], keys, report)
    statement = _seal(document, keys, tree, report)
    _entries(document, statement, tree, report)
    _tables(document, report)
    _summary(document, report)
    _policy(document, report)
    _sections(document, statement, report)
    _exact_bytes(data, document, statement, report)
    _compare_keys(report, fingerprints)
    if report.genuine:
        _explain(report)
    return report


# --- reading ----------------------------------------------------------------------------------------------


def _parse(data: bytes, max_bytes: int) -> dict[str, Any]:
    if len(data) > max_bytes:
        raise _UnreadableError("too-large", f"The file is {len(data):,} bytes; {max_bytes:,} is the limit.")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _UnreadableError("not-utf8", f"Byte {error.start} is not UTF-8 text.", error.start) from error
    try:
        document = _loads(text)
    except json.JSONDecodeError as error:
        offset = len(text[: error.pos].encode())
        if not text[error.pos :].strip() or "Unterminated" in error.msg:
            raise _UnreadableError("truncated", "The file ends too early: its tail is cut.", offset) from error
        raise _UnreadableError("not-json", f"Byte {offset} breaks the file's form (JSON).", offset) from error
    except RecursionError as error:
        raise _UnreadableError("too-deep", "The file is nested deeper than any evidence file.") from error
    if _depth(document) > MAX_DEPTH:
        raise _UnreadableError("too-deep", "The file is nested deeper than any evidence file.")
    if not isinstance(document, dict):
        raise _UnreadableError("not-evidence", "This is not an evidence file.")
    try:
        _canonical(document)
    except UnicodeEncodeError as error:  # half a surrogate pair, written as an escape
        raise _UnreadableError("not-evidence", "The file holds a sign that is not Unicode text.") from error
    return document


def _loads(text: str | bytes) -> Any:
    return json.loads(
        text,
        object_pairs_hook=_no_duplicates,
        parse_float=_no_number,
        parse_constant=_no_number,
        parse_int=_integer,
    )


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for name, value in pairs:
        if name in result:
            raise _UnreadableError("duplicate-key", f"The field {name[:80]!r} stands twice in one object.")
        result[name] = value
    return result


def _no_number(text: str) -> Any:
    raise _UnreadableError("not-evidence", f"The number {text[:40]} does not belong in an evidence file.")


def _integer(text: str) -> int:
    if len(text) > MAX_DIGITS + 1:
        raise _UnreadableError("not-evidence", "A number is too long for an evidence file.")
    return int(text)


def _depth(value: Any) -> int:
    deepest, level = 0, [value]
    while level and deepest <= MAX_DEPTH:
        inner: list[Any] = []
        for one in level:
            if isinstance(one, dict):
                inner.extend(one.values())
            elif isinstance(one, list):
                inner.extend(one)
        deepest, level = deepest + 1, inner
    return deepest


def _shape(document: dict[str, Any]) -> None:
    """Raise unless every part has its type: after this, the checks can look at values only."""
    if document.get("format") != FORMAT:
        raise _UnreadableError("not-evidence", f"This is not an evidence file of the form {FORMAT}.")
    wanted = (*SECTIONS, "seal")
    for name in wanted:
        if name not in document:
            raise _UnreadableError("missing-section", f"The section {name!r} is missing.")
    extra = next((name for name in document if name not in wanted), None)
    if extra is not None:
        raise _UnreadableError("unknown-section", f"The section {extra[:80]!r} does not belong here.")
    texts = {
        "read_me": str,
        "compare": str,
        "summary": dict,
        "policy": dict,
        "checkpoint": dict,
        "seal": dict,
    }
    lists = ("identities", "consents", "documents", "signatures", "figures", "keys", "entries", "public_keys")
    for name, kind in {**texts, **dict.fromkeys(lists, list)}.items():
        if not isinstance(document[name], kind):
            raise _UnreadableError("bad-section", f"The section {name!r} is not of its form.")
        if kind is list and not all(isinstance(row, dict) for row in document[name]):
            raise _UnreadableError("bad-section", f"A row of the section {name!r} is not of its form.")
    _has(document["policy"], "policy", ref=str, sha256=str, text=str)
    _has(document["checkpoint"], "checkpoint", note=str)
    seal = document["seal"]
    _has(seal, "seal", statement=dict, leaves=list, key=str, signature=str)
    texts_sealed = ("format", "meeting", "entries_root", "body_sha256", "sealed_at")
    _has(
        seal["statement"],
        "seal",
        entries=int,
        checkpoint=dict,
        sections=dict,
        **dict.fromkeys(texts_sealed, str),
    )
    _has(seal["statement"]["checkpoint"], "seal", origin=str, size=int, root=str)
    for row in document["public_keys"]:
        _has(row, "public_keys", name=str, kty=str, crv=str, x=str, sha256=str)


def _has(value: dict[str, Any], where: str, **kinds: type) -> None:
    if set(value) != set(kinds) or any(type(value[name]) is not kind for name, kind in kinds.items()):
        raise _UnreadableError("bad-section", f"The section {where!r} is not of its form.")


# --- keys and signatures ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Key:
    name: str
    raw: bytes
    fingerprint: str

    @property
    def note_id(self) -> bytes:
        return hashlib.sha256(self.name.encode() + b"\n\x01" + self.raw).digest()[:4]

    def verifies(self, signature: bytes, message: bytes) -> bool:
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True)
class _TreeHead:
    origin: str
    size: int
    root: bytes


def fingerprint_of(raw: bytes) -> str:
    """Return SHA-256 of the DER public key, hex: `openssl pkey -pubin -outform DER | sha256sum`."""
    key = Ed25519PublicKey.from_public_bytes(raw)
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def _public_keys(rows: Sequence[dict[str, str]], report: Report) -> list[_Key]:
    keys = []
    for row in rows:
        try:
            raw = _unpadded(row["x"])
            key = _Key(row["name"], raw, fingerprint_of(raw))
        except (ValueError, binascii.Error):
            report.add("bad-key", f"The public key {row['name'][:80]!r} cannot be read.")
            continue
        if (row["kty"], row["crv"], row["sha256"]) != ("OKP", "Ed25519", key.fingerprint):
            report.add("bad-key", f"The public key {row['name'][:80]!r} does not match its fingerprint.")
        keys.append(key)
    return keys


def _unpadded(text: str) -> bytes:
    raw = base64.b64decode(text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4), validate=True)
    if base64.urlsafe_b64encode(raw).rstrip(b"=").decode() != text:
        raise ValueError("more than one way of writing it")
    return raw


def _padded(text: str) -> bytes:
    raw = base64.b64decode(text, validate=True)
    if base64.b64encode(raw).decode() != text:
        raise ValueError("more than one way of writing it")
    return raw


def _checkpoint(note: str, keys: Sequence[_Key], report: Report) -> _TreeHead | None:
    """Return the tree head the log's key signed, or None with a problem."""
    body, _, signatures = note.rpartition("\n\n")
    for line in signatures.splitlines():
        name, _, encoded = line.removeprefix("\u2014 ").partition(" ")
        try:
            signature = _padded(encoded)
            origin, size, root, time = body.split("\n")
            head = _TreeHead(origin, int(size), _padded(root))
        except (ValueError, binascii.Error):
            continue
        for key in keys:
            if (key.name, key.note_id) != (name, signature[:4]) or len(head.root) != 32:
                continue
            if key.verifies(signature[4:], f"{body}\n".encode()):
                report.fingerprints.append(key.fingerprint)
                report.log_size, report.checkpoint_at = head.size, time.removeprefix("time ")
                return head
    report.add("checkpoint-signature", "The checkpoint of the log is not signed by the log's key in this file.")
    return None


def _seal(
    document: dict[str, Any], keys: Sequence[_Key], tree: _TreeHead | None, report: Report
) -> dict[str, Any] | None:
    """Return the statement if its signature holds, or None with a problem."""
    seal = document["seal"]
    statement: dict[str, Any] = seal["statement"]
    key = next((key for key in keys if key.fingerprint == seal["key"]), None)
    try:
        signature = _padded(seal["signature"])
    except (ValueError, binascii.Error):
        signature = b""
    if key is None or not key.verifies(signature, SEAL_CONTEXT + _canonical(statement)):
        report.add("seal-signature", "The seal is not signed by its key in this file.")
        return None
    if key.fingerprint not in report.fingerprints:
        report.fingerprints.append(key.fingerprint)
    report.meeting, report.sealed_at = statement["meeting"], statement["sealed_at"]
    named = statement["checkpoint"]
    if tree is not None and (named["origin"], named["size"], named["root"]) != (
        tree.origin,
        tree.size,
        tree.root.hex(),
    ):
        report.add("other-checkpoint", "The seal was made over another checkpoint than the one in this file.")
    return statement


# --- entries ----------------------------------------------------------------------------------------------


def _entries(
    document: dict[str, Any], statement: dict[str, Any] | None, tree: _TreeHead | None, report: Report
) -> None:
    rows = document["entries"]
    sealed = _sealed_leaves(document["seal"]["leaves"], statement, report)
    meeting = statement["meeting"] if statement else document["summary"].get("meeting")
    computed = [_leaf(row) for row in rows]
    previous = -1
    for place, (row, leaf) in enumerate(zip(rows, computed, strict=True)):
        wrong = _wrong(row, leaf, place, previous, meeting, tree)
        if sealed is not None and (place >= len(sealed) or leaf != sealed[place]):
            wrong = _against_seal(computed, sealed, place) or wrong
        if wrong is not None:
            code, sentence = wrong
            report.add(code, sentence, _named(row, place, code))
            return  # what follows a bad entry says little
        previous = row["index"]
    if sealed is not None and len(rows) < len(sealed):
        missing = BadEntry(len(rows) + 1, "", "")
        count = len(sealed) - len(rows)
        report.add("cut-tail", f"The tail is cut: the last {count} of {len(sealed)} entries are missing.", missing)
        return
    if not rows:
        report.add("no-entries", "There are no entries.")
        return
    report.entries = len(rows)
    report.first_at, report.last_at = rows[0]["record"]["at"], rows[-1]["record"]["at"]


def _sealed_leaves(leaves: list[Any], statement: dict[str, Any] | None, report: Report) -> list[bytes] | None:
    """Return the leaf hashes the seal vouches for, or None where it does not."""
    if statement is None:
        return None
    if all(isinstance(leaf, str) and _HEX64.fullmatch(leaf) for leaf in leaves):
        hashes = [bytes.fromhex(leaf) for leaf in leaves]
        if len(hashes) == statement["entries"] and _root(hashes).hex() == statement["entries_root"]:
            return hashes
    report.add("seal-leaves", "The seal's list of entries is not the one that was signed.")
    return None


def _leaf(row: dict[str, Any]) -> bytes | None:
    record = row.get("record")
    return hashlib.sha256(b"\x00" + _canonical(record)).digest() if isinstance(record, dict) else None


def _wrong(
    row: dict[str, Any], leaf: bytes | None, place: int, previous: int, meeting: Any, tree: _TreeHead | None
) -> tuple[str, str] | None:
    """Say what is wrong with one entry by itself and under the checkpoint, or None."""
    record = row.get("record")
    proof = row.get("proof")
    if (
        set(row) != set(ENTRY_FIELDS)
        or type(row["index"]) is not int
        or not isinstance(record, dict)
        or set(record) != {*RECORD_FIELDS, "meeting"}
        or any(type(record[name]) is not kind for name, kind in RECORD_FIELDS.items())
        or not isinstance(proof, list)
        or not all(isinstance(step, str) and _HEX64.fullmatch(step) for step in proof)
    ):
        return "entry-form", "It is not of its form."
    if leaf is None or row["leaf"] != leaf.hex():
        return "entry-changed", "What it says does not match its digest: it was changed."
    if type(row["number"]) is not int or row["number"] != place + 1:
        return (
            "entry-number",
            "It does not stand where its number says: entries were moved, removed or added.",
        )
    if record["meeting"] != meeting:
        return "entry-meeting", "It belongs to another meeting."
    if row["index"] <= previous:
        return "entry-order", "It stands after an entry that came later in the log."
    if tree is not None and not _included(
        leaf, row["index"], tree.size, [bytes.fromhex(step) for step in proof], tree.root
    ):
        return "entry-proof", "Its proof does not lead to the signed checkpoint: it is not in the bank's log."
    return None


def _against_seal(computed: Sequence[bytes | None], sealed: Sequence[bytes], place: int) -> tuple[str, str] | None:
    """Say how the entries part from the sealed list at `place`: removed, added, or changed."""
    here = computed[place]
    if place >= len(sealed):
        return "entry-added", "It was added after the meeting was sealed."
    if here is not None and here in sealed[place + 1 :]:
        if sealed[place] in computed[place + 1 :]:
            return "entry-moved", "It does not stand in its place: entries were put in another order."
        return "entry-removed", "An entry is missing here: it was taken out."
    if here is not None and sealed[place] in computed[place + 1 :] and here not in sealed:
        return "entry-added", "It was put in: the sealed list does not have it."
    return None


def _named(row: dict[str, Any], place: int, code: str) -> BadEntry:
    """Name the bad entry; one that was taken out is named by its number only."""
    record = row.get("record")
    if code == "entry-removed" or not isinstance(record, dict):
        return BadEntry(place + 1, "", "")
    return BadEntry(place + 1, _short(record.get("at")), _short(record.get("kind")))


def _short(value: Any) -> str:
    return value[:80] if isinstance(value, str) and value.isprintable() else ""


def _included(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """RFC 9162 section 2.1.3.2."""
    if not 0 <= index < size:
        return False
    node, last = index, size - 1
    for step in path:
        if last == 0:
            return False
        if node & 1 or node == last:
            leaf = hashlib.sha256(b"\x01" + step + leaf).digest()
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            leaf = hashlib.sha256(b"\x01" + leaf + step).digest()
        node, last = node >> 1, last >> 1
    return last == 0 and leaf == root


def _root(leaves: Sequence[bytes]) -> bytes:
    """RFC 9162 section 2.1.1, level by level: an odd last node rises unchanged."""
    level = list(leaves)
    if not level:
        return hashlib.sha256(b"").digest()
    while len(level) > 1:
        pairs = [hashlib.sha256(b"\x01" + level[at] + level[at + 1]).digest() for at in range(0, len(level) - 1, 2)]
        level = pairs + level[len(pairs) * 2 :]
    return level[0]


# --- everything beside the entries ------------------------------------------------------------------------


def _tables(document: dict[str, Any], report: Report) -> None:
    """Hold the sections against the entries they rest on."""
    if any(problem.entry is not None for problem in report.problems):
        return
    entries = document["entries"]
    derived = {
        "identities": ("sign_in.completed",),
        "consents": ("consent.given",),
        "keys": KEY_KINDS,
    }
    for name, kinds in derived.items():
        if document[name] != [_row(entry) for entry in entries if entry["record"]["kind"] in kinds]:
            report.add("section-entries", f"The section {name!r} does not say what the entries say.")
    for name in ("documents", "signatures", "figures"):
        for row in document[name]:
            number = row.get("entry")
            if type(number) is not int or not 1 <= number <= len(entries):
                report.add("section-entries", f"A row of the section {name!r} names no entry of this file.")
                continue
            data = entries[number - 1]["record"]["data"]
            if any(data[key] != value for key, value in row.items() if key != "entry" and key in data):
                report.add("section-entries", f"A row of the section {name!r} contradicts entry {number}.")


def _row(entry: dict[str, Any]) -> dict[str, Any]:
    record = entry["record"]
    own = {"entry": entry["number"], "actor": record["actor"], "at": record["at"]}
    return own | {key: value for key, value in record["data"].items() if key not in own}


def _summary(document: dict[str, Any], report: Report) -> None:
    if any(problem.entry is not None for problem in report.problems):
        return
    entries = document["entries"]
    facts: dict[str, Any] = {
        "meeting": report.meeting or document["summary"].get("meeting"),
        "policy_ref": document["policy"]["ref"],
        "entries": len(entries),
        "signatures": len(document["signatures"]),
        "people_identified": _people(entries, "sign_in.completed"),
        "people_in_the_room": _people(entries, "participant.joined"),
    }
    if entries:
        facts["first_entry_at"] = entries[0]["record"]["at"]
        facts["last_entry_at"] = entries[-1]["record"]["at"]
    for name, value in facts.items():
        if document["summary"].get(name) != value:
            report.add("summary", f"The summary's {name!r} does not agree with the rest of the file.")


def _people(entries: Sequence[dict[str, Any]], kind: str) -> int:
    return len({entry["record"]["actor"] for entry in entries if entry["record"]["kind"] == kind})


def _policy(document: dict[str, Any], report: Report) -> None:
    policy = document["policy"]
    report.policy_ref = policy["ref"]
    digest = hashlib.sha256(policy["text"].encode()).hexdigest()
    if digest != policy["sha256"]:
        report.add("policy-text", "The policy text does not match its digest.")
    for entry in document["entries"]:
        record = entry.get("record")
        data = record.get("data") if isinstance(record, dict) else None
        logged = data.get("policy_sha256") if isinstance(data, dict) else None
        if logged is not None and record.get("kind") == "meeting.booked" and logged != digest:
            report.add("policy-entry", "The policy text is not the one the meeting was booked under.")


def _sections(document: dict[str, Any], statement: dict[str, Any] | None, report: Report) -> None:
    if statement is None:
        return
    digests = {name: _digest(document[name]) for name in SECTIONS if name != "entries"}
    if set(statement["sections"]) != set(digests) or statement["format"] != FORMAT:
        report.add("seal-sections", "The seal does not cover the sections of this form.")
    for name, digest in digests.items():
        if statement["sections"].get(name) != digest:
            report.add("section-changed", f"The section {name!r} was changed after the seal.")


def _digest(value: Any) -> str:
    return hashlib.sha256(_canonical(value)).hexdigest()


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _exact_bytes(data: bytes, document: dict[str, Any], statement: dict[str, Any] | None, report: Report) -> None:
    """Notice what JSON does not care about: spaces, order of fields, other ways to write the same sign."""
    body, _, _ = data.rpartition(_SEAL_START)
    same = statement is None or hashlib.sha256(body).hexdigest() == statement["body_sha256"]
    if same and data == body + b",\n" + _written({"seal": _seal_in_order(document["seal"])})[2:]:
        return
    written = _written(_in_order(document))
    differs = (at for at, (one, two) in enumerate(zip(data, written, strict=False)) if one != two)
    offset = next(differs, min(len(data), len(written)))
    report.add("not-exact", f"The file is not in its exact form from byte {offset} on.", _entry_at(data, offset))


def _written(value: Any) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=2) + "\n").encode()


def _seal_in_order(seal: dict[str, Any]) -> dict[str, Any]:
    statement, named = seal["statement"], seal["statement"]["checkpoint"]
    ordered = {name: statement[name] for name in STATEMENT_FIELDS}
    ordered["checkpoint"] = {name: named[name] for name in ("origin", "size", "root")}
    ordered["sections"] = {name: statement["sections"].get(name) for name in SECTIONS if name != "entries"}
    return {"statement": ordered, **{name: seal[name] for name in ("leaves", "key", "signature")}}


def _in_order(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document with its fields in this form's order, to find where a file departs from it."""
    result = {name: document[name] for name in SECTIONS}
    result["entries"] = [
        {name: _sorted(row[name]) for name in (*ENTRY_FIELDS, *row) if name in row} for row in document["entries"]
    ]
    return {**result, "seal": _seal_in_order(document["seal"])}


def _sorted(value: Any) -> Any:
    return json.loads(json.dumps(value, sort_keys=True))


def _broken_entry(data: bytes) -> BadEntry | None:
    """Name the first entry that does not read by itself, for a file that does not read as a whole."""
    for number, start in enumerate(_entry_starts(data), start=1):
        close = data.find(b"\n    }", start)
        try:
            row = _loads(data[start : close + len(b"\n    }")])
            whole = row["number"] == number and row["leaf"] == (_leaf(row) or b"").hex()
        except (_UnreadableError, ValueError, KeyError, TypeError, RecursionError):
            whole = False
        if not whole:
            return _entry_at(data, start)
    return None


def _entry_at(data: bytes, offset: int) -> BadEntry | None:
    """Name the entry that byte `offset` lies in, from the file's own lines, or None outside the entries."""
    starts = _entry_starts(data)
    number = sum(start <= offset for start in starts)
    end = data.find(_ENTRIES_END)
    if number == 0 or offset > end > 0:
        return None
    stop = starts[number] if number < len(starts) else end if end != -1 else len(data)
    text = data[starts[number - 1] : stop]
    at = re.search(rb'^        "at": "([0-9TZ:.+-]{1,40})"', text, re.MULTILINE)
    kind = re.search(rb'^        "kind": "([a-z0-9_.]{1,80})"', text, re.MULTILINE)
    return BadEntry(number, at[1].decode() if at else "", kind[1].decode() if kind else "")


def _entry_starts(data: bytes) -> list[int]:
    """Return where each entry begins: the lines of a lone brace, four spaces in, of that section."""
    begin, end = data.find(_ENTRIES_START), data.find(_ENTRIES_END)
    if begin == -1:
        return []
    return [match.end() - 1 for match in _ROW_START.finditer(data, begin, end if end != -1 else len(data))]


# --- what it rests on -------------------------------------------------------------------------------------


def _compare_keys(report: Report, fingerprints: Iterable[str] | None) -> None:
    if fingerprints is None:
        return
    report.key_compared = True
    known = {normal_fingerprint(one) for one in fingerprints}
    for used in report.fingerprints:
        if used not in known:
            report.add("wrong-key", f"It is signed with the key {used}, which is not one of the bank's you gave.")


def normal_fingerprint(text: str) -> str:
    """Return a fingerprint as 64 small hex digits; colons, spaces, capitals are fine. Raises ValueError."""
    digits = re.sub(r"[\s:]", "", text.removeprefix("sha256:").removeprefix("SHA256:")).lower()
    if not _HEX64.fullmatch(digits):
        raise ValueError("a fingerprint is 64 hex digits (SHA-256)")
    return digits


def fingerprints_of_jwks(data: bytes) -> list[str]:
    """Return the fingerprints of the Ed25519 keys of a JWK set (RFC 7517, RFC 8037). Raises ValueError."""
    try:
        keys = json.loads(data)["keys"]
        found = [
            fingerprint_of(_unpadded(key["x"]))
            for key in keys
            if (key.get("kty"), key.get("crv")) == ("OKP", "Ed25519")
        ]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError("this is not a JWK set") from error
    if not found:
        raise ValueError("the JWK set holds no Ed25519 key")
    return found


def _explain(report: Report) -> None:
    report.checked = [
        f"Each of the {report.entries} entries has the digest it was logged with, in its order.",
        f"Each entry is in the bank's log, under the signed checkpoint of {report.log_size:,} entries.",
        "The seal names exactly these entries: none is missing, at the end neither, and none was added.",
        f"The rules in force ({report.policy_ref}) are the text that is in the file.",
        "Identities, consents, keys and the summary say what the entries say, and no byte was changed.",
    ]
    report.rests_on = [
        "the signing keys: " + ", ".join(report.fingerprints),
        "these keys having been in the bank's hands only, when it signed",
        "the bank's clock, for every time in the file",
        "SHA-256 and Ed25519",
    ]
    if not report.key_compared:
        report.rests_on.insert(
            1,
            "your comparing these fingerprints with the bank's published ones (--key or --jwks does it)",
        )


def explain(report: Report) -> str:
    """Return the report in plain English, several lines."""
    if not report.genuine:
        out = ["NOT GENUINE. This file does not prove what happened in the meeting.", ""]
        if report.first_bad is not None:
            out.append(f"First bad: {report.first_bad}.")
        for problem in report.problems:
            where = f"{problem.entry}: " if problem.entry is not None else ""
            out.append(f"  - {where}{problem.sentence}")
        return "\n".join(out)
    out = [
        f"GENUINE. Meeting {report.meeting}: {report.entries} entries, none missing, nothing changed.",
        f"From {report.first_at} to {report.last_at}; sealed {report.sealed_at}.",
        "",
        "Checked:",
        *(f"  - {line}" for line in report.checked),
        "",
        "It rests on:",
        *(f"  - {line}" for line in report.rests_on),
    ]
    return "\n".join(out)


def as_json(report: Report) -> str:
    """Return the report for a program."""
    bad = report.first_bad
    fields = {"genuine": report.genuine, "first_bad": asdict(bad) if bad else None, **asdict(report)}
    return json.dumps(fields, indent=2, ensure_ascii=False)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Check a Tillit evidence file, offline.")
    parser.add_argument("file", type=Path)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--key", action="append", metavar="FINGERPRINT", help="the bank's, SHA-256; may be repeated")
    which.add_argument("--jwks", type=Path, metavar="FILE", help="the bank's published keys")
    parser.add_argument("--json", action="store_true", help="print the report for a program")
    given = parser.parse_args(arguments)
    try:
        fingerprints = None
        if given.key:
            fingerprints = [normal_fingerprint(key) for key in given.key]
        elif given.jwks:
            fingerprints = fingerprints_of_jwks(given.jwks.read_bytes())
        with given.file.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        print(f"Cannot begin: {error}", file=sys.stderr)
        return 2
    report = verify(data, fingerprints=fingerprints)
    print(as_json(report) if given.json else explain(report))
    return 0 if report.genuine else 1


if __name__ == "__main__":
    sys.exit(main())
