"""One record, one sequence of bytes; and nothing ill-formed becomes one."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.domain.audit import (
    KINDS,
    AuditRecord,
    Entry,
    InvalidRecordError,
    PersonalDataError,
    decode,
    encode,
    kinds_with,
)
from sidecar.domain.errors import ConfigurationError
from sidecar.domain.ids import MeetingId

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
MEETING = MeetingId("m_aaaaaaaaaaaaaaaaaaaa")


def record(data: Any = None, **changes: Any) -> AuditRecord:
    values = {"kind": "share.started", "meeting": MEETING, "actor": "st_elin", "at": NOON, "data": data or {}}
    return AuditRecord(**{**values, **changes})


def test_a_record_has_one_canonical_form() -> None:
    assert encode(record({"surface": "window", "a": [True, None, 3]})) == (
        b'{"actor":"st_elin","at":"2026-11-24T12:00:00.000Z","data":{"a":[true,null,3],"surface":"window"},'
        b'"kind":"share.started","meeting":"m_aaaaaaaaaaaaaaaaaaaa","v":1}'
    )


def test_the_same_fact_gives_the_same_bytes_however_it_was_written() -> None:
    stockholm = NOON.astimezone(timezone(timedelta(hours=1)))
    composed, decomposed = "Sj\u00f6", "Sjo\u0308"

    one = encode(record({"a": composed, "b": (1, 2)}))
    other = encode(record({"b": [1, 2], "a": decomposed}, at=stockholm))

    assert one == other


@given(
    st.dictionaries(
        st.from_regex(r"x_[a-z]{1,8}", fullmatch=True),
        st.recursive(
            st.none() | st.booleans() | st.integers(-(10**7), 10**7) | st.text("abcåäö æø-", max_size=20),
            lambda inner: st.lists(inner, max_size=3),
            max_leaves=6,
        ),
        max_size=5,
    )
)
def test_what_is_encoded_reads_back_as_itself(data: dict[str, Any]) -> None:
    try:
        canonical = encode(record(data))
    except (InvalidRecordError, PersonalDataError):
        return
    assert encode(decode(canonical)) == canonical
    assert json.loads(canonical)["data"] == json.loads(json.dumps(decode(canonical).data))


@pytest.mark.parametrize("actor", ["per_maja", "st_elin", "sys_crm", "p_place", "system"])
def test_an_actor_is_a_pseudonym_a_place_or_the_system(actor: str) -> None:
    assert decode(encode(record(actor=actor))).actor == actor


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"kind": "share.begun"}, "kind"),
        ({"actor": "Elin"}, "actor"),
        ({"actor": "m_aaaa"}, "actor"),
        ({"meeting": MeetingId("room 7")}, "meeting"),
        ({"at": datetime(2026, 11, 24)}, "at"),  # noqa: DTZ001 - the mistake that is refused
    ],
)
def test_refuses_a_record_that_is_not_of_its_form(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidRecordError) as refused:
        encode(record(**changes))
    assert refused.value.params["field"] == field


@pytest.mark.parametrize(
    "value",
    [1.5, float("nan"), 2**53, b"bytes", {1, 2}, NOON, "\ud800", [[[[[[[1]]]]]]]],
    ids=["float", "nan", "large", "bytes", "set", "datetime", "surrogate", "deep"],
)
def test_refuses_a_value_that_json_readers_do_not_agree_on(value: Any) -> None:
    with pytest.raises(InvalidRecordError):
        encode(record({"a": value}))


@pytest.mark.parametrize("key", ["A", "a b", "å", "", 7])
def test_refuses_a_key_that_is_not_plain(key: Any) -> None:
    with pytest.raises(InvalidRecordError):
        encode(record({key: 1}))


def test_refuses_a_record_over_16_kib() -> None:
    with pytest.raises(InvalidRecordError, match="too large"):
        encode(record({"a": ["x" * 500] * 40}))


@pytest.mark.parametrize(
    "canonical",
    [
        b"",
        b"{}",
        b"[1]",
        b'{"actor":"st_elin", "at":"2026-11-24T12:00:00.000Z","data":{},"kind":"share.started","meeting":null,"v":1}',
        b'{"actor":"st_elin","at":"2026-11-24T12:00:00.000Z","data":{},"kind":"share.started","meeting":null,"v":2}',
        b'{"actor":"st_elin","at":"2026-11-24T12:00:00Z","data":{},"data":{},"kind":"share.started","meeting":null,'
        b'"v":1}',
    ],
    ids=["nothing", "empty", "list", "a space", "another version", "a key twice"],
)
def test_bytes_that_are_not_exactly_canonical_are_no_record(canonical: bytes) -> None:
    with pytest.raises(InvalidRecordError):
        Entry.of(0, canonical)


def test_every_kind_says_in_one_line_what_happened() -> None:
    assert all(line.endswith(".") and "\n" not in line for line in KINDS.values())
    with pytest.raises(TypeError):
        KINDS["meeting.abducted"] = "No."  # type: ignore[index]  # the list is closed


def test_a_plugin_adds_kinds_under_its_own_name() -> None:
    kinds = kinds_with({"document_room.viewed": "A document was in view."})

    assert b"document_room.viewed" in encode(record(kind="document_room.viewed"), kinds)
    with pytest.raises(InvalidRecordError):
        encode(record(kind="document_room.viewed"))


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("viewed", "No plugin."),
        ("meeting.sung", "The core's own."),
        ("meeting.ended", "The core's own."),
        ("Plugin.viewed", "Capitals."),
        ("whiteboard.drawn", " "),
    ],
)
def test_refuses_a_plugin_kind_that_is_ill_named_or_the_cores(kind: str, line: str) -> None:
    with pytest.raises(ConfigurationError):
        kinds_with({kind: line})
