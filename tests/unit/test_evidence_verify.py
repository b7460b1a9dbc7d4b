"""The verifier against every way of tampering: each is noticed, and the first bad entry is named."""

import base64
import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.domain.audit import AuditRecord, Ed25519Signer, MemoryAuditLog, VerifyingKey
from sidecar.domain.evidence import MeetingSummary, evidence_of
from sidecar.domain.ids import MeetingId
from sidecar.domain.verify_evidence import Report, explain, fingerprints_of_jwks, normal_fingerprint, verify

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
MEETING = MeetingId("m_a")
SIGNER = Ed25519Signer("bank.example/log", Ed25519PrivateKey.from_private_bytes(bytes(32)))
MALLORY = Ed25519Signer("bank.example/log", Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
KINDS = (
    *("meeting.booked", "invitation.sent", "consent.given", "sign_in.completed", "lobby.entered"),
    *("participant.joined", "share.refused", "media.keys", "participant.left", "meeting.ended"),
)
POLICY = 'band = "high"\n'


def evidence(signer: Ed25519Signer = SIGNER, *, kinds: tuple[str, ...] = KINDS, policy: str = POLICY) -> bytes:
    log = MemoryAuditLog(signer, origin="bank.example/tillit")
    for place, kind in enumerate(kinds):
        data: dict[str, Any] = {"n": place, "word": "å"}
        if kind == "meeting.booked":
            data["policy_sha256"] = hashlib.sha256(POLICY.encode()).hexdigest()
        at = NOON + timedelta(minutes=place)
        log.append(AuditRecord("meeting.booked", MeetingId("m_other"), "system", at))
        log.append(AuditRecord(kind, MEETING, "per_maja", at, data))
    summary = MeetingSummary(
        MEETING, "Mortgage meeting", "Exempelbanken", "high", "mortgage@7", NOON, NOON, "ended as planned"
    )
    return evidence_of(
        log, summary=summary, policy_text=policy, log_key=VerifyingKey.of(signer), signer=signer, now=NOON
    )


GENUINE = evidence()


def changed(change: Callable[[dict[str, Any]], object]) -> bytes:
    """Return the genuine file with a change made to its values, written in its exact form."""
    document = json.loads(GENUINE)
    change(document)
    return (json.dumps(document, ensure_ascii=False, indent=2) + "\n").encode()


def codes(report: Report) -> list[str]:
    return [problem.code for problem in report.problems]


def renumber(document: dict[str, Any]) -> None:
    for number, entry in enumerate(document["entries"], start=1):
        entry["number"] = number


@pytest.mark.requirement("R119", "R201")
def test_a_genuine_file_is_genuine_and_says_what_that_rests_on() -> None:
    report = verify(GENUINE)
    text = explain(report)

    assert report.genuine
    assert report.first_bad is None
    assert (report.meeting, report.entries, report.log_size) == (MEETING, 10, 20)
    assert text.startswith("GENUINE.")
    assert VerifyingKey.of(SIGNER).fingerprint in text
    assert "comparing these fingerprints" in text
    assert not report.key_compared


def test_writing_the_genuine_values_again_gives_the_genuine_file() -> None:
    assert changed(lambda document: None) == GENUINE


@pytest.mark.requirement("R201")
@pytest.mark.parametrize("number", range(1, 11))
def test_names_the_entry_that_was_changed(number: int) -> None:
    def change(document: dict[str, Any]) -> None:
        document["entries"][number - 1]["record"]["data"]["n"] = 99

    report = verify(changed(change))

    assert report.first_bad is not None
    assert (report.first_bad.number, report.first_bad.kind) == (number, KINDS[number - 1])
    assert report.first_bad.at == f"2026-11-24T12:0{number - 1}:00.000Z"
    assert f"entry {number} (" in explain(report)


@pytest.mark.requirement("R201")
@pytest.mark.parametrize("number", [1, 4, 10])
def test_names_the_entry_that_was_changed_together_with_its_digest(number: int) -> None:
    """The forger also writes the new leaf hash beside the entry and into the sealed list."""

    def change(document: dict[str, Any]) -> None:
        entry = document["entries"][number - 1]
        entry["record"]["actor"] = "per_somebody"
        canonical = json.dumps(entry["record"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        entry["leaf"] = hashlib.sha256(b"\x00" + canonical.encode()).hexdigest()
        document["seal"]["leaves"][number - 1] = entry["leaf"]

    report = verify(changed(change))

    assert report.first_bad is not None
    assert report.first_bad.number == number
    assert {"seal-leaves", "entry-proof"} <= set(codes(report))


@pytest.mark.requirement("R201")
@pytest.mark.parametrize("renumbered", [True, False])
@pytest.mark.parametrize("number", [1, 5, 9])
def test_names_the_place_of_an_entry_that_was_taken_out(number: int, renumbered: bool) -> None:
    def change(document: dict[str, Any]) -> None:
        del document["entries"][number - 1]
        if renumbered:
            renumber(document)

    report = verify(changed(change))

    assert report.first_bad is not None
    assert report.first_bad.number == number
    assert "entry-removed" in codes(report)


@pytest.mark.requirement("R201")
@pytest.mark.parametrize("left", [0, 1, 6, 9])
def test_notices_a_cut_tail_and_names_the_first_missing_entry(left: int) -> None:
    def change(document: dict[str, Any]) -> None:
        del document["entries"][left:]
        document["summary"]["entries"] = left

    report = verify(changed(change))

    assert "cut-tail" in codes(report)
    assert report.first_bad is not None
    assert report.first_bad.number == left + 1
    assert f"the last {10 - left} of 10 entries" in explain(report)


@pytest.mark.requirement("R201")
def test_notices_a_tail_cut_from_the_entries_and_from_the_sealed_list() -> None:
    def change(document: dict[str, Any]) -> None:
        del document["entries"][7:]
        del document["seal"]["leaves"][7:]

    assert "seal-leaves" in codes(verify(changed(change)))


@pytest.mark.requirement("R201")
@pytest.mark.parametrize("renumbered", [True, False])
def test_names_the_first_of_two_entries_put_in_each_others_place(renumbered: bool) -> None:
    def change(document: dict[str, Any]) -> None:
        entries = document["entries"]
        entries[3], entries[6] = entries[6], entries[3]
        if renumbered:
            renumber(document)

    report = verify(changed(change))

    assert report.first_bad is not None
    assert report.first_bad.number == 4
    assert "entry-moved" in codes(report)


@pytest.mark.requirement("R201")
@pytest.mark.parametrize("place", [0, 5, 10])
def test_names_an_entry_that_was_put_in(place: int) -> None:
    def change(document: dict[str, Any]) -> None:
        forged = json.loads(json.dumps(document["entries"][2]))
        forged["record"]["at"] = "2026-11-24T12:02:30.000Z"
        canonical = json.dumps(forged["record"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        forged["leaf"] = hashlib.sha256(b"\x00" + canonical.encode()).hexdigest()
        document["entries"].insert(place, forged)
        renumber(document)

    report = verify(changed(change))

    assert "entry-added" in codes(report)
    assert report.first_bad is not None
    assert report.first_bad.number == place + 1


@pytest.mark.requirement("R201")
@pytest.mark.parametrize("field", ["index", "number", "leaf", "proof"])
def test_names_the_entry_whose_place_or_proof_was_changed(field: str) -> None:
    def change(document: dict[str, Any]) -> None:
        entry = document["entries"][5]
        wrong = {"index": entry["index"] + 1, "number": 7, "leaf": "00" * 32, "proof": entry["proof"][:-1]}
        entry[field] = wrong[field]

    report = verify(changed(change))

    assert report.first_bad is not None
    assert report.first_bad.number == 6


@pytest.mark.requirement("R201")
def test_notices_a_checkpoint_somebody_else_signed() -> None:
    other = json.loads(evidence(MALLORY))

    def change(document: dict[str, Any]) -> None:
        document["checkpoint"] = other["checkpoint"]

    report = verify(changed(change))

    assert "checkpoint-signature" in codes(report)
    assert report.first_bad is None


@pytest.mark.requirement("R201")
def test_notices_a_genuine_checkpoint_of_another_moment() -> None:
    later = json.loads(evidence(kinds=(*KINDS, "journal.read")))

    def change(document: dict[str, Any]) -> None:
        document["checkpoint"] = later["checkpoint"]

    assert "other-checkpoint" in codes(verify(changed(change)))


@pytest.mark.requirement("R201")
def test_notices_a_seal_somebody_else_signed() -> None:
    other = json.loads(evidence(MALLORY))

    def change(document: dict[str, Any]) -> None:
        document["seal"]["signature"] = other["seal"]["signature"]

    report = verify(changed(change))

    assert "seal-signature" in codes(report)


@pytest.mark.requirement("R201")
def test_a_file_made_anew_with_another_key_passes_only_where_the_key_is_not_compared() -> None:
    forged = evidence(MALLORY)
    bank = VerifyingKey.of(SIGNER).fingerprint

    assert verify(forged).genuine
    assert "wrong-key" in codes(verify(forged, fingerprints=[bank]))
    compared = verify(GENUINE, fingerprints=[bank])
    assert compared.genuine
    assert compared.key_compared
    assert "comparing" not in explain(compared)


@pytest.mark.requirement("R201")
def test_notices_a_policy_text_that_does_not_match_its_digest() -> None:
    def change(document: dict[str, Any]) -> None:
        document["policy"]["text"] = 'band = "low"\n'

    assert {"policy-text", "section-changed"} <= set(codes(verify(changed(change))))


@pytest.mark.requirement("R201")
def test_notices_a_policy_text_that_is_not_the_one_the_meeting_was_booked_under() -> None:
    """Even the bank's own signature does not make another text pass: its digest is in the log."""
    assert codes(verify(evidence(policy='band = "low"\n'))) == ["policy-entry"]


@pytest.mark.requirement("R201")
@pytest.mark.parametrize(
    "section",
    ["summary", "policy", "identities", "consents", "documents", "signatures", "figures", "keys", "compare", "read_me"],
)
def test_names_the_section_that_was_changed(section: str) -> None:
    def change(document: dict[str, Any]) -> None:
        if isinstance(document[section], str):
            document[section] += " "
        elif isinstance(document[section], list):
            document[section].append({"entry": 1})
        else:
            document[section]["ref" if section == "policy" else "outcome"] = "otherwise"

    report = verify(changed(change))

    assert any(repr(section) in problem.sentence for problem in report.problems)


@pytest.mark.requirement("R201")
@pytest.mark.parametrize("section", ["identities", "consents", "keys", "entries", "seal", "public_keys"])
def test_a_missing_section_is_named(section: str) -> None:
    report = verify(changed(lambda document: document.pop(section)))

    assert codes(report) == ["missing-section"]
    assert repr(section) in report.problems[0].sentence


def test_a_section_too_many_is_named() -> None:
    report = verify(changed(lambda document: document.update({"verdict": "guilty"})))

    assert codes(report) == ["unknown-section"]


@pytest.mark.requirement("R201")
def test_names_the_entry_in_which_only_the_writing_was_changed() -> None:
    """JSON would read the same: a space, and a letter written as an escape."""
    for old, new in (
        (b'"n": 4,', b'"n":  4,'),
        (b'"n": 4,\n          "word": "\xc3\xa5"', b'"n": 4,\n          "word": "\\u00e5"'),
        (b'"n": 4,\n          "word": "\xc3\xa5"', b'"word": "\xc3\xa5",\n          "n": 4'),
    ):
        assert GENUINE.count(old) == 1
        report = verify(GENUINE.replace(old, new))
        assert codes(report) == ["not-exact"]
        assert report.first_bad is not None
        assert report.first_bad.number == 5


@pytest.mark.requirement("R201")
def test_names_the_entry_in_which_the_form_was_broken() -> None:
    report = verify(GENUINE.replace(b'"n": 4,', b'"n": 4;'))

    assert codes(report) == ["not-json"]
    assert report.first_bad is not None
    assert (report.first_bad.number, report.first_bad.kind) == (5, KINDS[4])


@pytest.mark.requirement("R201")
def test_a_key_that_stands_twice_is_refused() -> None:
    twice = GENUINE.replace(b'"outcome":', b'"outcome": "other",\n    "outcome":')

    report = verify(twice)

    assert codes(report) == ["duplicate-key"]
    assert "'outcome'" in report.problems[0].sentence


@pytest.mark.requirement("R201")
@pytest.mark.parametrize("kept", [0, 1, 500, len(GENUINE) // 2, len(GENUINE) - 3, len(GENUINE) - 2, len(GENUINE) - 1])
def test_a_file_that_ends_too_early_is_not_genuine(kept: int) -> None:
    report = verify(GENUINE[:kept])

    assert not report.genuine
    if kept not in (0, len(GENUINE) - 1):
        assert codes(report) == ["truncated"]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"[" * 100_000, "too-deep"),
        (b'{"a":' * 100_000, "too-deep"),
        (b"[" * 40 + b"]" * 40, "too-deep"),
        (b"{}", "not-evidence"),
        (b"[]", "not-evidence"),
        (b"null", "not-evidence"),
        (b"1" * 5000, "not-evidence"),
        (b"1.5", "not-evidence"),
        (b"NaN", "not-evidence"),
        (b"-Infinity", "not-evidence"),
        (b'{"a":"\\ud800"}', "not-evidence"),
        (b"\xff\xfe", "not-utf8"),
        (b"\xef\xbb\xbf{}", "not-json"),
        (b"hello", "not-json"),
    ],
)
def test_hostile_input_is_refused_and_never_raises(data: bytes, code: str) -> None:
    assert codes(verify(data)) == [code]


def test_a_huge_file_is_refused_before_it_is_read() -> None:
    assert codes(verify(b" " * 2048, max_bytes=2047)) == ["too-large"]


@settings(max_examples=400, deadline=None)
@given(st.integers(0, len(GENUINE) - 1), st.integers(0, 255))
@pytest.mark.requirement("R201")
def test_no_byte_can_be_changed_unnoticed(position: int, value: int) -> None:
    if GENUINE[position] == value:
        return
    report = verify(GENUINE[:position] + bytes([value]) + GENUINE[position + 1 :])

    assert not report.genuine
    assert explain(report).startswith("NOT GENUINE.")


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(GENUINE)), st.integers(0, 40), st.binary(max_size=6))
@pytest.mark.requirement("R201")
def test_nothing_can_be_cut_out_or_put_in_unnoticed(position: int, cut: int, put: bytes) -> None:
    tampered = GENUINE[:position] + put + GENUINE[position + cut :]
    assert tampered == GENUINE or not verify(tampered).genuine


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 10), st.data())
@pytest.mark.requirement("R201")
def test_a_byte_changed_inside_an_entry_names_that_entry(number: int, data: st.DataObject) -> None:
    starts = [GENUINE.index(b'    {\n      "number": %d,\n' % n) for n in range(1, 11)]
    ends = [*starts[1:], GENUINE.index(b'\n  ],\n  "checkpoint"')]
    # From inside the record to the end of the proof: the number itself may make an entry look like another.
    inside = GENUINE.index(b'"record"', starts[number - 1])
    position = data.draw(st.integers(inside, ends[number - 1] - 12))
    value = data.draw(st.sampled_from([ord("0"), ord("x"), ord(" "), 0xFF]))
    if GENUINE[position] == value:
        return

    report = verify(GENUINE[:position] + bytes([value]) + GENUINE[position + 1 :])

    assert report.first_bad is not None
    assert report.first_bad.number == number


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_value_in_any_place_is_answered_not_raised(data: st.DataObject) -> None:
    document = json.loads(GENUINE)
    place: Any = document
    while True:
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else list(range(len(place)))))
        inner = place[key]
        if not isinstance(inner, dict | list) or not inner or data.draw(st.booleans()):
            break
        place = inner
    new = data.draw(JSON_VALUES)
    if json.dumps(new) == json.dumps(place[key]):
        return
    place[key] = new

    tampered = (json.dumps(document, ensure_ascii=False, indent=2) + "\n").encode()
    assert not verify(tampered).genuine


def test_fingerprints_are_read_in_the_ways_people_write_them() -> None:
    digits = VerifyingKey.of(SIGNER).fingerprint
    colons = ":".join(digits[at : at + 2] for at in range(0, 64, 2)).upper()

    assert normal_fingerprint(colons) == normal_fingerprint(f"SHA256:{digits}") == digits
    for wrong in ("", digits[:-1], digits + "0", "g" * 64):
        with pytest.raises(ValueError, match="fingerprint"):
            normal_fingerprint(wrong)


def test_a_jwk_set_gives_the_fingerprints_of_its_ed25519_keys() -> None:
    x = base64.urlsafe_b64encode(SIGNER.public_key).rstrip(b"=").decode()
    keys = {"keys": [{"kty": "EC", "crv": "P-256"}, {"kty": "OKP", "crv": "Ed25519", "x": x}]}

    assert fingerprints_of_jwks(json.dumps(keys).encode()) == [VerifyingKey.of(SIGNER).fingerprint]
    for wrong in (b"", b"{}", b"[]", b'{"keys":[]}', b'{"keys":[1]}', b'{"keys":[{"kty":"OKP","crv":"Ed25519"}]}'):
        with pytest.raises(ValueError, match="JWK"):
            fingerprints_of_jwks(wrong)
