"""No personal data and no content in the log. All numbers here are invented."""

from datetime import UTC, datetime
from typing import Any

import pytest

from sidecar.domain.audit import AuditRecord, PersonalDataError, assert_no_personal_data, encode
from sidecar.domain.ids import MeetingId

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def record(data: dict[str, Any]) -> AuditRecord:
    return AuditRecord("permission.refused", MeetingId("m_aaaa"), "per_maja", NOON, data)


@pytest.mark.requirement("R118")
@pytest.mark.parametrize(
    "value",
    [
        "maja@example.org",
        "sent to Maja.Granlid+x@post.example.se yesterday",
        "maja@localhost",
        "+46 70 123 45 67",
        "+46701234567",
        "0046 70-123 45 67",
        "070-123 45 67",
        "08-465 004 12",
        "+358401234567",
        "040 123 4567",
        "91 23 45 67",
        "912 34 567",
        "+45 12 34 56 78",
        "199002142389",
        "19900214-2389",
        "900214-2389",
        "900214+2389",
        "9002142389",
        "196103182371",
        "199002742380",
        "14029012345",
        "140290 12345",
        "54029012345",
        "1402901234",
        "140290-1234",
        "140290-123A",
        "140290A123B",
        "case of 900214-2389 reopened",
        "192.0.2.17",
        "from 192.0.2.17:4433",
        "2001:db8::17",
        "[2001:db8:0:0:0:0:0:17]",
        "x" * 600,
    ],
)
def test_refuses_a_value_that_looks_like_personal_data(value: str) -> None:
    with pytest.raises(PersonalDataError) as refused:
        assert_no_personal_data(record({"a": [{"b": value}]}))
    assert refused.value.params["field"] == "data.a.b"
    assert value not in refused.value.detail


@pytest.mark.requirement("R118")
@pytest.mark.parametrize(
    "key",
    [
        *("name", "display_name", "given_name", "e_mail", "email", "email_sha256", "phone", "sms_phone"),
        *("personnummer", "national_id", "ip", "ip_address", "user_agent", "birth_date", "photo", "address"),
        *("text", "message", "body", "chat_text", "code", "password", "comment"),
    ],
)
def test_refuses_a_key_that_names_personal_data_or_content(key: str) -> None:
    with pytest.raises(PersonalDataError):
        encode(record({key: "x"}))


@pytest.mark.parametrize("number", [199002142389, 9002142389, 196103182371])
def test_refuses_a_personal_number_written_as_a_number(number: int) -> None:
    with pytest.raises(PersonalDataError):
        encode(record({"a": number}))


@pytest.mark.parametrize(
    "value",
    [
        "mortgage@7",
        "bankid-qr",
        "mortgage@7/share_screen",
        "2026-11-24T13:00:00.000Z",
        "2026-11-24",
        "m_23456789abcdefghjkmn",
        "per_23456789234567892345",
        "3b1f6a52-1990-0214-2389-900214238912",
        "199002142389" * 5 + "abcd",
        "sha256:" + "1234567890" * 6 + "abcd",
        ":".join(["12"] * 32),
        "SRTP_AEAD_AES_128_GCM",
        "2270000.00 SEK",
        "10100000000.00 SEK",
        "13:00:05",
        "version 1.12.3",
        "BankID, tillitsnivå 3",
        "band.high/file_transfer",
    ],
)
def test_lets_through_what_a_record_is_made_of(value: str) -> None:
    encode(record({"a": value}))


@pytest.mark.parametrize("number", [0, -1, 2_270_000, 1_764_000_000, 10_100_000_000, 1_764_000_000_123])
def test_lets_amounts_and_counters_through(number: int) -> None:
    encode(record({"a": number}))


@pytest.mark.parametrize(
    "key", ["text_version", "text_sha256", "message_count", "body_bytes", "content_type", "plugin", "permission"]
)
def test_lets_digests_counts_and_versions_of_content_through(key: str) -> None:
    encode(record({key: 4}))
